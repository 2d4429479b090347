//! App: why an input is not what its operation takes, in words of JSON and not of the types behind it: where, what
//! stands there, and what belongs there.

use bellwether_model::plan::Retention;
use bellwether_model::{Json, Key};
use serde_path_to_error::{Path, Segment};

use super::find;
use super::input::{known, shortened};
use crate::error::AppError;
use crate::names::{made_key, nearest};

/// Where the input of an operation is wrong, and how; the hint is what its documentation says of that argument.
pub(super) fn refusal(
    operation: &str,
    error: &serde_path_to_error::Error<serde_json::Error>,
    input: &Json,
) -> AppError {
    let place = error.path().to_string();
    let what = error.inner().to_string();
    let what = what.trim_end_matches('.');
    let value = at(error.path(), input);
    // Inside of what is told apart by a word, a deserialiser does not say where it is.
    let deeper = value.and_then(|value| Some((value, found(value, unexpected(what)?)?)));
    let (place, value) = match deeper {
        Some((whole, way)) => {
            (format!("{}{way}", if place == "." { "" } else { &place }), whole.pointer(&pointer(&way)))
        }
        None => (place, value),
    };
    let (said, hint) = said(what, value);
    let message = if place == "." { said } else { format!("in `{}`: {said}", place.trim_start_matches('.')) };
    let hint = hint
        .or_else(|| no_key(what, value))
        .or_else(|| no_share(what, value))
        .or_else(|| no_retention(what, value))
        .or_else(|| documented(operation, error.path()));
    AppError::bad_input(
        message,
        hint.unwrap_or_else(|| "see `/openapi.json` for what this operation takes".to_owned()),
    )
}

/// What the documentation says of the argument in which a place is.
fn documented(operation: &str, path: &Path) -> Option<String> {
    let Segment::Map { key } = path.iter().next()? else { return None };
    let argument = known(find(operation)?).iter().find(|argument| argument.name == *key)?;
    let about = argument.about.split_whitespace().collect::<Vec<_>>().join(" ");
    // `Where.` says nothing that the name does not.
    let about = Some(about.trim_end_matches('.')).filter(|about| about.contains(' '))?;
    Some(format!("what belongs in `{key}`: {about}"))
}

/// The value at a place of the input.
fn at<'i>(path: &Path, input: &'i Json) -> Option<&'i Json> {
    path.iter().try_fold(input, |value, segment| match segment {
        Segment::Seq { index } => value.get(*index),
        Segment::Map { key } => value.get(key),
        Segment::Enum { .. } => Some(value),
        Segment::Unknown => None,
    })
}

/// The number, word or text that a deserialiser did not expect.
fn unexpected(what: &str) -> Option<Json> {
    let said = ["invalid type: ", "invalid value: "].iter().find_map(|wrong| what.strip_prefix(wrong))?;
    let (said, _) = said.rsplit_once(", expected ")?;
    let quoted = said.split_once('`').and_then(|(_, rest)| rest.strip_suffix('`'));
    match said.strip_prefix("string ") {
        Some(text) => serde_json::from_str(text).ok(),
        None => serde_json::from_str(quoted?).ok(),
    }
}

/// Where in an object or a list a value stands, if it stands there once: `.shares[0].share`.
fn found(within: &Json, wanted: Json) -> Option<String> {
    fn look(value: &Json, wanted: &Json, way: &str, ways: &mut Vec<String>) {
        match value {
            Json::Object(fields) => {
                fields.iter().for_each(|(name, value)| look(value, wanted, &format!("{way}.{name}"), ways));
            }
            Json::Array(items) => {
                items
                    .iter()
                    .enumerate()
                    .for_each(|(at, item)| look(item, wanted, &format!("{way}[{at}]"), ways));
            }
            scalar if scalar == wanted => ways.push(way.to_owned()),
            _ => {}
        }
    }
    let mut ways = Vec::new();
    if within.is_object() || within.is_array() {
        look(within, &wanted, "", &mut ways);
    }
    match ways.as_slice() {
        [_] => ways.pop(),
        _ => None,
    }
}

/// The same way as a JSON pointer; names with a dot or a bracket lead nowhere.
fn pointer(way: &str) -> String {
    way.replace(['.', '['], "/").replace(']', "")
}

