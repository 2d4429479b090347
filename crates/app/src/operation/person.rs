//! App operations: everything of one person, to hand out to them and to forget.

mod export;
mod meant;

use bellwether_model::{EnvironmentKey, FlagKey, Revision, SegmentKey, VariantKey};
use bellwether_store::Id;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Class, Ctx, Effect, Method, Operation};
use crate::App;
use crate::access::Permission;
use crate::error::AppError;

pub(super) use export::Export;
use meant::{Meant, asked};

/// Changes that are named at most.
const MOST_NAMING: usize = 100;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ForgetInput {
    /// Where.
    environment: EnvironmentKey,
    /// The user.
    user: Option<String>,
    /// Or a device: where it is a user's, that user.
    device: Option<String>,
    /// The same id again, because nothing brings back what is forgotten. A dry run needs none.
    confirm: Option<String>,
}

/// A list that names a person.
#[derive(Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "PersonList")]
pub(crate) struct OnList {
    /// The flag whose individual targets it is of.
    #[serde(skip_serializing_if = "Option::is_none")]
    flag: Option<FlagKey>,
    /// Where the target is.
    #[serde(skip_serializing_if = "Option::is_none")]
    environment: Option<EnvironmentKey>,
    /// What the target gets.
    #[serde(skip_serializing_if = "Option::is_none")]
    variant: Option<VariantKey>,
    /// The segment that it is of.
    #[serde(skip_serializing_if = "Option::is_none")]
    segment: Option<SegmentKey>,
}

/// What was forgotten.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Forgot {
    /// The user that the id is, if there is one, as it is stored.
    user: Option<String>,
    /// The devices that are theirs or were: what was done there without a user is forgotten, too.
    devices: Vec<String>,
    /// Stored events that are gone. What came while this ran is gone, too, and not counted.
    events: u64,
    /// Events that were kept apart and are gone.
    quarantined: u64,
    /// Entries on lists that are gone, those of old revisions included.
    listed: usize,
    /// What flags remembered of them and do no more.
    enrolled: usize,
    /// Files that are still looked through for whoever is being forgotten, one after the other and by itself, also after
    /// a restart. Nobody sees them there. A dry run says later how many are left; at 0 no file has anybody.
    files_left: usize,
    /// The newest changes in which somebody wrote the id into a rule or a reason. The log of changes keeps them.
    named_in: Vec<Revision>,
    /// What holds them still.
    notes: Vec<&'static str>,
}

pub(super) struct Forget;

