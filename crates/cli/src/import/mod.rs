//! Cli: `bellwether import csv`, which makes an experiment that was run elsewhere out of a file: the
//! flag, the metrics, the experiment, and an exposure and its outcomes per row, over the public API.
//! Importing a file again changes nothing: what is there is not made, and each event has the same
//! `insert_id` (known to the server for seven days).

mod table;

use std::fmt::Write as _;
use std::path::PathBuf;

use bellwether_model::{FlagKey, Millis, Share, Span, VariantKey};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::link::{Link, WORKERS};
use crate::{print_json, print_line};
use table::{Kind, Map, Row, Table};

pub(crate) fn command() -> Command {
    let option = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).help(help)
    };
    let csv = Command::new("csv")
        .about("Imports exposures and outcomes from a CSV file with one row per unit, as an experiment")
        .after_help(
            "Example:\n  bellwether import csv cookie_cats.csv --flag gate \\\n    --map unit=userid,variant=version,metric:retention_7=retention_7 \\\n    --share gate_30=50,gate_40=50",
        )
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
    why: String,
}

pub(crate) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let Some((_, matches)) = matches.subcommand() else { return Ok(()) };
    let import = Import::read(matches)?;
    if matches.get_flag("dry-run") {
        print_line(&import.shown());
        return Ok(());
    }
    let (server, key) = crate::call::connection(matches)?;
    let results = import.send(&Link::new(&server, &key))?;
    if matches.get_flag("json") {
        print_json(&results);
    } else {
        print_line(&verdict(&results));
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
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        Ok(Self {
            flag,
            environment: text("environment").unwrap_or_default(),
            map,
            table,
            shares,
            control,
            days: matches.get_one::<u32>("days").copied().unwrap_or(14),
            why: text("why").unwrap_or_else(|| format!("imported from {name}")),
        })
    }

    /// What would be made, in words.
    fn shown(&self) -> String {
        let Self { flag, environment, table, .. } = self;
        let mut said = String::new();
        let count = |variant: usize| table.rows.iter().filter(|r| r.variant == variant).count();
        let _ = writeln!(said, "flag `{flag}` in `{environment}`, on:");
        for (index, (variant, share)) in table.variants.iter().zip(&self.shares).enumerate() {
            let role = if *variant == self.control { ", control" } else { "" };
            let _ = writeln!(said, "  `{variant}` {share}, {} units{role}", count(index));
        }
        for (index, outcome) in self.map.outcomes.iter().enumerate() {
            let values = table.rows.iter().filter_map(|r| r.values.get(index));
            let what = match outcome.kind {
                Kind::Conversion => format!("conversion, {} units", values.filter(|v| **v > 0.0).count()),
                Kind::Sum => format!("mean per user, {} in all", values.sum::<f64>()),
            };
            let decides = if index == 0 { ", decides" } else { "" };
            let _ = writeln!(
                said,
                "metric `{}` from column `{}`: {what}{decides}",
                outcome.metric, outcome.column
            );
        }
        let _ = write!(
            said,
            "experiment `{flag}` over {} days that are past, {} events\nnothing was sent",
            self.days,
            table.rows.iter().map(|row| self.events(row).count() + 1).sum::<usize>()
        );
        said
    }

    /// Makes what is not there, sends the events and gives the experiment's results.
    fn send(&self, link: &Link) -> Result<Value, Failure> {
        let since = self.prepare(link)?;
        let input = json!({"name": format!("import of {}", self.flag), "scope": "client", "environment": self.environment});
        let key = link.call("key.create", input, None)?;
        let secret = key["secret"].as_str().unwrap_or_default();
        let sent = self.send_events(link, secret, since);
        link.call("key.revoke", json!({"key": key["id"]}), None)?;
        sent?;
        link.call("experiment.results", json!({"experiment": self.flag}), None)
    }

    /// Flag, metrics and experiment; gives the experiment's start.
    fn prepare(&self, link: &Link) -> Result<Millis, Failure> {
        let Self { flag, environment, why, .. } = self;
        let there = |operation: &str, list: &str, what: &str, key: &str| -> Result<Option<Value>, Failure> {
            let input = if what == "flag" { json!({"archived": true}) } else { json!({}) };
            let all = link.call(operation, input, None)?;
            let mut all = all[list].as_array().cloned().unwrap_or_default().into_iter();
            Ok(all.find(|one| one[what]["key"] == key))
        };
        if there("flag.list", "flags", "flag", flag.as_str())?.is_none() {
            let variants: Vec<Value> =
                self.table.variants.iter().map(|v| json!({"key": v, "value": v})).collect();
            link.call(
                "flag.create",
                json!({"flag": flag, "kind": "string", "variants": variants, "off": self.control,
                    "default": self.control, "description": why, "why": why}),
                None,
            )?;
            let shares: Vec<Value> = self
                .table
                .variants
                .iter()
                .zip(&self.shares)
                .map(|(variant, share)| json!({"variant": variant, "share": share}))
                .collect();
            link.call(
                "flag.target",
                json!({"flag": flag, "environment": environment, "why": why,
                    "default": {"serve": "split", "shares": shares}}),
                None,
            )?;
            link.call(
                "flag.toggle",
                json!({"flag": flag, "environment": environment, "on": true, "why": why}),
                None,
            )?;
        }
        for outcome in &self.map.outcomes {
            let (key, event) = (&outcome.metric, outcome.metric.as_str());
            let measure = match outcome.kind {
                Kind::Conversion => json!({"measure": "conversion"}),
                Kind::Sum => json!({"measure": "sum", "property": "value"}),
            };
            match there("metric.list", "metrics", "metric", key.as_str())? {
                None => {
                    let input = json!({"metric": key, "event": event, "measure": measure, "why": why});
                    link.call("metric.save", input, None)?;
                }
                Some(found) if found["metric"]["event"] == event && found["metric"]["measure"] == measure => {
                }
                Some(_) => {
                    return Err(Failure::new(
                        format!("there is another metric `{key}`"),
                        format!("map the column to another one, such as `metric:{flag}-{key}=…`"),
                    ));
                }
            }
        }
        let found = match there("experiment.list", "experiments", "experiment", flag.as_str())? {
            Some(found) => found,
            None => {
                let arms: Vec<Value> = self
                    .table
                    .variants
                    .iter()
                    .zip(&self.shares)
                    .map(|(variant, share)| json!({"variant": variant, "share": share}))
                    .collect();
                let metric = self.map.outcomes.first().map(|o| &o.metric);
                link.call(
                    "experiment.create",
                    json!({"experiment": flag, "flag": flag, "environment": environment, "why": why,
                        "control": self.control, "arms": arms, "metric": metric, "days": self.days}),
                    None,
                )?
            }
        };
        if let Some(since) = found["experiment"]["state"]["since"].as_i64() {
            return Ok(Millis(since));
        }
        // The horizon is past: the one look that counts can be taken.
        let since = link.now()?.1.minus(Span::DAY.times(u64::from(self.days)));
        link.call("experiment.start", json!({"experiment": flag, "since": since, "why": why}), None)?;
        Ok(since)
    }

    /// The outcomes of a row: those with something to count.
    fn events<'a>(&'a self, row: &'a Row) -> impl Iterator<Item = (&'a str, Kind, f64)> {
        let outcomes = self.map.outcomes.iter().zip(&row.values);
        outcomes.filter(|(_, v)| **v != 0.0).map(|(o, v)| (o.metric.as_str(), o.kind, *v))
    }

    fn send_events(&self, link: &Link, key: &str, since: Millis) -> Result<(), Failure> {
        // A row has at most one event per outcome and its exposure; a batch holds at most 2,000.
        let each = (1_000 / (self.map.outcomes.len() + 1)).max(1);
        let batches: Vec<&[Row]> = self.table.rows.chunks(each).collect();
        crate::link::parallel(&batches, WORKERS, |rows| {
            let body = self.body(key, rows, since).to_string();
            let line = rows.first().map_or(0, |r| r.line);
            link.send(&body).map_err(|e| e.at(&format!("in the batch that begins with line {line}")))
        })?;
        Ok(())
    }

    fn body(&self, key: &str, rows: &[Row], since: Millis) -> Value {
        let mut events = Vec::new();
        for row in rows {
            let (flag, unit) = (&self.flag, &row.unit);
            let variant = self.table.variants.get(row.variant);
            events.push(json!({
                "event_type": "$exposure", "user_id": unit, "time": since,
                "insert_id": format!("import:{flag}:{unit}:$exposure"),
                "event_properties": {"flag_key": flag, "variant": variant},
            }));
            for (metric, kind, value) in self.events(row) {
                let properties = match kind {
                    Kind::Conversion => json!({}),
                    Kind::Sum => json!({"value": value}),
                };
                events.push(json!({
                    "event_type": metric, "user_id": unit, "time": since.plus(Span::SECOND),
                    "insert_id": format!("import:{flag}:{unit}:{metric}"), "event_properties": properties,
                }));
            }
        }
        // Ids of a file may be as short as they are.
        json!({"api_key": key, "options": {"min_id_length": 1}, "events": events})
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

/// The results in words.
fn verdict(results: &Value) -> String {
    let judgement = &results["judgement"];
    let mut said = String::new();
    for counts in judgement["counts"].as_array().into_iter().flatten() {
        let variant = counts["variant"].as_str().unwrap_or_default();
        let _ = write!(said, "{variant}: {} units", counts["units"]);
        if let Some(mean) = counts["mean"].as_f64() {
            let _ = match results["metric"]["measure"]["measure"].as_str() {
                Some("conversion") => {
                    write!(said, ", {} converted, {:.2}%", counts["converted"], 100.0 * mean)
                }
                _ => write!(said, ", {mean:.4} on average"),
            };
        }
        said.push('\n');
    }
    said.push_str(judgement["sentence"].as_str().unwrap_or_default());
    said
}
