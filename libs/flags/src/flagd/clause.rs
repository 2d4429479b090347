//! Flags: clauses in JSONLogic, as the engines of flagd's providers read it. They differ in what an
//! operator does with a value of another kind (one throws where another says false, one knows no
//! difference between true and 1), so a clause is made of what all of them read alike: an attribute is
//! made a list by `merge`, null is asked for first, numbers and text are compared as the text that `cat`
//! makes of them, and flagd's own operators, which do not work within `some`, are asked of no element.

use std::ops::Not;

use bellwether_model::operand::plain_version;
use bellwether_model::{Clause, Json, Op};
use serde_json::json;

use crate::format::flagd;
use crate::javascript;
use crate::place::Seen;
use crate::test::{NONE, Test};
use crate::text;

/// A condition in the format.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Said {
    Always,
    Never,
    If(Json),
}

impl Said {
    /// Whether any holds.
    pub(super) fn any(of: impl IntoIterator<Item = Result<Self, String>>) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut always = false;
        // All are looked at: what cannot be said anywhere cannot be said at all.
        for said in of {
            match said? {
                Self::Always => always = true,
                Self::Never => {}
                Self::If(condition) => parts.push(condition),
            }
        }
        Ok(if always { Self::Always } else { Self::joined("or", parts, Self::Never) })
    }

    /// Whether all hold.
    pub(super) fn all(of: impl IntoIterator<Item = Result<Self, String>>) -> Result<Self, String> {
        let negated = Self::any(of.into_iter().map(|said| said.map(Self::not)))?;
        Ok(match negated {
            Self::If(Json::Object(of)) if of.contains_key("or") => {
                let parts = of.into_iter().flat_map(|(_, parts)| match parts {
                    Json::Array(parts) => parts,
                    other => vec![other],
                });
                Self::joined("and", parts.map(negation).collect(), Self::Always)
            }
            other => !other,
        })
    }

    fn joined(word: &str, mut parts: Vec<Json>, none: Self) -> Self {
        match (parts.len(), parts.pop()) {
            (_, None) => none,
            (1, Some(only)) => Self::If(only),
            (_, Some(last)) => {
                parts.push(last);
                Self::If(json!({word: parts}))
            }
        }
    }
}

impl Not for Said {
    type Output = Self;
    fn not(self) -> Self {
        match self {
            Self::Always => Self::Never,
            Self::Never => Self::Always,
            Self::If(condition) => Self::If(negation(condition)),
        }
    }
}

fn negation(condition: Json) -> Json {
    match condition {
        Json::Object(mut of) if of.len() == 1 && of.contains_key("!") => match of.remove("!") {
            Some(Json::Array(mut inner)) if inner.len() == 1 => inner.pop().unwrap_or_default(),
            other => other.unwrap_or_default(),
        },
        other => json!({"!": [other]}),
    }
}

/// Where an attribute stands. Our rules name the user's id in two ways, the format in one.
pub(super) fn variable(attribute: &str) -> Json {
    let name = if matches!(attribute, "targetingKey" | "user_id") { "targetingKey" } else { attribute };
    json!({"var": name})
}

/// Whether an id is on a list.
pub(super) fn member(attribute: &str, ids: &[String]) -> Result<Said, String> {
    let asked = variable(attribute);
    Ok(if ids.is_empty() { Said::Never } else { is(&asked, &ids.iter().collect::<Vec<_>>())? })
}

