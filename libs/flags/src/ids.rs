//! Flags: lists of ids, held compactly. A million of them take 12 MB and are asked with one or two
//! touches of memory.

use std::sync::Arc;

use bellwether_model::fingerprint::fingerprint;
use rustc_hash::FxHashSet;

/// The ids of a list, as evaluation asks for them. Build it once per list and share it in an
/// [`Arc`]: it stays true while rulesets come and go.
///
/// An id is held as a 64-bit fingerprint, not as text. That an id which is not on a list of a million
/// is taken for one that is has a probability of 1,000,000 / 2^64, one in 18 million millions; ids
/// that somebody chose in order to collide are another matter, so a list targets and does not protect.
///
/// The words `true` and `false` are known in any spelling, as in rules.
#[derive(Debug)]
pub struct Ids {
    /// Open addressing with linear probing, at most two thirds full; 0 is free.
    table: Box<[u64]>,
    count: usize,
    truth: bool,
    falsehood: bool,
    /// A hash of the members, in whatever order they came.
    tag: u64,
    texts: Option<Arc<[String]>>,
}

impl Ids {
    /// The most ids whose text is kept, too, so that formats can write them out.
    pub const SPOKEN: usize = 10_000;

    /// Takes in the ids of a list; what is there twice counts once.
    ///
    /// ```
    /// use bellwether_flags::Ids;
    /// let staff = Ids::new(["ada", "bob"]);
    /// assert!(staff.hold("ada") && !staff.hold("eve"));
    /// ```
    pub fn new<T: AsRef<str>>(ids: impl IntoIterator<Item = T>) -> Self {
        let mut fingerprints = Vec::new();
        let mut texts = Some(Vec::new());
        let (mut truth, mut falsehood) = (false, false);
        for id in ids {
            let id = id.as_ref();
            truth |= id.eq_ignore_ascii_case("true");
            falsehood |= id.eq_ignore_ascii_case("false");
            fingerprints.push(occupied(id));
            if fingerprints.len() > Self::SPOKEN {
                texts = None;
            } else if let Some(texts) = &mut texts {
                texts.push(id.to_owned());
            }
        }
        Self::of(fingerprints, truth, falsehood, texts.map(Into::into))
    }

    /// The list without some of its ids and with others behind them, in a fraction of the time in which it
    /// was built. `None` where this list does not know enough for that: one of the ids is `true` or
    /// `false`, or texts are to be kept again that were not. Then build it anew.
    pub fn edited<T: AsRef<str>>(&self, added: &[T], removed: &[T]) -> Option<Self> {
        let word = |id: &T| ["true", "false"].iter().any(|word| id.as_ref().eq_ignore_ascii_case(word));
        if self.says_truth() || added.iter().chain(removed).any(word) {
            return None;
        }
        if let Some(texts) = &self.texts {
            let gone: FxHashSet<&str> = removed.iter().map(AsRef::as_ref).collect();
            let kept = texts.iter().map(String::as_str).filter(|id| !gone.contains(id));
            let known: FxHashSet<&str> = kept.clone().collect();
            let added = added.iter().map(AsRef::as_ref).filter(|id| !known.contains(id));
            return Some(Self::new(kept.chain(added)));
        }
        let gone: FxHashSet<u64> = removed.iter().map(|id| occupied(id.as_ref())).collect();
        let kept = self.table.iter().copied().filter(|known| *known != 0 && !gone.contains(known));
        let edited =
            Self::of(kept.chain(added.iter().map(|id| occupied(id.as_ref()))).collect(), false, false, None);
        (edited.count > Self::SPOKEN).then_some(edited)
    }

    fn of(mut fingerprints: Vec<u64>, truth: bool, falsehood: bool, texts: Option<Arc<[String]>>) -> Self {
        fingerprints.sort_unstable();
        fingerprints.dedup();
        let mut table = vec![0; fingerprints.len() * 3 / 2 + 1].into_boxed_slice();
        let mut tag = fingerprints.len() as u64;
        for fingerprint in &fingerprints {
            tag = (tag ^ fingerprint).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(29);
            let (after, before) = from(&mut table, *fingerprint);
            let mut slots = after.iter_mut().chain(before);
            if let Some(free) = slots.find(|slot| **slot == 0) {
                *free = *fingerprint;
            }
        }
        Self { table, count: fingerprints.len(), truth, falsehood, tag, texts }
    }

