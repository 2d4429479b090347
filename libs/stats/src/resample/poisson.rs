//! The Poisson bootstrap of means: for streams, shards, and millions of units.

use super::Draws;
use crate::Refusal;
use crate::joint::same_length;
use crate::random::{STEP, check_draws, mixed};

/// Weighted sums of a stream of units, one pair for each draw.
///
/// Instead of drawing `n` of `n` units, each unit is drawn Poisson(1) times, independently of all others
/// (Chamandy et al. 2012): no unit needs to know how many there are, so that shards and days are drawn where they
/// lie, and merged. How often unit `u` is drawn in draw `b` is a function of the seed, `u` and `b`: the same unit has
/// the same weight in every shard, metric and rerun.
///
/// The statistic is the weighted mean `Σwx/Σw`. Against the ordinary bootstrap its draws agree up to terms of order
/// `1/n`: take it above some hundred units. Probabilities of the weights are rounded to 2⁻¹⁶.
///
/// ```
/// use bellwether_stats::{Level, resample::PoissonBootstrap};
/// let units: Vec<u64> = (0..2_000).collect();
/// let values: Vec<f64> = units.iter().map(|u| (u % 10) as f64).collect();
/// let mut monday = PoissonBootstrap::new(1_000, 7).unwrap();
/// monday.extend(&units[..900], &values[..900]).unwrap();
/// let mut tuesday = PoissonBootstrap::new(1_000, 7).unwrap();
/// tuesday.extend(&units[900..], &values[900..]).unwrap();
/// let both = monday.merge(&tuesday).unwrap();
/// let ends = both.draws().unwrap().percentile(Level::P95).unwrap();
/// assert!(ends.contains(4.5) && ends.high - ends.low < 0.3);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct PoissonBootstrap {
    seed: u64,
    draws: usize,
    n: u64,
    sum: f64,
    /// `Σw` and `Σwx` of each draw, rounded up to whole groups of draws.
    groups: Vec<Group>,
}

/// Draws that share a random number: 16 bits each.
const SHARED: usize = 4;

#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Group {
    weights: [u64; SHARED],
    sums: [f64; SHARED],
}

/// Units that are worked on at once: their values and weights stay in the nearest cache.
const BLOCK: usize = 256;

/// `P(w > k)` of Poisson(1) in parts of 2¹⁶, less 2¹⁵: how a random 16-bit number, read as signed, is held
/// against it.
const ABOVE: [i16; 8] = above();

const fn above() -> [i16; 8] {
    // 1 - P(w <= k), from 1/e as a sum of 1/(e k!).
    let mut thresholds = [0; 8];
    let mut term = 0.367_879_441_171_442_33;
    let mut tail = 1.0;
    let mut k = 0;
    while k < 8 {
        tail -= term;
        thresholds[k] = ((tail * 65_536.0 + 0.5) as i32 - 32_768) as i16;
        k += 1;
        term /= k as f64;
    }
    thresholds
}

impl PoissonBootstrap {
    /// Of no units yet.
    ///
    /// # Errors
    /// As [`super::Bootstrap::new`].
    pub fn new(draws: usize, seed: u64) -> Result<Self, Refusal> {
        check_draws(draws as u64, super::FEWEST_DRAWS as u64)?;
        Ok(Self { seed, draws, n: 0, sum: 0.0, groups: vec![Group::default(); draws.div_ceil(SHARED)] })
    }

    /// Adds units with their values; `units` are their ids or hashes of them.
    ///
    /// # Errors
    /// [`Refusal::LengthsDiffer`], [`Refusal::OutOfRange`] for a value that is not finite; then nothing changes.
    pub fn extend(&mut self, units: &[u64], values: &[f64]) -> Result<(), Refusal> {
        same_length("units", units.len(), "values", values.len())?;
        if let Some(wrong) = values.iter().find(|value| !value.is_finite()) {
            return Err(Refusal::out_of_range("a value of a metric", "among the finite numbers", wrong));
        }
        let seed = mixed(self.seed.wrapping_add(STEP));
        let mut states = [0u64; BLOCK];
        let mut random = [[0i16; SHARED]; BLOCK];
        for (units, values) in units.chunks(BLOCK).zip(values.chunks(BLOCK)) {
            for (state, unit) in states.iter_mut().zip(units) {
                *state = mixed(unit.wrapping_mul(STEP) ^ seed);
            }
            self.n += units.len() as u64;
            self.sum += values.iter().sum::<f64>();
            for (at, group) in self.groups.iter_mut().enumerate() {
                let step = STEP.wrapping_mul(at as u64 + 1);
                for (random, state) in random.iter_mut().zip(&states) {
                    let bits = mixed(state.wrapping_add(step));
                    *random = [bits as i16, (bits >> 16) as i16, (bits >> 32) as i16, (bits >> 48) as i16];
                }
                // Whole numbers first: the processor does eight of these comparisons at once.
                for weight in random.as_flattened_mut() {
                    let bits = *weight;
                    *weight = ABOVE.iter().map(|&above| i16::from(bits < above)).sum();
                }
                let mut weights = [0i16; SHARED];
                let mut sums = [0.0; SHARED];
                for (random, value) in random.iter().zip(values) {
                    for ((sum, weight), drawn) in sums.iter_mut().zip(&mut weights).zip(random) {
                        *sum += f64::from(*drawn) * value;
                        *weight += drawn;
                    }
                }
                for ((sum, weight), (of_sum, of_weight)) in
                    group.sums.iter_mut().zip(&mut group.weights).zip(sums.iter().zip(&weights))
                {
                    *sum += of_sum;
                    *weight += of_weight.unsigned_abs() as u64;
                }
            }
        }
        Ok(())
    }