impl Operation for Forget {
    const NAME: &'static str = "person.forget";
    const ABOUT: &'static str = "Forgets a person: their events, properties, enrolments and places on lists. What comes of the same id later is of somebody new.";
    const ROUTE: (Method, &'static str) = (Method::Post, "/api/person/forget");
    const NEEDS: Permission = Permission::Admin;
    const CLASS: Class = Class::Bulk;
    const EFFECT: Effect = Effect::Destroys;
    type Input = ForgetInput;
    type Output = Forgot;

    fn run(app: &App, ctx: &Ctx, input: ForgetInput) -> Result<Forgot, AppError> {
        let ForgetInput { environment, user, device, confirm } = input;
        app.served(&environment)?;
        let asked = asked(user, device)?;
        if !ctx.dry_run && confirm.as_ref() != Some(&asked.1) {
            return Err(AppError::bad_input(
                "forgetting is not confirmed",
                "give the same id as `confirm`; a dry run says first who is meant",
            ));
        }
        if !ctx.dry_run {
            // Exposures that wait are of them, too.
            app.commit()?;
        }
        // Before it is forgotten whose devices are.
        let meant = Meant::of(app, &environment, asked)?;
        let (ids, decided, units, forms) = (meant.ids(), meant.decided(), meant.units(), meant.forms());
        let seen = app.store.seen(&environment, &forms)?;
        let held_now = || {
            let mut held = Vec::new();
            app.each_held(&environment, &mut |kept, event| {
                if meant.has(&event, kept.held.after) {
                    held.push(kept.id);
                }
            })?;
            Ok::<_, AppError>(held)
        };
        let held = held_now()?;
        let mut forgot = Forgot {
            events: app.store.count_of(&environment, &forms)?,
            quarantined: held.len() as u64,
            listed: 0,
            enrolled: 0,
            files_left: app.store.forgetting(),
            named_in: app.ledger.naming(meant.asked(), MOST_NAMING)?,
            notes: vec![
                "backups that were made before hold the person: delete them, or forget again after restoring one",
                "ids on lists are not those of one environment: the person is off the lists of all",
            ],
            user: meant.user(&seen),
            devices: meant.devices(&seen),
        };
        if meant.has_hashes_alone(app) {
            forgot.notes.push(
                "of some of the person's other ids only hashes are known here: where lists name these ids they still do, and what is stored under an id itself stays",
            );
        }
        let said = |mut forgot: Forgot| {
            let gone = (forgot.events, forgot.quarantined, forgot.listed, forgot.enrolled);
            if gone == (0, 0, 0, 0) && !seen.contains(&true) {
                forgot
                    .notes
                    .insert(0, "nobody is known by this id here: look at how it is written, and where");
            }
            forgot
        };
        if ctx.dry_run {
            forgot.listed = app.ledger.entries_of(&ids)?;
            forgot.enrolled = app.remembered(&environment, &units)?.len();
            return Ok(said(forgot));
        }
        // Everything else first: it goes by ids, and who else belongs to the person is known by the events. So a
        // call that was cut off is made again as it was.
        let _editing = app.editing();
        forgot.quarantined = app.scrub_held(&environment, &held, &decided)?;
        forgot.enrolled = app.forget_units(&environment, &units)?;
        forgot.listed = app.ledger.forget(&ids)?;
        app.ledger.scrub()?;
        if forgot.listed > 0 {
            app.republish(ctx.now)?;
        }
        let last = forms.len().saturating_sub(1);
        for (turn, (at, form)) in meant.last_first().into_iter().enumerate() {
            // Of what is stored now something may come meanwhile; and a call that was cut off is made again.
            let seen = seen.get(at).is_some_and(|seen| *seen);
            if let Id::Device(device) = form
                && !app.store.users_of(&environment, device).is_empty()
            {
                return Err(signed_in_meanwhile(device));
            }
            if seen || turn == last || meant.is_stored_now(app, &environment, at) {
                app.store.forget(&environment, form)?;
            }
        }
        // What came there meanwhile was acknowledged before this is answered, and may have been decided since: it goes, too.
        forgot.quarantined += app.scrub_held(&environment, &held_now()?, &decided)?;
        app.violations.forget_examples(&environment);
        forgot.files_left = app.store.forgetting();
        Ok(said(forgot))
    }
}

/// Why nobody else is forgotten: the store takes a device for its user, who may be another person by now.
fn signed_in_meanwhile(device: &str) -> AppError {
    AppError::conflict(
        format!("somebody signed in on the device `{device}` while its person was being forgotten"),
        "ask for a dry run, which says who is meant now, and then again",
    )
}

impl App {
    /// The lists of now that one of these ids is on.
    fn lists_with(&self, ids: &[String]) -> Result<Vec<OnList>, AppError> {
        let state = self.ledger.state();
        let mut found = Vec::new();
        let none = || OnList { flag: None, environment: None, variant: None, segment: None };
        for flag in state.flags.values().map(|flag| &flag.value) {
            for (environment, setting) in &flag.settings {
                for target in &setting.targets {
                    if self.ledger.listed(&target.list, ids)?.contains(&true) {
                        let (flag, variant) = (Some(flag.key.clone()), Some(target.variant.clone()));
                        found.push(OnList {
                            flag,
                            variant,
                            environment: Some(environment.clone()),
                            ..none()
                        });
                    }
                }
            }
        }
        for segment in state.segments.values().map(|segment| &segment.value) {
            for list in segment.lists() {
                if self.ledger.listed(list, ids)?.contains(&true) {
                    found.push(OnList { segment: Some(segment.key.clone()), ..none() });
                }
            }
        }
        Ok(found)
    }
}
