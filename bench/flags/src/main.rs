//! Bench of flags: our engine beside the peers', in one process, on the same rules and the same
//! people. It promises that no time is reported of an engine that gives a wrong answer, and none of
//! ours that allocates.
//!
//! ```text
//! cargo run --release                      every scenario, to the terminal
//! cargo run --release -- --write           the same, and into ../RESULTS.md
//! cargo run --release -- --scenario b --engine bellwether --seconds 10
//!                                          one engine alone, for a profiler to look at
//! ```

mod allocations;
mod engine;
mod engines;
mod measure;
mod report;
mod scenario;
mod statistics;

use std::process::ExitCode;

use engine::Subject;
use scenario::Scenario;

/// Whatever stops the bench, said to a person.
pub(crate) type Failure = Box<dyn std::error::Error>;

#[global_allocator]
static ALLOCATOR: allocations::Counting = allocations::Counting;

/// What the command line asks for.
struct Asked {
    write: bool,
    rounds: usize,
    scenario: Option<String>,
    engine: Option<String>,
    seconds: Option<u64>,
}

fn main() -> ExitCode {
    match asked().and_then(|asked| run(&asked)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}

fn asked() -> Result<Asked, Failure> {
    let mut asked = Asked { write: false, rounds: 501, scenario: None, engine: None, seconds: None };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("`{word}` needs a value"));
        match word.as_str() {
            "--write" => asked.write = true,
            "--rounds" => asked.rounds = value()?.parse()?,
            "--scenario" => asked.scenario = Some(value()?),
            "--engine" => asked.engine = Some(value()?),
            "--seconds" => asked.seconds = Some(value()?.parse()?),
            _ => return Err(format!("`{word}` is not known\nhint: see the opening of main.rs").into()),
        }
    }
    if asked.write && (asked.scenario.is_some() || asked.engine.is_some()) {
        return Err("only all scenarios of all engines are written down".into());
    }
    Ok(asked)
}

fn run(asked: &Asked) -> Result<(), Failure> {
    let names = Scenario::NAMES.iter().filter(|name| asked.scenario.as_deref().is_none_or(|s| s == **name));
    let mut sections = Vec::new();
    for name in names {
        let scenario = Scenario::named(name)?;
        let subjects: Vec<Subject> = engines::all(&scenario, asked.engine.as_deref())?;
        if subjects.is_empty() {
            return Err("no engine of that name".into());
        }
        if let Some(seconds) = asked.seconds {
            measure::alone(&subjects, seconds);
            continue;
        }
        let section = report::section(&scenario, &measure::rounds(&subjects, asked.rounds));
        println!("{section}");
        sections.push(section);
    }
    if asked.write {
        report::write(&sections, asked.rounds)?;
    }
    Ok(())
}
