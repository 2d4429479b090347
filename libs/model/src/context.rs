//! Model: whom or what a flag is evaluated for. A context is a targeting key and attributes, laid out
//! so that an attribute is found by comparing a few numbers.

use serde::{Deserialize, Serialize};
use serde_json::Map;

use crate::Json;
use crate::fingerprint::fingerprint;

/// The subject of an evaluation: an id and what is known about it.
///
/// Attributes are looked up by name; a name with dots walks into objects (`"plan.tier"`), the whole
/// name first. `targetingKey` and `user_id` both name the user and stand for each other.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Parts", into = "Parts")]
pub struct Context {
    /// The id of the user, OFREP's `targetingKey` and Amplitude's `user_id`; never empty.
    key: Option<String>,
    /// A fingerprint of each attribute's name, in their order. By it alone an attribute is found: whoever
    /// could make up a name that collides could as well give the attribute itself.
    names: Box<[u64]>,
    /// Everything else that is known.
    attributes: Box<[(String, Json)]>,
}

/// The stored form of a context.
#[derive(Serialize, Deserialize)]
struct Parts {
    key: Option<String>,
    attributes: Map<String, Json>,
}

impl From<Parts> for Context {
    fn from(parts: Parts) -> Self {
        Self::new(parts.key.as_deref(), parts.attributes)
    }
}

impl From<Context> for Parts {
    fn from(context: Context) -> Self {
        Self { key: context.key, attributes: context.attributes.into_iter().collect() }
    }
}

/// An attribute's name, prepared to be looked up many times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    print: u64,
    name: Box<str>,
    path: Option<Box<Path>>,
}

/// A name with dots, as the steps by which it walks into objects.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Path {
    /// Of the first step.
    print: u64,
    steps: Box<[Box<str>]>,
}

impl Attribute {
    /// Prepares a name.
    pub fn new(name: &str) -> Self {
        let path = name.contains('.').then(|| {
            let steps: Box<[Box<str>]> = name.split('.').map(Into::into).collect();
            Box::new(Path { print: steps.first().map_or(0, |first| fingerprint(first)), steps })
        });
        Self { print: fingerprint(name), name: name.into(), path }
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Context {
    /// A context; an empty key is no key.
    pub fn new(key: Option<&str>, attributes: Map<String, Json>) -> Self {
        Self {
            key: key.filter(|k| !k.is_empty()).map(str::to_owned),
            names: attributes.keys().map(|name| fingerprint(name)).collect(),
            attributes: attributes.into_iter().collect(),
        }
    }

    /// The id of the user, if one is known.
    pub fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// The attributes as they were given, without the key.
    pub fn attributes(&self) -> impl Iterator<Item = (&str, &Json)> {
        self.attributes.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// One attribute; `None` where it is missing or null.
    #[inline]
    pub fn find(&self, attribute: &Attribute) -> Option<&Json> {
        let found = match (self.named(attribute.print), &attribute.path) {
            (None, Some(path)) => self.walk(path),
            (found, _) => found,
        };
        found.filter(|v| !v.is_null())
    }

    /// One attribute by name; [`Context::find`] is for names that are asked often.
    pub fn attribute(&self, name: &str) -> Option<&Json> {
        let walk = || {
            let mut steps = name.split('.');
            let first = steps.next()?;
            let mut at = self.named(fingerprint(first))?;
            for step in steps {
                at = at.as_object()?.get(step)?;
            }
            Some(at)
        };
        self.named(fingerprint(name)).or_else(walk).filter(|v| !v.is_null())
    }

    #[inline]
    fn named(&self, print: u64) -> Option<&Json> {
        let at = self.names.iter().position(|seen| *seen == print)?;
        self.attributes.get(at).map(|(_, value)| value)
    }

    fn walk(&self, path: &Path) -> Option<&Json> {
        let (_, rest) = path.steps.split_first()?;
        let mut at = self.named(path.print)?;
        for step in rest {
            at = at.as_object()?.get(step.as_ref())?;
        }
        Some(at)
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
    #![allow(clippy::unwrap_used)]
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
        let stored = serde_json::to_value(&context).unwrap();
        assert_eq!(stored, json!({"key": "u1", "attributes": attributes}));
        assert_eq!(serde_json::from_value::<Context>(stored).unwrap(), context);
    }
}
