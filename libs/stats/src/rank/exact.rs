//! The exact distribution of the rank test, ties included.

use super::pairs::Pairs;
use super::{Sorted, tally};
use crate::{Alternative, Arm, Interval, Level, Method, Refusal, Test};

/// The exact test counts the ways to each rank sum; it may take this many additions (a second or so).
pub const EXACT_LIMIT: u64 = 500_000_000;

/// Wilcoxon, Mann and Whitney's test by the exact distribution over all splits of the pooled values,
/// ties included. The statistic is W: pairs in which the treated value is larger, ties counted half.
/// Two-sided it is twice the smaller tail, as in R.
///
/// # Errors
/// [`Refusal::TooLittle`] for an arm without values, [`Refusal::OutOfRange`] for one that is not finite,
/// or for more values than [`EXACT_LIMIT`] allows (some 120 in each arm without ties; beyond, [`super::mann_whitney`] is
/// as good).
///
/// ```
/// use bellwether_stats::Alternative;
/// use bellwether_stats::rank::mann_whitney_exact;
/// let test = mann_whitney_exact(&[1.0, 2.0, 3.0], &[4.0, 5.0, 6.0], Alternative::TwoSided).unwrap();
/// assert!((test.p - 0.1).abs() < 1e-15);
/// ```
pub fn mann_whitney_exact(
    control: &[f64],
    treatment: &[f64],
    alternative: Alternative,
) -> Result<Test, Refusal> {
    let c = Sorted::new(control, Arm::Control, 1)?;
    let t = Sorted::new(treatment, Arm::Treatment, 1)?;
    let groups = tally(&c, &t);
    let w = super::wilcoxon::w(&groups);
    let sizes: Vec<u64> = groups.iter().map(|(c, t)| c + t).collect();
    let distribution = Distribution::new(&sizes, treatment.len())?;
    // In steps of the distribution, without rounding: W is a multiple of one half.
    let place = (w * distribution.steps) as usize;
    let (at_most, at_least) = (distribution.at_most(place), distribution.at_least(place));
    let p = match alternative {
        Alternative::TwoSided => 2.0 * at_most.min(at_least),
        Alternative::Greater => at_least,
        Alternative::Less => at_most,
    };
    Test::new(w, None, p.min(1.0).ln(), Method::MannWhitneyExact)
}

/// The interval of the shift whose level is exact where no value occurs twice, as R's `wilcox.test` with
/// `exact = TRUE`: it covers at least as often as it says. With ties it is conservative.
///
/// # Errors
/// Those of [`mann_whitney_exact`], and [`Refusal::OutOfRange`] where so few units have no interval
/// of that level.
pub fn exact_shift_interval(control: &[f64], treatment: &[f64], level: Level) -> Result<Interval, Refusal> {
    let pairs = Pairs::new(control, treatment)?;
    let distribution = Distribution::new(&vec![1; control.len() + treatment.len()], treatment.len())?;
    // The smallest W whose lower tail reaches alpha/2: below it the test rejects.
    let tail = level.alpha() / 2.0;
    let rank = (0..distribution.ways.len()).find(|&w| distribution.at_most(w) >= tail).unwrap_or(0);
    pairs.ends(rank as f64, level)
}

/// How many splits give each W, in steps of 1, or of one half where there are ties.
struct Distribution {
    /// By W times `steps`.
    ways: Vec<f64>,
    total: f64,
    steps: f64,
}

impl Distribution {
    /// From the sizes of the groups of equal values, in order, and the number of treated.
    fn new(groups: &[u64], treated: usize) -> Result<Self, Refusal> {
        let n: u64 = groups.iter().sum();
        let tied = groups.iter().any(|size| *size > 1);
        let steps = if tied { 2 } else { 1 };
        let longest = treated as u64 * (n - treated as u64) * steps;
        let additions = longest.saturating_mul(treated as u64).saturating_mul(n);
        if additions > EXACT_LIMIT {
            let what = format!("the additions of an exact rank test, of `{treated}` among `{n}` units,");
            let range = format!("at or below `{EXACT_LIMIT}`");
            return Err(Refusal::out_of_range(&what, &range, additions));
        }
        // ways[j][s]: splits of the groups so far with j treated and a W of s. Of a group of g values m are
        // treated in C(g, m) ways; each is larger than the untreated below, and ties with those beside it.
        let width = longest as usize + 1;
        let mut ways: Vec<Vec<f64>> = vec![vec![0.0; width]; treated + 1];
        if let Some(first) = ways.first_mut().and_then(|row| row.first_mut()) {
            *first = 1.0;
        }
        let mut before = 0;
        for &size in groups {
            for j in (0..=treated.min(before as usize)).rev() {
                let (lower, upper) = ways.split_at_mut(j + 1);
                let Some(from) = lower.last() else { continue };
                let below = before - j as u64;
                let mut splits = 1.0;
                for (m, into) in (1..=size).zip(upper.iter_mut()) {
                    splits *= (size - m + 1) as f64 / m as f64;
                    let grown = (steps * m * below + steps * m * (size - m) / 2) as usize;
                    let Some(into) = into.get_mut(grown..) else { continue };
                    for (slot, ways) in into.iter_mut().zip(from) {
                        *slot += splits * ways;
                    }
                }
            }
            before += size;
        }
        let ways = ways.pop().unwrap_or_default();
        let total = ways.iter().sum();
        Ok(Self { ways, total, steps: steps as f64 })
    }

    fn at_most(&self, place: usize) -> f64 {
        self.ways.iter().take(place + 1).sum::<f64>() / self.total
    }

    fn at_least(&self, place: usize) -> f64 {
        self.ways.iter().skip(place).sum::<f64>() / self.total
    }
}
