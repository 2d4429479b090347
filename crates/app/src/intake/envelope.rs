//! App intake: a body looked at before it is kept. Small bodies can unfold to a hundred times their size in
//! memory, so whoever has no key, or sends more values than are taken, is told before anything is kept.

use std::borrow::Cow;
use std::fmt;

use bellwether_model::Json;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::json::{Name, read, read_seed};
use crate::error::{AppError, Refusal};

/// The most values of one request, counted by the commas between them.
pub(super) const MOST_VALUES: usize = 400_000;

/// How many commas a body has outside its texts.
fn values(body: &[u8]) -> usize {
    let (mut commas, mut text, mut escaped) = (0, false, false);
    for &byte in body {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if text => escaped = true,
            b'"' => text = !text,
            b',' if !text => commas += 1,
            _ => {}
        }
    }
    commas
}

/// What can be told of a body without keeping it: its key. Everything else is read and let go.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Envelope {
    /// The text of the last field that has the name of a key.
    Key(String),
    /// An object without a key.
    NoKey,
    /// Something else.
    NoObject,
}

/// Looks for the key of a body, which is the text of one of these fields.
///
/// # Errors
/// When it is no JSON.
pub(super) fn look(body: &mut Cow<'_, [u8]>, fields: &[&str]) -> Result<Envelope, serde_json::Error> {
    read_seed(body, || Opening { fields, outermost: true })
}

/// The key of a body that begins with it, as nearly all do. The rest is not looked at: another key may follow, and it
/// may be no JSON.
pub(super) fn opening(body: &[u8], fields: &[&str]) -> Option<String> {
    let mut found = None;
    let first = First { fields, found: &mut found };
    // It always fails, because the rest is not read.
    let _ = serde_json::Deserializer::from_slice(body).deserialize_map(first);
    found
}

/// Reads the first field.
struct First<'f> {
    fields: &'f [&'f str],
    found: &'f mut Option<String>,
}

impl<'de> Visitor<'de> for First<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with events")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        if map.next_key::<Name<'de>>()?.is_some_and(|field| self.fields.contains(&&*field)) {
            *self.found = Some(map.next_value()?);
        }
        Ok(())
    }
}

/// The whole body, if it has no more values than are taken.
///
/// # Errors
/// When it is no JSON, or too much of it.
pub(super) fn keep(body: &mut Cow<'_, [u8]>) -> Result<Json, AppError> {
    few(body)?;
    read(body).map_err(|e| not_json(&e))
}

/// Refuses a body with more values than are taken.
pub(super) fn few(body: &[u8]) -> Result<(), AppError> {
    // What is no longer has no more commas. Of longer ones nearly all have few enough even with those in their texts, and
    // these are counted many at a time.
    let commas = || body.iter().filter(|byte| **byte == b',').count();
    if body.len() > MOST_VALUES && commas() > MOST_VALUES && values(body) > MOST_VALUES {
        return Err(AppError::new(
            Refusal::TooLarge,
            "too_large",
            format!("the body has more than `{MOST_VALUES}` values"),
            "send fewer events at once",
        ));
    }
    Ok(())
}

/// The body is not JSON.
pub(super) fn not_json(error: &serde_json::Error) -> AppError {
    AppError::bad_input(
        format!("the body is not JSON: {}", error.to_string().trim_end_matches('.')),
        "send JSON in UTF-8",
    )
}

/// Reads an [`Envelope`]: of an object its key, of a text itself where it is not the outermost.
#[derive(Clone, Copy)]
struct Opening<'f> {
    fields: &'f [&'f str],
    outermost: bool,
}

impl<'de> DeserializeSeed<'de> for Opening<'_> {
    type Value = Envelope;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Envelope, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Opening<'_> {
    type Value = Envelope;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with events")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Envelope, A::Error> {
        let mut found = Envelope::NoKey;
        while let Some(field) = map.next_key::<Name<'de>>()? {
            if self.outermost && self.fields.contains(&&*field) {
                found = match map.next_value_seed(Opening { outermost: false, ..self })? {
                    Envelope::Key(key) => Envelope::Key(key),
                    Envelope::NoKey | Envelope::NoObject => Envelope::NoKey,
                };
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Envelope, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Envelope::NoObject)
    }

    fn visit_str<E>(self, text: &str) -> Result<Envelope, E> {
        Ok(if self.outermost { Envelope::NoObject } else { Envelope::Key(text.to_owned()) })
    }

    fn visit_bool<E>(self, _: bool) -> Result<Envelope, E> {
        Ok(Envelope::NoObject)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Envelope, E> {
        Ok(Envelope::NoObject)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Envelope, E> {
        Ok(Envelope::NoObject)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Envelope, E> {
        Ok(Envelope::NoObject)
    }

    fn visit_unit<E>(self) -> Result<Envelope, E> {
        Ok(Envelope::NoObject)
    }
}
