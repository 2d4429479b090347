//! App: what is recorded of who was enrolled, for memories that do not have it: of units that were enrolled
//! before their flag remembered anybody, in the second before a crash, or by SDKs that had older rules.

use bellwether_flags::{Division, Ruleset, Source};
use bellwether_ledger::{Page, State};
use bellwether_model::{
    Change, Edit, EnvironmentKey, FlagKey, Millis, Revision, RolloutState, Serve, Span, Split, Subject, Unit,
    VariantKey,
};
use bellwether_query::enrolled::{self, Given};
use rustc_hash::FxHashMap;

use super::{Kept, Marks, divides};
use crate::App;
use crate::error::AppError;
use crate::intake::conceal::is_hash;
use crate::intake::names_nobody;

/// A memory that is this young looks again at what is recorded: SDKs that evaluate by themselves may still
/// enroll by older rules, and report it late.
pub(super) const YOUNG: Span = Span(10 * Span::MINUTE.0);
/// How far back is looked beyond what is known to be in a memory: an answer is noted with the time at which
/// it was asked for.
const MARGIN: Span = Span::MINUTE;
/// What was recorded of a flag up to a moment.
pub(crate) struct Prepared {
    environment: EnvironmentKey,
    flag: FlagKey,
    salt: String,
    given: Vec<Given>,
    to: Millis,
}

fn unit_of(state: &State, flag: &FlagKey) -> Unit {
    state.flags.get(flag).map(|flag| flag.value.unit).unwrap_or_default()
}

/// The split that a change gives a flag in an environment, or leaves it, if it has this salt.
fn salts<'c>(change: &'c Change, environment: &EnvironmentKey, salt: &str) -> Option<&'c Split> {
    let split = match &change.edit {
        Edit::FlagCreated { flag } => flag.settings.get(environment).and_then(|s| divides(&s.default)),
        Edit::TargetingReplaced { environment: of, setting, .. } if of == environment => {
            divides(&setting.default)
        }
        Edit::SplitReshared { environment: of, split, .. } if of == environment => Some(split),
        Edit::RolloutSet { environment: of, rollout, .. } if of == environment => Some(&rollout.split),
        _ => None,
    };
    split.filter(|split| split.salt() == salt)
}

/// The flag alone, dividing: also while it is off or its rollout halted, who was enrolled by it is known by
/// its split. `None` where there is none.
fn dividing(
    state: &State,
    environment: &EnvironmentKey,
    flag: &FlagKey,
) -> Result<Option<Ruleset>, AppError> {
    let (Some(known), Some(of)) = (state.flags.get(flag), state.environments.get(environment)) else {
        return Ok(None);
    };
    let mut alone = known.value.clone();
    alone.layer = None;
    alone.settings.retain(|key, _| key == environment);
    let Some(setting) = alone.settings.get_mut(environment) else { return Ok(None) };
    if divides(&setting.default).is_none() {
        return Ok(None);
    }
    setting.on = true;
    setting.prerequisites.clear();
    setting.targets.clear();
    setting.rules.clear();
    if let Serve::Rollout { rollout } = &mut setting.default {
        rollout.state = RolloutState::Widening;
    }
    Ok(Some(Ruleset::compile(&of.value, state.revision, Source::of_flags([&alone]))?))
}

impl App {
    /// Looks up what is recorded of a flag before its memory is made, which may take a while: whoever changes
    /// something else meanwhile does not wait for it.
    pub(crate) fn prepare_register(
        &self,
        environment: &EnvironmentKey,
        flag: &FlagKey,
        now: Millis,
        cancel: &dyn Fn() -> bool,
    ) -> Result<Option<Prepared>, AppError> {
        let state = self.ledger.state();
        let Some(known) = state.flags.get(flag).map(|flag| &flag.value) else { return Ok(None) };
        let Some(setting) = known.settings.get(environment) else { return Ok(None) };
        let Some(split) = divides(&setting.default).filter(|_| !setting.enrolment.remembers()) else {
            return Ok(None);
        };
        let salt = split.salt().to_owned();
        let from = self.salted(flag, environment, &salt)?;
        let given = self.given(environment, flag, known.unit, from, now, cancel)?;
        let (environment, flag) = (environment.clone(), flag.clone());
        Ok(Some(Prepared { environment, flag, salt, given, to: now }))
    }

