//! App operations: who gets what of a flag, and why.

use bellwether_flags::{Explanation, Ids, Ruleset};
use bellwether_model::{
    Context, Edit, EnvironmentKey, FlagKey, ListId, Prerequisite, Properties, Revision, Rule, Serve, Setting,
    Target, VariantKey,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::serve::{RuleInput, ServeInput, ShareInput, TargetInput, shares};
use super::{Class, Ctx, Effect, Method, Operation};
use crate::App;
use crate::access::Permission;
use crate::error::AppError;
use crate::view::FlagView;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReplaceInput {
    /// The flag.
    flag: FlagKey,
    /// Where.
    environment: EnvironmentKey,
    /// The variant while off, and for whom a split has no unit id; as it is unless given.
    off: Option<VariantKey>,
    /// Other flags that must serve one of the named variants to the same context; as they are unless given.
    prerequisites: Option<Vec<Prerequisite>>,
    /// Single users or devices; as they are unless given.
    targets: Option<Vec<TargetInput>>,
    /// The first rule that matches decides; as they are unless given.
    rules: Option<Vec<RuleInput>>,
    /// What everybody else gets; as it is unless given.
    default: Option<ServeInput>,
    /// The reason; needed in production.
    why: Option<String>,
    /// The revision that the edit is of.
    if_revision: Option<Revision>,
}

pub(super) struct Replace;

impl Operation for Replace {
    const NAME: &'static str = "flag.target";
    const ABOUT: &'static str = "Says who gets what in one environment: prerequisites, targets, rules, default. What is left out stays.";
    const ROUTE: (Method, &'static str) = (Method::Put, "/api/flags/{flag}/targeting");
    const NEEDS: Permission = Permission::Edit;
    const CLASS: Class = Class::Write;
    const EFFECT: Effect = Effect::Changes;
    type Input = ReplaceInput;
    type Output = FlagView;

    fn run(app: &App, ctx: &Ctx, input: ReplaceInput) -> Result<FlagView, AppError> {
        let old = app.setting(&input.flag, &input.environment)?;
        let default = match input.default {
            None => old.default.clone(),
            Some(wanted) => app.serve(&input.flag, &old, wanted)?,
        };
        let rules = match input.rules {
            None => old.rules.clone(),
            Some(rules) => rules
                .into_iter()
                .map(|rule| {
                    let serve = app.serve(&input.flag, &old, rule.serve)?;
                    if matches!(serve, Serve::Rollout { .. }) {
                        return Err(AppError::bad_input(
                            format!("rule `{}` serves a rollout", rule.name),
                            "a rollout is the default; a rule serves a variant or a split",
                        ));
                    }
                    Ok(Rule { name: rule.name, when: rule.when, serve })
                })
                .collect::<Result<_, AppError>>()?,
        };
        let mut lists = Vec::new();
        let targets = match input.targets {
            None => old.targets.clone(),
            Some(targets) => {
                let mut kept = Vec::new();
                for target in targets.into_iter().filter(|t| !t.ids.is_empty()) {
                    // The same ids are the same list: who says again what is there changes nothing.
                    let mut same = old.targets.iter().filter(|t| t.variant == target.variant);
                    let same = same.find(|t| app.targets(&t.list).is_ok_and(|ids| *ids == target.ids[..]));
                    let list = match same {
                        Some(same) => same.list.clone(),
                        None => {
                            let list = ListId(app.random_id()?);
                            lists.push((list.clone(), target.ids));
                            list
                        }
                    };
                    kept.push(Target { variant: target.variant, list });
                }
                kept
            }
        };
        let off = input.off.unwrap_or(old.off);
        let prerequisites = input.prerequisites.unwrap_or(old.prerequisites);
        let setting = Setting { on: old.on, off, prerequisites, targets, rules, default };
        let edit =
            Edit::TargetingReplaced { flag: input.flag.clone(), environment: input.environment, setting };
        let after = app.edit(ctx, edit, input.why, input.if_revision, lists)?;
        app.flag_after(&after, &input.flag)
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReshareInput {
    /// The flag.
    flag: FlagKey,
    /// Where.
    environment: EnvironmentKey,
    /// The new shares; they add up to 10000.
    shares: Vec<ShareInput>,
    /// The reason; needed in production.
    why: Option<String>,
    /// The revision that the edit is of.
    if_revision: Option<Revision>,
}

pub(super) struct Reshare;

impl Operation for Reshare {
    const NAME: &'static str = "flag.reshare";
    const ABOUT: &'static str = "Sets the shares of the default split; growth takes from the rest and moves nobody who has a variant.";
    const ROUTE: (Method, &'static str) = (Method::Post, "/api/flags/{flag}/shares");
    const NEEDS: Permission = Permission::Edit;
    const CLASS: Class = Class::Write;
    const EFFECT: Effect = Effect::Changes;
    type Input = ReshareInput;
    type Output = FlagView;

    fn run(app: &App, ctx: &Ctx, input: ReshareInput) -> Result<FlagView, AppError> {
        let setting = app.setting(&input.flag, &input.environment)?;
        let split = match &setting.default {
            Serve::Split { split } => split.reshare(&shares(&input.shares))?,
            Serve::Variant { .. } => {
                return Err(AppError::conflict(
                    format!("flag `{}` serves one variant to everybody", input.flag),
                    "make the default a split first, with `flag.target`",
                ));
            }
            Serve::Rollout { .. } => {
                return Err(AppError::conflict(
                    format!("flag `{}` is rolling out", input.flag),
                    "widen the rollout with `rollout.widen`",
                ));
            }
        };
        let edit = Edit::SplitReshared { flag: input.flag.clone(), environment: input.environment, split };
        let after = app.edit(ctx, edit, input.why, input.if_revision, Vec::new())?;
        app.flag_after(&after, &input.flag)
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExplainInput {
    /// The flag.
    flag: FlagKey,
    /// Where.
    environment: EnvironmentKey,
    /// Who: `targetingKey` is the user's id, everything else an attribute.
    context: Properties,
    /// As it was at this revision; as it is now unless given. Targets are those of today.
    revision: Option<Revision>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Explained {
    /// Each step that was taken, and the answer.
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
        let mut attributes = input.context;
        let key = attributes.remove("targetingKey");
        let key = match &key {
            None | Some(bellwether_model::Json::Null) => None,
            Some(bellwether_model::Json::String(key)) => Some(key.as_str()),
            Some(other) => {
                return Err(AppError::bad_input(
                    format!(
                        "in `context.targetingKey`: `{}` is not text",
                        super::input::shortened(&other.to_string())
                    ),
                    "send the user's id as text",
                ));
            }
        };
        let context = Context::new(key, attributes);
        let unknown = || app.unknown("flag", &input.flag);
        match input.revision {
            None => {
                let served = app.served(&input.environment)?;
                let explanation =
                    served.ruleset.explain(input.flag.as_str(), &context).ok_or_else(unknown)?;
                Ok(Explained { explanation, revision: app.ledger.state().revision })
            }
            Some(revision) => {
                let state = app.ledger.state_at(revision)?;
                state.flags.get(&input.flag).ok_or_else(unknown)?;
                let environment = state.environments.get(&input.environment).ok_or_else(unknown)?;
                let lists = |id: &ListId| {
                    let ids = app.ledger.list(id).unwrap_or_else(|_| std::sync::Arc::from([]));
                    std::sync::Arc::new(Ids::new(&ids[..]))
                };
                let ruleset =
                    Ruleset::compile(&environment.value, revision, crate::serving::source(&state, &lists))?;
                let explanation = ruleset.explain(input.flag.as_str(), &context).ok_or_else(unknown)?;
                Ok(Explained { explanation, revision })
            }
        }
    }
}
