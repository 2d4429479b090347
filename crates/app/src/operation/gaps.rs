//! App operations: when the flag of an experiment was off during the run. A flag that is under
//! experiment can be switched off, or there were no kill switch; the results then say that it was.

use bellwether_ledger::Page;
use bellwether_model::{Change, Edit, EnvironmentKey, Experiment, Millis, Span, Subject};

use crate::App;
use crate::error::AppError;
use crate::view::Warning;

/// So many changes are read at once.
const PAGE: u32 = 200;

/// So many stretches are named one by one.
const NAMED: usize = 3;

/// A stretch in which the flag was off: from, and until before. It goes on where there is no end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Gap {
    from: Millis,
    to: Option<Millis>,
}

impl App {
    /// The warning that the experiment's flag was off for some of `since` to before `to`, if it was.
    pub(super) fn off_meanwhile(
        &self,
        experiment: &Experiment,
        since: Millis,
        to: Millis,
    ) -> Result<Option<Warning>, AppError> {
        let place = &experiment.environment;
        let gaps = gaps(&self.switched(experiment, since)?, place, since, to);
        Ok(said(&gaps, to).map(|when| Warning {
            message: format!("flag `{}` was off in `{place}` {when}", experiment.flag),
            hint: "whoever came then was shown no variant, and those exposed before still count, so that a real \
                   difference looks smaller: consider a new run"
                .to_owned(),
        }))
    }

    /// The changes of the experiment's flag, oldest first, back to the last switch before `since`.
    fn switched(&self, experiment: &Experiment, since: Millis) -> Result<Vec<Change>, AppError> {
        let mut page =
            Page { before: None, limit: PAGE, about: Some(Subject::Flag(experiment.flag.clone())) };
        let mut found = Vec::new();
        loop {
            let changes = self.ledger.changes(&page)?;
            page.before = changes.last().map(|change| change.revision);
            let last = changes.len() < PAGE as usize;
            for change in changes {
                let settled = change.at <= since && switch(&change.edit, &experiment.environment).is_some();
                found.push(change);
                if settled {
                    found.reverse();
                    return Ok(found);
                }
            }
            if last {
                found.reverse();
                return Ok(found);
            }
        }
    }
}

/// What an edit of the flag makes of its switch here. Archiving is not asked about: it is refused while an
/// experiment runs, and an archived flag cannot begin one.
fn switch(edit: &Edit, place: &EnvironmentKey) -> Option<bool> {
    match edit {
        Edit::FlagToggled { environment, on, .. } if environment == place => Some(*on),
        // Where it is not served from the first it is off until it is switched on.
        Edit::FlagCreated { flag } => Some(flag.settings.get(place).is_some_and(|setting| setting.on)),
        _ => None,
    }
}

/// When the flag was off, in order. `changes` are oldest first.
fn gaps(changes: &[Change], place: &EnvironmentKey, since: Millis, to: Millis) -> Vec<Gap> {
    let mut gaps: Vec<Gap> = Vec::new();
    let mut off: Option<Millis> = None;
    let switches = changes.iter().filter_map(|c| Some((c.at.max(since), switch(&c.edit, place)?)));
    for (at, on) in switches.take_while(|(at, _)| *at <= to) {
        match (on, off) {
            (false, None) => off = Some(at),
            (true, Some(from)) => {
                if from < at {
                    gaps.push(Gap { from, to: Some(at) });
                }
                off = None;
            }
            _ => {}
        }
    }
    gaps.extend(off.filter(|from| *from < to).map(|from| Gap { from, to: None }));
    gaps
}

