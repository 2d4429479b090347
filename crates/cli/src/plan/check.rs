//! Cli: `bellwether plan check`, which ends with 1 where a proposed plan breaks the one that there is, or where code
//! sends events that the plan does not know.

use clap::{Arg, ArgAction, ArgMatches, Command};
use serde_json::{Map, Value, json};

use super::{asked, read, written};
use crate::failure::Failure;
use crate::{call, print_json, print_line};

/// So many events are judged with one request.
const AT_ONCE: usize = 1_000;

pub(super) fn command() -> Command {
    let flag = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).action(ArgAction::SetTrue).help(help)
    };
    Command::new("check")
        .about("Holds a proposed plan, or the events that code sends, against the server's tracking plan; for CI")
        .after_help(
            "FILE is a plan as `plan get` shows it, or events: one in a line, as a name, or as JSON such as\n\
             {\"event\": \"Order Completed\", \"properties\": {\"total\": 9.5}}, where `properties` may be a list of names.\n\
             Empty lines, and such as begin with #, are passed over. A JSON list of events will do, too.\n\n\
             It ends with 0 where all is well, and with 1 where something is wrong or the server cannot be asked.",
        )
        .arg(Arg::new("file").value_name("FILE").required(true).help("The file, or `-` for standard input"))
        .arg(flag("allow-breaking", "Do not fail where events that follow the plan now would not follow it then, or what is stored is removed or counted otherwise"))
        .arg(flag("allow-warnings", "Do not fail where a name that is new is not written as the plan says"))
        .arg(
            Arg::new("@json")
                .long("json")
                .action(ArgAction::SetTrue)
                .help("Print the server's answer as JSON"),
        )
        .arg(call::server())
        .arg(call::key())
}

pub(super) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let file = matches.get_one::<String>("file").map_or("-", String::as_str);
    let text = read(file)?;
    match events(file, &text)? {
        Some(events) if events.is_empty() => Err(Failure::new(
            format!("`{file}` holds no event"),
            "write one in a line; was what wrote it run?",
        )),
        Some(events) => used(matches, file, &events),
        None => proposed(matches, file, &text),
    }
}

/// An event of a file.
struct Used {
    /// Where it stands, such as `line 3`.
    place: String,
    /// As the operation takes it.
    event: Value,
}

/// The events of a file; `None` where it holds a plan.
fn events(file: &str, text: &str) -> Result<Option<Vec<Used>>, Failure> {
    let hint = "write a name, or `{\"event\": \"Order Completed\", \"properties\": [\"total\"]}`";
    let event = |place: String, value: Value| match value {
        Value::String(name) => Ok(Used { place, event: json!({"event": name}) }),
        Value::Object(fields) if fields.get("event").is_some_and(Value::is_string) => {
            let kept = fields.into_iter().filter(|(name, _)| matches!(name.as_str(), "event" | "properties"));
            Ok(Used { place, event: Value::Object(kept.collect()) })
        }
        _ => Err(Failure::new(format!("`{file}`, {place}: it is no event"), hint)),
    };
    match serde_json::from_str(text) {
        Ok(Value::Array(list)) => {
            let numbered = list.into_iter().enumerate();
            return numbered
                .map(|(n, one)| event(format!("event {}", n + 1), one))
                .collect::<Result<_, _>>()
                .map(Some);
        }
        Ok(Value::Object(fields)) if !fields.contains_key("event") => return Ok(None),
        _ => {}
    }
    let lines = text.lines().enumerate().map(|(n, line)| (n + 1, line.trim()));
    let lines: Vec<(usize, &str)> =
        lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')).collect();
    // A plan with a comma too many is no list of names.
    if text.trim_start().starts_with('{') && !lines_of_events(&lines) {
        return Ok(None);
    }
    let each = lines.into_iter().map(|(n, line)| {
        let place = format!("line {n}");
        if !line.starts_with(['{', '"']) {
            return event(place, line.into());
        }
        match serde_json::from_str(line) {
            Ok(value) => event(place, value),
            Err(e) => {
                // The line is that of the file, and not the first of what was read.
                let what = e.to_string().replace(" at line 1 column ", " at column ");
                Err(Failure::new(format!("`{file}`, {place}: it is not JSON: {what}"), hint))
            }
        }
    });
    each.collect::<Result<_, _>>().map(Some)
}

