//! App operations: why somebody gets a variant, now or at any past revision, step by step and in a sentence.

use std::cell::RefCell;
use std::sync::Arc;

use bellwether_flags::{
    Bucketed, ConditionStep, Explanation, How, Ids, Origin, Placed, Reason, Ruleset, SegmentStep, Step,
};
use bellwether_ledger::State;
use bellwether_model::{
    Context, Environment, EnvironmentKey, FlagKey, Json, ListId, Properties, Revision, Unit,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::input::shortened;
use super::{Class, Ctx, Effect, Method, Operation};
use crate::App;
use crate::access::Permission;
use crate::enrolment::are;
use crate::error::{AppError, Refusal};
use crate::view::grouped;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExplainInput {
    /// The flag.
    flag: FlagKey,
    /// Where.
    environment: EnvironmentKey,
    /// Who, such as `{"targetingKey": "ada", "country": "CH"}`: `targetingKey` is the user's id, everything else an
    /// attribute.
    context: Properties,
    /// As it was at this revision; as it is now unless given. Lists are those of that revision, but for ids
    /// that have been forgotten since.
    revision: Option<Revision>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Explained {
    /// The answer and its reason in words, such as ``gets `on` because rule 1 matches: `plan` is `pro` ``.
    sentence: String,
    /// Each step that was taken, in words and in order; the last one decided.
    steps: Vec<String>,
    /// The same for programs, and the answer.
    #[schemars(with = "bellwether_model::Json")]
    explanation: Explanation,
    /// The revision that was evaluated.
    revision: Revision,
}

pub(super) struct Explain;

impl Operation for Explain {
    const NAME: &'static str = "flag.explain";
    const ABOUT: &'static str = "Says which variant a context gets and why, now or at a past revision.";
    const ROUTE: (Method, &'static str) = (Method::Post, "/api/flags/{flag}/explain");
    const NEEDS: Permission = Permission::View;
    const CLASS: Class = Class::Scan;
    const EFFECT: Effect = Effect::Reads;
    type Input = ExplainInput;
    type Output = Explained;

    fn run(app: &App, _: &Ctx, input: ExplainInput) -> Result<Explained, AppError> {
        let ExplainInput { flag, environment, context: mut attributes, revision } = input;
        let key = attributes.remove("targetingKey");
        let key = match &key {
            None | Some(Json::Null) => None,
            Some(Json::String(key)) => Some(key.as_str()),
            Some(other) => {
                return Err(AppError::bad_input(
                    format!("in `context.targetingKey`: `{}` is not text", shortened(&other.to_string())),
                    "send the user's id as text",
                ));
            }
        };
        let context = Context::new(key, attributes);
        let now = app.ledger.state();
        let Some(revision) = revision else {
            let served = app.served(&environment)?;
            let memory = served.recall(app, false);
            let explanation = served.ruleset.explain_with(flag.as_str(), &context, &memory);
            let explanation = explanation.ok_or_else(|| app.unanswered(&now, &flag, &environment))?;
            return Ok(Explained {
                sentence: sentence(&explanation),
                steps: steps(&explanation),
                explanation,
                revision: served.ruleset.revision(),
            });
        };
        let then = app.ledger.state_at(revision).map_err(|e| app.refused(e))?;
        let Some(place) = then.environments.get(&environment) else {
            return Err(app.unanswered(&then, &flag, &environment));
        };
        let ruleset = app.compile(&then, &place.value, &[])?;
        let explanation = ruleset.explain(flag.as_str(), &context);
        let explanation = explanation.ok_or_else(|| app.unanswered(&then, &flag, &environment))?;
        let mut sentence = sentence(&explanation);
        if ruleset.division(flag.as_str()).is_some() {
            sentence.push_str("; who was enrolled then is not known, and not taken into account");
        }
        Ok(Explained { sentence, steps: steps(&explanation), explanation, revision })
    }
}

impl App {
    /// The rules of one environment in a state, whichever it is; `fresh` are lists that are not stored.
    pub(super) fn compile(
        &self,
        state: &State,
        environment: &Environment,
        fresh: &[(ListId, Vec<String>)],
    ) -> Result<Ruleset, AppError> {
        // Who compiles cannot be told that a list does not read; whoever asked must not take nobody for who is on it.
        let unread = RefCell::new(None);
        let lists = |id: &ListId| match fresh.iter().find(|(fresh, _)| fresh == id) {
            Some((_, ids)) => Arc::new(Ids::new(ids)),
            None => self.ids(id).unwrap_or_else(|error| {
                unread.borrow_mut().get_or_insert(error);
                Arc::new(Ids::new::<&str>([]))
            }),
        };
        let source = crate::serving::source(state, &lists);
        let ruleset = Ruleset::compile(environment, state.revision, source);
        match unread.take() {
            Some(error) => Err(error),
            None => Ok(ruleset?),
        }
    }

    /// Why a flag has no answer in a state.
    fn unanswered(&self, state: &State, flag: &FlagKey, environment: &EnvironmentKey) -> AppError {
        let revision = state.revision;
        let now = self.ledger.state();
        if !now.environments.contains_key(environment) {
            return self.unknown("environment", environment);
        }
        if !now.flags.contains_key(flag) {
            return self.unknown("flag", flag);
        }
        match state.flags.get(flag) {
            None => AppError::new(
                Refusal::NotFound,
                "not_found",
                format!("there was no flag `{flag}` at revision `{revision}`"),
                "it was made later: `change.list` says when",
            ),
            Some(known) if known.value.archived => AppError::conflict(
                format!("flag `{flag}` is archived at revision `{revision}`, and served to nobody"),
                "restore it, or ask at a revision before it was archived",
            ),
            Some(_) => AppError::conflict(
                format!("flag `{flag}` is not served in `{environment}` at revision `{revision}`"),
                "ask in an environment where it is",
            ),
        }
    }
}

/// What somebody gets and why, in words that follow whom it is about.
fn sentence(explanation: &Explanation) -> String {
    format!("gets `{}` because {}", explanation.variant, because(explanation))
}

fn because(explanation: &Explanation) -> String {
    let last = |of: &dyn Fn(&Step) -> Option<String>| explanation.steps.iter().rev().find_map(of);
    let bucket = || last(&|step| if let Step::Bucket(placed) = step { Some(stands(placed)) } else { None });
    let said = match &explanation.reason {
        Reason::Off => Some(format!("the flag is off in `{}`", explanation.environment)),
        Reason::Prerequisite { .. } => last(&unmet),
        Reason::Target => Some(format!("it is one of the targets of `{}`", explanation.variant)),
        Reason::Holdout { .. } => last(&held),
        Reason::Layer { .. } => last(&outside),
        Reason::Beta { .. } => last(&shown),
        Reason::Rule { .. } => last(&rule),
        Reason::RuleSplit { .. } => {
            last(&rule).zip(bucket()).map(|(rule, stands)| format!("{rule}, and {stands}"))
        }
        Reason::Split => bucket().map(|stands| by_default(explanation, stands)),
        Reason::Kept | Reason::Closed => last(&enrolment).map(|stands| by_default(explanation, stands)),
        Reason::Static => Some("everybody gets it".to_owned()),
        Reason::Default => Some("nothing before the default decides".to_owned()),
        Reason::NoUnit => last(&nobody),
    };
    // Each reason has the step that led to it.
    said.unwrap_or_else(|| "of its setting".to_owned())
}

/// What the default does, and that nothing before it decides, if there is anything.
fn by_default(explanation: &Explanation, does: String) -> String {
    let default = |step: &Step| matches!(step, Step::Default | Step::Bucket(_) | Step::Enrolment { .. });
    match explanation.steps.iter().all(default) {
        true => does,
        false => format!("nothing before the default decides, and {does}"),
    }
}

/// What it keeps, or that it comes too late.
fn enrolment(step: &Step) -> Option<String> {
    let Step::Enrolment { how, origin, device, enrolled, most } = step else { return None };
    let device = device.as_deref().map(shortened);
    Some(match (how, origin, device) {
        (How::Closed, ..) => {
            let (units, most) = (grouped(*enrolled), grouped((*most)?));
            format!("enrolment is closed: {units} of {most} {} enrolled", are(*enrolled))
        }
        (_, Origin::Device, Some(device)) => {
            format!("it keeps what device `{device}` got before signing in")
        }
        (_, Origin::Device, None) => "it keeps what it got before signing in".to_owned(),
        (_, Origin::Owner, Some(device)) => format!("device `{device}` keeps what its user has"),
        (_, Origin::Owner | Origin::Own, _) => "it was enrolled before and keeps its variant".to_owned(),
    })
}

/// What was looked at, one thing after the other.
fn steps(explanation: &Explanation) -> Vec<String> {
    explanation.steps.iter().map(|step| step_said(step, &explanation.environment)).collect()
}

fn step_said(step: &Step, environment: &EnvironmentKey) -> String {
    let decided = [unmet, held, outside, shown, rule, nobody].iter().find_map(|said| said(step));
    decided.unwrap_or_else(|| match step {
        Step::Off => format!("the flag is off in `{environment}`"),
        Step::Prerequisite { flag, variants, .. } => {
            format!("its prerequisite `{flag}` serves {}, as it should", alternatives(variants))
        }
        Step::Target { variant, matched: true } => format!("it is one of the targets of `{variant}`"),
        Step::Target { variant, .. } => format!("it is not one of the targets of `{variant}`"),
        Step::Holdout { holdout, place, .. } => {
            format!("holdout `{holdout}` holds {}{}", stretches(&place.part), unless(place))
        }
        Step::Layer { layer, place, .. } => {
            format!("the flag has {} of layer `{layer}`{}", stretches(&place.part), unless(place))
        }
        Step::Beta { beta, groups, .. } => {
            format!("it is not in the audience of beta `{beta}`: {}", failing(groups))
        }
        Step::Rule { index, name, groups, .. } => {
            format!("{} does not match: {}", called(*index, name), failing(groups))
        }
        Step::Default => "nothing before the default decides".to_owned(),
        Step::Bucket(placed) => stands(placed),
        Step::Enrolment { how: How::Enrolled, .. } => "enrolment is open, and it comes in".to_owned(),
        Step::Enrolment { how: How::Placed, .. } => "nobody remembers it: where it stands decides".to_owned(),
        Step::Enrolment { .. } => enrolment(step).unwrap_or_default(),
    })
}

/// Where the unit stands, behind what a holdout or a layer takes.
fn unless(place: &Placed) -> String {
    match at(place) {
        Some(at) => format!(", and {at}"),
        None => format!(", and the context has no {}", id_of(place.unit)),
    }
}

/// Of each group that was tested the condition that does not hold, which is its last.
fn failing(groups: &[Vec<ConditionStep>]) -> String {
    let said: Vec<String> = groups.iter().filter_map(|group| group.last()).map(fails).collect();
    said.join("; ")
}

fn fails(step: &ConditionStep) -> String {
    match step {
        ConditionStep::Clause(clause) => {
            let found = match &clause.found {
                None => "it has none".to_owned(),
                Some(Json::String(text)) => format!("it is `{}`", shortened(text)),
                Some(other) => format!("it is `{}`", shortened(&other.to_string())),
            };
            format!("{} does not hold, {found}", condition(step))
        }
        ConditionStep::Segment(SegmentStep { segment, not: true, .. }) => {
            format!("it is in segment `{segment}`")
        }
        ConditionStep::Segment(SegmentStep { segment, .. }) => format!("it is not in segment `{segment}`"),
    }
}

fn unmet(step: &Step) -> Option<String> {
    let Step::Prerequisite { flag, variants, served, met: false, .. } = step else { return None };
    let wanted = alternatives(variants);
    Some(match served {
        Some(served) => format!("its prerequisite `{flag}` serves `{served}` and not {wanted}"),
        None => format!("its prerequisite `{flag}` is not served here"),
    })
}

fn held(step: &Step) -> Option<String> {
    let Step::Holdout { holdout, place, held: true } = step else { return None };
    Some(format!("holdout `{holdout}` holds {}, and {}", stretches(&place.part), at(place)?))
}

fn outside(step: &Step) -> Option<String> {
    let Step::Layer { layer, place, inside: false } = step else { return None };
    let part = match place.part.is_empty() {
        true => "where the flag has no part".to_owned(),
        false => format!("where the flag has {}", stretches(&place.part)),
    };
    Some(format!("{} in layer `{layer}`, {part}", at(place)?))
}

/// A layer or a split that nobody could be placed in.
fn nobody(step: &Step) -> Option<String> {
    let (unit, divides) = match step {
        Step::Bucket(Bucketed { unit, id: None, .. }) => (unit, "the split".to_owned()),
        Step::Layer { layer, place: Placed { unit, id: None, .. }, .. } => (unit, format!("layer `{layer}`")),
        _ => return None,
    };
    Some(format!("the context has no {}, by which {divides} divides", id_of(*unit)))
}

/// The names under which a context gives the id of a unit.
fn id_of(unit: Unit) -> String {
    match unit {
        Unit::User => "`targetingKey` (`user_id`)".to_owned(),
        other => format!("`{}`", other.attribute()),
    }
}

fn rule(step: &Step) -> Option<String> {
    let Step::Rule { index, name, matched: true, groups } = step else { return None };
    Some(format!("{} matches: {}", called(*index, name), holding(groups)))
}

/// A rule by its number, and by its name if it has one.
fn called(index: u32, name: &str) -> String {
    let number = index.saturating_add(1);
    match name.is_empty() || *name == format!("rule {number}") || *name == number.to_string() {
        true => format!("rule {number}"),
        false => format!("rule {number} (`{name}`)"),
    }
}

fn shown(step: &Step) -> Option<String> {
    let Step::Beta { beta, matched: true, groups } = step else { return None };
    Some(format!("it is in the audience of beta `{beta}`: {}", holding(groups)))
}

/// The group that held, which is the last that was tested.
fn holding(groups: &[Vec<ConditionStep>]) -> String {
    let held: Vec<String> = groups.last().into_iter().flatten().map(condition).collect();
    held.join(" and ")
}

fn condition(step: &ConditionStep) -> String {
    match step {
        ConditionStep::Clause(clause) => {
            let op = serde_json::to_value(clause.op).ok();
            let op = op.as_ref().and_then(Json::as_str).unwrap_or_default().replace('_', " ");
            format!("`{}` {op} {}", clause.attribute, alternatives(&clause.values))
        }
        ConditionStep::Segment(SegmentStep { segment, not: true, .. }) => {
            format!("it is not in segment `{segment}`")
        }
        ConditionStep::Segment(SegmentStep { segment, .. }) => format!("it is in segment `{segment}`"),
    }
}

/// So many values are said one by one.
const NAMED: usize = 5;

fn alternatives<T: std::fmt::Display>(values: &[T]) -> String {
    let mut said: Vec<String> =
        values.iter().take(NAMED).map(|value| format!("`{}`", shortened(&value.to_string()))).collect();
    if values.len() > NAMED {
        said.push(format!("{} more", values.len() - NAMED));
    }
    said.join(" or ")
}

fn stands(placed: &Bucketed) -> String {
    let range = placed.ranges.iter().find(|range| range.chosen);
    match (&placed.id, placed.percent, range) {
        (Some(id), Some(percent), Some(range)) => format!(
            "`{}` stands at {percent:.2}%, where {} is for `{}`",
            shortened(id),
            stretches(&[(range.from, range.to)]),
            range.variant
        ),
        _ => "the split has a place for it".to_owned(),
    }
}

fn at(place: &Placed) -> Option<String> {
    Some(format!("`{}` stands at {:.2}%", shortened(place.id.as_ref()?), place.percent?))
}

/// `0% to 5% and 20% to 25.5%`.
pub(crate) fn stretches(of: &[(u16, u16)]) -> String {
    let percent = |points: u16| f64::from(points) / 100.0;
    let said: Vec<String> =
        of.iter().map(|(from, to)| format!("{}% to {}%", percent(*from), percent(*to))).collect();
    said.join(" and ")
}
