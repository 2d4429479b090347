//! App: how one environment serves a flag, in a sentence. It goes the way of an evaluation: whoever is decided
//! first is said first, so that "everybody else" are those who are left, and nobody is who is not.

use bellwether_ledger::State;
use bellwether_model::{
    EnvironmentKey, Flag, Pace, Prerequisite, Ramp, Rollout, RolloutState, Serve, Setting, Share,
};

use super::{among, units};
use crate::enrolment::EnrolledView;

/// So many prerequisites are named one by one.
const NAMED: usize = 3;

/// What the sentence is about.
pub(super) struct Served<'a> {
    /// Where the flag's layer, its beta and what it needs stand.
    pub(super) state: &'a State,
    pub(super) flag: &'a Flag,
    pub(super) environment: &'a EnvironmentKey,
    pub(super) setting: &'a Setting,
    /// Why a step of its ramp that is due is not taken.
    pub(super) late: Option<&'a str>,
    /// Who is enrolled, where that is counted.
    pub(super) enrolled: Option<&'a EnrolledView>,
}

impl Served<'_> {
    pub(super) fn sentence(&self) -> String {
        let Self { flag, setting, .. } = self;
        if flag.archived {
            return "archived: served to nobody".to_owned();
        }
        if !setting.on {
            return format!("off: everybody gets `{}`", setting.off);
        }
        let mut steps: Vec<String> = self.unmet().into_iter().collect();
        let (targets, rules) = (setting.targets.len(), setting.rules.len());
        let between: Vec<String> = self.kept_out().into_iter().chain(self.beta()).collect();
        if between.is_empty() {
            steps.extend(deciding(&[("target", targets), ("rule", rules)], steps.is_empty()));
        } else {
            steps.extend(deciding(&[("target", targets)], steps.is_empty()));
            steps.extend(between);
            if !self.nowhere() {
                steps.extend(deciding(&[("rule", rules)], false));
            }
        }
        if !self.nowhere() {
            steps.push(match steps.is_empty() {
                true => self.default("everybody", ""),
                false => self.default("everybody else", " of the others"),
            });
        }
        format!("on: {}", steps.join(", then "))
    }

    /// What those get of whom a prerequisite is not met, the targets among them.
    fn unmet(&self) -> Option<String> {
        let Setting { off, prerequisites, .. } = self.setting;
        if prerequisites.is_empty() {
            return None;
        }
        if prerequisites.len() > NAMED {
            return Some(format!("`{off}` unless its {} prerequisites are met", prerequisites.len()));
        }
        let needs = |Prerequisite { flag, variants }: &Prerequisite| {
            let variants: Vec<_> = variants.iter().map(|variant| format!("`{variant}`")).collect();
            format!("`{flag}` serves {}", among(&variants, "or"))
        };
        let needs: Vec<_> = prerequisites.iter().map(needs).collect();
        Some(format!("`{off}` unless {}", among(&needs, "and")))
    }

    /// Whether the flag is in a layer of which it has no part, so that nothing behind it is reached.
    fn nowhere(&self) -> bool {
        self.part().is_some_and(|(_, share)| share == Share::NONE)
    }

    fn part(&self) -> Option<(&str, Share)> {
        let layer = self.state.layers.get(self.flag.layer.as_ref()?)?;
        Some((layer.key.as_str(), layer.share(&self.flag.key)))
    }

    /// What those get who are held out or outside the flag's part of its layer.
    fn kept_out(&self) -> Option<String> {
        let off = &self.setting.off;
        let holdouts = self.state.holdouts.values().map(|holdout| &holdout.value);
        let holding = holdouts.filter(|holdout| holdout.covers(self.flag) && holdout.share != Share::NONE);
        let mut who: Vec<String> =
            holding.map(|holdout| format!("for {} in holdout `{}`", holdout.share, holdout.key)).collect();
        match self.part() {
            None => {}
            Some((layer, Share::NONE)) => {
                who.push(format!("for everybody else, because it has no part of layer `{layer}`"));
            }
            Some((layer, Share::ALL)) => {
                who.push(format!("without a `{}` for layer `{layer}`", self.flag.unit.attribute()));
            }
            Some((layer, share)) => who.push(format!("outside its {share} of layer `{layer}`")),
        }
        (!who.is_empty()).then(|| format!("`{off}` {}", among(&who, "and")))
    }

    fn beta(&self) -> Option<String> {
        if self.nowhere() {
            return None;
        }
        let mut betas = self.state.betas.values();
        betas.find_map(|beta| {
            let variant = beta.serves(self.flag, self.environment)?;
            Some(format!("`{variant}` for the audience of beta `{}`", beta.key))
        })
    }

    /// What those get for whom nothing before it decides.
    fn default(&self, everybody: &str, of: &str) -> String {
        let dividing = self.setting.default.split();
        if let (Some(split), Some(enrolled)) = (dividing, self.enrolled.filter(|enrolled| enrolled.closed()))
        {
            let shut = split.rest().unwrap_or(&self.setting.off);
            return format!("{}, and everybody else gets `{shut}`: enrolment is closed", enrolled.keep());
        }
        let limits = dividing.map(|_| self.limits()).unwrap_or_default();
        match &self.setting.default {
            Serve::Variant { variant } => format!("{everybody} gets `{variant}`"),
            Serve::Split { split } => {
                let shares = split.shares();
                let parts: Vec<_> = shares
                    .iter()
                    .filter(|(_, share)| *share != Share::NONE)
                    .map(|(variant, share)| format!("{share} get `{variant}`"))
                    .collect();
                format!("{}{of}{limits}", parts.join(", "))
            }
            Serve::Rollout { rollout } => {
                let Rollout { candidate, control, .. } = rollout;
                match &rollout.state {
                    RolloutState::Widening => {
                        let watched = if rollout.guard.is_some() { "guarded rollout" } else { "rollout" };
                        let ramp = rollout.ramp.as_ref();
                        let goes_on = ramp.map_or_else(String::new, |ramp| goes_on(ramp, self.late));
                        let share = rollout.share();
                        format!("a {watched} gives `{candidate}` to {share}{of} so far{goes_on}{limits}")
                    }
                    RolloutState::Halted { .. } => {
                        format!(
                            "{everybody} gets `{control}`, because the rollout of `{candidate}` is halted"
                        )
                    }
                    RolloutState::Done { .. } => {
                        format!("{everybody} gets `{candidate}`, which is rolled out")
                    }
                }
            }
        }
    }

    /// How many may be enrolled at most, in words that follow who gets what.
    fn limits(&self) -> String {
        let enrolment = &self.setting.enrolment;
        let share = enrolment.share.filter(|most| *most != Share::ALL);
        let share = share.map(|most| format!("{most} of everybody"));
        let units = enrolment.units.map(|most| units(most.get()));
        let most: Vec<String> = share.into_iter().chain(units).collect();
        if most.is_empty() {
            return String::new();
        }
        let so_far = self.enrolled.filter(|_| enrolment.units.is_some());
        let so_far = so_far.map(|enrolled| format!(", {} so far", enrolled.count())).unwrap_or_default();
        format!("; at most {} may be enrolled{so_far}", among(&most, "and"))
    }
}

/// ``2 targets and 1 rule decide first``.
fn deciding(what: &[(&str, usize)], first: bool) -> Option<String> {
    let there = what.iter().filter(|(_, n)| *n > 0);
    let said: Vec<_> =
        there.map(|(what, n)| format!("{n} {what}{}", if *n == 1 { "" } else { "s" })).collect();
    let one = what.iter().map(|(_, n)| n).sum::<usize>() == 1;
    let decide = if one { "decides" } else { "decide" };
    let first = if first { " first" } else { "" };
    (!said.is_empty()).then(|| format!("{} {decide}{first}", said.join(" and ")))
}

/// When a ramp takes its next step, in words that follow where it stands.
fn goes_on(ramp: &Ramp, late: Option<&str>) -> String {
    match (ramp.next(), ramp.pace, late) {
        (Some(next), Pace::Due { at }, None) => format!("; {} follows at {at}", next.share),
        (Some(next), Pace::Due { .. }, Some(why)) => format!("; {} is due and waits: {why}", next.share),
        (Some(next), Pace::Paused { .. }, _) => format!("; it is paused before {}", next.share),
        (None, ..) | (_, Pace::Ended, _) => String::new(),
    }
}
