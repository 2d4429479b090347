//! Counts of events over exposure: the comparison of two Poisson rates.
//!
//! The assumption of every method here is that events come one by one and independently, so that the
//! variance of a count is its mean. Users who cause several events each break it (the variance is then
//! larger, and every p-value here too small): count users instead, or take the mean of events by user
//! with [`crate::welch`].

use crate::special::binomial::{self, add};
use crate::special::{beta, poisson};
use crate::{Alternative, Estimate, Interval, Level, Method, Refusal, Test};
use serde::{Deserialize, Serialize};

/// The largest number of events of both arms that [`e_test`] sums over.
pub const E_TEST_LIMIT: u64 = 10_000_000_000;

/// Events, and the exposure (time, sessions, requests) in which they were counted.
///
/// ```
/// use bellwether_stats::counts::Count;
/// let crashes = Count::new(14, 95.0).unwrap();
/// assert!((crashes.rate() - 0.147).abs() < 1e-3);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct Count {
    events: u64,
    exposure: f64,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    events: u64,
    exposure: f64,
}

impl TryFrom<Stored> for Count {
    type Error = Refusal;
    fn try_from(Stored { events, exposure }: Stored) -> Result<Self, Refusal> {
        Self::new(events, exposure)
    }
}

impl From<Count> for Stored {
    fn from(Count { events, exposure }: Count) -> Self {
        Self { events, exposure }
    }
}

/// Every rate of 2⁶⁴ events, and every end of its interval, is a finite number from this exposure on.
const LEAST_EXPOSURE: f64 = 1e-280;

impl Count {
    /// From the events and their exposure, which is above zero.
    ///
    /// # Errors
    /// [`Refusal::OutOfRange`] unless it is, and finite; and below 1e-280, where rates overflow.
    pub fn new(events: u64, exposure: f64) -> Result<Self, Refusal> {
        if !(exposure > 0.0 && exposure.is_finite()) {
            return Err(Refusal::out_of_range("an exposure", "above 0", exposure));
        }
        if exposure < LEAST_EXPOSURE {
            let range = format!("at `{LEAST_EXPOSURE:e}` or above");
            return Err(Refusal::out_of_range("an exposure", &range, exposure));
        }
        Ok(Self { events, exposure })
    }

    /// Events counted.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// Their exposure.
    pub fn exposure(&self) -> f64 {
        self.exposure
    }

    /// Events by unit of exposure.
    pub fn rate(&self) -> f64 {
        self.events as f64 / self.exposure
    }
}

/// Both counts as the formulas want them: events `t` and `c`, and the odds `r` that an event falls to
/// treatment where the ratio of the rates is that of the null.
struct Pair {
    t: f64,
    c: f64,
    r: f64,
}

impl Pair {
    fn new(control: &Count, treatment: &Count, ratio: f64) -> Result<Self, Refusal> {
        if !(ratio > 0.0 && ratio.is_finite()) {
            return Err(Refusal::out_of_range("a ratio of rates", "above 0", ratio));
        }
        let r = ratio * (treatment.exposure / control.exposure);
        if !(r > 0.0 && r.is_finite()) {
            return Err(Refusal::not_finite("ratio of exposures"));
        }
        Ok(Self { t: treatment.events as f64, c: control.events as f64, r })
    }

    /// With an event in either arm, without which the normal approximations have no variance.
    fn with_events(control: &Count, treatment: &Count, ratio: f64) -> Result<Self, Refusal> {
        let pair = Self::new(control, treatment, ratio)?;
        if pair.t + pair.c == 0.0 { Err(Refusal::NoVariance) } else { Ok(pair) }
    }
}

