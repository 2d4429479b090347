//! App operations: flags, their names and their switch.

use std::collections::BTreeMap;

use bellwether_model::flag::Kind;
use bellwether_model::{
    Edit, Enrolment, EnvironmentKey, Flag, FlagKey, Invalid, Json, Revision, Serve, Setting, Unit, Variant,
    VariantKey,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::serve::After;
use super::{Class, Ctx, Effect, Method, Operation};
use crate::App;
use crate::access::Permission;
use crate::advice;
use crate::error::AppError;
use crate::view::FlagView;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListInput {
    /// Also archived flags.
    archived: Option<bool>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Flags {
    /// In order of their keys.
    flags: Vec<FlagView>,
    /// The newest revision of anything when this was read.
    revision: Revision,
}

pub(super) struct List;

impl Operation for List {
    const NAME: &'static str = "flag.list";
    const ABOUT: &'static str = "Lists the flags with a sentence of state for each environment.";
    const ROUTE: (Method, &'static str) = (Method::Get, "/api/flags");
    const NEEDS: Permission = Permission::View;
    const CLASS: Class = Class::Instant;
    const EFFECT: Effect = Effect::Reads;
    type Input = ListInput;
    type Output = Flags;

    fn run(app: &App, _: &Ctx, input: ListInput) -> Result<Flags, AppError> {
        let state = app.ledger.state();
        let all = input.archived.unwrap_or(false);
        let shown = state.flags.values().filter(|f| all || !f.value.archived);
        let flags = shown.map(|f| app.flag_view(&state, f, &[])).collect::<Result<_, _>>()?;
        Ok(Flags { flags, revision: state.revision })
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GetInput {
    /// The flag.
    flag: FlagKey,
}

pub(super) struct Get;

impl Operation for Get {
    const NAME: &'static str = "flag.get";
    const ABOUT: &'static str =
        "Shows a flag: variants, settings, revision, and which SDK formats can carry it.";
    const ROUTE: (Method, &'static str) = (Method::Get, "/api/flags/{flag}");
    const NEEDS: Permission = Permission::View;
    const CLASS: Class = Class::Instant;
    const EFFECT: Effect = Effect::Reads;
    type Input = GetInput;
    type Output = FlagView;

    fn run(app: &App, _: &Ctx, input: GetInput) -> Result<FlagView, AppError> {
        app.flag_view(&app.ledger.state(), &app.flag(&input.flag)?, &[])
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateInput {
    /// Its key; it cannot be changed later.
    flag: FlagKey,
    /// What people call it; the key unless given.
    name: Option<String>,
    /// What it is for.
    #[serde(default)]
    description: String,
    /// The type of its values; boolean unless given.
    kind: Option<Kind>,
    /// Its variants, such as `[{"key": "small", "value": 10}, {"key": "large", "value": 50}]`. A boolean flag has `on`
    /// (true) and `off` (false) unless given.
    #[serde(default)]
    variants: Vec<Variant>,
    /// The variant while the flag is off: the one called `off`, else the last, unless given.
    off: Option<VariantKey>,
    /// The variant for everybody while it is on: the first that is not `off`, unless given.
    default: Option<VariantKey>,
    /// What a split divides by; the user unless given.
    unit: Option<Unit>,
    /// The reason.
    why: Option<String>,
}

pub(super) struct Create;

impl Operation for Create {
    const NAME: &'static str = "flag.create";
    const ABOUT: &'static str = "Makes a flag, switched off in every environment.";
    const ROUTE: (Method, &'static str) = (Method::Post, "/api/flags");
    const NEEDS: Permission = Permission::Edit;
    const CLASS: Class = Class::Write;
    const EFFECT: Effect = Effect::Changes;
    type Input = CreateInput;
    type Output = FlagView;

    fn run(app: &App, ctx: &Ctx, input: CreateInput) -> Result<FlagView, AppError> {
        let key = input.flag.clone();
        let why = input.why.clone().or_else(|| Some(format!("created {key}")));
        let flag = input.flag(app.ledger.state().environments.keys().cloned(), ctx.now)?;
        let after = app.edit(ctx, Edit::FlagCreated { flag }, why, None, Vec::new())?;
        app.flag_after(&after, &key)
    }
}

impl CreateInput {
    fn flag(
        self,
        environments: impl Iterator<Item = EnvironmentKey>,
        now: bellwether_model::Millis,
    ) -> Result<Flag, AppError> {
        let kind = self.kind.unwrap_or(Kind::Boolean);
        let mut variants = self.variants;
        if variants.is_empty() && kind == Kind::Boolean {
            for (key, value) in [("on", true), ("off", false)] {
                variants.push(Variant {
                    key: key.parse()?,
                    value: Json::Bool(value),
                    description: String::new(),
                });
            }
        }
        let nothing = || {
            Invalid::new(
                format!("flag `{}` has no variants", self.flag),
                format!("give at least one variant with a {} value", kind.word()),
            )
        };
        let named_off = variants.iter().find(|v| v.key.as_str() == "off").or_else(|| variants.last());
        let off = self.off.or_else(|| named_off.map(|v| v.key.clone())).ok_or_else(nothing)?;
        let first = variants.iter().find(|v| v.key != off).or_else(|| variants.first());
        let default = self.default.or_else(|| first.map(|v| v.key.clone())).ok_or_else(nothing)?;
        let setting = Setting {
            on: false,
            off,
            prerequisites: Vec::new(),
            targets: Vec::new(),
            rules: Vec::new(),
            default: Serve::Variant { variant: default },
            enrolment: Enrolment::default(),
        };
        Ok(Flag {
            name: self.name.unwrap_or_else(|| self.flag.to_string()),
            key: self.flag,
            description: self.description,
            kind,
            variants,
            unit: self.unit.unwrap_or_default(),
            team: None,
            layer: None,
            schema: None,
            settings: environments.map(|e| (e, setting.clone())).collect::<BTreeMap<_, _>>(),
            created: now,
            archived: false,
        })
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DescribeInput {
    /// The flag.
    flag: FlagKey,
    /// What people call it; as it is unless given.
    name: Option<String>,
    /// What it is for; as it is unless given.
    description: Option<String>,
    /// The reason.
    why: Option<String>,
    /// The revision that the edit is of.
    if_revision: Option<Revision>,
}

pub(super) struct Describe;

impl Operation for Describe {
    const NAME: &'static str = "flag.describe";
    const ABOUT: &'static str = "Changes a flag's name and description.";
    const ROUTE: (Method, &'static str) = (Method::Patch, "/api/flags/{flag}");
    const NEEDS: Permission = Permission::Edit;
    const CLASS: Class = Class::Write;
    const EFFECT: Effect = Effect::Changes;
    type Input = DescribeInput;
    type Output = FlagView;

    fn run(app: &App, ctx: &Ctx, input: DescribeInput) -> Result<FlagView, AppError> {
        let old = app.flag(&input.flag)?.value;
        let edit = Edit::FlagDescribed {
            flag: old.key.clone(),
            name: input.name.unwrap_or(old.name),
            description: input.description.unwrap_or(old.description),
        };
        let why = input.why.or_else(|| Some("described it".to_owned()));
        let after = app.edit(ctx, edit, why, input.if_revision, Vec::new())?;
        app.flag_after(&after, &input.flag)
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ToggleInput {
    /// The flag.
    pub(super) flag: FlagKey,
    /// Where.
    pub(super) environment: EnvironmentKey,
    /// The new state.
    pub(super) on: bool,
    /// The reason; needed in production.
    pub(super) why: Option<String>,
    /// The revision that the edit is of.
    pub(super) if_revision: Option<Revision>,
}

pub(super) struct Toggle;

impl Operation for Toggle {
    const NAME: &'static str = "flag.toggle";
    const ABOUT: &'static str = "Switches a flag on or off in one environment.";
    const ROUTE: (Method, &'static str) = (Method::Post, "/api/flags/{flag}/toggle");
    const NEEDS: Permission = Permission::Edit;
    const CLASS: Class = Class::Write;
    const EFFECT: Effect = Effect::Changes;
    type Input = ToggleInput;
    type Output = FlagView;

    fn run(app: &App, ctx: &Ctx, input: ToggleInput) -> Result<FlagView, AppError> {
        let ToggleInput { flag, environment, on, why, if_revision } = input;
        let edit = Edit::FlagToggled { flag: flag.clone(), environment: environment.clone(), on };
        let after = app.edit(ctx, edit, why, if_revision, Vec::new())?;
        let view = app.flag_after(&after, &flag)?;
        if !on {
            return Ok(view);
        }
        let outside = advice::outside_layer(&after.state, &flag);
        Ok(view.warned(outside.into_iter().chain(advice::idle_limits(&after.state, &flag, &environment))))
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ArchiveInput {
    /// The flag.
    flag: FlagKey,
    /// `false` restores it; `true` unless given.
    archived: Option<bool>,
    /// The reason.
    why: Option<String>,
    /// The revision that the edit is of.
    if_revision: Option<Revision>,
}

pub(super) struct Archive;

impl Operation for Archive {
    const NAME: &'static str = "flag.archive";
    const ABOUT: &'static str = "Archives a flag, so that it is served to nobody, or restores it.";
    const ROUTE: (Method, &'static str) = (Method::Post, "/api/flags/{flag}/archive");
    const NEEDS: Permission = Permission::Edit;
    const CLASS: Class = Class::Write;
    const EFFECT: Effect = Effect::Changes;
    type Input = ArchiveInput;
    type Output = FlagView;

    fn run(app: &App, ctx: &Ctx, input: ArchiveInput) -> Result<FlagView, AppError> {
        let archived = input.archived.unwrap_or(true);
        let edit = Edit::FlagArchived { flag: input.flag.clone(), archived };
        let after = app.edit(ctx, edit, input.why, input.if_revision, Vec::new())?;
        let view = app.flag_after(&after, &input.flag)?;
        let vain = [
            advice::plans_in_vain(&after.state, &input.flag),
            advice::betas_in_vain(&after.state, &input.flag),
        ];
        Ok(view.warned(vain.into_iter().flatten().filter(|_| archived)))
    }
}

impl App {
    /// A flag as an edit left it, or would have.
    pub(crate) fn flag_after(&self, after: &After, key: &FlagKey) -> Result<FlagView, AppError> {
        let flag = after.state.flags.get(key).ok_or_else(|| self.unknown("flag", key))?;
        self.flag_view(&after.state, flag, &after.lists)
    }
}
