//! The bootstrap: what an estimate would have been had the units been drawn again.
//!
//! - [`Bootstrap`]: draws of one sample, of two, or of clusters, for any statistic.
//! - [`Draws`]: their standard error, and the percentile, basic, BCa and studentised interval.
//! - [`PoissonBootstrap`]: means of a stream, mergeable across shards, at the speed of memory.
//!
//! Everything is a function of the seed. Right where the statistic is smooth in the distribution; wrong for
//! extremes (the largest value, a quantile near the end), and too narrow for small samples (below about 30)
//! and heavy tails, where no method without assumptions does better.

mod poisson;

pub use poisson::PoissonBootstrap;

use crate::quantile::{Definition, of_sorted};
use crate::random::{Random, check_draws};
use crate::special::normal;
use crate::{Arm, Estimate, Interval, Level, Method, Refusal};

/// How many draws, and from which seed.
///
/// ```
/// use bellwether_stats::{Level, resample::Bootstrap};
/// let values: Vec<f64> = (0..80).map(|i| f64::from(i % 9)).collect();
/// let median = |values: &[f64]| {
///     let mut sorted = values.to_vec();
///     sorted.sort_by(f64::total_cmp);
///     sorted[sorted.len() / 2]
/// };
/// let draws = Bootstrap::new(2_000, 7).unwrap().of(&values, median).unwrap();
/// assert!(draws.percentile(Level::P95).unwrap().contains(4.0));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bootstrap {
    draws: usize,
    seed: u64,
}

/// Draws that an interval at 95 % needs to have ends at all that mean something.
const FEWEST_DRAWS: usize = 200;

/// Places that are drawn in memory; each is left out once for the skew.
const MOST_PLACES: usize = 10_000_000;

impl Bootstrap {
    /// With the number of draws (at least 200; 10,000 for ends that hold to the second digit) and the seed.
    ///
    /// # Errors
    /// [`Refusal::TooFew`] below 200 draws, [`Refusal::OutOfRange`] above 10 million.
    pub fn new(draws: usize, seed: u64) -> Result<Self, Refusal> {
        check_draws(draws as u64, FEWEST_DRAWS as u64)?;
        Ok(Self { draws, seed })
    }

    /// Draws `n` units with replacement each time, and gives the statistic their places: for clusters, pairs, or
    /// whatever is drawn as a whole.
    ///
    /// # Errors
    /// [`Refusal::TooFew`] below two units, [`Refusal::OutOfRange`] above 10 million, and where the statistic is no finite number.
    pub fn of_places(&self, n: usize, statistic: impl Fn(&[usize]) -> f64) -> Result<Draws, Refusal> {
        if n < 2 {
            return Err(Refusal::too_few("units", n as u64, 2));
        }
        if n > MOST_PLACES {
            let range = format!("at or below `{MOST_PLACES}`");
            return Err(Refusal::out_of_range("the units of a bootstrap", &range, n));
        }
        let all: Vec<usize> = (0..n).collect();
        let mut places = all.clone();
        let estimate = statistic(&all);
        let draws = (0..self.draws).map(|draw| {
            let mut random = Random::new(self.seed, draw as u64);
            places.iter_mut().for_each(|place| *place = random.below(n));
            statistic(&places)
        });
        Draws::new(estimate, draws.collect(), None)?.with_jackknife(&[n], |left_out| {
            let others: Vec<usize> = all.iter().copied().filter(|place| *place != left_out).collect();
            statistic(&others)
        })
    }

    /// Draws of one sample.
    ///
    /// # Errors
    /// As [`Bootstrap::of_places`].
    pub fn of(&self, values: &[f64], statistic: impl Fn(&[f64]) -> f64) -> Result<Draws, Refusal> {
        self.of_two_samples(values, None, |values, _| statistic(values))
    }

