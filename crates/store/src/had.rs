//! Store: whose a device was, and events that are taken only as long as devices are whose they were when somebody looked:
//! between a look and an append others sign in.

use bellwether_columns::{Owners, person};
use bellwether_model::{EnvironmentKey, Event, Seq};

use crate::error::StoreError;
use crate::store::{Store, Ticket, lock};

/// Who had a device.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Had {
    /// The user whose it was then: what was done there without a user is theirs.
    pub then: Option<String>,
    /// The user whose it is now.
    pub now: Option<String>,
}

/// What somebody was told of a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Where the device is.
    pub environment: EnvironmentKey,
    /// The device.
    pub device: String,
    /// The event after which was asked for.
    pub after: Seq,
    /// What was told.
    pub had: Had,
}

fn had(owners: &Owners, environment: &EnvironmentKey, device: &str, after: Seq) -> Had {
    let turns = owners.of(environment).and_then(|devices| devices.turns(device)).unwrap_or_default();
    let then = person(turns, after, Seq(u64::MAX)).map(str::to_owned);
    Had { then, now: turns.last().map(|turn| turn.user().to_owned()) }
}

impl Store {
    /// Who had a device after an event of the log, and who has it now; nobody where no user was ever seen on it.
    #[must_use]
    pub fn had(&self, environment: &EnvironmentKey, device: &str, after: Seq) -> Had {
        let owners = lock(&self.shown).owners.clone();
        let owners = owners.read();
        had(&owners, environment, device, after)
    }

    /// As [`Store::append`], if all of this is still so at the moment in which the events get their numbers. `None` where it
    /// is not: nothing was taken then, and whoever asks again is told something else.
    ///
    /// # Errors
    /// As [`Store::append`].
    pub fn append_while(
        &self,
        mut events: Vec<Event>,
        asked: &[Asked],
    ) -> Result<Option<Ticket>, StoreError> {
        let (packed, incoming) = Self::packed(&mut events)?;
        let (intake, listed) = self.look_up(&incoming)?;
        let owners = intake.people.owners();
        let still = |one: &Asked| had(&owners.read(), &one.environment, &one.device, one.after) == one.had;
        if !asked.iter().all(still) {
            return Ok(None);
        }
        self.admit(intake, &listed, events, packed, incoming).map(Some)
    }
}
