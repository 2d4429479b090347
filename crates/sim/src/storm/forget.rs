//! Sim: somebody is forgotten in the midst of a storm.

use std::sync::Arc;

use bellwether_model::Millis;
use bellwether_store::{Id, Store, StoreError};

use super::{Storm, between, production, staging};
use crate::model::Whom;
use crate::random::Random;
use crate::reading::everything;

impl Storm {
    /// Somebody is forgotten: none of theirs is ever seen again, and everybody else's stay.
    pub(super) fn forget(&mut self, store: &Arc<Store>) -> Result<(), String> {
        let Some(forgets) = &mut self.forgets else { return Ok(()) };
        let pick =
            |random: &mut Random, of: &[&str]| of.get(random.place(of.len())).map(|id| (*id).to_owned());
        let by_user = !forgets.once_in(4);
        let whom = Whom {
            environment: if forgets.once_in(4) { staging() } else { production() },
            user: pick(forgets, &["ada", "bo", "cy", "dee"]).filter(|_| by_user),
            device: pick(forgets, &["d1", "d2"]).filter(|_| !by_user),
        };
        let id = match (&whom.user, &whom.device) {
            (Some(user), _) => Id::User(user),
            (None, device) => Id::Device(device.as_deref().unwrap_or_default()),
        };
        if self.tells {
            // Whether somebody was forgotten of whom everything may have passed could not be seen after a power cut.
            self.disk.cut_after(None, false);
        }
        // Appends wait meanwhile, and in here nobody can.
        self.disk.set_between(None);
        let mut told = store.forget(&whom.environment, id);
        if told.is_err() && !self.disk.is_off() && !matches!(told, Err(StoreError::Shared { .. })) {
            // What waited may have been withdrawn.
            self.shared().model.settle(&|ticket| store.outcome(ticket))?;
            // Asking again is right, whatever failed.
            self.disk.set_capacity(None);
            self.disk.set_failing(None);
            told = store.forget(&whom.environment, id);
        }
        let shared = Arc::clone(&self.shared);
        self.disk.set_between(Some(Box::new(move || between(&shared))));
        if self.disk.is_off() {
            if told.is_ok() {
                return Err("P3: it says that it forgot, and the power was off".to_owned());
            }
            self.shared().model.may_forget(&whom);
            return Ok(());
        }
        self.shared().model.settle(&|ticket| store.outcome(ticket))?;
        match told {
            Ok(_) => {
                let had = self.shared().model.forget(&whom);
                self.told.forgotten += u64::from(had > 0);
            }
            Err(StoreError::Shared { .. }) => {}
            Err(error) => return Err(format!("P3: it does not forget: {error}")),
        }
        self.holds(store)
    }

    /// In fair weather it comes to an end, and nothing of them is left that could come back.
    pub(super) fn forget_all(&mut self, store: &Arc<Store>) -> Result<(), String> {
        for _ in 0..5_000 {
            if store.forgetting() == 0 {
                break;
            }
            // Readers of before are gone: nothing keeps what is to be forgotten.
            self.readers.clear();
            let now = Millis(self.shared().truly);
            store.step(now).map_err(|e| format!("P3: it does not forget: {e}"))?;
        }
        if !store.snapshot().is_whole() {
            return Err("P3: forgetting does not come to an end in fair weather".to_owned());
        }
        self.holds(store)?;
        let found = everything(&store.snapshot())?;
        self.shared().model.check(found, false)?;
        Ok(())
    }
}
