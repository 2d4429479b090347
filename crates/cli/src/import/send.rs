//! Cli, import: holds what is asked against what is there, makes what is missing and sends the rows.
//!
//! The flag's description tells how far an import has come: `import of FILE, content X, under way`
//! while it sends, `imported from FILE, content X: …` when all is there. Each event has the same
//! `insert_id` every time, which the server knows for seven days.

use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicU64, Ordering};

use bellwether_model::{Millis, Span};
use serde_json::{Value, json};

use super::Import;
use super::table::{Kind, Row};
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::link::{Link, WORKERS};
use crate::show::thousands;

/// What an import has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// All of it is there now.
    Sent,
    /// All of it was there before.
    Already,
}

/// For how long an `insert_id` is known.
const KNOWN: Span = Span::DAY.times(7);

/// What is there of the same key.
struct There {
    flag: Option<Value>,
    experiment: Option<Value>,
    metrics: Vec<Value>,
}

impl There {
    fn read(link: &Link, import: &Import) -> Result<Self, Failure> {
        let all = |operation: &str, list: &str, input: Value| -> Result<Vec<Value>, Failure> {
            Ok(link.call(operation, input, None)?[list].as_array().cloned().unwrap_or_default())
        };
        let one =
            |list: Vec<Value>, what: &str| list.into_iter().find(|v| v[what]["key"] == import.flag.as_str());
        Ok(Self {
            flag: one(all("flag.list", "flags", json!({"archived": true}))?, "flag"),
            experiment: one(all("experiment.list", "experiments", json!({}))?, "experiment"),
            metrics: all("metric.list", "metrics", json!({}))?,
        })
    }

    fn metric(&self, key: &str) -> Option<&Value> {
        self.metrics.iter().map(|metric| &metric["metric"]).find(|metric| metric["key"] == key)
    }
}

impl Import {
    /// Says what it makes, makes what is not there, sends the events and gives the experiment's results.
    pub(super) fn send(&self, link: &Link, say: &dyn Fn(&str)) -> Result<(Outcome, Value), Failure> {
        let there = There::read(link, self)?;
        let results = || link.call("experiment.results", json!({"experiment": self.flag}), None);
        if self.agrees(&there)? {
            return Ok((Outcome::Already, results()?));
        }
        let now = link.now()?.1;
        let begun = there.experiment.as_ref().and_then(|e| e["experiment"]["state"]["since"].as_i64());
        if let (Some(_), Some(changed)) =
            (begun, there.experiment.as_ref().and_then(|e| e["changed"].as_i64()))
            && now.since(Millis(changed)) >= KNOWN
        {
            return Err(Failure::new(
                format!(
                    "the import of `{}` was interrupted on {}, too long ago to go on",
                    self.flag,
                    Millis(changed)
                ),
                "events are told from repeats for seven days: import it under another key, with `--flag`",
            ));
        }
        let since = begun.map_or_else(|| self.since(now), |since| Ok(Millis(since)))?;
        say(&self.shown(since));
        if begun.is_some() {
            say("an import of this file was interrupted: it goes on");
        }
        let interrupt = Interrupt::listen()?;
        self.prepare(link, &there, since)?;
        self.send_events(link, since, &interrupt)?;
        let description = format!("{}: {}", self.mark("imported from"), self.counted());
        let input = json!({"flag": self.flag, "description": description, "why": self.why});
        link.call("flag.describe", input, None)?;
        Ok((Outcome::Sent, results()?))
    }

    fn mark(&self, what: &str) -> String {
        format!("{what} {}, content {}", self.file, self.content())
    }