    /// Draws of two samples, each from itself; the statistic is that of treatment and control, in this order
    /// control first.
    ///
    /// # Errors
    /// As [`Bootstrap::of_places`], naming the arm.
    pub fn of_two(
        &self,
        control: &[f64],
        treatment: &[f64],
        statistic: impl Fn(&[f64], &[f64]) -> f64,
    ) -> Result<Draws, Refusal> {
        for (arm, values) in [(Arm::Control, control), (Arm::Treatment, treatment)] {
            if values.len() < 2 {
                return Err(Refusal::TooLittle { arm, have: values.len() as u64, need: 2 });
            }
        }
        self.of_two_samples(control, Some(treatment), statistic)
    }

    fn of_two_samples(
        &self,
        first: &[f64],
        second: Option<&[f64]>,
        statistic: impl Fn(&[f64], &[f64]) -> f64,
    ) -> Result<Draws, Refusal> {
        if first.len() < 2 {
            return Err(Refusal::too_few("values", first.len() as u64, 2));
        }
        let other = second.unwrap_or_default();
        let draws = Draws::new(statistic(first, other), self.draw(first, other, &statistic), None)?;
        let without = |values: &[f64], place: usize| -> Vec<f64> {
            values.iter().enumerate().filter(|(at, _)| *at != place).map(|(_, value)| *value).collect()
        };
        let sizes: &[usize] = if second.is_some() { &[first.len(), other.len()] } else { &[first.len()] };
        draws.with_jackknife(sizes, |left_out| match left_out.checked_sub(first.len()) {
            None => statistic(&without(first, left_out), other),
            Some(place) => statistic(first, &without(other, place)),
        })
    }

    /// Draws of the difference of two means with the standard error of each draw, for the studentised interval: closer than
    /// Welch's where skewed arms differ in size. Where they are alike most of the skew cancels, and Welch's covers
    /// better than any of the bootstrap's.
    ///
    /// # Errors
    /// As [`Bootstrap::of_two`].
    pub fn of_means(&self, control: &[f64], treatment: &[f64]) -> Result<Draws, Refusal> {
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let square_of_se = |values: &[f64]| {
            let (n, mean) = (values.len() as f64, mean(values));
            values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n * (n - 1.0))
        };
        let se = |c: &[f64], t: &[f64]| (square_of_se(c) + square_of_se(t)).sqrt();
        let mut draws = self.of_two(control, treatment, |c, t| mean(t) - mean(c))?;
        // The same draws again, with their errors beside them.
        let both = self.draw(control, treatment, &|c: &[f64], t: &[f64]| (mean(t) - mean(c), se(c, t)));
        let studentised = both.into_iter().map(|(value, se)| (value - draws.estimate) / se);
        let mut studentised: Vec<f64> = studentised.collect();
        studentised.sort_unstable_by(f64::total_cmp);
        draws.studentised = Some((se(control, treatment), studentised));
        Ok(draws)
    }

    fn draw<T>(&self, first: &[f64], second: &[f64], statistic: &impl Fn(&[f64], &[f64]) -> T) -> Vec<T> {
        let (mut a, mut b) = (first.to_vec(), second.to_vec());
        (0..self.draws)
            .map(|draw| {
                let mut random = Random::new(self.seed, draw as u64);
                for (to, from) in [(&mut a, first), (&mut b, second)] {
                    for to in to.iter_mut() {
                        *to = from.get(random.below(from.len())).copied().unwrap_or(f64::NAN);
                    }
                }
                statistic(&a, &b)
            })
            .collect()
    }
}

const FINITE: &str = "among the finite numbers";

/// An estimate and its draws.
#[derive(Debug, Clone, PartialEq)]
pub struct Draws {
    estimate: f64,
    /// In ascending order.
    sorted: Vec<f64>,
    acceleration: Option<f64>,
    /// Standard error of the estimate, and the studentised draws in ascending order.
    studentised: Option<(f64, Vec<f64>)>,
}

