//! An estimate with its standard error, and all that a test of Wald's kind makes of the two.

use crate::comparison::probability;
use crate::special::{normal, student_t};
use crate::{Caution, Direction, Interval, Level, Method, Refusal};
use serde::{Deserialize, Serialize};

/// What a test holds against its null hypothesis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Alternative {
    /// The effect is another than the null, in either direction.
    TwoSided,
    /// The effect is greater than the null.
    Greater,
    /// The effect is less than the null.
    Less,
}

/// The outcome of one test of one hypothesis.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Test {
    /// z, t, F or χ²; of an exact test what its documentation says.
    pub statistic: f64,
    /// Degrees of freedom of a t or χ² test.
    pub df: Option<f64>,
    /// p-value. Below `2.2e-308` it is reported as that number; see `ln_p`.
    pub p: f64,
    /// Natural logarithm of the p-value, exact however small that is; at least `-1.8e308`.
    pub ln_p: f64,
    /// How the test was made.
    pub method: Method,
}

impl Test {
    pub(crate) fn new(statistic: f64, df: Option<f64>, ln_p: f64, method: Method) -> Result<Self, Refusal> {
        if statistic.is_nan() || ln_p.is_nan() {
            return Err(Refusal::not_finite("test statistic"));
        }
        let ln_p = ln_p.clamp(-f64::MAX, 0.0);
        Ok(Self { statistic, df, p: probability(ln_p), ln_p, method })
    }

    /// Of a z or t statistic, where a large one speaks for a greater effect.
    pub(crate) fn of_statistic(
        statistic: f64,
        df: Option<f64>,
        alternative: Alternative,
        method: Method,
    ) -> Result<Self, Refusal> {
        let ln_sf = |x: f64| df.map_or_else(|| normal::ln_sf(x), |df| student_t::ln_sf(x, df));
        let ln_p = match alternative {
            Alternative::TwoSided => core::f64::consts::LN_2 + ln_sf(statistic.abs()),
            Alternative::Greater => ln_sf(statistic),
            Alternative::Less => ln_sf(-statistic),
        };
        Self::new(statistic, df, ln_p, method)
    }
}

/// Two one-sided tests (Schuirmann 1987): whether an effect lies between two margins.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Equivalence {
    /// Against "at or below the lower margin".
    pub above_low: Test,
    /// Against "at or above the upper margin".
    pub below_high: Test,
    /// The larger of both p-values: equivalence is shown at `alpha` where it is below.
    pub p: f64,
    /// Its natural logarithm.
    pub ln_p: f64,
}

/// An estimate, its standard error, and the distribution of their quotient: normal, or t where there
/// are degrees of freedom.
///
/// Every method that ends in "estimate over standard error" gives one of these; the hypothesis, the
/// side and the level are chosen afterwards. The assumption is that of the method which made it: an
/// estimate that is close to normal, with a standard error that is close to right. Where the
/// distribution is skewed (few conversions, heavy tails) both tails are wrong, in opposite directions.
///
/// ```
/// use bellwether_stats::{Alternative, Estimate, Level, Method};
/// let lift = Estimate::new(0.02, 0.008, None, Method::WelchT).unwrap();
/// assert!(lift.test(0.0, Alternative::TwoSided).unwrap().p < 0.05);
/// assert!(lift.lower_bound(Level::P95) > 0.0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct Estimate {
    value: f64,
    se: f64,
    df: Option<f64>,
    method: Method,
    caution: Option<Caution>,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    value: f64,
    se: f64,
    df: Option<f64>,
    method: Method,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    caution: Option<Caution>,
}

impl TryFrom<Stored> for Estimate {
    type Error = Refusal;
    fn try_from(Stored { value, se, df, method, caution }: Stored) -> Result<Self, Refusal> {
        Ok(Self::new(value, se, df, method)?.with_caution(caution))
    }
}

impl From<Estimate> for Stored {
    fn from(Estimate { value, se, df, method, caution }: Estimate) -> Self {
        Self { value, se, df, method, caution }
    }
}

impl Estimate {
    /// From the estimate, its standard error and its degrees of freedom (none: normal).
    ///
    /// # Errors
    /// [`Refusal::NotFinite`] for an estimate or error that is no finite number,
    /// [`Refusal::NoVariance`] for an error of zero, [`Refusal::OutOfRange`] for a negative one, or for
    /// degrees of freedom that are not above zero.
    pub fn new(value: f64, se: f64, df: Option<f64>, method: Method) -> Result<Self, Refusal> {
        if !value.is_finite() {
            return Err(Refusal::not_finite("estimate"));
        }
        if !se.is_finite() {
            return Err(Refusal::not_finite("standard error"));
        }
        if se < 0.0 {
            return Err(Refusal::out_of_range("a standard error", "above 0", se));
        }
        if se == 0.0 {
            return Err(Refusal::NoVariance);
        }
        if let Some(df) = df
            && (df.is_nan() || df <= 0.0)
        {
            return Err(Refusal::out_of_range("a number of degrees of freedom", "above 0", df));
        }
        Ok(Self { value, se, df, method, caution: None })
    }