/// A clause in the format. `test` is the same one, compiled: what it says of a missing or an empty
/// attribute is known beforehand.
pub(super) fn clause(clause: &Clause, test: &Test) -> Result<Said, String> {
    if !flagd(clause.op) {
        return Err(format!("flagd has no operator for `{}`", clause.op.word()));
    }
    if javascript::steps(&clause.attribute)?.any(|step| step == "$flagd") {
        return Err("flagd has its own values under `$flagd`".to_owned());
    }
    let asked = variable(&clause.attribute);
    let values: Vec<&String> = clause.values.iter().collect();
    let missing = if test.holds(None) { Said::If(json!({"===": [asked, null]})) } else { Said::Never };
    let empty = || match test.holds(Some(Seen::Text(""))) {
        true => Said::If(json!({"===": [asked, ""]})),
        false => Said::Never,
    };
    let said = match clause.op {
        Op::Is => is(&asked, &values)?,
        Op::IsNot => {
            let among = json!({"in": [text_of(&element()), spelt(&values)?]});
            Said::any([Ok(empty()), Ok(some(&asked, negation(among)))])?
        }
        Op::StartsWith | Op::EndsWith | Op::DoesNotStartWith | Op::DoesNotEndWith => {
            let start = matches!(clause.op, Op::StartsWith | Op::DoesNotStartWith);
            let mut parts = values.iter().map(|value| affix(value, start).map(Said::If));
            let any = Said::any(&mut parts)?;
            let negated = matches!(clause.op, Op::DoesNotStartWith | Op::DoesNotEndWith);
            match if negated { !any } else { any } {
                Said::If(condition) => Said::any([Ok(empty()), Ok(some(&asked, condition))])?,
                Said::Always | Said::Never => return Err("it tests for nothing".to_owned()),
            }
        }
        Op::Less => number(&asked, "<", &values)?,
        Op::LessOrEqual => number(&asked, "<=", &values)?,
        Op::Greater => number(&asked, ">", &values)?,
        Op::GreaterOrEqual => number(&asked, ">=", &values)?,
        Op::VersionLess => ordered(&asked, "<", &values)?,
        Op::VersionLessOrEqual => ordered(&asked, "<=", &values)?,
        Op::VersionGreater => ordered(&asked, ">", &values)?,
        Op::VersionGreaterOrEqual => ordered(&asked, ">=", &values)?,
        Op::VersionIs => same_version(&asked, &["="], &values)?,
        Op::VersionIsNot => {
            let known = json!({"!==": [{"sem_ver": [asked, "=", "0.0.0"]}, null]});
            Said::all([
                Ok(Said::If(pointed(&asked))),
                Ok(Said::If(known)),
                Ok(!version(&asked, &["="], &values)?),
            ])?
        }
        // Theirs say only that the numbers are shared.
        Op::VersionCaret => same_version(&asked, &["^", ">="], &values)?,
        Op::VersionTilde => same_version(&asked, &["~", ">="], &values)?,
        Op::SetIs | Op::SetIsNot => {
            if let Some(word) = values.iter().find(|value| matches!(value.as_str(), "true" | "false")) {
                return Err(format!(
                    "`{word}` may be a truth value of a list, which engines write in two ways"
                ));
            }
            let among = json!({"in": [element(), elements(&texts(&values)?)]});
            let alien = some(&asked, negation(among));
            let each = values.iter().map(|value| Ok(has(&asked, &[value.as_str()])));
            let same = Said::all(each.chain([Ok(!alien)]))?;
            list(&asked, if clause.op == Op::SetIs { same } else { !same })?
        }
        Op::SetContainsAny | Op::SetDoesNotContainAny => {
            let any = match spelt(&values)?.into_iter().filter(|v| !v.is_empty()).collect::<Vec<_>>() {
                none if none.is_empty() => Said::Never,
                some => has(&asked, &some.iter().map(String::as_str).collect::<Vec<_>>()),
            };
            list(&asked, if clause.op == Op::SetContainsAny { any } else { !any })?
        }
        Op::SetContains | Op::SetDoesNotContain => {
            // An engine counts the elements, so that what is asked twice must be there twice.
            for (at, value) in values.iter().enumerate() {
                if values.iter().take(at).any(|other| other.eq_ignore_ascii_case(value)) {
                    return Err(format!("`{value}` is asked for twice"));
                }
            }
            let each = values.iter().map(|value| {
                if value.is_empty() {
                    return Ok(Said::Never);
                }
                let spellings = spelt(&[value])?;
                Ok(has(&asked, &spellings.iter().map(String::as_str).collect::<Vec<_>>()))
            });
            let all = Said::all(each)?;
            list(&asked, if clause.op == Op::SetContains { all } else { !all })?
        }
        Op::Contains
        | Op::DoesNotContain
        | Op::Matches
        | Op::DoesNotMatch
        | Op::Before
        | Op::After
        | Op::InNetwork
        | Op::NotInNetwork => return Err(format!("flagd has no operator for `{}`", clause.op.word())),
    };
    Said::any([Ok(missing), Ok(said)])
}

