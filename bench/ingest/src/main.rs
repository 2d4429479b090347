//! Bench of ingest: events over HTTP into the real server, each on disk before its request is answered, with the
//! senders on the same cores. It promises that no number is reported of a run in which the events that a query
//! finds afterwards are not exactly those that were acknowledged.
//!
//! ```text
//! ./run                        builds what is needed; every part, to the terminal
//! ./run --write                the same, and into ../RESULTS.md
//! ./run --only rate            one part: `rate`, `overload`, `bytes` or `peer`
//! ./run --events 200000 --seconds 3
//! ```
//!
//! `BELLWETHER` names another binary.

mod events;
mod load;
mod parts;
mod report;
mod server;
mod wire;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

pub(crate) use results::Failure;

/// What the command line asks for.
pub(crate) struct Asked {
    write: bool,
    only: Option<String>,
    /// Different events; rates send them again with other ids.
    events: u64,
    /// How long the rate is measured.
    time: Duration,
    server: PathBuf,
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}

fn asked(words: impl Iterator<Item = String>) -> Result<Asked, Failure> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let ours = std::env::var_os("BELLWETHER");
    let mut asked = Asked {
        write: false,
        only: None,
        events: 1_000_000,
        time: Duration::from_secs(20),
        server: ours.map_or_else(|| here.join("../../target/release/bellwether"), PathBuf::from),
    };
    let mut words = words.peekable();
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("`{word}` needs a value"));
        match word.as_str() {
            "--write" => asked.write = true,
            "--only" => asked.only = Some(value()?),
            "--events" => asked.events = value()?.parse()?,
            "--seconds" => asked.time = Duration::from_secs_f64(value()?.parse()?),
            _ => return Err(format!("`{word}` is not known\nhint: see the opening of main.rs").into()),
        }
    }
    if asked.write && asked.only.is_some() {
        return Err("only the whole is written down".into());
    }
    Ok(asked)
}

fn run() -> Result<(), Failure> {
    let asked = asked(std::env::args().skip(1))?;
    let load = results::busy()?;
    let mut sections = Vec::new();
    let mut capacity = None;
    for part in ["rate", "overload", "bytes", "peer"] {
        if asked.only.as_deref().is_some_and(|only| only != part) {
            continue;
        }
        let section = match part {
            "rate" => parts::rate(&asked, &mut capacity)?,
            "overload" => parts::overload(&asked, capacity)?,
            "bytes" => parts::bytes(&asked)?,
            _ => parts::peer(&asked)?,
        };
        println!("{section}");
        sections.push(section);
    }
    if asked.write {
        report::write(&sections, &load)?;
    }
    Ok(())
}
