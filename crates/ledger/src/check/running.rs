//! Ledger: what a running experiment is owed. Whoever takes part in it stays in it with the same
//! variant, whatever else is edited meanwhile, because their exposures go on counting them where they
//! were; and those who come later divide as those before them.
//!
//! What lets more people in is allowed: they are divided at random like everybody else. What takes
//! people out, or lets some in by name, is refused: it would thin the arms with units that have
//! something else by now. The off switch and a halt are never refused, for any flag: they protect
//! customers, and must not wait for anything.

use std::collections::BTreeSet;

use bellwether_model::{Beta, Condition, Enrolment, Holdout, Layer, Segment};

use super::*;

/// An experiment that runs, and the flags whose answers decide who takes part in it: its own, and all
/// that it needs there, directly or through others.
struct Trial<'s> {
    experiment: &'s Experiment,
    flags: BTreeSet<&'s FlagKey>,
}

impl Trial<'_> {
    fn of(&self, flag: &FlagKey) -> bool {
        self.experiment.flag == *flag
    }

    /// The experiment, and what a flag has to do with it.
    fn said(&self, flag: &FlagKey) -> String {
        let Experiment { key, flag: own, environment, .. } = self.experiment;
        if self.of(flag) {
            format!("experiment `{key}`, which runs on flag `{flag}` in `{environment}`")
        } else {
            format!("experiment `{key}` in `{environment}`, whose flag `{own}` needs flag `{flag}`")
        }
    }
}

fn trials(state: &State) -> impl Iterator<Item = Trial<'_>> {
    state.experiments.values().filter(|e| e.running()).map(|experiment| {
        let mut flags = BTreeSet::new();
        let mut next = vec![&experiment.flag];
        while let Some(key) = next.pop() {
            if flags.insert(key) {
                let setting =
                    state.flags.get(key).and_then(|flag| flag.settings.get(&experiment.environment));
                next.extend(setting.iter().flat_map(|s| &s.prerequisites).map(|needed| &needed.flag));
            }
        }
        Trial { experiment: &experiment.value, flags }
    })
}

/// The first running experiment to which a flag matters.
fn trial_of<'s>(state: &'s State, flag: &FlagKey) -> Option<Trial<'s>> {
    trials(state).find(|trial| trial.flags.contains(flag))
}

/// A running experiment keeps its split and everybody who is enrolled in it. A halt is always
/// allowed: it takes nobody's assignment away, and it must never wait for anything.
pub(super) fn undisturbed(
    state: &State,
    flag: &FlagKey,
    environment: &EnvironmentKey,
    was: Option<&Serve>,
    next: &Serve,
) -> Result<(), LedgerError> {
    let Some(experiment) = state.running(flag, environment) else { return Ok(()) };
    let Some(next) = division(next) else {
        return Err(refused(
            format!("experiment `{}` runs on the split of flag `{flag}` in `{environment}`", experiment.key),
            "stop the experiment first",
        ));
    };
    let Some(was) = was.and_then(division) else { return Ok(()) };
    let moved = was.moved(next);
    if moved != Share::NONE {
        return Err(refused(
            format!(
                "this would give `{moved}` of all units another variant in experiment `{}`",
                experiment.key
            ),
            "stop the experiment first",
        ));
    }
    // Units that come later would divide otherwise than those before: the sample-ratio check would
    // call the experiment broken, and pooled arms could show a difference that is none.
    if was.same_ratio(next, experiment.plan.arms.iter().map(|arm| &arm.variant)) {
        return Ok(());
    }
    Err(refused(
        format!("this would change the ratio of the arms of experiment `{}` while it runs", experiment.key),
        "widen all arms alike, or stop the experiment first",
    ))
}

/// A running experiment keeps who reaches its split: a new prerequisite, target or rule would take units
/// out of their arm, or give them the variant of another, while their exposures still count them where
/// they were.
pub(super) fn undiverted(
    state: &State,
    flag: &Flag,
    environment: &EnvironmentKey,
    next: &Setting,
) -> Result<(), LedgerError> {
    let Some(experiment) = state.running(&flag.key, environment) else { return Ok(()) };
    if flag.settings.get(environment).is_none_or(|was| same_way(was, next)) {
        return Ok(());
    }
    Err(refused(
        format!("this would change who takes part in experiment `{}` while it runs", experiment.key),
        "keep prerequisites, targets and rules as they are, or stop the experiment first",
    ))
}

fn same_way(was: &Setting, next: &Setting) -> bool {
    was.prerequisites == next.prerequisites && was.targets == next.targets && was.rules == next.rules
}

