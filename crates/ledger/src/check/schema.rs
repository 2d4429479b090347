//! Ledger: a flag with a JSON Schema has no value that does not match it.
//!
//! A schema is looked at when it, or a value, is changed, and never while flags are served. It lies in one
//! document, and unfolds to so few parts that matching a value against it is soon done: two references to
//! the same part double the work, and so a hundred of them in a chain would never end.

use std::collections::BTreeMap;

use bellwether_model::{Flag, Invalid, Variant, operand};
use jsonschema::error::ValidationErrorKind;
use jsonschema::{PatternOptions, ValidationError};

use super::*;

/// The most bytes that a schema may have as JSON text.
const LONGEST: usize = 1 << 16;

/// The most parts that a schema may have once every reference is replaced by what it refers to.
const MOST: usize = 4_096;

/// The most memory that a compiled pattern may take, in bytes.
const PATTERN_SIZE: usize = 1 << 18;

/// Every value of a flag matches the flag's schema, if it has one.
pub(super) fn matched(flag: &Flag) -> Result<(), LedgerError> {
    let Some(schema) = &flag.schema else { return Ok(()) };
    let wrong = |what: String, hint: &str| refused(format!("the schema of flag `{}` {what}", flag.key), hint);
    let text = schema.to_string();
    if text.len() > LONGEST {
        let what = format!("has `{}` bytes, and at most {LONGEST} are read", text.len());
        return Err(wrong(what, "describe less of the value"));
    }
    if variants::deep(schema, variants::DEEPEST) {
        let hint = format!("nest at most {} objects and lists", variants::DEEPEST);
        return Err(wrong("is nested too deep".to_owned(), &hint));
    }
    let mut unfold = Unfold { root: schema, known: BTreeMap::new(), path: Vec::new() };
    let parts = unfold.parts(schema, true).map_err(|(what, hint)| wrong(what, hint))?;
    if parts > MOST {
        return Err(wrong(
            format!("unfolds to more than `{MOST}` parts"),
            "refer to the same part less often, and nest `unevaluatedProperties` less",
        ));
    }
    // The engine of patterns is the one whose time is linear in the text.
    let patterns = PatternOptions::regex().size_limit(PATTERN_SIZE).dfa_size_limit(PATTERN_SIZE);
    let schema = jsonschema::options()
        .with_pattern_options(patterns)
        .should_validate_formats(true)
        .build(schema)
        .map_err(|error| no_schema(&error, &wrong))?;
    flag.variants.iter().try_for_each(|variant| match schema.validate(&variant.value) {
        Ok(()) => Ok(()),
        Err(error) => Err(mismatch(flag, variant, &error)),
    })
}

fn no_schema(error: &ValidationError<'_>, wrong: &dyn Fn(String, &str) -> LedgerError) -> LedgerError {
    let at = error.instance_path().to_string();
    let what = match error.kind() {
        ValidationErrorKind::Referencing(_) if at.is_empty() => {
            "names a draft of JSON Schema, or refers to a part, that is not known".to_owned()
        }
        _ => {
            // The engine says of a pattern only that it is none.
            let pattern = error.instance().as_str().filter(|_| at.contains("/pattern"));
            if let Some(Err(Invalid { message, hint })) = pattern.map(operand::pattern) {
                return wrong(format!("is no JSON Schema: at {}, {message}", place(&at)), &hint);
            }
            format!("is no JSON Schema: {} cannot be `{}`", place(&at), short(error.instance()))
        }
    };
    wrong(what, "use draft 2020-12, whose `$schema` may be left out")
}

fn mismatch(flag: &Flag, variant: &Variant, error: &ValidationError<'_>) -> LedgerError {
    let at = error.instance_path().to_string();
    let of = format!("in variant `{}` of flag `{}`, {}", variant.key, flag.key, place(&at));
    let what = match error.kind() {
        ValidationErrorKind::Required { property } => {
            format!("{of} lacks `{}`, which the schema requires", short(property).trim_matches('"'))
        }
        ValidationErrorKind::AdditionalProperties { unexpected }
        | ValidationErrorKind::UnevaluatedProperties { unexpected } => {
            let unexpected: Vec<String> = unexpected.iter().map(|name| format!("`{name}`")).collect();
            format!("{of} has {}, which the schema does not know", unexpected.join(", "))
        }
        _ => {
            let path = error.schema_path().to_string();
            let says = match flag.schema.as_ref().and_then(|root| expected(root, &path)) {
                Some((_, Json::Bool(false))) | None => "allows no value".to_owned(),
                Some((keyword, wanted)) => format!("expects `{keyword}: {}`", short(wanted)),
            };
            format!("{of} is `{}`, and the schema {says}", short(error.instance()))
        }
    };
    refused(what, "give the variant a value that matches, or change the schema first")
}

/// A place inside a JSON value, in words.
fn place(pointer: &str) -> String {
    if pointer.is_empty() { "the whole".to_owned() } else { format!("`{pointer}`") }
}

