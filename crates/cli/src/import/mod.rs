//! Cli: `bellwether import csv`, which makes an experiment that was run elsewhere out of a file: the
//! flag, the metrics, the experiment, and an exposure and its outcomes per row, over the public API.
//! What is made is said before it is made. A file that is there already changes nothing, one that was
//! interrupted goes on, and one that does not fit what is there is refused with the difference.

mod send;
mod started;
mod table;

use std::fmt::Write as _;
use std::path::PathBuf;

use bellwether_model::{FlagKey, Millis, Share, Span, VariantKey};
use bellwether_server::Clock;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use sha2::{Digest, Sha256};

use crate::failure::Failure;
use crate::link::Link;
use crate::show::thousands;
use crate::{eprint_line, print_json, print_line, report};
use send::Outcome;
use table::{Kind, Map, Row, Table};

pub(crate) fn command() -> Command {
    let option = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).help(help)
    };
    let csv = Command::new("csv")
        .about("Imports exposures and outcomes from a CSV file with one row per unit, as an experiment")
        .after_help(HELP)
        .arg(
            Arg::new("file")
                .value_name("FILE")
                .required(true)
                .value_parser(value_parser!(PathBuf))
                .help("The file; its first line names the columns"),
        )
        .arg(option("flag", "KEY", "The flag and the experiment that are made").required(true))
        .arg(
            option(
                "map",
                "ROLE=COLUMN,…",
                "Which column is what: `unit`, `variant`, `metric:KEY` (true or false), `sum:KEY` (a number); the first metric decides",
            )
            .required(true)
            .action(ArgAction::Append),
        )
        .arg(
            option("share", "VARIANT=PERCENT,…", "The planned shares; equal unless given")
                .action(ArgAction::Append),
        )
        .arg(option("control", "VARIANT", "What the others are compared with; the first row's unless given"))
        .arg(option("environment", "KEY", "Where").default_value("production"))
        .arg(
            option("days", "N", "How many days it ran")
                .value_parser(value_parser!(u32).range(1..=3_650))
                .default_value("14"),
        )
        .arg(option(
            "started",
            "DATE",
            "When it began: a day such as 2026-03-01, from midnight UTC, or a time; so many days before today unless given",
        ))
        .arg(option("why", "TEXT", "The reason in the log of changes; names the file unless given"))
        .arg(
            Arg::new("dry-run")
                .long("dry-run")
                .action(ArgAction::SetTrue)
                .help("Show what would be made and send nothing"),
        )
        .arg(
            Arg::new("json")
                .long("json")
                .action(ArgAction::SetTrue)
                .help("Print the experiment's results as JSON"),
        )
        .arg(crate::call::server())
        .arg(crate::call::key());
    Command::new("import")
        .about("Imports an experiment that was run elsewhere")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(csv)
}

/// What is made of a file.
struct Import {
    flag: FlagKey,
    environment: String,
    map: Map,
    table: Table,
    /// By variant, in the table's order.
    shares: Vec<Share>,
    control: VariantKey,
    days: u32,
    /// The first moment; unless it was asked for, so that the last day was yesterday.
    started: Option<Millis>,
    /// The file's name, without the directory.
    file: String,
    why: String,
}

const HELP: &str = "\
It makes:
  a flag KEY of the file's variants, switched ON in the environment and split by the shares, so that
    services that ask for KEY are served these variants from now on
  a metric for each outcome, if there is none of that key
  an experiment KEY on the flag, from --started for --days
  for each row one exposure, dated when the experiment began, and one event a second later for each
    outcome that is true or not 0
It says so with its numbers before anything is sent. An experiment whose days are over has its verdict
at once.

The same file again changes nothing. An import that was interrupted goes on when it is started again
within seven days. A flag, experiment or metric of the same key that is not the same is refused.

Example:
  bellwether import csv cookie_cats.csv --flag gate \\
    --map unit=userid,variant=version,metric:retention_7=retention_7 \\
    --share gate_30=50,gate_40=50 --days 14 --started 2026-03-01";