fn element() -> Json {
    json!({"var": ""})
}

/// Text as it is, and a number as its text.
fn text_of(what: &Json) -> Json {
    json!({"cat": [what]})
}

/// Whether the attribute, or any element of it where it is a list, meets a condition. Elements that are
/// null or empty do not count.
fn some(asked: &Json, condition: Json) -> Said {
    let counts = json!({"and": [{"!==": [element(), null]}, {"!==": [element(), ""]}, condition]});
    Said::If(json!({"some": [{"merge": [asked]}, counts]}))
}

/// Whether a list has an element that is one of these.
fn has(asked: &Json, values: &[&str]) -> Said {
    if values.iter().all(|value| value.is_empty()) {
        return Said::Never;
    }
    let mut among = json!({"in": [element(), elements(values)]});
    let truths: Vec<&&str> = values.iter().filter(|value| is_truth(value)).collect();
    if !truths.is_empty() {
        let truth = json!({"and": [{"!==": [element(), null]}, {"in": [text_of(&element()), truths]}]});
        among = json!({"or": [among, truth]});
    }
    Said::If(json!({"some": [{"merge": [asked]}, among]}))
}

/// What an element of a list may be to be one of these: text, or the number that is written so.
fn elements(values: &[impl AsRef<str>]) -> Vec<Json> {
    let texts = values.iter().map(|value| Json::from(value.as_ref()));
    texts.chain(values.iter().filter_map(|value| written_so(value.as_ref()))).collect()
}

/// The number that is written so, if one is: `1` is, and `1.0` and `01` are not.
fn written_so(value: &str) -> Option<Json> {
    let number: Json = serde_json::from_str(value).ok().filter(Json::is_number)?;
    (text::text(&number)? == value).then_some(number)
}

fn is_truth(value: &str) -> bool {
    ["true", "false"].iter().any(|word| value.eq_ignore_ascii_case(word))
}

/// A condition on lists: what is text or missing is none.
fn list(asked: &Json, condition: Said) -> Result<Said, String> {
    let no_text = json!({"!==": [text_of(asked), asked]});
    let there = json!({"!==": [asked, null]});
    Said::all([Ok(Said::If(there)), Ok(Said::If(no_text)), Ok(condition)])
}

fn is(asked: &Json, values: &[&String]) -> Result<Said, String> {
    let all = spelt(values)?;
    let empty = all.iter().any(String::is_empty);
    let words: Vec<String> = all.into_iter().filter(|word| !word.is_empty()).collect();
    // One engine cannot write null as text, another writes it as `null`.
    let among = json!({"and": [{"!==": [element(), null]}, {"in": [text_of(&element()), words]}]});
    let said = match words.is_empty() {
        true => Said::Never,
        false => Said::If(json!({"some": [{"merge": [asked]}, among]})),
    };
    let nothing = if empty { Said::If(json!({"===": [asked, ""]})) } else { Said::Never };
    Said::any([Ok(nothing), Ok(said)])
}

/// The values that text may equal, `true` and `false` in any spelling.
fn spelt(values: &[&String]) -> Result<Vec<String>, String> {
    let mut all = texts(values)?;
    for word in ["true", "false"] {
        if values.iter().any(|value| value.eq_ignore_ascii_case(word)) {
            all.retain(|value| !value.eq_ignore_ascii_case(word));
            for capitals in 0..1_u32 << word.len() {
                let spell = |(at, letter): (u32, char)| match capitals >> at & 1 {
                    1 => letter.to_ascii_uppercase(),
                    _ => letter,
                };
                all.push((0..).zip(word.chars()).map(spell).collect());
            }
        }
    }
    Ok(all)
}

