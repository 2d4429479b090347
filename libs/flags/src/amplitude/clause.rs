//! Flags: clauses in Amplitude's format, which two engines read. The one for JavaScript means by an operator
//! what we mean. The one for Python takes `0`, `false`, an empty list and empty text for missing, falls
//! back on comparing text where something is no number, and writes `true` as `True`. A clause is said so
//! that both hold when ours does, or not at all:
//!
//! - Where what is false in Python answers otherwise than what is missing, the clause becomes a flag of its
//!   own. Its first segment is for what the engine takes for missing, and its bucket tells by the hash of
//!   the text which value that is.
//! - Numbers are compared behind a pattern that only a number matches in Python, and everything in JavaScript.
//! - What Python cannot tell apart (empty text from missing, `true` from `"True"`) and the clause can, keeps it
//!   out.

use bellwether_model::{Bucketing, Clause, Json, Op};
use serde_json::json;

use super::{BESIDE, INSIDE, selector};
use crate::bucket::Salted;
use crate::format::{Amplitude, amplitude};
use crate::pattern;
use crate::place::Seen;
use crate::test::{NONE, Test};
use crate::text;

/// A clause in the format.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Said {
    /// Conditions that must all hold.
    Conditions(Vec<Json>),
    /// The segments of a flag that answers [`INSIDE`] where it holds.
    Segments(Vec<Json>),
}

/// What an operator asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    Text,
    Number,
    Version,
    List,
}

fn asked(op: Op) -> Asked {
    match op {
        Op::Less | Op::LessOrEqual | Op::Greater | Op::GreaterOrEqual => Asked::Number,
        Op::VersionLess | Op::VersionLessOrEqual | Op::VersionGreater | Op::VersionGreaterOrEqual => {
            Asked::Version
        }
        Op::SetIs
        | Op::SetIsNot
        | Op::SetContains
        | Op::SetDoesNotContain
        | Op::SetContainsAny
        | Op::SetDoesNotContainAny => Asked::List,
        _ => Asked::Text,
    }
}

/// A clause in the format. `test` is the same one, compiled: what it says of the values that Python reads
/// otherwise is known beforehand.
pub(super) fn clause(clause: &Clause, test: &Test) -> Result<Said, String> {
    let selector = selector(&clause.attribute)?;
    let asked = asked(clause.op);
    let mut conditions = vec![condition(clause, &selector)?];
    let missing = test.holds(None);
    let holds = |value: &Json| test.holds(Some(Seen::Json(value)));
    let unsaid = |why: &str| {
        Err(format!("`{}` on `{}`: its SDK for Python {why}", clause.op.word(), clause.attribute))
    };
    if asked == Asked::Text && holds(&json!("")) != missing {
        return unsaid("takes empty text for a missing attribute");
    }
    // The fields of a user are text in its types; properties are anything.
    let field = selector.len() == 3;
    if matches!(asked, Asked::Text | Asked::List)
        && !field
        && [("true", "True"), ("false", "False")].iter().any(|(ours, theirs)| {
            holds(&json!(ours)) != holds(&json!(theirs)) || holds(&json!([ours])) != holds(&json!([theirs]))
        })
    {
        return unsaid("writes `true` as `True`");
    }
    if asked == Asked::Number {
        conditions.push(json!({"selector": selector, "op": "regex match", "values": [NUMBER]}));
    }
    let mut apart: Vec<&str> = Vec::new();
    for (value, texts) in falsehoods().into_iter().filter(|_| !field) {
        let possible = match asked {
            Asked::Text | Asked::Number => true,
            Asked::List => value.is_array(),
            Asked::Version => false,
        };
        if possible && holds(&value) != missing {
            apart.extend(texts);
        }
    }
    if apart.is_empty() && (conditions.len() == 1 || !missing) {
        return Ok(Said::Conditions(conditions));
    }
    let salted = Salted::new(Bucketing::Utf8, SALT);
    let (inside, outside) = if missing { (BESIDE, INSIDE) } else { (INSIDE, BESIDE) };
    let ranges: Vec<Json> = apart
        .iter()
        .map(|text| {
            let at = salted.bucket(text).position();
            json!({"variant": inside, "range": [at, at + 1]})
        })
        .collect();
    let nothing = json!({
        "conditions": [[
            {"selector": selector, "op": "set is", "values": [NONE]},
            {"selector": selector, "op": "less", "values": [NONE]},
        ]],
        "bucket": {
            "selector": selector,
            "salt": SALT,
            "allocations": [{"range": [0, 100], "distributions": ranges}],
        },
        "variant": outside,
    });
    Ok(Said::Segments(vec![nothing, json!({"conditions": [conditions], "variant": INSIDE})]))
}

/// What is false in Python, with the texts by which its engine places it. Both tests of `nothing` above hold
/// for no value that is there: what is the set of `(none)` is not less than it.
fn falsehoods() -> [(Json, &'static [&'static str]); 4] {
    [
        (json!(0), &["0", "0.0", "-0.0"]),
        (json!(false), &["False"]),
        (json!([]), &["[]"]),
        (json!({}), &["{}"]),
    ]
}

/// By it none of the texts of [`falsehoods`] shares a position with another.
const SALT: &str = "python";

