//! Cli: `bellwether plan codegen`, which writes typed wrappers of the tracking plan. The same plan gives the same text.

mod python;
mod rust;
mod typescript;
mod words;

use std::collections::BTreeMap;
use std::path::PathBuf;

use bellwether_model::TrackingPlan;
use bellwether_model::plan::{EventType, Kind, Name, Property};
use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use super::{holds, read, served, written};
use crate::failure::Failure;
use crate::{call, eprint_line, print_line};

/// A language that is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Language {
    TypeScript,
    Python,
    Rust,
}

impl Language {
    const ALL: [(&'static str, Self); 3] =
        [("typescript", Self::TypeScript), ("python", Self::Python), ("rust", Self::Rust)];

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(known, _)| *known == name).map(|(_, language)| language)
    }

    fn write(self, plan: &TrackingPlan) -> Result<String, Failure> {
        let events = named(plan)?;
        match self {
            Self::TypeScript => Ok(typescript::write(&events)),
            Self::Python => Ok(python::write(&events)),
            Self::Rust => rust::write(&events),
        }
    }
}

pub(super) fn command() -> Command {
    Command::new("codegen")
        .about("Writes typed wrappers of the tracking plan")
        .arg(
            Arg::new("language")
                .value_name("LANGUAGE")
                .required(true)
                .value_parser(PossibleValuesParser::new(Language::ALL.map(|(name, _)| name)))
                .help("The language to write"),
        )
        .arg(
            Arg::new("plan")
                .long("plan")
                .value_name("FILE")
                .help("A plan as `plan get` shows it, or `-` for standard input, instead of the server's"),
        )
        .arg(
            Arg::new("out")
                .long("out")
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .help("The file to write; standard output unless given"),
        )
        .arg(
            Arg::new("check")
                .long("check")
                .action(ArgAction::SetTrue)
                .requires("out")
                .help("Write nothing, and end with 1 where the file is not what would be written; for CI"),
        )
        .arg(call::server())
        .arg(call::key())
}

pub(super) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let language = matches.get_one::<String>("language").and_then(|name| Language::named(name));
    let language = language.ok_or_else(|| Failure::new("no language was given", "see `--help`"))?;
    let plan = match matches.get_one::<String>("plan") {
        Some(file) => written(file, &read(file)?)?,
        None => served(matches)?.0,
    };
    let text = language.write(&plan)?;
    let Some(out) = matches.get_one::<PathBuf>("out") else {
        print_line(text.trim_end());
        return Ok(());
    };
    if matches.get_flag("check") {
        if holds(out, &text) {
            return Ok(());
        }
        return Err(Failure::new(
            format!("`{}` is not what the plan gives", out.display()),
            "write it anew, without `--check`",
        ));
    }
    if !holds(out, &text) {
        std::fs::write(out, &text).map_err(|e| {
            Failure::new(format!("`{}` cannot be written: {e}", out.display()), "name a file that may be")
        })?;
    }
    let types = if plan.events.len() == 1 { "event type" } else { "event types" };
    eprint_line(&format!("{} {types} in `{}`", plan.events.len(), out.display()));
    Ok(())
}

/// An event type, and what it is called in code.
struct Named<'p> {
    /// In `PascalCase`.
    pascal: String,
    name: &'p Name,
    event: &'p EventType,
}

/// The event types in the order of their names. Two that would be called the same are refused: a number behind one of
/// them would go to the other when a third comes.
fn named(plan: &TrackingPlan) -> Result<Vec<Named<'_>>, Failure> {
    // What is one name in the other ways of writing is one in this.
    let mut taken: BTreeMap<String, &Name> = BTreeMap::new();
    let mut found = Vec::new();
    for (name, event) in &plan.events {
        let pascal = words::pascal(name.as_str());
        if let Some(other) = taken.insert(pascal.clone(), name) {
            return Err(Failure::new(
                format!("event types `{other}` and `{name}` would both be `{pascal}` in code"),
                "plan one of them by another name",
            ));
        }
        found.push(Named { pascal, name, event });
    }
    Ok(found)
}

/// The lines that say what an event type is.
fn about(event: &EventType) -> Vec<String> {
    let mut lines = words::lines(&event.description);
    lines.extend(event.owner.as_ref().map(|owner| format!("Owner: {owner}.")));
    lines
}

/// The lines that say what a property is.
fn about_property(property: &Property) -> Vec<String> {
    let mut lines = words::lines(&property.description);
    if property.kind == Kind::DateTime {
        lines.push("A day or a moment in ISO 8601, such as `2026-11-27T09:00:00Z`.".to_owned());
    }
    if property.personal {
        lines.push("Personal: it tells who somebody is.".to_owned());
    }
    lines.extend(property.owner.as_ref().map(|owner| format!("Owner: {owner}.")));
    lines
}

#[cfg(test)]
mod tests;
