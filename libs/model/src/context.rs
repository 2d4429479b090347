//! Model: whom or what a flag is evaluated for. A context is a targeting key and attributes, laid out so
//! that eight attributes are told apart at once, and that what most rules ask of one lies with its name.

use serde::{Deserialize, Serialize};
use serde_json::Map;

use crate::Json;
use crate::fingerprint::fingerprint;
use crate::glance::Glance;

/// The subject of an evaluation: an id and what is known about it.
///
/// Attributes are looked up by name; a name with dots walks into objects (`"plan.tier"`), the whole
/// name first. `targetingKey` and `user_id` both name the user and stand for each other.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Parts", into = "Parts")]
// In this order and from the beginning of a cache line on, so that no slot lies across two.
#[repr(C, align(64))]
pub struct Context {
    /// The id of the user, OFREP's `targetingKey` and Amplitude's `user_id`; never empty.
    key: Option<Box<str>>,
    /// The attributes behind the first eight.
    others: Option<Box<Others>>,
    /// The first eight attributes.
    first: Group,
    /// Everything else that is known.
    attributes: Box<[(String, Json)]>,
}

/// Eight attributes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(C)]
struct Group {
    tags: Tags,
    slots: [Slot; 8],
}

/// Groups of eight, with what tells them apart in one place.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Others {
    tags: Box<[Tags]>,
    slots: Box<[[Slot; 8]]>,
}

/// A byte of each name's fingerprint, the first attribute's lowest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Tags(u64);

/// One attribute; the default one is none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Slot {
    /// The fingerprint of its name. By it alone an attribute is found: whoever could make up a name that
    /// collides could as well give the attribute itself.
    print: u64,
    glance: Glance,
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
        Self { key: context.key.map(String::from), attributes: context.attributes.into_iter().collect() }
    }
}

/// An attribute's name, prepared to be looked up many times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    print: Print,
    name: Box<Name>,
}

/// The fingerprint of a name, which is not 0, and its highest byte eight times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Print {
    print: u64,
    tags: Tags,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Name {
    text: Box<str>,
    /// With dots, as the steps by which it walks into objects: the print of the first, and the others.
    path: Option<(Print, Box<[Box<str>]>)>,
}

impl Attribute {
    /// Prepares a name.
    pub fn new(name: &str) -> Self {
        let path = name
            .split_once('.')
            .map(|(first, rest)| (Print::of(first), rest.split('.').map(Into::into).collect()));
        Self { print: Print::of(name), name: Box::new(Name { text: name.into(), path }) }
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name.text
    }
}

/// A number with all bytes 1.
const ONES: u64 = u64::from_le_bytes([1; 8]);

impl Print {
    fn of(name: &str) -> Self {
        let print = fingerprint(name).max(1);
        Self { print, tags: Tags((print >> 56) * ONES) }
    }
}

impl Tags {
    /// The attribute of this name among eight.
    #[inline]
    fn find(self, slots: &[Slot; 8], sought: Print) -> Option<(usize, &Slot)> {
        // A byte is zero where the tags are the same. Taking one from it borrows, which sets its top bit;
        // that of a byte above may be set as well, so each that is set is looked at.
        let differing = self.0 ^ sought.tags.0;
        let mut same = differing.wrapping_sub(ONES) & !differing & (ONES << 7);
        while same != 0 {
            let at = same.trailing_zeros() as usize / 8;
            if let Some(slot) = slots.get(at).filter(|slot| slot.print == sought.print) {
                return Some((at, slot));
            }
            same &= same - 1;
        }
        None
    }
}

impl Group {
    fn of(attributes: &[(String, Json)]) -> Self {
        let mut group = Self::default();
        for ((name, value), slot) in attributes.iter().zip(&mut group.slots).rev() {
            let glance = value.as_str().map(Glance::of).unwrap_or_default();
            *slot = Slot { print: Print::of(name).print, glance };
            group.tags.0 = group.tags.0 << 8 | slot.print >> 56;
        }
        group
    }
}

impl Others {
    /// `None` where there are none.
    fn of(attributes: &[(String, Json)]) -> Option<Box<Self>> {
        let groups = attributes.chunks(8).skip(1).map(Group::of);
        let (tags, slots): (Vec<_>, Vec<_>) = groups.map(|group| (group.tags, group.slots)).unzip();
        (!tags.is_empty()).then(|| Box::new(Self { tags: tags.into(), slots: slots.into() }))
    }

