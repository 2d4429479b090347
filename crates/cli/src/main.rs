//! Cli: the one binary, `bellwether`. It starts the server, checks a data directory, and calls every
//! operation of the registry over HTTP; a command decides nothing that `app` does not.

mod call;
mod demo;
mod doctor;
mod failure;
mod import;
mod interrupt;
mod link;
mod plan;
mod report;
mod restore;
mod serve;
mod show;
mod simulate;
mod spoken;

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::{ArgMatches, Command};
use tracing_subscriber::EnvFilter;

use failure::Failure;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    small_pages();
    let matches = command().get_matches();
    // That a guard halts a rollout is part of the demo's story.
    let quiet =
        if matches.subcommand_name() == Some("demo") { "warn,bellwether_app::guard=error" } else { "warn" };
    let filter = EnvFilter::try_from_env("BELLWETHER_LOG").unwrap_or_else(|_| EnvFilter::new(quiet));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        // It would say on the error output that the error output takes nothing, and panic.
        .log_internal_errors(false)
        .init();
    match run(&matches) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprint_line(&failure.to_string());
            ExitCode::FAILURE
        }
    }
}

/// The allocator asks for huge pages. With thousands of connections, of which each holds a little, they are a third of
/// all memory, and the kernel makes them while a request waits. An older kernel that refuses costs memory only.
fn small_pages() {
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::disable_transparent_huge_pages(true);
}

fn command() -> Command {
    let command = Command::new("bellwether")
        .about("Feature flags, product analytics, experiments that cannot mislead, and release safety")
        .version(env!("CARGO_PKG_VERSION"))
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(serve::command())
        .subcommand(demo::command())
        .subcommand(doctor::command())
        .subcommand(restore::command())
        .subcommand(import::command())
        .subcommand(simulate::command())
        .subcommand(Command::new("openapi").about("Prints the OpenAPI 3.1 document of every operation"));
    plan::with(command.subcommands(call::commands()))
}

fn run(matches: &ArgMatches) -> Result<(), Failure> {
    match matches.subcommand() {
        Some(("serve", matches)) => serve::run(matches),
        Some(("demo", matches)) => demo::run(matches),
        Some(("doctor", matches)) => doctor::run(matches),
        Some(("restore", matches)) => restore::run(matches),
        Some(("import", matches)) => import::run(matches),
        Some(("simulate", matches)) => simulate::run(matches),
        Some(("openapi", _)) => {
            print_json(&bellwether_app::openapi());
            Ok(())
        }
        Some(("plan", matches)) => plan::run(matches).unwrap_or_else(|| call::run("plan", matches)),
        Some((noun, matches)) => call::run(noun, matches),
        None => Ok(()),
    }
}

/// Writes a line to standard output. A reader that has gone (`| head`) is no error.
pub(crate) fn print_line(line: &str) {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// Writes a line to standard error.
pub(crate) fn eprint_line(line: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// Writes JSON to standard output, for people and for `jq`.
pub(crate) fn print_json(value: &serde_json::Value) {
    print_line(&serde_json::to_string_pretty(value).unwrap_or_else(|_| value.to_string()));
}
