//! Store: what is known of people, found when a store is opened: the checkpoint has most of it, and what parts and log tell
//! that it does not have is told in the order of the events.

use std::path::Path;
use std::sync::Arc;

use bellwether_model::Seq;
use rustc_hash::FxHashSet;

use super::{People, Telling};
use crate::disk::Disk;
use crate::error::StoreError;
use crate::fingerprint::Fingerprint;
use crate::forget::{self, Forgotten};
use crate::manifest::Manifest;
use crate::part::Part;
use crate::seal::unreadable;

/// What is known as far as was read.
#[derive(Debug)]
pub(crate) struct Opening {
    people: People,
    /// The last event that the checkpoint knows of.
    since: Seq,
    /// Groups of which somebody changed something who is being forgotten: what others told of them is told again.
    groups: FxHashSet<Fingerprint>,
    forgotten: Vec<Forgotten>,
}

impl Opening {
    /// By checkpoint and parts.
    pub(crate) fn begin(
        disk: &dyn Disk,
        parts_dir: &Path,
        manifest: &Manifest,
        parts: &[Arc<Part>],
    ) -> Result<Self, StoreError> {
        let forgotten = manifest.forgotten.clone();
        let (mut people, since) = match &manifest.people {
            Some(checkpoint) => (checkpoint.read(disk, parts_dir)?, checkpoint.seq),
            None => (People::default(), Seq(0)),
        };
        let groups: FxHashSet<Fingerprint> =
            forgotten.iter().filter(|one| one.known).flat_map(|one| people.forget(one)).collect();
        let regroup = !groups.is_empty();
        let mut opening = Self { people, since, groups, forgotten: Vec::new() };
        let wanted = |seq, of_group| seq > since || (regroup && of_group);
        told(parts, &forgotten, &wanted, &mut |seq, telling| opening.tell(seq, telling))?;
        opening.forgotten = forgotten;
        Ok(opening)
    }

    /// The next event of the log.
    pub(crate) fn take(&mut self, seq: Seq, telling: &Telling) {
        if !telling.is_of(&self.forgotten, seq) {
            self.tell(seq, telling);
        }
    }

    fn tell(&mut self, seq: Seq, telling: &Telling) {
        if seq > self.since {
            self.people.restore(seq, telling);
        } else {
            self.people.regroup(seq, telling, &self.groups);
        }
    }

    /// By all of it.
    pub(crate) fn end(self) -> People {
        self.people
    }
}

impl Telling {
    fn is_of(&self, forgotten: &[Forgotten], seq: Seq) -> bool {
        forget::holds(forgotten, self.environment.as_str(), self.who.user(), self.who.device(), seq)
    }
}

/// What the events of parts told that are `wanted`, by their place and by whether they change a group; in their order, and
/// without those who are being forgotten.
pub(crate) fn told(
    parts: &[Arc<Part>],
    forgotten: &[Forgotten],
    wanted: &dyn Fn(Seq, bool) -> bool,
    each: &mut dyn FnMut(Seq, &Telling),
) -> Result<(), StoreError> {
    // In the order of their events, which is that of the parts: no two of them overlap.
    let mut ordered: Vec<&Arc<Part>> = parts.iter().collect();
    ordered.sort_by_key(|part| part.entry().first);
    for part in ordered.into_iter().filter(|part| wanted(part.entry().last, part.tells_of_groups())) {
        let theirs = &mut |seq, telling: &Telling| {
            if !telling.is_of(forgotten, seq) {
                each(seq, telling);
            }
        };
        part.tellings(wanted, theirs).map_err(unreadable)?;
    }
    Ok(())
}
