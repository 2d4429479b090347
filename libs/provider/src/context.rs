//! Provider: OpenFeature's contexts and values in our words, and back. What cannot be said exactly is an
//! error, not a guess.

use bellwether_model::{Context, Json};
use open_feature::{
    EvaluationContext, EvaluationContextFieldValue, EvaluationError, EvaluationErrorCode, StructValue, Value,
};
use serde_json::{Map, Number};
use time::format_description::well_known::Rfc3339;

/// A context as rules see it: the same as if it had been sent over OFREP.
pub(crate) fn context(given: &EvaluationContext) -> Result<Context, EvaluationError> {
    let mut attributes = Map::new();
    for (name, value) in &given.custom_fields {
        attributes.insert(name.clone(), attribute(name, value)?);
    }
    let named = attributes.remove("targetingKey");
    let key = match (&given.targeting_key, &named) {
        (Some(key), _) => Some(key.as_str()),
        (None, Some(Json::String(key))) => Some(key.as_str()),
        (None, None | Some(Json::Null)) => None,
        (None, Some(_)) => return Err(invalid("`targetingKey` is not text; give the id as text".to_owned())),
    };
    Ok(Context::new(key, attributes))
}

fn invalid(message: String) -> EvaluationError {
    EvaluationError { code: EvaluationErrorCode::InvalidContext, message: Some(message) }
}

fn attribute(name: &str, value: &EvaluationContextFieldValue) -> Result<Json, EvaluationError> {
    Ok(match value {
        EvaluationContextFieldValue::Bool(value) => Json::Bool(*value),
        EvaluationContextFieldValue::Int(value) => Json::from(*value),
        EvaluationContextFieldValue::Float(value) => number(*value),
        EvaluationContextFieldValue::String(value) => Json::from(value.as_str()),
        EvaluationContextFieldValue::DateTime(value) => value
            .to_offset(time::UtcOffset::UTC)
            .format(&Rfc3339)
            .map(Json::from)
            .map_err(|e| invalid(format!("`{name}` is a time that cannot be written: {e}")))?,
        EvaluationContextFieldValue::Struct(value) => {
            if let Some(value) = value.downcast_ref::<Json>() {
                value.clone()
            } else if let Some(value) = value.downcast_ref::<StructValue>() {
                object(value)
            } else if let Some(value) = value.downcast_ref::<Value>() {
                json(value)
            } else {
                return Err(invalid(format!(
                    "`{name}` is a struct of a type that rules cannot read; give a `StructValue` or a `serde_json::Value`"
                )));
            }
        }
    })
}

/// A number that is none has no form in JSON, and is like a value that is missing.
fn number(value: f64) -> Json {
    Number::from_f64(value).map_or(Json::Null, Json::Number)
}

fn object(value: &StructValue) -> Json {
    value.fields.iter().map(|(name, value)| (name.clone(), json(value))).collect()
}

fn json(value: &Value) -> Json {
    match value {
        Value::Bool(value) => Json::Bool(*value),
        Value::Int(value) => Json::from(*value),
        Value::Float(value) => number(*value),
        Value::String(value) => Json::from(value.as_str()),
        Value::Array(values) => values.iter().map(json).collect(),
        Value::Struct(value) => object(value),
    }
}

/// A flag's value as the type that a program asks for; `None` where it is of another.
pub(crate) trait Typed: Sized {
    /// The type, for the message.
    const NAME: &'static str;

    fn read(value: &Json) -> Option<Self>;
}

impl Typed for bool {
    const NAME: &'static str = "a boolean";

    fn read(value: &Json) -> Option<Self> {
        value.as_bool()
    }
}

impl Typed for i64 {
    const NAME: &'static str = "a whole number";

    /// Also of `10.0`, which is the same number as `10`.
    #[allow(clippy::cast_possible_truncation, reason = "it is whole and in range")]
    fn read(value: &Json) -> Option<Self> {
        const EXACT: f64 = 9_007_199_254_740_992.0;
        let whole = |n: &f64| n.fract() == 0.0 && n.abs() <= EXACT;
        value.as_i64().or_else(|| value.as_f64().filter(whole).map(|n| n as Self))
    }
}

impl Typed for f64 {
    const NAME: &'static str = "a number";

    fn read(value: &Json) -> Option<Self> {
        value.as_f64()
    }
}

