//! Flags: why. The record of one evaluation, in the order in which things were looked at, owned and
//! serialisable, so that a door can show it. What was not looked at is not in it.

use bellwether_model::{
    BetaKey, Context, EnvironmentKey, FlagKey, HoldoutKey, Json, LayerKey, Op, Revision, SegmentKey, Unit,
    VariantKey,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::bucket::Bucket;
use crate::compile::Role;
use crate::enrolment::{Asked, How, Memory, Origin, Standing};
use crate::evaluate::{Evaluation, Membership, Reason, Visitor};
use crate::place::Seen;
use crate::ruleset::{Arm, Branch, Gate, Members, Parent, Part, Serves, Tested};

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
    /// Another flag that must serve a variant first.
    Prerequisite {
        /// That flag.
        flag: FlagKey,
        /// The variants that will do.
        variants: Vec<VariantKey>,
        /// What it serves; absent where there is no such flag.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        served: Option<VariantKey>,
        /// Why it serves that; ask for that flag's own explanation for the whole way.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<Reason>,
        /// Whether it will do.
        met: bool,
    },
    /// A list of units that get a variant of their own.
    Target {
        /// What those in it get.
        variant: VariantKey,
        /// Whether the unit is in it.
        matched: bool,
    },
    /// A holdout that covers the flag.
    Holdout {
        /// Its key.
        holdout: HoldoutKey,
        /// Where the unit stands in it, and the share that is held.
        place: Placed,
        /// Whether the unit is held.
        held: bool,
    },
    /// The layer that the flag belongs to.
    Layer {
        /// Its key.
        layer: LayerKey,
        /// Where the unit stands in it, and the flag's own part.
        place: Placed,
        /// Whether the unit is in the flag's part.
        inside: bool,
    },
    /// The audience of a beta that holds the flag and is on.
    Beta {
        /// Its key.
        beta: BetaKey,
        /// Whether the context is in the audience.
        matched: bool,
        /// The groups that were tested, as those of a rule.
        groups: Vec<Vec<ConditionStep>>,
    },
    /// A rule.
    Rule {
        /// Which one, from 0.
        index: u32,
        /// Its name, or its number.
        name: String,
        /// Whether it matched.
        matched: bool,
        /// The groups that were tested, up to the first that held; of each the conditions up to the
        /// first that did not.
        groups: Vec<Vec<ConditionStep>>,
    },
    /// What is served to whom nothing else took.
    Default,
    /// A split placed the unit.
    Bucket(Bucketed),
    /// A memory was asked how the unit stands to the default's split.
    Enrolment {
        /// What it said.
        how: How,
        /// Whose place the unit has.
        origin: Origin,
        /// The id of the device whose place it is, or whose user's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        device: Option<String>,
        /// How many were enrolled when it was asked.
        enrolled: u32,
        /// How many may be at most.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        most: Option<u32>,
    },
}

/// A condition that was tested.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum ConditionStep {
    /// A clause.
    Clause(ClauseStep),
    /// A segment that was asked.
    Segment(SegmentStep),
}

/// A segment that was asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SegmentStep {
    /// Its key.
    pub segment: SegmentKey,
    /// Whether the rule asks that the context is not in it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub not: bool,
    /// Whether the context is in it, and why.
    pub membership: Membership,
    /// The groups of the segment that were tested, as those of a rule.
    pub groups: Vec<Vec<ClauseStep>>,
    /// Whether the rule's condition held.
    pub matched: bool,
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
    /// The hash of `salt/id`.
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
    /// The variant of those who are not enrolled, whose ranges are no arm of a comparison; absent where there is
    /// none, or nobody has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rest: Option<VariantKey>,
}

/// Where a unit stands in a layer or a holdout.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Placed {
    /// What it divides by.
    pub unit: Unit,
    /// Its salt.
    pub salt: String,
    /// The unit's id; absent when the context has none, and then nothing was placed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The hash of `salt/id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<u32>,
    /// A hundredth of the hash, which decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<u32>,
    /// The position in percent of the population, to be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent: Option<f64>,
    /// The part that was asked for, as stretches from and up to basis points.
    pub part: Vec<(u16, u16)>,
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
pub(crate) struct Record<'m> {
    memory: &'m dyn Memory,
    steps: Vec<Step>,
    /// The segment that is being asked.
    asked: Option<SegmentStep>,
}

impl<'m> Record<'m> {
    pub(crate) fn new(memory: &'m dyn Memory) -> Self {
        Self { memory, steps: Vec::new(), asked: None }
    }

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
            reason: evaluation.reason.clone(),
            enrolled: evaluation.enrolled,
            steps: self.steps,
        }
    }

    /// The groups that are being tested: of the segment that is being asked, or else of the rule or the beta.
    fn groups(&mut self) -> Option<&mut Vec<Vec<ConditionStep>>> {
        match self.steps.last_mut() {
            Some(Step::Rule { groups, .. } | Step::Beta { groups, .. }) => Some(groups),
            _ => None,
        }
    }
}

