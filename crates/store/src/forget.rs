//! Store: forgetting a person. What is said here is on disk before [`Store::forget`] returns, and readers see nothing
//! of the person from then on; the parts are written again without them by [`Store::step`], a piece at a time.
//!
//! Who is being forgotten stands in the manifest until no file has a row of them, so that a process that ends on the
//! way is followed by one that goes on. Why so: `docs/decisions/0026-forgetting.md`.

use std::sync::Arc;

use arrow_array::RecordBatch;
use bellwether_model::{EnvironmentKey, Properties, Seq};
use rustc_hash::FxHashSet;
use serde::{Deserialize, Serialize};

use crate::compact::Compaction;
use crate::error::StoreError;
use crate::files;
use crate::fingerprint::Fingerprint;
use crate::ids;
use crate::manifest::{Entry, Manifest};
use crate::packed::Packed;
use crate::part::{self, Part, Texts, Why, column, hot, numbers};
use crate::people::{Telling, told};
use crate::recovery::orphans;
use crate::seal::unreadable;
use crate::store::{Store, lock};

/// Who is meant: a user, or a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Id<'i> {
    /// A user.
    User(&'i str),
    /// A device. Where it is a user's, that user.
    Device(&'i str),
}

/// A person as their events are told from those of others.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Person {
    /// The user id, unless it is a device that no user was ever seen on.
    pub user: Option<String>,
    /// The devices that are theirs, or were for a while.
    pub devices: Vec<String>,
    /// When these were.
    stays: Vec<Stay>,
}

impl Person {
    /// The devices that were nobody's before they came: what was done there until then is theirs, and no later user's.
    pub fn first_on(&self) -> impl Iterator<Item = &str> {
        self.stays.iter().filter(|stay| stay.from == Seq(0)).map(|stay| stay.device.as_str())
    }

    /// The devices that are theirs now: what is done there without a user is theirs.
    pub fn last_on(&self) -> impl Iterator<Item = &str> {
        self.stays.iter().filter(|stay| stay.to == Seq(u64::MAX)).map(|stay| stay.device.as_str())
    }

    /// Whether something of these ids is theirs that is not in the store and came after so many events: without a user, if
    /// the device was theirs then. Of what came at an unknown time it is theirs if the device ever was.
    #[must_use]
    pub fn has(&self, user: Option<&str>, device: Option<&str>, after: Option<Seq>) -> bool {
        theirs((self.user.as_deref(), &self.stays), user, device, after)
    }
}

/// Somebody who is being forgotten: their events up to one. What comes later is of somebody new.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Forgotten {
    pub(crate) environment: EnvironmentKey,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) user: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    devices: Vec<Stay>,
    /// The last event that is forgotten.
    pub(crate) until: Seq,
    /// No part up to this event has a row of them.
    looked: Seq,
    /// Whether the checkpoint of people may know of them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) known: bool,
}

/// A device is somebody's from an event on and before another: those without a user are theirs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Stay {
    device: String,
    from: Seq,
    to: Seq,
}

impl Forgotten {
    fn holds(&self, environment: &str, user: Option<&str>, device: Option<&str>, seq: Seq) -> bool {
        seq <= self.until
            && self.environment.as_str() == environment
            && theirs((self.user.as_deref(), &self.devices), user, device, Some(seq))
    }

    /// Whether a user was seen on a device.
    pub(crate) fn has_stayed(&self) -> bool {
        self.user.is_some() && !self.devices.is_empty()
    }

    /// Whether a part may have rows of them.
    pub(crate) fn may_be_in(&self, part: &Entry) -> bool {
        part.first <= self.until && part.last > self.looked
    }

    /// What properties are known by of them: those of the user, and of devices before there was one.
    pub(crate) fn prints(&self) -> impl Iterator<Item = Fingerprint> {
        let of = |kind, id: &str| Fingerprint::of_id(&self.environment, kind, id);
        let visitors = self.devices.iter().filter(|stay| stay.from == Seq(0));
        let visitors = visitors.map(move |stay| of(b'd', &stay.device));
        self.user.iter().map(move |user| of(b'u', user)).chain(visitors)
    }