impl Draws {
    /// Of draws that were made elsewhere.
    ///
    /// # Errors
    /// [`Refusal::OutOfRange`] where one, or the acceleration, is no finite number, [`Refusal::TooFew`] below 200,
    /// [`Refusal::NoVariance`] where all are the same.
    pub fn new(estimate: f64, mut draws: Vec<f64>, acceleration: Option<f64>) -> Result<Self, Refusal> {
        if draws.len() < FEWEST_DRAWS {
            return Err(Refusal::too_few("draws", draws.len() as u64, FEWEST_DRAWS as u64));
        }
        let mut statistics = core::iter::once(&estimate).chain(&draws);
        if let Some(wrong) = statistics.find(|statistic| !statistic.is_finite()) {
            return Err(Refusal::out_of_range("the statistic of a bootstrap", FINITE, wrong));
        }
        if let Some(wrong) = acceleration.filter(|a| !a.is_finite()) {
            return Err(Refusal::out_of_range("the acceleration of a bootstrap", FINITE, wrong));
        }
        draws.sort_unstable_by(f64::total_cmp);
        if draws.first() == draws.last() {
            return Err(Refusal::NoVariance);
        }
        Ok(Self { estimate, sorted: draws, acceleration, studentised: None })
    }

    /// The acceleration, from the statistic without each unit in turn (units of all samples counted through).
    fn with_jackknife(mut self, sizes: &[usize], without: impl Fn(usize) -> f64) -> Result<Self, Refusal> {
        let (mut cubes, mut squares, mut from) = (0.0, 0.0, 0);
        for &size in sizes {
            let n = size as f64;
            let values: Vec<f64> = (from..from + size).map(&without).collect();
            let mean = values.iter().sum::<f64>() / n;
            for value in values {
                let influence = (n - 1.0) * (mean - value) / n;
                squares += influence * influence;
                cubes += influence * influence * influence;
            }
            from += size;
        }
        let acceleration = cubes / (6.0 * squares.powf(1.5));
        self.acceleration = acceleration.is_finite().then_some(acceleration);
        Ok(self)
    }

    /// The statistic of the units as they are.
    pub fn estimate(&self) -> f64 {
        self.estimate
    }

    /// The draws, in ascending order.
    pub fn sorted(&self) -> &[f64] {
        &self.sorted
    }

    /// Standard deviation of the draws.
    pub fn se(&self) -> f64 {
        let n = self.sorted.len() as f64;
        let largest = self.sorted.iter().fold(0.0f64, |largest, draw| largest.max(draw.abs()));
        // In units of the largest one where squares would overflow.
        let unit = if largest > 1e150 { largest } else { 1.0 };
        let mean = self.sorted.iter().map(|draw| draw / unit).sum::<f64>() / n;
        let squares: f64 = self.sorted.iter().map(|draw| (draw / unit - mean).powi(2)).sum();
        unit * (squares / (n - 1.0)).sqrt()
    }

    /// How skewed the statistic is, by the jackknife: the `a` of BCa. None where leaving out a unit never changes it.
    pub fn acceleration(&self) -> Option<f64> {
        self.acceleration
    }

    /// The estimate with the standard error of the draws, against the normal distribution.
    ///
    /// # Errors
    /// As [`Estimate::new`].
    pub fn estimate_with_error(&self) -> Result<Estimate, Refusal> {
        Estimate::new(self.estimate, self.se(), None, Method::Bootstrap)
    }

    fn between(&self, low: f64, high: f64) -> Interval {
        let at = |share| of_sorted(&self.sorted, share, Definition::Linear);
        Interval { low: at(low), high: at(high) }
    }

    /// Quantiles of the draws.
    ///
    /// # Errors
    /// [`Refusal::TooFew`] where the level asks for less than 5 draws beyond an end.
    pub fn percentile(&self, level: Level) -> Result<Interval, Refusal> {
        let tail = self.enough(level)?;
        Ok(self.between(tail, 1.0 - tail))
    }

    /// The percentile interval mirrored at the estimate.
    ///
    /// # Errors
    /// As [`Draws::percentile`], and [`Refusal::NotFinite`] where an end overflows.
    pub fn basic(&self, level: Level) -> Result<Interval, Refusal> {
        let Interval { low, high } = self.percentile(level)?;
        finite(2.0 * self.estimate - high, 2.0 * self.estimate - low)
    }

