//! Confidence sequences for values within known bounds: exact at any number of units, of any shape.
//!
//! No normality, no variance to estimate first, no minimum of data: heavy zeros, rare conversions and ten
//! units are all covered. The price is width, some 10 to 50 % above the asymptotic sequence once that holds.
//!
//! The difference of two arms: by [`assignment_score`], whose expectation is the difference, whatever the
//! shares were and however they changed, as long as they were fixed before each unit came.

use crate::{Interval, Level, Method, Refusal};

/// The bounds that values are known to have before the first of them is seen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    low: f64,
    width: f64,
}

impl Bounds {
    /// From the least and the largest possible value.
    ///
    /// # Errors
    /// [`Refusal::OutOfRange`] for bounds that are not finite or not in order.
    pub fn new(low: f64, high: f64) -> Result<Self, Refusal> {
        let width = high - low;
        if low.is_finite() && high.is_finite() && width > 0.0 && width.is_finite() {
            return Ok(Self { low, width });
        }
        Err(Refusal::out_of_range(
            "the lower bound of values",
            &format!("below the upper one, `{high}`"),
            low,
        ))
    }

    /// Of [`assignment_score`] for values within these bounds, where the share of the treatment is never
    /// below `least` nor above `1 - least`.
    ///
    /// # Errors
    /// [`Refusal::OutOfRange`] for a share that is not above 0 and up to ½.
    pub fn of_scores(self, least: f64) -> Result<Self, Refusal> {
        if !(least > 0.0 && least <= 0.5) {
            return Err(Refusal::out_of_range("the least share of an arm", "above 0, up to 0.5", least));
        }
        let largest = self.low.abs().max((self.low + self.width).abs()) / least;
        Self::new(-largest, largest)
    }

    fn unit(self, value: f64) -> Result<f64, Refusal> {
        let unit = (value - self.low) / self.width;
        if (0.0..=1.0).contains(&unit) {
            return Ok(unit);
        }
        let range = format!("between its bounds, `{}` and `{}`", self.low, self.low + self.width);
        Err(Refusal::out_of_range("a bounded value", &range, value))
    }

    fn scale(self, interval: Interval) -> Interval {
        Interval { low: self.low + self.width * interval.low, high: self.low + self.width * interval.high }
    }
}

/// `y/p` for a treated unit and `-y/(1-p)` for one of control, where `p` is the share of the treatment when
/// the unit was assigned: in expectation the difference of the means (inverse probability weighting).
///
/// # Errors
/// [`Refusal::OutOfRange`] for a share that is not between 0 and 1.
pub fn assignment_score(value: f64, treated: bool, share: f64) -> Result<f64, Refusal> {
    if !(share > 0.0 && share < 1.0) {
        return Err(Refusal::out_of_range("the share of the treatment", "between 0 and 1", share));
    }
    let score = if treated { value / share } else { -value / (1.0 - share) };
    if score.is_finite() { Ok(score) } else { Err(Refusal::not_finite("score")) }
}

/// Running mean and variance of values so far, as bets may know them: with half a pseudo-value.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Past {
    n: f64,
    sum: f64,
    squares: f64,
}

impl Past {
    const NONE: Self = Self { n: 0.0, sum: 0.0, squares: 0.0 };

    fn mean(self) -> f64 {
        (0.5 + self.sum) / (self.n + 1.0)
    }

    fn variance(self) -> f64 {
        (0.25 + self.squares) / (self.n + 1.0)
    }

    fn take(&mut self, x: f64) {
        self.n += 1.0;
        self.sum += x;
        let off = x - self.mean();
        self.squares += off * off;
    }

    /// The bet that is about best for the variance so far, for a width that shrinks as `√(ln t/t)`.
    fn bet(self, alpha: f64) -> f64 {
        let t = self.n + 1.0;
        (2.0 * (2.0 / alpha).ln() / (self.variance() * t * (t + 1.0).ln())).sqrt()
    }
}

/// The betting confidence sequence (Waudby-Smith and Ramdas 2024, hedged capital): each possible mean is bet
/// against in both directions, and is left out once a bet has made `1/alpha` of one.
///
/// The tightest that is known for bounded values. Candidate means lie on a grid of a two-thousandth of the
/// range, and an end is given outward of it.
///
/// ```
/// use bellwether_stats::sequential::{Betting, Bounds};
/// use bellwether_stats::Level;
/// let mut sequence = Betting::new(Bounds::new(0.0, 1.0).unwrap(), Level::P95);
/// for i in 0..500 {
///     sequence.observe(if i % 10 == 0 { 1.0 } else { 0.0 }).unwrap();
/// }
/// let interval = sequence.interval();
/// assert!(interval.contains(0.1) && interval.high < 0.2);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Betting {
    bounds: Bounds,
    alpha: f64,
    past: Past,
    /// For each candidate that is left, the logarithms of what bets on "larger" and on "smaller" have made.
    wealth: Vec<(f64, f64)>,
    /// Position of the first candidate that is left.
    first: usize,
}

