//! Flags, tests: a flag that asks a memory, one memory that notes and one that reads, and who holds what
//! written down once more as a naive list.

use std::cell::RefCell;
use std::collections::BTreeMap;

use bellwether_flags::{Asked, Memory, Prints, Reason, Register, Ruleset, Source, Standing, bucket};
use bellwether_model::fingerprint::fingerprint;
use bellwether_model::{Bucketing, Context, Environment, Flag, Revision, Share, Split, VariantKey};
use serde_json::{Map, Value, json};

/// A memory of one flag.
#[derive(Default)]
pub(crate) struct Remembers(pub(crate) RefCell<Register>);

/// The same, but it notes nothing.
pub(crate) struct Reads<'r>(pub(crate) &'r Remembers);

pub(crate) fn print(kind: &str, id: &str) -> u64 {
    fingerprint(&format!("{kind} {id}"))
}

pub(crate) fn prints(asked: &Asked<'_>) -> Prints {
    Prints {
        unit: asked.unit().map(|id| print("user", id)),
        device: asked.device().map(|id| print("device", id)),
    }
}

impl Memory for Remembers {
    fn stand(&self, asked: &Asked<'_>) -> Option<Standing> {
        self.0.borrow_mut().enter(asked, prints(asked))
    }
}

impl Memory for Reads<'_> {
    fn stand(&self, asked: &Asked<'_>) -> Option<Standing> {
        self.0.0.borrow().look(asked, prints(asked))
    }
}

pub(crate) fn environment() -> Environment {
    serde_json::from_value(json!({"key": "test", "name": "Test"})).unwrap()
}

pub(crate) fn key(key: &str) -> VariantKey {
    key.parse().unwrap()
}

pub(crate) fn shares(a: u16, b: u16) -> [(VariantKey, Share); 3] {
    [("a", a), ("b", b), ("off", 10_000 - a - b)].map(|(k, n)| (key(k), Share::basis_points(n).unwrap()))
}

/// How a default divides.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    /// All three variants are compared.
    Whole,
    /// `a` and `b` are, and `off` is for the others.
    Rest,
    /// From `b` to `a`.
    Rollout,
}

/// A flag as it stands between two questions.
#[derive(Debug, Clone)]
pub(crate) struct Stage {
    pub(crate) kind: Kind,
    pub(crate) split: Split,
    pub(crate) most: Option<u32>,
    pub(crate) sticky: bool,
}

impl Stage {
    pub(crate) fn new(kind: Kind, sticky: bool) -> Self {
        let (first, rest) = match kind {
            Kind::Whole => (shares(2_000, 2_000), None),
            Kind::Rest => (shares(2_000, 2_000), Some(key("off"))),
            Kind::Rollout => (shares(3_000, 7_000), Some(key("b"))),
        };
        let split = Split::new("s:1", &first, rest.as_ref()).unwrap();
        Self { kind, split, most: (!sticky).then_some(3), sticky }
    }

    pub(crate) fn flag(&self) -> Value {
        let default = match self.kind {
            Kind::Whole | Kind::Rest => json!({"serve": "split", "split": self.split}),
            Kind::Rollout => json!({"serve": "rollout", "rollout": {"candidate": "a", "control": "b",
                "split": self.split, "state": {"state": "widening"}, "started": 0, "epoch_began": 0}}),
        };
        json!({
            "key": "f", "kind": "string", "created": 0,
            "variants": [{"key": "a", "value": "a"}, {"key": "b", "value": "b"}, {"key": "off", "value": ""}],
            "settings": {"test": {"on": true, "off": "off", "default": default,
                "enrolment": {"units": self.most, "sticky": self.sticky}}},
        })
    }

    pub(crate) fn compile(&self) -> Ruleset {
        let flag: Flag = serde_json::from_value(self.flag()).unwrap();
        let needs = json!({"on": true, "off": "off", "default": {"serve": "variant", "variant": "a"},
            "prerequisites": [{"flag": "f", "variants": ["a"]}]});
        let mut child = self.flag();
        child["key"] = "child".into();
        child["settings"]["test"] = needs;
        let child: Flag = serde_json::from_value(child).unwrap();
        Ruleset::compile(&environment(), Revision(1), Source::of_flags([&flag, &child])).unwrap()
    }

