//! Store: what is known of people and groups, so that each event keeps what was known when it came, and whose
//! a device is.
//!
//! It follows from the committed events in their order and from nothing else. A checkpoint has what followed up to one
//! of them, those included that are past their time and gone; the rest is read from parts and log when a store is opened.
//! What waits for a commit is known too, and forgotten again if the commit fails.

pub(crate) mod checkpoint;
mod opening;

use std::collections::VecDeque;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use bellwether_columns::{Owners, Told, person};
use bellwether_model::event::Who;
use bellwether_model::{EnvironmentKey, Event, Json, Properties, Seq, profile};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::fingerprint::Fingerprint;
use crate::forget::Forgotten;
pub(crate) use opening::{Opening, told};

/// What is known of people and groups.
#[derive(Debug, Default)]
pub(crate) struct People {
    owners: Shared,
    /// The last user of devices, both by a hash whose key is the process's own: what nearly every event tells is known,
    /// and is found here without a look at the texts. What is not here is asked of `owners`.
    lately: FxHashMap<u64, u64>,
    keyed: ahash::RandomState,
    profiles: Profiles,
    /// Who changed something of a group.
    tellers: Tellers,
    /// How to undo what waits for a commit, the newest last.
    undo: VecDeque<(Seq, Undo)>,
}

/// The properties of users, devices and groups, as JSON text: a tenth of the memory that maps would take, and read about as
/// fast as a map is copied.
type Profiles = FxHashMap<Fingerprint, Arc<str>>;
/// For each group, the users and devices whose events changed it.
type Tellers = FxHashMap<Fingerprint, FxHashSet<Fingerprint>>;

/// Whose devices are, as those who read events ask it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shared(Arc<RwLock<Owners>>);

impl Shared {
    pub(crate) fn read(&self) -> RwLockReadGuard<'_, Owners> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Owners> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug)]
enum Undo {
    Owner(EnvironmentKey, Box<str>),
    Profile(Fingerprint, Option<Arc<str>>),
}

impl Undo {
    fn apply(&self, owners: &mut Owners, profiles: &mut Profiles) {
        match self {
            Self::Owner(environment, device) => owners.unsaw(environment, device),
            Self::Profile(key, Some(was)) => drop(profiles.insert(*key, Arc::clone(was))),
            Self::Profile(key, None) => drop(profiles.remove(key)),
        }
    }
}

/// What an event tells of people, without the rest of it.
#[derive(Debug, Clone)]
pub(crate) struct Telling {
    pub(crate) environment: EnvironmentKey,
    pub(crate) who: Who,
    pub(crate) groups: Properties,
    pub(crate) user_changes: Properties,
    pub(crate) group_changes: Properties,
}

impl Telling {
    /// What an event tells; `None` if it tells nothing.
    pub(crate) fn of(event: &Event) -> Option<Self> {
        let both = matches!(event.who, Who::Both { .. });
        let tells = both || !event.user_changes.is_empty() || !event.group_changes.is_empty();
        tells.then(|| Self {
            environment: event.environment.clone(),
            who: event.who.clone(),
            groups: event.groups.clone(),
            user_changes: event.user_changes.clone(),
            group_changes: event.group_changes.clone(),
        })
    }
}

impl People {
    /// What is known of a user (`u`) or a device (`d`).
    pub(crate) fn known(&self, environment: &EnvironmentKey, kind: u8, id: &str) -> Properties {
        self.read(&Fingerprint::of_id(environment, kind, id))
    }

    fn read(&self, key: &Fingerprint) -> Properties {
        // It was written by `learn`, and reads.
        self.profiles.get(key).and_then(|known| serde_json::from_str(known).ok()).unwrap_or_default()
    }

    /// Whose devices are, for readers.
    pub(crate) fn owners(&self) -> Shared {
        self.owners.clone()
    }

    /// Looks up the devices of events that are about to be taken, all of them in one short loop: the processor then waits for
    /// memory for several at once, and [`People::take`] finds near what it asks for. Changes nothing.
    pub(crate) fn near(&self, events: &[Event]) {
        let places = events.iter().filter_map(|event| match &event.who {
            Who::Both { device, .. } => Some(self.place(&event.environment, device)),
            _ => None,
        });
        let places: Vec<u64> = places.collect();
        let known = places.iter().filter(|place| self.lately.contains_key(place)).count();
        std::hint::black_box(known);
    }