fn short(value: &Json) -> String {
    let text = value.to_string();
    match text.char_indices().nth(80) {
        None => text,
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
    }
}

/// The keyword at a path through a schema, and what it says. The path goes through references.
fn expected<'s>(root: &'s Json, path: &str) -> Option<(String, &'s Json)> {
    let mut at = root;
    let mut keyword = String::new();
    for step in path.split('/').skip(1) {
        keyword = step.replace("~1", "/").replace("~0", "~");
        at = match at {
            Json::Object(fields) => fields.get(&keyword)?,
            Json::Array(items) => items.get(keyword.parse::<usize>().ok()?)?,
            _ => return None,
        };
        if let ("$ref", Json::String(target)) = (keyword.as_str(), at) {
            at = root.pointer(target.strip_prefix('#')?)?;
        }
    }
    (!keyword.is_empty()).then_some((keyword, at))
}

/// Counts the parts of a schema, each reference replaced by what it refers to.
struct Unfold<'s> {
    root: &'s Json,
    /// How many parts a place that was referred to has.
    known: BTreeMap<&'s str, usize>,
    /// The references on the way to where it is.
    path: Vec<&'s str>,
}

type Wrong = (String, &'static str);

impl<'s> Unfold<'s> {
    fn parts(&mut self, schema: &'s Json, whole: bool) -> Result<usize, Wrong> {
        let Json::Object(keywords) = schema else { return Ok(1) };
        let mut parts = 1_usize;
        for (keyword, value) in keywords {
            let more = match (keyword.as_str(), value) {
                ("$ref", Json::String(target)) => self.referred(target)?,
                ("$dynamicRef" | "$recursiveRef", Json::String(target)) => {
                    return Err((
                        format!("refers to `{}` by `{keyword}`", target.chars().take(80).collect::<String>()),
                        "use `$ref` with a place in the schema itself, such as `#/$defs/size`",
                    ));
                }
                ("$id" | "id", Json::String(_)) if !whole => {
                    return Err((
                        format!("has another schema with an `{keyword}` in it"),
                        "put the part into `$defs` and refer to it by its place",
                    ));
                }
                ("$defs" | "definitions", Json::Object(named)) => {
                    // They count where they are referred to.
                    for part in named.values() {
                        self.parts(part, false)?;
                    }
                    0
                }
                (
                    "properties" | "patternProperties" | "dependentSchemas" | "dependencies",
                    Json::Object(named),
                ) => self.sum(named.values())?,
                ("allOf" | "anyOf" | "oneOf" | "prefixItems" | "items", Json::Array(list)) => {
                    self.sum(list)?
                }
                (
                    "items"
                    | "contains"
                    | "additionalItems"
                    | "additionalProperties"
                    | "propertyNames"
                    | "not"
                    | "if"
                    | "then"
                    | "else"
                    | "unevaluatedItems"
                    | "unevaluatedProperties"
                    | "contentSchema",
                    Json::Object(_),
                ) => self.parts(value, false)?,
                _ => 0,
            };
            parts = parts.saturating_add(more);
        }
        // To know what is left over, all that stands beside it is asked again, and once more to say so.
        let again = ["unevaluatedItems", "unevaluatedProperties"];
        if again.iter().any(|keyword| keywords.contains_key(*keyword)) {
            parts = parts.saturating_mul(3);
        }
        Ok(parts)
    }

    fn sum(&mut self, schemas: impl IntoIterator<Item = &'s Json>) -> Result<usize, Wrong> {
        let mut sum = 0_usize;
        for schema in schemas {
            sum = sum.saturating_add(self.parts(schema, false)?);
        }
        Ok(sum)
    }

    fn referred(&mut self, target: &'s str) -> Result<usize, Wrong> {
        if let Some(parts) = self.known.get(target) {
            return Ok(*parts);
        }
        let shown: String = target.chars().take(80).collect();
        let place = target.strip_prefix('#').filter(|place| place.is_empty() || place.starts_with('/'));
        let Some(place) = place else {
            return Err((
                format!("refers to `{shown}`, which is not in it"),
                "nothing is fetched: put the part into `$defs` and refer to it, such as `#/$defs/size`",
            ));
        };
        let Some(part) = self.root.pointer(place) else {
            return Err((
                format!("refers to `{shown}`, where there is nothing"),
                "refer to a part that is there",
            ));
        };
        // A path that is longer than the limit passes it, and would need a deep stack to be counted.
        if self.path.len() >= 256 {
            return Ok(MOST + 1);
        }
        if self.path.contains(&target) {
            return Err((
                format!("refers to itself at `{shown}`"),
                "spell out as many levels as the values have",
            ));
        }
        self.path.push(target);
        let parts = self.parts(part, false)?;
        self.path.pop();
        self.known.insert(target, parts);
        Ok(parts)
    }
}
