//! Cli, codegen: TypeScript. Interfaces of the properties, and an object of functions around the `track` of any SDK, which
//! throw where a number is none that JSON has.

use std::fmt::Write as _;

use bellwether_model::Json;
use bellwether_model::plan::{Kind, Property};

use super::{Named, about, about_property, words};

const HEAD: &str = "\
// Made by `bellwether plan codegen typescript`; what is changed by hand is lost.

/** What sends an event, such as `(event, properties) => analytics.track({ userId, event, properties })`. */
export type Track = (event: string, properties: Record<string, unknown>) => void;
";

/// `JSON.stringify` writes such a number as `null`, which the server takes for missing.
const FINITE: &str = r#"
/** The properties as they are sent; throws where a number is NaN or infinite, which JSON has not. */
function finite(event: string, properties: object): Record<string, unknown> {
  const look = (value: unknown, place: string): void => {
    if (typeof value === "number" && !Number.isFinite(value)) {
      throw new RangeError(`${place} of ${event} is ${value}, which no JSON holds: leave it out, or send a number`);
    }
    if (typeof value === "object" && value !== null) {
      for (const [name, inside] of Object.entries(value)) look(inside, place === "" ? name : `${place}.${name}`);
    }
  };
  look(properties, "");
  return { ...properties };
}
"#;

pub(super) fn write(events: &[Named<'_>]) -> String {
    let mut code = HEAD.to_owned();
    for Named { pascal, event, name } in events {
        let mut lines = vec![format!("The properties of {}.", words::quoted(name.as_str()))];
        lines.extend(about(event));
        let _ = write!(code, "\n{}", comment(&lines, ""));
        if event.properties.is_empty() {
            // An empty interface would take anything.
            let _ = writeln!(code, "export type {pascal}Properties = Record<string, never>;");
            continue;
        }
        let _ = writeln!(code, "export interface {pascal}Properties {{");
        for (property, planned) in &event.properties {
            let optional = if planned.required { "" } else { "?" };
            let (name, kind) = (words::quoted(property.as_str()), kind(planned));
            let _ = writeln!(code, "{}  {name}{optional}: {kind};", comment(&about_typed(planned), "  "));
        }
        code.push_str("}\n");
    }
    code.push_str(
        "\n/** The properties of each event type by its name. */\nexport interface PlannedEvents {\n",
    );
    for Named { pascal, name, .. } in events {
        let _ = writeln!(code, "  {}: {pascal}Properties;", words::quoted(name.as_str()));
    }
    code.push_str("}\n");
    if !events.is_empty() {
        code.push_str(FINITE);
    }
    code.push_str("\n/** A function for each event type, which sends it by `track`. */\n");
    // Where nothing is planned, nothing is sent.
    let track = if events.is_empty() { "_track" } else { "track" };
    let _ = writeln!(code, "export function tracker({track}: Track) {{\n  return {{");
    for Named { pascal, name, event } in events {
        let none = if event.properties.values().any(|property| property.required) { "" } else { " = {}" };
        let (camel, text) = (words::camel(name.as_str()), words::quoted(name.as_str()));
        let _ = writeln!(
            code,
            "{}    {camel}: (properties: {pascal}Properties{none}): void => track({text}, finite({text}, properties)),",
            comment(&about(event), "    ")
        );
    }
    code.push_str("  };\n}\n");
    code
}

fn comment(lines: &[String], indent: &str) -> String {
    let safe: Vec<String> = lines.iter().map(|line| line.replace("*/", "*\\/")).collect();
    match safe.as_slice() {
        [] => String::new(),
        [line] => format!("{indent}/** {line} */\n"),
        lines => {
            let lines: String = lines.iter().map(|line| format!("{indent} * {line}\n")).collect();
            format!("{indent}/**\n{lines}{indent} */\n")
        }
    }
}

/// Whether JavaScript has this value: its numbers hold whole ones up to 2^53.
fn exact(value: &Json) -> bool {
    const MOST: u64 = 1 << 53;
    match value {
        Json::Number(n) if !n.is_f64() => {
            n.as_u64().or_else(|| n.as_i64().map(i64::unsigned_abs)).is_some_and(|size| size <= MOST)
        }
        _ => true,
    }
}

/// What is said of a property: what the plan says, and which of its values JavaScript cannot send.
fn about_typed(property: &Property) -> Vec<String> {
    let mut lines = about_property(property);
    for value in property.values.iter().filter(|value| !exact(value)) {
        lines.push(format!("Left out: {value}, which no number of JavaScript holds; plan it as text."));
    }
    lines
}

fn kind(property: &Property) -> String {
    let one = |kind: Kind| match kind {
        Kind::Any => "unknown",
        Kind::String | Kind::DateTime => "string",
        Kind::Number | Kind::Integer => "number",
        Kind::Boolean => "boolean",
        Kind::List => "unknown[]",
        Kind::Object => "Record<string, unknown>",
    };
    let values: Vec<String> = property
        .values
        .iter()
        .filter(|value| exact(value))
        .map(|value| match value {
            Json::String(text) => words::quoted(text),
            other => other.to_string(),
        })
        .collect();
    match (property.kind, property.values.is_empty()) {
        (Kind::List, _) if values.is_empty() && !property.values.is_empty() => "never[]".to_owned(),
        (_, false) if values.is_empty() => "never".to_owned(),
        (Kind::List, true) => format!("{}[]", property.items.map_or("unknown", one)),
        (Kind::List, false) => format!("({})[]", values.join(" | ")),
        (kind, true) => one(kind).to_owned(),
        (_, false) => values.join(" | "),
    }
}