/// The score test of "the rate of treatment is `ratio` times that of control": variance by the common
/// rate. The default for more than some twenty events.
///
/// # Errors
/// [`Refusal::NoVariance`] without an event in either arm, [`Refusal::OutOfRange`] for a ratio that
/// is not above zero.
///
/// ```
/// use bellwether_stats::Alternative;
/// use bellwether_stats::counts::{Count, score};
/// let control = Count::new(5, 100.0).unwrap();
/// let treatment = Count::new(14, 95.0).unwrap();
/// let test = score(&control, &treatment, 1.0, Alternative::TwoSided).unwrap();
/// assert!((test.p - 0.029463852242858954).abs() < 1e-12);
/// ```
pub fn score(
    control: &Count,
    treatment: &Count,
    ratio: f64,
    alternative: Alternative,
) -> Result<Test, Refusal> {
    let Pair { t, c, r } = Pair::with_events(control, treatment, ratio)?;
    let z = (t - c * r) / ((t + c) * r).sqrt();
    Test::of_statistic(z, None, alternative, Method::PoissonScore)
}

/// As [`score`], with the variance of each arm by itself. Fails where an arm has few events.
///
/// # Errors
/// Those of [`score`].
pub fn wald(
    control: &Count,
    treatment: &Count,
    ratio: f64,
    alternative: Alternative,
) -> Result<Test, Refusal> {
    let Pair { t, c, r } = Pair::with_events(control, treatment, ratio)?;
    let z = (t - c * r) / (t + c * r * r).sqrt();
    Test::of_statistic(z, None, alternative, Method::PoissonWald)
}

/// As [`score`], on square roots, whose variance hardly depends on the rate (Anscombe's `+ 3/8`). It
/// answers without events too.
///
/// # Errors
/// [`Refusal::OutOfRange`] for a ratio that is not above zero.
pub fn square_root(
    control: &Count,
    treatment: &Count,
    ratio: f64,
    alternative: Alternative,
) -> Result<Test, Refusal> {
    let Pair { t, c, r } = Pair::new(control, treatment, ratio)?;
    let z = 2.0 * ((t + 0.375).sqrt() - ((c + 0.375) * r).sqrt()) / (1.0 + r).sqrt();
    Test::of_statistic(z, None, alternative, Method::PoissonSqrt)
}

/// The exact test given the total: under the null the events of treatment are binomial. Two-sided it
/// sums the splits that are at most as likely. The statistic is the number of events of treatment. Never
/// errs more often than it says; with few events much less often.
///
/// # Errors
/// [`Refusal::OutOfRange`] for a ratio that is not above zero.
pub fn exact_conditional(
    control: &Count,
    treatment: &Count,
    ratio: f64,
    alternative: Alternative,
) -> Result<Test, Refusal> {
    let Pair { t, c, r } = Pair::new(control, treatment, ratio)?;
    let (n, share) = (t + c, r / (1.0 + r));
    let ln_p = match alternative {
        Alternative::TwoSided => binomial::ln_two_sided(t, n, share),
        Alternative::Greater => binomial::ln_sf_inclusive(t, n, share),
        Alternative::Less => binomial::ln_cdf(t, n, share),
    };
    Test::new(t, None, ln_p, Method::PoissonExactConditional)
}

