//! Query: evidence, exposures joined with outcomes. What an experiment and a guard are judged by.

mod exposures;
mod outcomes;

use bellwether_columns::Scan;
use bellwether_model::metric::Measure;
use bellwether_model::{EnvironmentKey, FlagKey, Metric, Millis, Seq, Span, Unit, VariantKey};
use bellwether_stats::Moments;
use serde::{Deserialize, Serialize};

use crate::error::QueryError;

/// Amounts of a greater magnitude are not taken for amounts: one of them would decide a mean alone, and the
/// squares of a few no longer add up. Up to here the squared deviations of millions of units stay far within
/// the range of a double, so that evidence can always be added up.
pub const MAX_AMOUNT: f64 = 1e15;

/// A question: who was exposed to what, and what did they do after it?
#[derive(Debug, Clone, PartialEq)]
pub struct Ask {
    /// Where.
    pub environment: EnvironmentKey,
    /// Whose exposures.
    pub flag: FlagKey,
    /// What the flag divides by: exposures and outcomes are joined by this id. Outcomes that came with a device alone
    /// are its user's where the unit is the user: as it is known now, or, under [`Watch::Matured`], as it was known
    /// when they came.
    pub unit: Unit,
    /// The variants that are compared. Exposures to others are counted and otherwise ignored.
    pub variants: Vec<VariantKey>,
    /// What is measured per unit.
    pub metric: Metric,
    /// Exposures at or after this count.
    pub from: Millis,
    /// Units first exposed before this, and at or after `from`, are in no arm. After shares have changed,
    /// those who stay are reported again later than those who move, or not at all; only units that come
    /// new are divided by chance alone. The same as `from` where nothing has changed.
    pub since: Millis,
    /// Exposures before this count.
    pub to: Millis,
    /// Outcomes before this count.
    pub outcomes_to: Millis,
    /// How long each unit is watched.
    pub watch: Watch,
    /// First exposures are counted in stretches of this length, for tests of the sample ratio.
    pub stretch: Span,
    /// Units whose ids have fewer characters are counted apart: their events may have lost them.
    pub shortest: usize,
}

/// How long a unit is watched after its first exposure. Outcomes count from the millisecond of the
/// exposure on; the last millisecond of a window is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watch {
    /// Until [`Ask::outcomes_to`]: early units are watched for longer than late ones.
    Open,
    /// For this long, and at most until [`Ask::outcomes_to`].
    For(Span),
    /// For this long, and only units whose window had passed at `by` count. What such a unit did is
    /// final (events that come late by more than `by` allows for aside), so a test that is repeated
    /// sees the same value of a unit at every look: what always-valid inference assumes.
    Matured {
        /// The window.
        window: Span,
        /// The moment of the look.
        by: Millis,
    },
}

/// Who was exposed to what and what they did, at one moment.
///
/// The same events give the same bits, in whatever order they are scanned: values are sorted before
/// they are added up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// One per variant asked for, in that order.
    pub arms: Vec<Arm>,
    /// First exposures by [`Ask::stretch`] since [`Ask::from`], in order; stretches without are left out.
    pub stretches: Vec<Stretch>,
    /// Units that were exposed to more than one of the variants: they are in no arm and no stretch.
    pub crossed: u64,
    /// Units that were known before [`Ask::since`]: they are in no arm and no stretch.
    pub earlier: u64,
    /// Units whose window had not passed: they are in `exposed` and `stretches`, but not in `units`.
    pub immature: u64,
    /// Units of the arms, among `exposed`, whose ids are shorter than [`Ask::shortest`].
    pub short: u64,
    /// Those of them with at least one outcome, mature or not.
    pub short_converted: u64,
    /// Exposures (not units) to variants that were not asked for.
    pub unlisted: u64,
    /// Exposures (not units) without the id that the flag divides by.
    pub anonymous: u64,
    /// Exposures (not units) of those who call themselves programs. They are in no arm, and what came of them is no
    /// outcome.
    #[serde(default)]
    pub bots: u64,
    /// Outcomes of the measured units whose amount is beyond [`MAX_AMOUNT`], for sums. They add nothing, like
    /// outcomes whose amount is not a number.
    pub set_aside: u64,
    /// Every event up to and including this one was seen, and none after it.
    pub seq: Seq,
}

/// One variant's units.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Arm {
    /// The variant.
    pub variant: VariantKey,
    /// Units first exposed to it, mature or not.
    pub exposed: u64,
    /// Units that are measured.
    pub units: u64,
    /// Those of them with at least one outcome.
    pub converted: u64,
    /// Of the metric over the measured units, those with no outcome as 0. Conversions are 0 or 1.
    pub moments: Moments,
}

/// First exposures within one stretch of time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stretch {
    /// 0 is the first since [`Ask::from`].
    pub index: u64,
    /// Units by arm, in the order of the arms.
    pub units: Vec<u64>,
}

