//! Cli: the tracking plan for those who write code. `bellwether plan check` says in CI what does not follow the
//! plan, `bellwether plan codegen` writes typed wrappers of it. What is right is decided by the server's operations.

mod check;
mod codegen;

use std::path::Path;

use bellwether_app::Entry;
use bellwether_model::TrackingPlan;
use clap::{ArgMatches, Command};
use serde_json::{Value, json};

use crate::call::{self, Client};
use crate::failure::Failure;

/// The noun `plan` with these two verbs beside those of the registry.
pub(crate) fn with(commands: Command) -> Command {
    commands.mut_subcommand("plan", |plan| {
        plan.mut_subcommand("check", |_| check::command()).subcommand(codegen::command())
    })
}

/// Runs what is meant by a command of `plan`; `None` where it is an operation as any other.
pub(crate) fn run(matches: &ArgMatches) -> Option<Result<(), Failure>> {
    match matches.subcommand()? {
        ("check", matches) => Some(check::run(matches)),
        ("codegen", matches) => Some(codegen::run(matches)),
        _ => None,
    }
}

/// What lies in a file, or comes from standard input by `-`, without the mark that editors on Windows begin one with.
fn read(file: &str) -> Result<String, Failure> {
    let text =
        if file == "-" { std::io::read_to_string(std::io::stdin()) } else { std::fs::read_to_string(file) };
    let text = text
        .map_err(|e| Failure::new(format!("`{file}` cannot be read: {e}"), "name a file of text in UTF-8"))?;
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

/// What a plan looks like.
const SHAPE: &str =
    "write `{\"events\": {\"Order Completed\": {\"properties\": {\"total\": {\"type\": \"number\"}}}}}`";

/// The plan that is written in a file, as `plan get` shows it: alone, or as the field `plan`.
fn written(file: &str, text: &str) -> Result<TrackingPlan, Failure> {
    let bad = |e: serde_json::Error| Failure::new(format!("`{file}` is no tracking plan: {e}"), SHAPE);
    let mut value: Value = serde_json::from_str(text).map_err(bad)?;
    let inside = value.get_mut("plan").map(Value::take);
    let within = if inside.is_some() { "plan" } else { "" };
    let value = inside.unwrap_or(value);
    // What is wrong is said as the server says it: it would refuse the same.
    let input = json!({"plan": value});
    operation("plan.check")?.reads(&input).map_err(|e| refused(file, within, &e.message, &e.hint))?;
    let plan: TrackingPlan = serde_json::from_value(input["plan"].clone()).map_err(bad)?;
    plan.check().map_err(|e| Failure::new(e.message, e.hint).at(file))?;
    Ok(plan)
}

/// What is wrong with a plan, with its place in the file instead of that in an input.
fn refused(file: &str, within: &str, message: &str, hint: &str) -> Failure {
    // A file has no argument of that name.
    let hint = if hint.starts_with("what belongs in `plan`") { SHAPE } else { hint };
    let placed = message.strip_prefix("in `plan").and_then(|rest| rest.split_once("`: "));
    let Some((place, what)) = placed else { return Failure::new(format!("`{file}`: {message}"), hint) };
    match format!("{within}{place}").trim_start_matches('.') {
        "" => Failure::new(format!("`{file}`: {what}"), hint),
        place => Failure::new(format!("in `{file}`, `{place}`: {what}"), hint),
    }
}

/// The server's plan, and its revision.
fn served(matches: &ArgMatches) -> Result<(TrackingPlan, u64), Failure> {
    let answer = asked(matches, "plan.get", json!({}))?;
    let revision = answer["revision"].as_u64().unwrap_or_default();
    let plan = serde_json::from_value(answer["plan"].clone()).map_err(|e| {
        Failure::new(
            format!("the server's plan is not understood: {e}"),
            "use the `bellwether` of the server's version",
        )
    })?;
    Ok((plan, revision))
}

/// The answer of an operation.
fn asked(matches: &ArgMatches, operation: &str, input: Value) -> Result<Value, Failure> {
    let (server, key) = call::connection(matches)?;
    Client::at(&server, &key).call(self::operation(operation)?, input, false)
}

fn operation(name: &str) -> Result<&'static Entry, Failure> {
    bellwether_app::find(name)
        .ok_or_else(|| Failure::new(format!("there is no operation `{name}`"), "report this as a bug"))
}

/// Whether a file is there and holds exactly this.
fn holds(file: &Path, text: &str) -> bool {
    std::fs::read(file).is_ok_and(|found| found == text.as_bytes())
}