    /// Whether an id is on the list.
    #[inline]
    pub fn hold(&self, id: &str) -> bool {
        if self.truth || self.falsehood {
            if id.eq_ignore_ascii_case("true") {
                return self.truth;
            }
            if id.eq_ignore_ascii_case("false") {
                return self.falsehood;
            }
        }
        let wanted = occupied(id);
        let start = slot(self.table.len(), wanted);
        let (before, after) = self.table.split_at_checked(start).unwrap_or_default();
        let found = |slots: &[u64]| slots.iter().find(|seen| **seen == wanted || **seen == 0).copied();
        found(after).or_else(|| found(before)) == Some(wanted)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The ids as they came, where they are few enough to be written out (at most [`Ids::SPOKEN`]).
    pub fn texts(&self) -> Option<&[String]> {
        self.texts.as_deref()
    }

    /// Names the content: lists of the same members have the same tag.
    pub(crate) fn tag(&self) -> u64 {
        self.tag
    }

    /// Whether it holds `true` or `false`, which are known in any spelling.
    pub(crate) fn says_truth(&self) -> bool {
        self.truth || self.falsehood
    }
}

/// A fingerprint that is not the mark of a free slot.
#[inline]
fn occupied(id: &str) -> u64 {
    fingerprint(id).max(1)
}

/// Where a fingerprint belongs: its size, scaled to the table.
#[inline]
#[allow(clippy::cast_possible_truncation)]
fn slot(slots: usize, fingerprint: u64) -> usize {
    ((u128::from(fingerprint) * slots as u128) >> 64) as usize
}

/// The table from a fingerprint's slot on, and what comes before it.
fn from(table: &mut [u64], fingerprint: u64) -> (&mut [u64], &mut [u64]) {
    let at = slot(table.len(), fingerprint);
    let (before, after) = table.split_at_mut(at);
    (after, before)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_million_ids() {
        let ids = Ids::new((0..1_000_000_u32).map(|n| format!("user-{n}")));
        assert_eq!((ids.len(), ids.table.len(), ids.texts()), (1_000_000, 1_500_001, None));
        for n in (0..1_000_000).step_by(97) {
            assert!(ids.hold(&format!("user-{n}")) && !ids.hold(&format!("User-{n}")));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn a_list_holds_its_members_and_nobody_else(
            members in prop::collection::btree_set("[a-f]{0,3}|[tT]rue", 0..40),
            strangers in prop::collection::vec("[a-f]{0,3}|[tT]rue|FALSE", 0..40),
        ) {
            let ids = Ids::new(&members);
            let lower: BTreeSet<String> = members.iter().map(|m| m.to_lowercase()).collect();
            for id in members.iter().chain(&strangers) {
                let truth = id.eq_ignore_ascii_case("true") && lower.contains("true");
                prop_assert_eq!(ids.hold(id), truth || members.contains(id), "{}", id);
            }
            prop_assert_eq!(ids.len(), members.len());
            prop_assert_eq!(ids.tag(), Ids::new(members.iter().rev()).tag());
        }

        #[test]
        fn an_edited_list_is_the_one_that_would_be_built(
            base in (0_u32..3).prop_map(|n| n * 6_000),
            added in prop::collection::vec(0_u32..20_000, 0..40),
            removed in prop::collection::btree_set(0_u32..20_000, 0..40),
            many in any::<bool>(),
            word in prop::option::weighted(0.1, "[tT]rue|[fF]alse|truth"),
        ) {
            let id = |n: u32| format!("user-{n}");
            let added: Vec<String> = added.into_iter().filter(|n| !removed.contains(n)).map(id).chain(word).collect();
            let more = if many { 1_000..3_000 } else { 0..0 };
            let removed: Vec<String> = removed.into_iter().chain(more).map(id).filter(|id| !added.contains(id)).collect();
            let known: Vec<String> = (0..base).map(id).collect();
            let mut expected: Vec<&String> = known.iter().filter(|id| !removed.contains(id)).collect();
            let there: BTreeSet<&String> = expected.iter().copied().collect();
            expected.extend(added.iter().filter(|id| !there.contains(id)));
            let expected = Ids::new(expected);
            if let Some(edited) = Ids::new(&known).edited(&added, &removed) {
                prop_assert_eq!((edited.len(), edited.tag(), edited.texts()), (expected.len(), expected.tag(), expected.texts()));
                prop_assert_eq!(edited.table, expected.table);
            } else {
                let word = expected.says_truth();
                prop_assert!(word || (known.len() > Ids::SPOKEN && expected.len() <= Ids::SPOKEN));
            }
        }
    }
}
