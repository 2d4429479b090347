//! Store: which event this is, in 128 bits, and which were seen in the last days.

use std::collections::{BTreeMap, HashMap};

use bellwether_model::{Event, Millis, Span};
use rustc_hash::FxBuildHasher;
use sha2::{Digest, Sha256};

/// The identity of an event that its sender named: environment, device (or user, where there is no
/// device) and `insert_id`, as the first 128 bits of their SHA-256.
///
/// Anyone with a client key chooses these texts, so the hash must not be one that collisions can be
/// computed for: then an event of one environment could be made to swallow another's. A keyed hash
/// would do too, but its key would have to be kept as long as the parts. SHA-256 of such short texts
/// took 0.2 microseconds where it was measured (x86-64 with SHA instructions).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Fingerprint([u64; 2]);

impl Fingerprint {
    /// The fingerprint of an event; `None` if the sender did not name it.
    pub(crate) fn of(event: &Event) -> Option<Self> {
        let insert_id = event.insert_id.as_deref()?;
        let (kind, unit) = match (event.who.device(), event.who.user()) {
            (Some(device), _) => (b'd', device),
            (None, user) => (b'u', user.unwrap_or_default()),
        };
        let mut hash = Sha256::new();
        for text in [event.environment.as_str(), unit] {
            // The length first, so that no two triples read the same.
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text);
        }
        hash.update([kind]);
        hash.update(insert_id);
        let digest: [u8; 32] = hash.finalize().into();
        Some(Self::from_bytes(std::array::from_fn(|i| digest[i])))
    }

    pub(crate) fn from_bytes(bytes: [u8; 16]) -> Self {
        let whole = u128::from_le_bytes(bytes);
        // Truncation is the point: the low and the high half.
        #[allow(clippy::cast_possible_truncation)]
        Self([whole as u64, (whole >> 64) as u64])
    }

    pub(crate) fn to_bytes(self) -> [u8; 16] {
        (u128::from(self.0[0]) | (u128::from(self.0[1]) << 64)).to_le_bytes()
    }
}

/// The events that were received lately, by fingerprint, in one generation per day of receipt.
/// A whole generation is dropped at once. An entry takes 24 bytes and its share of the table: 30 to
/// 55 bytes for each named event of the window.
#[derive(Debug)]
pub(crate) struct Seen {
    window: Span,
    /// Generation by day number; the value is the receipt time within the day.
    days: BTreeMap<i64, HashMap<Fingerprint, u32, FxBuildHasher>>,
    /// The latest receipt time that is committed.
    latest: Millis,
}

const DAY: i64 = 86_400_000;

impl Seen {
    pub(crate) fn new(window: Span) -> Self {
        Self { window, days: BTreeMap::new(), latest: Millis(i64::MIN) }
    }

    /// Remembers an event; `false` if it was received within the window before or after already,
    /// and then nothing changes. What lies a window behind the latest commit is forgotten, so that
    /// the answer is the same before and after a restart.
    pub(crate) fn admit(&mut self, print: Fingerprint, received: Millis) -> bool {
        let after = received.max(self.latest).minus(self.window);
        let before = received.plus(self.window);
        let days = after.0.div_euclid(DAY)..=before.0.div_euclid(DAY);
        let known = self.days.range(days).any(|(&day, generation)| {
            generation.get(&print).is_some_and(|&within| {
                let at = Millis(day.saturating_mul(DAY).saturating_add(i64::from(within)));
                at > after && at < before
            })
        });
        if !known {
            self.insert(print, received);
        }
        !known
    }

    /// Remembers an event that is known to be stored.
    pub(crate) fn insert(&mut self, print: Fingerprint, received: Millis) {
        let within = u32::try_from(received.0.rem_euclid(DAY)).unwrap_or_default();
        self.days.entry(received.0.div_euclid(DAY)).or_default().insert(print, within);
    }

    /// Forgets an event that was admitted but could not be stored.
    pub(crate) fn withdraw(&mut self, print: Fingerprint, received: Millis) {
        if let Some(generation) = self.days.get_mut(&received.0.div_euclid(DAY)) {
            generation.remove(&print);
        }
    }

    /// An event received at this time is committed.
    pub(crate) fn advance(&mut self, received: Millis) {
        self.latest = self.latest.max(received);
    }

    /// Whether an entry of this time can still matter.
    pub(crate) fn remembers(&self, received: Millis) -> bool {
        received > self.latest.minus(self.window)
    }

    /// Drops generations that lie wholly behind the window.
    pub(crate) fn forget(&mut self) {
        let oldest = self.latest.minus(self.window).0.div_euclid(DAY);
        self.days = self.days.split_off(&oldest);
    }

    /// How many events are remembered.
    pub(crate) fn len(&self) -> usize {
        self.days.values().map(HashMap::len).sum()
    }
}
