//! App intake: logs over OTLP/HTTP. A record that is an event of somebody becomes one, an evaluation of a flag
//! an exposure; what is neither is counted as not taken, which is the protocol's partial success.

mod message;

use bellwether_model::event::{EVALUATION, EXPOSURE, FLAG_KEY, VARIANT};
use bellwether_model::{EnvironmentKey, Json, Millis, Properties};
use prost::Message;
use serde_json::json;

use super::door::{Body, Door, Read, Refused, Reply, Sent, Voice, no_key};
use super::envelope;
use super::inspection::Inspection;
use super::raw::{Field, RawEvent, Rules, Time, admit};
use crate::App;
use crate::access::hex;
use crate::error::{AppError, Refusal};
use message::{LogRecord, PartialSuccess, Request, Response, Status, properties, request};

/// Older names of attributes, and what they are called now. The newer counts where both are there.
const RENAMED: [(&str, &str); 4] = [
    ("feature_flag.variant", "feature_flag.result.variant"),
    ("feature_flag.provider_name", "feature_flag.provider.name"),
    ("feature_flag.evaluation.reason", "feature_flag.result.reason"),
    ("feature_flag.evaluation.error.message", "feature_flag.error.message"),
];
/// Attributes that name the user, the first that is there.
pub(super) const USER: [&str; 3] = ["user.id", "enduser.id", "enduser.pseudo.id"];
/// Attributes that name the device.
pub(super) const DEVICE: [&str; 2] = ["device.id", "app.installation.id"];

/// A refusal of ours: `google.rpc.Status`. Senders try again after 429 and 503 only.
pub(super) fn refusal(error: &AppError, json: bool) -> Reply {
    // Codes of gRPC.
    let (status, code) = match error.refusal {
        Refusal::Unauthenticated => (401, 16),
        Refusal::Forbidden => (403, 7),
        Refusal::Busy => (429, 8),
        Refusal::TooLarge => (413, 3),
        Refusal::BadInput => (400, 3),
        Refusal::Method => (405, 12),
        _ => (503, 14),
    };
    let message = format!("{}; {}", error.message, error.hint);
    match json {
        true => Reply::json(status, json!({"code": code, "message": message})),
        false => Reply {
            status,
            body: Body::Protobuf(Status { code, message }.encode_to_vec()),
            retry_after: None,
        },
    }
}

/// Reads a request.
pub(super) fn read(app: &App, sent: &Sent<'_>, now: Millis, plan: &Inspection) -> Result<Read, Refused> {
    let voice = Voice::to(Door::OtlpLogs, sent);
    let key = sent.scheme("bearer").or_else(|| sent.scheme("api-key")).or(sent.api_key);
    let key = key.ok_or_else(|| no_key("send `Authorization: Bearer`, with a `client` or `server` key"))?;
    let sender = app.sender(key)?;
    let mut body = sent.unpacked(Door::OtlpLogs)?;
    let logs = if voice.json {
        let whole = envelope::keep(&mut body)?;
        let hint = "send `{\"resourceLogs\": […]}`, or protobuf as `application/x-protobuf`";
        request(&whole).ok_or_else(|| AppError::bad_input("the body is no request of OTLP logs", hint))?
    } else {
        Request::decode(&*body).map_err(|e| {
            AppError::bad_input(
                format!("the body is no request of OTLP logs: {e}"),
                "send an ExportLogsServiceRequest",
            )
        })?
    };
    let rules = Rules { shortest: 1, numbers_name: true, called, peer: sent.peer, now, plan };
    let (mut events, mut problems, mut index, mut rejected) = (Vec::new(), Vec::new(), 0, 0_i64);
    for of in logs.resource_logs {
        let resource = properties(of.resource.unwrap_or_default().attributes);
        for record in of.scope_logs.into_iter().flat_map(|scope| scope.log_records) {
            let raw = event(app, &sender.environment, record, &resource, now);
            let before = problems.len();
            let admitted = admit(&sender.environment, index, Some(raw), &rules, &mut problems);
            rejected += i64::from(problems.len() > before);
            events.extend(admitted);
            index += 1;
        }
    }
    let said =
        problems.first().map(|first| format!("`{}` of record {}: {}", first.field, first.index, first.hint));
    let partial = said.map(|error_message| PartialSuccess { rejected_log_records: rejected, error_message });
    let body = match voice.json {
        // In JSON a long integer is text.
        true => Body::Json(partial.map_or_else(
            || json!({}),
            |p| json!({"partialSuccess": {"rejectedLogRecords": p.rejected_log_records.to_string(), "errorMessage": p.error_message}}),
        )),
        false => Body::Protobuf(Response { partial_success: partial }.encode_to_vec()),
    };
    Ok(Read::by(sender, events, Reply { status: 200, body, retry_after: None }, plan))
}