    /// Whether all of it is there; refuses what is there and different.
    fn agrees(&self, there: &There) -> Result<bool, Failure> {
        let mut other = Differences::default();
        let arms = self.table.variants.iter().zip(&self.shares);
        let arms: Vec<Value> =
            arms.map(|(variant, share)| json!({"variant": variant, "share": share})).collect();
        let metric = self.map.outcomes.first().map_or("", |o| o.metric.as_str());
        for outcome in &self.map.outcomes {
            let key = outcome.metric.as_str();
            let Some(found) = there.metric(key) else { continue };
            other.compare(&format!("event of metric `{key}`"), &found["event"], &json!(key));
            other.compare(&format!("measure of metric `{key}`"), &found["measure"], &measure(outcome.kind));
        }
        if let Some(view) = &there.experiment {
            let (found, plan) = (&view["experiment"], &view["experiment"]["plan"]);
            other.compare("flag", &found["flag"], &json!(self.flag));
            other.compare("environment", &found["environment"], &json!(self.environment));
            other.compare("control", &plan["control"], &json!(self.control));
            other.compare("metric that decides", &plan["metric"], &json!(metric));
            other.compare("shares", &shares(&plan["arms"]), &shares(&json!(arms)));
            let days = plan["horizon"]["span"].as_u64().map(|span| span / Span::DAY.0);
            other.compare("days", &json!(days), &json!(self.days));
            if let (Some(since), Some(asked)) = (found["state"]["since"].as_i64(), self.started) {
                other.compare("start", &json!(Millis(since).to_string()), &json!(asked.to_string()));
            }
        }
        let Some(view) = &there.flag else {
            other.none(self)?;
            return match &there.experiment {
                None => Ok(false),
                Some(_) => Err(Failure::new(
                    format!("there is an experiment `{}` that no import has made", self.flag),
                    "choose another key with `--flag`",
                )),
            };
        };
        let flag = &view["flag"];
        let variants: Vec<&Value> =
            flag["variants"].as_array().into_iter().flatten().map(|v| &v["key"]).collect();
        other.compare("variants", &sorted(&json!(variants)), &sorted(&json!(self.table.variants)));
        let said = flag["description"].as_str().unwrap_or_default();
        let content = said.split_once(", content ").and_then(|(_, rest)| rest.get(..12));
        if let Some(content) = content {
            other.compare("content of the file", &json!(content), &json!(self.content()));
        }
        other.none(self)?;
        match content {
            Some(_) if flag["archived"] == true => Err(Failure::new(
                format!("flag `{}` was imported, and is archived", self.flag),
                "restore it with `bellwether flag archive --archived false`, or choose another key with `--flag`",
            )),
            Some(_) => Ok(said.starts_with("imported from ")),
            None => Err(Failure::new(
                format!("there is a flag `{}` that no import has made", self.flag),
                "choose another key with `--flag`: an import does not mix with what is served",
            )),
        }
    }

    /// Flag, metrics and experiment, as far as they are not there.
    fn prepare(&self, link: &Link, there: &There, since: Millis) -> Result<(), Failure> {
        let Self { flag, environment, why, .. } = self;
        let call = |operation: &str, input: Value| link.call(operation, input, None).map(drop);
        let arms = self.table.variants.iter().zip(&self.shares);
        let arms: Vec<Value> =
            arms.map(|(variant, share)| json!({"variant": variant, "share": share})).collect();
        let started = there.experiment.as_ref().is_some_and(|e| !e["experiment"]["state"]["since"].is_null());
        if there.flag.is_none() {
            let variants: Vec<Value> =
                self.table.variants.iter().map(|v| json!({"key": v, "value": v})).collect();
            let description = format!("{}, under way", self.mark("import of"));
            call(
                "flag.create",
                json!({"flag": flag, "kind": "string", "variants": variants, "off": self.control,
                    "default": self.control, "description": description, "why": why}),
            )?;
        }
        if !started {
            let split = json!({"serve": "split", "shares": arms});
            call(
                "flag.target",
                json!({"flag": flag, "environment": environment, "why": why, "default": split}),
            )?;
            call("flag.toggle", json!({"flag": flag, "environment": environment, "on": true, "why": why}))?;
        }
        for outcome in self.map.outcomes.iter().filter(|o| there.metric(o.metric.as_str()).is_none()) {
            let key = &outcome.metric;
            let input = json!({"metric": key, "event": key, "measure": measure(outcome.kind), "why": why});
            call("metric.save", input)?;
        }
        if there.experiment.is_none() {
            let metric = self.map.outcomes.first().map(|o| &o.metric);
            call(
                "experiment.create",
                json!({"experiment": flag, "flag": flag, "environment": environment, "why": why,
                    "control": self.control, "arms": arms, "metric": metric, "days": self.days}),
            )?;
        }
        if started {
            return Ok(());
        }
        call("experiment.start", json!({"experiment": flag, "since": since, "why": why}))
    }

