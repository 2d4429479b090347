//! App intake: Amplitude's HTTP V2 and batch protocols, answered as its SDKs expect.
//!
//! A 400 means that nothing was stored. Its lists name every bad event, because SDKs drop exactly
//! those and send the others again.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use bellwether_model::{Json, Millis};
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, json};

use super::body::{Unreadable, unpack};
use super::event::{Problems, admit};
use super::json::read;
use crate::error::{AppError, Refusal};
use crate::{App, Waiting};

/// Which of the two endpoints: they differ in how much they take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endpoint {
    /// `POST /2/httpapi`: under 1 MB.
    HttpV2,
    /// `POST /batch`: up to 20 MB.
    Batch,
}

impl Endpoint {
    /// The most bytes of an unpacked body.
    pub const fn most_bytes(self) -> usize {
        match self {
            Self::HttpV2 => 1 << 20,
            Self::Batch => 20 << 20,
        }
    }
}

/// The most events of one request.
const MOST_EVENTS: usize = 2_000;

/// The shortest id of a user or device, unless the sender says otherwise.
const SHORTEST_ID: usize = 5;

/// The most values of one request, counted by the commas between them.
const MOST_VALUES: usize = 400_000;

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
enum Envelope {
    Key(String),
    NoKey,
    NoObject,
}

impl<'de> Deserialize<'de> for Envelope {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Opening { outermost: true })
    }
}

/// Reads an [`Envelope`]: of an object its `api_key`, of a text itself where it is not the outermost.
struct Opening {
    outermost: bool,
}

