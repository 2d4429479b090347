//! Two beliefs about rates, compared exactly.

use super::{Beta, check_range, ln_integral, tails};
use crate::quadrature::Rule;
use crate::root::bracketed;
use crate::{Interval, Level, Method, Refusal};

/// The beliefs about the rates of two arms, independent of each other.
///
/// Computed by quadrature over the log-odds for any parameters; the closed sums of peers need whole
/// numbers. Chances are exact in relative terms down to the smallest `f64`.
///
/// ```
/// use bellwether_stats::Proportion;
/// use bellwether_stats::bayes::{Beta, BetaComparison};
/// let posterior = |x, n| Beta::UNIFORM.after(&Proportion::new(x, n).unwrap());
/// let compared = BetaComparison::new(posterior(120, 1_000), posterior(150, 1_000));
/// assert!((compared.chance_treatment_better().unwrap() - 0.9750678368121425).abs() < 1e-12);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BetaComparison {
    control: Beta,
    treatment: Beta,
}

impl BetaComparison {
    /// How it is made.
    pub const METHOD: Method = Method::BetaBinomial;

    /// From both beliefs.
    pub fn new(control: Beta, treatment: Beta) -> Self {
        Self { control, treatment }
    }

    /// The chance that the treatment's rate is the higher one.
    ///
    /// # Errors
    /// [`Refusal::NotConverged`] where the integral fails.
    pub fn chance_treatment_better(&self) -> Result<f64, Refusal> {
        chance_higher(&self.treatment, &self.control)
    }

    /// The chance that the control's rate is the higher one: the small number where the treatment's is
    /// nearly one.
    ///
    /// # Errors
    /// [`Refusal::NotConverged`] where the integral fails.
    pub fn chance_control_better(&self) -> Result<f64, Refusal> {
        chance_higher(&self.control, &self.treatment)
    }

    /// What is lost on average by choosing the treatment, `E[max(control - treatment, 0)]`, as a rate.
    ///
    /// # Errors
    /// [`Refusal::NotConverged`] where the integral fails.
    pub fn expected_loss_of_treatment(&self) -> Result<f64, Refusal> {
        expected_excess(&self.control, &self.treatment)
    }

    /// What is lost on average by keeping control, `E[max(treatment - control, 0)]`, as a rate.
    ///
    /// # Errors
    /// [`Refusal::NotConverged`] where the integral fails.
    pub fn expected_loss_of_control(&self) -> Result<f64, Refusal> {
        expected_excess(&self.treatment, &self.control)
    }

    /// The chance that `treatment - control` is above `difference`; exact to about `1e-10` in absolute terms
    /// where both beliefs have parameters of 1 or more.
    ///
    /// # Errors
    /// [`Refusal::OutOfRange`] for a difference that is not a number.
    pub fn chance_above(&self, difference: f64) -> Result<f64, Refusal> {
        if difference.is_nan() {
            return Err(Refusal::out_of_range("a difference of rates", "among the numbers", difference));
        }
        if difference >= 1.0 || difference <= -1.0 {
            return Ok(if difference > 0.0 { 0.0 } else { 1.0 });
        }
        let rate = |w: f64| 1.0 / (1.0 + (-w).exp());
        // Over the control's mass, cut also where the treatment's belief moves, and where its rate would leave
        // (0, 1).
        let mut cuts = self.control.span().to_vec();
        let (low, high) = (cuts.first().copied(), cuts.last().copied());
        let moves = self.treatment.span().map(|w| rate(w) - difference);
        let ends = [-difference, 1.0 - difference];
        let inner = moves.into_iter().chain(ends).filter(|x| *x > 0.0 && *x < 1.0);
        let inside = |w: &f64| low.is_some_and(|low| *w > low) && high.is_some_and(|high| *w < high);
        cuts.extend(inner.map(|x| (x / (1.0 - x)).ln()).filter(inside));
        cuts.sort_by(f64::total_cmp);
        let rule = Rule::new(20);
        let mut sum = 0.0;
        for pair in cuts.windows(2) {
            let &[from, to] = pair else { continue };
            sum += rule
                .over(from, to, 1)
                .map(|(w, weight)| {
                    weight * self.control.at(w).ln_density.exp() * self.treatment.above(rate(w) + difference)
                })
                .sum::<f64>();
        }
        Ok(sum.clamp(0.0, 1.0))
    }

    /// The equal-tailed credible interval of `treatment - control`.
    ///
    /// # Errors
    /// [`Refusal::NotConverged`] where an end is not found.
    pub fn interval(&self, level: Level) -> Result<Interval, Refusal> {
        let end = |below: f64| {
            let what = "an end of a credible interval";
            bracketed(what, -1.0, 1.0, |d| self.chance_above(d).unwrap_or(f64::NAN) - (1.0 - below))
        };
        let [low, high] = tails(level);
        Ok(Interval { low: end(low)?, high: end(high)? })
    }

    /// The chance that `treatment - control` lies in a region of practical equivalence.
    ///
    /// # Errors
    /// [`Refusal::OutOfRange`] for ends that are not in order or not finite.
    pub fn chance_within(&self, low: f64, high: f64) -> Result<f64, Refusal> {
        let region = check_range(low, high)?;
        Ok((self.chance_above(region.low)? - self.chance_above(region.high)?).clamp(0.0, 1.0))
    }
}