/// Joins exposures with outcomes.
///
/// A unit's first exposure in `[from, to)` fixes its variant and the time that outcomes count from.
/// Exposures are read first and outcomes second, so neither needs to be stored in any order. Memory
/// grows with the number of exposed units, and for sums with that of outcomes.
///
/// # Errors
/// When no variant or one variant twice is asked for, when stretches have no length, when windows may pass
/// after outcomes end, when a unit's sum is beyond the numbers that can be added, when it was cancelled, or
/// events cannot be read. `cancel` is asked once per batch.
pub fn collect(ask: &Ask, scan: &dyn Scan, cancel: &dyn Fn() -> bool) -> Result<Evidence, QueryError> {
    check(ask)?;
    let exposed = exposures::read(ask, scan, cancel)?;
    let done = outcomes::read(ask, &exposed, scan, cancel)?;

    let mut values: Vec<Vec<f64>> = vec![Vec::new(); ask.variants.len()];
    let mut arms: Vec<Arm> = ask.variants.iter().map(Arm::empty).collect();
    let mut stretches = std::collections::BTreeMap::<u64, Vec<u64>>::new();
    let (mut crossed, mut earlier, mut immature) = (0, 0, 0);
    let (mut short, mut short_converted, mut set_aside) = (0, 0, 0);
    for (unit, value) in exposed.units.iter().zip(done) {
        if unit.first < ask.since.0 {
            earlier += 1;
            continue;
        }
        let Some(index) = unit.arm() else {
            crossed += 1;
            continue;
        };
        let (Some(arm), Some(values)) = (arms.get_mut(index), values.get_mut(index)) else { continue };
        arm.exposed += 1;
        if unit.short {
            short += 1;
            short_converted += u64::from(value.events > 0);
        }
        let at = Millis(unit.first).since(ask.from).0 / ask.stretch.0;
        if let Some(n) = stretches.entry(at).or_insert_with(|| vec![0; ask.variants.len()]).get_mut(index) {
            *n += 1;
        }
        if !ask.watch.matured(unit.first) {
            immature += 1;
            continue;
        }
        arm.units += 1;
        set_aside += value.set_aside;
        arm.converted += u64::from(value.events > 0);
        values.push(match ask.metric.measure {
            Measure::Conversion => f64::from(u8::from(value.events > 0)),
            Measure::Count => value.events as f64,
            Measure::Sum { .. } => value.sum,
        });
    }
    for (arm, mut values) in arms.iter_mut().zip(values) {
        values.sort_unstable_by(f64::total_cmp);
        arm.moments = Moments::of(&values).map_err(|_| {
            QueryError::refused(
                format!("the values of `{}` are too large to add up", ask.metric.key),
                "look for a broken sender: filter out its events, or measure in a larger unit",
            )
        })?;
    }
    Ok(Evidence {
        arms,
        stretches: stretches.into_iter().map(|(index, units)| Stretch { index, units }).collect(),
        crossed,
        earlier,
        immature,
        short,
        short_converted,
        unlisted: exposed.unlisted,
        anonymous: exposed.anonymous,
        bots: exposed.bots,
        set_aside,
        seq: scan.seq(),
    })
}

fn check(ask: &Ask) -> Result<(), QueryError> {
    let twice = ask.variants.iter().enumerate().find(|(i, v)| ask.variants.iter().take(*i).any(|w| w == *v));
    if let Some((_, variant)) = twice {
        return Err(QueryError::refused(
            format!("variant `{variant}` is compared with itself"),
            "name each variant once",
        ));
    }
    if !(1..=256).contains(&ask.variants.len()) {
        return Err(QueryError::refused(
            format!("`{}` variants cannot be compared", ask.variants.len()),
            "name 1 to 256 variants",
        ));
    }
    if ask.stretch.0 == 0 {
        return Err(QueryError::refused(
            "a stretch of `0` ms holds no exposure",
            "use a day, such as 86400000",
        ));
    }
    if let Watch::Matured { by, .. } = ask.watch
        && by > ask.outcomes_to
    {
        return Err(QueryError::refused(
            format!(
                "a window that passed by `{by}` is not seen whole: outcomes end at `{}`",
                ask.outcomes_to
            ),
            "count outcomes up to the look",
        ));
    }
    Ok(())
}

impl Arm {
    fn empty(variant: &VariantKey) -> Self {
        Self { variant: variant.clone(), exposed: 0, units: 0, converted: 0, moments: Moments::EMPTY }
    }
}

impl Watch {
    /// Whether an outcome at this time counts for a unit that was first exposed at `first`.
    fn sees(self, first: i64, outcome: i64) -> bool {
        outcome >= first
            && match self {
                Self::Open => true,
                Self::For(window) | Self::Matured { window, .. } => outcome <= Millis(first).plus(window).0,
            }
    }

    /// Whether a unit that was first exposed at `first` is measured.
    fn matured(self, first: i64) -> bool {
        match self {
            Self::Open | Self::For(_) => true,
            Self::Matured { window, by } => Millis(first).plus(window) < by,
        }
    }
}

#[cfg(test)]
mod tests;
