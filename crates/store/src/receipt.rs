//! Store: how time went by while events were received. The clock that stamped them may have been
//! wrong, so their times are read as stretches, and what lies between two stretches as a jump.

use bellwether_model::{Millis, Seq, Span};
use serde::{Deserialize, Serialize};

/// Stretches that are told apart. A jump is a seventh of the window or more, so of a clock that only
/// goes forward, stretches before these are out of the window anyway.
const RUNS: usize = 8;

/// Receipts that follow each other steadily: none is further than a jump from the latest before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Run {
    /// Its first event.
    pub(crate) first: Seq,
    /// When that was received, by the clock of the time.
    pub(crate) begin: Millis,
    /// The latest receipt in it.
    pub(crate) end: Millis,
    /// Whether the clock had gone back when it began.
    pub(crate) back: bool,
}

impl Run {
    /// How far receipts may lie apart: a day where the window is a week.
    fn goes_on(&self, received: Millis, window: Span) -> bool {
        let jump = Span(window.0 / (RUNS as u64 - 1));
        received.since(self.end) <= jump && self.end.since(received) <= jump
    }
}

/// The last stretches of receipt, the newest last. It follows from the committed events in their
/// order and from nothing else, so that a restart does not change it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Receipts(Vec<Run>);

/// What a stretch means for an event that is received now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reach {
    /// Receipts in it that are not after this are a window ago.
    pub(crate) after: Millis,
    /// Whether the clock went back at its beginning or since. Then its times and those of now do not
    /// compare, and how long ago something was is only known from how long clocks went on since.
    pub(crate) back: bool,
}

impl Receipts {
    /// A committed event.
    pub(crate) fn tick(&mut self, seq: Seq, received: Millis, window: Span) {
        match self.0.last_mut() {
            Some(run) if run.goes_on(received, window) => run.end = run.end.max(received),
            newest => {
                let back = newest.is_some_and(|run| received < run.end);
                self.0.push(Run { first: seq, begin: received, end: received, back });
                if self.0.len() > RUNS {
                    self.0.remove(0);
                }
            }
        }
    }

    /// The stretches, the oldest first.
    pub(crate) fn runs(&self) -> &[Run] {
        &self.0
    }

    /// Whether the stretches follow each other.
    pub(crate) fn is_sound(&self) -> bool {
        let ordered = self.0.windows(2).all(|w| matches!(w, [a, b] if a.first < b.first));
        ordered && self.0.iter().all(|run| run.begin <= run.end)
    }

    /// What each stretch means for an event received `now`, or at the latest receipt, the newest
    /// first, as far as the window reaches.
    pub(crate) fn reach(&self, now: Option<Millis>, window: Span) -> impl Iterator<Item = (Run, Reach)> {
        let newest = self.0.last();
        let steady = now.filter(|&now| newest.is_some_and(|run| run.goes_on(now, window)));
        let mut back = steady.is_none() && now.zip(newest).is_some_and(|(now, run)| now < run.end);
        let mut left = Some(window);
        let mut later = steady;
        self.0.iter().rev().map_while(move |&run| {
            let rest = left.filter(|left| left.0 > 0)?;
            let end = later.take().map_or(run.end, |now| run.end.max(now));
            back |= run.back;
            // Between two stretches no time is counted: nobody knows how much it was.
            left = rest.0.checked_sub(end.since(run.begin).0).map(Span);
            Some((run, Reach { after: end.minus(rest), back }))
        })
    }
}
