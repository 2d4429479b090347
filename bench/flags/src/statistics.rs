//! Bench of flags: the middle and the spread of what was measured.

/// The middle of many measurements, and where eight of ten of them lie.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Spread {
    pub(crate) low: f64,
    pub(crate) median: f64,
    pub(crate) high: f64,
}

impl Spread {
    /// Of at least one measurement.
    pub(crate) fn of(mut measured: Vec<f64>) -> Self {
        measured.sort_by(f64::total_cmp);
        let at = |share: f64| {
            let place = (share * measured.len() as f64) as usize;
            measured.get(place.min(measured.len().saturating_sub(1))).copied().unwrap_or(f64::NAN)
        };
        Self { low: at(0.1), median: at(0.5), high: at(0.9) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_is_in_the_middle() {
        let spread = Spread::of((0..101).rev().map(f64::from).collect());
        assert_eq!(spread, Spread { low: 10.0, median: 50.0, high: 90.0 });
        assert_eq!(Spread::of(vec![1.0]), Spread { low: 1.0, median: 1.0, high: 1.0 });
    }
}