    /// The estimate itself.
    pub fn value(&self) -> f64 {
        self.value
    }

    /// Its standard error, above zero.
    pub fn se(&self) -> f64 {
        self.se
    }

    /// Its degrees of freedom; none for a normal one.
    pub fn df(&self) -> Option<f64> {
        self.df
    }

    /// How it was made.
    pub fn method(&self) -> Method {
        self.method
    }

    /// Why it is to be trusted less than its error says, where the method could see that: it knows clusters and weights, but of
    /// means only their moments, which do not tell skew ([`Caution::of_means`] asks the values).
    pub fn caution(&self) -> Option<Caution> {
        self.caution
    }

    /// The same estimate with what is known against it. None takes nothing back: what the method saw itself stays.
    ///
    /// ```
    /// use bellwether_stats::{Caution, Moments, Variances, difference};
    /// let (control, treatment) = ([0.0, 0.0, 0.0, 1.0, 90.0], [0.0, 1.0, 0.0, 0.0, 2.0]);
    /// let [c, t] = [control, treatment].map(|values| Moments::of(&values).unwrap());
    /// let ours = difference(&c, &t, Variances::Unequal).unwrap();
    /// let ours = ours.with_caution(Caution::of_means(&control, &treatment).unwrap());
    /// assert!(ours.caution().is_some());
    /// ```
    #[must_use]
    pub fn with_caution(self, caution: Option<Caution>) -> Self {
        Self { caution: caution.or(self.caution), ..self }
    }

    /// The same estimate, read against the normal distribution instead of t.
    #[must_use]
    pub fn as_normal(self) -> Self {
        Self { df: None, ..self }
    }

    /// The test of "the effect is `null`".
    ///
    /// # Errors
    /// [`Refusal::OutOfRange`] for a null that is not finite, [`Refusal::NotFinite`] where the
    /// statistic overflows.
    pub fn test(&self, null: f64, alternative: Alternative) -> Result<Test, Refusal> {
        if !null.is_finite() {
            return Err(Refusal::out_of_range("a null hypothesis", "among the finite numbers", null));
        }
        Test::of_statistic((self.value - null) / self.se, self.df, alternative, self.method)
    }

    /// The two-sided interval.
    pub fn interval(&self, level: Level) -> Interval {
        Interval::around(self.value, self.quantile(level.alpha() / 2.0) * self.se)
    }

    /// The value that the effect is above, with the one-sided confidence given.
    pub fn lower_bound(&self, level: Level) -> f64 {
        self.value - self.quantile(level.alpha()) * self.se
    }

    /// The value that the effect is below, with the one-sided confidence given.
    pub fn upper_bound(&self, level: Level) -> f64 {
        self.value + self.quantile(level.alpha()) * self.se
    }

    /// The test of "worse by `margin` or more", one-sided: a small p shows that the treatment is not
    /// worse than that. `margin` is a size, in the unit of the estimate; with zero it is the test of "better".
    ///
    /// # Errors
    /// [`Refusal::OutOfRange`] for a margin that is negative or not finite.
    ///
    /// ```
    /// use bellwether_stats::{Direction, Estimate, Method};
    /// let latency = Estimate::new(1.0, 2.0, None, Method::WelchT).unwrap();
    /// // Lower is better: slower by 1 ± 2 ms is not shown to be within 3 ms, but within 6 ms it is.
    /// assert!(latency.not_worse(3.0, Direction::Lower).unwrap().p > 0.05);
    /// assert!(latency.not_worse(6.0, Direction::Lower).unwrap().p < 0.05);
    /// ```
    pub fn not_worse(&self, margin: f64, better: Direction) -> Result<Test, Refusal> {
        if !(margin >= 0.0 && margin.is_finite()) {
            return Err(Refusal::out_of_range("a margin", "at 0 or above", margin));
        }
        match better {
            Direction::Higher => self.test(-margin, Alternative::Greater),
            Direction::Lower => self.test(margin, Alternative::Less),
        }
    }

    /// Two one-sided tests (TOST): whether the effect lies between `low` and `high`.
    ///
    /// # Errors
    /// [`Refusal::OutOfRange`] for margins that are not finite or not in order.
    pub fn equivalence(&self, low: f64, high: f64) -> Result<Equivalence, Refusal> {
        if low.is_nan() || high.is_nan() || low >= high {
            return Err(Refusal::out_of_range(
                "the lower margin",
                &format!("below the upper one, `{high}`"),
                low,
            ));
        }
        let above_low = self.test(low, Alternative::Greater)?;
        let below_high = self.test(high, Alternative::Less)?;
        let ln_p = above_low.ln_p.max(below_high.ln_p);
        Ok(Equivalence { above_low, below_high, p: probability(ln_p), ln_p })
    }