    /// Where the last user of a device is found.
    fn place(&self, environment: &EnvironmentKey, device: &str) -> u64 {
        self.keyed.hash_one((environment.as_str(), device))
    }

    /// A new event that waits for its commit: notes what it tells, and writes down in it what is known now. Says
    /// whether that is more than it brought.
    pub(crate) fn take(&mut self, event: &mut Event, seq: Seq) -> bool {
        let Event { environment, who, groups, user_changes, group_changes, .. } = &*event;
        self.tell(environment, who, groups, user_changes, group_changes, seq);
        if self.profiles.is_empty() {
            return false;
        }
        let user = self.person(environment, who);
        let mut more = false;
        let known = self.read(&user);
        if !known.is_empty() {
            let here = std::mem::replace(&mut event.user_properties, known);
            more = true;
            // What the event itself says of device and place is no property that somebody gave the user.
            for (name, value) in here {
                event.user_properties.entry(name).or_insert(value);
            }
        }
        for (kind, name) in each_group(&event.groups) {
            let key = Fingerprint::of_group(&event.environment, kind, name);
            let known = self.read(&key);
            if !known.is_empty() {
                let slot =
                    event.group_properties.entry(kind).or_insert_with(|| Json::Object(Properties::new()));
                more = true;
                if let Some(slot) = slot.as_object_mut() {
                    slot.insert(name.to_owned(), Json::Object(known));
                }
            }
        }
        more
    }

    /// An event that was committed before.
    pub(crate) fn restore(&mut self, seq: Seq, telling: &Telling) {
        let Telling { environment, who, groups, user_changes, group_changes } = telling;
        self.tell(environment, who, groups, user_changes, group_changes, seq);
        self.undo.clear();
    }

    /// Whether anything is known of somebody: of them, of a device of theirs, or of a group by them.
    pub(crate) fn knows(&self, whom: &Forgotten) -> bool {
        whom.has_stayed()
            || whom.prints().any(|of| self.profiles.contains_key(&of))
            || !self.groups_of(whom).is_empty()
    }

    /// The groups of which somebody changed something.
    pub(crate) fn groups_of(&self, whom: &Forgotten) -> FxHashSet<Fingerprint> {
        let theirs: Vec<Fingerprint> = whom.prints().collect();
        let told = self.tellers.iter().filter(|(_, by)| theirs.iter().any(|of| by.contains(of)));
        told.map(|(group, _)| *group).collect()
    }

    /// Forgets somebody, and all that is known of the groups of which they changed something: what others told of these
    /// is told again, by [`People::regroup`]. Nothing waits for a commit.
    pub(crate) fn forget(&mut self, whom: &Forgotten) -> FxHashSet<Fingerprint> {
        let groups = self.groups_of(whom);
        if let Some(user) = &whom.user {
            self.owners.write().forget(&whom.environment, user);
        }
        self.lately.clear();
        for of in whom.prints().chain(groups.iter().copied()) {
            self.profiles.remove(&of);
            self.tellers.remove(&of);
        }
        groups
    }

    /// What an event that was committed before told of these groups.
    pub(crate) fn regroup(&mut self, seq: Seq, telling: &Telling, groups: &FxHashSet<Fingerprint>) {
        let Telling { environment, who, groups: of, group_changes, .. } = telling;
        if group_changes.is_empty() {
            return;
        }
        let teller = match who {
            Who::User(user) | Who::Both { user, .. } => Fingerprint::of_id(environment, b'u', user),
            Who::Device(device) => {
                let owners = self.owners.read();
                let turns = owners.of(environment).and_then(|devices| devices.turns(device));
                match turns.and_then(|turns| person(turns, seq, seq)) {
                    Some(user) => Fingerprint::of_id(environment, b'u', user),
                    None => Fingerprint::of_id(environment, b'd', device),
                }
            }
        };
        for (kind, name) in each_group(of) {
            let group = Fingerprint::of_group(environment, kind, name);
            if groups.contains(&group) {
                self.change_group(seq, group, group_changes, teller);
            }
        }
        self.undo.clear();
    }

