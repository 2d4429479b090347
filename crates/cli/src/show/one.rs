//! Cli: one thing as people read it: what a command did in a sentence, and an answer that is no list as
//! aligned lines of a name and a value. Nothing of the answer's JSON is shown as JSON; `--json` has it whole.

use bellwether_app::{Entry, is_share};
use jiff::SignedDuration;
use serde_json::{Map, Value};

use crate::spoken::as_command;

use super::{Cell, Schema, collapsed, cut, rank, time};

/// What a dry run says before anything else.
pub(crate) const NOTHING: &str = "nothing was changed: this is what would be";

/// What people look for, before everything else.
const ANSWER: [&str; 5] = ["sentence", "hint", "verdict", "variant", "value"];
/// How many words of a list are said.
const FEW: usize = 10;
/// What somebody who has just made a change knows, or was told in the sentence above.
const KNOWN: [&str; 5] = ["changed", "changed_by", "created", "revision", "warnings"];

/// What a command did, such as ``done: flag toggle `checkout` in `production`, revision 6``.
pub(crate) fn done(entry: &Entry, input: &Value, answer: &Value, dry_run: bool) -> String {
    let noun = entry.name.split('.').next().unwrap_or_default();
    let text = |field: &str| input[field].as_str().filter(|text| !text.is_empty());
    let mut said = String::new();
    said.push_str(if dry_run { NOTHING } else { "done" });
    said.push_str(if dry_run { "\nwould be done: " } else { ": " });
    said.push_str(&entry.name.replace('.', " "));
    if let Some(key) = text(noun).or_else(|| text("flag")).or_else(|| text("name")) {
        said.push_str(&format!(" `{}`", cut(key, usize::MAX)));
    }
    if let Some(environment) = text("environment") {
        said.push_str(&format!(" in `{}`", cut(environment, usize::MAX)));
    }
    if let Some(revision) = answer["revision"].as_u64() {
        said.push_str(&format!(", revision {revision}"));
    }
    for warning in answer["warnings"].as_array().into_iter().flatten() {
        let part = |name: &str| as_command(warning[name].as_str().unwrap_or_default(), entry);
        said.push_str(&format!("\nwarning: {}\n  hint: {}", part("message"), part("hint")));
    }
    said
}

/// An answer as lines of a name and a value, the values folded to fit in `width`. A `brief` one leaves out
/// who made the change and when; `None` if there is nothing to say.
pub(crate) fn one(entry: &Entry, answer: &Value, width: usize, brief: bool) -> Option<String> {
    let schema = Schema::of(entry);
    let mut lines = Lines { schema: &schema, brief, said: Vec::new() };
    let answer = answer.as_object()?;
    // What the answer itself says goes before what the things in it say.
    let (things, facts): (Vec<_>, Vec<_>) =
        answer.iter().partition(|(name, value)| value.is_object() && !name.ends_with("_by"));
    for (name, value) in facts {
        lines.add(name, value, schema.property(&schema.root, name));
    }
    for (name, value) in things {
        let of = schema.property(&schema.root, name);
        match value.as_object() {
            Some(states) if name == "states" => {
                states.iter().for_each(|(environment, state)| lines.add(environment, state, None));
            }
            // A state says why its next step waits.
            Some(_) if name == "waiting" && answer.contains_key("states") => {}

            Some(ways) if is_map(&schema, of) => {
                let title = |key: &str| format!("{name} {key}");
                ways.iter().for_each(|(key, value)| lines.add(&title(key), value, None));
            }
            Some(thing) => {
                // The states say in words what the settings are.
                // So does a sentence what its reason is.
                let shown = thing.iter().filter(|(n, _)| match n.as_str() {
                    "settings" => !answer.contains_key("states"),
                    "reason" => !answer.contains_key("sentence"),
                    _ => true,
                });
                for (member, value) in shown {
                    lines.add(member, value, of.and_then(|of| schema.property(of, member)));
                }
            }
            None => {}
        }
    }
    lines.text(width)
}

fn is_map(schema: &Schema, of: Option<&Value>) -> bool {
    of.map(|of| schema.resolve(of)).is_some_and(|of| of["type"] == "object" && of.get("properties").is_none())
}

struct Lines<'s> {
    schema: &'s Schema,
    brief: bool,
    /// Each name with its values, one a line.
    said: Vec<(String, Vec<String>)>,
}