    /// Offers what was looked up to the memory that `edit` makes, and forgets it afterwards. Whoever calls this
    /// holds [`App::editing`], so that nobody offers anything else meanwhile.
    pub(crate) fn with_prepared<T>(&self, prepared: Option<Prepared>, edit: impl FnOnce() -> T) -> T {
        *self.enrolments.prepared() = prepared;
        let edited = edit();
        *self.enrolments.prepared() = None;
        edited
    }

    /// Takes in what was looked up for a memory.
    pub(super) fn take_prepared(
        &self,
        state: &State,
        environment: &EnvironmentKey,
        flag: &FlagKey,
        kept: &Kept,
    ) -> Result<(), AppError> {
        let fits = |p: &Prepared| p.environment == *environment && p.flag == *flag && p.salt == kept.salt;
        if kept.marks().seen.is_none()
            && let Some(Prepared { given, to, .. }) = self.enrolments.prepared().take_if(|p| fits(p))
        {
            self.take_in(state, environment, flag, kept, &given)?;
            kept.marks().seen = Some(to);
        }
        Ok(())
    }

    /// Takes in who was given what by a flag as it is in a state.
    fn take_in(
        &self,
        state: &State,
        environment: &EnvironmentKey,
        flag: &FlagKey,
        kept: &Kept,
        given: &[Given],
    ) -> Result<(), AppError> {
        let rules = dividing(state, environment, flag)?;
        let division = rules.as_ref().and_then(|rules| rules.division(flag.as_str()));
        // Who was served by another salt stands elsewhere.
        if let Some(division) = division.filter(|division| division.salt() == kept.salt) {
            self.sight(kept, unit_of(state, flag), division, given);
        }
        Ok(())
    }

    /// Takes in what is recorded since a memory last looked.
    pub(super) fn look_up(
        &self,
        state: &State,
        environment: &EnvironmentKey,
        flag: &FlagKey,
        kept: &Kept,
        now: Millis,
    ) -> Result<(), AppError> {
        let seen = kept.marks().seen;
        // What is reported late happened before it was looked at: while it is young, all of it is again.
        let young =
            (now.since(kept.made) < YOUNG).then(|| Millis(kept.made.0.saturating_sub_unsigned(YOUNG.0)));
        let from = match seen {
            Some(seen) => Millis(seen.0.saturating_sub_unsigned(MARGIN.0)).min(young.unwrap_or(seen)),
            None => self.salted(flag, environment, &kept.salt)?,
        };
        let given = self.given(environment, flag, unit_of(state, flag), from, now, &|| false)?;
        self.take_in(state, environment, flag, kept, &given)?;
        kept.marks().seen = Some(now);
        Ok(())
    }

    fn given(
        &self,
        environment: &EnvironmentKey,
        flag: &FlagKey,
        unit: Unit,
        from: Millis,
        to: Millis,
        cancel: &dyn Fn() -> bool,
    ) -> Result<Vec<Given>, AppError> {
        let to = Millis(to.0.saturating_add(1));
        let ask = enrolled::Ask { environment: environment.clone(), flag: flag.clone(), unit, from, to };
        Ok(enrolled::given(&ask, &self.store.snapshot(), cancel)?)
    }

