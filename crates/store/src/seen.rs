//! Store: which named events were received lately, so that none is taken twice. Those of the rows in memory are
//! in memory; those of parts lie beside them ([`Ids`]).

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use bellwether_model::{Millis, Seq, Span};
use rustc_hash::FxBuildHasher;

use crate::fingerprint::Fingerprint;
use crate::ids::{Ids, Named, Tally};
use crate::receipt::{Receipts, Run};

mod knows;

pub use knows::Known;

pub(crate) const DAY: i64 = 86_400_000;

/// Lists beside parts, the oldest first. They are shared with whoever looks something up.
pub(crate) type Lists = Arc<Vec<Ids>>;

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
    /// Of the rows in memory, and of those that are being written into a part.
    recent: Recent,
    frozen: Recent,
    /// Of the parts that still matter.
    lists: Lists,
    /// How much memory the filters of lists may take.
    bound: usize,
    /// Those that wait for a commit are known, whatever the clock says.
    waiting: HashSet<Fingerprint, FxBuildHasher>,
}

/// The named events of rows in memory: 50 to 90 bytes each, beside the row's three hundred.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    newest: HashMap<Fingerprint, (Seq, Millis), FxBuildHasher>,
    /// Earlier ones of the same name, which is rare: a window lies between two.
    older: Vec<Named>,
    tally: Tally,
}

impl Recent {
    fn add(&mut self, named: Named) {
        if let Some((seq, received)) = self.newest.insert(named.print, (named.seq, named.received)) {
            self.older.push(Named { print: named.print, seq, received });
        }
    }

    fn find(&self, print: Fingerprint) -> impl Iterator<Item = Named> {
        let newest = self.newest.get(&print).map(|&(seq, received)| Named { print, seq, received });
        newest.into_iter().chain(self.older.iter().filter(move |named| named.print == print).copied())
    }

    fn all(&self) -> impl Iterator<Item = Named> {
        let newest = self.newest.iter().map(|(&print, &(seq, received))| Named { print, seq, received });
        newest.chain(self.older.iter().copied())
    }
}

impl Seen {
    /// Nothing is known; the clock has come so far.
    pub(crate) fn new(window: Span, receipts: Receipts, bound: usize) -> Self {
        Self {
            window,
            receipts,
            recent: Recent::default(),
            frozen: Recent::default(),
            lists: Lists::default(),
            bound,
            waiting: HashSet::default(),
        }
    }

    /// Where what parts hold is looked up, before [`Seen::admit`] is asked.
    pub(crate) fn lists(&self) -> &Lists {
        &self.lists
    }

    /// Remembers an event that waits for its commit; `false` if it is known already. `listed` are those of its
    /// name in the lists.
    pub(crate) fn admit(&mut self, print: Fingerprint, received: Millis, listed: &[Named]) -> bool {
        let here = self.recent.find(print).chain(self.frozen.find(print));
        !here.chain(listed.iter().copied()).any(|named| self.counts(named, received))
            && self.waiting.insert(print)
    }

    /// Whether a committed event was received less than a window before `received`.
    fn counts(&self, named: Named, received: Millis) -> bool {
        let mut runs = self.receipts.reach(Some(received), self.window);
        // The newest come first: the first that begins at or before it is its own.
        runs.find(|(run, _)| run.first <= named.seq).is_some_and(|(_, reach)| {
            let near =
                received.since(named.received) < self.window && named.received.since(received) < self.window;
            named.received > reach.after && (near || reach.back)
        })
    }

    /// An event is committed. In the order of the log, each once.
    pub(crate) fn commit(&mut self, seq: Seq, print: Option<Fingerprint>, received: Millis) {
        self.receipts.tick(seq, received, self.window);
        if let Some(print) = print {
            self.waiting.remove(&print);
            let named = Named { print, seq, received };
            self.recent.add(named);
            if let Some(day) = self.day(named) {
                *self.recent.tally.entry(day).or_default() += 1;
            }
        }
    }

    /// The day of an event, and the stretch of the clock that it came in, if that is known still.
    fn day(&self, named: Named) -> Option<(Seq, i64)> {
        let run = self.receipts.runs().iter().rfind(|run| run.first <= named.seq)?;
        Some((run.first, named.received.0.div_euclid(DAY)))
    }

    /// How many of these events came on which day.
    pub(crate) fn tally(&self, named: &[Named]) -> Tally {
        let mut tally = Tally::new();
        for day in named.iter().filter_map(|&named| self.day(named)) {
            *tally.entry(day).or_default() += 1;
        }
        tally
    }

    /// The rows in memory are being written into a part; those before have been.
    pub(crate) fn freeze(&mut self) {
        self.frozen = std::mem::take(&mut self.recent);
    }

    /// What the rows hold that are being written into a part, but for those of these places, which rise.
    pub(crate) fn frozen(&self, without: &[Seq]) -> (Vec<Named>, Tally) {
        let stays = |named: &Named| without.binary_search(&named.seq).is_err();
        let named: Vec<Named> = self.frozen.all().filter(stays).collect();
        let tally = if without.is_empty() { self.frozen.tally.clone() } else { self.tally(&named) };
        (named, tally)
    }

    /// They are written; `list` is beside the part.
    pub(crate) fn thaw(&mut self, list: Option<Ids>) {
        self.frozen = Recent::default();
        self.put(usize::MAX, usize::MAX, list);
    }

    /// A list beside a part that follows those before.
    pub(crate) fn add(&mut self, list: Ids) {
        self.put(usize::MAX, usize::MAX, Some(list));
    }

    /// Puts a list in the place of those beside the parts of `first` to `last`, or at the end.
    pub(crate) fn replace(&mut self, (first, last): (Seq, Seq), list: Option<Ids>) {
        let begin = self.lists.partition_point(|ids| ids.last() < first);
        let end = self.lists.partition_point(|ids| ids.first() <= last);
        self.put(begin, end, list);
    }

    fn put(&mut self, begin: usize, end: usize, list: Option<Ids>) {
        let mut lists = self.lists.as_ref().clone();
        let (begin, end) = (begin.min(lists.len()), end.min(lists.len()));
        lists.splice(begin..end.max(begin), list).for_each(|old| old.retire());
        // The newest are asked for most often, so theirs are the filters that stay.
        let mut loaded = 0;
        for ids in lists.iter_mut().rev() {
            loaded += ids.filter_bytes();
            if loaded > self.bound {
                ids.unload();
            }
        }
        self.lists = Arc::new(lists);
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

    /// Drops the lists that lie wholly behind the window.
    pub(crate) fn forget(&mut self) {
        let matters = |ids: &Ids| self.reaches(ids.first(), ids.last(), ids.latest());
        if self.lists.iter().all(matters) {
            return;
        }
        let (kept, gone): (Vec<_>, Vec<_>) = self.lists.iter().cloned().partition(matters);
        gone.iter().for_each(|ids| ids.retire());
        self.lists = Arc::new(kept);
    }

    /// How many events are remembered, to the day.
    pub(crate) fn len(&self) -> u64 {
        let reach: Vec<(Seq, i64)> = self
            .receipts
            .reach(None, self.window)
            .map(|(run, reach)| (run.first, reach.after.0.div_euclid(DAY)))
            .collect();
        let tallies = self.lists.iter().map(Ids::tally).chain([&self.recent.tally, &self.frozen.tally]);
        let days = tallies.flatten().filter(|((stretch, day), _)| {
            reach.iter().any(|(first, since)| first == stretch && day >= since)
        });
        days.map(|(_, events)| events).sum::<u64>() + self.waiting.len() as u64
    }
}
