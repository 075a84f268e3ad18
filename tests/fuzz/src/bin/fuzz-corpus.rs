/*!
Packs a folder of inputs into a corpus file, unpacks one, and shows what an input means.

```text
fuzz-corpus pack FOLDER FILE
fuzz-corpus unpack FILE FOLDER
fuzz-corpus show INPUT          a file with an input as libFuzzer writes it
```
*/

use std::{
    env, fs, io,
    io::Write,
    path::{Path, PathBuf},
    process::ExitCode,
};
use tinsmith_fuzz::{Scenario, corpus};

/// A longer input says nothing that shorter ones do not, and is nothing to read.
const MOST: usize = 4096;

fn main() -> ExitCode {
    let arguments: Vec<PathBuf> = env::args_os().skip(1).map(PathBuf::from).collect();
    let words: Vec<&Path> = arguments.iter().map(PathBuf::as_path).collect();
    let done = match words.as_slice() {
        [word, from, to] if *word == Path::new("pack") => pack(from, to),
        [word, from, to] if *word == Path::new("unpack") => unpack(from, to),
        [word, input] if *word == Path::new("show") => {
            fs::read(input).and_then(|data| writeln!(io::stdout(), "{:?}", Scenario::of(&data)))
        }
        _ => Err(io::Error::other("usage: fuzz-corpus pack|unpack FROM TO, or show INPUT")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            let _ = writeln!(io::stderr(), "error: {e}");
            ExitCode::FAILURE
        }
    }
}

fn pack(folder: &Path, file: &Path) -> io::Result<()> {
    let inputs: io::Result<Vec<Vec<u8>>> =
        fs::read_dir(folder)?.map(|entry| fs::read(entry?.path())).collect();
    let inputs = inputs?.into_iter().filter(|input| input.len() <= MOST).collect();
    corpus::write(file, inputs)
}

fn unpack(file: &Path, folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for (i, input) in corpus::read(file)?.iter().enumerate() {
        fs::write(folder.join(format!("{i:04}")), input)?;
    }
    Ok(())
}
