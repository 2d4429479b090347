//! Bench of flags: our engine, `libs/flags`.
//!
//! The whole evaluation is asked for: variant, value, reason and whether the unit is enrolled. The
//! million ids are the list of those whom a segment includes.

use std::sync::Arc;

use bellwether_flags::{Evaluation, Ids, Ruleset, Source};
use bellwether_model::{Context, Environment, Flag, ListId, Revision, Segment};
use serde_json::{Map, Value, json};

use crate::Failure;
use crate::engine::Engine;
use crate::scenario::{FlagSpec, Person, Rule, Rules};

pub(crate) struct Bellwether(Ruleset);

impl Engine for Bellwether {
    const NAME: &'static str = super::OURS;
    const PACKAGE: &'static str = "bellwether-flags";
    type Context = Context;
    type Answer<'a> = Option<Evaluation<'a>>;

    fn build(rules: &Rules) -> Result<Self, Failure> {
        let flags = rules.flags.iter().map(|spec| serde_json::from_value(flag(spec)));
        let flags = flags.collect::<Result<Vec<Flag>, _>>()?;
        let environment: Environment =
            serde_json::from_value(json!({"key": "production", "name": "Production"}))?;
        let members: Segment =
            serde_json::from_value(json!({"key": "members", "created": 0, "included": "members"}))?;
        let ids = Arc::new(Ids::new(&rules.members));
        let lists = |_: &ListId| ids.clone();
        let source = Source { segments: vec![&members], lists: &lists, ..Source::of_flags(&flags) };
        Ok(Self(Ruleset::compile(&environment, Revision(1), source)?))
    }

    fn context(&self, person: &Person) -> Result<Context, Failure> {
        let mut attributes = Map::new();
        if let Some(a) = &person.attributes {
            attributes.insert("country".into(), a.country.into());
            attributes.insert("plan".into(), a.plan.into());
            attributes.insert("version".into(), a.version.as_str().into());
            attributes.insert("email".into(), a.email.as_str().into());
            attributes.insert("platform".into(), a.platform.into());
            attributes.insert("seats".into(), a.seats.into());
            attributes.extend(a.others.iter().map(|(name, value)| ((*name).into(), value.as_str().into())));
        }
        Ok(Context::new(Some(&person.id), attributes))
    }

    #[inline]
    fn evaluate<'a>(&'a self, flag: &'a str, context: &'a Context) -> Self::Answer<'a> {
        self.0.evaluate(flag, context)
    }

    fn on(answer: &Self::Answer<'_>) -> Option<bool> {
        answer.as_ref()?.value.as_bool()
    }

    fn half(flag: &FlagSpec, id: &str) -> bool {
        // Half of 42,949,673 positions.
        super::yggdrasil::murmur(format!("{}/{id}", flag.salt).as_bytes()) / 100 < 21_474_836
    }
}

fn flag(spec: &FlagSpec) -> Value {
    let half = json!({"serve": "split", "split": {"salt": spec.salt, "ranges": [
        {"from": 0, "to": 5_000, "variant": "on"}, {"from": 5_000, "to": 10_000, "variant": "off"}]}});
    let off = json!({"serve": "variant", "variant": "off"});
    let clause = |attribute, op, values: &[&str]| json!({"attribute": attribute, "op": op, "values": values});
    let (rules, default) = match spec.rule {
        Rule::Half => (json!([]), half),
        Rule::HalfOf(countries) => {
            let clauses = json!([
                clause("country", "is", &countries),
                clause("plan", "is", &["pro"]),
                clause("version", "version_greater", &["2.0.0"]),
            ]);
            (json!([{"when": [clauses], "serve": half}]), off)
        }
        Rule::Members => {
            let serve = json!({"serve": "variant", "variant": "on"});
            (json!([{"when": [[{"segment": "members"}]], "serve": serve}]), off)
        }
    };
    json!({
        "key": spec.key, "kind": "boolean", "created": 0,
        "variants": [{"key": "on", "value": true}, {"key": "off", "value": false}],
        "settings": {"production": {"on": true, "off": "off", "rules": rules, "default": default}},
    })
}
