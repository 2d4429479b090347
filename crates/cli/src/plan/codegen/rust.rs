//! Cli, codegen: Rust, for `serde` with its derive and `serde_json`. A struct for each event type, in a module of their
//! own, where every path is whole: an event type may be called `String`. A number that JSON has not is an error.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use bellwether_model::Json;
use bellwether_model::plan::{Kind, Name, Property};

use super::{Named, about, about_property, words};
use crate::failure::Failure;

/// No inner comment or attribute: these may not stand in what is included. A program does not send every event that is planned.
const HEAD: &str = "\
// Made by `bellwether plan codegen rust`; what is changed by hand is lost. It needs `serde`, with `derive`, and `serde_json`.

/// A planned event.
#[allow(dead_code, unreachable_pub)]
pub trait PlannedEvent: ::serde::Serialize {
    /// The event type.
    const NAME: &'static str;

    /// Its properties, as an SDK takes them.
    ///
    /// # Errors
    /// Where a number is NaN or infinite, which JSON has not.
    fn properties(&self) -> ::core::result::Result<::serde_json::Value, ::serde_json::Error> {
        ::serde_json::to_value(self)
    }
}

/// The event types.
#[allow(dead_code, unreachable_pub)]
pub mod events {
    /// The first number that JSON has not; without a look at it `serde_json` writes `null`, which counts as missing.
    fn finite<'n>(
        event: &str,
        property: &str,
        numbers: impl ::core::iter::IntoIterator<Item = &'n f64>,
    ) -> ::core::result::Result<(), ::serde_json::Error> {
        match numbers.into_iter().find(|number| !number.is_finite()) {
            ::core::option::Option::None => ::core::result::Result::Ok(()),
            ::core::option::Option::Some(number) => ::core::result::Result::Err(::serde::ser::Error::custom(
                ::std::format!(\"{property} of {event} is {number}, which no JSON holds: leave it out, or send a number\"),
            )),
        }
    }

";

/// Words that are no names, but behind `r#`.
const KEYWORDS: [&str; 49] = [
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "do", "dyn", "else",
    "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let", "loop", "macro",
    "match", "mod", "move", "mut", "override", "priv", "pub", "ref", "return", "static", "struct", "trait",
    "true", "try", "type", "typeof", "union", "unsafe", "unsized", "use", "virtual", "where", "while",
    "yield",
];

/// Words that are no names at all.
const NEVER: [&str; 3] = ["crate", "self", "super"];

pub(super) fn write(events: &[Named<'_>]) -> Result<String, Failure> {
    let mut code = String::new();
    let mut types: BTreeSet<String> = events.iter().map(|event| event.pascal.clone()).collect();
    for event in events {
        one(&mut code, event, &mut types)?;
    }
    let mut whole = HEAD.to_owned();
    for line in code.trim_end().lines() {
        let _ = if line.is_empty() { writeln!(whole) } else { writeln!(whole, "    {line}") };
    }
    whole.push_str("}\n");
    Ok(whole)
}

/// A property, and what it is called in code.
struct Field<'p> {
    name: &'p Name,
    planned: &'p Property,
    ident: String,
    kind: String,
}

fn one(
    code: &mut String,
    Named { pascal, name, event }: &Named<'_>,
    types: &mut BTreeSet<String>,
) -> Result<(), Failure> {
    let mut taken: BTreeMap<String, &Name> = BTreeMap::new();
    let mut fields = Vec::new();
    let mut enums = String::new();
    for (property, planned) in &event.properties {
        let ident = field(property.as_str());
        if let Some(other) = taken.insert(ident.clone(), property) {
            return Err(Failure::new(
                format!("properties `{other}` and `{property}` of `{name}` would both be `{ident}` in Rust"),
                "plan one of them by another name",
            ));
        }
        let called = format!("{pascal}{}", words::pascal(property.as_str()));
        let choice = choice(&called, property, planned).filter(|_| types.insert(called.clone()));
        let kind = kind(planned, choice.is_some().then_some(called.as_str()));
        enums.extend(choice);
        fields.push(Field { name: property, planned, ident, kind });
    }
    let required: Vec<&Field<'_>> = fields.iter().filter(|field| field.planned.required).collect();
    let about = about(event);
    let about = if about.is_empty() { vec![format!("{:?}.", name.as_str())] } else { about };
    let default = if required.is_empty() { ", Default" } else { "" };
    let _ =
        writeln!(code, "{}#[derive(Debug, Clone, PartialEq{default}, ::serde::Serialize)]", docs(&about, ""));
    let _ = writeln!(code, "pub struct {pascal} {{");
    for Field { name, planned, ident, kind } in &fields {
        code.push_str(&docs(&described(name, planned), "    "));
        let (rename, text) = (ident.trim_start_matches("r#") != name.as_str(), name.as_str());
        let mut attributes = Vec::new();
        if rename {
            attributes.push(format!("rename = {text:?}"));
        }
        if !planned.required {
            attributes.push("skip_serializing_if = \"::core::option::Option::is_none\"".to_owned());
        }
        if !attributes.is_empty() {
            let _ = writeln!(code, "    #[serde({})]", attributes.join(", "));
        }
        let kind = if planned.required { kind.clone() } else { format!("::core::option::Option<{kind}>") };
        let _ = writeln!(code, "    pub {ident}: {kind},");
    }
    code.push_str("}\n\n");
    if !required.is_empty() {
        let arguments: Vec<String> =
            required.iter().map(|field| format!("{}: {}", field.ident, field.kind)).collect();
        let values: Vec<String> = fields
            .iter()
            .map(|field| match field.planned.required {
                true => field.ident.clone(),
                false => format!("{}: ::core::option::Option::None", field.ident),
            })
            .collect();
        let _ = writeln!(
            code,
            "impl {pascal} {{\n    /// With what each event has, and nothing else.\n    #[must_use]\n    #[allow(clippy::too_many_arguments)]\n    pub fn new({}) -> Self {{\n        Self {{ {} }}\n    }}\n}}\n",
            arguments.join(", "),
            values.join(", ")
        );
    }
    let _ = writeln!(
        code,
        "impl super::PlannedEvent for {pascal} {{\n    const NAME: &'static str = {:?};",
        name.as_str()
    );
    let looked_at: String = fields.iter().filter_map(looked_at).collect();
    if !looked_at.is_empty() {
        let _ = writeln!(
            code,
            "\n    fn properties(&self) -> ::core::result::Result<::serde_json::Value, ::serde_json::Error> {{\n{looked_at}        ::serde_json::to_value(self)\n    }}"
        );
    }
    let _ = write!(code, "}}\n\n{enums}");
    Ok(())
}

/// The line that looks at the numbers of a field; `None` where it holds none that JSON may not have.
fn looked_at(Field { name, planned, ident, kind }: &Field<'_>) -> Option<String> {
    let numbers = match (kind.as_str(), planned.required) {
        ("f64", true) => format!("[&self.{ident}]"),
        ("f64", false) => format!("&self.{ident}"),
        ("::std::vec::Vec<f64>", true) => format!("&self.{ident}"),
        ("::std::vec::Vec<f64>", false) => format!("self.{ident}.iter().flatten()"),
        _ => return None,
    };
    Some(format!("        finite(Self::NAME, {:?}, {numbers})?;\n", name.as_str()))
}

fn described(name: &Name, planned: &Property) -> Vec<String> {
    let about = about_property(planned);
    if about.is_empty() { vec![format!("{:?}.", name.as_str())] } else { about }
}

fn field(name: &str) -> String {
    let snake = words::snake(name);
    match snake.as_str() {
        word if NEVER.contains(&word) => format!("{snake}_"),
        word if KEYWORDS.contains(&word) => format!("r#{snake}"),
        _ => snake,
    }
}

/// An enum of the texts that a property may be; `None` where it is anything, or two would be called the same.
fn choice(called: &str, property: &Name, planned: &Property) -> Option<String> {
    let texts: Option<Vec<&str>> = planned.values.iter().map(Json::as_str).collect();
    let texts = texts.filter(|texts| !texts.is_empty())?;
    let mut taken = BTreeSet::new();
    let mut code = format!(
        "/// What {:?} may be.\n#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, ::serde::Serialize)]\npub enum {called} {{\n",
        property.as_str()
    );
    for text in texts {
        let variant = words::pascal(text);
        if !taken.insert(variant.clone()) {
            return None;
        }
        let _ = writeln!(code, "    /// {text:?}\n    #[serde(rename = {text:?})]\n    {variant},");
    }
    code.push_str("}\n\n");
    Some(code)
}

fn kind(property: &Property, choice: Option<&str>) -> String {
    let one = |kind: Kind| match kind {
        Kind::Any => "::serde_json::Value",
        Kind::String | Kind::DateTime => "::std::string::String",
        Kind::Number => "f64",
        Kind::Integer => "i64",
        Kind::Boolean => "bool",
        Kind::List => "::std::vec::Vec<::serde_json::Value>",
        Kind::Object => "::serde_json::Map<::std::string::String, ::serde_json::Value>",
    };
    match property.kind {
        Kind::List => {
            let item = choice.unwrap_or_else(|| one(property.items.unwrap_or_default()));
            format!("::std::vec::Vec<{item}>")
        }
        kind => choice.unwrap_or_else(|| one(kind)).to_owned(),
    }
}

fn docs(lines: &[String], indent: &str) -> String {
    lines.iter().map(|line| format!("{indent}/// {line}\n")).collect()
}
