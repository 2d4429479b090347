//! The result of comparing a treatment with its control.

use crate::{Level, Refusal};
use serde::{Deserialize, Serialize};

/// A two-sided interval with finite ends.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Interval {
    pub(crate) fn around(centre: f64, half_width: f64) -> Self {
        Self { low: centre - half_width, high: centre + half_width }
    }

    /// Whether the value lies inside, ends included.
    pub fn contains(&self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }
}

/// How a comparison was made. The serialized name carries a version: a change of method is a new
/// name, so that two results with the same name can be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Method {
    /// z test with the pooled variance under the null; unpooled (Wald) interval.
    #[serde(rename = "two-proportions-z.1")]
    TwoProportionsZ,
    /// Welch's t test.
    #[serde(rename = "welch-t.1")]
    WelchT,
    /// One-sided asymptotic confidence sequence.
    #[serde(rename = "asymptotic-confidence-sequence.1")]
    AsymptoticConfidenceSequence,
}

impl Method {
    /// The stable name with its version, as serialized.
    pub fn name(self) -> &'static str {
        match self {
            Self::TwoProportionsZ => "two-proportions-z.1",
            Self::WelchT => "welch-t.1",
            Self::AsymptoticConfidenceSequence => "asymptotic-confidence-sequence.1",
        }
    }
}

/// How the interval of a relative lift was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RelativeMethod {
    /// Delta method, the control mean's own error included.
    Delta,
    /// Fieller's interval, where the control mean is within 3 standard errors of zero.
    Fieller,
}

/// The difference as a share of the control mean.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Relative {
    /// `(treatment - control) / |control|`: `0.1` is ten percent more.
    pub lift: f64,
    /// Standard error of the lift by the delta method.
    pub se: f64,
    /// Its interval at the level of the comparison.
    pub interval: Interval,
    /// How the interval was made.
    pub method: RelativeMethod,
}

/// A fixed-horizon comparison of two arms: look once, at the planned end.
///
/// The p-value and the interval answer with different variances for proportions (pooled under the
/// null, unpooled around the estimate), so at the border p may lie just under `alpha` while 0 is
/// just inside. That is expected and not repaired.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// `treatment - control`, in the unit of the metric.
    pub estimate: f64,
    /// Standard error of the estimate, as used by the interval.
    pub se: f64,
    /// Confidence of both intervals.
    pub level: Level,
    /// Interval of the difference.
    pub interval: Interval,
    /// z or t.
    pub statistic: f64,
    /// Degrees of freedom; none for a z test.
    pub df: Option<f64>,
    /// Two-sided p-value. Below `2.2e-308` it is reported as that number; see `ln_p`.
    pub p: f64,
    /// Natural logarithm of the p-value, exact however small that is.
    pub ln_p: f64,
    /// The lift relative to control, or why there is none.
    #[serde(with = "answer")]
    pub relative: Result<Relative, Refusal>,
    /// How the comparison was made.
    pub method: Method,
}

/// `ln_p` of a two-sided test as a probability that is never zero.
pub(crate) fn probability(ln_p: f64) -> f64 {
    ln_p.exp().clamp(f64::MIN_POSITIVE, 1.0)
}

/// The wire form of an answer that may be refused: the answer itself, or `{"refused": {...}}`.
mod answer {
    use crate::Refusal;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Wire<T> {
        Refused { refused: Refusal },
        Given(T),
    }

    pub(super) fn serialize<T: Serialize, S: Serializer>(
        answer: &Result<T, Refusal>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Refused<'a> {
            refused: &'a Refusal,
        }
        match answer {
            Ok(given) => given.serialize(serializer),
            Err(refused) => Refused { refused }.serialize(serializer),
        }
    }

    pub(super) fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Result<T, Refusal>, D::Error> {
        Ok(match Wire::deserialize(deserializer)? {
            Wire::Refused { refused } => Err(refused),
            Wire::Given(given) => Ok(given),
        })
    }
}