impl Betting {
    /// How it is made.
    pub const METHOD: Method = Method::Betting;

    const GRID: usize = 2_000;
    /// At most this share of what can be lost in one step is bet.
    const CAUTION: f64 = 0.5;

    /// Before the first value.
    pub fn new(bounds: Bounds, level: Level) -> Self {
        Self {
            bounds,
            alpha: level.alpha(),
            past: Past::NONE,
            wealth: vec![(0.0, 0.0); Self::GRID + 1],
            first: 0,
        }
    }

    fn candidate(position: usize) -> f64 {
        position as f64 / Self::GRID as f64
    }

    /// Takes the next value.
    ///
    /// # Errors
    /// [`Refusal::OutOfRange`] for a value outside of the bounds; nothing is taken then.
    pub fn observe(&mut self, value: f64) -> Result<(), Refusal> {
        let x = self.bounds.unit(value)?;
        let bet = self.past.bet(self.alpha);
        for (i, (larger, smaller)) in self.wealth.iter_mut().enumerate() {
            let m = Self::candidate(self.first + i);
            // A bet on more than m loses most where the value is zero, one on less where it is one.
            let up = if m > 0.0 { bet.min(Self::CAUTION / m) } else { bet };
            let down = if m < 1.0 { bet.min(Self::CAUTION / (1.0 - m)) } else { bet };
            *larger += (up * (x - m)).ln_1p();
            *smaller += (down * (m - x)).ln_1p();
        }
        self.past.take(x);
        // Half of the capital on each direction. What is left out once stays out; the bet on "larger" has
        // made more the smaller the candidate is, so that an interval is left.
        let needed = (2.0 / self.alpha).ln();
        let below = self.wealth.iter().rposition(|(larger, _)| *larger >= needed).map_or(0, |i| i + 1);
        let above = self.wealth.iter().position(|(_, smaller)| *smaller >= needed);
        self.wealth.truncate(above.unwrap_or(self.wealth.len()).max(below));
        self.wealth.drain(..below.min(self.wealth.len()));
        self.first += below;
        Ok(())
    }

    /// Values taken.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    pub fn n(&self) -> u64 {
        self.past.n as u64
    }

    /// The interval of the mean that holds at every look: that of all looks so far. Without values it is the
    /// bounds. Where no candidate is left (a mean that moves, or the error rate) it is the place at which the
    /// last one was.
    pub fn interval(&self) -> Interval {
        let step = 1.0 / Self::GRID as f64;
        let low = (Self::candidate(self.first) - step).max(0.0);
        let high = (Self::candidate(self.first + self.wealth.len().max(1) - 1) + step).min(1.0);
        self.bounds.scale(Interval { low, high })
    }
}

/// The empirical-Bernstein confidence sequence (Howard et al. 2021; predictable plug-in of Waudby-Smith and
/// Ramdas 2024): a few sums whatever the number of values, a little wider than [`Betting`].
///
/// ```
/// use bellwether_stats::sequential::{Bounds, EmpiricalBernstein};
/// use bellwether_stats::Level;
/// let mut sequence = EmpiricalBernstein::new(Bounds::new(0.0, 100.0).unwrap(), Level::P95);
/// for i in 0..2_000 {
///     sequence.observe(f64::from(i % 10)).unwrap();
/// }
/// let interval = sequence.interval();
/// assert!(interval.contains(4.5) && interval.high - interval.low < 3.0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EmpiricalBernstein {
    bounds: Bounds,
    alpha: f64,
    past: Past,
    bets: f64,
    values: f64,
    spread: f64,
    best: Interval,
}

impl EmpiricalBernstein {
    /// How it is made.
    pub const METHOD: Method = Method::EmpiricalBernstein;

    /// Before the first value.
    pub fn new(bounds: Bounds, level: Level) -> Self {
        Self {
            bounds,
            alpha: level.alpha(),
            past: Past::NONE,
            bets: 0.0,
            values: 0.0,
            spread: 0.0,
            best: Interval { low: 0.0, high: 1.0 },
        }
    }

    /// Takes the next value.
    ///
    /// # Errors
    /// [`Refusal::OutOfRange`] for a value outside of the bounds; nothing is taken then.
    pub fn observe(&mut self, value: f64) -> Result<(), Refusal> {
        let x = self.bounds.unit(value)?;
        let bet = self.past.bet(self.alpha).min(0.5);
        let off = x - self.past.mean();
        // v·ψ_E(λ) with v = (x - predicted mean)² and ψ_E(λ) = -ln(1-λ) - λ.
        self.spread += off * off * (-(-bet).ln_1p() - bet);
        self.bets += bet;
        self.values += bet * x;
        self.past.take(x);
        let (middle, half) = (self.values / self.bets, ((2.0 / self.alpha).ln() + self.spread) / self.bets);
        self.best.low = self.best.low.max(middle - half);
        self.best.high = self.best.high.min(middle + half);
        Ok(())
    }

