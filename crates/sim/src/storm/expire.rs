//! Sim: events are past their time in the midst of a storm, and go.

use std::sync::Arc;

use bellwether_model::Millis;
use bellwether_store::{Past, Store};

use super::{DAY, Storm, production, staging};
use crate::reading::everything;
use crate::sent::PASSING;

impl Storm {
    /// Some are past their time: they may be gone from now on, and nothing else is.
    pub(super) fn expire(&mut self, store: &Arc<Store>) -> Result<(), String> {
        let Some(expires) = &mut self.expires else { return Ok(()) };
        let (days, both) = (i64::try_from(expires.below(30)).unwrap_or(0), expires.once_in(2));
        let (before, now) = {
            let shared = self.shared();
            (Millis(shared.truly - days * DAY), Millis(shared.truly + shared.ahead))
        };
        let mut past = Past::default();
        past.only(&production(), PASSING, Some(before));
        if both {
            past.only(&staging(), PASSING, Some(before));
        }
        self.shared().model.may_expire(&past);
        self.past = past;
        if let Ok(going) = store.expire(&self.past, now) {
            self.told.expired += going;
        }
        self.step(store)
    }

    /// In fair weather all of them go.
    pub(super) fn expire_all(&mut self, store: &Arc<Store>) -> Result<(), String> {
        let mut now = Millis(self.shared().truly);
        let mut found = everything(&store.snapshot())?;
        for round in 0..5_000 {
            let is = |e: &bellwether_model::Event| self.past.is(e.environment.as_str(), &e.event, e.received);
            let Some(left) = found.iter().find(|event| is(event)) else { break };
            if round == 4_999 {
                return Err(format!(
                    "P4: {:?} of {} is past its time and there",
                    left.insert_id, left.received.0
                ));
            }
            now = Millis(now.0 + DAY / 8);
            let going = store.expire(&self.past, now).map_err(|e| format!("P4: nothing goes: {e}"))?;
            self.told.expired += going;
            store.step(now).map_err(|e| format!("P4: nothing goes: {e}"))?;
            if round % 20 == 0 {
                found = everything(&store.snapshot())?;
            }
        }
        let found = everything(&store.snapshot())?;
        self.shared().model.check(found, false)
    }
}