/// Whether lines of which some are not JSON are events, and not the lines of one plan: they begin with an event, one of them
/// is an event, or each is something whole.
fn lines_of_events(lines: &[(usize, &str)]) -> bool {
    let begins = lines.first().is_some_and(|(_, line)| {
        let start: String = line.chars().filter(|c| !c.is_whitespace()).collect();
        ["{\"event\"", "{'event'", "{event:"].iter().any(|event| start.starts_with(event))
    });
    let event =
        |line: &str| serde_json::from_str::<Value>(line).is_ok_and(|value| value["event"].is_string());
    let whole = |line: &str| line.starts_with('{') && line.ends_with('}');
    begins
        || lines.iter().any(|(_, line)| event(line))
        || (lines.len() > 1 && lines.iter().all(|(_, line)| whole(line)))
}

/// Holds events against the plan.
fn used(matches: &ArgMatches, file: &str, events: &[Used]) -> Result<(), Failure> {
    let (mut faults, mut revision) = (Vec::new(), Value::from(0));
    for (piece, some) in events.chunks(AT_ONCE).enumerate() {
        let list: Vec<&Value> = some.iter().map(|used| &used.event).collect();
        let mut answer = asked(matches, "plan.judge", json!({"events": list}))?;
        for fault in answer["faults"].as_array_mut().into_iter().flatten() {
            let index = fault["index"].as_u64().and_then(|n| usize::try_from(n).ok()).unwrap_or_default();
            let index = piece * AT_ONCE + index;
            fault["index"] = index.into();
            if let Some(used) = events.get(index) {
                fault["place"] = used.place.clone().into();
            }
            faults.push(fault.take());
        }
        revision = answer["revision"].take();
    }
    let planned = revision.as_u64().is_some_and(|revision| revision > 0);
    if matches.get_flag("@json") {
        print_json(&json!({"faults": faults, "revision": revision}));
    } else {
        for fault in &faults {
            let text = |field: &str| fault[field].as_str().unwrap_or_default();
            let hint = fault["hint"].as_str().map(|hint| format!("; {hint}")).unwrap_or_default();
            let (place, event, message) = (text("place"), text("event"), text("message"));
            print_line(&one_line(&format!("{file}, {place}: `{event}`: {message}{hint}")));
        }
    }
    match (faults.len(), planned) {
        (0, false) => Err(nothing_planned()),
        (0, true) => {
            if !matches.get_flag("@json") {
                let are = if events.len() == 1 { "event follows" } else { "events follow" };
                print_line(&format!("{} {are} the plan of revision {revision}", events.len()));
            }
            Ok(())
        }
        (n, _) => {
            let things = if n == 1 { "thing is" } else { "things are" };
            Err(Failure::new(
                format!("in `{file}`, `{n}` {things} not as the plan of revision `{revision}` says"),
                "send what is planned, or propose it with `bellwether plan propose`",
            ))
        }
    }
}

fn nothing_planned() -> Failure {
    Failure::new(
        "nothing is planned yet, so that nothing can be held against it",
        "make a plan with `bellwether plan save`",
    )
}

/// Holds a plan against the one that there is.
fn proposed(matches: &ArgMatches, file: &str, text: &str) -> Result<(), Failure> {
    let plan = written(file, text)?;
    let plan = serde_json::to_value(plan).map_err(|e| Failure::new(format!("`{file}`: {e}"), ""))?;
    let answer = asked(matches, "plan.check", json!({"plan": plan}))?;
    let list = |field: &str| answer[field].as_array().cloned().unwrap_or_default();
    let (differences, warnings) = (list("differences"), list("new_warnings"));
    let consequences = list("consequences");
    let breaking = differences.iter().filter(|difference| difference["breaking"] == true).count();
    if matches.get_flag("@json") {
        print_json(&answer);
    } else {
        for difference in &differences {
            print_line(&one_line(&said(difference.as_object().unwrap_or(&Map::new()))));
        }
        for (word, list) in [("consequence", &consequences), ("warning", &warnings)] {
            for one in list {
                let text = |field: &str| one[field].as_str().unwrap_or_default();
                print_line(&one_line(&format!("{word}: {}; {}", text("message"), text("hint"))));
            }
        }
        let count = counted(differences.len(), "difference", "differences");
        print_line(&format!("{count} from the plan of revision {}", answer["revision"]));
    }
    let mut wrong = Vec::new();
    let mut ways = Vec::new();
    if breaking > 0 && !matches.get_flag("allow-breaking") {
        wrong.push(counted(
            breaking,
            "difference breaks the plan that there is",
            "differences break the plan that there is",
        ));
        ways.push("`--allow-breaking`");
    }
    if !consequences.is_empty() && !matches.get_flag("allow-breaking") {
        wrong.push(counted(
            consequences.len(),
            "consequence for what is stored",
            "consequences for what is stored",
        ));
        ways.push("`--allow-breaking`");
        ways.dedup();
    }
    if !warnings.is_empty() && !matches.get_flag("allow-warnings") {
        wrong.push(counted(warnings.len(), "warning", "warnings"));
        ways.push("`--allow-warnings`");
    }
    if wrong.is_empty() {
        return Ok(());
    }
    Err(Failure::new(wrong.join(", and "), format!("mend it, or allow it with {}", ways.join(" and "))))
}

