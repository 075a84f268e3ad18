//! `tinsmith sample`: talk to the result of a run, beside its base.

mod source;

use super::{
    Style, Ui,
    args::{Format, SampleArgs},
    tooling::printable,
};
use crate::{
    Error, Result,
    training::{Stop, text_of},
};
use serde_json::{Value, json};
use source::Source;
use std::{io::BufRead, time::Duration};
use tinsmith_plugin_api::{
    ErrorKind, SampleRequest, Sampled, Sampler, Samples, StopReason, TicketState, ticket,
};

/// Runs the command.
pub fn run(args: &SampleArgs, ui: &Ui) -> Result<()> {
    let stop = Stop::on_interrupt(|| {})?;
    let source = Source::open(args, ui, &stop)?;
    match &args.prompt {
        Some(prompt) => answer(args, ui, &source, &stop, prompt),
        None => {
            let mut lines = std::io::stdin().lock().lines();
            let mut next = || {
                ui.prompt("> ");
                stop.at_once(|| lines.next())
            };
            let mut first = true;
            while let Some(line) = next() {
                let line = line.map_err(|e| Error::failed(format!("read stdin: {e}")))?;
                if line.trim().is_empty() {
                    continue;
                }
                if !std::mem::replace(&mut first, false) && args.format.format == Format::Table {
                    ui.data("\n")?;
                }
                answer(args, ui, &source, &stop, &line)?;
            }
            Ok(())
        }
    }
}

fn answer(args: &SampleArgs, ui: &Ui, source: &Source, stop: &Stop, prompt: &str) -> Result<()> {
    let system = args.system.iter().map(|text| json!({"role": "system", "content": text}));
    let user = std::iter::once(json!({"role": "user", "content": prompt}));
    let messages = Value::Array(system.chain(user).collect());
    let request = request(args, source, &messages)?;
    let several = source.base.is_some();
    let both = [("base", source.base.as_deref()), ("tuned", Some(source.tuned.as_ref()))];
    for (name, sampler) in both {
        let Some(sampler) = sampler else { continue };
        if args.format.format == Format::Json {
            let samples = sample(ui, source, stop, sampler, &request, false)?;
            print_json(args, ui, source, name, prompt, &samples)?;
            continue;
        }
        if several {
            ui.data(ui.paint(Style::Bold, name))?;
        }
        sample(ui, source, stop, sampler, &request, true)?;
        if several && name == "base" {
            ui.data("\n")?;
        }
    }
    Ok(())
}

fn request(args: &SampleArgs, source: &Source, messages: &Value) -> Result<SampleRequest> {
    let end = source.tools.renderer.stop()?;
    Ok(SampleRequest {
        prompt: source.tools.renderer.generation_prompt(messages)?,
        num_samples: args.num_samples,
        max_tokens: Some(args.max_tokens),
        temperature: args.temperature,
        top_k: args.top_k.map_or(-1, |k| i32::try_from(k).unwrap_or(-1)),
        top_p: args.top_p,
        seed: Some(args.seed),
        stop_tokens: (!end.tokens.is_empty()).then_some(end.tokens),
        stop_strings: end.strings,
        ..SampleRequest::default()
    })
}

/// Samples. With `show`, text appears as it comes (one sample) or at the end (several).
fn sample(
    ui: &Ui,
    source: &Source,
    stop: &Stop,
    sampler: &dyn Sampler,
    request: &SampleRequest,
    show: bool,
) -> Result<Samples> {
    let (services, renderer) = (&source.tools.services, source.tools.renderer.as_ref());
    let end = request.stop_tokens.clone().unwrap_or_default();
    let mut decoder = services.stream_decoder();
    let mut streamed = 0;
    let (done, ticket) = ticket();
    sampler.sample(request.clone(), done);
    let samples = loop {
        let state = ticket.poll(Duration::from_millis(100));
        if stop.asked() {
            ticket.cancel();
        }
        let tokens = ticket.take_partial();
        streamed += tokens.len();
        let shown: Vec<i32> = tokens.into_iter().filter(|t| !end.contains(t)).collect();
        if show && !shown.is_empty() {
            ui.part(&printable(&decoder.push(&shown)?))?;
        }
        match state {
            TicketState::Ready(Ok(samples)) => break samples,
            TicketState::Ready(Err(e)) if e.kind() == ErrorKind::CANCELLED => {
                ui.part("\n")?;
                return Err(Error::from(e));
            }
            TicketState::Ready(Err(e)) => return Err(e.into()),
            TicketState::Waiting(_) => {}
        }
    };
    if !show {
        return Ok(samples);
    }
    if streamed > 0 {
        ui.part(&printable(&decoder.finish()))?;
        ui.part("\n")?;
    } else {
        for (i, sampled) in samples.sequences.iter().enumerate() {
            if samples.sequences.len() > 1 {
                let space = if i == 0 { "" } else { "\n" };
                ui.data(format!("{space}{}", ui.paint(Style::Dim, format_args!("# {}", i + 1))))?;
            }
            ui.data(printable(&text_of(renderer, services, &sampled.tokens)?))?;
        }
    }
    if samples.sequences.iter().any(|s| s.stop_reason == StopReason::Length) {
        ui.detail("the answer was cut at `--max-tokens`");
    }
    Ok(samples)
}

fn print_json(
    args: &SampleArgs,
    ui: &Ui,
    source: &Source,
    model: &str,
    prompt: &str,
    samples: &Samples,
) -> Result<()> {
    let (services, renderer) = (&source.tools.services, source.tools.renderer.as_ref());
    for (i, Sampled { tokens, logprobs, stop_reason, .. }) in samples.sequences.iter().enumerate() {
        ui.json_line(&json!({
            "model": model, "source": args.source, "prompt": prompt, "sample": i,
            "text": text_of(renderer, services, tokens)?, "tokens": tokens,
            "logprobs": logprobs, "stop_reason": stop_reason,
        }))?;
    }
    Ok(())
}