/// `from 14:03 to 14:20 UTC on 22 Nov, for 17 minutes of the run`.
fn said(gaps: &[Gap], to: Millis) -> Option<String> {
    let long = |gap: &Gap| gap.to.unwrap_or(to).since(gap.from).0;
    let total = lasted(Span(gaps.iter().map(long).sum()));
    let mut named: Vec<String> = gaps.iter().take(NAMED).map(when).collect();
    match gaps.len() {
        0 => None,
        1 => Some(format!("{}, for {total} of the run", named.concat())),
        n => {
            if n > NAMED {
                named.push(format!("{} more", n - NAMED));
            }
            let last = named.pop().unwrap_or_default();
            Some(format!("`{n}` times, for {total} of the run in all: {} and {last}", named.join(", ")))
        }
    }
}

fn when(gap: &Gap) -> String {
    let (from, on) = read(gap.from);
    match gap.to.map(read) {
        None => format!("since {from} UTC on {on}"),
        Some((to, until)) if until == on => format!("from {from} to {to} UTC on {on}"),
        Some((to, until)) => format!("from {from} UTC on {on} to {to} on {until}"),
    }
}

/// The time of day and the day.
fn read(at: Millis) -> (String, String) {
    match jiff::Timestamp::from_millisecond(at.0) {
        Ok(at) => (at.strftime("%H:%M").to_string(), at.strftime("%-d %b").to_string()),
        Err(_) => (at.to_string(), String::new()),
    }
}

/// `17 minutes`, `2 hours 5 minutes`: the two largest units.
fn lasted(span: Span) -> String {
    let seconds = span.0 / Span::SECOND.0;
    let units = [
        (seconds / 86_400, "day"),
        (seconds / 3_600 % 24, "hour"),
        (seconds / 60 % 60, "minute"),
        (seconds % 60, "second"),
    ];
    let words: Vec<String> = units
        .into_iter()
        .skip_while(|(n, _)| *n == 0)
        .take(2)
        .filter(|(n, _)| *n > 0)
        .map(|(n, unit)| format!("{n} {unit}{}", if n == 1 { "" } else { "s" }))
        .collect();
    if words.is_empty() { "less than a second".to_owned() } else { words.join(" ") }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const MINUTE: i64 = 60_000;

    #[test]
    fn stretches_are_said_as_people_read_them() {
        let at = |minutes: i64| Millis(1_795_356_180_000 + minutes * MINUTE);
        let gap = |from, to: Option<i64>| Gap { from: at(from), to: to.map(at) };
        let check = |gaps: &[Gap], expected: Option<&str>| {
            assert_eq!(said(gaps, at(3_000)).as_deref(), expected, "{gaps:?}");
        };
        check(&[], None);
        check(&[gap(0, Some(17))], Some("from 14:03 to 14:20 UTC on 22 Nov, for 17 minutes of the run"));
        check(
            &[gap(0, Some(1_445))],
            Some("from 14:03 UTC on 22 Nov to 14:08 on 23 Nov, for 1 day of the run"),
        );
        check(&[gap(2_939, None)], Some("since 15:02 UTC on 24 Nov, for 1 hour 1 minute of the run"));
        check(
            &[gap(0, Some(17)), gap(20, Some(21))],
            Some(
                "`2` times, for 18 minutes of the run in all: from 14:03 to 14:20 UTC on 22 Nov and from 14:23 to 14:24 UTC on 22 Nov",
            ),
        );
        let many: Vec<Gap> = (0..9).map(|n| gap(10 * n, Some(10 * n + 1))).collect();
        let many = said(&many, at(3_000)).unwrap();
        assert!(many.starts_with("`9` times, for 9 minutes of the run in all: from 14:03"), "{many}");
        assert!(many.ends_with("from 14:23 to 14:24 UTC on 22 Nov and 6 more"), "{many}");
    }

    #[test]
    fn a_length_is_its_two_largest_units() {
        for (seconds, expected) in [
            (0, "less than a second"),
            (1, "1 second"),
            (61, "1 minute 1 second"),
            (3_600, "1 hour"),
            (90_061, "1 day 1 hour"),
            (86_460, "1 day"),
        ] {
            assert_eq!(lasted(Span::SECOND.times(seconds)), expected);
        }
    }
}