    /// The upper critical value for the tail given.
    pub(crate) fn quantile(&self, tail: f64) -> f64 {
        critical(self.df, tail)
    }
}

/// The upper critical value of the normal, or of t.
pub(crate) fn critical(df: Option<f64>, tail: f64) -> f64 {
    -df.map_or_else(|| normal::quantile(tail), |df| student_t::quantile(tail, df))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use proptest::prelude::*;

    fn estimate() -> impl Strategy<Value = Estimate> {
        (-5.0..5.0f64, 0.1..3.0f64, proptest::option::of(0.5..1e7f64))
            .prop_map(|(value, se, df)| Estimate::new(value, se, df, Method::WelchT).unwrap())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        /// An interval is the set of nulls that its test does not reject, on each side.
        #[test]
        fn ends_are_just_rejected(e in estimate(), alpha in 1e-6..0.3f64) {
            let level = Level::from_alpha(alpha).unwrap();
            let both = e.interval(level);
            for (null, alternative) in [
                (both.low, Alternative::TwoSided),
                (both.high, Alternative::TwoSided),
                (e.lower_bound(level), Alternative::Greater),
                (e.upper_bound(level), Alternative::Less),
            ] {
                let p = e.test(null, alternative).unwrap().p;
                prop_assert!((p / alpha - 1.0).abs() < 1e-9, "{null} {alternative:?} {p} {alpha}");
            }
        }

        /// TOST at alpha is the interval at 1 - 2·alpha inside of the margins.
        #[test]
        fn equivalence_is_an_interval_inside_the_margins(e in estimate(), low in -9.0..0.0f64, high in 0.0..9.0f64, alpha in 0.001..0.2f64) {
            let tost = e.equivalence(low, high).unwrap();
            let inner = e.interval(Level::from_alpha(2.0 * alpha).unwrap());
            prop_assume!((tost.p / alpha - 1.0).abs() > 1e-9);
            prop_assert_eq!(tost.p < alpha, low < inner.low && inner.high < high);
        }

        #[test]
        fn the_sides_add_up(e in estimate(), null in -3.0..3.0f64) {
            let p = |alternative| e.test(null, alternative).unwrap().p;
            let (greater, less) = (p(Alternative::Greater), p(Alternative::Less));
            prop_assert!((greater + less - 1.0).abs() < 1e-12);
            prop_assert!((p(Alternative::TwoSided) - 2.0 * greater.min(less)).abs() < 1e-12);
        }
    }

    #[test]
    fn what_is_no_estimate_is_refused() {
        let check =
            |value: f64, se: f64, df: Option<f64>| Estimate::new(value, se, df, Method::WelchT).unwrap_err();
        assert_eq!(check(1.0, 0.0, None), Refusal::NoVariance);
        assert_eq!(check(1.0, -1.0, None).to_string(), "a standard error must lie above 0: `-1`");
        assert_eq!(
            check(1.0, 1.0, Some(0.0)).to_string(),
            "a number of degrees of freedom must lie above 0: `0`"
        );
        assert!(matches!(check(f64::NAN, 1.0, None), Refusal::NotFinite { .. }));
        assert!(matches!(check(1.0, f64::INFINITY, None), Refusal::NotFinite { .. }));
        let good = Estimate::new(1.0, 1.0, None, Method::WelchT).unwrap();
        assert!(good.test(f64::NAN, Alternative::Greater).is_err());
        assert_eq!(
            good.not_worse(0.0, Direction::Lower).unwrap(),
            good.test(0.0, Alternative::Less).unwrap(),
        );
        assert_eq!(
            good.not_worse(-1.0, Direction::Higher).unwrap_err().to_string(),
            "a margin must lie at 0 or above: `-1`"
        );
        assert!(good.equivalence(1.0, 1.0).is_err());
        assert!(
            serde_json::from_str::<Estimate>(r#"{"value":1,"se":0,"df":null,"method":"welch-t.1"}"#).is_err()
        );
    }

    #[test]
    fn tiny_p_values_are_reported() {
        let far = Estimate::new(1e3, 1.0, None, Method::WelchT).unwrap();
        let test = far.test(0.0, Alternative::Greater).unwrap();
        assert_eq!(test.p, f64::MIN_POSITIVE);
        assert!((test.ln_p / -500_007.826_694_812_2 - 1.0).abs() < 1e-12);
        assert_eq!(far.test(0.0, Alternative::Less).unwrap().p, 1.0);
    }
}
