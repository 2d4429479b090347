//! Ledger, tests: what a unit gets in a state, by the shortest program that follows the order of
//! evaluation. It does not hash as the engine does: any fixed draw shows whether an edit moves somebody.
#![allow(dead_code, unreachable_pub)]

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

use bellwether_ledger::State;
use bellwether_model::{
    Bucketing, Clause, Condition, EnvironmentKey, FlagKey, ListId, SegmentKey, Serve, Setting, Split,
    VariantKey,
};

/// Somebody: an id, and the one attribute that the storms ask about.
#[derive(Debug, Clone, Copy)]
pub struct Somebody {
    pub id: u64,
    pub plan: &'static str,
}

/// Some people of each plan.
pub fn people() -> impl Iterator<Item = Somebody> {
    (0..40).map(|id| Somebody { id, plan: if id % 2 == 0 { "p" } else { "q" } })
}

fn drawn(what: impl Hash) -> u64 {
    let mut hash = DefaultHasher::new();
    what.hash(&mut hash);
    hash.finish()
}

struct Place<'s> {
    state: &'s State,
    environment: &'s EnvironmentKey,
    who: Somebody,
}

/// What somebody gets of a flag, and whether it is by the default's split.
pub fn answer(
    state: &State,
    environment: &EnvironmentKey,
    flag: &FlagKey,
    who: Somebody,
) -> Option<(VariantKey, bool)> {
    Place { state, environment, who }.answer(flag)
}

impl Place<'_> {
    fn answer(&self, key: &FlagKey) -> Option<(VariantKey, bool)> {
        let flag = self.state.flags.get(key).filter(|flag| !flag.archived)?;
        let setting = flag.settings.get(self.environment)?;
        let off = Some((setting.off.clone(), false));
        if !setting.on || !setting.prerequisites.iter().all(|p| self.met(&p.flag, &p.variants)) {
            return off;
        }
        if let Some(target) = setting.targets.iter().find(|target| self.listed(&target.list)) {
            return Some((target.variant.clone(), false));
        }
        let mut holding = self.state.holdouts.values().filter(|holdout| holdout.covers(flag));
        if holding.any(|holdout| self.position(&holdout.salt) < holdout.share.points()) {
            return off;
        }
        if let Some(layer) = &flag.layer {
            let layer = &self.state.layers[layer];
            let at = self.position(layer.salt());
            if !layer.ranges().iter().any(|r| (r.from..r.to).contains(&at) && r.flag == *key) {
                return off;
            }
        }
        let holds = |group: &Vec<Condition>| group.iter().all(|condition| self.holds(condition));
        for beta in self.state.betas.values().filter(|beta| !beta.archived) {
            if let Some(variant) = beta.flags.get(key)
                && beta.on.contains(self.environment)
                && beta.audience.iter().any(holds)
            {
                return Some((variant.clone(), false));
            }
        }
        Some(self.served(setting))
    }

    fn met(&self, flag: &FlagKey, variants: &[VariantKey]) -> bool {
        self.answer(flag).is_some_and(|(variant, _)| variants.contains(&variant))
    }

    fn served(&self, setting: &Setting) -> (VariantKey, bool) {
        let holds = |group: &Vec<Condition>| group.iter().all(|condition| self.holds(condition));
        let rule = setting.rules.iter().find(|rule| rule.when.iter().any(holds));
        match rule.map_or(&setting.default, |rule| &rule.serve) {
            Serve::Variant { variant } => (variant.clone(), false),
            Serve::Split { split } => (self.divided(split), rule.is_none()),
            Serve::Rollout { rollout } => match rollout.settled() {
                Some(variant) => (variant.clone(), false),
                None => (self.divided(&rollout.split), rule.is_none()),
            },
        }
    }

    fn divided(&self, split: &Split) -> VariantKey {
        let at = self.position(split.salt());
        let range = split.ranges().iter().find(|range| (range.from..range.to).contains(&at));
        range.map_or_else(|| split.ranges()[0].variant.clone(), |range| range.variant.clone())
    }

    fn holds(&self, condition: &Condition) -> bool {
        match condition {
            Condition::Clause(clause) => self.tested(clause),
            Condition::Segment { segment, not } => self.member(segment) != *not,
        }
    }

    fn member(&self, key: &SegmentKey) -> bool {
        let segment = &self.state.segments[key];
        if segment.included.as_ref().is_some_and(|list| self.listed(list)) {
            return true;
        }
        let excluded = segment.excluded.as_ref().is_some_and(|list| self.listed(list));
        !excluded && segment.when.iter().any(|group| group.iter().all(|clause| self.tested(clause)))
    }

    fn tested(&self, clause: &Clause) -> bool {
        clause.values.iter().any(|value| value == self.who.plan)
    }

    fn listed(&self, list: &ListId) -> bool {
        drawn((&list.0, self.who.id)).is_multiple_of(3)
    }

    fn position(&self, salt: &str) -> u16 {
        let cbor = self.state.environments[self.environment].bucketing == Bucketing::Cbor;
        u16::try_from(drawn((cbor, salt, self.who.id)) % 10_000).unwrap_or_default()
    }
}
