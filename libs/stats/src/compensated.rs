//! Sums that keep twice the digits of an `f64`.

/// The unevaluated sum of two numbers, the second below the last place of the first.
///
/// Knuth's two-sum: what an addition rounds away is kept beside the sum. Sums in any order then agree to
/// about 1e-30 of their largest term, so that the moments of 10⁹ values merge alike in every order.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Compensated {
    high: f64,
    low: f64,
}

/// `a + b` rounded, and what was rounded away.
fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let of_b = sum - a;
    (sum, (a - (sum - of_b)) + (b - of_b))
}

impl Compensated {
    pub(crate) const ZERO: Self = Self { high: 0.0, low: 0.0 };

    pub(crate) const fn of(value: f64) -> Self {
        Self { high: value, low: 0.0 }
    }

    /// The sum of both, brought into its normal form.
    pub(crate) fn from_parts(high: f64, low: f64) -> Self {
        Self::of(high).add(low)
    }

    #[must_use]
    pub(crate) fn add(self, value: f64) -> Self {
        let (sum, lost) = two_sum(self.high, value);
        Self::normal(sum, self.low + lost)
    }

    #[must_use]
    pub(crate) fn plus(self, other: Self) -> Self {
        let (sum, lost) = two_sum(self.high, other.high);
        Self::normal(sum, lost + (self.low + other.low))
    }

    /// What overflows is infinite, and has no rest: that would be a NaN.
    fn normal(sum: f64, rest: f64) -> Self {
        let (high, low) = two_sum(sum, rest);
        if low.is_finite() { Self { high, low } } else { Self::of(sum) }
    }

    /// The difference, exact to its last digits however much of both cancels.
    pub(crate) fn minus(self, other: Self) -> f64 {
        let (difference, lost) = two_sum(self.high, -other.high);
        difference + (lost + (self.low - other.low))
    }

    /// Rounded to an `f64`.
    pub(crate) const fn value(self) -> f64 {
        self.high
    }

    /// What [`Compensated::value`] leaves out.
    pub(crate) const fn rest(self) -> f64 {
        self.low
    }

    pub(crate) fn total_cmp(&self, other: &Self) -> core::cmp::Ordering {
        self.high.total_cmp(&other.high).then(self.low.total_cmp(&other.low))
    }
}