    pub(crate) fn person(&self) -> Person {
        let mut devices: Vec<String> = self.devices.iter().map(|stay| stay.device.clone()).collect();
        devices.sort();
        devices.dedup();
        Person { user: self.user.clone(), devices, stays: self.devices.clone() }
    }
}

/// Whether what happened then (`None`: at an unknown time) with these ids is of the user with these stays: without a user,
/// if the device was theirs.
fn theirs(
    (of, stays): (Option<&str>, &[Stay]),
    user: Option<&str>,
    device: Option<&str>,
    then: Option<Seq>,
) -> bool {
    let within = |stay: &Stay| then.is_none_or(|then| stay.from <= then && then < stay.to);
    match user {
        Some(_) => of == user,
        None => stays.iter().any(|stay| Some(stay.device.as_str()) == device && within(stay)),
    }
}

/// Notes which of these people have rows in a batch, but for rows of those who are being forgotten. It has the columns of
/// [`hidden`].
pub(crate) fn found(
    people: &[Forgotten],
    except: &[Forgotten],
    batch: &RecordBatch,
    found: &mut [bool],
) -> Result<(), Why> {
    let gone = if except.is_empty() { FxHashSet::default() } else { hidden(except, batch)? };
    for (one, found) in people.iter().zip(found).filter(|(_, found)| !**found) {
        let rows = hidden(std::slice::from_ref(one), batch)?;
        *found = rows.iter().any(|row| !gone.contains(row));
    }
    Ok(())
}

/// Whether an event is of somebody who is being forgotten.
pub(crate) fn holds(
    forgotten: &[Forgotten],
    environment: &str,
    user: Option<&str>,
    device: Option<&str>,
    seq: Seq,
) -> bool {
    forgotten.iter().any(|one| one.holds(environment, user, device, seq))
}

