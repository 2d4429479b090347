//! Bench: what lies where in many measurements.

/// Measurements, sorted.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sorted(Vec<f64>);

impl Sorted {
    /// Of any number.
    pub fn of(measured: impl IntoIterator<Item = f64>) -> Self {
        let mut all: Vec<f64> = measured.into_iter().collect();
        all.sort_by(f64::total_cmp);
        Self(all)
    }

    /// The measurement that so great a share of all is not above.
    #[must_use]
    pub fn at(&self, share: f64) -> f64 {
        let place = (share * self.0.len() as f64).ceil() as usize;
        self.0.get(place.saturating_sub(1).min(self.0.len().saturating_sub(1))).copied().unwrap_or(f64::NAN)
    }

    /// The middle one; NaN where nothing was measured.
    #[must_use]
    pub fn median(&self) -> f64 {
        self.at(0.5)
    }

    /// The largest.
    #[must_use]
    pub fn most(&self) -> f64 {
        self.at(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_not_above_its_place() {
        let hundred = Sorted::of((1..=100).rev().map(f64::from));
        let check = |share, expected: f64| assert_eq!(hundred.at(share), expected);
        check(0.0, 1.0);
        check(0.5, 50.0);
        check(0.99, 99.0);
        check(1.0, 100.0);
        assert!(Sorted::of([]).median().is_nan());
    }
}
