//! Model: whom or what a flag is evaluated for. A context is a targeting key and attributes.

use serde::{Deserialize, Serialize};
use serde_json::Map;

use crate::Json;

/// The subject of an evaluation: an id and what is known about it.
///
/// Attributes are looked up by name; a name with dots walks into objects (`"plan.tier"`), the whole
/// name first. `targetingKey` and `user_id` both name the user and stand for each other.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Context {
    /// The id of the user, OFREP's `targetingKey` and Amplitude's `user_id`; never empty.
    key: Option<String>,
    /// Everything else that is known.
    attributes: Map<String, Json>,
}

impl Context {
    /// A context; an empty key is no key.
    pub fn new(key: Option<&str>, attributes: Map<String, Json>) -> Self {
        Self { key: key.filter(|k| !k.is_empty()).map(str::to_owned), attributes }
    }

    /// The id of the user, if one is known.
    pub fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// The attributes as they were given, without the key.
    pub fn attributes(&self) -> &Map<String, Json> {
        &self.attributes
    }

    /// One attribute by name; `None` where it is missing or null.
    pub fn attribute(&self, name: &str) -> Option<&Json> {
        self.attributes
            .get(name)
            .or_else(|| {
                let mut steps = name.split('.');
                let mut at = self.attributes.get(steps.next()?)?;
                for step in steps {
                    at = at.as_object()?.get(step)?;
                }
                Some(at)
            })
            .filter(|v| !v.is_null())
    }

    /// One attribute as text, the form in which rules compare: strings as they are, numbers and
    /// booleans as JSON writes them. The user's id answers to `targetingKey` and `user_id`.
    pub fn text(&self, name: &str) -> Option<std::borrow::Cow<'_, str>> {
        if matches!(name, "targetingKey" | "user_id") {
            return self.key().map(Into::into);
        }
        match self.attribute(name)? {
            Json::String(s) => Some(s.as_str().into()),
            other => Some(other.to_string().into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn attributes_are_found_by_name_and_by_path() {
        let attributes = json!({"plan": {"tier": "pro"}, "a.b": 1, "a": {"b": 2}, "none": null});
        let context = Context::new(Some("u1"), attributes.as_object().cloned().unwrap_or_default());
        let check = |name: &str| context.text(name).map(|t| t.into_owned());
        assert_eq!(check("plan.tier").as_deref(), Some("pro"));
        assert_eq!(check("a.b").as_deref(), Some("1"));
        assert_eq!(check("user_id").as_deref(), Some("u1"));
        assert_eq!(check("none"), None);
        assert_eq!(check("plan.tier.deep"), None);
        assert_eq!(Context::new(Some(""), Map::new()).key(), None);
    }
}
