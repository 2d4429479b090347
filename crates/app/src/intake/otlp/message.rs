//! App intake: the messages of OTLP's logs, in protobuf and in JSON. Field numbers are those of
//! `opentelemetry/proto/logs/v1` and `common/v1`; fields that nothing here asks for are left out.

use bellwether_model::{Json, Properties};

/// What is sent.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Request {
    #[prost(message, repeated, tag = "1")]
    pub(super) resource_logs: Vec<ResourceLogs>,
}

/// Logs of one resource.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ResourceLogs {
    #[prost(message, optional, tag = "1")]
    pub(super) resource: Option<Resource>,
    #[prost(message, repeated, tag = "2")]
    pub(super) scope_logs: Vec<ScopeLogs>,
}

/// What logs come from.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Resource {
    #[prost(message, repeated, tag = "1")]
    pub(super) attributes: Vec<KeyValue>,
}

/// Logs of one library.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ScopeLogs {
    #[prost(message, repeated, tag = "2")]
    pub(super) log_records: Vec<LogRecord>,
}

/// One record.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct LogRecord {
    #[prost(fixed64, tag = "1")]
    pub(super) time_unix_nano: u64,
    #[prost(fixed64, tag = "11")]
    pub(super) observed_time_unix_nano: u64,
    #[prost(string, tag = "3")]
    pub(super) severity_text: String,
    #[prost(message, optional, tag = "5")]
    pub(super) body: Option<AnyValue>,
    #[prost(message, repeated, tag = "6")]
    pub(super) attributes: Vec<KeyValue>,
    #[prost(bytes = "vec", tag = "9")]
    pub(super) trace_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "10")]
    pub(super) span_id: Vec<u8>,
    #[prost(string, tag = "12")]
    pub(super) event_name: String,
}

/// A named value.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct KeyValue {
    #[prost(string, tag = "1")]
    pub(super) key: String,
    #[prost(message, optional, tag = "2")]
    pub(super) value: Option<AnyValue>,
}

/// A value of any type.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct AnyValue {
    #[prost(oneof = "Value", tags = "1, 2, 3, 4, 5, 6, 7")]
    pub(super) value: Option<Value>,
}

/// What a value is.
#[derive(Clone, PartialEq, prost::Oneof)]
pub(super) enum Value {
    #[prost(string, tag = "1")]
    Text(String),
    #[prost(bool, tag = "2")]
    Bool(bool),
    #[prost(int64, tag = "3")]
    Int(i64),
    #[prost(double, tag = "4")]
    Double(f64),
    #[prost(message, tag = "5")]
    Array(ArrayValue),
    #[prost(message, tag = "6")]
    List(KeyValueList),
    #[prost(bytes, tag = "7")]
    Bytes(Vec<u8>),
}

/// Values in order.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ArrayValue {
    #[prost(message, repeated, tag = "1")]
    pub(super) values: Vec<AnyValue>,
}

/// Named values.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct KeyValueList {
    #[prost(message, repeated, tag = "1")]
    pub(super) values: Vec<KeyValue>,
}

/// What is answered.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Response {
    #[prost(message, optional, tag = "1")]
    pub(super) partial_success: Option<PartialSuccess>,
}

/// What was not taken.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct PartialSuccess {
    #[prost(int64, tag = "1")]
    pub(super) rejected_log_records: i64,
    #[prost(string, tag = "2")]
    pub(super) error_message: String,
}

/// `google.rpc.Status`, how a refusal is said.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Status {
    #[prost(int32, tag = "1")]
    pub(super) code: i32,
    #[prost(string, tag = "2")]
    pub(super) message: String,
}

/// A value as JSON. A number that JSON does not have is text, as in OTLP's own JSON; bytes are base64.
pub(super) fn json(value: Option<AnyValue>) -> Json {
    use base64::Engine;
    match value.and_then(|value| value.value) {
        None => Json::Null,
        Some(Value::Text(text)) => text.into(),
        Some(Value::Bool(bool)) => bool.into(),
        Some(Value::Int(int)) => int.into(),
        Some(Value::Double(x)) if x.is_finite() => x.into(),
        Some(Value::Double(x)) if x.is_nan() => "NaN".into(),
        Some(Value::Double(x)) => if x > 0.0 { "Infinity" } else { "-Infinity" }.into(),
        Some(Value::Array(list)) => list.values.into_iter().map(|value| json(Some(value))).collect(),
        Some(Value::List(list)) => Json::Object(properties(list.values)),
        Some(Value::Bytes(bytes)) => base64::engine::general_purpose::STANDARD.encode(bytes).into(),
    }
}

