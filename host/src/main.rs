//! The `tinsmith` binary: reads the command line, runs one command, prints what went wrong.

use clap::Parser;
use std::{
    backtrace::{Backtrace, BacktraceStatus},
    io::Write,
    panic::{self, AssertUnwindSafe, PanicHookInfo},
    process::ExitCode,
};
use tinsmith::{
    Error,
    cli::{self, Cli, Ui},
    contained,
};

fn main() -> ExitCode {
    panic::set_hook(Box::new(report_panic));
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(e) => {
            // Also `--help` and `--version`, which are no errors. Nobody is left to tell if the
            // reader has gone away.
            let _ = e.print();
            return if e.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS };
        }
    };
    let ui = match Ui::new(&cli.global) {
        Ok(ui) => ui,
        Err(e) => return fail(&Ui::plain(), &e),
    };
    match panic::catch_unwind(AssertUnwindSafe(|| cli::run(&cli, &ui))) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(e)) => fail(&ui, &e),
        // The hook has told it.
        Err(_) => ExitCode::FAILURE,
    }
}

fn fail(ui: &Ui, error: &Error) -> ExitCode {
    ui.error(error);
    ExitCode::from(error.kind.exit_code())
}

/// A panic of our own is a bug: said in the words of an error, with a hint, and no backtrace unless
/// `RUST_BACKTRACE` asks for it. Panics of plugins end in their guard and never come here; those of libraries that read
/// data become errors.
fn report_panic(info: &PanicHookInfo<'_>) {
    if contained::is_contained() {
        return;
    }
    let payload = info.payload();
    let what = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a panic without a message");
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    let mut stderr = std::io::stderr().lock();
    let _ = writeln!(
        stderr,
        "error: internal error at {place}: {what}\n\n\
         hint: this is a bug in tinsmith; please report it with the command and the config at {}/issues",
        env!("CARGO_PKG_REPOSITORY")
    );
    let backtrace = Backtrace::capture();
    if backtrace.status() == BacktraceStatus::Captured {
        let _ = writeln!(stderr, "\n{backtrace}");
    }
}
