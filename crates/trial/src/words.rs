//! Trial: numbers in sentences. As many digits as the uncertainty bears, and a sign where it matters.

use bellwether_model::Metric;
use bellwether_model::metric::Measure;
use bellwether_stats::Refusal;

use crate::evidence::Arm;

/// From here on numbers are said in powers of ten: their last digits are not exact, and nobody reads them.
const LONG: f64 = 1e15;

/// In what a difference of the metric is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scale {
    /// Percentage points of a proportion.
    Points,
    /// Percent of the control's mean.
    Percent,
    /// The metric's own unit.
    Plain,
}

impl Scale {
    /// How absolute differences of this metric are said.
    pub(crate) fn absolute(metric: &Metric) -> Self {
        match metric.measure {
            Measure::Conversion => Self::Points,
            Measure::Count | Measure::Sum { .. } => Self::Plain,
        }
    }

    fn shown(self, x: f64) -> f64 {
        match self {
            Self::Points | Self::Percent => 100.0 * x,
            Self::Plain => x,
        }
    }

    /// What stands after each number.
    fn mark(self) -> &'static str {
        if self == Self::Percent { "%" } else { "" }
    }

    /// What stands after all of them.
    fn word(self) -> &'static str {
        if self == Self::Points { " points" } else { "" }
    }

    /// `+3.1 points (0.4 to 5.8)`, `+4.2% (1.0% to 7.4%)`, `+0.31 (0.02 to 0.60)`.
    pub(crate) fn effect(self, estimate: f64, low: f64, high: f64) -> String {
        let digits = self.digits_of(low, high);
        let number = |x| self.number(x, digits);
        let (mark, word) = (self.mark(), self.word());
        let sign = if number(estimate).starts_with('-') { "" } else { "+" };
        format!("{sign}{}{mark}{word} ({}{mark} to {}{mark})", number(estimate), number(low), number(high))
    }

    /// `+6.6%`: an estimate alone, as precise as a range of `width` bears.
    pub(crate) fn point(self, estimate: f64, width: f64) -> String {
        let number = self.number(estimate, self.digits(width));
        let sign = if number.starts_with('-') { "" } else { "+" };
        format!("{sign}{number}{}{}", self.mark(), self.word())
    }

    /// `-1.1 to +1.5 points`: what is not excluded.
    pub(crate) fn between(self, low: f64, high: f64) -> String {
        let digits = self.digits_of(low, high);
        let signed = |x: f64| {
            let number = self.number(x, digits);
            let sign = if x > 0.0 && !number.starts_with('-') { "+" } else { "" };
            format!("{sign}{number}{}", self.mark())
        };
        format!("{} and {}{}", signed(low), signed(high), self.word())
    }

    /// `1.4 points`: a size without a sign, as precise as a range of `width` bears.
    pub(crate) fn size(self, x: f64, width: f64) -> String {
        format!("{}{}{}", self.number(x.abs(), self.digits(width)), self.mark(), self.word())
    }

    fn number(self, x: f64, digits: usize) -> String {
        let x = self.shown(x);
        let text = if x.abs() >= LONG { format!("{x:.2e}") } else { format!("{x:.digits$}") };
        // A zero has no sign.
        match text.strip_prefix('-') {
            Some(rest) if rest.bytes().all(|b| b == b'0' || b == b'.') => rest.to_owned(),
            _ => text,
        }
    }

    /// Decimals for a range of which neither end rounds to zero, unless it is next to nothing: on which side
    /// of zero an interval ends is what it is read for.
    fn digits_of(self, low: f64, high: f64) -> usize {
        let fewest = self.digits(high - low);
        let zero =
            |x: f64, digits| x != 0.0 && self.number(x, digits).bytes().all(|b| b == b'0' || b == b'.');
        (fewest..fewest + 4).find(|&digits| !zero(low, digits) && !zero(high, digits)).unwrap_or(fewest)
    }

    /// Decimals that show a range of this width with two to three significant digits.
    fn digits(self, width: f64) -> usize {
        let width = self.shown(width.abs());
        if !(width.is_finite() && width > 0.0) {
            return 1;
        }
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let digits = (1.3 - width.log10()).ceil().clamp(0.0, 9.0) as usize;
        digits
    }
}

/// `p = 0.00155`, or `p < 0.0001` where more digits would pretend.
pub(crate) fn p(p: f64) -> String {
    if p < 0.0001 { "p < 0.0001".to_owned() } else { format!("p = {}", significant(p)) }
}