/// Named values as properties; of two with one name the later counts.
pub(super) fn properties(list: Vec<KeyValue>) -> Properties {
    list.into_iter().map(|KeyValue { key, value }| (key, json(value))).collect()
}

/// A request in OTLP's JSON: names in lowerCamelCase, ids in hexadecimal, long integers as text.
pub(super) fn request(whole: &Json) -> Option<Request> {
    let resource_logs = each(whole, "resourceLogs", |of| {
        let resource =
            of.get("resource").map(|r| Some(Resource { attributes: each(r, "attributes", key_value)? }));
        let scope_logs =
            each(of, "scopeLogs", |of| Some(ScopeLogs { log_records: each(of, "logRecords", record)? }))?;
        Some(ResourceLogs { resource: resource.flatten(), scope_logs })
    });
    whole.is_object().then_some(Request { resource_logs: resource_logs? })
}

/// The list of this name, which may be missing.
fn each<T>(of: &Json, name: &str, read: impl Fn(&Json) -> Option<T>) -> Option<Vec<T>> {
    match of.get(name) {
        None | Some(Json::Null) => Some(Vec::new()),
        Some(list) => list.as_array()?.iter().map(read).collect(),
    }
}

fn record(of: &Json) -> Option<LogRecord> {
    let nanos = |name: &str| match of.get(name) {
        None | Some(Json::Null) => Some(0),
        Some(Json::String(text)) => text.parse().ok(),
        Some(number) => number.as_u64(),
    };
    let text = |name: &str| of.get(name).and_then(Json::as_str).unwrap_or_default().to_owned();
    Some(LogRecord {
        time_unix_nano: nanos("timeUnixNano")?,
        observed_time_unix_nano: nanos("observedTimeUnixNano")?,
        severity_text: text("severityText"),
        body: of.get("body").and_then(any),
        attributes: each(of, "attributes", key_value)?,
        trace_id: bytes(&text("traceId")),
        span_id: bytes(&text("spanId")),
        event_name: text("eventName"),
    })
}

/// Bytes of hexadecimal; what is none is none.
fn bytes(hex: &str) -> Vec<u8> {
    let pairs = hex.as_bytes().chunks(2);
    let read = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    pairs.map(read).collect::<Option<Vec<u8>>>().unwrap_or_default()
}

fn key_value(of: &Json) -> Option<KeyValue> {
    Some(KeyValue { key: of.get("key")?.as_str()?.to_owned(), value: of.get("value").and_then(any) })
}

/// A value. What is not as its kind says is kept as it came, so that nothing is lost without a word.
fn any(of: &Json) -> Option<AnyValue> {
    let (kind, value) = of.as_object()?.iter().next()?;
    let read = match (kind.as_str(), value) {
        ("stringValue", Json::String(text)) => Some(Value::Text(text.clone())),
        ("boolValue", Json::Bool(bool)) => Some(Value::Bool(*bool)),
        ("intValue", Json::String(text)) => text.parse().ok().map(Value::Int),
        ("intValue", number) => number.as_i64().map(Value::Int),
        // `NaN` and the infinities are texts here, and Rust reads them under these names.
        ("doubleValue", Json::String(text)) => text.parse().ok().map(Value::Double),
        ("doubleValue", number) => number.as_f64().map(Value::Double),
        ("arrayValue", list) => each(list, "values", any).map(|values| Value::Array(ArrayValue { values })),
        ("kvlistValue", list) => {
            each(list, "values", key_value).map(|values| Value::List(KeyValueList { values }))
        }
        ("bytesValue", Json::String(text)) => super::super::form::decode(text).map(Value::Bytes),
        _ => None,
    };
    let value = read.or_else(|| kept(value))?;
    Some(AnyValue { value: Some(value) })
}

/// A value of no kind, or not of its own: a whole number beyond 64 bits is the nearest double, as in all JSON, and what
/// is no text and no number is kept as its JSON.
fn kept(value: &Json) -> Option<Value> {
    Some(match value {
        Json::Null => return None,
        Json::Bool(bool) => Value::Bool(*bool),
        Json::Number(number) => Value::Double(number.as_f64()?),
        Json::String(text) => match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Value::Double(number),
            _ => Value::Text(text.clone()),
        },
        Json::Array(_) | Json::Object(_) => Value::Text(value.to_string()),
    })
}