fn said(difference: &Map<String, Value>) -> String {
    let text = |field: &str| difference.get(field).and_then(Value::as_str);
    let place = match (text("event"), text("property")) {
        (Some(event), Some(property)) => format!("`{event}`, property `{property}`: "),
        (Some(event), None) => format!("`{event}`: "),
        _ => String::new(),
    };
    let breaking = if difference.get("breaking").is_some_and(|b| *b == true) { " (breaking)" } else { "" };
    format!("{place}{}{breaking}", text("what").unwrap_or_default())
}

/// What is found is a line, whatever its event is called: CI counts lines, and some read commands in them.
fn one_line(text: &str) -> String {
    let shown = |c: char| {
        if c.is_control() { c.escape_default().to_string() } else { c.to_string() }
    };
    text.chars().map(shown).collect()
}

fn counted(n: usize, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_name_with_line_breaks_is_written_in_one_line() {
        let difference = json!({"event": "A\n::error::B\u{1b}[31m", "what": "is new", "breaking": true});
        let line = one_line(&said(difference.as_object().unwrap()));
        assert_eq!(line, r"`A\n::error::B\u{1b}[31m`: is new (breaking)");
    }

    #[test]
    fn a_file_of_events_is_told_from_a_plan() {
        let found = |text: &str| {
            let events = events("f", text).unwrap();
            events.map(|events| {
                events.iter().map(|used| format!("{} {}", used.place, used.event)).collect::<Vec<_>>()
            })
        };
        assert_eq!(found("{}"), None);
        assert_eq!(found(r#"{"events": {"event": {}}}"#), None);
        assert_eq!(found("{\"events\": {},}"), None, "a broken plan is no list of names");
        let broken = "{\n  \"events\": {\n    \"A\": {\"properties\": {\"b\": {\"type\": \"string\", \"values\": [\n\"x\"\n]},}}\n  }\n}\n";
        assert_eq!(found(broken), None, "nor over several lines");
        assert_eq!(found(""), Some(Vec::new()));
        let lines = "# comment\n\nOrder Completed\r\n{\"event\": \"A\", \"properties\": [\"b\"], \"file\": \"x.ts\"}\n\"B\"";
        let said = [
            r#"line 3 {"event":"Order Completed"}"#,
            r#"line 4 {"event":"A","properties":["b"]}"#,
            r#"line 5 {"event":"B"}"#,
        ];
        assert_eq!(found(lines).unwrap(), said);
        assert_eq!(found(r#"{"event": "A"}"#).unwrap(), [r#"line 1 {"event":"A"}"#]);
        assert_eq!(
            found(r#"["A", {"event": "B"}]"#).unwrap(),
            [r#"event 1 {"event":"A"}"#, r#"event 2 {"event":"B"}"#]
        );
        let refused = events("f", "A\n{\"name\": \"A\"}").err().unwrap().to_string();
        assert!(refused.starts_with("error: `f`, line 2: it is no event\nhint: "), "{refused}");
        assert!(events("f", "[1]").is_err());
        for first in [
            "{\"event\": \"A\",}",
            "{ \"event\": A}",
            "{event: \"A\"}",
            "{\"properties\": [], \"event\": \"A\"",
            "{\"name\": \"A\",}",
        ] {
            let refused = events("f", &format!("{first}\n{{\"event\": \"B\"}}\n")).err().unwrap().to_string();
            assert!(refused.starts_with("error: `f`, line 1: it is not JSON: "), "{first}: {refused}");
            assert!(!refused.contains("at line"), "{refused}");
        }
    }
}
