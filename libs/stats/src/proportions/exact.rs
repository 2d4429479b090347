//! Exact methods: Fisher's test, the conditional odds ratio, Clopper and Pearson's interval.

use super::exact_test;
use crate::special::beta;
use crate::special::binomial::{self, TIE, add, first};
use crate::{Alternative, Arm, Interval, Level, Method, Proportion, Refusal, Test};

/// Beyond this a count is no longer told from its neighbours.
const MOST_UNITS: u64 = 1 << 53;

/// The odds ratio sums the tables again for every step of its search: a second or so for this many units.
const MOST_UNITS_OF_RATIO: u64 = 1_000_000_000_000;

/// Terms of a tail below this share of its sum are left out.
const NEGLIGIBLE: f64 = 1e-18;

/// Clopper and Pearson's interval of one rate: it covers at least as often as it says, for every rate
/// and size, and so is wide where counts are few.
///
/// # Errors
/// [`Refusal::TooLittle`] without units.
///
/// ```
/// use bellwether_stats::proportions::clopper_pearson;
/// use bellwether_stats::{Level, Proportion};
/// let none_of_fifty = clopper_pearson(&Proportion::new(0, 50).unwrap(), Level::P95).unwrap();
/// assert_eq!(none_of_fifty.low, 0.0);
/// assert!((none_of_fifty.high - 0.0711).abs() < 1e-4);
/// ```
pub fn clopper_pearson(proportion: &Proportion, level: Level) -> Result<Interval, Refusal> {
    proportion.estimated(Arm::Control)?;
    let (x, rest) = (proportion.successes() as f64, (proportion.n() - proportion.successes()) as f64);
    let tail = level.alpha() / 2.0;
    // The upper end is one minus the lower end of the failures: each from the tail that keeps digits.
    let low = if x == 0.0 { 0.0 } else { beta::quantile(tail, x, rest + 1.0) };
    let high = if rest == 0.0 { 1.0 } else { beta::upper_quantile(tail, x + 1.0, rest) };
    Ok(Interval { low, high })
}

/// The successes of treatment, given all margins of the table: hypergeometric.
struct Table {
    /// Successes of treatment.
    x: f64,
    /// Units of treatment.
    n: f64,
    /// Successes of both arms.
    successes: f64,
    /// Failures of both arms.
    failures: f64,
    /// Least and most successes that treatment can have.
    low: f64,
    high: f64,
}

impl Table {
    /// Of at most `most` units in both arms.
    fn new(control: &Proportion, treatment: &Proportion, most: u64) -> Result<Self, Refusal> {
        let units = u128::from(control.n()) + u128::from(treatment.n());
        if units > u128::from(most) {
            let range = format!("at or below `{most}`");
            return Err(Refusal::out_of_range("the units of both arms of an exact test", &range, units));
        }
        control.estimated(Arm::Control)?;
        treatment.estimated(Arm::Treatment)?;
        let both = control.merge(treatment);
        let (successes, failures) = (both.successes(), both.n() - both.successes());
        Ok(Self {
            x: treatment.successes() as f64,
            n: treatment.n() as f64,
            successes: successes as f64,
            failures: failures as f64,
            low: treatment.n().saturating_sub(failures) as f64,
            high: successes.min(treatment.n()) as f64,
        })
    }

    /// As three binomials, which keep the digits of large counts (Loader 2000).
    fn ln_pmf(&self, x: f64) -> f64 {
        let total = self.successes + self.failures;
        let p = self.n / total;
        if p == 1.0 {
            return 0.0;
        }
        binomial::ln_pmf(x, self.successes, p) + binomial::ln_pmf(self.n - x, self.failures, p)
            - binomial::ln_pmf(self.n, total, p)
    }

    /// `P(x + 1)/P(x)` where the odds of treatment are `odds` times those of control; falls with `x`.
    fn step(&self, x: f64, odds: f64) -> f64 {
        odds * (self.successes - x) * (self.n - x) / ((x + 1.0) * (self.failures - self.n + x + 1.0))
    }