pub(crate) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let Some((_, matches)) = matches.subcommand() else { return Ok(()) };
    let import = Import::read(matches)?;
    let json = matches.get_flag("json");
    // With `--json` standard output is for programs.
    let say = |line: &str| if json { eprint_line(line) } else { print_line(line) };
    if matches.get_flag("dry-run") {
        say(&import.shown(import.since(Clock::wall().now())?));
        say("nothing was sent");
        return Ok(());
    }
    let (server, key) = crate::call::connection(matches)?;
    let (outcome, results) = import.send(&Link::new(&server, &key), &say)?;
    match outcome {
        Outcome::Sent => say(""),
        Outcome::Already => say("already imported: this file is all there, and nothing was changed\n"),
    }
    if json {
        print_json(&results);
    } else {
        print_line(&report::report(&results));
    }
    Ok(())
}

impl Import {
    fn read(matches: &ArgMatches) -> Result<Self, Failure> {
        let text = |name: &str| matches.get_one::<String>(name).cloned();
        let several = |name: &str| matches.get_many::<String>(name).into_iter().flatten().map(String::as_str);
        let flag: FlagKey = text("flag")
            .unwrap_or_default()
            .parse()
            .map_err(|e: bellwether_model::Invalid| Failure::new(e.message, e.hint))?;
        let map = Map::parse(several("map"))?;
        let path = matches.get_one::<PathBuf>("file").cloned().unwrap_or_default();
        let file = std::fs::File::open(&path).map_err(|e| {
            Failure::new(format!("`{}` cannot be opened: {e}", path.display()), "name a file that is there")
        })?;
        let table = Table::read(std::io::BufReader::new(file), &map)?;
        let shares = shares(several("share"), &table.variants)?;
        let control = match text("control") {
            None => table.variants.first().cloned(),
            Some(control) => table.variants.iter().find(|v| v.as_str() == control).cloned(),
        };
        let control = control.ok_or_else(|| {
            Failure::new(
                format!("no row has the variant `{}`", text("control").unwrap_or_default()),
                format!("the control is one of {}", named(&table.variants)),
            )
        })?;
        let file = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let started = text("started").map(|text| started::parse(&text)).transpose()?;
        Ok(Self {
            flag,
            environment: text("environment").unwrap_or_default(),
            map,
            table,
            shares,
            control,
            days: matches.get_one::<u32>("days").copied().unwrap_or(14),
            started,
            why: text("why").unwrap_or_else(|| format!("imported from {file}")),
            file,
        })
    }

    fn length(&self) -> Span {
        Span::DAY.times(u64::from(self.days))
    }

    /// When the experiment began.
    fn since(&self, now: Millis) -> Result<Millis, Failure> {
        match self.started {
            Some(started) if started > now => Err(Failure::new(
                format!("`--started {started}` is in the future"),
                "import an experiment that has begun",
            )),
            Some(started) => Ok(started),
            None => Ok(started::midnight(now).minus(self.length())),
        }
    }

    /// What is made, in words.
    fn shown(&self, since: Millis) -> String {
        let Self { flag, environment, table, .. } = self;
        let mut said = String::new();
        let count = |variant: usize| table.rows.iter().filter(|r| r.variant == variant).count() as u64;
        let _ = writeln!(said, "flag `{flag}`, switched on in `{environment}` for whoever asks for it:");
        for (index, (variant, share)) in table.variants.iter().zip(&self.shares).enumerate() {
            let role = if *variant == self.control { ", control" } else { "" };
            let _ = writeln!(said, "  `{variant}` {share}, {} units{role}", thousands(count(index)));
        }
        for (index, outcome) in self.map.outcomes.iter().enumerate() {
            let values = table.rows.iter().filter_map(|r| r.values.get(index));
            let what = match outcome.kind {
                Kind::Conversion => {
                    let did = values.filter(|v| **v > 0.0).count() as u64;
                    format!("conversion, {} units", thousands(did))
                }
                Kind::Sum => format!("mean per user, {} in all", values.sum::<f64>()),
            };
            let decides = if index == 0 { ", decides" } else { "" };
            let _ = writeln!(
                said,
                "metric `{}` from column `{}`: {what}{decides}",
                outcome.metric, outcome.column
            );
        }
        let unless = if self.started.is_some() { "" } else { "; another date with `--started`" };
        let _ = write!(
            said,
            "experiment `{flag}` from {} to {} UTC, {} days{unless}\n{}, dated {} UTC",
            crate::show::time(since.0),
            crate::show::time(since.plus(self.length()).0),
            self.days,
            self.counted(),
            crate::show::time(since.0),
        );
        said
    }

