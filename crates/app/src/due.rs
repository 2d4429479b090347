//! App: what is due. Scheduled changes are made and ramps take their next step when their time has come,
//! each a change of its own, in its own name, like anybody's: it is refused where anybody's would be. A round
//! is bounded, and what could not be stored is tried again in the next one.
//!
//! Changes come before steps: what somebody planned for that moment, such as a halt, is there when the ramp
//! looks, also where there was more to do than in one round. A step waits while the flag is off, while its guard cannot judge (too few were seen, or they do not
//! split as they should), and while the ledger refuses
//! it; it is late then, and the view of the flag says why.

use std::collections::{BTreeMap, BTreeSet};

use bellwether_ledger::{Proposed, State, Versioned};
use bellwether_model::{
    Actor, Edit, EnvironmentKey, Flag, FlagKey, Millis, Pace, Ramp, Revision, Rollout, Schedule, ScheduleKey,
    ScheduleState, Serve, Span, Step,
};
use bellwether_trial::guard::GuardVerdict;

use crate::access::Grant;
use crate::error::{AppError, Refusal};
use crate::operation::{Cancel, Ctx, Progress, perform, widen};
use crate::view::planned;
use crate::{App, LOOK, Stepped};

/// The most scheduled changes and the most steps of one round: a change is written and published in
/// milliseconds, and a round should be over before the next is due.
const MOST: usize = 50;

/// The most characters of a reason for a refusal.
const REASON: usize = 1_000;

/// A rollout: its flag and where.
type Place = (FlagKey, EnvironmentKey);

/// Why steps that are due are not taken.
#[derive(Debug, Default)]
pub(crate) struct Waits(BTreeMap<Place, Wait>);

#[derive(Debug, Clone)]
struct Wait {
    why: String,
    cause: Cause,
    /// The revision of the flag that this was said of; of another it says nothing.
    of: Revision,
    again: Again,
}

/// The kind of reason for which a step waits. The log is told when it is another one; the numbers in the words are
/// others at each look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    Off,
    Mismatch,
    TooLittle,
    Blind,
    Refused,
}

/// When a step that waits is thought of again.
#[derive(Debug, Clone, Copy)]
enum Again {
    /// In the next round.
    Soon,
    /// When this much has passed since then: a guard's evidence is looked at once a minute.
    After(Millis, Span),
    /// When there is another state than that of this revision, which refused it.
    Changed(Revision),
}

impl Wait {
    fn still(&self, now: Millis, state: &State) -> bool {
        match self.again {
            Again::Soon => false,
            // A clock that was set back does not make it wait longer.
            Again::After(then, span) => now >= then && now.since(then) < span,
            Again::Changed(revision) => state.revision == revision,
        }
    }
}

/// A step whose time has come.
struct Due {
    place: Place,
    revision: Revision,
    at: Millis,
    served: bool,
    rollout: Rollout,
}

/// What became of a step that is due.
enum Outcome {
    Taken,
    Halted(crate::Halted),
    Waits(Wait),
    /// Somebody was faster; the next round looks at what they did.
    Overtaken,
}

impl App {
    /// Makes the scheduled changes and takes the steps that are due. One that fails keeps no other.
    pub(crate) fn take_due(&self, now: Millis, stepped: &mut Stepped) -> Result<(), AppError> {
        let mut failed = None;
        for key in scheduled(&self.ledger.state(), now).into_iter().take(MOST) {
            if let Err(e) = self.make(&key, now, stepped) {
                failed.get_or_insert(e);
            }
        }
        // Of the flags whose plans are left for the next round no step is taken in this one.
        let state = self.ledger.state();
        let left = scheduled(&state, now).into_iter().filter_map(|key| state.schedules.get(&key));
        let left: BTreeSet<FlagKey> =
            left.filter_map(|schedule| schedule.value.planned.flag().cloned()).collect();
        self.climb(now, &left, stepped, &mut failed);
        failed.map_or(Ok(()), Err)
    }