/// The E-test (Krishnamoorthy and Thomson 2004; Gu et al. 2008): the probability, at the most likely
/// rates under the null, of a score statistic at least as extreme as the observed one. It is not
/// conditional, and so more powerful than the exact test with few events; its error rate is close to its
/// level, not bounded by it.
///
/// # Errors
/// Those of [`score`], and [`Refusal::OutOfRange`] above [`E_TEST_LIMIT`] events, where all methods
/// agree.
pub fn e_test(
    control: &Count,
    treatment: &Count,
    ratio: f64,
    alternative: Alternative,
) -> Result<Test, Refusal> {
    let Pair { t, c, r } = Pair::with_events(control, treatment, ratio)?;
    if t + c > E_TEST_LIMIT as f64 {
        return Err(Refusal::out_of_range(
            "the events of an E-test",
            &format!("at or below `{E_TEST_LIMIT}`"),
            t + c,
        ));
    }
    let statistic = |t: f64, c: f64| if t + c == 0.0 { 0.0 } else { (t - c * r) / ((t + c) * r).sqrt() };
    let observed = statistic(t, c);
    // Rounding must not decide a tie.
    let reach = observed.abs() * (1.0 - 1e-12);
    let share = r / (1.0 + r);
    let of_treatment = Window::new((t + c) * share);
    let of_control = Window::new((t + c) * (1.0 - share));
    // For given events of treatment the statistic falls with those of control: it is at or above a value up
    // to some count, which rises with the events of treatment.
    let ln_above = |limit: f64| {
        let mut count = of_control.low;
        of_treatment.sum(|x| {
            while count <= of_control.high() && statistic(x, count) >= limit {
                count += 1.0;
            }
            of_control.ln_below(count)
        })
    };
    let ln_below = |limit: f64| {
        let mut count = of_control.low;
        of_treatment.sum(|x| {
            while count <= of_control.high() && statistic(x, count) > limit {
                count += 1.0;
            }
            of_control.ln_from(count)
        })
    };
    let ln_p = match alternative {
        Alternative::TwoSided if observed == 0.0 => 0.0,
        Alternative::TwoSided => add(ln_above(reach), ln_below(-reach)),
        Alternative::Greater => ln_above(observed - (observed.abs() - reach)),
        Alternative::Less => ln_below(observed + (observed.abs() - reach)),
    };
    Test::new(observed, None, ln_p, Method::PoissonETest)
}

/// The counts of a Poisson distribution that have a probability, with their running sums from both ends.
struct Window {
    low: f64,
    ln_pmf: Vec<f64>,
    /// `P(X < low + i)`.
    below: Vec<f64>,
    /// `P(X >= low + i)`.
    from: Vec<f64>,
}

impl Window {
    /// Probabilities below this are those of no number that could be reported.
    const LN_LEAST: f64 = -744.0;

    fn new(mean: f64) -> Self {
        let mode = mean.floor();
        let (mut low, mut high) = (mode, mode);
        while low > 0.0 && poisson::ln_pmf(low - 1.0, mean) > Self::LN_LEAST {
            low -= 1.0;
        }
        while poisson::ln_pmf(high + 1.0, mean) > Self::LN_LEAST {
            high += 1.0;
        }
        let ln_pmf: Vec<f64> =
            (0..=(high - low) as usize).map(|i| poisson::ln_pmf(low + i as f64, mean)).collect();
        let mut below = Vec::with_capacity(ln_pmf.len() + 1);
        let mut sum = 0.0;
        below.push(0.0);
        for p in &ln_pmf {
            sum += p.exp();
            below.push(sum);
        }
        let mut from = Vec::with_capacity(ln_pmf.len() + 1);
        let mut sum = 0.0;
        from.push(0.0);
        for p in ln_pmf.iter().rev() {
            sum += p.exp();
            from.push(sum);
        }
        from.reverse();
        Self { low, ln_pmf, below, from }
    }

    fn high(&self) -> f64 {
        self.low + self.ln_pmf.len() as f64 - 1.0
    }

    fn ln_below(&self, count: f64) -> f64 {
        self.below.get((count - self.low) as usize).map_or(0.0, |p| p.ln())
    }

    fn ln_from(&self, count: f64) -> f64 {
        self.from.get((count - self.low) as usize).map_or(f64::NEG_INFINITY, |p| p.ln())
    }

    /// `ln Σ P(X = x) e^(f(x))`, where `f` is asked in rising order.
    fn sum(&self, mut ln_given: impl FnMut(f64) -> f64) -> f64 {
        let terms: Vec<f64> =
            self.ln_pmf.iter().enumerate().map(|(i, p)| p + ln_given(self.low + i as f64)).collect();
        let largest = terms.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if largest == f64::NEG_INFINITY {
            return largest;
        }
        largest + terms.iter().map(|term| (term - largest).exp()).sum::<f64>().ln()
    }
}