impl<'de> DeserializeSeed<'de> for Opening {
    type Value = Envelope;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Envelope, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Opening {
    type Value = Envelope;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with `api_key` and `events`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Envelope, A::Error> {
        let mut found = Envelope::NoKey;
        while let Some(field) = map.next_key::<Cow<'de, str>>()? {
            if self.outermost && field == "api_key" {
                found = match map.next_value_seed(Opening { outermost: false })? {
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

/// What becomes of a request.
#[derive(Debug)]
pub enum Outcome {
    /// Its events wait for the next commit; `reply` may be sent once `waiting` is settled.
    Waiting {
        /// What to wait for.
        waiting: Waiting,
        /// The body of the 200.
        reply: Json,
    },
    /// Nothing was stored.
    Rejected(Rejected),
}

/// A refusal in the protocol's words.
#[derive(Debug)]
pub struct Rejected {
    /// HTTP status, also `code` in the body.
    pub status: u16,
    /// The body: always JSON with `code`, because the Python SDK takes the status from it.
    pub body: Json,
}

impl Rejected {
    fn new(status: u16, error: &str, more: &[(&str, Json)]) -> Self {
        let mut body = Map::new();
        body.insert("code".into(), status.into());
        body.insert("error".into(), error.into());
        body.extend(more.iter().map(|(k, v)| ((*k).to_owned(), v.clone())));
        Self { status, body: body.into() }
    }

    /// More than an endpoint takes at once.
    pub fn too_large(endpoint: Endpoint) -> Self {
        let hint = format!("send at most {} bytes and {MOST_EVENTS} events at once", endpoint.most_bytes());
        Self::new(413, "Payload too large", &[("hint", hint.into())])
    }

    /// A body that ended before it was whole.
    pub fn unread() -> Self {
        let hint = "the body ended before it was whole; send it again";
        Self::new(400, "Invalid JSON request body", &[("hint", hint.into())])
    }

    /// A refusal of ours in the protocol's words.
    pub fn of(error: &AppError) -> Self {
        let status = if error.refusal == Refusal::Busy { 429 } else { error.refusal.status() };
        if status == 429 {
            // No user or device is at fault: with empty lists an SDK keeps everything and tries again.
            return Self::new(
                429,
                "Too many requests for some devices and users",
                &[
                    ("eps_threshold", 1000.into()),
                    ("throttled_devices", json!({})),
                    ("throttled_users", json!({})),
                    ("exceeded_daily_quota_users", json!({})),
                    ("exceeded_daily_quota_devices", json!({})),
                    ("throttled_events", json!([])),
                    ("hint", error.hint.clone().into()),
                ],
            );
        }
        if matches!(error.refusal, Refusal::Unauthenticated | Refusal::Forbidden) {
            // With the colon: the Python SDK looks for it, and without it resends for ever.
            let said = format!("Invalid API key: {}", error.message);
            return Self::new(400, &said, &[("hint", error.hint.clone().into())]);
        }
        // Our fault: nothing was stored, so a retry is safe, and 503 is the code that says it.
        Self::new(503, "Service unavailable", &[("hint", error.hint.clone().into())])
    }
}

impl App {
    /// Takes a request of Amplitude's HTTP V2 or batch protocol.
    pub fn take_amplitude(
        &self,
        endpoint: Endpoint,
        body: &[u8],
        encoding: Option<&str>,
        peer: Option<&str>,
        now: Millis,
    ) -> Outcome {
        match self.take(endpoint, body, encoding, peer, now) {
            Ok((waiting, reply)) => Outcome::Waiting { waiting, reply },
            Err(rejected) => Outcome::Rejected(rejected),
        }
    }

    fn take(
        &self,
        endpoint: Endpoint,
        body: &[u8],
        encoding: Option<&str>,
        peer: Option<&str>,
        now: Millis,
    ) -> Result<(Waiting, Json), Rejected> {
        let mut body = unpack(body, encoding, endpoint.most_bytes()).map_err(|e| match e {
            Unreadable::TooLarge => Rejected::too_large(endpoint),
            Unreadable::Encoding(name) => Rejected::new(
                400,
                "Invalid JSON request body",
                &[(
                    "hint",
                    format!("the body is not `{name}`; send plain JSON or gzip with its Content-Encoding")
                        .into(),
                )],
            ),
        })?;
        if body.iter().all(u8::is_ascii_whitespace) {
            let hint = "send a JSON object with `api_key` and `events`";
            return Err(Rejected::new(400, "Missing request body", &[("hint", hint.into())]));
        }
        let not_json = |e: serde_json::Error| {
            let hint = format!("{e}; send JSON in UTF-8");
            Rejected::new(400, "Invalid JSON request body", &[("hint", hint.into())])
        };
        let missing = |field: &str, hint: &str| {
            let more = [("missing_field", field.into()), ("hint", hint.into())];
            Rejected::new(400, "Request missing required field", &more)
        };
        // Small bodies can unfold to a hundred times their size in memory. So the key is looked at first,
        // and then how many values there are, before any of them is kept.
        let envelope: Envelope = read(&mut body).map_err(not_json)?;
        if let Envelope::Key(secret) = &envelope {
            self.key(secret).and_then(|grant| grant.sdk()).map_err(|e| Rejected::of(&e))?;
            if values(&body) > MOST_VALUES {
                return Err(Rejected::too_large(endpoint));
            }
        } else if matches!(envelope, Envelope::NoKey) {
            return Err(missing("api_key", "send a `client` or `server` key as text"));
        }
        let request: Json = match envelope {
            Envelope::NoObject => Json::Null,
            Envelope::Key(_) | Envelope::NoKey => read(&mut body).map_err(not_json)?,
        };
        let Json::Object(mut request) = request else {
            return Err(Rejected::new(
                400,
                "Invalid JSON request body",
                &[("hint", "the body is an object with `api_key` and `events`".into())],
            ));
        };
        let secret = request
            .get("api_key")
            .and_then(Json::as_str)
            .ok_or_else(|| missing("api_key", "send a `client` or `server` key as text"))?;
        let grant = self.key(secret).and_then(|grant| grant.sdk()).map_err(|e| Rejected::of(&e))?;
        let shortest = shortest(request.get("options"))?;
        let none = || missing("events", "send a list of at least one event");
        let events = match request.remove("events") {
            Some(Json::Array(events)) if !events.is_empty() => events,
            // Some hand-written callers send one event without the list.
            Some(one @ Json::Object(_)) => vec![one],
            _ => return Err(none()),
        };
        if events.len() > MOST_EVENTS {
            return Err(Rejected::too_large(endpoint));
        }
        let count = events.len();
        let mut problems = Problems::default();
        let mut admitted = Vec::with_capacity(count);
        for (index, raw) in events.into_iter().enumerate() {
            let raw = raw_event(raw);
            admitted.extend(admit(&grant.environment, index, raw, shortest, peer, now, &mut problems));
        }
        if !problems.is_empty() {
            return Err(refused(&problems));
        }
        let waiting = self.store.append(admitted).map_err(|e| {
            let error = AppError::from(e);
            if error.refusal != Refusal::Busy {
                tracing::error!(cause = error.cause, "events could not be taken");
            }
            Rejected::of(&error)
        })?;
        let reply = json!({
            "code": 200, "events_ingested": count, "payload_size_bytes": body.len(), "server_upload_time": now,
        });
        Ok((waiting, reply))
    }
}

/// The shortest id that the sender wants to be one.
fn shortest(options: Option<&Json>) -> Result<usize, Rejected> {
    let refused = || {
        let hint = "`options` is an object, and its `min_id_length` a whole number";
        Rejected::new(400, "Invalid JSON request body", &[("hint", hint.into())])
    };
    let asked = match options {
        None | Some(Json::Null) => &Json::Null,
        Some(Json::Object(options)) => options.get("min_id_length").unwrap_or(&Json::Null),
        Some(_) => return Err(refused()),
    };
    if asked.is_null() {
        return Ok(SHORTEST_ID);
    }
    asked.as_u64().and_then(|n| usize::try_from(n).ok()).ok_or_else(refused)
}

fn raw_event(raw: Json) -> Option<Map<String, Json>> {
    match raw {
        Json::Object(map) => Some(map),
        _ => None,
    }
}

fn refused(problems: &Problems) -> Rejected {
    let lists = |of: &BTreeMap<&'static str, Vec<usize>>| json!(of);
    let error = if problems.not_objects() {
        "Invalid event JSON"
    } else if problems.invalid.is_empty() {
        "Request missing required field"
    } else {
        "Invalid field values on some events"
    };
    let mut more = Vec::new();
    if !problems.invalid.is_empty() {
        more.push(("events_with_invalid_fields", lists(&problems.invalid)));
    }
    if !problems.missing.is_empty() {
        more.push(("events_with_missing_fields", lists(&problems.missing)));
    }
    more.push(("hint", problems.hint().into()));
    Rejected::new(400, error, &more)
}
