//! Trial: evidence, what was seen of each arm.

use bellwether_model::metric::Measure;
use bellwether_model::{Metric, VariantKey};
use bellwether_stats::{Moments, Proportion};

/// What was seen of one variant.
#[derive(Debug, Clone, PartialEq)]
pub struct Arm {
    /// The variant.
    pub variant: VariantKey,
    /// Units first exposed to it, measured or not.
    pub exposed: u64,
    /// Units that are measured.
    pub units: u64,
    /// Those of them that did what the metric counts at least once.
    pub converted: u64,
    /// Of the metric over the measured units. Conversions are judged by `converted` alone.
    pub moments: Moments,
}

impl Arm {
    /// An arm that nobody was exposed to.
    pub fn empty(variant: VariantKey) -> Self {
        Self { variant, exposed: 0, units: 0, converted: 0, moments: Moments::EMPTY }
    }

    /// The mean of a metric over the measured units, for a conversion their rate; `None` without units.
    pub(crate) fn mean(&self, metric: &Metric) -> Option<f64> {
        match metric.measure {
            Measure::Conversion => Proportion::new(self.converted, self.units).ok()?.rate(),
            Measure::Count | Measure::Sum { .. } => self.moments.mean(),
        }
    }
}

/// What was seen of an experiment.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    /// One per variant, in any order. A variant of the plan that is missing here has no units.
    pub arms: Vec<Arm>,
    /// First exposures in successive stretches of time, such as days: the counts of one stretch are
    /// in the order of `arms`.
    pub increments: Vec<Vec<u64>>,
    /// Units that saw several variants and are therefore in no arm.
    pub crossed: u64,
}

impl Evidence {
    /// What was seen of a variant, if anything was.
    pub(crate) fn arm(&self, variant: &VariantKey) -> Option<&Arm> {
        self.arms.iter().find(|arm| arm.variant == *variant)
    }
}
