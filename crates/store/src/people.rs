//! Store: what is known of people and groups, so that each event keeps what was known when it came, and whose
//! a device is.
//!
//! It follows from the committed events in their order and from nothing else: it is made anew from parts and
//! log when a store is opened. What waits for a commit is known too, and forgotten again if the commit fails.

use std::collections::VecDeque;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use bellwether_columns::{Owners, ScanError, Told};
use bellwether_model::event::Who;
use bellwether_model::{EnvironmentKey, Event, Json, Properties, Seq, profile};
use rustc_hash::FxHashMap;

use crate::fingerprint::Fingerprint;
use crate::forget::{self, Forgotten};
use crate::part::Part;

/// What is known of people and groups.
#[derive(Debug, Default)]
pub(crate) struct People {
    owners: Shared,
    /// The last user of devices, both by a hash whose key is the process's own: what nearly every event tells is known,
    /// and is found here without a look at the texts. What is not here is asked of `owners`.
    lately: FxHashMap<u64, u64>,
    keyed: ahash::RandomState,
    profiles: FxHashMap<Fingerprint, Arc<Properties>>,
    /// How to undo what waits for a commit, the newest last.
    undo: VecDeque<(Seq, Undo)>,
}

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
    Profile(Fingerprint, Option<Arc<Properties>>),
}

/// What an event tells of people, without the rest of it.
#[derive(Debug)]
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
    /// What the events in these parts told, but for those that are being forgotten.
    pub(crate) fn of_parts(parts: &[Arc<Part>], forgotten: &[Forgotten]) -> Result<Self, ScanError> {
        let mut people = Self::default();
        // In the order of their events, which is that of the parts: no two of them overlap.
        let mut ordered: Vec<&Arc<Part>> = parts.iter().collect();
        ordered.sort_by_key(|part| part.entry().first);
        for part in ordered {
            let mut tellings = part.tellings()?;
            tellings.sort_unstable_by_key(|(seq, _)| *seq);
            for (seq, telling) in &tellings {
                let Telling { environment, who, .. } = telling;
                if !forget::holds(forgotten, environment.as_str(), who.user(), who.device(), *seq) {
                    people.restore(*seq, telling);
                }
            }
        }
        Ok(people)
    }

    /// Knows what `other` does, and nothing else; whoever asks whose devices are is answered by it from now on.
    pub(crate) fn replace(&mut self, other: Self) {
        *self.owners.write() = std::mem::take(&mut *other.owners.write());
        self.lately.clear();
        self.profiles = other.profiles;
        self.undo.clear();
    }

    /// What is known of a user (`u`) or a device (`d`).
    pub(crate) fn known(&self, environment: &EnvironmentKey, kind: u8, id: &str) -> Properties {
        let known = self.profiles.get(&Fingerprint::of_id(environment, kind, id));
        known.map(|known| (**known).clone()).unwrap_or_default()
    }

    /// Whose devices are, for readers.
    pub(crate) fn owners(&self) -> Shared {
        self.owners.clone()
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
        if let Some(known) = self.profiles.get(&user).filter(|known| !known.is_empty()) {
            let here = std::mem::replace(&mut event.user_properties, (**known).clone());
            more = true;
            // What the event itself says of device and place is no property that somebody gave the user.
            for (name, value) in here {
                event.user_properties.entry(name).or_insert(value);
            }
        }
        for (kind, name) in each_group(&event.groups) {
            let key = Fingerprint::of_group(&event.environment, kind, name);
            if let Some(known) = self.profiles.get(&key).filter(|known| !known.is_empty()) {
                let slot =
                    event.group_properties.entry(kind).or_insert_with(|| Json::Object(Properties::new()));
                more = true;
                if let Some(slot) = slot.as_object_mut() {
                    slot.insert(name.to_owned(), Json::Object((**known).clone()));
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

    /// All up to this event is committed.
    pub(crate) fn commit(&mut self, seq: Seq) {
        while self.undo.front().is_some_and(|(at, _)| *at <= seq) {
            self.undo.pop_front();
        }
    }

    /// What waits could not be stored.
    pub(crate) fn withdraw(&mut self) {
        while let Some((_, undo)) = self.undo.pop_back() {
            match undo {
                Undo::Owner(environment, device) => {
                    self.lately.remove(&self.keyed.hash_one((environment.as_str(), &*device)));
                    self.owners.write().unsaw(&environment, &device);
                }
                Undo::Profile(key, Some(was)) => drop(self.profiles.insert(key, was)),
                Undo::Profile(key, None) => drop(self.profiles.remove(&key)),
            }
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
            let place = self.keyed.hash_one((environment.as_str(), device.as_str()));
            let owner = self.keyed.hash_one(user.as_str());
            let last = self.lately.insert(place, owner) == Some(owner) || {
                let owners = self.owners.read();
                owners.of(environment).and_then(|d| d.last(device)).is_some_and(|last| last == user)
            };
            if !last {
                let told = self.owners.write().saw(environment, device, user, seq);
                self.undo.push_back((seq, Undo::Owner(environment.clone(), device.as_str().into())));
                if told == Told::Claimed
                    && let Some(anonymous) = self.profiles.get(&of_device(device)).cloned()
                {
                    // What was known of the visitor is known of the user; what was known of the user wins.
                    let mut known = (*anonymous).clone();
                    if let Some(user) = self.profiles.get(&of_user(user)) {
                        known.extend((**user).clone());
                    }
                    self.learn(seq, of_user(user), known);
                }
            }
        }
        if !user_changes.is_empty() {
            self.change(seq, self.person(environment, who), user_changes);
        }
        if !group_changes.is_empty() {
            for (kind, name) in each_group(groups) {
                self.change(seq, Fingerprint::of_group(environment, kind, name), group_changes);
            }
        }
    }

    fn change(&mut self, seq: Seq, key: Fingerprint, changes: &Properties) {
        let was = self.profiles.get(&key);
        let mut known = was.map(|known| (**known).clone()).unwrap_or_default();
        profile::apply(&mut known, changes);
        if was.is_none_or(|was| **was != known) {
            self.learn(seq, key, known);
        }
    }

    fn learn(&mut self, seq: Seq, key: Fingerprint, known: Properties) {
        let was = self.profiles.insert(key, Arc::new(known));
        self.undo.push_back((seq, Undo::Profile(key, was)));
    }
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