    /// Bias-corrected and accelerated (Efron 1987): percentiles that are moved by the share of draws below the estimate, and
    /// by the skew of the statistic. Its coverage is off by an order less than the percentile's.
    ///
    /// # Errors
    /// As [`Draws::percentile`], and [`Refusal::NoVariance`] where no draw lies on one side of the estimate or no unit
    /// changes it: then there is nothing to correct by. [`Refusal::OutOfRange`] for an acceleration by which the percentiles would
    /// change places.
    ///
    /// ```
    /// use bellwether_stats::{Level, resample::Bootstrap};
    /// // A skewed metric: the interval of its mean reaches further up than down.
    /// let spent: Vec<f64> = (0..60).map(|i| f64::from(i % 10).exp2()).collect();
    /// let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    /// let draws = Bootstrap::new(2_000, 7).unwrap().of(&spent, mean).unwrap();
    /// let interval = draws.bca(Level::P95).unwrap();
    /// assert!(draws.acceleration().unwrap() > 0.0);
    /// assert!(interval.high - draws.estimate() > draws.estimate() - interval.low);
    /// ```
    pub fn bca(&self, level: Level) -> Result<Interval, Refusal> {
        let tail = self.enough(level)?;
        let below = self.sorted.partition_point(|&draw| draw < self.estimate);
        let not_above = self.sorted.partition_point(|&draw| draw <= self.estimate);
        // Draws that hit the estimate count half, which matters for medians.
        let share = (below + not_above) as f64 / (2 * self.sorted.len()) as f64;
        let (Some(a), true) = (self.acceleration, share > 0.0 && share < 1.0) else {
            return Err(Refusal::NoVariance);
        };
        let bias = normal::quantile(share);
        let moved = |z: f64| normal::cdf(bias + (bias + z) / (1.0 - a * (bias + z)));
        let z = normal::quantile(tail);
        let (low, high) = (moved(z), moved(-z));
        if !(low < high && 1.0 - a * (bias - z) > 0.0 && 1.0 - a * (bias + z) > 0.0) {
            let range = "so near to 0 that the percentiles keep their order";
            return Err(Refusal::out_of_range("the acceleration of a bootstrap", range, a));
        }
        Ok(self.between(low, high))
    }

    /// The studentised interval, of draws by [`Bootstrap::of_means`].
    ///
    /// # Errors
    /// As [`Draws::percentile`], [`Refusal::NoVariance`] for draws without errors, and [`Refusal::OutOfRange`] where the values of a draw
    /// are all the same: few units, or few that differ.
    pub fn studentised(&self, level: Level) -> Result<Interval, Refusal> {
        let tail = self.enough(level)?;
        let (se, draws) = self.studentised.as_ref().ok_or(Refusal::NoVariance)?;
        let at = |share| of_sorted(draws, share, Definition::Linear);
        let (low, high) = (self.estimate - at(1.0 - tail) * se, self.estimate - at(tail) * se);
        // A draw of equal values has no error to be divided by.
        if let Some(wrong) = draws.iter().find(|draw| !draw.is_finite()) {
            return Err(Refusal::out_of_range("the studentised statistic of a draw", FINITE, wrong));
        }
        finite(low, high)
    }

    fn enough(&self, level: Level) -> Result<f64, Refusal> {
        let tail = level.alpha() / 2.0;
        let need = (5.0 / tail).ceil() as u64;
        if (self.sorted.len() as u64) < need {
            return Err(Refusal::too_few("draws", self.sorted.len() as u64, need));
        }
        Ok(tail)
    }
}