/// A number with three significant digits, without trailing zeros.
pub(crate) fn significant(x: f64) -> String {
    if x == 0.0 || !x.is_finite() {
        return format!("{x}");
    }
    if x.abs() >= LONG {
        return format!("{x:.2e}");
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let digits = (2.0 - x.abs().log10().floor()).clamp(0.0, 12.0) as usize;
    let text = format!("{x:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// Why there is no answer, with the arms by the names of their variants.
pub(crate) fn refusal(refusal: &Refusal, control: &Arm, treatment: &Arm) -> String {
    match refusal {
        Refusal::TooLittle { arm, have, need } => {
            let arm = match arm {
                bellwether_stats::Arm::Control => control,
                bellwether_stats::Arm::Treatment => treatment,
            };
            format!(
                "too little data: `{}` has `{have}` of the `{need}` units that this test needs",
                arm.variant
            )
        }
        other => other.to_string(),
    }
}

/// A share of one as a percentage, such as `2.5%`.
pub(crate) fn percent(share: f64) -> String {
    format!("{}%", significant(100.0 * share))
}

/// `44,700`.
pub(crate) fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `7.10% of 5,012` for a conversion, `12.3 per unit of 5,012` for a mean.
pub(crate) fn level(metric: &Metric, mean: Option<f64>, units: u64) -> String {
    match (mean, &metric.measure) {
        (None, _) => "no units".to_owned(),
        (Some(mean), Measure::Conversion) => format!("{:.2}% of {}", 100.0 * mean, count(units)),
        (Some(mean), _) => format!("{} per unit of {}", significant(mean), count(units)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_carry_as_many_digits_as_they_bear() {
        assert_eq!(Scale::Points.effect(0.031, 0.004, 0.058), "+3.1 points (0.4 to 5.8)");
        assert_eq!(Scale::Points.effect(-0.008_202, -0.013_282, -0.003_121), "-0.82 points (-1.33 to -0.31)");
        assert_eq!(Scale::Percent.effect(0.042, 0.01, 0.074), "+4.2% (1.0% to 7.4%)");
        assert_eq!(Scale::Plain.effect(0.31, 0.02, 0.6), "+0.31 (0.02 to 0.60)");
        assert_eq!(Scale::Plain.effect(1234.5, 234.5, 2234.5), "+1234 (234 to 2234)");
        assert_eq!(Scale::Points.effect(-1e-9, -0.01, 0.01), "+0.0 points (-1.0 to 1.0)");
        assert_eq!(Scale::Points.between(-0.011, 0.015), "-1.1 and +1.5 points");
        // Zero is outside, barely, and is seen to be.
        assert_eq!(Scale::Plain.effect(1.63, 0.047, 3.21), "+1.63 (0.05 to 3.21)");
        assert_eq!(Scale::Plain.effect(1.63, 1e-12, 3.2), "+1.6 (0.0 to 3.2)");
        assert_eq!(Scale::Points.between(-0.032, -0.000_4), "-3.20 and -0.04 points");
        assert_eq!(Scale::Plain.size(-1.25, 1.0), "1.25");
        assert_eq!(Scale::Percent.point(0.066, 0.05), "+6.6%");
        assert_eq!(Scale::Percent.point(-0.000_001, 0.05), "+0.0%");
    }

    #[test]
    fn long_numbers_are_said_in_powers_of_ten() {
        assert_eq!(Scale::Plain.effect(1.5e149, -2e148, 3.2e149), "+1.50e149 (-2.00e148 to 3.20e149)");
        assert_eq!(Scale::Plain.between(-2e15, 1e14), "-2.00e15 and +100000000000000");
        assert_eq!(Scale::Plain.size(-1e300, 1e299), "1.00e300");
        assert_eq!(
            [significant(1e15), significant(-1e150), significant(123_456.7)],
            ["1.00e15", "-1.00e150", "123457"]
        );
    }

    #[test]
    fn small_things_are_said_plainly() {
        assert_eq!(p(0.001_554_25), "p = 0.00155");
        assert_eq!(p(0.76), "p = 0.76");
        assert_eq!(p(1e-300), "p < 0.0001");
        assert_eq!(
            ["0", "999", "1,000", "45,489", "1,234,567"],
            [0, 999, 1000, 45_489, 1_234_567].map(count)[..]
        );
        assert_eq!([percent(0.05), percent(0.0304), percent(0.5)], ["5%", "3.04%", "50%"]);
    }
}
