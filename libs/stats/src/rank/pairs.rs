//! The shift between two arms: the median of all pairwise differences, and its interval.
//!
//! There are as many differences as pairs; they are never written down. How many lie at or below a value is
//! counted by one walk through both sorted arms, and the value itself is found by halving the range of
//! floating-point numbers: sixty-five walks, exact to the last bit.

use super::Sorted;
use crate::estimate::critical;
use crate::{Arm, Interval, Level, Refusal};

/// The median of the differences `treatment - control` over all pairs (Hodges and Lehmann 1963).
///
/// # Errors
/// [`Refusal::TooLittle`] for an arm without values, [`Refusal::OutOfRange`] for one that is not finite,
/// [`Refusal::NotFinite`] where a difference overflows.
///
/// ```
/// use bellwether_stats::rank::hodges_lehmann;
/// assert_eq!(hodges_lehmann(&[1.0, 2.0, 4.0], &[2.0, 5.0, 9.0]), Ok(3.0));
/// ```
pub fn hodges_lehmann(control: &[f64], treatment: &[f64]) -> Result<f64, Refusal> {
    let pairs = Pairs::new(control, treatment)?;
    let middle = pairs.count.div_ceil(2);
    let low = pairs.nth(middle)?;
    let high = if pairs.count % 2 == 1 { low } else { pairs.nth(middle + 1)? };
    // Half of each, where their distance overflows.
    let distance = high - low;
    Ok(if distance.is_finite() { low + 0.5 * distance } else { 0.5 * low + 0.5 * high })
}

/// The interval of the shift by the normal approximation of the rank test, with its correction of
/// one half: its ends are pairwise differences.
///
/// Assumes that the distributions differ by a shift and nothing else. With many ties it is too wide; with few
/// units use [`super::exact_shift_interval`].
///
/// # Errors
/// Those of [`hodges_lehmann`], and [`Refusal::OutOfRange`] where so few units have no interval of
/// that level.
pub fn shift_interval(control: &[f64], treatment: &[f64], level: Level) -> Result<Interval, Refusal> {
    let pairs = Pairs::new(control, treatment)?;
    let (c, t) = (pairs.control.len(), pairs.treatment.len());
    let se = (c * t / 12.0 * (c + t + 1.0)).sqrt();
    let z = critical(None, level.alpha() / 2.0);
    // The test rejects a shift below the difference of this rank.
    let rank = (0.5 * c * t - 0.5 - z * se).ceil();
    pairs.ends(rank, level)
}

/// All pairwise differences.
pub(super) struct Pairs {
    control: Sorted,
    treatment: Sorted,
    count: u64,
}

impl Pairs {
    pub(super) fn new(control: &[f64], treatment: &[f64]) -> Result<Self, Refusal> {
        let control = Sorted::new(control, Arm::Control, 1)?;
        let treatment = Sorted::new(treatment, Arm::Treatment, 1)?;
        let count = control.0.len() as u64 * treatment.0.len() as u64;
        Ok(Self { control, treatment, count })
    }

    /// From the `rank`-th difference from below to the `rank`-th from above.
    pub(super) fn ends(&self, rank: f64, level: Level) -> Result<Interval, Refusal> {
        if rank < 1.0 {
            let range = format!("such that these `{}` pairs have an interval", self.count);
            return Err(Refusal::out_of_range("a confidence level", &range, level.confidence()));
        }
        let rank = rank as u64;
        Ok(Interval { low: self.nth(rank)?, high: self.nth(self.count + 1 - rank)? })
    }

    /// The difference of that rank, from 1.
    fn nth(&self, rank: u64) -> Result<f64, Refusal> {
        let (mut low, mut high) = (key(-f64::MAX), key(f64::MAX));
        if self.at_or_below(f64::MAX) < rank {
            return Err(Refusal::not_finite("pairwise difference"));
        }
        // The smallest number with `rank` differences at or below it.
        while low < high {
            let middle = low + (high - low) / 2;
            if self.at_or_below(number(middle)) >= rank { high = middle } else { low = middle + 1 }
        }
        Ok(number(low))
    }

    fn at_or_below(&self, value: f64) -> u64 {
        // For a larger treated value fewer controls give a difference at or below `value`.
        let mut count = 0;
        let control = &self.control.0;
        let mut first = 0;
        for t in &self.treatment.0 {
            while control.get(first).is_some_and(|c| t - c > value) {
                first += 1;
            }
            count += (control.len() - first) as u64;
        }
        count
    }
}

/// Whole numbers in the order of the floating-point numbers.
fn key(x: f64) -> u64 {
    let bits = x.to_bits();
    if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
}

fn number(key: u64) -> f64 {
    // A zero is a positive one.
    0.0 + f64::from_bits(if key >> 63 == 1 { key & !(1 << 63) } else { !key })
}