/// Whether a row in memory is.
pub(crate) fn hides(forgotten: &[Forgotten], row: Packed<'_>) -> Result<bool, &'static str> {
    let flat = row.flat()?;
    Ok(holds(forgotten, flat.environment, flat.user, flat.device, flat.seq))
}

/// Which rows of a batch are; it has the columns `environment`, `user`, `device` and `seq`.
pub(crate) fn hidden(forgotten: &[Forgotten], batch: &RecordBatch) -> Result<FxHashSet<usize>, Why> {
    let text = |name| Texts::of(column(batch, name)?).map_err(Why::from);
    let (environment, user, device) = (text("environment")?, text("user")?, text("device")?);
    let seq = numbers(batch, "seq")?;
    let is = |&row: &usize| {
        let here = environment.get(row).unwrap_or_default();
        holds(forgotten, here, user.get(row), device.get(row), Seq(seq.value(row)))
    };
    Ok((0..batch.num_rows()).filter(is).collect())
}

impl Store {
    /// Who an id is, as it is known now: a device is its user's. Where nothing was ever seen of it, it is itself.
    ///
    /// # Errors
    /// [`StoreError::Shared`] for a device of several users.
    pub fn person(&self, environment: &EnvironmentKey, id: Id<'_>) -> Result<Person, StoreError> {
        self.meant(environment, id).map(|meant| meant.person())
    }

    /// The properties that are known of a person now.
    #[must_use]
    pub fn properties_of(&self, environment: &EnvironmentKey, person: &Person) -> Properties {
        let intake = lock(&self.intake);
        match (&person.user, person.devices.as_slice()) {
            (Some(user), _) => intake.people.known(environment, b'u', user),
            (None, [device, ..]) => intake.people.known(environment, b'd', device),
            (None, []) => Properties::new(),
        }
    }

    /// The same, as whom to look for.
    pub(crate) fn meant(&self, environment: &EnvironmentKey, id: Id<'_>) -> Result<Forgotten, StoreError> {
        let owners = lock(&self.shown).owners.clone();
        let owners = owners.read();
        let known = owners.of(environment);
        let user = match id {
            Id::User(user) => Some(user),
            Id::Device(device) => match known.map(|known| known.users(device)).unwrap_or_default().as_slice()
            {
                [] => None,
                [only] => Some(*only),
                users => {
                    let users = users.iter().map(|&user| user.to_owned()).collect();
                    return Err(StoreError::Shared { device: device.to_owned(), users });
                }
            },
        };
        let stay = |(device, from, to): (&str, Seq, Seq)| Stay { device: device.to_owned(), from, to };
        let devices = match (user, id) {
            (Some(user), _) => known.map(|known| known.stays(user)).unwrap_or_default(),
            (None, Id::Device(device) | Id::User(device)) => vec![(device, Seq(0), Seq(u64::MAX))],
        };
        Ok(Forgotten {
            environment: environment.clone(),
            user: user.map(str::to_owned),
            devices: devices.into_iter().map(stay).collect(),
            until: Seq(u64::MAX),
            looked: Seq(0),
            known: false,
        })
    }

    /// Forgets a person: their events that were taken before this returns, the properties that these gave them and
    /// their groups, and whose their devices are. When it returns that is on disk, nobody who takes a snapshot from
    /// then on sees them, and neither the log nor memory has them. The parts are written again without them by
    /// [`Store::step`]; [`Store::forgetting`] says how many are left to look at.
    ///
    /// What comes of the same id afterwards is of somebody new, also what was sent before and is sent again. Events of
    /// other users on the same devices stay. Appends wait while what is in memory is read once.
    ///
    /// # Errors
    /// [`StoreError::Shared`], and those of [`Store::commit`] and [`Store::step`]: where the disk failed after the
    /// promise was written, it is kept all the same, and asking again is right in each case.
    pub fn forget(&self, environment: &EnvironmentKey, id: Id<'_>) -> Result<Person, StoreError> {
        let mut manifest = lock(&self.manifest);
        // First, so that little is in memory while others wait.
        self.seal(&mut manifest, |_| true)?;
        self.seal(&mut manifest, |_| true)?;
        self.abandon(&manifest)?;
        let person = loop {
            let meant = self.meant(environment, id)?;
            let mut forgotten = manifest.forgotten.clone();
            forgotten.push(meant.clone());
            let parts = Arc::clone(&lock(&self.shown).parts);
            // What others told of their groups, of which nothing stays known that they told.
            let groups = lock(&self.intake).people.groups_of(&meant);
            let mut retold = Vec::new();
            let wanted = |_, of_group| of_group && !groups.is_empty();
            told(&parts, &forgotten, &wanted, &mut |seq, telling| retold.push((seq, telling.clone())))?;

            let mut writer = lock(&self.writer);
            let mut intake = lock(&self.intake);
            self.drain(&mut writer, &mut intake)?;
            if self.meant(environment, id)? != meant || intake.people.groups_of(&meant) != groups {
                // They came on another device meanwhile, or told of another group.
                continue;
            }
            // Events of theirs may be in what a commit failed for: they must not come back with the next start.
            writer.log.settle()?;
            // On disk, so that no number up to it is ever given to another event.
            let until = intake.committed;
            if let Some(one) = forgotten.last_mut() {
                one.until = until;
                one.known = manifest.people.is_some();
            }
            for row in writer.active.view().rows().filter(|_| !groups.is_empty()) {
                let unread = |why| StoreError::corrupt(&self.dir, 0, why);
                if !hides(&forgotten, row).map_err(unread)?
                    && let Some(telling) = Telling::of(&row.event().map_err(unread)?)
                {
                    retold.push((row.seq, telling));
                }
            }
            let next = manifest.forgetting(forgotten);
            next.write(&*self.disk, &self.dir)?;
            *manifest = next;
            let groups = intake.people.forget(&meant);
            retold.iter().for_each(|(seq, telling)| intake.people.regroup(*seq, telling, &groups));
            lock(&self.shown).forgotten = Arc::new(manifest.forgotten.clone());
            break meant.person();
        };
        self.seal(&mut manifest, |_| true)?;
        self.end_forgetting(&mut manifest)?;
        Ok(person)
    }

    /// How many parts are still to be looked at for somebody who is being forgotten; 0 once every file is without them.
    #[must_use]
    pub fn forgetting(&self) -> usize {
        let manifest = lock(&self.manifest);
        let may = |part: &&Entry| manifest.forgotten.iter().any(|one| one.may_be_in(part));
        manifest.parts.iter().filter(may).count().max(usize::from(!manifest.forgotten.is_empty()))
    }

    /// Gives a merge up that does not know who is being forgotten, and what it wrote.
    fn abandon(&self, manifest: &Manifest) -> Result<(), StoreError> {
        let Some(compaction) = lock(&self.compaction).take() else { return Ok(()) };
        if let Some(entry) = compaction.unnamed() {
            // The same may have been written before, and the manifest that names it, whose sync failed, be the one on disk.
            manifest.write(&*self.disk, &self.dir)?;
            let path = self.dir.join("parts").join(&entry.file);
            for path in [ids::path(&path), hot::path(&path), path] {
                match self.disk.remove(&path) {
                    Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => {
                        return Err(StoreError::io("remove", &path)(cause));
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// Looks at the next part that may have rows of somebody who is being forgotten. `None` where there is none;
    /// otherwise what there is to write, if there is.
    pub(crate) fn begin_forgetting(
        &self,
        manifest: &mut Manifest,
    ) -> Result<Option<Option<Compaction>>, StoreError> {
        let may = |part: &&Entry| manifest.forgotten.iter().any(|one| one.may_be_in(part));
        let Some(entry) = manifest.parts.iter().find(may).cloned() else { return Ok(None) };
        let parts = Arc::clone(&lock(&self.shown).parts);
        let Some(part) = parts.iter().find(|part| part.entry() == &entry) else { return Ok(None) };
        let hidden = part.hidden(&manifest.forgotten).map_err(unreadable)?;
        let without: Vec<Seq> = hidden.into_iter().map(|(seq, _)| seq).collect();
        if !without.is_empty() && (without.len() as u64) < entry.rows {
            if !self.has_room_for(entry.bytes) {
                return Ok(None);
            }
            let dir = self.dir.join("parts");
            let rows = part::Join::begin(&self.disk, &dir, vec![Arc::clone(part)], without.into());
            return Ok(Some(Some(Compaction::of(rows))));
        }
        if !without.is_empty() {
            self.replace(&[Arc::clone(part)], None, manifest)?;
        }
        // In order, the oldest first: all before it were looked at.
        for one in &mut manifest.forgotten {
            one.looked = one.looked.max(entry.last);
        }
        Ok(Some(None))
    }

    /// Takes those out of the manifest of whom no file has anything any more.
    pub(crate) fn end_forgetting(&self, manifest: &mut Manifest) -> Result<(), StoreError> {
        if manifest.forgotten.is_empty() {
            return Ok(());
        }
        if manifest.forgotten.iter().any(|one| one.known) {
            self.checkpoint(manifest, 0)?;
        }
        let left = |part: &Entry| manifest.forgotten.iter().any(|one| one.may_be_in(part));
        if manifest.parts.iter().any(left) || manifest.forgotten.iter().any(|one| one.until > manifest.sealed)
        {
            return Ok(());
        }
        if !lock(&self.writer).log.purge(manifest.sealed)? {
            return Ok(());
        }
        // Whoever took a snapshot before reads what it had.
        if lock(&self.fading).iter().any(|part: &std::sync::Weak<Part>| part.strong_count() > 0) {
            return Ok(());
        }
        self.abandon(manifest)?;
        // They are begun again.
        lock(&self.heating).take();
        let orphans = orphans(&*self.disk, &self.dir, manifest)?;
        if !orphans.is_empty() {
            // As in a merge that is given up.
            manifest.write(&*self.disk, &self.dir)?;
        }
        for path in orphans {
            self.disk.remove(&path).map_err(StoreError::io("remove", &path))?;
        }
        files::sync_dir(&*self.disk, &self.dir.join("parts"))?;
        let next = manifest.forgetting(Vec::new());
        next.write(&*self.disk, &self.dir)?;
        *manifest = next;
        lock(&self.shown).forgotten = Arc::default();
        Ok(())
    }
}