/// `ln(rate_t / rate_c)` with the variance `1/x_t + 1/x_c`; the exponential of its interval is that of
/// the ratio.
///
/// # Errors
/// [`Refusal::ZeroBaseline`] without events in control, [`Refusal::OutOfRange`] without events in
/// treatment.
pub fn log_ratio(control: &Count, treatment: &Count) -> Result<Estimate, Refusal> {
    if control.events == 0 {
        return Err(Refusal::ZeroBaseline);
    }
    if treatment.events == 0 {
        return Err(Refusal::out_of_range("the events of treatment for a ratio", "above 0", 0));
    }
    let (t, c) = (treatment.events as f64, control.events as f64);
    let value = (t / c).ln() - (treatment.exposure / control.exposure).ln();
    Estimate::new(value, (1.0 / t + 1.0 / c).sqrt(), None, Method::LogRatio)
}

/// The difference of the rates, each with its own variance `x/exposure²`.
///
/// # Errors
/// [`Refusal::NoVariance`] without an event in either arm.
pub fn difference(control: &Count, treatment: &Count) -> Result<Estimate, Refusal> {
    let variance = |count: &Count| count.rate() / count.exposure;
    let se = (variance(control) + variance(treatment)).sqrt();
    Estimate::new(treatment.rate() - control.rate(), se, None, Method::PoissonWald)
}

/// The exact interval of the ratio of the rates: Clopper and Pearson's of the share of treatment among
/// all events. Its lower end is 0 where treatment has no events.
///
/// # Errors
/// [`Refusal::ZeroBaseline`] without events in control: the ratio has no upper bound then.
pub fn exact_ratio(control: &Count, treatment: &Count, level: Level) -> Result<Interval, Refusal> {
    if control.events == 0 {
        return Err(Refusal::ZeroBaseline);
    }
    let (t, c) = (treatment.events as f64, control.events as f64);
    let tail = level.alpha() / 2.0;
    let exposures = control.exposure / treatment.exposure;
    // Odds of the share: from whichever of share and complement keeps its digits.
    let odds = |share: f64, rest: f64| exposures * share / rest;
    let low = if t == 0.0 {
        0.0
    } else {
        odds(beta::quantile(tail, t, c + 1.0), beta::upper_quantile(tail, c + 1.0, t))
    };
    let high = odds(beta::upper_quantile(tail, t + 1.0, c), beta::quantile(tail, c, t + 1.0));
    if !high.is_finite() {
        return Err(Refusal::not_finite("ratio of rates"));
    }
    Ok(Interval { low, high })
}

