//! App: whose the events are that are taken out of the quarantine, one after the other in the order in which they came. The
//! first of them that names a user on a device that was nobody's makes it theirs, and those after it see that, whether they
//! are stored together or one by one.

use std::collections::HashMap;

use bellwether_model::event::Who;
use bellwether_model::{EnvironmentKey, Event, Seq};
use bellwether_store::{Asked, Fingerprint, Had};

use crate::App;
use crate::error::AppError;

/// Whose devices are, by the store and by what is about to be stored.
pub(super) struct Having<'a> {
    app: &'a App,
    /// What the store said. Once it says something else, all that follows from it is to be looked at again.
    pub(super) asked: Vec<Asked>,
    /// The first users of devices that were nobody's.
    claimed: HashMap<(EnvironmentKey, String), String>,
}

impl<'a> Having<'a> {
    pub(super) fn new(app: &'a App) -> Self {
        Self { app, asked: Vec::new(), claimed: HashMap::new() }
    }

    fn had(&mut self, environment: &EnvironmentKey, device: &str, after: Seq) -> Had {
        let had = self.app.store.had(environment, device, after);
        self.asked.push(Asked {
            environment: environment.clone(),
            device: device.to_owned(),
            after,
            had: had.clone(),
        });
        match self.claimed.get(&(environment.clone(), device.to_owned())) {
            Some(user) if had.now.is_none() => Had { then: Some(user.clone()), now: Some(user.clone()) },
            _ => had,
        }
    }

    /// Whose something is that came after an event of the log. Without a user it is of whoever had its device then; and where
    /// that is another now, it is theirs without the device, which it takes from nobody.
    pub(super) fn whose(&mut self, environment: &EnvironmentKey, who: Who, after: Option<Seq>) -> Who {
        let Some(device) = who.device() else { return who };
        let had = self.had(environment, device, after.unwrap_or_default());
        // Of what came at an unknown time nobody knows who had it.
        let then = after.and(had.then);
        let Some(user) = who.user().map(str::to_owned).or(then) else { return who };
        let others = had.now.is_some_and(|now| now != user);
        if others { Who::User(user) } else { Who::Both { user, device: device.to_owned() } }
    }

    /// What an event tells of its device to those that are stored after it. A copy of one that is there is not stored.
    pub(super) fn tells(&mut self, event: &Event) -> Result<(), AppError> {
        let Who::Both { user, device } = &event.who else { return Ok(()) };
        if self.had(&event.environment, device, Seq(0)).now.is_none()
            && !self.app.store.knows(&[(Fingerprint::of(event), event.received)])?.known.contains(&true)
        {
            self.claimed.insert((event.environment.clone(), device.clone()), user.clone());
        }
        Ok(())
    }
}