/// What the fields of a record are called.
fn called(field: Field) -> &'static str {
    match field {
        Field::Event => "logRecord",
        Field::Name => "eventName",
        Field::User => "user.id",
        Field::Device => "device.id",
        Field::Time => "timeUnixNano",
        Field::InsertId => "log.record.uid",
        Field::Session => "session.id",
        Field::Properties => "attributes",
        Field::UserProperties | Field::Groups | Field::GroupProperties => "attributes",
        Field::Of(name) => name,
    }
}

/// A record as an event.
fn event(
    app: &App,
    environment: &EnvironmentKey,
    record: LogRecord,
    resource: &Properties,
    now: Millis,
) -> RawEvent {
    let mut attributes = properties(record.attributes);
    for (old, new) in RENAMED {
        if let Some(value) = attributes.remove(old) {
            attributes.entry(new).or_insert(value);
        }
    }
    let mut take = |name: &str| attributes.remove(name).filter(|v| !v.is_null());
    let name = Some(record.event_name).filter(|name| !name.is_empty()).map(Json::from);
    let name = name.or_else(|| take("event.name"));
    let nanos = [record.time_unix_nano, record.observed_time_unix_nano].into_iter().find(|at| *at > 0);
    let time = nanos.map_or(Time::Missing, |at| Time::At(i64::try_from(at / 1_000_000).unwrap_or(i64::MAX)));
    let mut raw = RawEvent { time, ..RawEvent::default() };
    raw.user = USER.iter().find_map(|name| take(name)).unwrap_or_default();
    raw.device = DEVICE.iter().find_map(|name| take(name)).unwrap_or_default();
    raw.insert_id = take("log.record.uid").unwrap_or_default();
    let evaluation = name.as_ref().is_some_and(|name| name == EVALUATION || name == "feature_flag");
    raw.name = name.unwrap_or_default();
    if evaluation {
        raw.name = EVALUATION.into();
        // Whose evaluation it was is the unit that was divided by.
        if let Some(unit) = take("feature_flag.context.id") {
            raw.user = unit;
        }
        let failed = attributes.contains_key("error.type")
            || attributes.get("feature_flag.result.reason").is_some_and(|reason| reason == "error");
        let flag = attributes.get("feature_flag.key").and_then(Json::as_str).map(str::to_owned);
        let variant = attributes.get("feature_flag.result.variant").and_then(Json::as_str).map(str::to_owned);
        // An answer that failed showed nobody a variant.
        if let (Some(flag), Some(variant), false) = (flag, variant, failed) {
            attributes.remove("feature_flag.key");
            attributes.remove("feature_flag.result.variant");
            if raw.insert_id.is_null() {
                let (user, device) = (raw.user.as_str(), raw.device.as_str());
                // Of the day on which it was seen: an exporter that was cut off brings many days at once.
                let at = match raw.time {
                    Time::At(at) => Millis(at),
                    Time::Missing | Time::Unreadable(_) => now,
                };
                let id = app.exposure_id(environment, &flag, &variant, user, device, at);
                raw.insert_id = id.map_or(Json::Null, Json::from);
            }
            attributes.insert(FLAG_KEY.into(), flag.into());
            attributes.insert(VARIANT.into(), variant.into());
            raw.name = EXPOSURE.into();
        }
    }
    if let Some(body) = Some(message::json(record.body)).filter(|body| !body.is_null()) {
        attributes.entry("body").or_insert(body);
    }
    for (name, value) in [
        ("severity", record.severity_text),
        ("trace_id", hex(&record.trace_id)),
        ("span_id", hex(&record.span_id)),
    ] {
        if !value.is_empty() {
            attributes.entry(name).or_insert_with(|| value.into());
        }
    }
    facts(&mut raw, &mut attributes, resource);
    raw.properties = attributes.into();
    raw
}

/// What the resource says of app and device; the rest of it is kept as a property.
fn facts(raw: &mut RawEvent, attributes: &mut Properties, resource: &Properties) {
    let mut rest = resource.clone();
    for (name, fact) in [
        ("service.version", "app_version"),
        ("os.name", "os_name"),
        ("os.version", "os_version"),
        ("device.manufacturer", "device_manufacturer"),
        ("device.model.name", "device_model"),
        ("user_agent.original", "user_agent"),
        ("client.address", "ip"),
    ] {
        let inner = attributes.remove(name);
        if let Some(value) = inner.or_else(|| rest.remove(name)).filter(|v| !v.is_null()) {
            raw.facts.push((fact, value));
        }
    }
    let library = ["telemetry.sdk.name", "telemetry.sdk.version"].map(|n| rest.get(n).and_then(Json::as_str));
    if let [Some(name), Some(version)] = library {
        raw.facts.push(("library", format!("{name}/{version}").into()));
        rest.remove("telemetry.sdk.name");
        rest.remove("telemetry.sdk.version");
    }
    // Ids of who did it may stand there, too.
    for (id, names) in [(&mut raw.user, USER.as_slice()), (&mut raw.device, DEVICE.as_slice())] {
        if let Some(value) = names.iter().find_map(|name| rest.remove(*name)).filter(|_| id.is_null()) {
            *id = value;
        }
    }
    if !rest.is_empty() {
        attributes.insert("$resource".into(), rest.into());
    }
}
