//! Store: which named events were received lately, so that none is taken twice.

use std::collections::{BTreeMap, HashMap, HashSet};

use bellwether_model::{Millis, Seq, Span};
use rustc_hash::FxBuildHasher;

use crate::fingerprint::Fingerprint;
use crate::receipt::{Receipts, Run};

/// Named events by day of receipt; the value is the receipt time within the day. A whole day is
/// dropped at once. An entry takes 24 bytes and its share of the table: 30 to 55 bytes.
type Days = BTreeMap<i64, HashMap<Fingerprint, u32, FxBuildHasher>>;

const DAY: i64 = 86_400_000;

/// The named events of the window.
///
/// An event is known if one of the same name was received less than a window ago. While the clock goes
/// forward, that is what the times of receipt say. A clock that goes back (it was far ahead, say, and
/// was set right) makes them say nothing, and then time is counted by how long the clock went on since.
/// So neither what came before the jump nor what came during it is forgotten. What a jump forward puts
/// a window behind is new as long as the clock stays there: nothing tells it from a quiet year.
///
/// However clocks jump, what is kept is what came while they went on for one window, and of no more
/// than eight stretches between jumps.
#[derive(Debug)]
pub(crate) struct Seen {
    window: Span,
    receipts: Receipts,
    /// Of each stretch of the clock, by its first event.
    runs: BTreeMap<Seq, Days>,
    /// Those that wait for a commit are known, whatever the clock says.
    waiting: HashSet<Fingerprint, FxBuildHasher>,
}

impl Seen {
    /// Nothing is known; the clock has come so far.
    pub(crate) fn new(window: Span, receipts: Receipts) -> Self {
        Self { window, receipts, runs: BTreeMap::new(), waiting: HashSet::default() }
    }

    /// Remembers an event that waits for its commit; `false` if it is known already.
    pub(crate) fn admit(&mut self, print: Fingerprint, received: Millis) -> bool {
        !self.knows(print, received) && self.waiting.insert(print)
    }

    /// Whether a committed event of this name was received less than a window ago.
    fn knows(&self, print: Fingerprint, received: Millis) -> bool {
        let window = self.window;
        self.receipts.reach(Some(received), window).any(|(run, reach)| {
            let Some(days) = self.runs.get(&run.first) else { return false };
            days.range(reach.after.0.div_euclid(DAY)..).any(|(&day, generation)| {
                generation.get(&print).is_some_and(|&within| {
                    let at = Millis(day.saturating_mul(DAY).saturating_add(i64::from(within)));
                    let near = received.since(at) < window && at.since(received) < window;
                    at > reach.after && (near || reach.back)
                })
            })
        })
    }

    /// An event is committed. In the order of the log, each once.
    pub(crate) fn commit(&mut self, seq: Seq, print: Option<Fingerprint>, received: Millis) {
        self.receipts.tick(seq, received, self.window);
        if let Some(print) = print {
            self.waiting.remove(&print);
            self.restore(seq, print, received);
        }
    }

    /// Remembers an event that was committed before, if the clock still knows when that was.
    pub(crate) fn restore(&mut self, seq: Seq, print: Fingerprint, received: Millis) {
        let Some(run) = self.receipts.runs().iter().rfind(|run| run.first <= seq) else { return };
        let within = u32::try_from(received.0.rem_euclid(DAY)).unwrap_or_default();
        let days = self.runs.entry(run.first).or_default();
        let day = days.entry(received.0.div_euclid(DAY)).or_default();
        day.entry(print).and_modify(|known| *known = within.max(*known)).or_insert(within);
    }

    /// Whether some of these events, none of them received after `latest`, can still matter.
    pub(crate) fn reaches(&self, first: Seq, last: Seq, latest: Millis) -> bool {
        let mut next: Option<Run> = None;
        self.receipts.reach(None, self.window).any(|(run, reach)| {
            let begins_after = run.first > last;
            let ends_before = next.replace(run).is_some_and(|next| next.first <= first);
            !begins_after && !ends_before && latest > reach.after
        })
    }

    /// Forgets an event that was admitted but could not be stored.
    pub(crate) fn withdraw(&mut self, print: Fingerprint) {
        self.waiting.remove(&print);
    }

    /// Drops what lies wholly behind the window.
    pub(crate) fn forget(&mut self) {
        let mut left = std::mem::take(&mut self.runs);
        for (run, reach) in self.receipts.reach(None, self.window) {
            if let Some(mut days) = left.remove(&run.first) {
                self.runs.insert(run.first, days.split_off(&reach.after.0.div_euclid(DAY)));
            }
        }
    }

    /// How many events are remembered.
    pub(crate) fn len(&self) -> usize {
        self.runs.values().flat_map(BTreeMap::values).map(HashMap::len).sum::<usize>() + self.waiting.len()
    }
}
