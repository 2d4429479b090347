//! App operations: who may come into the default's split of a flag, and for how long they keep what they
//! got.

use std::num::NonZeroU32;

use bellwether_model::{Edit, Enrolment, EnvironmentKey, FlagKey, Revision, Share};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Class, Ctx, Effect, Method, Operation};
use crate::App;
use crate::access::Permission;
use crate::error::AppError;
use crate::view::FlagView;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SetInput {
    /// The flag.
    flag: FlagKey,
    /// Where.
    environment: EnvironmentKey,
    /// The share of everybody that may be enrolled at most; no limit unless given.
    share: Option<Share>,
    /// How many units may be enrolled at most, 1000000 at the most; no limit unless given. Of a rollout those
    /// with the candidate count. The server counts them, so that SDKs that evaluate by themselves do not get
    /// the flag.
    units: Option<u32>,
    /// Whether a unit keeps the variant that it got first, also when an anonymous visitor signs in; not
    /// unless given. The server remembers it, so that SDKs that evaluate by themselves do not get the flag.
    sticky: Option<bool>,
    /// The reason; needed in production.
    why: Option<String>,
    /// The revision that the edit is of.
    if_revision: Option<Revision>,
}

pub(super) struct Set;

impl Operation for Set {
    const NAME: &'static str = "flag.enrolment";
    const ABOUT: &'static str = "Limits who may be enrolled by a flag's default, by share and by number, and whether they keep their variant.";
    const ROUTE: (Method, &'static str) = (Method::Put, "/api/flags/{flag}/enrolment");
    const NEEDS: Permission = Permission::Edit;
    // It reads what is recorded before it writes, and nobody else who writes waits for that.
    const CLASS: Class = Class::Scan;
    const EFFECT: Effect = Effect::Changes;
    type Input = SetInput;
    type Output = FlagView;

    fn run(app: &App, ctx: &Ctx, input: SetInput) -> Result<FlagView, AppError> {
        let SetInput { flag, environment, share, units, sticky, why, if_revision } = input;
        let units = units.map(|units| NonZeroU32::new(units).ok_or_else(nobody)).transpose()?;
        let enrolment = Enrolment { share, units, sticky: sticky.unwrap_or(false) };
        let remembers = enrolment.remembers();
        let prepared = match remembers && !ctx.dry_run {
            true => app.prepare_register(&environment, &flag, ctx.now, &|| ctx.stop())?,
            false => None,
        };
        let edit = Edit::EnrolmentSet { flag: flag.clone(), environment: environment.clone(), enrolment };
        let after = {
            let _editing = app.editing();
            let edit = || app.edit(ctx, edit, why, if_revision, Vec::new());
            let after = app.with_prepared(prepared, edit)?;
            // Before anybody lets it remember again, whose memory this must not be.
            if !remembers && !ctx.dry_run {
                app.forget_enrolled(&environment, &flag)?;
            }
            after
        };
        app.flag_after(&after, &flag)
    }
}

fn nobody() -> AppError {
    AppError::bad_input(
        "in `units`: a limit of `0` lets nobody in",
        "turn the flag off, or leave `units` out for no limit",
    )
}