impl Lines<'_> {
    fn add(&mut self, name: &str, value: &Value, of: Option<&Value>) {
        // Who it is in the log says a random id; the name is said beside it.
        let cited = value.get("actor").is_some();
        if cited || (self.brief && KNOWN.contains(&name)) || self.said.iter().any(|(said, _)| said == name) {
            return;
        }
        let values: Vec<String> = match value {
            Value::Array(items) if items.iter().any(Value::is_object) => {
                let of = of.and_then(|of| self.schema.resolve(of).get("items"));
                let singular = name.trim_end_matches('s');
                items.iter().map(|item| self.compact(singular, item, of)).collect()
            }
            // Sentences stand one below the other.
            Value::Array(items)
                if items.iter().any(|item| item.as_str().is_some_and(|text| text.contains(' '))) =>
            {
                items.iter().map(|item| Cell::of(item).text).collect()
            }
            // Only a count of the answer's own is set apart: an id or a hash is not a quantity.
            Value::Number(_) if of.is_some_and(|of| !self.worded(of)) && name != "revision" => {
                vec![Cell::of(value).text]
            }
            other => vec![self.compact(name, other, of)],
        };
        if values.iter().any(|value| !value.is_empty()) {
            self.said.push((name.to_owned(), values));
        }
    }

    fn worded(&self, of: &Value) -> bool {
        self.schema.is_time(of) || self.schema.is_span(of) || is_share(of)
    }

    /// A value on one line: `name=value` for what an object holds, its kind first.
    fn compact(&self, name: &str, value: &Value, of: Option<&Value>) -> String {
        match value {
            Value::Object(object) => self.object(name, object, of),
            Value::Array(items) if items.iter().any(|item| item.is_object() || item.is_array()) => {
                let of = of.and_then(|of| self.schema.resolve(of).get("items"));
                let items: Vec<String> = items.iter().map(|item| self.compact(name, item, of)).collect();
                format!("[{}]", items.join("; "))
            }
            Value::Number(number) => match (number.as_i64(), of) {
                (Some(at), Some(of)) if self.schema.is_time(of) => format!("{} UTC", time(at)),
                (Some(points), Some(of)) if is_share(of) => super::percent(points),
                (Some(millis), Some(of)) if self.schema.is_span(of) => {
                    format!("{:#}", SignedDuration::from_millis(millis))
                }
                _ => number.to_string(),
            },
            Value::Array(items) if items.len() > FEW => {
                let few: Vec<String> = items.iter().take(FEW).map(|item| Cell::of(item).text).collect();
                format!("{} and {} more", few.join(" "), items.len() - FEW)
            }
            // A variant's value is what the service gets, in its own words.
            Value::Bool(yes) => yes.to_string(),
            scalar => Cell::of(scalar).text,
        }
    }

    fn object(&self, name: &str, object: &Map<String, Value>, of: Option<&Value>) -> String {
        // Of what names itself, nothing else than the name is worth a word if there is only its kind besides.
        if let Some(text) = collapsed(name, object).filter(|_| object.len() == 1 || name.ends_with("by")) {
            return text;
        }
        let kind = object.get(name).and_then(Value::as_str);
        let members = object.iter().filter(|(n, v)| !v.is_null() && (kind.is_none() || *n != name));
        let members = members.map(|(member, value)| {
            let text = self.compact(member, value, of.and_then(|of| self.schema.property(of, member)));
            if value.is_object() { format!("{member}=({text})") } else { format!("{member}={text}") }
        });
        kind.map(str::to_owned).into_iter().chain(members).collect::<Vec<_>>().join(" ")
    }

    fn text(mut self, width: usize) -> Option<String> {
        let place = |name: &str| ANSWER.iter().position(|n| *n == name).unwrap_or(ANSWER.len() + rank(name));
        self.said.sort_by_key(|(name, _)| place(name));
        let title = |name: &str| cut(&name.replace('_', " "), usize::MAX);
        let names = self.said.iter().map(|(name, _)| title(name).chars().count()).max()?;
        let mut text = Vec::new();
        for (name, values) in &self.said {
            let mut name = title(name);
            let folded = values.iter().flat_map(|value| fold(value, width.saturating_sub(names + 2)));
            for line in folded {
                let gap = " ".repeat(names.saturating_sub(name.chars().count()));
                text.push(format!("{name}{gap}  {line}").trim_end().to_owned());
                name.clear();
            }
        }
        Some(text.join("\n"))
    }
}

