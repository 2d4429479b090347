//! App operations: lists of ids that an edit brings. What takes long about them, writing them and building
//! what evaluation asks, is done before the change is made, while others make theirs.

use std::sync::{Arc, MutexGuard};

use bellwether_flags::Ids;
use bellwether_ledger::{Members, State};
use bellwether_model::{Edit, ListId, Millis, Revision};

use super::Ctx;
use super::serve::proposed;
use super::targeting::Fresh;
use crate::App;
use crate::error::AppError;

/// A list that no change cites yet. It is cited by [`App::cite`] or given back.
pub(super) struct Brought {
    pub(super) list: ListId,
    pub(super) members: Members,
    pub(super) ids: Arc<Ids>,
}

impl App {
    /// Makes lists ready.
    pub(super) fn bring(&self, lists: Fresh, now: Millis) -> Result<Vec<Brought>, AppError> {
        let mut brought = Vec::new();
        for (list, texts) in lists {
            let ids = Arc::new(Ids::new(&texts));
            match self.ledger.prepare(texts, now) {
                Ok(members) => brought.push(Brought { list, members, ids }),
                Err(refused) => {
                    self.give_back(brought);
                    return Err(self.refused(refused));
                }
            }
        }
        Ok(brought)
    }

    /// Makes the change that cites these lists; `editing` has been held since what the edit is derived from
    /// was read, or looked at again. Gives the state that the change made, and none that came after it.
    pub(super) fn cite(
        &self,
        ctx: &Ctx,
        edit: Edit,
        why: Option<String>,
        if_revision: Option<Revision>,
        brought: Vec<Brought>,
        editing: MutexGuard<'_, ()>,
    ) -> Result<Arc<State>, AppError> {
        let lists = brought.iter().map(|b| (b.list.clone(), b.members.clone())).collect();
        for Brought { list, ids, .. } in &brought {
            self.foresee(list.clone(), Arc::clone(ids));
        }
        let done = self.propose(proposed(ctx, edit, why, if_revision, lists), ctx.now);
        let state = self.ledger.state();
        drop(editing);
        if done.is_err() {
            self.give_back(brought);
        }
        done.map(|_| state)
    }

    /// Takes back what will not be cited.
    pub(super) fn give_back(&self, brought: Vec<Brought>) {
        for Brought { members, .. } in brought {
            if let Err(error) = self.ledger.discard(members) {
                tracing::warn!(%error, "a list that no change cites is left to be swept");
            }
        }
    }
}