/// A running experiment keeps what is remembered of those who take part. Of a flag that remembers, the limit
/// may change, which closes it to those who come later or opens it, and it may begin to be sticky, which lets
/// visitors in who are not signed in. One that does not remember may not begin to: SDKs that evaluate by
/// themselves would lose it, with all whom they enrolled. Of a flag that the experiment needs, nothing of it
/// may change: who is let through there is not recorded, and could not be let through again.
pub(super) fn same_memory(
    state: &State,
    flag: &FlagKey,
    environment: &EnvironmentKey,
    was: &Enrolment,
    next: &Enrolment,
) -> Result<(), LedgerError> {
    let asks = |trial: &Trial<'_>| trial.experiment.environment == *environment && trial.flags.contains(flag);
    for trial in trials(state).filter(asks) {
        if trial.of(flag) {
            let (lost, keep) = match (was.remembers(), next.remembers()) {
                _ if was.sticky && !next.sticky => {
                    ("visitors who are not signed in would lose their variant", "keep it sticky")
                }
                (true, false) => {
                    ("who was enrolled could get another variant", "change the limit but keep one")
                }
                // Theirs do not get a flag that only the server remembers, and would answer by default.
                (false, true) => {
                    ("users of SDKs that evaluate by themselves would drop out", "limit by share only")
                }
                _ => continue,
            };
            return Err(refused(
                format!("{lost} in {}", trial.said(flag)),
                format!("{keep}, or stop the experiment first"),
            ));
        }
        if was.units != next.units || was.sticky != next.sticky {
            return Err(refused(
                format!("this would change who takes part in {}", trial.said(flag)),
                "change the limit by share only, or stop the experiment first",
            ));
        }
    }
    Ok(())
}

/// A flag that a running experiment needs may serve the variants that it needs to more people, and to
/// nobody less.
pub(super) fn let_through(
    state: &State,
    flag: &Flag,
    environment: &EnvironmentKey,
    next: &Setting,
) -> Result<(), LedgerError> {
    let Some(was) = flag.settings.get(environment) else { return Ok(()) };
    let key = &flag.key;
    let needing = |t: &Trial<'_>| t.experiment.environment == *environment && t.flags.contains(key);
    for trial in trials(state).filter(|trial| needing(trial) && !trial.of(key)) {
        if !same_way(was, next) || was.off != next.off {
            return Err(refused(
                format!("this would change who takes part in {}", trial.said(key)),
                format!("keep all but the default of flag `{key}` as it is, or stop the experiment first"),
            ));
        }
        if matches!(&next.default, Serve::Rollout { rollout } if halted(rollout)) {
            continue;
        }
        let needs = trial.flags.iter().filter_map(|f| state.flags.get(*f)?.settings.get(environment));
        let needs = needs.flat_map(|s| &s.prerequisites).filter(|p| p.flag == *key);
        for needed in needs {
            if !widens(&was.default, &next.default, &needed.variants) {
                return Err(refused(
                    format!("this would take people out of {}", trial.said(key)),
                    "stop the experiment first; the flag can be turned off at any time",
                ));
            }
        }
    }
    Ok(())
}

fn halted(rollout: &Rollout) -> bool {
    matches!(rollout.state, RolloutState::Halted { .. })
}

/// Whether everybody who gets one of these variants by one serving gets one by the other, too.
fn widens(was: &Serve, next: &Serve, variants: &[VariantKey]) -> bool {
    /// Where the variants are served, in basis points, and under which salt; none is all or nothing.
    fn stretches<'a>(serve: &'a Serve, variants: &[VariantKey]) -> (Option<&'a str>, Vec<(u16, u16)>) {
        let one = match serve {
            Serve::Variant { variant } => Some(variant),
            Serve::Rollout { rollout } => rollout.settled(),
            Serve::Split { .. } => None,
        };
        match (one, serve.split()) {
            (Some(one), _) if variants.contains(one) => (None, vec![(0, Share::ALL.points())]),
            (None, Some(split)) => {
                let own = split.ranges().iter().filter(|range| variants.contains(&range.variant));
                (Some(split.salt()), own.map(|range| (range.from, range.to)).collect())
            }
            _ => (None, vec![]),
        }
    }
    let (old_salt, old) = stretches(was, variants);
    let (new_salt, new) = stretches(next, variants);
    let shared = |from: u16, to: u16| -> u16 {
        new.iter().map(|(f, t)| to.min(*t).saturating_sub(from.max(*f))).sum()
    };
    // Under another salt, who was served stands anywhere.
    let anywhere = old_salt.is_some() && new_salt.is_some() && old_salt != new_salt;
    if anywhere && !old.is_empty() {
        return shared(0, Share::ALL.points()) == Share::ALL.points();
    }
    old.iter().all(|(from, to)| shared(*from, *to) == to - from)
}