    /// Makes a scheduled change. Where what is there does not allow it, that is a change as well.
    fn make(&self, key: &ScheduleKey, now: Millis, stepped: &mut Stepped) -> Result<(), AppError> {
        let _editing = self.editing();
        let schedule = self.ledger.state().schedules.get(key).map(|schedule| schedule.value.clone());
        // Somebody may have cancelled it since the round began.
        let Some(schedule) = schedule.filter(Schedule::waiting) else { return Ok(()) };
        let ctx = Ctx {
            now,
            grant: Grant::schedule(key.clone()),
            dry_run: false,
            cancel: Cancel::default(),
            progress: Progress::default(),
        };
        let made = match self.may_edit(&schedule.by)? {
            true => perform(self, &ctx, &schedule),
            false => Err(AppError::conflict(
                "whoever planned this may not edit any more",
                "plan it again in your own name, if it is still wanted",
            )),
        };
        let Err(e) = made else {
            stepped.made += 1;
            return Ok(());
        };
        if ours(&e) {
            return Err(e);
        }
        let because: String = e.message.chars().take(REASON).collect();
        let what = planned(&schedule.planned);
        tracing::warn!(schedule = %key, %what, %because, "a scheduled change was refused");
        let state = ScheduleState::Refused { at: now, because: because.clone() };
        self.propose(
            Proposed {
                by: ctx.grant.actor,
                why: because,
                edit: Edit::ScheduleSaved { schedule: Schedule { state, ..schedule } },
                expect: None,
                lists: Vec::new(),
            },
            now,
        )?;
        stepped.refused += 1;
        Ok(())
    }

    /// Takes the steps that are due, in the order of their times and but for these flags, and remembers why others wait.
    fn climb(
        &self,
        now: Millis,
        but: &BTreeSet<FlagKey>,
        stepped: &mut Stepped,
        failed: &mut Option<AppError>,
    ) {
        let state = self.ledger.state();
        let known = self.waits().0.clone();
        let mut waits = BTreeMap::new();
        let mut tried = 0;
        for due in ramps(&state, now).into_iter().filter(|due| !but.contains(&due.place.0)) {
            let known = known.get(&due.place).filter(|wait| wait.of == due.revision);
            if !due.served {
                let why = "the flag is off; the step is held anew once it is on".to_owned();
                waits
                    .insert(due.place, Wait { why, cause: Cause::Off, of: due.revision, again: Again::Soon });
                continue;
            }
            if let Some(wait) = known.filter(|wait| wait.still(now, &state) || tried == MOST) {
                waits.insert(due.place, wait.clone());
                continue;
            }
            if tried == MOST {
                continue;
            }
            tried += 1;
            match self.take_step(&due, &state, now) {
                Ok(Outcome::Taken) => stepped.taken += 1,
                Ok(Outcome::Halted(halted)) => stepped.halted.push(halted),
                Ok(Outcome::Overtaken) => {}
                Ok(Outcome::Waits(wait)) => {
                    if known.is_none_or(|known| known.cause != wait.cause) {
                        let (flag, environment) = &due.place;
                        tracing::warn!(%flag, %environment, why = %wait.why, "a step of a ramp waits");
                    }
                    waits.insert(due.place, wait);
                }
                Err(e) => {
                    failed.get_or_insert(e);
                }
            }
        }
        *self.waits() = Waits(waits);
    }

    /// Takes a step, unless its guard has something against it.
    fn take_step(&self, due: &Due, state: &State, now: Millis) -> Result<Outcome, AppError> {
        let (flag, environment) = &due.place;
        let waits = |why, cause, again| Ok(Outcome::Waits(Wait { why, cause, of: due.revision, again }));
        if due.rollout.guard.is_some() {
            let later = Again::After(now, LOOK);
            match self.guard_once(flag, environment, &due.rollout, due.revision, now) {
                Ok((_, Some(halted))) => return Ok(Outcome::Halted(halted)),
                Ok((GuardVerdict::Mismatch { sentence, .. }, None)) => {
                    return waits(sentence, Cause::Mismatch, later);
                }
                // Nor does silence clear it: a guard that has seen nobody would let harm through to everybody.
                Ok((GuardVerdict::TooLittle { sentence, .. }, None)) => {
                    return waits(sentence, Cause::TooLittle, later);
                }
                Ok((GuardVerdict::Quiet { .. } | GuardVerdict::Harm { .. }, None)) => {}
                Err(e) if e.refusal == Refusal::Stale => return Ok(Outcome::Overtaken),
                Err(e) => {
                    tracing::error!(%flag, %environment, error = %e, cause = e.cause, "a guard could not look");
                    return waits(format!("its guard could not look: {}", e.message), Cause::Blind, later);
                }
            }
        }
        let refused = |e: AppError| match e.refusal {
            Refusal::Stale => Ok(Outcome::Overtaken),
            _ if ours(&e) => Err(e),
            _ => waits(e.message, Cause::Refused, Again::Changed(state.revision)),
        };
        let (rollout, why) = match stepped(&due.rollout, due.at, now) {
            Ok(Some(stepped)) => stepped,
            Ok(None) => return Ok(Outcome::Overtaken),
            Err(e) => return refused(e),
        };
        let _editing = self.editing();
        let proposed = Proposed {
            by: Actor::Ramp { flag: flag.clone(), environment: environment.clone() },
            why,
            edit: Edit::RolloutSet { flag: flag.clone(), environment: environment.clone(), rollout },
            // The revision that was judged: a person who was faster wins.
            expect: Some(due.revision),
            lists: Vec::new(),
        };
        self.propose(proposed, now).map_or_else(refused, |_| Ok(Outcome::Taken))
    }