/// The exact interval of one rate (Garwood 1936).
pub fn garwood(count: &Count, level: Level) -> Interval {
    use crate::special::chi_squared;
    let (x, tail) = (count.events as f64, level.alpha() / 2.0);
    let low = if x == 0.0 { 0.0 } else { 0.5 * chi_squared::quantile(tail, 2.0 * x) };
    let high = 0.5 * chi_squared::upper_quantile(tail, 2.0 * x + 2.0);
    Interval { low: low / count.exposure, high: high / count.exposure }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use proptest::prelude::*;

    fn count() -> impl Strategy<Value = Count> {
        (0..60u64, 1.0..100.0f64).prop_map(|(x, exposure)| Count::new(x, exposure).unwrap())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        /// The definition, over the whole plane of counts.
        #[test]
        fn the_e_test_is_a_sum_over_the_plane(a in count(), b in count()) {
            prop_assume!(a.events() + b.events() > 0);
            let r = b.exposure() / a.exposure();
            let total = (a.events() + b.events()) as f64;
            let z = |t: f64, c: f64| if t + c == 0.0 { 0.0 } else { (t - c * r) / ((t + c) * r).sqrt() };
            let observed = z(b.events() as f64, a.events() as f64);
            let mut sums = [0.0; 3];
            for t in 0..250u32 {
                for c in 0..250u32 {
                    let (t, c) = (f64::from(t), f64::from(c));
                    let p = (poisson::ln_pmf(t, total * r / (1.0 + r)) + poisson::ln_pmf(c, total / (1.0 + r))).exp();
                    let (x, slack) = (z(t, c), 1e-12 * observed.abs());
                    if x.abs() >= observed.abs() - slack { sums[0] += p; }
                    if x >= observed - slack { sums[1] += p; }
                    if x <= observed + slack { sums[2] += p; }
                }
            }
            for (alternative, expected) in [Alternative::TwoSided, Alternative::Greater, Alternative::Less].into_iter().zip(sums) {
                let p = e_test(&a, &b, 1.0, alternative).unwrap().p;
                prop_assert!((p - expected).abs() < 1e-10, "{alternative:?} {p} {expected}");
            }
        }

        /// The exact interval is the set of ratios that neither one-sided test rejects.
        #[test]
        fn exact_ends_are_just_rejected(a in count(), b in count()) {
            prop_assume!(a.events() > 0);
            let interval = exact_ratio(&a, &b, Level::P95).unwrap();
            let p = |ratio, alternative| exact_conditional(&a, &b, ratio, alternative).unwrap().p;
            prop_assert!((p(interval.high, Alternative::Less) - 0.025).abs() < 1e-9);
            if b.events() > 0 {
                prop_assert!((p(interval.low, Alternative::Greater) - 0.025).abs() < 1e-9);
            }
        }

        /// Swapping the arms turns the ratio over.
        #[test]
        fn swapping_the_arms_changes_no_p(a in count(), b in count(), ratio in 0.2..5.0f64) {
            prop_assume!(a.events() + b.events() > 0);
            type Two = fn(&Count, &Count, f64, Alternative) -> Result<Test, Refusal>;
            for test in [score as Two, wald, square_root, exact_conditional, e_test] {
                let forth = test(&a, &b, ratio, Alternative::TwoSided).unwrap().p;
                let back = test(&b, &a, ratio.recip(), Alternative::TwoSided).unwrap().p;
                prop_assert!((forth - back).abs() < 1e-9, "{forth} {back}");
            }
        }
    }

    #[test]
    fn what_cannot_be_compared_is_refused() {
        let count = |x, exposure| Count::new(x, exposure).unwrap();
        assert_eq!(Count::new(3, 0.0).unwrap_err().to_string(), "an exposure must lie above 0: `0`");
        assert!(Count::new(3, f64::NAN).is_err());
        let (none, some) = (count(0, 10.0), count(4, 10.0));
        assert_eq!(score(&none, &none, 1.0, Alternative::TwoSided), Err(Refusal::NoVariance));
        assert_eq!(e_test(&none, &none, 1.0, Alternative::TwoSided), Err(Refusal::NoVariance));
        assert_eq!(exact_conditional(&none, &none, 1.0, Alternative::TwoSided).unwrap().p, 1.0);
        assert_eq!(log_ratio(&none, &some), Err(Refusal::ZeroBaseline));
        assert_eq!(exact_ratio(&none, &some, Level::P95), Err(Refusal::ZeroBaseline));
        assert_eq!(exact_ratio(&some, &none, Level::P95).unwrap().low, 0.0);
        assert!(score(&some, &some, 0.0, Alternative::Less).is_err());
        let huge = count(u64::MAX, 1.0);
        assert!(e_test(&huge, &some, 1.0, Alternative::Less).is_err());
    }

    #[test]
    fn tiny_p_values_are_reported() {
        let (control, treatment) = (Count::new(1_000, 1.0).unwrap(), Count::new(4_000, 1.0).unwrap());
        let exact = exact_conditional(&control, &treatment, 1.0, Alternative::TwoSided).unwrap();
        assert!(exact.ln_p < -900.0 && exact.p == f64::MIN_POSITIVE, "{exact:?}");
        let e = e_test(&control, &Count::new(2_000, 1.0).unwrap(), 1.0, Alternative::Greater).unwrap();
        assert!(e.p > 1e-90 && e.p < 1e-70, "{e:?}");
    }
}