/// Who is in a segment that decides who takes part stays in it: another list would take people out of
/// their arm, or bring some in by name.
pub(super) fn same_segment(state: &State, segment: &Segment) -> Result<(), LedgerError> {
    let asks = |setting: &Setting| {
        let mut asked = setting.rules.iter().flat_map(|rule| rule.when.iter().flatten());
        asked.any(|condition| condition.segment() == Some(&segment.key))
    };
    for trial in trials(state) {
        let environment = &trial.experiment.environment;
        let asking = trial.flags.iter().find(|key| {
            let flag = state.flags.get(**key);
            let shown = |beta: &Beta| {
                let mut asked = beta.audience.iter().flatten().filter_map(Condition::segment);
                flag.is_some_and(|flag| beta.serves(flag, environment).is_some())
                    && asked.any(|key| *key == segment.key)
            };
            flag.and_then(|flag| flag.settings.get(environment)).is_some_and(asks)
                || state.betas.values().any(|beta| shown(beta))
        });
        if let Some(flag) = asking {
            return Err(refused(
                format!("segment `{}` decides who takes part in {}", segment.key, trial.said(flag)),
                "stop the experiment first, or make another segment",
            ));
        }
    }
    Ok(())
}

/// A beta takes nobody out of a running experiment, and lets none in by name. It may be turned off, or
/// archived, at any time: that is how a beta that harms is taken back.
pub(super) fn unshown(state: &State, was: Option<&Beta>, next: &Beta) -> Result<(), LedgerError> {
    for trial in trials(state) {
        for flag in trial.flags.iter().filter_map(|key| state.flags.get(*key)) {
            let environment = &trial.experiment.environment;
            let Some(served) = next.serves(flag, environment) else { continue };
            let same = was.is_some_and(|was| {
                was.serves(flag, environment) == Some(served) && was.audience == next.audience
            });
            if !same {
                return Err(refused(
                    format!("beta `{}` would change who takes part in {}", next.key, trial.said(&flag.key)),
                    "stop the experiment first, or leave the flag out of the beta",
                ));
            }
        }
    }
    Ok(())
}

/// A holdout takes nobody out of a running experiment. It may let people go, who come in at random; but
/// not those of a flag that the experiment needs, where `off` may be what was needed.
pub(super) fn unheld(state: &State, was: Option<&Holdout>, next: &Holdout) -> Result<(), LedgerError> {
    for trial in trials(state) {
        for flag in trial.flags.iter().filter_map(|key| state.flags.get(*key)) {
            let share = |holdout: &Holdout| if holdout.covers(flag) { holdout.share } else { Share::NONE };
            let (before, after) = (was.map_or(Share::NONE, share), share(next));
            if after > before || (after != before && !trial.of(&flag.key)) {
                return Err(refused(
                    format!(
                        "holdout `{}` would change who takes part in {}",
                        next.key,
                        trial.said(&flag.key)
                    ),
                    "stop the experiment first, or cover only flags that none runs on",
                ));
            }
        }
    }
    Ok(())
}

/// A flag of a running experiment is given to no team whose holdout would hold people from it.
pub(super) fn same_team(state: &State, flag: &Flag, next: &Flag) -> Result<(), LedgerError> {
    let Some(trial) = trial_of(state, &flag.key) else { return Ok(()) };
    let holds = |h: &Holdout| {
        let (before, after) = (h.covers(flag), h.covers(next));
        h.share != Share::NONE && before != after && (after || !trial.of(&flag.key))
    };
    match state.holdouts.values().find(|holdout| holds(holdout)) {
        None => Ok(()),
        Some(holdout) => Err(refused(
            format!(
                "by its team, holdout `{}` would change who takes part in {}",
                holdout.key,
                trial.said(&flag.key)
            ),
            "stop the experiment first",
        )),
    }
}

/// A flag of a running experiment stays in its layer, or outside of all: whoever has no part in a layer
/// gets `off`, and whoever leaves one meets the flags that the layer kept apart.
pub(super) fn same_layer(state: &State, flag: &Flag) -> Result<(), LedgerError> {
    match trial_of(state, &flag.key) {
        None => Ok(()),
        Some(trial) => Err(refused(
            format!("another layer would change who takes part in {}", trial.said(&flag.key)),
            "stop the experiment first",
        )),
    }
}

/// The part of a flag in its layer does not shrink while an experiment runs on it; it may grow, and
/// that of a flag that the experiment needs stays as it is.
pub(super) fn same_part(state: &State, flag: &FlagKey, was: &Layer, next: &Layer) -> Result<(), LedgerError> {
    let (before, after) = (was.share(flag), next.share(flag));
    let harmed = |trial: &Trial<'_>| after < before || (after != before && !trial.of(flag));
    match trial_of(state, flag).filter(harmed) {
        None => Ok(()),
        Some(trial) => Err(refused(
            format!("this part of layer `{}` would change who takes part in {}", was.key, trial.said(flag)),
            "stop the experiment first, or let the part grow",
        )),
    }
}

/// The split by which units are assigned, also while a rollout is halted and can be resumed.
fn division(serve: &Serve) -> Option<&Split> {
    match serve {
        Serve::Variant { .. } => None,
        Serve::Split { split } => Some(split),
        Serve::Rollout { rollout } => {
            (!matches!(rollout.state, RolloutState::Done { .. })).then_some(&rollout.split)
        }
    }
}