    /// An id and its fingerprint, if it names somebody. By a hash nobody is placed.
    fn named<'i>(&self, unit: Unit, id: &'i Option<String>) -> Option<(u64, Option<&'i str>)> {
        let id = id.as_deref().filter(|id| !names_nobody(id))?;
        Some((self.enrolments.print(unit, id), (!is_hash(id)).then_some(id)))
    }

    /// Takes in who was given what. What somebody was given last is what they have; a device is its first
    /// user's.
    fn sight(&self, kept: &Kept, unit: Unit, division: Division<'_>, given: &[Given]) {
        let mut last: FxHashMap<u64, (Option<&str>, &Given)> = FxHashMap::default();
        let mut owned: Vec<(u64, u64)> = Vec::new();
        // In the order of when first.
        for one in given {
            let (unit, device) = (self.named(unit, &one.unit), self.named(Unit::Device, &one.device));
            let Some((who, id)) = unit.or(device.filter(|_| division.by_device())) else { continue };
            last.entry(who)
                .and_modify(|(_, known)| *known = if one.last >= known.last { one } else { known })
                .or_insert((id, one));
            if let (Some((user, _)), Some((device, _))) = (unit, device) {
                owned.push((device, user));
            }
        }
        let mut register = kept.write();
        for (who, (id, one)) in last {
            register.sight(division, (id, who), &one.variant);
        }
        for (device, user) in owned {
            register.own(division, device, user);
        }
    }

    /// When a flag first had a salt in an environment: since then its split says the same of a unit.
    fn salted(&self, flag: &FlagKey, environment: &EnvironmentKey, salt: &str) -> Result<Millis, AppError> {
        let mut since = None;
        self.history(flag, |change| {
            since = salts(change, environment, salt).map(|_| change.at).or(since);
            false
        })?;
        // A split that no change brought is as old as anything.
        Ok(since.unwrap_or_default())
    }

    /// When a flag last divided these variants in another ratio than now, under the salt that it has: who was
    /// enrolled then came in by that ratio.
    pub(crate) fn drew_otherwise(
        &self,
        flag: &FlagKey,
        environment: &EnvironmentKey,
        split: &Split,
        variants: &[&VariantKey],
    ) -> Result<Option<Millis>, AppError> {
        let mut last = None;
        self.history(flag, |change| {
            let was = salts(change, environment, split.salt());
            last = was.filter(|was| !was.same_ratio(split, variants.iter().copied())).map(|_| change.at);
            last.is_some()
        })?;
        Ok(last)
    }

    /// Shows the changes of a flag, newest first, until `enough` says so.
    fn history(&self, flag: &FlagKey, mut enough: impl FnMut(&Change) -> bool) -> Result<(), AppError> {
        let mut before: Option<Revision> = None;
        loop {
            let page = Page { before, limit: 200, about: Some(Subject::Flag(flag.clone())) };
            let changes = self.ledger.changes(&page)?;
            if changes.iter().any(&mut enough) {
                return Ok(());
            }
            match changes.last() {
                Some(last) => before = Some(last.revision),
                None => return Ok(()),
            }
        }
    }

    /// Takes into the memories what is recorded and may not be in them: of one that was made, everything
    /// since its salt is there; of one that was opened again, what came after it was last written; of a young
    /// one, what others reported since it last looked.
    ///
    /// # Errors
    /// When events cannot be read; the others are looked at nevertheless.
    pub(crate) fn catch_up(&self, now: Millis) -> Result<(), AppError> {
        let served = self.served.load_full();
        let state = self.ledger.state();
        let mut failed = None;
        for (environment, served) in served.environments() {
            for (flag, kept) in &served.registers.0 {
                let Marks { seen, behind, .. } = *kept.marks();
                let young = now.since(kept.made) < YOUNG && seen.is_none_or(|seen| now.since(seen) >= MARGIN);
                if !(behind || young) {
                    continue;
                }
                match self.look_up(&state, environment, flag, kept, now) {
                    Ok(()) => kept.marks().behind = false,
                    Err(e) => failed = Some(e),
                }
            }
        }
        failed.map_or(Ok(()), Err)
    }
}
