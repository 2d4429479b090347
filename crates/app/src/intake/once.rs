//! App intake: JSON whose objects name each field once. Of two fields with one name most readers keep the
//! last and say nothing, so that who reads a request and who answers it may think of different values.

use bellwether_model::Json;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Map;

/// JSON that is refused where an object has two fields of one name, with the place of the second.
///
/// ```
/// use bellwether_app::OnceJson;
/// let twice = serde_json::from_str::<OnceJson>(r#"{"rules": [{"on": true, "on": false}]}"#);
/// assert_eq!(twice.unwrap_err().to_string(), "`rules[0].on` is there twice at line 1 column 36");
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct OnceJson(pub Json);

impl<'de> Deserialize<'de> for OnceJson {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Reader(None).deserialize(deserializer).map(Self)
    }
}

/// Where the reader is, as a step from where it was: nothing is written of it until something is wrong.
#[derive(Clone, Copy)]
struct Place<'p> {
    above: Option<&'p Place<'p>>,
    step: Step<'p>,
}

#[derive(Clone, Copy)]
enum Step<'p> {
    Field(&'p str),
    Item(usize),
}

impl core::fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        if let Some(above) = self.above {
            above.fmt(f)?;
        }
        match self.step {
            Step::Item(at) => write!(f, "[{at}]"),
            Step::Field(field) if self.above.is_some() => write!(f, ".{field}"),
            Step::Field(field) => f.write_str(field),
        }
    }
}

struct Reader<'p>(Option<&'p Place<'p>>);

impl<'de> DeserializeSeed<'de> for Reader<'_> {
    type Value = Json;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reader<'_> {
    type Value = Json;

    fn expecting(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Json, E> {
        Ok(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Json, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Json, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Json, E> {
        Ok(value.into())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Json, E> {
        Ok(value.into())
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Json, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let mut list = Vec::new();
        loop {
            let place = Place { above: self.0, step: Step::Item(list.len()) };
            match items.next_element_seed(Reader(Some(&place)))? {
                Some(item) => list.push(item),
                None => return Ok(list.into()),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Json, A::Error> {
        let mut object = Map::new();
        while let Some(field) = fields.next_key::<String>()? {
            let place = Place { above: self.0, step: Step::Field(&field) };
            let value = fields.next_value_seed(Reader(Some(&place)))?;
            if object.contains_key(&field) {
                return Err(A::Error::custom(format_args!("`{place}` is there twice")));
            }
            object.insert(field, value);
        }
        Ok(object.into())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    /// Any JSON, with a number of names so small that they repeat by chance.
    fn text() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            Just("null".to_owned()),
            any::<bool>().prop_map(|b| b.to_string()),
            any::<i64>().prop_map(|n| n.to_string()),
            any::<f64>().prop_filter("JSON has no others", |n| n.is_finite()).prop_map(|n| format!("{n:e}")),
            "[a-z\u{e9}]{0,4}".prop_map(|s| format!("\"{s}\"")),
        ];
        leaf.prop_recursive(4, 24, 5, |inner| {
            let field = ("[abc]", inner.clone()).prop_map(|(name, value)| format!("\"{name}\": {value}"));
            prop_oneof![
                proptest::collection::vec(inner, 0..4).prop_map(|items| format!("[{}]", items.join(","))),
                proptest::collection::vec(field, 0..4)
                    .prop_map(|fields| format!("{{{}}}", fields.join(", "))),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        #[test]
        fn what_repeats_nothing_is_read_as_ever(text in text()) {
            let ours = serde_json::from_str::<OnceJson>(&text);
            let theirs: Json = serde_json::from_str(&text).unwrap();
            // What is lost by keeping the last of two fields is missing when it is written again.
            let fields = |text: &str| text.matches("\":").count();
            let repeats = fields(&text.replace(' ', "")) != fields(&theirs.to_string());
            prop_assert_eq!(ours.is_err(), repeats);
            if let Ok(OnceJson(ours)) = ours {
                prop_assert_eq!(ours, theirs);
            }
        }
    }
}
