//! Model: points in time and lengths of time, both in whole milliseconds. Nothing here asks a clock.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::Invalid;

/// A point in time: milliseconds since 1970-01-01T00:00:00Z.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct Millis(pub i64);

/// A length of time in milliseconds, never negative.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct Span(pub u64);

impl Span {
    /// One second.
    pub const SECOND: Self = Self(1_000);
    /// One minute.
    pub const MINUTE: Self = Self(60_000);
    /// One hour.
    pub const HOUR: Self = Self(3_600_000);
    /// One day of 24 hours.
    pub const DAY: Self = Self(86_400_000);

    /// `n` times as long, capped at the longest span there is.
    #[must_use]
    pub const fn times(self, n: u64) -> Self {
        Self(self.0.saturating_mul(n))
    }
}

impl FromStr for Span {
    type Err = Invalid;

    /// A length as people write it: whole numbers of days, hours, minutes, seconds and milliseconds, the
    /// largest unit first. A number without a unit is no length.
    ///
    /// ```
    /// use bellwether_model::Span;
    /// assert_eq!("1d 12h".parse(), Ok(Span::HOUR.times(36)));
    /// assert!("90".parse::<Span>().is_err());
    /// ```
    fn from_str(text: &str) -> Result<Self, Invalid> {
        const UNITS: [(&str, Span); 5] =
            [("d", Span::DAY), ("h", Span::HOUR), ("m", Span::MINUTE), ("s", Span::SECOND), ("ms", Span(1))];
        let read = || {
            let (mut left, mut sum, mut units) = (text.trim(), 0_u64, UNITS.iter());
            while !left.is_empty() {
                let (number, rest) = left.split_at(left.find(|c: char| !c.is_ascii_digit())?);
                let rest = rest.trim_start();
                let end = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
                let (word, rest) = rest.split_at(end);
                // Units that were passed are not there any more: from large to small, each once.
                let (_, unit) = units.find(|(unit, _)| word.eq_ignore_ascii_case(unit))?;
                sum = sum.checked_add(number.parse::<u64>().ok()?.checked_mul(unit.0)?)?;
                left = rest.trim_start();
            }
            (!text.trim().is_empty()).then_some(Self(sum))
        };
        read().ok_or_else(|| {
            Invalid::new(
                format!("`{}` is no length of time", text.chars().take(40).collect::<String>()),
                "write one such as `10m`, `2h` or `1d 12h`, or a number of milliseconds",
            )
        })
    }
}

impl Millis {
    /// This much later; saturates at the end of time.
    #[must_use]
    pub fn plus(self, span: Span) -> Self {
        Self(self.0.saturating_add_unsigned(span.0))
    }

    /// This much earlier; saturates at the beginning of time.
    #[must_use]
    pub fn minus(self, span: Span) -> Self {
        Self(self.0.saturating_sub_unsigned(span.0))
    }

    /// How long after `earlier` this is; zero if it is not after.
    #[must_use]
    pub fn since(self, earlier: Self) -> Span {
        Span(self.0.saturating_sub(earlier.0).max(0).unsigned_abs())
    }
}

impl fmt::Display for Millis {
    /// RFC 3339 in UTC where the calendar reaches, the plain number elsewhere.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(at) => at.fmt(f),
            Err(_) => write!(f, "{} ms", self.0),
        }
    }
}

impl fmt::Display for Span {
    /// In words, the largest unit first: `1 day 2 hours`. What is nothing is left out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut left = self.0;
        let mut between = "";
        for (unit, word) in [
            (Self::DAY, "day"),
            (Self::HOUR, "hour"),
            (Self::MINUTE, "minute"),
            (Self::SECOND, "second"),
            (Self(1), "ms"),
        ] {
            let n = left / unit.0;
            left %= unit.0;
            if n > 0 {
                let plural = if n == 1 || word == "ms" { "" } else { "s" };
                write!(f, "{between}{n} {word}{plural}")?;
                between = " ";
            }
        }
        if self.0 == 0 { f.write_str("0 ms") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_time_reads_as_a_date() {
        assert_eq!(Millis(1_771_622_898_000).to_string(), "2026-02-20T21:28:18Z");
        assert_eq!(Millis(i64::MAX).to_string(), "9223372036854775807 ms");
    }

    #[test]
    fn a_span_reads_as_words() {
        for (span, said) in [
            (Span(0), "0 ms"),
            (Span(999), "999 ms"),
            (Span::HOUR, "1 hour"),
            (Span::MINUTE.times(90), "1 hour 30 minutes"),
            (Span(Span::DAY.times(2).0 + 1_001), "2 days 1 second 1 ms"),
        ] {
            assert_eq!(span.to_string(), said);
        }
    }

    #[test]
    fn a_span_is_read_as_people_write_it() {
        for (text, span) in [
            ("10m", Span::MINUTE.times(10)),
            (" 2 h ", Span::HOUR.times(2)),
            ("1d12h", Span::HOUR.times(36)),
            ("1D 0h 5S", Span(Span::DAY.0 + 5_000)),
            ("250ms", Span(250)),
            ("0m", Span(0)),
        ] {
            assert_eq!(text.parse(), Ok(span), "{text}");
        }
        for text in [
            "",
            " ",
            "10",
            "m",
            "1x",
            "-1h",
            "1.5h",
            "30m 1h",
            "1h 2h",
            "1 h 3",
            "1h,2m",
            "99999999999999999999d",
            "999999999999d",
            "½h",
        ] {
            let e = text.parse::<Span>().unwrap_err();
            assert_eq!(e.message, format!("`{text}` is no length of time"));
        }
    }

    proptest! {
        /// What it is said with is read again, once the words are cut down to their units.
        #[test]
        fn a_span_that_is_said_is_read(ms in 0..u64::MAX) {
            let said = Span(ms).to_string();
            let units = [(" days", "d"), (" day", "d"), (" hours", "h"), (" hour", "h"), (" minutes", "m"),
                (" minute", "m"), (" seconds", "s"), (" second", "s"), (" ms", "ms")];
            let short = units.iter().fold(said, |text, (word, unit)| text.replace(word, unit));
            prop_assert_eq!(short.parse(), Ok(Span(ms)), "{}", short);
        }
    }

    #[test]
    fn spans_never_go_backwards() {
        assert_eq!(Millis(5).since(Millis(9)), Span(0));
        assert_eq!(Millis(i64::MIN).minus(Span::DAY), Millis(i64::MIN));
        assert_eq!(Millis(i64::MAX).plus(Span::DAY), Millis(i64::MAX));
    }
}