/// A text in lines of at most `width`, broken between words; a longer word stays whole.
fn fold(text: &str, width: usize) -> Vec<String> {
    let clean = cut(text, usize::MAX);
    let mut lines: Vec<String> = Vec::new();
    for word in clean.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn shown(operation: &str, answer: &Value, brief: bool) -> String {
        one(bellwether_app::find(operation).unwrap(), answer, 80, brief).unwrap()
    }

    #[test]
    fn a_change_is_a_sentence() {
        for (operation, input, said) in [
            (
                "flag.toggle",
                json!({"flag": "checkout", "environment": "production", "on": true}),
                "done: flag toggle `checkout` in `production`, revision 6",
            ),
            (
                "rollout.start",
                json!({"flag": "checkout", "environment": "production"}),
                "done: rollout start `checkout` in `production`, revision 6",
            ),
            ("experiment.start", json!({"experiment": "e-1"}), "done: experiment start `e-1`, revision 6"),
            ("metric.save", json!({"metric": "purchase"}), "done: metric save `purchase`, revision 6"),
            ("key.create", json!({"name": "ops"}), "done: key create `ops`, revision 6"),
        ] {
            let entry = bellwether_app::find(operation).unwrap();
            let answer = json!({"revision": 6});
            assert_eq!(done(entry, &input, &answer, false), said);
            let dry = done(entry, &input, &answer, true);
            assert_eq!(dry, format!("{NOTHING}\nwould be {said}"));
        }
        // What it leaves as it is, too.
        let halt = bellwether_app::find("rollout.halt").unwrap();
        let answer = json!({"revision": 7, "warnings": [{
            "message": "beta `friends` is on in `production`: its audience still gets `new`",
            "hint": "turn the beta off with `beta.switch`"}]});
        insta::assert_snapshot!(done(halt, &json!({"flag": "checkout", "environment": "production"}), &answer, false), @r"
        done: rollout halt `checkout` in `production`, revision 7
        warning: beta `friends` is on in `production`: its audience still gets `new`
          hint: turn the beta off with `bellwether beta switch`
        ");
    }

    #[test]
    fn a_flag_is_its_variants_and_what_its_states_say() {
        let flag = json!({
            "changed": 1_795_379_159_670_i64, "changed_by": {"kind": "key", "name": "cli"}, "revision": 6,
            "flag": {"created": 1_795_379_159_605_i64, "key": "checkout", "kind": "boolean", "name": "New checkout",
                "settings": {"production": {"on": true}}, "unit": "user",
                "variants": [{"key": "treatment", "value": true}, {"key": "control", "value": false}]},
            "left_out": {"production": "its rules cannot be said"}, "targets": {},
            "states": {"development": "off: everybody gets `control`",
                "production": "on: 50% get `control`, 50% get `treatment`, and \u{1b}[31mthis is longer than a line"},
        });
        insta::assert_snapshot!(shown("flag.toggle", &flag, true), @"
        key                  checkout
        name                 New checkout
        kind                 boolean
        unit                 user
        variants             key=treatment value=true
                             key=control value=false
        left out production  its rules cannot be said
        development          off: everybody gets `control`
        production           on: 50% get `control`, 50% get `treatment`, and  [31mthis
                             is longer than a line
        ");
        insta::assert_snapshot!(shown("flag.get", &flag, false), @"
        key                  checkout
        name                 New checkout
        kind                 boolean
        unit                 user
        variants             key=treatment value=true
                             key=control value=false
        left out production  its rules cannot be said
        development          off: everybody gets `control`
        production           on: 50% get `control`, 50% get `treatment`, and  [31mthis
                             is longer than a line
        changed              2026-11-22 20:25 UTC
        changed by           cli
        revision             6
        created              2026-11-22 20:25 UTC
        ");
    }

    #[test]
    fn a_plan_is_one_line_with_its_times() {
        let experiment = json!({
            "changed": 1_795_379_159_893_i64, "changed_by": {"kind": "key", "name": "cli"}, "revision": 9,
            "ends": 1_796_588_759_893_i64,
            "experiment": {"environment": "production", "flag": "checkout", "hypothesis": "fewer steps",
                "key": "checkout-1", "name": "checkout-1",
                "plan": {"alpha": 0.05, "arms": [{"share": 5000, "variant": "control"}, {"share": 5000, "variant": "treatment"}],
                    "control": "control", "horizon": {"horizon": "after", "span": 1_209_600_000}, "metric": "purchase"},
                "state": {"since": 1_795_379_159_893_i64, "state": "running"}},
        });
        insta::assert_snapshot!(shown("experiment.start", &experiment, true), @"
        key          checkout-1
        name         checkout-1
        flag         checkout
        environment  production
        state        running since=2026-11-22 20:25 UTC
        hypothesis   fewer steps
        plan         alpha=0.05 arms=[share=50% variant=control; share=50%
                     variant=treatment] control=control horizon=(after span=336h)
                     metric=purchase
        ends         2026-12-06 20:25 UTC
        ");
    }

    #[test]
    fn a_ramp_that_waits_says_why_and_a_scheduled_change_what_it_will_do() {
        let state = "on: a rollout gives `on` to 5% so far; 25% is due and waits: the flag is off";
        let flag = json!({
            "changed": 1_795_379_159_670_i64, "changed_by": {"kind": "ramp", "name": "the ramp of checkout"}, "revision": 6,
            "flag": {"created": 1_795_379_159_605_i64, "key": "checkout", "kind": "boolean", "name": "New checkout",
                "settings": {"production": {"on": true}}, "unit": "user", "variants": []},
            "left_out": {}, "targets": {}, "waiting": {"production": "the flag is off"}, "states": {"production": state},
        });
        insta::assert_snapshot!(shown("rollout.pause", &flag, true), @r"
        key         checkout
        name        New checkout
        kind        boolean
        unit        user
        production  on: a rollout gives `on` to 5% so far; 25% is due and waits: the
                    flag is off
        ");
        let scheduled = json!({"planned_by": {"kind": "person", "name": "Ana"}, "revision": 43, "sentence": "set the shares of checkout to on 50%, off 50%",
            "schedule": {"key": "UnYvxlFj20vv", "environment": "production", "at": 1_795_372_405_991_i64,
            "planned": {"plan": "reshare", "flag": "checkout", "shares": [{"variant": "on", "share": 5000}, {"variant": "off", "share": 5000}]},
            "by": {"actor": "person", "id": "OzE3"}, "why": "launch day", "state": {"state": "waiting"}}});
        insta::assert_snapshot!(shown("schedule.create", &scheduled, true), @r"
        sentence     set the shares of checkout to on 50%, off 50%
        at           2026-11-22 18:33 UTC
        key          UnYvxlFj20vv
        environment  production
        state        waiting
        planned by   Ana
        planned      flag=checkout plan=reshare shares=[share=50% variant=on; share=50%
                     variant=off]
        why          launch day
        ");
    }

    #[test]
    fn an_explanation_has_a_line_for_each_step() {
        let explained = json!({"revision": 6, "sentence": "gets `treatment` because `user-1` stands at 74.05%",
        "steps": ["nothing before the default decides", "`user-1` stands at 74.05%, where 50% to 100% is for `treatment`"],
        "explanation": {
            "enrolled": true, "environment": "production", "flag": "checkout", "reason": {"because": "split"},
            "revision": 6, "value": true, "variant": "treatment",
            "steps": [{"step": "default"}, {"step": "bucket", "id": "user-1", "hash": 3_180_179_538_u64, "ranges": [
                {"chosen": false, "from": 0, "to": 5000, "variant": "control"},
                {"chosen": true, "from": 5000, "to": 10000, "variant": "treatment"}]}],
        }});
        insta::assert_snapshot!(shown("flag.explain", &explained, false), @"
        sentence     gets `treatment` because `user-1` stands at 74.05%
        variant      treatment
        value        true
        flag         checkout
        environment  production
        steps        nothing before the default decides
                     `user-1` stands at 74.05%, where 50% to 100% is for `treatment`
        enrolled     true
        revision     6
        ");
        let status = json!({"bytes": 12_345_678, "events": 0, "now": 1_795_379_160_198_i64, "revision": 11, "version": "0.1.0"});
        insta::assert_snapshot!(shown("system.status", &status, false), @"
        bytes     12,345,678
        events    0
        now       2026-11-22 20:26 UTC
        version   0.1.0
        revision  11
        ");
        let key = json!({"id": "DFG1", "secret": "bwa_0123456789"});
        insta::assert_snapshot!(shown("key.create", &key, true), @"
        id      DFG1
        secret  bwa_0123456789
        ");
    }
}