    /// Of the units of both, which must not overlap.
    ///
    /// # Errors
    /// [`Refusal::LengthsDiffer`] for another number of draws, [`Refusal::OutOfRange`] for another seed.
    pub fn merge(&self, other: &Self) -> Result<Self, Refusal> {
        same_length("draws", other.draws, "draws", self.draws)?;
        if other.seed != self.seed {
            return Err(Refusal::out_of_range(
                "the seed of a bootstrap",
                "at that of the other part",
                other.seed,
            ));
        }
        let mut both = self.clone();
        both.n += other.n;
        both.sum += other.sum;
        for (a, b) in both.groups.iter_mut().zip(&other.groups) {
            a.weights.iter_mut().zip(b.weights).for_each(|(a, b)| *a += b);
            a.sums.iter_mut().zip(b.sums).for_each(|(a, b)| *a += b);
        }
        Ok(both)
    }

    /// Number of units.
    pub fn n(&self) -> u64 {
        self.n
    }

    fn means(&self) -> impl Iterator<Item = f64> {
        let all = self.groups.iter().flat_map(|group| group.sums.iter().zip(&group.weights));
        all.map(|(sum, &weight)| sum / weight as f64).take(self.draws)
    }

    /// The draws of the mean.
    ///
    /// # Errors
    /// [`Refusal::TooFew`] below 100 units, where draws differ in size too much; otherwise as [`Draws::new`].
    pub fn draws(&self) -> Result<Draws, Refusal> {
        self.enough()?;
        Draws::new(self.sum / self.n as f64, self.means().collect(), None)
    }

    /// The draws of the difference of the mean of `treatment` from that of this control, draw by draw.
    ///
    /// # Errors
    /// As [`PoissonBootstrap::draws`] and [`PoissonBootstrap::merge`].
    pub fn difference(&self, treatment: &Self) -> Result<Draws, Refusal> {
        same_length("draws", treatment.draws, "draws", self.draws)?;
        self.enough()?;
        treatment.enough()?;
        let estimate = treatment.sum / treatment.n as f64 - self.sum / self.n as f64;
        let draws = treatment.means().zip(self.means()).map(|(t, c)| t - c);
        Draws::new(estimate, draws.collect(), None)
    }

    fn enough(&self) -> Result<(), Refusal> {
        if self.n < 100 { Err(Refusal::too_few("units", self.n, 100)) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    /// The weights are Poisson(1): counted over a million of them.
    #[test]
    fn weights_are_poisson() {
        let mut boot = PoissonBootstrap::new(1_000, 5).unwrap();
        let mut counts = [0u64; 9];
        // One unit at a time: its weight in each draw is what the sums grow by.
        for unit in 0..1_000 {
            let before: Vec<u64> = boot.groups.iter().flat_map(|g| g.weights).collect();
            boot.extend(&[unit], &[1.0]).unwrap();
            for (after, before) in boot.groups.iter().flat_map(|g| g.weights).zip(before) {
                counts[(after - before) as usize] += 1;
            }
        }
        let mut expected = 1e6 / core::f64::consts::E;
        for (k, count) in counts.iter().enumerate().take(6) {
            let distance = (*count as f64 - expected).abs();
            assert!(distance < 4.0 * expected.sqrt(), "{k}: {count}, expected {expected}");
            expected /= k as f64 + 1.0;
        }
    }

    #[test]
    fn shards_merge_and_units_keep_their_weights() {
        let units: Vec<u64> = (0..1_000).map(|u| u * 77).collect();
        let values: Vec<f64> = (0..1_000).map(|i| f64::from(i % 13)).collect();
        let part = |range: std::ops::Range<usize>| {
            let mut part = PoissonBootstrap::new(302, 9).unwrap();
            part.extend(&units[range.clone()], &values[range]).unwrap();
            part
        };
        let (whole, merged) = (part(0..1_000), part(700..1_000).merge(&part(0..700)).unwrap());
        assert_eq!(whole, merged);
        let draws = whole.draws().unwrap();
        assert_eq!(draws.sorted().len(), 302);
        let exact = crate::Moments::of(&values).unwrap();
        let se = (exact.variance().unwrap() / 1_000.0).sqrt();
        assert!((draws.se() / se - 1.0).abs() < 0.15);
        // Twice the metric, the same draws: the difference of both halves is the same in every draw.
        let mut twice = PoissonBootstrap::new(302, 9).unwrap();
        twice.extend(&units, &values.iter().map(|v| 2.0 * v).collect::<Vec<_>>()).unwrap();
        let difference = whole.difference(&twice).unwrap();
        for (d, w) in difference.sorted().iter().zip(draws.sorted()) {
            assert!((d - w).abs() < 1e-12);
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let mut boot = PoissonBootstrap::new(300, 1).unwrap();
        assert!(boot.extend(&[1, 2], &[1.0]).is_err());
        assert!(boot.extend(&[1], &[f64::NAN]).is_err());
        assert_eq!(boot, PoissonBootstrap::new(300, 1).unwrap());
        assert!(boot.merge(&PoissonBootstrap::new(300, 2).unwrap()).is_err());
        assert!(boot.merge(&PoissonBootstrap::new(301, 1).unwrap()).is_err());
        assert_eq!(
            boot.draws().unwrap_err().to_string(),
            "too little data: `0` units, this method needs `100`"
        );
    }
}