    /// All up to this event is committed.
    pub(crate) fn commit(&mut self, seq: Seq) {
        while self.undo.front().is_some_and(|(at, _)| *at <= seq) {
            self.undo.pop_front();
        }
    }

    /// What waits could not be stored.
    pub(crate) fn withdraw(&mut self) {
        while let Some((_, undo)) = self.undo.pop_back() {
            if let Undo::Owner(environment, device) = &undo {
                self.lately.remove(&self.place(environment, device));
            }
            undo.apply(&mut self.owners.write(), &mut self.profiles);
        }
    }

    /// Whose properties count for an event of these ids, after what it tells has been noted.
    fn person(&self, environment: &EnvironmentKey, who: &Who) -> Fingerprint {
        match who {
            Who::User(user) | Who::Both { user, .. } => Fingerprint::of_id(environment, b'u', user),
            Who::Device(device) => {
                let owners = self.owners.read();
                match owners.of(environment).and_then(|devices| devices.last(device)) {
                    Some(user) => Fingerprint::of_id(environment, b'u', user),
                    None => Fingerprint::of_id(environment, b'd', device),
                }
            }
        }
    }

    /// Notes what an event tells.
    fn tell(
        &mut self,
        environment: &EnvironmentKey,
        who: &Who,
        groups: &Properties,
        user_changes: &Properties,
        group_changes: &Properties,
        seq: Seq,
    ) {
        let of_user = |user: &str| Fingerprint::of_id(environment, b'u', user);
        let of_device = |device: &str| Fingerprint::of_id(environment, b'd', device);
        if let Who::Both { user, device } = who {
            let place = self.place(environment, device);
            let owner = self.keyed.hash_one(user.as_str());
            let last = self.lately.insert(place, owner) == Some(owner) || {
                let owners = self.owners.read();
                owners.of(environment).and_then(|d| d.last(device)).is_some_and(|last| last == user)
            };
            if !last {
                let told = self.owners.write().saw(environment, device, user, seq);
                self.undo.push_back((seq, Undo::Owner(environment.clone(), device.as_str().into())));
                if told == Told::Claimed && self.profiles.contains_key(&of_device(device)) {
                    // What was known of the visitor is known of the user; what was known of the user wins.
                    let mut known = self.read(&of_device(device));
                    known.extend(self.read(&of_user(user)));
                    self.learn(seq, of_user(user), &known);
                }
            }
        }
        if !user_changes.is_empty() {
            self.change(seq, self.person(environment, who), user_changes);
        }
        if !group_changes.is_empty() {
            let teller = self.person(environment, who);
            for (kind, name) in each_group(groups) {
                self.change_group(seq, Fingerprint::of_group(environment, kind, name), group_changes, teller);
            }
        }
    }

    fn change_group(&mut self, seq: Seq, group: Fingerprint, changes: &Properties, teller: Fingerprint) {
        if self.change(seq, group, changes) {
            // Stays where the commit fails: then it is one more who is looked for.
            self.tellers.entry(group).or_default().insert(teller);
        }
    }

    /// Whether it was not so already.
    fn change(&mut self, seq: Seq, key: Fingerprint, changes: &Properties) -> bool {
        let mut known = self.read(&key);
        profile::apply(&mut known, changes);
        self.learn(seq, key, &known)
    }

    /// Whether it was not so already.
    fn learn(&mut self, seq: Seq, key: Fingerprint, known: &Properties) -> bool {
        let known = text(known);
        let was = self.profiles.get(&key);
        if was.is_some_and(|was| *was == known) {
            return false;
        }
        let was = self.profiles.insert(key, known);
        self.undo.push_back((seq, Undo::Profile(key, was)));
        true
    }
}

/// As it is kept: its names are texts, so that it can be written.
fn text(known: &Properties) -> Arc<str> {
    serde_json::to_string(known).unwrap_or_default().into()
}

/// Each group of an event: its type and its name, of which there may be a list.
fn each_group(groups: &Properties) -> impl Iterator<Item = (&str, &str)> {
    groups.iter().flat_map(|(kind, names)| {
        let names = match names {
            Json::Array(names) => names.as_slice(),
            one => std::slice::from_ref(one),
        };
        names.iter().filter_map(Json::as_str).map(move |name| (kind.as_str(), name))
    })
}