    /// Values taken.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    pub fn n(&self) -> u64 {
        self.past.n as u64
    }

    /// The interval of the mean that holds at every look: that of all looks so far. Without values it is the
    /// bounds.
    pub fn interval(&self) -> Interval {
        self.bounds.scale(self.best)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20))]

        /// Turning the values round turns the interval round, and a change of unit is one of the interval.
        #[test]
        fn intervals_follow_their_values(values in proptest::collection::vec(0.0..1.0f64, 0..300), low in -5.0..5.0f64, width in 0.1..50.0f64) {
            let unit = Bounds::new(0.0, 1.0).unwrap();
            let other = Bounds::new(low, low + width).unwrap();
            let mut bets = [Betting::new(unit, Level::P95), Betting::new(other, Level::P95)];
            let mut bernstein = [unit, other].map(|b| EmpiricalBernstein::new(b, Level::P95));
            for x in &values {
                for (i, y) in [*x, low + width * (1.0 - x)].into_iter().enumerate() {
                    // The last digit of a value at its bound may fall outside.
                    let y = if i == 1 { y.clamp(low, low + width) } else { y };
                    if bets[i].observe(y).is_ok() {
                        bernstein[i].observe(y).unwrap();
                    }
                }
            }
            prop_assume!(bets[0].n() == bets[1].n());
            for [plain, turned] in [bets.map(|b| b.interval()), bernstein.map(|b| b.interval())] {
                let step = width / 1_999.0;
                prop_assert!((low + width * (1.0 - plain.low) - turned.high).abs() <= 1.01 * step);
                prop_assert!((low + width * (1.0 - plain.high) - turned.low).abs() <= 1.01 * step);
                prop_assert!(plain.low <= plain.high);
            }
        }
    }

    /// The candidates that are left by the definition: all capital kept, no candidate dropped on the way.
    #[test]
    fn dropping_candidates_changes_nothing() {
        let values: Vec<f64> = (0..400u32).map(|i| f64::from(i * 7 % 13 % 5) / 4.0).collect();
        let mut sequence = Betting::new(Bounds::new(0.0, 1.0).unwrap(), Level::P95);
        values.iter().for_each(|x| sequence.observe(*x).unwrap());
        let left = |m: f64| {
            let (mut past, mut up, mut down) = (Past::NONE, 0.0f64, 0.0f64);
            values.iter().all(|x| {
                let bet = past.bet(0.05);
                up += (bet.min(0.5 / m) * (x - m)).ln_1p();
                down += (bet.min(0.5 / (1.0 - m)) * (m - x)).ln_1p();
                past.take(*x);
                up.max(down) < 40f64.ln()
            })
        };
        let kept: Vec<f64> = (1..2_000).map(|i| f64::from(i) / 2_000.0).filter(|m| left(*m)).collect();
        let interval = sequence.interval();
        assert!((interval.low - (kept[0] - 1.0 / 2_000.0)).abs() < 1e-9, "{interval:?} {}", kept[0]);
        assert!((interval.high - (kept[kept.len() - 1] + 1.0 / 2_000.0)).abs() < 1e-9);
    }

    #[test]
    fn what_is_out_of_bounds_is_refused() {
        let bounds = Bounds::new(0.0, 2.0).unwrap();
        let mut sequence = Betting::new(bounds, Level::P95);
        assert_eq!(
            sequence.observe(2.5).unwrap_err().to_string(),
            "a bounded value must lie between its bounds, `0` and `2`: `2.5`"
        );
        assert!(sequence.observe(f64::NAN).is_err() && sequence.n() == 0);
        assert_eq!(sequence.interval(), Interval { low: 0.0, high: 2.0 });
        assert!(EmpiricalBernstein::new(bounds, Level::P95).observe(-0.1).is_err());
        assert!(Bounds::new(1.0, 1.0).is_err() && Bounds::new(f64::NAN, 1.0).is_err());
        assert!(bounds.of_scores(0.0).is_err() && assignment_score(1.0, true, 1.0).is_err());
        assert_eq!(bounds.of_scores(0.5).unwrap(), Bounds::new(-4.0, 4.0).unwrap());
        assert_eq!(assignment_score(1.0, false, 0.8).unwrap(), -1.0 / (1.0 - 0.8));
    }

    #[test]
    fn bets_are_tighter_than_bernstein() {
        let bounds = Bounds::new(0.0, 1.0).unwrap();
        let (mut a, mut b) = (Betting::new(bounds, Level::P95), EmpiricalBernstein::new(bounds, Level::P95));
        for i in 0..2_000u32 {
            let x = f64::from(u8::from(i % 20 == 0));
            a.observe(x).unwrap();
            b.observe(x).unwrap();
        }
        let (a, b) = (a.interval(), b.interval());
        assert!(a.contains(0.05) && b.contains(0.05) && a.high - a.low < b.high - b.low, "{a:?} {b:?}");
    }
}
