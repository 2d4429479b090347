//! Bench of flags: `flagd-evaluation-engine`, the engine of the flagd provider for Rust.
//!
//! Asked by `Operator::apply`, which parses and compiles the targeting and serialises the context for
//! each evaluation; the provider also writes the targeting to text each time, which is done once
//! here. It has no lists of ids: the million are the values of an `in`.

use std::collections::HashMap;

use flagd_evaluation_engine::error::FlagdEvaluationError;
use flagd_evaluation_engine::{FlagParser, Operator};
use open_feature::EvaluationContext;
use serde_json::{Map, Value, json};

use super::yggdrasil::murmur;
use crate::Failure;
use crate::engine::Engine;
use crate::scenario::{FlagSpec, Person, Rule, Rules};

pub(super) struct Flagd {
    operator: Operator,
    targetings: HashMap<String, String>,
}

impl Engine for Flagd {
    const NAME: &'static str = "flagd";
    const PACKAGE: &'static str = "flagd-evaluation-engine";
    type Context = EvaluationContext;
    type Answer<'a> = Option<Result<Option<String>, FlagdEvaluationError>>;

    fn build(rules: &Rules) -> Result<Self, Failure> {
        let flags: Map<String, Value> =
            rules.flags.iter().map(|spec| (spec.key.clone(), flag(spec, rules))).collect();
        let parsed = FlagParser::parse_string(&json!({"flags": flags}).to_string())?;
        let targetings = parsed.flags.iter().map(|(key, flag)| (key.clone(), flag.get_targeting())).collect();
        Ok(Self { operator: Operator::new(), targetings })
    }

    fn context(&self, person: &Person) -> Result<EvaluationContext, Failure> {
        let mut context = EvaluationContext::default().with_targeting_key(person.id.as_str());
        if let Some(a) = &person.attributes {
            context = context
                .with_custom_field("country", a.country)
                .with_custom_field("plan", a.plan)
                .with_custom_field("version", a.version.as_str())
                .with_custom_field("email", a.email.as_str())
                .with_custom_field("platform", a.platform)
                .with_custom_field("seats", i64::from(a.seats));
            for (name, value) in &a.others {
                context = context.with_custom_field(*name, value.as_str());
            }
        }
        Ok(context)
    }

    #[inline]
    fn evaluate<'a>(&'a self, flag: &'a str, context: &'a EvaluationContext) -> Self::Answer<'a> {
        Some(self.operator.apply(flag, self.targetings.get(flag)?, context))
    }

    fn on(answer: &Self::Answer<'_>) -> Option<bool> {
        match answer.as_ref()?.as_ref().ok()?.as_deref()? {
            "on" => Some(true),
            "off" => Some(false),
            _ => None,
        }
    }

    fn half(flag: &FlagSpec, id: &str) -> bool {
        // The hash of the CBOR of `[flag, id]`, as a share of 32 bits.
        let mut cbor = vec![0x82];
        for text in [&flag.key, id] {
            // Text of less than 24 bytes; all here is.
            cbor.push(0x60 + text.len() as u8);
            cbor.extend(text.bytes());
        }
        (u64::from(murmur(&cbor)) * 100) >> 32 < 50
    }
}

fn flag(spec: &FlagSpec, rules: &Rules) -> Value {
    let half = json!({"fractional": [["on", 50], ["off", 50]]});
    let targeting = match spec.rule {
        Rule::Half => half,
        Rule::HalfOf(countries) => {
            let clauses = json!({"and": [
                {"in": [{"var": "country"}, countries]},
                {"==": [{"var": "plan"}, "pro"]},
                {"sem_ver": [{"var": "version"}, ">", "2.0.0"]}]});
            json!({"if": [clauses, half, "off"]})
        }
        Rule::Members => json!({"if": [{"in": [{"var": "targetingKey"}, rules.members]}, "on", "off"]}),
    };
    json!({"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "off",
        "targeting": targeting})
}
