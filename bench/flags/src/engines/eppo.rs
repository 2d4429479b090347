//! Bench of flags: `eppo_core`, the engine of the Eppo SDKs.
//!
//! Asked by `get_assignment` with a clock that stands still; the SDKs read the clock for each
//! evaluation. Its flags do not log, so that no event is made, and those who are not in the half are
//! caught by an allocation without a hash. It has no segments: the million ids are the values of a
//! `ONE_OF` condition.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use eppo_core::eval::get_assignment;
use eppo_core::ufc::{Assignment, AssignmentValue, UniversalFlagConfig};
use eppo_core::{AttributeValue, Attributes, Configuration, EvaluationError, SdkMetadata, Str};
use md5::{Digest, Md5};
use serde_json::{Map, Value, json};

use crate::Failure;
use crate::engine::Engine;
use crate::scenario::{FlagSpec, Person, Rule, Rules};

pub(super) struct Eppo {
    configuration: Configuration,
    now: DateTime<Utc>,
}

impl Engine for Eppo {
    const NAME: &'static str = "eppo";
    const PACKAGE: &'static str = "eppo_core";
    type Context = (Str, Arc<Attributes>);
    type Answer<'a> = Result<Option<Assignment>, EvaluationError>;

    fn build(rules: &Rules) -> Result<Self, Failure> {
        let flags: Map<String, Value> =
            rules.flags.iter().map(|spec| (spec.key.clone(), flag(spec, rules))).collect();
        let wire = json!({"createdAt": "2026-01-01T00:00:00Z", "format": "SERVER",
            "environment": {"name": "production"}, "flags": flags});
        let sdk = SdkMetadata { name: "bench", version: "1" };
        let flags = UniversalFlagConfig::from_json(sdk, serde_json::to_vec(&wire)?)?;
        Ok(Self { configuration: Configuration::from_server_response(flags, None), now: DateTime::default() })
    }

    fn context(&self, person: &Person) -> Result<Self::Context, Failure> {
        let mut attributes = Attributes::new();
        if let Some(a) = &person.attributes {
            let mut set = |name: &str, value: AttributeValue| attributes.insert(name.into(), value);
            set("country", a.country.into());
            set("plan", a.plan.into());
            set("version", a.version.as_str().into());
            set("email", a.email.as_str().into());
            set("platform", a.platform.into());
            set("seats", f64::from(a.seats).into());
            for (name, value) in &a.others {
                set(name, value.as_str().into());
            }
        }
        Ok((person.id.as_str().into(), Arc::new(attributes)))
    }

    #[inline]
    fn evaluate<'a>(&'a self, flag: &'a str, (id, attributes): &'a Self::Context) -> Self::Answer<'a> {
        get_assignment(Some(&self.configuration), flag, id, attributes, None, self.now)
    }

    fn on(answer: &Self::Answer<'_>) -> Option<bool> {
        match answer {
            Ok(Some(Assignment { value: AssignmentValue::Boolean(on), .. })) => Some(*on),
            _ => None,
        }
    }

    fn half(flag: &FlagSpec, id: &str) -> bool {
        let hash = Md5::digest(format!("{}-{id}", flag.salt));
        let first = hash.iter().take(4).fold(0_u32, |n, byte| n << 8 | u32::from(*byte));
        first % 10_000 < 5_000
    }
}

fn flag(spec: &FlagSpec, rules: &Rules) -> Value {
    let condition = |attribute: &str, operator: &str, value: Value| json!({"attribute": attribute, "operator": operator, "value": value});
    let conditions = match spec.rule {
        Rule::Half => None,
        Rule::HalfOf(countries) => Some(vec![
            condition("country", "ONE_OF", json!(countries)),
            condition("plan", "ONE_OF", json!(["pro"])),
            condition("version", "GT", json!("2.0.0")),
        ]),
        Rule::Members => Some(vec![condition("id", "ONE_OF", json!(rules.members))]),
    };
    let shards = match spec.rule {
        Rule::Members => json!([]),
        Rule::Half | Rule::HalfOf(_) => json!([{"salt": spec.salt, "ranges": [{"start": 0, "end": 5_000}]}]),
    };
    let rules: Vec<Value> = conditions.into_iter().map(|c| json!({"conditions": c})).collect();
    json!({
        "key": spec.key, "enabled": true, "variationType": "BOOLEAN", "totalShards": 10_000,
        "variations": {"on": {"key": "on", "value": true}, "off": {"key": "off", "value": false}},
        "allocations": [
            {"key": "first", "rules": rules, "doLog": false, "splits": [{"variationKey": "on", "shards": shards}]},
            {"key": "rest", "rules": [], "doLog": false, "splits": [{"variationKey": "off", "shards": []}]}],
    })
}