    /// Whether those with this variant are what is counted and kept.
    pub(crate) fn holds(&self, variant: &str) -> bool {
        let there = self.split.ranges().iter().any(|range| range.variant.as_str() == variant);
        there
            && match self.kind {
                Kind::Whole => true,
                Kind::Rest => variant != "off",
                Kind::Rollout => variant == "a",
            }
    }

    pub(crate) fn at(&self, hash: u32) -> String {
        let edge = |points: u16| (f64::from(points) / 10_000.0 * 42_949_673.0).floor() as u32;
        let position = hash / 100;
        let range = self.split.ranges().iter().find(|r| edge(r.from) <= position && position < edge(r.to));
        range.unwrap().variant.to_string()
    }
}

/// Who holds what and stands where, by name.
#[derive(Debug, Clone, Default)]
pub(crate) struct Naive {
    pub(crate) stands: BTreeMap<String, (u32, Option<String>)>,
    pub(crate) owners: BTreeMap<String, String>,
}

impl Naive {
    /// Who was given a variant, whether or not there still is one.
    pub(crate) fn count(&self) -> usize {
        self.stands.values().filter(|(_, variant)| variant.is_some()).count()
    }

    /// The variant, the reason, and whether it is compared.
    pub(crate) fn ask(
        &mut self,
        stage: &Stage,
        user: Option<&str>,
        device: Option<&str>,
    ) -> (String, Reason, bool) {
        let hash = |id: &str| bucket(Bucketing::Utf8, stage.split.salt(), id).hash;
        // A device that is given up in this moment still counts.
        let count = self.count();
        let full = stage.most.is_some_and(|most| count >= most as usize);
        let device = device.filter(|_| stage.sticky);
        let own = |id: &str| format!("device {id}");
        // Signing in: the first user of a device takes over what stands there, unless they would lose by it.
        let who = match (user, device) {
            (None, None) => return ("off".to_owned(), Reason::NoUnit, false),
            (None, Some(device)) => match self.owners.get(device) {
                Some(user) => format!("user {user}"),
                None => own(device),
            },
            (Some(user), device) => {
                let who = format!("user {user}");
                if let Some(device) = device.filter(|device| !self.owners.contains_key(*device)) {
                    let left = self.stands.remove(&own(device));
                    let holds = |of: &(u32, Option<String>)| of.1.as_ref().is_some_and(|v| stage.holds(v));
                    let loses = |left: &(u32, Option<String>)| match self.stands.get(&who) {
                        None => true,
                        // Of a rollout people would only ever go to the candidate.
                        Some(own) => stage.kind != Kind::Rollout && holds(left) && !holds(own),
                    };
                    if let Some(left) = left.filter(loses) {
                        self.stands.insert(who.clone(), left);
                    }
                    self.owners.insert(device.to_owned(), user.to_owned());
                }
                who
            }
        };
        let stands = || (hash(user.or(device).unwrap()), None);
        let (place, held) = self.stands.get(&who).cloned().unwrap_or_else(stands);
        // Who is counted already may come to another variant.
        let counted = held.is_some();
        if let Some(held) = held.filter(|held| stage.holds(held)) {
            return (held, Reason::Kept, !(full && stage.kind == Kind::Rollout));
        }
        let drawn = stage.at(place);
        let compared = stage.kind != Kind::Rest || drawn != "off";
        let closed = compared && full && !counted;
        let comes = stage.holds(&drawn) && !closed;
        if comes || stage.sticky || self.stands.contains_key(&who) {
            self.stands.insert(who, (place, comes.then(|| drawn.clone())));
        }
        match (closed, stage.kind) {
            (true, Kind::Rollout) => ("b".to_owned(), Reason::Closed, false),
            (true, _) => ("off".to_owned(), Reason::Closed, false),
            (false, _) => (drawn, Reason::Split, compared && !(full && stage.kind == Kind::Rollout)),
        }
    }
}

pub(crate) fn context(user: Option<&str>, device: Option<&str>) -> Context {
    let device = device.map(|id| ("device_id".to_owned(), Value::from(id)));
    Context::new(user, device.into_iter().collect::<Map<_, _>>())
}
