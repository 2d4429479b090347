//! Miettinen and Nurminen's score test of a difference of rates, and its interval.

use crate::estimate::critical;
use crate::{Alternative, Arm, Interval, Level, Method, Proportion, Refusal, Test};

/// The two arms of a score test.
struct Arms {
    control: f64,
    treatment: f64,
    control_n: f64,
    treatment_n: f64,
}

impl Arms {
    fn new(control: &Proportion, treatment: &Proportion) -> Result<Self, Refusal> {
        Ok(Self {
            control: control.estimated(Arm::Control)?.mean,
            treatment: treatment.estimated(Arm::Treatment)?.mean,
            control_n: control.n() as f64,
            treatment_n: treatment.n() as f64,
        })
    }

    fn difference(&self) -> f64 {
        self.treatment - self.control
    }

    /// The standard error where the difference is `delta`: that of the restricted estimates, with the
    /// factor `N/(N-1)`.
    fn se(&self, delta: f64) -> f64 {
        let (t, c) = restricted((self.treatment, self.treatment_n), (self.control, self.control_n), delta);
        let n = self.control_n + self.treatment_n;
        ((t * (1.0 - t) / self.treatment_n + c * (1.0 - c) / self.control_n) * n / (n - 1.0)).sqrt()
    }

    /// The score statistic of "the difference is `delta`"; it falls as `delta` rises.
    fn statistic(&self, delta: f64) -> f64 {
        let distance = self.difference() - delta;
        if distance == 0.0 { 0.0 } else { distance / self.se(delta) }
    }
}

/// The most likely rates of treatment and control whose difference is `delta`, given the observed rates
/// and the sizes of the arms (only the ratio of the sizes matters): the root of a cubic, in the closed
/// form of Farrington and Manning (1990).
pub(crate) fn restricted(
    (treatment, treatment_n): (f64, f64),
    (control, control_n): (f64, f64),
    delta: f64,
) -> (f64, f64) {
    if delta == 0.0 {
        let common = (treatment * treatment_n + control * control_n) / (treatment_n + control_n);
        return (common, common);
    }
    let theta = control_n / treatment_n;
    let a = 1.0 + theta;
    let b = -(1.0 + theta + treatment + theta * control + delta * (theta + 2.0));
    let c = delta * delta + delta * (2.0 * treatment + theta + 1.0) + treatment + theta * control;
    let d = -treatment * delta * (1.0 + delta);
    let shift = b / (3.0 * a);
    let v = shift * shift * shift - b * c / (6.0 * a * a) + d / (2.0 * a);
    let root = (shift * shift - c / (3.0 * a)).max(0.0).sqrt();
    let u = if v < 0.0 { -root } else { root };
    let cosine = if u == 0.0 { 0.0 } else { (v / (u * u * u)).clamp(-1.0, 1.0) };
    let w = (core::f64::consts::PI + cosine.acos()) / 3.0;
    let t = (2.0 * u * w.cos() - shift).clamp(delta.max(0.0), (1.0 + delta).min(1.0));
    (t, (t - delta).clamp(0.0, 1.0))
}

/// The score test of "treatment - control is `difference`" (Miettinen and Nurminen 1985).
///
/// The variance is that of the most likely rates under the null, with the factor `N/(N-1)`. With
/// `difference = -margin` and [`Alternative::Greater`] it is the test of non-inferiority of Farrington
/// and Manning. At a difference of zero it is the pooled z test but for that factor. (statsmodels
/// 0.15 puts a count where the restricted likelihood needs a sample size: its interval is off by up to a
/// part in a thousand, its p-value by 7 %.)
///
/// # Errors
/// [`Refusal::TooLittle`] for an arm without units, [`Refusal::OutOfRange`] for a difference that
/// does not lie between -1 and 1, [`Refusal::NoVariance`] where both rates would be certain.
///
/// ```
/// use bellwether_stats::proportions::score_test;
/// use bellwether_stats::{Alternative, Proportion};
/// let control = Proportion::new(3, 50).unwrap();
/// let treatment = Proportion::new(9, 52).unwrap();
/// // Not worse by a percentage point.
/// let test = score_test(&control, &treatment, -0.01, Alternative::Greater).unwrap();
/// assert!((test.p - 0.028544289060604112).abs() < 1e-10);
/// ```
pub fn score_test(
    control: &Proportion,
    treatment: &Proportion,
    difference: f64,
    alternative: Alternative,
) -> Result<Test, Refusal> {
    let arms = Arms::new(control, treatment)?;
    if !(difference > -1.0 && difference < 1.0) {
        return Err(Refusal::out_of_range("a difference of rates", "between -1 and 1", difference));
    }
    let se = arms.se(difference);
    if se == 0.0 {
        return Err(Refusal::NoVariance);
    }
    Test::of_statistic((arms.difference() - difference) / se, None, alternative, Method::MiettinenNurminen)
}

/// The interval of the differences that [`score_test`] does not reject.
///
/// It exists for any counts, also without a success, and stays within -1 to 1.
///
/// # Errors
/// [`Refusal::TooLittle`] for an arm without units.
pub fn miettinen_nurminen(
    control: &Proportion,
    treatment: &Proportion,
    level: Level,
) -> Result<Interval, Refusal> {
    let arms = Arms::new(control, treatment)?;
    let z = critical(None, level.alpha() / 2.0);
    let difference = arms.difference();
    Ok(Interval {
        low: boundary(difference, -1.0, |delta| arms.statistic(delta) < z),
        high: boundary(difference, 1.0, |delta| arms.statistic(delta) > -z),
    })
}

/// Between `inside`, where the predicate holds, and `outside`, the last value at which it does.
pub(super) fn boundary(inside: f64, outside: f64, holds: impl Fn(f64) -> bool) -> f64 {
    let (mut inside, mut outside) = (inside, outside);
    // Each step halves the distance; after 1,100 nothing is left even between 1 and the smallest number.
    for _ in 0..1_100 {
        let middle = 0.5 * (inside + outside);
        if middle == inside || middle == outside {
            break;
        }
        if holds(middle) { inside = middle } else { outside = middle }
    }
    inside
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        /// The definition: no other pair of rates with that difference is more likely.
        #[test]
        fn restricted_rates_are_the_most_likely(x in 0..=40u32, y in 0..=70u32, delta in -0.9..0.9f64) {
            let (x, y) = (f64::from(x), f64::from(y));
            let log = |k: f64, p: f64| if k == 0.0 { 0.0 } else { k * p.ln() };
            let likelihood = |t: f64| log(x, t) + log(40.0 - x, 1.0 - t) + log(y, t - delta) + log(70.0 - y, 1.0 - t + delta);
            let (t, c) = restricted((x / 40.0, 40.0), (y / 70.0, 70.0), delta);
            prop_assert!((t - c - delta).abs() < 1e-12);
            let best = likelihood(t);
            let (low, high) = (delta.max(0.0), (1.0 + delta).min(1.0));
            for i in 1..200 {
                let other = low + (high - low) * f64::from(i) / 200.0;
                let theirs = likelihood(other);
                prop_assert!(theirs.is_nan() || theirs <= best + 1e-7 * best.abs().max(1.0), "{other}: {theirs} > {best} at {t}");
            }
        }
    }
}