impl Visitor for Record<'_> {
    fn memory(&self) -> Option<&dyn Memory> {
        Some(self.memory)
    }

    fn enter(&mut self, branch: &Branch) {
        let unplaced = || Placed {
            unit: Unit::default(),
            salt: String::new(),
            id: None,
            hash: None,
            position: None,
            percent: None,
            part: Vec::new(),
        };
        self.steps.push(match (&branch.part, &branch.serves) {
            (Part::Off, _) => Step::Off,
            (Part::Prerequisite(flag), _) => Step::Prerequisite {
                flag: flag.clone(),
                variants: Vec::new(),
                served: None,
                reason: None,
                met: false,
            },
            (Part::Target, Serves::One(outcome)) => {
                Step::Target { variant: outcome.key.clone(), matched: false }
            }
            (Part::Holdout(holdout), _) => {
                Step::Holdout { holdout: holdout.clone(), place: unplaced(), held: false }
            }
            (Part::Layer(layer), _) => Step::Layer { layer: layer.clone(), place: unplaced(), inside: false },
            (Part::Beta(beta), _) => Step::Beta { beta: beta.clone(), matched: false, groups: Vec::new() },
            (Part::Rule(index), _) => Step::Rule {
                index: *index,
                name: branch.name.to_string(),
                matched: false,
                groups: Vec::new(),
            },
            (Part::Target | Part::Everybody | Part::Default, _) => Step::Default,
        });
    }

    fn parent(&mut self, parent: &Parent, answer: Option<&Evaluation<'_>>) {
        if let Some(Step::Prerequisite { variants, served, reason, .. }) = self.steps.last_mut() {
            *variants = parent.variants.to_vec();
            *served = answer.map(|answer| answer.variant.clone());
            *reason = answer.map(|answer| answer.reason.clone());
        }
    }

    fn gate(&mut self, gate: &Gate, placed: Option<(&str, Bucket)>) {
        if let Some(Step::Holdout { place, .. } | Step::Layer { place, .. }) = self.steps.last_mut() {
            *place = Placed {
                unit: gate.unit,
                salt: gate.salted.salt().to_owned(),
                id: placed.map(|(id, _)| id.to_owned()),
                hash: placed.map(|(_, bucket)| bucket.hash),
                position: placed.map(|(_, bucket)| bucket.position()),
                percent: placed.map(|(_, bucket)| bucket.percent()),
                part: gate.spans.iter().map(|span| span.points).collect(),
            };
        }
    }

    fn group(&mut self) {
        match &mut self.asked {
            Some(segment) => segment.groups.push(Vec::new()),
            None => self.groups().into_iter().for_each(|groups| groups.push(Vec::new())),
        }
    }

    fn clause(&mut self, tested: &Tested, context: &Context, held: bool) {
        let step = ClauseStep {
            attribute: tested.whole.source.attribute.clone(),
            op: tested.whole.source.op,
            values: tested.whole.source.values.clone(),
            found: tested.place.find(context).map(|seen| match seen {
                Seen::Text(text) => text.into(),
                Seen::Json(value) => value.clone(),
            }),
            matched: held,
        };
        if let Some(segment) = &mut self.asked {
            segment.groups.last_mut().into_iter().for_each(|group| group.push(step.clone()));
        } else if let Some(group) = self.groups().and_then(|groups| groups.last_mut()) {
            group.push(ConditionStep::Clause(step));
        }
    }

    fn segment(&mut self, members: &Members, not: bool) {
        self.asked = Some(SegmentStep {
            segment: members.key.clone(),
            not,
            membership: Membership::Unmatched,
            groups: Vec::new(),
            matched: false,
        });
    }

    fn member(&mut self, membership: Membership, matched: bool) {
        let Some(step) = self.asked.take() else { return };
        if let Some(group) = self.groups().and_then(|groups| groups.last_mut()) {
            group.push(ConditionStep::Segment(SegmentStep { membership, matched, ..step }));
        }
    }

    fn leave(&mut self, decides: bool) {
        match self.steps.last_mut() {
            Some(Step::Target { matched, .. } | Step::Beta { matched, .. } | Step::Rule { matched, .. }) => {
                *matched = decides;
            }
            Some(Step::Prerequisite { met, .. }) => *met = !decides,
            Some(Step::Holdout { held, .. }) => *held = decides,
            Some(Step::Layer { inside, .. }) => *inside = !decides,
            Some(Step::Off | Step::Default | Step::Bucket(_) | Step::Enrolment { .. }) | None => {}
        }
    }

    fn split(&mut self, unit: Unit, salt: &str, arms: &[Arm], placed: Option<(&str, Bucket)>) {
        let position = placed.map(|(_, bucket)| bucket.position());
        let (mut from, mut begin) = (0, 0);
        let mut ranges = Vec::with_capacity(arms.len());
        for arm in arms {
            let chosen = position.is_some_and(|p| (begin..arm.end()).contains(&p));
            ranges.push(Stretch { variant: arm.outcome.key.clone(), from, to: arm.to, chosen });
            (from, begin) = (arm.to, arm.end());
        }
        self.steps.push(Step::Bucket(Bucketed {
            unit,
            salt: salt.to_owned(),
            id: placed.map(|(id, _)| id.to_owned()),
            hash: placed.map(|(_, bucket)| bucket.hash),
            position,
            percent: placed.map(|(_, bucket)| bucket.percent()),
            ranges,
            rest: arms.iter().find(|arm| arm.role == Role::Rest).map(|arm| arm.outcome.key.clone()),
        }));
    }

    fn stands(&mut self, asked: &Asked<'_>, standing: Standing) {
        let bucket = Bucket { hash: standing.hash };
        let named = [asked.unit, asked.device];
        // By whose id it stands there: it may be that of a device that is not asked of.
        let of = named.iter().flatten().find(|(_, own)| *own == bucket);
        if standing.how != How::Kept {
            let placed = of.or(named.iter().flatten().next()).map(|(id, _)| (*id, bucket));
            self.split(asked.by(), asked.salt(), asked.division.arms, placed);
        }
        let device = match standing.origin {
            Origin::Own => None,
            Origin::Device => asked.device().filter(|device| of.is_some_and(|(id, _)| id == device)),
            Origin::Owner => asked.device(),
        };
        self.steps.push(Step::Enrolment {
            how: standing.how,
            origin: standing.origin,
            device: device.map(str::to_owned),
            enrolled: standing.enrolled,
            most: asked.division.most(),
        });
    }
}