    fn mode(&self, odds: f64) -> f64 {
        first(self.low, self.high, |x| x >= self.high || self.step(x, odds) < 1.0).unwrap_or(self.high)
    }

    /// `ln P(X >= x)` for `x` at or above the mode.
    fn ln_upper(&self, x: f64) -> f64 {
        let (mut term, mut sum, mut j) = (1.0, 1.0, x);
        while j < self.high && term > NEGLIGIBLE * sum {
            term *= self.step(j, 1.0);
            sum += term;
            j += 1.0;
        }
        self.ln_pmf(x) + f64::ln(sum)
    }

    /// `ln P(X <= x)` for `x` at or below the mode.
    fn ln_lower(&self, x: f64) -> f64 {
        let (mut term, mut sum, mut j) = (1.0, 1.0, x);
        while j > self.low && term > NEGLIGIBLE * sum {
            j -= 1.0;
            term /= self.step(j, 1.0);
            sum += term;
        }
        self.ln_pmf(x) + f64::ln(sum)
    }

    /// Mean and variance of the successes of treatment for an odds ratio, by sums outwards from the mode.
    fn mean_and_variance(&self, odds: f64) -> (f64, f64) {
        let mode = self.mode(odds);
        let (mut sum, mut first_moment, mut second) = (1.0, 0.0, 0.0);
        let (mut term, mut j) = (1.0, mode);
        while j < self.high && term > NEGLIGIBLE {
            term *= self.step(j, odds);
            j += 1.0;
            let d = j - mode;
            sum += term;
            first_moment += term * d;
            second += term * d * d;
        }
        let (mut term, mut j) = (1.0, mode);
        while j > self.low && term > NEGLIGIBLE {
            j -= 1.0;
            term /= self.step(j, odds);
            let d = j - mode;
            sum += term;
            first_moment += term * d;
            second += term * d * d;
        }
        let offset: f64 = first_moment / sum;
        (mode + offset, (second / sum - offset * offset).max(0.0))
    }
}

/// Fisher's exact test of equal rates, given both margins of the table. The statistic is the number of
/// successes of treatment.
///
/// Two-sided it sums the tables that are at most as likely as the observed one, as R and scipy do. Its
/// error rate is at most what it says, often half of it: the price is power.
///
/// # Errors
/// [`Refusal::TooLittle`] for an arm without units, [`Refusal::OutOfRange`] above 2⁵³ units in both arms.
///
/// ```
/// use bellwether_stats::proportions::fisher;
/// use bellwether_stats::{Alternative, Proportion};
/// let control = Proportion::new(0, 200).unwrap();
/// let treatment = Proportion::new(4, 210).unwrap();
/// let test = fisher(&control, &treatment, Alternative::TwoSided).unwrap();
/// assert!((test.p - 0.123614709973292).abs() < 1e-12);
/// ```
pub fn fisher(
    control: &Proportion,
    treatment: &Proportion,
    alternative: Alternative,
) -> Result<Test, Refusal> {
    let table = Table::new(control, treatment, MOST_UNITS)?;
    let (x, mode) = (table.x, table.mode(1.0));
    // Of the two tails the one that does not hold the mode is summed.
    let at_least = |x: f64| if x > mode { table.ln_upper(x) } else { ln_complement(table.below(x)) };
    let at_most = |x: f64| if x < mode { table.ln_lower(x) } else { ln_complement(table.above(x)) };
    let ln_p = match alternative {
        Alternative::Greater => at_least(x),
        Alternative::Less => at_most(x),
        Alternative::TwoSided => {
            let limit = table.ln_pmf(x) + TIE;
            if x == mode || table.ln_pmf(mode) <= limit {
                0.0
            } else if x < mode {
                let other = first(mode, table.high, |j| table.ln_pmf(j) <= limit);
                add(table.ln_lower(x), other.map_or(f64::NEG_INFINITY, |j| table.ln_upper(j)))
            } else {
                let width = mode - table.low;
                let other = first(0.0, width, |i| table.ln_pmf(mode - i) <= limit);
                add(table.ln_upper(x), other.map_or(f64::NEG_INFINITY, |i| table.ln_lower(mode - i)))
            }
        }
    };
    Ok(exact_test(x, ln_p, Method::FisherExact))
}

