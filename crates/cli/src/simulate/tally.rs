//! Cli, simulator: the true effect of a variant on the very people who met a flag. As each checkout's
//! luck is known, so is what it would have come to under every variant; the mean difference over all
//! who were exposed is the truth that an experiment estimates, without sampling error.

use std::collections::{BTreeMap, HashMap};

use bellwether_model::{Millis, Span};
use serde_json::{Value, json};

use super::play::{Answers, Decision, Occurrence, What};
use super::world::FLAGS;

/// One comparison of a flag's variants over a stretch of time.
#[derive(Debug)]
pub(crate) struct Trial {
    flag: usize,
    arms: Vec<u8>,
    since: Millis,
    until: Millis,
    /// How long each unit is watched; up to `until` unless given.
    window: Option<Span>,
    units: HashMap<u32, Unit>,
}

#[derive(Debug)]
struct Unit {
    first: Millis,
    arm: u8,
    crossed: bool,
    /// By arm: whether anything would have been bought, and for how much.
    would: Vec<(bool, f64)>,
}

impl Trial {
    /// A trial of these variants; `None` if the shop has no such flag.
    pub(crate) fn new(
        flag: &str,
        arms: &[&str],
        since: Millis,
        until: Millis,
        window: Option<Span>,
    ) -> Option<Self> {
        let index = FLAGS.iter().position(|f| f.key == flag)?;
        let variants = FLAGS.get(index)?.variants;
        let arms = arms
            .iter()
            .map(|arm| variants.iter().position(|v| v.key == *arm).and_then(|v| u8::try_from(v).ok()))
            .collect::<Option<_>>()?;
        Some(Self { flag: index, arms, since, until, window, units: HashMap::new() })
    }

    /// Whether it has begun and not ended.
    pub(crate) fn open(&self, now: Millis) -> bool {
        self.since <= now && now < self.until
    }

    /// Ends it earlier than planned.
    pub(crate) fn end(&mut self, at: Millis) {
        self.until = self.until.min(at);
    }

    /// Takes in a session: its events and, if there was a checkout, its decision.
    pub(crate) fn take(&mut self, events: &[Occurrence], decision: Option<&Decision>, answers: &Answers) {
        for event in events {
            let What::Exposure { flag, variant } = event.what else { continue };
            let within = event.at >= self.since && event.at < self.until;
            if usize::from(flag) != self.flag || !within || !self.arms.contains(&variant) {
                continue;
            }
            let arms = self.arms.len();
            let unit = self.units.entry(event.visitor).or_insert_with(|| Unit {
                first: event.at,
                arm: variant,
                crossed: false,
                would: vec![(false, 0.0); arms],
            });
            unit.crossed |= unit.arm != variant;
        }
        let (Some(decision), Some(visitor)) = (decision, events.first().map(|e| e.visitor)) else { return };
        let Some(unit) = self.units.get_mut(&visitor) else { return };
        let until = self.window.map_or(self.until, |w| unit.first.plus(w).min(self.until));
        if decision.at < unit.first || decision.at >= until {
            return;
        }
        for (arm, would) in self.arms.iter().zip(&mut unit.would) {
            if let Some(order) = decision.order(&answers.with(self.flag, *arm)) {
                would.0 = true;
                would.1 += order;
            }
        }
    }

    /// What is true of those who were exposed: by arm, how many got it, and what all of them would
    /// have done with it.
    pub(crate) fn truth(&self) -> Value {
        let units: Vec<&Unit> = self.units.values().filter(|u| !u.crossed).collect();
        let count = units.len().max(1) as f64;
        let variants = FLAGS.get(self.flag).map_or(&[][..], |f| f.variants);
        let mut arms = BTreeMap::new();
        for (place, arm) in self.arms.iter().enumerate() {
            let would = || units.iter().filter_map(|u| u.would.get(place));
            let bought = would().filter(|w| w.0).count() as f64;
            // In a fixed order, so that the same units give the same bits.
            let mut worth: Vec<f64> = would().map(|w| w.1).collect();
            worth.sort_unstable_by(f64::total_cmp);
            let got: Vec<_> = units.iter().filter(|u| u.arm == *arm).collect();
            let did = got.iter().filter(|u| u.would.get(place).is_some_and(|w| w.0)).count();
            let key = variants.get(usize::from(*arm)).map_or("", |v| v.key);
            arms.insert(
                key,
                json!({
                    "units": got.len(),
                    "converted": did,
                    "true_conversion": bought / count,
                    "true_revenue_per_user": worth.iter().sum::<f64>() / count,
                }),
            );
        }
        json!({
            "flag": FLAGS.get(self.flag).map_or("", |f| f.key),
            "since": self.since, "until": self.until,
            "crossed": self.units.len() - units.len(),
            "arms": arms,
        })
    }
}
