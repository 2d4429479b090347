//! Flags: why. The record of one evaluation, in the order in which things were looked at, owned and
//! serialisable, so that a door can show it. What was not looked at is not in it.

use bellwether_model::{EnvironmentKey, FlagKey, Json, Op, Revision, Unit, VariantKey};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::bucket::Bucket;
use crate::evaluate::{Evaluation, Reason, Visitor};
use crate::ruleset::{Arm, Condition, Place, Segment, Serves};
use crate::test::Seen;

/// An evaluation and every step that led to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Explanation {
    /// The flag.
    pub flag: FlagKey,
    /// The environment whose setting was evaluated.
    pub environment: EnvironmentKey,
    /// The revision of the rules.
    pub revision: Revision,
    /// The variant that was served.
    pub variant: VariantKey,
    /// Its value.
    pub value: Json,
    /// Why, in short.
    pub reason: Reason,
    /// Whether a split enrolled the unit.
    pub enrolled: bool,
    /// What was looked at, in order; the last one decided.
    pub steps: Vec<Step>,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum Step {
    /// The flag is off.
    Off,
    /// A list of units that get a variant of their own.
    Target {
        /// What those in it get.
        variant: VariantKey,
        /// Whether the unit is in it.
        matched: bool,
    },
    /// A rule.
    Rule {
        /// Which one, from 0.
        index: u32,
        /// Its name, or its number.
        name: String,
        /// Whether it matched.
        matched: bool,
        /// The groups that were tested, up to the first that held; of each the clauses up to the
        /// first that did not.
        groups: Vec<Vec<ClauseStep>>,
    },
    /// What is served to whom no target and no rule took.
    Default,
    /// A split placed the unit.
    Bucket(Bucketed),
}

/// A clause that was tested.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ClauseStep {
    /// The attribute.
    pub attribute: String,
    /// The test.
    pub op: Op,
    /// What it was tested against.
    pub values: Vec<String>,
    /// What the context has there; absent when it has nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<Json>,
    /// Whether it held.
    pub matched: bool,
}

/// Where a split placed the unit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Bucketed {
    /// What the split divides by.
    pub unit: Unit,
    /// The salt of the split.
    pub salt: String,
    /// The unit's id; absent when the context has none, and then nothing was placed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// MurmurHash3 of `salt/id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<u32>,
    /// A hundredth of the hash, which decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<u32>,
    /// The position in percent of the population, to be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent: Option<f64>,
    /// The ranges of the split.
    pub ranges: Vec<Stretch>,
}

/// A range of a split.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Stretch {
    /// Its owner.
    pub variant: VariantKey,
    /// Where it begins, in basis points.
    pub from: u16,
    /// Where it ends, in basis points.
    pub to: u16,
    /// Whether the unit stands in it.
    pub chosen: bool,
}

/// Records what an evaluation does.
#[derive(Default)]
pub(crate) struct Record {
    steps: Vec<Step>,
}

impl Record {
    pub(crate) fn explain(
        self,
        environment: &EnvironmentKey,
        revision: Revision,
        evaluation: &Evaluation<'_>,
    ) -> Explanation {
        Explanation {
            flag: evaluation.flag.clone(),
            environment: environment.clone(),
            revision,
            variant: evaluation.variant.clone(),
            value: evaluation.value.clone(),
            reason: evaluation.reason,
            enrolled: evaluation.enrolled,
            steps: self.steps,
        }
    }
}

impl Visitor for Record {
    fn enter(&mut self, segment: &Segment) {
        self.steps.push(match (segment.place, &segment.serves) {
            (Place::Off, _) => Step::Off,
            (Place::Target, Serves::One(outcome)) => {
                Step::Target { variant: outcome.key.clone(), matched: false }
            }
            (Place::Rule(index), _) => {
                Step::Rule { index, name: segment.name.to_string(), matched: false, groups: Vec::new() }
            }
            (Place::Target | Place::Everybody | Place::Default, _) => Step::Default,
        });
    }

    fn group(&mut self) {
        if let Some(Step::Rule { groups, .. }) = self.steps.last_mut() {
            groups.push(Vec::new());
        }
    }

    fn clause(&mut self, condition: &Condition, seen: Option<Seen<'_>>, held: bool) {
        let Some(Step::Rule { groups, .. }) = self.steps.last_mut() else { return };
        let Some(group) = groups.last_mut() else { return };
        group.push(ClauseStep {
            attribute: condition.source.attribute.clone(),
            op: condition.source.op,
            values: condition.source.values.clone(),
            found: seen.map(|seen| match seen {
                Seen::Text(text) => text.into(),
                Seen::Json(value) => value.clone(),
            }),
            matched: held,
        });
    }

    fn leave(&mut self, held: bool) {
        if let Some(Step::Target { matched, .. } | Step::Rule { matched, .. }) = self.steps.last_mut() {
            *matched = held;
        }
    }

    fn split(&mut self, unit: Unit, salt: &str, arms: &[Arm], placed: Option<(&str, Bucket)>) {
        let position = placed.map(|(_, bucket)| bucket.position());
        let (mut from, mut begin) = (0, 0);
        let mut ranges = Vec::with_capacity(arms.len());
        for arm in arms {
            let chosen = position.is_some_and(|p| (begin..arm.end).contains(&p));
            ranges.push(Stretch { variant: arm.outcome.key.clone(), from, to: arm.to, chosen });
            (from, begin) = (arm.to, arm.end);
        }
        self.steps.push(Step::Bucket(Bucketed {
            unit,
            salt: salt.to_owned(),
            id: placed.map(|(id, _)| id.to_owned()),
            hash: placed.map(|(_, bucket)| bucket.hash),
            position,
            percent: placed.map(|(_, bucket)| bucket.percent()),
            ranges,
        }));
    }
}