/// Where either belief moves.
fn cuts(a: &Beta, b: &Beta) -> Vec<f64> {
    a.span().into_iter().chain(b.span()).collect()
}

/// `P(a > b) = ∫ f_b·SF_a`: log-concave in the log-odds.
fn chance_higher(a: &Beta, b: &Beta) -> Result<f64, Refusal> {
    let (start, sd) = b.log_odds();
    let ln = ln_integral(start, sd, &cuts(a, b), |w| b.at(w).ln_density + a.at(w).ln_upper)?;
    Ok(ln.exp().min(1.0))
}

/// `E[max(a - b, 0)] = ∫ SF_a(x)·F_b(x) dx`.
fn expected_excess(a: &Beta, b: &Beta) -> Result<f64, Refusal> {
    let (middles, sds) = (a.log_odds(), b.log_odds());
    let start = 0.5 * (middles.0 + sds.0);
    let ln = ln_integral(start, middles.1.min(sds.1), &cuts(a, b), |w| {
        // dx = x(1-x) dw, each factor from its own exponential.
        let jacobian = -(-w).exp().ln_1p() - w.exp().ln_1p();
        a.at(w).ln_upper + b.at(w).ln_lower + jacobian
    })?;
    Ok(ln.exp())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use proptest::prelude::*;

    fn belief() -> impl Strategy<Value = Beta> {
        (0.0..7.0f64, 0.0..7.0f64).prop_map(|(a, b)| Beta::new(a.exp(), b.exp()).unwrap())
    }

    /// Evan Miller's sum, for a whole number `a` of the treatment.
    fn by_sum(control: &Beta, treatment: &Beta) -> f64 {
        let ln_beta = |a: f64, b: f64| libm::lgamma(a) + libm::lgamma(b) - libm::lgamma(a + b);
        let (a, b) = (control, treatment);
        (0..b.a() as u32)
            .map(|k| {
                let k = f64::from(k);
                (ln_beta(a.a() + k, a.b() + b.b())
                    - (b.b() + k).ln()
                    - ln_beta(1.0 + k, b.b())
                    - ln_beta(a.a(), a.b()))
                .exp()
            })
            .sum()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]

        #[test]
        fn the_chance_is_the_closed_sum(control in belief(), x in 1u32..400, b in 1.0..400.0f64) {
            let treatment = Beta::new(f64::from(x), b).unwrap();
            let ours = BetaComparison::new(control, treatment).chance_treatment_better().unwrap();
            let sum = by_sum(&control, &treatment);
            prop_assert!((ours - sum).abs() < 1e-9 * sum.max(1e-3), "{ours} {sum}");
        }

        #[test]
        fn chances_and_losses_fit(control in belief(), treatment in belief()) {
            let compared = BetaComparison::new(control, treatment);
            let (better, worse) =
                (compared.chance_treatment_better().unwrap(), compared.chance_control_better().unwrap());
            prop_assert!((better + worse - 1.0).abs() < 1e-12);
            prop_assert!((compared.chance_above(0.0).unwrap() - better).abs() < 1e-11);
            let (loss, gain) = (
                compared.expected_loss_of_treatment().unwrap(),
                compared.expected_loss_of_control().unwrap(),
            );
            prop_assert!((gain - loss - (treatment.mean() - control.mean())).abs() < 1e-13);
            // The book's formula, where it does not cancel: E[p_A] P(A⁺ > B) - E[p_B] P(A > B⁺).
            let more = |b: &Beta| Beta::new(b.a() + 1.0, b.b()).unwrap();
            let by_parts = control.mean() * chance_higher(&more(&control), &treatment).unwrap()
                - treatment.mean() * chance_higher(&control, &more(&treatment)).unwrap();
            prop_assert!((loss - by_parts).abs() < 1e-12);
        }

        #[test]
        fn the_interval_has_its_tails(control in belief(), treatment in belief()) {
            let compared = BetaComparison::new(control, treatment);
            let interval = compared.interval(Level::P95).unwrap();
            let inside = compared.chance_within(interval.low, interval.high).unwrap();
            prop_assert!((inside - 0.95).abs() < 1e-8, "{inside}");
            let middle = compared.chance_above(treatment.mean() - control.mean()).unwrap();
            prop_assert!(middle > 0.2 && middle < 0.8);
        }
    }

    /// Out of reach of a chance that is one minus another.
    #[test]
    fn a_tiny_chance_is_exact() {
        let compared = BetaComparison::new(Beta::new(50.0, 500.0).unwrap(), Beta::new(500.0, 500.0).unwrap());
        let worse = compared.chance_control_better().unwrap();
        let exact = by_sum(&Beta::new(500.0, 500.0).unwrap(), &Beta::new(50.0, 500.0).unwrap());
        assert!(worse < 1e-60 && (worse / exact - 1.0).abs() < 1e-9, "{worse:e} {exact:e}");
    }

    #[test]
    fn a_billion_users_are_compared() {
        let posterior = |x: f64| Beta::new(x, 1e9 - x).unwrap();
        let compared = BetaComparison::new(posterior(1e8), posterior(1.0001e8));
        // A normal difference with a standard deviation of √(2·0.09/1e9).
        let z = 1e-5 / (2.0f64 * 0.09 / 1e9).sqrt();
        let normal = crate::special::normal::cdf(z);
        assert!((compared.chance_treatment_better().unwrap() - normal).abs() < 1e-5);
    }
}