/// In Python what is a number to both; in JavaScript everything, because there `\Z` is a letter and no
/// end. It goes back at most once over what it has read.
const NUMBER: &str = "^[ \\t-\\r]*[-+]?(?:Infinity|(?:[0-9]+(?:\\.[0-9]*)?|\\.[0-9]+)(?:[eE][-+]?[0-9]+)?)[ \\t-\\r]*(?![\\s\\S])|(?![\\s\\S])(?!\\Z)";

fn condition(clause: &Clause, selector: &[&str]) -> Result<Json, String> {
    let search =
        |patterns: Vec<String>| json!({"selector": selector, "op": "regex match", "values": patterns});
    let unsaid = || {
        let word = clause.op.word();
        match clause.op {
            Op::DoesNotStartWith | Op::DoesNotEndWith | Op::DoesNotMatch => {
                format!("`{word}`: its SDK for Python takes empty text for a missing attribute")
            }
            _ => format!("Amplitude's format has no operator `{word}`"),
        }
    };
    Ok(match amplitude(clause.op).ok_or_else(unsaid)? {
        Amplitude::Op(op) if asked(clause.op) == Asked::Number => {
            let mut values: Vec<String> = clause.values.iter().map(|value| number(value)).collect();
            if values.iter().all(|value| value == NONE) {
                values.push("NaN".to_owned());
            }
            json!({"selector": selector, "op": op, "values": values})
        }
        Amplitude::Op(op) => json!({"selector": selector, "op": op, "values": clause.values}),
        Amplitude::Search { before, after } => {
            search(clause.values.iter().map(|v| format!("{before}{}{after}", literally(v))).collect())
        }
        Amplitude::Pattern => {
            search(clause.values.iter().map(|v| pattern::portable(v)).collect::<Result<_, _>>()?)
        }
    })
}

/// A number as both engines read it. What is none is `NaN`, which nothing compares with: of what is no number
/// at all, Python would compare the text.
fn number(value: &str) -> String {
    if value == NONE {
        return value.to_owned();
    }
    let number = text::number(value);
    if number.is_infinite() {
        return if number > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    let json = serde_json::Number::from_f64(number).map(Json::Number);
    json.as_ref().and_then(text::text).map_or_else(|| "NaN".to_owned(), Into::into)
}

/// A pattern that matches exactly this text, in JavaScript and in Python.
fn literally(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len() + 4);
    for c in text.chars() {
        pattern::literally(c, &mut pattern);
    }
    pattern
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_false_in_python_is_told_apart_by_its_place() {
        let salted = Salted::new(Bucketing::Utf8, SALT);
        let all = falsehoods();
        let texts = all.iter().flat_map(|(_, texts)| *texts);
        let places: std::collections::BTreeSet<u32> =
            texts.clone().map(|text| salted.bucket(text).position()).collect();
        assert_eq!(places.len(), texts.count());
    }

    #[test]
    fn numbers_are_written_as_both_engines_read_them() {
        let all =
            ["18", "1e2", " 9.5", "", "0x1F", "Infinity", "-Infinity", "abc", "1_0", NONE, "-0", "1e-7"];
        assert_eq!(all.map(number).join(" "), "18 100 9.5 0 31 Infinity -Infinity NaN NaN (none) 0 1e-7");
    }

    #[test]
    fn a_clause_is_said_to_both_engines_or_not_at_all() {
        let said = |(attribute, op, values): (&str, &str, &[&str])| {
            let of: Clause =
                serde_json::from_value(json!({"attribute": attribute, "op": op, "values": values})).unwrap();
            let how = match clause(&of, &Test::new(of.op, &of.values).unwrap()) {
                Ok(Said::Conditions(_)) => "conditions".to_owned(),
                Ok(Said::Segments(_)) => "a flag".to_owned(),
                Err(why) => format!("! {why}"),
            };
            format!("{attribute} {op} {values:?}: {how}")
        };
        let rows: [(&str, &str, &[&str]); 28] = [
            ("country", "is", &["fi"]),
            ("plan", "is", &["pro", "501"]),
            ("plan", "is", &["0"]),
            ("plan", "is", &[""]),
            ("plan", "is", &["(none)"]),
            ("verified", "is", &["true"]),
            ("verified", "is", &["false"]),
            ("verified", "is_not", &["true"]),
            ("country", "is_not", &["fi"]),
            ("plan", "is_not", &["pro"]),
            ("plan", "is_not", &["(none)"]),
            ("email", "contains", &["@example.com"]),
            ("email", "contains", &["a"]),
            ("email", "does_not_contain", &["@example.com"]),
            ("email", "starts_with", &["u-"]),
            ("email", "starts_with", &["t"]),
            ("email", "ends_with", &["@example.com"]),
            ("email", "does_not_start_with", &["u-"]),
            ("email", "matches", &["^[a-z]+$"]),
            ("email", "matches", &["^[a-z]+@"]),
            ("age", "less", &["18"]),
            ("age", "greater_or_equal", &["18"]),
            ("version", "version_less", &["2.0.0"]),
            ("tags", "set_contains", &["a"]),
            ("tags", "set_is", &["true"]),
            ("tags", "set_is_not", &["a"]),
            ("tags", "set_does_not_contain_any", &["a"]),
            ("at", "before", &["2026-01-01"]),
        ];
        insta::assert_snapshot!(rows.map(said).join("\n"));
    }
}