fn finite(low: f64, high: f64) -> Result<Interval, Refusal> {
    if low.is_finite() && high.is_finite() {
        return Ok(Interval { low, high });
    }
    Err(Refusal::not_finite("interval"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    fn values(n: u32) -> Vec<f64> {
        (0..n).map(|i| f64::from((i * i) % 23) + 0.25 * f64::from(i % 4)).collect()
    }

    fn mean(values: &[f64]) -> f64 {
        values.iter().sum::<f64>() / values.len() as f64
    }

    /// The bootstrap of a mean has a variance that is known: that of the values over n.
    #[test]
    fn the_error_of_a_mean_is_known() {
        let values = values(60);
        let draws = Bootstrap::new(40_000, 1).unwrap().of(&values, mean).unwrap();
        let m = mean(&values);
        let exact = (values.iter().map(|v| (v - m).powi(2)).sum::<f64>() / 3_600.0).sqrt();
        // The standard deviation of 40,000 draws is off by 0.35 %.
        assert!((draws.se() / exact - 1.0).abs() < 0.015, "{} {exact}", draws.se());
        assert_eq!(draws.estimate(), m);
        // The skew of a mean is known as well.
        let (s2, s3) = values.iter().fold((0.0, 0.0), |(a, b), v| (a + (v - m).powi(2), b + (v - m).powi(3)));
        assert!((draws.acceleration().unwrap() - s3 / (6.0 * s2.powf(1.5))).abs() < 1e-12);
    }

    /// Places, one sample and clusters of one are the same draws; a seed is all that they depend on.
    #[test]
    fn draws_are_a_function_of_the_seed() {
        let values = values(40);
        let boot = |seed| Bootstrap::new(500, seed).unwrap();
        let by_place = boot(3)
            .of_places(40, |places| places.iter().map(|&p| values[p]).sum::<f64>() / places.len() as f64)
            .unwrap();
        let direct = boot(3).of(&values, mean).unwrap();
        assert_eq!(direct, boot(3).of(&values, mean).unwrap());
        assert_eq!(by_place.sorted(), direct.sorted());
        assert_ne!(direct.sorted(), boot(4).of(&values, mean).unwrap().sorted());
    }

    #[test]
    fn intervals_hang_together() {
        let (c, t) = (values(50), values(70));
        let draws = Bootstrap::new(5_000, 2).unwrap().of_means(&c, &t).unwrap();
        let (p, b) = (draws.percentile(Level::P95).unwrap(), draws.basic(Level::P95).unwrap());
        assert!((p.low + b.high - 2.0 * draws.estimate()).abs() < 1e-12);
        let wider = draws.percentile(Level::P99).unwrap();
        assert!(wider.low < p.low && p.high < wider.high);
        let s = draws.studentised(Level::P95).unwrap();
        let welch =
            crate::welch(&crate::Moments::of(&c).unwrap(), &crate::Moments::of(&t).unwrap(), Level::P95);
        let w = welch.unwrap().interval;
        assert!((s.low - w.low).abs() < 0.3 && (s.high - w.high).abs() < 0.3, "{s:?} {w:?}");
        let bca = draws.bca(Level::P95).unwrap();
        assert!((bca.low - p.low).abs() < 0.3 && (bca.high - p.high).abs() < 0.3);
    }

    #[test]
    fn what_cannot_be_drawn_is_refused() {
        let message = |refusal: Refusal| refusal.to_string();
        assert_eq!(
            message(Bootstrap::new(10, 1).unwrap_err()),
            "too little data: `10` draws, this method needs `200`"
        );
        let boot = Bootstrap::new(200, 1).unwrap();
        assert_eq!(
            message(boot.of(&[1.0], mean).unwrap_err()),
            "too little data: `1` values, this method needs `2`"
        );
        assert_eq!(boot.of(&[1.0; 9], mean), Err(Refusal::NoVariance));
        assert!(matches!(boot.of(&[1.0, 2.0], |_| f64::NAN), Err(Refusal::OutOfRange { .. })));
        assert!(matches!(boot.of_two(&[], &[1.0, 2.0], |_, t| mean(t)), Err(Refusal::TooLittle { .. })));
        let draws = boot.of(&values(30), mean).unwrap();
        assert_eq!(
            message(draws.percentile(Level::P99).unwrap_err()),
            "too little data: `200` draws, this method needs `1000`"
        );
        assert_eq!(draws.studentised(Level::P95), Err(Refusal::NoVariance));
    }
}