/// What a deserialiser says, in words of JSON, with a hint where it knows one; what our own types say stays.
fn said(what: &str, value: Option<&Json>) -> (String, Option<String>) {
    if let Some(field) = what.strip_prefix("missing field ") {
        return (format!("{field} is missing"), None);
    }
    if let Some((word, known)) =
        what.strip_prefix("unknown variant ").and_then(|what| what.split_once(", expected "))
    {
        let words: Vec<&str> = known.split('`').skip(1).step_by(2).collect();
        let hint = match nearest(word.trim_matches('`'), &words) {
            Some(near) => format!("did you mean `{near}`? What there is: `{}`", words.join("`, `")),
            None => format!("what there is: `{}`", words.join("`, `")),
        };
        return (format!("{word} is not a word that belongs here"), Some(hint));
    }
    let wrong = ["invalid type: ", "invalid value: ", "invalid length "];
    let wrong = wrong.iter().find_map(|wrong| what.strip_prefix(wrong)?.rsplit_once(", expected "));
    match wrong.zip(value) {
        Some(((_, expected), value)) => {
            (format!("{} stands where {} belongs", shown(value), words(expected)), None)
        }
        None => (what.to_owned(), None),
    }
}

/// A value of the input.
fn shown(value: &Json) -> String {
    match value {
        Json::String(text) => format!("the text `{}`", shortened(text)),
        Json::Array(_) => "a list".to_owned(),
        Json::Object(_) => "an object".to_owned(),
        scalar => format!("`{scalar}`"),
    }
}

/// What a deserialiser expects, in words of JSON.
fn words(expected: &str) -> String {
    let whole = |most: u64| format!("a whole number from 0 to {most}");
    match expected {
        "a boolean" => "`true` or `false`".to_owned(),
        "a string" | "a borrowed string" => "text".to_owned(),
        "u8" => whole(u8::MAX.into()),
        // Every one that is so short is a share.
        "u16" => "a share in whole basis points, from 0 to 10000,".to_owned(),
        "u32" => whole(u32::MAX.into()),
        "u64" | "usize" => "a whole number that is not negative".to_owned(),
        "a nonzero u32" => format!("a whole number from 1 to {}", u32::MAX),
        "i64" => "a whole number".to_owned(),
        "f64" => "a number".to_owned(),
        "a sequence" => "a list".to_owned(),
        "a map" => "an object".to_owned(),
        "variant identifier" => "a word".to_owned(),
        _ if expected.starts_with("struct ") || expected.contains("tagged enum ") => "an object".to_owned(),
        // An enumeration of words.
        _ if expected.starts_with("enum ") || expected == "string or map" => "a word".to_owned(),
        other => other.to_owned(),
    }
}

/// The basis points of a share that was written in percent, or as a fraction.
fn no_share(what: &str, value: Option<&Json>) -> Option<String> {
    what.ends_with("expected u16").then_some(())?;
    let (percent, written) = match value? {
        Json::String(text) => {
            (text.trim().strip_suffix('%')?.trim_end().parse::<f64>().ok()?, text.trim().to_owned())
        }
        Json::Number(number) => {
            let fraction = number.as_f64().filter(|share| *share > 0.0 && *share < 1.0)?;
            (fraction * 100.0, number.to_string())
        }
        _ => return None,
    };
    let points = (percent * 100.0).round();
    (0.0..=10_000.0).contains(&points).then(|| format!("`{written}` is `{points}` basis points"))
}

/// What is wrong with days for which no event is kept.
fn no_retention(what: &str, value: Option<&Json>) -> Option<String> {
    let days = u32::try_from(value?.as_u64()?).ok()?;
    Retention::try_from(days).err().filter(|invalid| invalid.message == what).map(|invalid| invalid.hint)
}

/// What is wrong with a text that is no key, and the key that it could be.
fn no_key(what: &str, value: Option<&Json>) -> Option<String> {
    let text = value?.as_str()?;
    let invalid = text.parse::<Key>().err().filter(|invalid| invalid.message == what)?;
    Some(match made_key(text) {
        Some(key) => format!("{}, such as `{key}`", invalid.hint),
        None => invalid.hint,
    })
}