    /// Why the step of a ramp that is due is not taken, if that is known of this revision of its flag.
    pub(crate) fn waits_because(
        &self,
        flag: &Versioned<Flag>,
        environment: &EnvironmentKey,
    ) -> Option<String> {
        let waits = self.waits();
        let wait = waits.0.get(&(flag.key.clone(), environment.clone()))?;
        (wait.of == flag.revision).then(|| wait.why.clone())
    }

    fn waits(&self) -> std::sync::MutexGuard<'_, Waits> {
        self.waits.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Whether a refusal is no fault of what was asked, so that the same may succeed the next time.
fn ours(error: &AppError) -> bool {
    matches!(error.refusal, Refusal::Internal | Refusal::Busy | Refusal::Slow | Refusal::Unavailable)
}

/// The scheduled changes whose time has come: by their times, then in the order in which they were planned.
fn scheduled(state: &State, now: Millis) -> Vec<ScheduleKey> {
    let waiting = state.schedules.values().filter(|schedule| schedule.waiting() && schedule.value.at <= now);
    // What waits has not been changed since it was planned.
    let mut due: Vec<_> = waiting.map(|s| (s.value.at, s.revision, s.value.key.clone())).collect();
    due.sort();
    due.into_iter().map(|(.., key)| key).collect()
}

/// The steps whose time has come: by their times, then by flag and environment.
fn ramps(state: &State, now: Millis) -> Vec<Due> {
    let settings = state.flags.values().flat_map(|flag| {
        flag.value.settings.iter().map(move |(environment, setting)| (flag, environment, setting))
    });
    let mut due: Vec<Due> = settings
        .filter_map(|(flag, environment, setting)| {
            let Serve::Rollout { rollout } = &setting.default else { return None };
            let Some(Pace::Due { at }) = rollout.due(now).and(rollout.ramp.as_ref()).map(|ramp| ramp.pace)
            else {
                return None;
            };
            Some(Due {
                place: (flag.value.key.clone(), environment.clone()),
                revision: flag.revision,
                at,
                served: setting.on && !flag.value.archived,
                rollout: rollout.clone(),
            })
        })
        .collect();
    due.sort_by(|a, b| (a.at, &a.place).cmp(&(b.at, &b.place)));
    due
}

/// The rollout on the next step of its ramp, and why it is there. A server that was away takes one step when
/// it is back, and holds it for its whole time.
fn stepped(rollout: &Rollout, at: Millis, now: Millis) -> Result<Option<(Rollout, String)>, AppError> {
    let (Some(step), Some(ramp)) = (rollout.due(now), &rollout.ramp) else { return Ok(None) };
    let why = reason(ramp, step, now.since(at));
    let mut next = rollout.clone();
    widen(&mut next, step.share, now)?;
    if let Some(ramp) = &mut next.ramp {
        ramp.advance(now);
    }
    Ok(Some((next, why)))
}

/// Such as `step 2 of 4: 25% after 1 hour at 5%`, and how late it comes if that is a minute or more.
fn reason(ramp: &Ramp, step: Step, late: Span) -> String {
    let held = ramp.standing().map(|was| format!(" after {} at {}", was.hold, was.share));
    let minutes = Span::MINUTE.times(late.0 / Span::MINUTE.0);
    let late = if minutes == Span(0) { String::new() } else { format!(", {minutes} late") };
    format!(
        "step {} of {}: {}{}{late}",
        ramp.taken + 1,
        ramp.steps.len(),
        step.share,
        held.unwrap_or_default()
    )
}
