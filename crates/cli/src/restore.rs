//! Cli: `bellwether restore`, which makes a data directory of a backup.

use std::path::PathBuf;

use bellwether_app::App;
use clap::{Arg, ArgMatches, Command, value_parser};

use crate::failure::Failure;
use crate::{print_line, show};

pub(crate) fn command() -> Command {
    Command::new("restore")
        .about("Makes a data directory of a backup; servers may run meanwhile")
        .arg(
            Arg::new("from")
                .long("from")
                .value_name("DIR")
                .value_parser(value_parser!(PathBuf))
                .required(true)
                .help("The directory of a backup that `backup create` made, or a copy of it"),
        )
        .arg(
            Arg::new("data")
                .long("data")
                .value_name("DIR")
                .value_parser(value_parser!(PathBuf))
                .required(true)
                .help("The data directory to make; it must not be there, or be empty"),
        )
}

pub(crate) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let given = |name: &str| {
        matches.get_one::<PathBuf>(name).ok_or_else(|| Failure::new(format!("`--{name}` is missing"), ""))
    };
    let (from, data) = (given("from")?, given("data")?);
    let (backup, checkup) = App::restore(from, data)?;
    let done = if checkup.findings.is_empty() { "restored" } else { "copied" };
    print_line(&format!(
        "{done} what was there at {} UTC: revision {}, {} bytes",
        show::time(backup.taken.0),
        backup.revision,
        show::thousands(backup.bytes)
    ));
    checkup.facts.iter().for_each(|fact| print_line(fact));
    checkup.findings.iter().for_each(|finding| print_line(&format!("wrong: {finding}")));
    match checkup.findings.len() {
        0 => {
            print_line(&format!("start it with `bellwether serve --data {}`", data.display()));
            Ok(())
        }
        n => {
            let (data, things) = (data.display(), if n == 1 { "thing is" } else { "things are" });
            Err(Failure::new(
                format!(
                    "`{n}` {things} wrong with the backup; `{data}` is left to be looked at, and not to be served"
                ),
                format!("try an older backup; remove `{data}` before you restore there again"),
            ))
        }
    }
}
