//! Bench of flags: `growthbook-rust`, the GrowthBook SDK.
//!
//! Asked by `GrowthBook::check`, the core below its client; the client takes a lock and wants the
//! attributes by value. A segment is a saved group, in which it searches from the beginning.

use growthbook_rust::dto::GrowthBookFeature;
use growthbook_rust::growthbook::GrowthBook;
use growthbook_rust::model_public::{FeatureResult, GrowthBookAttribute, SavedGroup};
use serde_json::{Value, json};

use crate::Failure;
use crate::engine::Engine;
use crate::scenario::{FlagSpec, Person, Rule, Rules};

pub(super) struct Growthbook(GrowthBook);

impl Engine for Growthbook {
    const NAME: &'static str = "growthbook";
    const PACKAGE: &'static str = "growthbook-rust";
    type Context = Option<Vec<GrowthBookAttribute>>;
    type Answer<'a> = FeatureResult;

    fn build(rules: &Rules) -> Result<Self, Failure> {
        let features = rules.flags.iter().map(|spec| {
            let feature: GrowthBookFeature = serde_json::from_value(feature(spec))?;
            Ok((spec.key.clone(), feature))
        });
        let features = features.collect::<Result<_, Failure>>()?;
        let groups = [("members".to_owned(), SavedGroup::from(&json!(rules.members)))].into();
        Ok(Self(GrowthBook {
            forced_variations: None,
            features,
            attributes: None,
            sticky_bucket_service: None,
            saved_groups: groups,
        }))
    }

    fn context(&self, person: &Person) -> Result<Self::Context, Failure> {
        let mut attributes = json!({"id": person.id});
        if let Some(a) = &person.attributes {
            attributes = json!({"id": person.id, "country": a.country, "plan": a.plan, "version": a.version,
                "email": a.email, "platform": a.platform, "seats": a.seats});
            for (name, value) in &a.others {
                attributes[*name] = value.as_str().into();
            }
        }
        let attributes = GrowthBookAttribute::from(attributes).map_err(|e| format!("{e:?}"))?;
        Ok(Some(attributes))
    }

    #[inline]
    fn evaluate<'a>(&'a self, flag: &'a str, context: &'a Self::Context) -> FeatureResult {
        self.0.check(flag, context)
    }

    fn on(answer: &FeatureResult) -> Option<bool> {
        answer.value.as_bool()
    }

    fn half(flag: &FlagSpec, id: &str) -> bool {
        fnv1a(&fnv1a(&format!("{}{id}", flag.salt)).to_string()) % 10_000 < 5_000
    }
}

/// FNV-1a, 32 bits.
fn fnv1a(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

fn feature(spec: &FlagSpec) -> Value {
    let mut half =
        json!({"force": true, "coverage": 0.5, "hashAttribute": "id", "seed": spec.salt, "hashVersion": 2});
    let rule = match spec.rule {
        Rule::Half => half,
        Rule::HalfOf(countries) => {
            half["condition"] =
                json!({"country": {"$in": countries}, "plan": "pro", "version": {"$vgt": "2.0.0"}});
            half
        }
        Rule::Members => json!({"force": true, "condition": {"id": {"$inGroup": "members"}}}),
    };
    json!({"defaultValue": false, "rules": [rule]})
}