    /// Sends every row with a key of its own, which is revoked at the end, also of an earlier import's
    /// that could not.
    fn send_events(&self, link: &Link, since: Millis, interrupt: &Interrupt) -> Result<(), Failure> {
        let name = format!("import of {}", self.flag);
        let made = link.call(
            "key.create",
            json!({"name": name, "scope": "client", "environment": self.environment}),
            None,
        )?;
        let secret = made["secret"].as_str().unwrap_or_default();
        // A row has at most one event per outcome and its exposure; a batch holds at most 2,000.
        let each = (1_000 / (self.map.outcomes.len() + 1)).max(1);
        let batches: Vec<&[Row]> = self.table.rows.chunks(each).collect();
        let (done, total) = (AtomicU64::new(0), self.table.rows.len() as u64);
        let watched = std::io::stderr().is_terminal();
        let sent = crate::link::parallel(&batches, WORKERS, |rows| {
            if interrupt.heard() {
                return Err(Failure::new(
                    "interrupted: a part of the events was sent",
                    "run the same command again: it goes on, and nothing counts twice",
                ));
            }
            let body = self.body(secret, rows, since).to_string();
            let line = rows.first().map_or(0, |r| r.line);
            link.send(&body).map_err(|e| e.at(&format!("in the batch that begins with line {line}")))?;
            let done = done.fetch_add(rows.len() as u64, Ordering::Relaxed) + rows.len() as u64;
            if watched {
                let end = if done == total { "\n" } else { "" };
                let said = format!("\r{} of {} rows are sent{end}", thousands(done), thousands(total));
                // Who cannot see it misses nothing.
                let _ = std::io::stderr().lock().write_all(said.as_bytes());
            }
            Ok(())
        });
        let revoked = revoke(link, &name);
        sent?;
        revoked
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

/// Revokes the keys of this name that are left.
fn revoke(link: &Link, name: &str) -> Result<(), Failure> {
    let keys = link.call("key.list", json!({}), None)?;
    for key in keys["keys"].as_array().into_iter().flatten() {
        if key["name"] == name && key["revoked"].is_null() {
            link.call("key.revoke", json!({"key": key["id"]}), None)?;
        }
    }
    Ok(())
}

fn measure(kind: Kind) -> Value {
    match kind {
        Kind::Conversion => json!({"measure": "conversion"}),
        Kind::Sum => json!({"measure": "sum", "property": "value"}),
    }
}

/// Arms in words, whatever their order.
fn shares(arms: &Value) -> Value {
    let mut said: Vec<String> = arms
        .as_array()
        .into_iter()
        .flatten()
        .map(|arm| {
            let share = arm["share"].as_f64().unwrap_or_default() / 100.0;
            format!("{} {share}%", arm["variant"].as_str().unwrap_or_default())
        })
        .collect();
    said.sort();
    Value::String(said.join(", "))
}

fn sorted(texts: &Value) -> Value {
    let mut texts: Vec<&str> = texts.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    texts.sort_unstable();
    Value::String(texts.join(", "))
}

/// Where what is there is not what is asked.
#[derive(Default)]
struct Differences(Vec<String>);

impl Differences {
    fn compare(&mut self, what: &str, there: &Value, asked: &Value) {
        let said = |value: &Value| match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        if there != asked {
            self.0.push(format!("{what}: `{}` is there, `{}` is asked", said(there), said(asked)));
        }
    }

    fn none(&self, import: &Import) -> Result<(), Failure> {
        if self.0.is_empty() {
            return Ok(());
        }
        Err(Failure::new(
            format!("what is there is not what is asked of `{}`:\n  {}", import.flag, self.0.join("\n  ")),
            "ask for what is there, or choose another key with `--flag` (and `metric:KEY`); nothing was changed",
        ))
    }
}