/// Values that are text and nothing else anywhere.
fn texts(values: &[&String]) -> Result<Vec<String>, String> {
    match values.iter().find(|value| value.starts_with(['[', '{'])) {
        Some(value) => Err(format!("`{value}` may be an object or a list, which flagd does not compare")),
        None => Ok(values.iter().map(|value| (*value).clone()).collect()),
    }
}

/// Whether the element begins, or ends, with a value. The engines' own operators do not work on elements.
fn affix(value: &str, start: bool) -> Result<Json, String> {
    if value.is_empty() {
        return Err("every text begins and ends with nothing, so it tests for nothing".to_owned());
    }
    if value.starts_with(['[', '{']) || value.ends_with([']', '}']) {
        return Err(format!("`{value}` may be of an object or a list, which flagd does not compare"));
    }
    if value.chars().any(|c| c > '\u{ffff}') {
        return Err(format!("`{value}` has letters that JavaScript counts twice"));
    }
    let letters = i64::try_from(value.chars().count()).unwrap_or(i64::MAX);
    let text = text_of(&element());
    let part = if start { json!([text, 0, letters]) } else { json!([text, -letters]) };
    Ok(json!({"===": [{"substr": part}, value]}))
}

/// Whether a number, or a number in a list, compares with any value.
fn number(asked: &Json, op: &str, values: &[&String]) -> Result<Said, String> {
    let mut parts = Vec::new();
    for value in values {
        let number = text::number(value);
        if number.is_nan() {
            continue;
        }
        let Some(number) = serde_json::Number::from_f64(number) else {
            return Err(format!("`{value}` is not finite"));
        };
        parts.push(Ok(Said::If(json!({op: [element(), number]}))));
    }
    // What is no text and begins like a number is one; comparing anything else is an error in places.
    let first = json!({"substr": [text_of(&element()), 0, 1]});
    let digits = ["-", "0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
    Ok(match Said::any(parts)? {
        Said::If(compares) => Said::If(json!({"some": [{"merge": [asked]}, {"and": [
            {"!==": [element(), null]}, {"!==": [text_of(&element()), element()]}, {"in": [first, digits]},
            compares]}]})),
        other => other,
    })
}

/// Whether a version compares with any value. Build metadata, a `v` or the lack of a minor number makes it plain
/// text to us, as to Amplitude's engine, which is not so for flagd's.
fn ordered(asked: &Json, op: &str, values: &[&String]) -> Result<Said, String> {
    let text = text_of(asked);
    let each: Vec<Json> = values.iter().map(|value| json!({op: [text, value]})).collect();
    let as_text = json!({"or": each});
    Ok(Said::If(match version(asked, &[op], values)? {
        Said::If(compares) => {
            let behind = json!({"in": [{"substr": [text, 0, 1]}, ["v", "V"]]});
            let there = json!({"!==": [asked, null]});
            let pointless = negation(json!({"in": [".", text]}));
            json!({"if": [{"and": [there, {"or": [pointless, {"in": ["+", text]}, behind]}]}, as_text, compares]})
        }
        // No value is a version.
        Said::Always | Said::Never => json!({"and": [{"!==": [asked, null]}, as_text]}),
    }))
}

/// A version of one number, such as `2`, is one to flagd's engines and none to us.
fn pointed(asked: &Json) -> Json {
    json!({"and": [{"!==": [asked, null]}, {"in": [".", text_of(asked)]}]})
}

/// Whether what is a version to us compares with any value, in all of these ways.
fn same_version(asked: &Json, ops: &[&str], values: &[&String]) -> Result<Said, String> {
    Said::all([Ok(Said::If(pointed(asked))), version(asked, ops, values)])
}

/// Whether a version compares with any value, in all of these ways.
fn version(asked: &Json, ops: &[&str], values: &[&String]) -> Result<Said, String> {
    let each = values.iter().filter(|value| value.as_str() != NONE).map(|value| {
        let value = plain_version(value)
            .ok_or_else(|| format!("the version `{value}` is not plain `major.minor.patch`"))?;
        Said::all(ops.iter().map(|op| Ok(Said::If(json!({"sem_ver": [asked, op, value]})))))
    });
    Said::any(each)
}