impl Typed for String {
    const NAME: &'static str = "a string";

    fn read(value: &Json) -> Option<Self> {
        value.as_str().map(str::to_owned)
    }
}

impl Typed for StructValue {
    const NAME: &'static str = "an object that OpenFeature's values can hold";

    fn read(value: &Json) -> Option<Self> {
        let mut fields = std::collections::HashMap::new();
        for (name, value) in value.as_object()? {
            // OpenFeature has no null: a field without a value is not there. In a list it would move the
            // others, so that such a list cannot be said.
            if !value.is_null() {
                fields.insert(name.clone(), held(value)?);
            }
        }
        Some(Self { fields })
    }
}

fn held(value: &Json) -> Option<Value> {
    Some(match value {
        Json::Null => return None,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(value) => match value.as_i64() {
            Some(value) => Value::Int(value),
            None => Value::Float(value.as_f64()?),
        },
        Json::String(value) => Value::String(value.clone()),
        Json::Array(values) => Value::Array(values.iter().map(held).collect::<Option<_>>()?),
        Json::Object(_) => Value::Struct(StructValue::read(value)?),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn a_context_is_what_ofrep_would_have_sent() {
        let nested = StructValue::default().with_field("tier", "pro").with_field("seats", vec![1, 2]);
        let given = EvaluationContext::default()
            .with_targeting_key("u1")
            .with_custom_field("beta", true)
            .with_custom_field("age", 33)
            .with_custom_field("score", 1.5)
            .with_custom_field("none", f64::NAN)
            .with_custom_field("country", "FI")
            .with_custom_field("targetingKey", "not this one")
            .with_custom_field("since", time::OffsetDateTime::from_unix_timestamp(1_771_545_600).unwrap())
            .with_custom_field("plan", EvaluationContextFieldValue::new_struct(nested))
            .with_custom_field("tags", EvaluationContextFieldValue::new_struct(json!(["a", null])));
        let read = context(&given).unwrap();
        assert_eq!(read.key(), Some("u1"));
        let attributes: Map<String, Json> =
            read.attributes().map(|(n, v)| (n.to_owned(), v.clone())).collect();
        assert_eq!(
            Json::from(attributes),
            json!({"beta": true, "age": 33, "score": 1.5, "none": null, "country": "FI",
                "since": "2026-02-20T00:00:00Z", "plan": {"tier": "pro", "seats": [1, 2]}, "tags": ["a", null]})
        );
    }

    #[test]
    fn the_key_may_be_an_attribute_and_must_be_text() {
        let with = |value: EvaluationContextFieldValue| {
            context(&EvaluationContext::default().with_custom_field("targetingKey", value))
        };
        assert_eq!(with("u1".into()).unwrap().key(), Some("u1"));
        assert_eq!(with(7.into()).unwrap_err().code, EvaluationErrorCode::InvalidContext);
        let odd = with(EvaluationContextFieldValue::new_struct(7_u8)).unwrap_err();
        assert!(odd.message.unwrap().starts_with("`targetingKey` is a struct of a type"));
    }

    #[test]
    fn a_value_is_of_the_type_that_is_asked_for_or_is_not_given() {
        assert_eq!((bool::read(&json!(true)), bool::read(&json!("true"))), (Some(true), None));
        let whole =
            [json!(10), json!(10.0), json!(-3), json!(1.5), json!(1e300), json!("1"), json!(u64::MAX)];
        assert_eq!(whole.map(|v| i64::read(&v)), [Some(10), Some(10), Some(-3), None, None, None, None]);
        assert_eq!((f64::read(&json!(10)), f64::read(&json!("1"))), (Some(10.0), None));
        assert_eq!((String::read(&json!("x")), String::read(&json!(1))), (Some("x".to_owned()), None));
        let object = json!({"a": [1, 2.5, {"b": "c"}], "gone": null, "t": true});
        let inner = StructValue::default().with_field("b", "c");
        let list = Value::Array(vec![Value::Int(1), Value::Float(2.5), Value::Struct(inner)]);
        let expected = StructValue::default().with_field("a", list).with_field("t", true);
        assert_eq!(StructValue::read(&object), Some(expected));
        for not in [json!([1]), json!("x"), json!({"a": [null]})] {
            assert_eq!(StructValue::read(&not), None, "{not}");
        }
    }
}
