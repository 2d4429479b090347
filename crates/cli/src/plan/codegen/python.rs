//! Cli, codegen: Python 3.11 and newer, without packages. A `TypedDict` for the properties of each event type, which takes
//! any name, and a class around the `track` of any SDK, whose methods raise where a number is none that JSON has.

use std::fmt::Write as _;

use bellwether_model::Json;
use bellwether_model::plan::{Kind, Property};

use super::{Named, about, about_property, words};

const HEAD: &str = "\
# Made by `bellwether plan codegen python`; what is changed by hand is lost.
from __future__ import annotations

import math
from typing import Any, Callable, Literal, NotRequired, Required, TypedDict

# What sends an event, such as `lambda event, properties: analytics.track(user_id, event, properties)`.
Track = Callable[[str, dict[str, Any]], object]


def _finite(event: str, properties: dict[str, Any]) -> dict[str, Any]:
    # JSON has no number that is NaN or infinite: a server refuses it, or takes it for missing.
    def look(value: object, place: str) -> None:
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(
                f\"{place} of {event} is {value}, which no JSON holds: leave it out, or send a number\"
            )
        if isinstance(value, dict):
            for name, inside in value.items():
                look(inside, f\"{place}.{name}\" if place else str(name))
        elif isinstance(value, (list, tuple)):
            for n, inside in enumerate(value):
                look(inside, f\"{place}.{n}\")

    look(properties, \"\")
    return properties
";

/// Words that are no names.
const KEYWORDS: [&str; 39] = [
    "False", "None", "True", "and", "as", "assert", "async", "await", "break", "case", "class", "continue",
    "def", "del", "elif", "else", "except", "finally", "for", "from", "global", "if", "import", "in", "is",
    "lambda", "match", "nonlocal", "not", "or", "pass", "raise", "return", "self", "try", "type", "while",
    "with", "yield",
];

pub(super) fn write(events: &[Named<'_>]) -> String {
    let mut code = HEAD.to_owned();
    for Named { pascal, event, name } in events {
        let mut lines = vec![format!("The properties of {}.", words::quoted(name.as_str()))];
        lines.extend(about(event));
        let _ = writeln!(code, "\n{}{pascal}Properties = TypedDict(", comment(&lines, ""));
        let _ = writeln!(code, "    \"{pascal}Properties\",\n    {{");
        for (property, planned) in &event.properties {
            let must = if planned.required { "Required" } else { "NotRequired" };
            let (name, kind) = (words::quoted(property.as_str()), kind(planned));
            let _ = writeln!(
                code,
                "{}        {name}: {must}[{kind}],",
                comment(&about_property(planned), "        ")
            );
        }
        code.push_str("    },\n)\n");
    }
    code.push_str(
        "\n\nclass Tracker:\n    \"\"\"A method for each event type, which sends it by `track`.\"\"\"\n",
    );
    code.push_str("\n    def __init__(self, track: Track) -> None:\n        self._track = track\n");
    for Named { pascal, name, event } in events {
        let (method, text) = (method(name.as_str()), words::quoted(name.as_str()));
        let must = event.properties.values().any(|property| property.required);
        let (none, given) = if must { ("", "properties") } else { (" | None = None", "properties or {}") };
        let _ = writeln!(
            code,
            "\n    def {method}(self, properties: {pascal}Properties{none}) -> None:\n{}        self._track({text}, _finite({text}, dict({given})))",
            comment(&about(event), "        ")
        );
    }
    code
}

fn method(name: &str) -> String {
    let snake = words::snake(name);
    if KEYWORDS.contains(&snake.as_str()) { format!("{snake}_") } else { snake }
}

fn comment(lines: &[String], indent: &str) -> String {
    lines.iter().map(|line| format!("{indent}# {line}\n")).collect()
}

fn kind(property: &Property) -> String {
    let one = |kind: Kind| match kind {
        Kind::Any => "Any",
        Kind::String | Kind::DateTime => "str",
        Kind::Number => "float",
        Kind::Integer => "int",
        Kind::Boolean => "bool",
        Kind::List => "list[Any]",
        Kind::Object => "dict[str, Any]",
    };
    // A literal is a text or a whole number.
    let literal = |value: &Json| match value {
        Json::String(text) => Some(words::quoted(text)),
        Json::Number(n) if n.is_i64() || n.is_u64() => Some(n.to_string()),
        _ => None,
    };
    let values: Option<Vec<String>> = property.values.iter().map(literal).collect();
    let values =
        values.filter(|values| !values.is_empty()).map(|values| format!("Literal[{}]", values.join(", ")));
    match (property.kind, values) {
        (Kind::List, Some(values)) => format!("list[{values}]"),
        (Kind::List, None) => format!("list[{}]", property.items.map_or("Any", one)),
        (_, Some(values)) => values,
        (kind, None) => one(kind).to_owned(),
    }
}
