//! Cli: `bellwether doctor`, which checks a data directory and changes nothing.

use std::path::PathBuf;

use bellwether_app::App;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use crate::failure::Failure;
use crate::print_line;

pub(crate) fn command() -> Command {
    Command::new("doctor")
        .about("Checks the ledger and the events of a stopped server, and changes nothing")
        .arg(
            Arg::new("data")
                .long("data")
                .value_name("DIR")
                .value_parser(value_parser!(PathBuf))
                .default_value("bellwether-data")
                .help("The data directory"),
        )
        .arg(
            Arg::new("deep")
                .long("deep")
                .action(ArgAction::SetTrue)
                .help("Decodes every stored event, too: order, counts, times and insert_ids"),
        )
}

pub(crate) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let data: &PathBuf = matches.get_one("data").ok_or_else(|| Failure::new("no data directory", ""))?;
    if !["ledger.sqlite", "backup.json"].iter().any(|file| data.join(file).is_file()) {
        return Err(Failure::new(
            format!("`{}` is no data directory", data.display()),
            "name the directory that `bellwether serve --data` was given",
        ));
    }
    let checkup = App::doctor(data, matches.get_flag("deep"))?;
    checkup.facts.iter().for_each(|fact| print_line(fact));
    checkup.notes.iter().for_each(|note| print_line(&format!("note: {note}")));
    checkup.findings.iter().for_each(|finding| print_line(&format!("wrong: {finding}")));
    match checkup.findings.len() {
        0 => {
            print_line("all is well");
            Ok(())
        }
        n => Err(Failure::new(format!("`{n}` things are wrong"), "restore the directory from a backup")),
    }
}