impl Table {
    /// `ln P(X < x)`.
    fn below(&self, x: f64) -> f64 {
        if x <= self.low { f64::NEG_INFINITY } else { self.ln_lower(x - 1.0) }
    }

    /// `ln P(X > x)`.
    fn above(&self, x: f64) -> f64 {
        if x >= self.high { f64::NEG_INFINITY } else { self.ln_upper(x + 1.0) }
    }
}

fn ln_complement(ln_tail: f64) -> f64 {
    (-ln_tail.min(0.0).exp()).ln_1p()
}

/// The conditional maximum-likelihood estimate of the odds ratio, treatment over control, as R's
/// `fisher.test` gives it: the odds ratio under which the expected successes of treatment, given the
/// margins, are those observed. 0 where treatment has as few successes as the margins allow.
///
/// # Errors
/// [`Refusal::TooLittle`] for an arm without units; [`Refusal::NoVariance`] where the margins allow
/// only one table, [`Refusal::OutOfRange`] above 10¹² units in both arms, and where treatment has as many successes as
/// they allow: the odds ratio has then no upper bound.
pub fn odds_ratio(control: &Proportion, treatment: &Proportion) -> Result<f64, Refusal> {
    let table = Table::new(control, treatment, MOST_UNITS_OF_RATIO)?;
    if table.low == table.high {
        return Err(Refusal::NoVariance);
    }
    if table.x == table.low {
        return Ok(0.0);
    }
    if table.x == table.high {
        let range = format!("below `{}` for an odds ratio that is finite", table.high);
        return Err(Refusal::out_of_range("the successes of treatment", &range, table.x));
    }
    // The mean rises with the logarithm of the odds, with the variance as its slope.
    let (mut low, mut high) = (-700.0, 700.0);
    let mut w = 0.0f64;
    for _ in 0..200 {
        let (mean, variance) = table.mean_and_variance(w.exp());
        if mean < table.x {
            low = w
        } else {
            high = w
        }
        let newton = w + (table.x - mean) / variance;
        let next = if newton > low && newton < high { newton } else { 0.5 * (low + high) };
        let step = (next - w).abs();
        w = next;
        if step <= 1e-15 * w.abs().max(1.0) {
            break;
        }
    }
    Ok(w.exp())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use proptest::prelude::*;

    /// `ln C(n, k)` by products: the naive definition.
    fn choose(n: u64, k: u64) -> f64 {
        (1..=k).map(|i| ((n - k + i) as f64 / i as f64).ln()).sum()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn the_test_is_a_sum_over_tables(n_c in 1..40u64, n_t in 1..40u64, a in 0.0..1.0f64, b in 0.0..1.0f64) {
            let (x_c, x_t) = ((n_c as f64 * a).round() as u64, (n_t as f64 * b).round() as u64);
            let (control, treatment) = (Proportion::new(x_c, n_c).unwrap(), Proportion::new(x_t, n_t).unwrap());
            let m = x_c + x_t;
            let support: Vec<u64> = (m.saturating_sub(n_c)..=m.min(n_t)).collect();
            let pmf = |x: u64| (choose(n_t, x) + choose(n_c, m - x) - choose(n_c + n_t, m)).exp();
            let sum = |keep: &dyn Fn(u64) -> bool| -> f64 { support.iter().filter(|x| keep(**x)).map(|x| pmf(*x)).sum() };
            let own = pmf(x_t) * (1.0 + TIE);
            let check = |alternative, expected: f64| {
                let p = fisher(&control, &treatment, alternative).unwrap().p;
                prop_assert!((p - expected.min(1.0)).abs() <= 1e-10 * expected, "{alternative:?} {p} {expected}");
                Ok(())
            };
            check(Alternative::Greater, sum(&|x| x >= x_t))?;
            check(Alternative::Less, sum(&|x| x <= x_t))?;
            check(Alternative::TwoSided, sum(&|x| pmf(x) <= own))?;
        }
    }
}
