//! Query: calendar days of a time zone as stretches of time.

use bellwether_model::Millis;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::de::{Deserialize, Deserializer, Error};

use crate::error::QueryError;

/// More days than this are refused: ten years and their leap days.
const MOST: usize = 3_653;

/// Reads a day of the calendar.
///
/// # Errors
/// Where the text is none.
pub(crate) fn date<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Date, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(|_| D::Error::custom(format!("`{text}` is no day, such as `2026-11-28`")))
}

/// Consecutive calendar days, each with its first millisecond. Days are as long as the zone makes
/// them: 23 or 25 hours where clocks change, 0 where a zone skipped a date.
#[derive(Debug)]
pub(crate) struct Days {
    dates: Vec<Date>,
    /// The start of each day and, last, the end of the last.
    starts: Vec<i64>,
}

impl Days {
    /// The days from `from` to `to`, both included.
    ///
    /// # Errors
    /// When the zone is not known, `to` is before `from`, or there are too many days.
    pub(crate) fn new(from: Date, to: Date, zone: &str) -> Result<Self, QueryError> {
        let zone = TimeZone::get(zone).map_err(|_| {
            QueryError::refused(
                format!("`{zone}` is not a time zone"),
                "use an IANA name such as `Europe/Helsinki` or `UTC`",
            )
        })?;
        if to < from {
            return Err(QueryError::refused(
                format!("the range ends on `{to}`, before it begins on `{from}`"),
                "swap the two dates",
            ));
        }
        let dates: Vec<Date> =
            from.series(jiff::Span::new().days(1)).take_while(|d| *d <= to).take(MOST + 1).collect();
        if dates.len() > MOST {
            return Err(QueryError::refused(
                format!("`{from}` to `{to}` is more than `{MOST}` days"),
                "ask for a shorter range",
            ));
        }
        let start = |date: Date| {
            date.to_zoned(zone.clone()).map(|at| at.timestamp().as_millisecond()).map_err(|_| {
                QueryError::refused(format!("`{date}` is beyond the calendar"), "ask for an earlier date")
            })
        };
        let after = to.tomorrow().map_err(|_| {
            QueryError::refused(format!("`{to}` is beyond the calendar"), "ask for an earlier date")
        })?;
        let starts = dates.iter().copied().chain([after]).map(start).collect::<Result<_, _>>()?;
        Ok(Self { dates, starts })
    }

    /// The dates, in order.
    pub(crate) fn dates(&self) -> &[Date] {
        &self.dates
    }

    /// The first millisecond of the first day.
    pub(crate) fn from(&self) -> Millis {
        Millis(self.starts.first().copied().unwrap_or(0))
    }

    /// The first millisecond after the last day.
    pub(crate) fn to(&self) -> Millis {
        Millis(self.starts.last().copied().unwrap_or(0))
    }

    /// The day that a time falls on, counted from 0.
    pub(crate) fn day(&self, time: i64) -> Option<usize> {
        let begun = self.starts.partition_point(|&start| start <= time);
        begun.checked_sub(1).filter(|&day| day < self.dates.len())
    }

    /// The first day that is not over at `now`.
    pub(crate) fn unfinished(&self, now: Millis) -> Option<Date> {
        let ends = self.starts.get(1..).unwrap_or_default();
        self.dates.get(ends.partition_point(|&end| end <= now.0)).copied()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use jiff::civil::date;
    use proptest::prelude::*;

    fn hours(from: Date, to: Date, zone: &str) -> Vec<i64> {
        let days = Days::new(from, to, zone).unwrap();
        days.starts.windows(2).map(|w| (w[1] - w[0]) / 3_600_000).collect()
    }

    #[test]
    fn days_are_as_long_as_the_zone_makes_them() {
        assert_eq!(hours(date(2026, 3, 28), date(2026, 3, 30), "Europe/Helsinki"), [24, 23, 24]);
        assert_eq!(hours(date(2026, 10, 25), date(2026, 10, 25), "Europe/Helsinki"), [25]);
        // Samoa went over the date line and had no 30 December.
        assert_eq!(hours(date(2011, 12, 29), date(2011, 12, 31), "Pacific/Apia"), [24, 0, 24]);
        // Clocks in São Paulo used to go forward at midnight: the day began at 01:00.
        assert_eq!(hours(date(2018, 11, 3), date(2018, 11, 4), "America/Sao_Paulo"), [24, 23]);
    }

    #[test]
    fn ranges_that_are_none_are_refused() {
        let refused = |from, to, zone| Days::new(from, to, zone).unwrap_err().to_string();
        let (a, b) = (date(2026, 3, 2), date(2026, 3, 1));
        insta::assert_snapshot!(refused(a, b, "UTC"), @r"
        the range ends on `2026-03-01`, before it begins on `2026-03-02`
        hint: swap the two dates
        ");
        insta::assert_snapshot!(refused(b, a, "Mars/Olympus"), @r"
        `Mars/Olympus` is not a time zone
        hint: use an IANA name such as `Europe/Helsinki` or `UTC`
        ");
        insta::assert_snapshot!(refused(date(1900, 1, 1), date(2026, 1, 1), "UTC"), @r"
        `1900-01-01` to `2026-01-01` is more than `3653` days
        hint: ask for a shorter range
        ");
        insta::assert_snapshot!(refused(Date::MAX, Date::MAX, "UTC"), @r"
        `9999-12-31` is beyond the calendar
        hint: ask for an earlier date
        ");
    }

    proptest! {
        #[test]
        fn a_time_falls_on_the_date_that_a_clock_there_shows(
            offset in 0i64..400 * 86_400_000,
            zone in proptest::sample::select(vec!["UTC", "Europe/Helsinki", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Africa/Cairo"]),
        ) {
            let days = Days::new(date(2025, 1, 1), date(2026, 2, 1), zone).unwrap();
            let at = jiff::Timestamp::from_millisecond(days.from().0 + offset).unwrap();
            let shown = at.to_zoned(TimeZone::get(zone).unwrap()).date();
            let found = days.day(at.as_millisecond()).map(|d| days.dates()[d]);
            prop_assert_eq!(found, (shown <= date(2026, 2, 1)).then_some(shown));
        }
    }
}
