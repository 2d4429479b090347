//! Cli: `bellwether simulate`, a seeded shop whose flags have known true effects. It drives the public
//! API of a server under `--clock manual`, and at its end says what is true, so that what Bellwether
//! says can be held against it. The generator (`draw`, `world`, `shop`, `play`, `tally`, `story`) does
//! no I/O; `drive` and `live` do.

mod draw;
pub(crate) mod drive;

pub(crate) mod live;
mod play;
mod shop;
mod story;
mod tally;
mod world;

#[cfg(test)]
mod tests;

use std::path::PathBuf;

use bellwether_model::{Millis, Span};
use clap::{Arg, ArgMatches, Command, value_parser};

use crate::failure::Failure;
use crate::link::Link;
use crate::{eprint_line, print_json};
use drive::{Drive, Plan};
pub(crate) use play::Answers;

/// New visitors a day that leave about so many events in so many days.
pub(crate) fn visitors_per_day(events: u64, days: u32) -> f64 {
    let each = world::EVENTS_PER_VISITOR + world::FLAG_EVENTS_PER_VISITOR;
    events as f64 / each / f64::from(days.max(1))
}

pub(crate) fn command() -> Command {
    Command::new("simulate")
        .about("Lives through days of a simulated shop with known effects, on a server with a manual clock")
        .arg(crate::call::server())
        .arg(crate::call::key())
        .arg(
            Arg::new("environment")
                .long("environment")
                .value_name("KEY")
                .default_value("production")
                .help("Where the shop's events go and its flags are edited"),
        )
        .arg(
            Arg::new("seed")
                .long("seed")
                .value_name("N")
                .value_parser(value_parser!(u64))
                .default_value("1")
                .help("The same seed gives the same events"),
        )
        .arg(
            Arg::new("days")
                .long("days")
                .value_name("N")
                .value_parser(value_parser!(u32).range(1..=3_650))
                .default_value("90")
                .help("How many days from the server's time on"),
        )
        .arg(
            Arg::new("until")
                .long("until")
                .value_name("MS")
                .value_parser(value_parser!(i64))
                .conflicts_with("days")
                .help("Up to this time, in milliseconds since 1970"),
        )
        .arg(
            Arg::new("visitors-per-day")
                .long("visitors-per-day")
                .value_name("N")
                .value_parser(value_parser!(u32).range(1..=1_000_000))
                .default_value("1000")
                .help("New visitors a day on average; each leaves about fourteen events"),
        )
        .arg(
            Arg::new("truth")
                .long("truth")
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .help("Write what is true to this file, not to standard output"),
        )
}

pub(crate) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let (server, key) = crate::call::connection(matches)?;
    let link = Link::new(&server, &key);
    let number = |name: &str| matches.get_one::<u32>(name).copied().unwrap_or_default();
    let until = match matches.get_one::<i64>("until") {
        Some(until) => Millis(*until),
        None => link.manual_now()?.plus(Span::DAY.times(u64::from(number("days")))),
    };
    let plan = Plan {
        seed: matches.get_one::<u64>("seed").copied().unwrap_or_default(),
        environment: matches.get_one::<String>("environment").cloned().unwrap_or_default(),
        until,
        visitors_per_day: f64::from(number("visitors-per-day")),
    };
    let mut drive = Drive::new(&link, plan)?;
    let mut told = 0;
    drive.run(&mut |progress| {
        if progress.day > told {
            told = progress.day;
            eprint_line(&format!("day {told} of {}: {} events", progress.days, progress.events));
        }
    })?;
    let truth = drive.finish()?;
    let Some(file) = matches.get_one::<PathBuf>("truth") else {
        print_json(&truth);
        return Ok(());
    };
    let text = serde_json::to_string_pretty(&truth).unwrap_or_else(|_| truth.to_string());
    std::fs::write(file, text).map_err(|e| {
        Failure::new(format!("`{}` cannot be written: {e}", file.display()), "name another file")
    })
}
