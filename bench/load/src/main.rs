//! Bench of load: the real server under requests and under thousands of streams, beside the fastest open server
//! that the registries give. It promises that no number is reported of a run in which any request failed,
//! any client missed a change, or an answer was wrong.
//!
//! ```text
//! ./run                        builds what is needed; every part, to the terminal
//! ./run --write                the same, and into ../RESULTS.md
//! ./run --only streams         one part: `requests`, `streams` or `sync`
//! ./run --clients 2000 --streams 1000 --toggles 11 --rounds 3 --turn 1
//! ```
//!
//! `BELLWETHER` and `UNLEASH_EDGE` name other binaries.

mod floor;
mod report;
mod requests;
mod servers;
mod streams;
mod sync;
mod watch;
mod wire;
mod world;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

pub(crate) use results::Failure;

/// What the command line asks for.
pub(crate) struct Asked {
    write: bool,
    only: Option<String>,
    /// Clients of the event stream.
    clients: usize,
    /// Streams of `flagd.sync.v1`.
    streams: usize,
    /// Changes that they are told of.
    toggles: usize,
    /// Turns of each server.
    rounds: usize,
    /// How long a turn is.
    turn: Duration,
    /// Our server.
    server: PathBuf,
    /// The peer.
    peer: PathBuf,
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
    let binary = |name, otherwise: &str| {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        std::env::var_os(name).map_or_else(|| here.join(otherwise), PathBuf::from)
    };
    let mut asked = Asked {
        write: false,
        only: None,
        clients: 10_000,
        streams: 5_000,
        toggles: 201,
        rounds: 9,
        turn: Duration::from_secs(2),
        server: binary("BELLWETHER", "../../target/release/bellwether"),
        peer: binary("UNLEASH_EDGE", "target/peer/bin/unleash-edge"),
    };
    let mut words = words.peekable();
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("`{word}` needs a value"));
        match word.as_str() {
            "--write" => asked.write = true,
            "--only" => asked.only = Some(value()?),
            "--clients" => asked.clients = value()?.parse()?,
            "--streams" => asked.streams = value()?.parse()?,
            "--toggles" => asked.toggles = value()?.parse()?,
            "--rounds" => asked.rounds = value()?.parse()?,
            "--turn" => asked.turn = Duration::from_secs_f64(value()?.parse()?),
            _ => return Err(format!("`{word}` is not known\nhint: see the opening of main.rs").into()),
        }
    }
    if asked.write && asked.only.is_some() {
        return Err("only the whole is written down".into());
    }
    Ok(asked)
}

fn run() -> Result<(), Failure> {
    // One thread: the other core is the server's.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let tasks = tokio::task::LocalSet::new();
    if std::env::args().nth(1).as_deref() == Some(floor::ARGUMENT) {
        return tasks.block_on(&runtime, floor::serve());
    }
    let asked = asked(std::env::args().skip(1))?;
    servers::open_files(asked.clients.max(asked.streams) + 500)?;
    let load = results::busy()?;
    let mut sections = Vec::new();
    for part in ["requests", "streams", "sync"] {
        if asked.only.as_deref().is_some_and(|only| only != part) {
            continue;
        }
        // Each part has tasks of its own: what listens ends with it.
        let tasks = tokio::task::LocalSet::new();
        let section = tasks.block_on(&runtime, async {
            match part {
                "requests" => requests::section(&asked).await,
                "streams" => streams::section(&asked).await,
                _ => sync::section(&asked).await,
            }
        })?;
        println!("{section}");
        sections.push(section);
    }
    if asked.write {
        report::write(&asked, &sections, &load)?;
    }
    Ok(())
}

/// Does all of `work`, so many at a time, and gives what each gave.
pub(crate) async fn lanes<T: 'static>(
    width: usize,
    work: impl Iterator<Item = impl Future<Output = Result<T, Failure>> + 'static>,
) -> Result<Vec<T>, Failure> {
    let mut running: tokio::task::JoinSet<Result<T, String>> = tokio::task::JoinSet::new();
    let mut done = Vec::new();
    for one in work {
        if running.len() == width
            && let Some(ended) = running.join_next().await
        {
            done.push(ended?.map_err(Failure::from)?);
        }
        running.spawn_local(async move { one.await.map_err(|failure| failure.to_string()) });
    }
    while let Some(ended) = running.join_next().await {
        done.push(ended?.map_err(Failure::from)?);
    }
    Ok(done)
}
