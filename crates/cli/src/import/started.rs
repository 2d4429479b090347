//! Cli, import: when the experiment of a file began.

use bellwether_model::{Millis, Span};
use jiff::Timestamp;
use jiff::civil::Date;

use crate::failure::Failure;

/// A day, from midnight UTC, or a time with its offset.
pub(super) fn parse(text: &str) -> Result<Millis, Failure> {
    let day = || text.parse::<Date>().ok().filter(|_| text.len() == "2026-03-01".len());
    let day = || day()?.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|midnight| midnight.timestamp());
    let time = text.parse::<Timestamp>().ok().or_else(day);
    time.map(|time| Millis(time.as_millisecond())).ok_or_else(|| {
        Failure::new(
            format!("`--started {text}` is no date"),
            "write a day such as `2026-03-01`, or a time such as `2026-03-01T09:30:00Z`",
        )
    })
}

/// The beginning of the day in UTC.
pub(super) fn midnight(now: Millis) -> Millis {
    Millis(now.0 - now.0.rem_euclid(Span::DAY.0.cast_signed()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_day_is_its_midnight_and_a_time_is_itself() {
        for (text, at) in [
            ("1970-01-02", 86_400_000),
            ("2026-03-01", 1_772_323_200_000),
            ("2026-03-01T09:30:00Z", 1_772_357_400_000),
            ("2026-03-01T10:30:00+01:00", 1_772_357_400_000),
        ] {
            assert_eq!(parse(text).unwrap(), Millis(at), "{text}");
        }
        for text in ["", "yesterday", "2026-13-01", "2026-03-01T09:30", "1772323200000", "01.03.2026"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn midnight_is_not_later() {
        assert_eq!(midnight(Millis(86_400_000)), Millis(86_400_000));
        assert_eq!(midnight(Millis(86_399_999)), Millis(0));
        assert_eq!(midnight(Millis(-1)), Millis(-86_400_000));
    }
}