    #[inline]
    fn groups(&self) -> impl Iterator<Item = (Tags, &[Slot; 8])> {
        self.tags.iter().copied().zip(&self.slots)
    }
}

impl Context {
    /// A context; an empty key is no key.
    pub fn new(key: Option<&str>, attributes: Map<String, Json>) -> Self {
        let attributes: Box<[_]> = attributes.into_iter().collect();
        Self {
            key: key.filter(|k| !k.is_empty()).map(Into::into),
            first: Group::of(&attributes),
            others: Others::of(&attributes),
            attributes,
        }
    }

    /// The id of the user, if one is known.
    #[inline]
    pub fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// The attributes as they were given, without the key.
    pub fn attributes(&self) -> impl Iterator<Item = (&str, &Json)> {
        self.attributes.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// What is known of an attribute at a glance; nothing where it is missing or null, or lies deeper.
    #[inline]
    pub fn glance(&self, attribute: &Attribute) -> &Glance {
        match self.first.tags.find(&self.first.slots, attribute.print) {
            Some((_, slot)) => &slot.glance,
            None => self.glance_behind(attribute.print),
        }
    }

    /// The same of those behind the first eight.
    #[inline(never)]
    fn glance_behind(&self, print: Print) -> &Glance {
        let Some(others) = &self.others else { return &Glance::NOTHING };
        let found = others.groups().find_map(|(tags, slots)| tags.find(slots, print));
        found.map_or(&Glance::NOTHING, |(_, slot)| &slot.glance)
    }

    /// One attribute; `None` where it is missing or null.
    pub fn find(&self, attribute: &Attribute) -> Option<&Json> {
        let walk = || {
            let (first, rest) = attribute.name.path.as_ref()?;
            self.walk(*first, rest.iter().map(AsRef::as_ref))
        };
        self.named(attribute.print).or_else(walk).filter(|v| !v.is_null())
    }

    /// One attribute by name; [`Context::find`] is for names that are asked often.
    pub fn attribute(&self, name: &str) -> Option<&Json> {
        let mut steps = name.split('.');
        let walk = || self.walk(Print::of(steps.next()?), steps);
        self.named(Print::of(name)).or_else(walk).filter(|v| !v.is_null())
    }

    fn named(&self, print: Print) -> Option<&Json> {
        let first = [(self.first.tags, &self.first.slots)].into_iter();
        let others = self.others.iter().flat_map(|others| others.groups());
        let mut groups = first.chain(others).zip(self.attributes.chunks(8));
        let found = groups.find_map(|((tags, slots), attributes)| attributes.get(tags.find(slots, print)?.0));
        found.map(|(_, value)| value)
    }

    fn walk<'n>(&self, print: Print, steps: impl Iterator<Item = &'n str>) -> Option<&Json> {
        let mut at = self.named(print)?;
        for step in steps {
            at = at.as_object()?.get(step)?;
        }
        Some(at)
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
        let check = |name: &str| context.attribute(name).cloned();
        assert_eq!(check("plan.tier"), Some(json!("pro")));
        assert_eq!(check("a.b"), Some(json!(1)));
        assert_eq!(context.key(), Some("u1"));
        assert_eq!(check("none"), None);
        assert_eq!(check("plan.tier.deep"), None);
        assert_eq!(Context::new(Some(""), Map::new()).key(), None);
        let stored = serde_json::to_value(&context).unwrap();
        assert_eq!(stored, json!({"key": "u1", "attributes": attributes}));
        assert_eq!(serde_json::from_value::<Context>(stored).unwrap(), context);
    }

    /// However many there are, and whatever the bytes of their fingerprints.
    #[test]
    fn every_attribute_is_found_and_no_other() {
        for count in [0, 1, 7, 8, 9, 30, 2_000] {
            let attributes: Map<String, Json> = (0..count).map(|n| (format!("a{n}"), n.into())).collect();
            let context = Context::new(None, attributes);
            for n in 0..count {
                assert_eq!(context.attribute(&format!("a{n}")), Some(&n.into()), "{n} of {count}");
            }
            for n in count..3_000 {
                assert_eq!(context.attribute(&format!("a{n}")), None, "{n} of {count}");
            }
        }
    }
}
