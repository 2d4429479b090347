//! Bench of flags: `launchdarkly-server-sdk-evaluation`, the engine of the LaunchDarkly Rust SDK.
//!
//! The flag is found in a hash map and lent to the engine; the SDK's own store clones it. For the
//! million ids there are two ways, and both are measured: individual targets, and a segment, which
//! the engine's interface to its store clones for each evaluation.

use std::collections::HashMap;

use launchdarkly_server_sdk_evaluation::{
    Context, ContextBuilder, Detail, Flag, FlagValue, Segment, Store, evaluate,
};
use serde_json::{Value, json};
use sha1::{Digest, Sha1};

use crate::Failure;
use crate::engine::Engine;
use crate::scenario::{FlagSpec, Person, Rule, Rules};

pub(super) struct LaunchDarkly<const SEGMENT: bool> {
    flags: HashMap<String, Flag>,
    segments: Segments,
}

struct Segments(HashMap<String, Segment>);

impl Store for Segments {
    fn flag(&self, _key: &str) -> Option<Flag> {
        None
    }

    fn segment(&self, key: &str) -> Option<Segment> {
        self.0.get(key).cloned()
    }
}

impl<const SEGMENT: bool> Engine for LaunchDarkly<SEGMENT> {
    const NAME: &'static str = if SEGMENT { "launchdarkly, segment" } else { "launchdarkly" };
    const PACKAGE: &'static str = "launchdarkly-server-sdk-evaluation";
    type Context = Context;
    type Answer<'a> = Option<Detail<&'a FlagValue>>;

    fn build(rules: &Rules) -> Result<Self, Failure> {
        let mut flags = HashMap::new();
        for spec in &rules.flags {
            flags.insert(spec.key.clone(), serde_json::from_value(flag(spec, rules, SEGMENT))?);
        }
        let mut segments = HashMap::new();
        if SEGMENT {
            let segment = json!({"key": "members", "version": 1, "salt": "members", "rules": [], "excluded": [],
                "included": rules.members});
            segments.insert("members".into(), serde_json::from_value(segment)?);
        }
        Ok(Self { flags, segments: Segments(segments) })
    }

    fn context(&self, person: &Person) -> Result<Context, Failure> {
        let mut builder = ContextBuilder::new(person.id.as_str());
        if let Some(a) = &person.attributes {
            builder.set_string("country", a.country).set_string("plan", a.plan);
            builder.set_string("version", a.version.as_str()).set_string("email", a.email.as_str());
            builder.set_string("platform", a.platform).set_float("seats", f64::from(a.seats));
            for (name, value) in &a.others {
                builder.set_string(name, value.as_str());
            }
        }
        Ok(builder.build()?)
    }

    #[inline]
    fn evaluate<'a>(&'a self, flag: &'a str, context: &'a Context) -> Self::Answer<'a> {
        Some(evaluate(&self.segments, self.flags.get(flag)?, context, None))
    }

    fn on(answer: &Self::Answer<'_>) -> Option<bool> {
        answer.as_ref()?.value?.as_bool()
    }

    fn half(flag: &FlagSpec, id: &str) -> bool {
        // The first 15 hexadecimal digits, as a share of the largest such number.
        let hash = Sha1::digest(format!("{}.{}.{id}", flag.key, flag.salt));
        let digits = hash.iter().take(8).fold(0_u64, |n, byte| n << 8 | u64::from(*byte)) >> 4;
        (digits as f32 / 0x0fff_ffff_ffff_ffff_u64 as f32) < 0.5
    }
}

fn flag(spec: &FlagSpec, rules: &Rules, segment: bool) -> Value {
    let (on, off) = (0, 1);
    let half = json!({"contextKind": "user", "variations": [
        {"variation": on, "weight": 50_000}, {"variation": off, "weight": 50_000}]});
    let clause = |attribute: &str, op: &str, values: &[&str]| json!({"contextKind": "user", "attribute": attribute, "op": op, "values": values});
    let rule = |clauses: Value| json!({"id": "first", "trackEvents": false, "clauses": clauses});
    let (mut targets, mut first, mut fallthrough) = (json!([]), json!([]), json!({"variation": off}));
    match spec.rule {
        Rule::Half => fallthrough = json!({"rollout": half}),
        Rule::HalfOf(countries) => {
            let mut rule = rule(json!([
                clause("country", "in", &countries),
                clause("plan", "in", &["pro"]),
                clause("version", "semVerGreaterThan", &["2.0.0"]),
            ]));
            rule["rollout"] = half;
            first = json!([rule]);
        }
        Rule::Members if segment => {
            let mut rule = rule(json!([clause("", "segmentMatch", &["members"])]));
            rule["variation"] = on.into();
            first = json!([rule]);
        }
        Rule::Members => targets = json!([{"variation": on, "values": rules.members}]),
    }
    json!({
        "key": spec.key, "version": 1, "on": true, "salt": spec.salt, "clientSide": false,
        "variations": [true, false], "offVariation": off, "prerequisites": [],
        "targets": targets, "rules": first, "fallthrough": fallthrough,
    })
}
