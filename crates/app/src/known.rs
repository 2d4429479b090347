//! App: people and keys as they are asked for with every request, in memory. What is stored is in the
//! ledger; a lookup here touches no disk and waits for no writer.

use std::collections::{HashMap, HashSet};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use bellwether_ledger::{People, Role};
use bellwether_model::Actor;

use crate::App;
use crate::access::{Grant, digest};
use crate::error::{AppError, Refusal};

/// Secrets that open nothing and are remembered as such: an SDK with an old key asks again and again.
const MOST_STRANGERS: usize = 10_000;

#[derive(Debug, Default)]
pub(crate) struct Known(RwLock<Facts>);

#[derive(Debug, Default)]
struct Facts {
    /// Names of people by id.
    people: HashMap<String, String>,
    /// Names of keys by id, and whether they are revoked.
    keys: HashMap<String, (String, bool)>,
    /// What a secret's hash opens.
    secrets: HashMap<String, Grant>,
    /// Hashes of secrets that open nothing.
    strangers: HashSet<String>,
    /// Counts keys made, altered and revoked: what was read before the last of them is not remembered.
    generation: u64,
}

impl Known {
    pub(crate) fn load(people: &People<'_>) -> Result<Self, AppError> {
        let facts = Facts {
            people: people.list()?.into_iter().map(|p| (p.id, p.name)).collect(),
            keys: people.keys()?.into_iter().map(|k| (k.id, (k.name, k.revoked.is_some()))).collect(),
            ..Facts::default()
        };
        Ok(Self(RwLock::new(facts)))
    }

    fn read(&self) -> RwLockReadGuard<'_, Facts> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Facts> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn person_came(&self, id: &str, name: &str) {
        self.write().people.insert(id.to_owned(), name.to_owned());
    }

    pub(crate) fn key_made(&self, id: &str, name: &str) {
        let mut facts = self.write();
        facts.generation += 1;
        facts.strangers.clear();
        facts.keys.insert(id.to_owned(), (name.to_owned(), false));
    }

    /// What a key opens is another now.
    pub(crate) fn key_altered(&self) {
        let mut facts = self.write();
        facts.generation += 1;
        // By hash it is not known which secret it was; all are looked up again, which is rare and cheap.
        facts.secrets.clear();
    }

    pub(crate) fn key_revoked(&self, id: &str) {
        self.key_altered();
        let mut facts = self.write();
        if let Some((_, revoked)) = facts.keys.get_mut(id) {
            *revoked = true;
        }
    }

    /// The name that people know; `None` for somebody who was forgotten.
    pub(crate) fn person(&self, id: &str) -> Option<String> {
        self.read().people.get(id).cloned()
    }

    pub(crate) fn key(&self, id: &str) -> Option<String> {
        self.read().keys.get(id).map(|(name, _)| name.clone())
    }
}

fn stranger() -> AppError {
    AppError::new(
        Refusal::Unauthenticated,
        "unauthenticated",
        "there is no such key, or it was revoked",
        "make one under Settings, or with `bellwether key create`",
    )
}

impl App {
    /// What an API key opens, if that is known without a look into the ledger.
    pub fn key_in_memory(&self, secret: &str) -> Option<Result<Grant, AppError>> {
        let hash = digest(secret);
        let facts = self.known.read();
        match facts.secrets.get(&hash) {
            Some(grant) => Some(Ok(grant.clone())),
            None => facts.strangers.contains(&hash).then(|| Err(stranger())),
        }
    }

    /// What an API key opens. The first time it is looked up in the ledger.
    ///
    /// # Errors
    /// `unauthenticated` when there is no such key or it was revoked.
    pub fn key(&self, secret: &str) -> Result<Grant, AppError> {
        if let Some(known) = self.key_in_memory(secret) {
            return known;
        }
        let hash = digest(secret);
        let generation = self.known.read().generation;
        let found = self.ledger.people().key_by_hash(&hash)?.map(Grant::of_key);
        let mut facts = self.known.write();
        if facts.generation == generation {
            match &found {
                Some(grant) => {
                    facts.secrets.insert(hash, grant.clone());
                }
                None => {
                    if facts.strangers.len() >= MOST_STRANGERS {
                        facts.strangers.clear();
                    }
                    facts.strangers.insert(hash);
                }
            }
        }
        found.ok_or_else(stranger)
    }

    /// Whether somebody may still make edits: a key that is not revoked, a person who is an editor.
    pub(crate) fn may_edit(&self, actor: &Actor) -> Result<bool, AppError> {
        Ok(match actor {
            Actor::Key { .. } => !self.revoked(actor),
            Actor::Person { id } => {
                self.ledger.people().person(id)?.is_some_and(|person| person.role >= Role::Editor)
            }
            Actor::Guard { .. } | Actor::Ramp { .. } | Actor::Schedule { .. } | Actor::System => true,
        })
    }

    /// Whether the key of who asked has been revoked since: what stays open, such as a stream, asks again.
    pub fn revoked(&self, actor: &Actor) -> bool {
        match actor {
            Actor::Key { id } => self.known.read().keys.get(id).is_none_or(|(_, revoked)| *revoked),
            Actor::Person { .. }
            | Actor::Guard { .. }
            | Actor::Ramp { .. }
            | Actor::Schedule { .. }
            | Actor::System => false,
        }
    }
}