    /// How many events of each sort there are.
    fn counted(&self) -> String {
        let outcomes: u64 = self.table.rows.iter().map(|row| self.events(row).count() as u64).sum();
        let exposures = self.table.rows.len() as u64;
        format!("{} exposures and {} outcome events", thousands(exposures), thousands(outcomes))
    }

    /// The outcomes of a row: those with something to count.
    fn events<'a>(&'a self, row: &'a Row) -> impl Iterator<Item = (&'a str, Kind, f64)> {
        let outcomes = self.map.outcomes.iter().zip(&row.values);
        outcomes.filter(|(_, v)| **v != 0.0).map(|(o, v)| (o.metric.as_str(), o.kind, *v))
    }

    /// What tells this file, mapped like this, from another: the first 12 digits of a SHA-256.
    fn content(&self) -> String {
        let mut hash = Sha256::new();
        let mut part = |text: &str| {
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text);
        };
        for outcome in &self.map.outcomes {
            part(outcome.metric.as_str());
            part(if outcome.kind == Kind::Sum { "sum" } else { "conversion" });
        }
        for row in &self.table.rows {
            part(&row.unit);
            part(self.table.variants.get(row.variant).map_or("", VariantKey::as_str));
            row.values.iter().for_each(|value| part(&value.to_string()));
        }
        hash.finalize().iter().take(6).map(|byte| format!("{byte:02x}")).collect()
    }
}

fn named(variants: &[VariantKey]) -> String {
    variants.iter().map(|v| format!("`{v}`")).collect::<Vec<_>>().join(", ")
}

/// The planned shares, in the order of the variants.
fn shares<'a>(texts: impl Iterator<Item = &'a str>, variants: &[VariantKey]) -> Result<Vec<Share>, Failure> {
    let hint = "write `--share VARIANT=PERCENT,…` for every variant, such as `--share a=50,b=50`";
    let mut given: Vec<(&str, Share)> = Vec::new();
    for pair in texts.flat_map(|text| text.split(',')).map(str::trim).filter(|pair| !pair.is_empty()) {
        let (variant, percent) = pair.split_once('=').unwrap_or((pair, ""));
        let points = percent.trim_end_matches('%').parse::<f64>().ok().map(|p| p * 100.0);
        let points = points.filter(|p| (0.0..=10_000.0).contains(p) && (p - p.round()).abs() < 1e-6);
        let share = points.and_then(|p| Share::basis_points(p.round() as u16).ok());
        let share = share.ok_or_else(|| Failure::new(format!("`{pair}` is not a share"), hint))?;
        if !variants.iter().any(|v| v.as_str() == variant) {
            return Err(Failure::new(
                format!("no row has the variant `{variant}`"),
                format!("the file's variants are {}", named(variants)),
            ));
        }
        if given.iter().any(|(v, _)| *v == variant) {
            return Err(Failure::new(format!("`{variant}` is given two shares"), hint));
        }
        given.push((variant, share));
    }
    if given.is_empty() {
        let count = u16::try_from(variants.len()).unwrap_or(u16::MAX);
        let (each, over) = (10_000 / count, 10_000 % count);
        let share = |i: u16| Share::basis_points(each + u16::from(i < over));
        return (0..count).map(|i| share(i).map_err(|e| Failure::new(e.message, e.hint))).collect();
    }
    let sum: u32 = given.iter().map(|(_, s)| u32::from(s.points())).sum();
    if sum != 10_000 || given.len() != variants.len() {
        return Err(Failure::new(
            format!("a split must add up to 100%: these shares make `{}%`", f64::from(sum) / 100.0),
            hint,
        ));
    }
    let of = |v: &VariantKey| given.iter().find(|(g, _)| *g == v.as_str()).map_or(Share::NONE, |(_, s)| *s);
    Ok(variants.iter().map(of).collect())
}
