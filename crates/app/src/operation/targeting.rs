//! App operations: who gets what of a flag.

use bellwether_model::{
    Edit, EnvironmentKey, FlagKey, ListId, Prerequisite, Revision, Rule, Serve, Setting, Target, VariantKey,
};
use rustc_hash::FxHashMap;
use schemars::JsonSchema;
use serde::Deserialize;

use super::input::shortened;
use super::serve::{After, RuleInput, ServeInput, ShareInput, TargetInput, shares};
use super::{Class, Ctx, Effect, Method, Operation, operands};
use crate::App;
use crate::access::Permission;
use crate::advice;
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
    /// Other flags that must serve one of the named variants to the same context, such as
    /// `[{"flag": "new-cart", "variants": ["on"]}]`; as they are unless given.
    prerequisites: Option<Vec<Prerequisite>>,
    /// Single users or devices, such as `[{"variant": "on", "ids": ["ada", "bob"]}]`; as they are unless given.
    targets: Option<Vec<TargetInput>>,
    /// The first rule that matches decides; as they are unless given. Such as
    /// `[{"when": [[{"attribute": "country", "op": "is", "values": ["CH"]}]], "serve": {"serve": "variant", "variant": "on"}}]`:
    /// any group of `when` will do, and all of its conditions must hold. Or
    /// `[{"when": [[{"segment": "staff"}]], "serve": {"serve": "variant", "variant": "on"}}]`; what is served may be a
    /// split as in `default`.
    rules: Option<Vec<RuleInput>>,
    /// What everybody else gets, such as `{"serve": "variant", "variant": "off"}`, or
    /// `{"serve": "split", "shares": [{"variant": "on", "share": 2500}, {"variant": "off", "share": 7500}]}` in basis
    /// points; as it is unless given.
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
    const CLASS: Class = Class::Bulk;
    const EFFECT: Effect = Effect::Changes;
    type Input = ReplaceInput;
    type Output = FlagView;

    fn run(app: &App, ctx: &Ctx, input: ReplaceInput) -> Result<FlagView, AppError> {
        let ReplaceInput { flag, environment, off, prerequisites, targets, rules, default, why, if_revision } =
            input;
        let wanted = Wanted { off, prerequisites, targets, rules, default };
        let doubts = operands::no_versions(&operands::of_rules(wanted.rules.as_deref().unwrap_or_default()));
        if ctx.dry_run {
            let (edit, lists) = app.retarget(&flag, &environment, wanted)?;
            let after = app.edit(ctx, edit, why, if_revision, lists)?;
            let view = app.flag_after(&after, &flag)?;
            return Ok(view.warned(doubts).warned(advice::idle_limits(&after.state, &flag, &environment)));
        }
        loop {
            let known = app.flag(&flag)?.revision;
            let (edit, lists) = app.retarget(&flag, &environment, wanted.clone())?;
            let brought = app.bring(lists, ctx.now)?;
            let editing = app.editing();
            if app.flag(&flag)?.revision == known {
                let state = app.cite(ctx, edit, why, if_revision, brought, editing)?;
                let after = After { state, lists: Vec::new() };
                let view = app.flag_after(&after, &flag)?;
                return Ok(view.warned(doubts).warned(advice::idle_limits(
                    &after.state,
                    &flag,
                    &environment,
                )));
            }
            // Somebody was faster, and what stays is what they have left.
            drop(editing);
            app.give_back(brought);
        }
    }
}

/// What is to be otherwise in a setting; the rest stays.
#[derive(Clone)]
pub(super) struct Wanted {
    pub(super) off: Option<VariantKey>,
    pub(super) prerequisites: Option<Vec<Prerequisite>>,
    pub(super) targets: Option<Vec<TargetInput>>,
    pub(super) rules: Option<Vec<RuleInput>>,
    pub(super) default: Option<ServeInput>,
}

/// Lists of ids that an edit brings.
pub(super) type Fresh = Vec<(ListId, Vec<String>)>;

impl App {
    /// The edit that makes a setting what is wanted, with the lists that it newly cites.
    pub(super) fn retarget(
        &self,
        flag: &FlagKey,
        environment: &EnvironmentKey,
        wanted: Wanted,
    ) -> Result<(Edit, Fresh), AppError> {
        let old = self.setting(flag, environment)?;
        operands::are_meant(&operands::of_rules(wanted.rules.as_deref().unwrap_or_default()))?;
        let default = match wanted.default {
            None => old.default.clone(),
            Some(wanted) => self.serve(flag, &old, wanted)?,
        };
        let rules = match wanted.rules {
            None => old.rules.clone(),
            Some(rules) => rules
                .into_iter()
                .map(|rule| {
                    let serve = self.serve(flag, &old, rule.serve)?;
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
        let targets = match wanted.targets {
            None => old.targets.clone(),
            Some(targets) => {
                once(&targets)?;
                let mut kept = Vec::new();
                for target in targets.into_iter().filter(|t| !t.ids.is_empty()) {
                    // The same ids are the same list: who says again what is there changes nothing.
                    let mut same = old.targets.iter().filter(|t| t.variant == target.variant);
                    let same = same.find(|t| self.targets(&t.list).is_ok_and(|ids| *ids == target.ids[..]));
                    let list = match same {
                        Some(same) => same.list.clone(),
                        None => {
                            let list = ListId(self.random_id()?);
                            lists.push((list.clone(), target.ids));
                            list
                        }
                    };
                    kept.push(Target { variant: target.variant, list });
                }
                kept
            }
        };
        let prerequisites = wanted.prerequisites.unwrap_or(old.prerequisites);
        let off = wanted.off.unwrap_or(old.off);
        let setting =
            Setting { on: old.on, off, prerequisites, targets, rules, default, enrolment: old.enrolment };
        let edit = Edit::TargetingReplaced { flag: flag.clone(), environment: environment.clone(), setting };
        Ok((edit, lists))
    }
}

/// Nobody is a target of two variants, of which only the first would count. What was stored before this was asked
/// is served as it was.
fn once(targets: &[TargetInput]) -> Result<(), AppError> {
    let mut of: FxHashMap<&str, &VariantKey> = FxHashMap::default();
    for TargetInput { variant, ids } in targets {
        for id in ids {
            if let Some(other) = of.insert(id, variant).filter(|other| *other != variant) {
                return Err(AppError::bad_input(
                    format!("in `targets`: `{}` is a target of `{other}` and of `{variant}`", shortened(id)),
                    "name each id with one variant",
                ));
            }
        }
    }
    Ok(())
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReshareInput {
    /// The flag.
    pub(super) flag: FlagKey,
    /// Where.
    pub(super) environment: EnvironmentKey,
    /// The new shares, such as `[{"variant": "on", "share": 2500}, {"variant": "off", "share": 7500}]`; they add up
    /// to 10000.
    pub(super) shares: Vec<ShareInput>,
    /// The reason; needed in production.
    pub(super) why: Option<String>,
    /// The revision that the edit is of.
    pub(super) if_revision: Option<Revision>,
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
