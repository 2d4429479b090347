//! Columns: whose a device is, so that what somebody did before they signed in is theirs.
//!
//! The rules are Amplitude's. Events of a device that never saw a user are the device's. The first user on a
//! device claims them; of what comes later without a user, the last known user of the device did it. Two
//! users never become one. Nothing that is stored changes: the events keep the ids that they came with, and
//! whoever reads them asks here.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bellwether_model::{EnvironmentKey, Seq};

/// The users of every device, in the order in which they were first seen on it.
#[derive(Debug, Clone, Default)]
pub struct Owners(BTreeMap<EnvironmentKey, Devices>);

/// The users of the devices of one environment. Senders choose these texts: the table's hash has a key of its own, so
/// that they cannot be made to collide.
#[derive(Debug, Clone, Default)]
pub struct Devices(HashMap<Box<str>, Vec<Turn>>);

/// From an event on, until the next turn, a device is one user's.
#[derive(Debug, Clone)]
pub struct Turn {
    from: Seq,
    user: Arc<str>,
}

/// What an event told of its device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// What was known.
    Nothing,
    /// The first user of the device: what it did before is theirs.
    Claimed,
    /// Another user than the last one.
    Taken,
}

impl Owners {
    /// An event of a user on a device. Events come in their order.
    ///
    /// ```
    /// use bellwether_columns::{Owners, Told, person};
    /// use bellwether_model::Seq;
    /// let here = "production".parse().unwrap();
    /// let mut owners = Owners::default();
    /// assert_eq!(owners.saw(&here, "tablet", "jane", Seq(5)), Told::Claimed);
    /// assert_eq!(owners.saw(&here, "tablet", "mary", Seq(7)), Told::Taken);
    /// let tablet = owners.of(&here).and_then(|devices| devices.turns("tablet")).unwrap();
    /// let who = |seq| person(tablet, Seq(seq), Seq(9));
    /// assert_eq!([who(1), who(6), who(8)], [Some("jane"), Some("jane"), Some("mary")]);
    /// // Before the first user came nobody knew.
    /// assert_eq!(person(tablet, Seq(1), Seq(4)), None);
    /// ```
    pub fn saw(&mut self, environment: &EnvironmentKey, device: &str, user: &str, seq: Seq) -> Told {
        let devices = match self.0.get_mut(environment) {
            Some(devices) => devices,
            None => self.0.entry(environment.clone()).or_default(),
        };
        let turn = || Turn { from: seq, user: user.into() };
        match devices.0.get_mut(device) {
            Some(turns) if turns.last().is_some_and(|last| &*last.user == user) => Told::Nothing,
            Some(turns) => {
                turns.push(turn());
                Told::Taken
            }
            None => {
                devices.0.insert(device.into(), vec![turn()]);
                Told::Claimed
            }
        }
    }

    /// Takes the last thing back that was told of a device.
    pub fn unsaw(&mut self, environment: &EnvironmentKey, device: &str) {
        if let Some(devices) = self.0.get_mut(environment)
            && let Some(turns) = devices.0.get_mut(device)
        {
            turns.pop();
            if turns.is_empty() {
                devices.0.remove(device);
            }
        }
    }

    /// Takes back all that was told of a user.
    ///
    /// ```
    /// use bellwether_columns::Owners;
    /// use bellwether_model::Seq;
    /// let here = "production".parse().unwrap();
    /// let mut owners = Owners::default();
    /// for (seq, user) in [(1, "jane"), (5, "mary"), (9, "jane")] {
    ///     owners.saw(&here, "tablet", user, Seq(seq));
    /// }
    /// owners.forget(&here, "mary");
    /// let turns = owners.of(&here).and_then(|devices| devices.turns("tablet")).unwrap();
    /// assert_eq!(turns.iter().map(|turn| (turn.from(), turn.user())).collect::<Vec<_>>(), [(Seq(1), "jane")]);
    /// ```
    pub fn forget(&mut self, environment: &EnvironmentKey, user: &str) {
        let Some(devices) = self.0.get_mut(environment) else { return };
        devices.0.retain(|_, turns| {
            turns.retain(|turn| &*turn.user != user);
            // Who had it before and after had it all the time.
            turns.dedup_by(|next, before| next.user == before.user);
            !turns.is_empty()
        });
    }

    /// Every device that a user was seen on, with its turns, in no promised order.
    pub fn all(&self) -> impl Iterator<Item = (&EnvironmentKey, &str, &[Turn])> {
        self.0.iter().flat_map(|(environment, devices)| {
            devices.0.iter().map(move |(device, turns)| (environment, &**device, turns.as_slice()))
        })
    }

    /// The devices of an environment; `None` where no user was seen on any.
    #[must_use]
    pub fn of(&self, environment: &EnvironmentKey) -> Option<&Devices> {
        self.0.get(environment)
    }
}

impl Turn {
    /// The event that it begins with.
    #[must_use]
    pub fn from(&self) -> Seq {
        self.from
    }

    /// Whose the device is.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }
}

impl Devices {
    /// The users of a device, in their order; `None` where there was none.
    #[must_use]
    pub fn turns(&self, device: &str) -> Option<&[Turn]> {
        self.0.get(device).map(Vec::as_slice)
    }

    /// Where a user had devices: each with its events from one on and before another, the first user's from the beginning.
    pub fn stays(&self, user: &str) -> Vec<(&str, Seq, Seq)> {
        let mut found = Vec::new();
        for (device, turns) in &self.0 {
            for (at, turn) in turns.iter().enumerate().filter(|(_, turn)| &*turn.user == user) {
                let from = if at == 0 { Seq(0) } else { turn.from };
                let to = turns.get(at + 1).map_or(Seq(u64::MAX), |next| next.from);
                found.push((&**device, from, to));
            }
        }
        found.sort_unstable();
        found
    }

    /// Every user of a device, in their order, each once.
    #[must_use]
    pub fn users(&self, device: &str) -> Vec<&str> {
        let mut found: Vec<&str> = Vec::new();
        for turn in self.0.get(device).into_iter().flatten() {
            if !found.contains(&&*turn.user) {
                found.push(&turn.user);
            }
        }
        found
    }

    /// The users of all devices, in no promised order; who has several is there with each.
    pub fn everybody(&self) -> impl Iterator<Item = &Arc<str>> {
        self.0.values().flatten().map(|turn| &turn.user)
    }

    /// The last known user of a device.
    #[must_use]
    pub fn last(&self, device: &str) -> Option<&str> {
        self.0.get(device)?.last().map(|turn| &*turn.user)
    }
}

/// Who did the event `seq` of a device with these users, as it is known at `until`.
#[must_use]
pub fn person(turns: &[Turn], seq: Seq, until: Seq) -> Option<&str> {
    let known = || turns.iter().take_while(|turn| turn.from <= until);
    let turn = known().take_while(|turn| turn.from <= seq).last().or_else(|| known().next());
    turn.map(|turn| &*turn.user)
}
