//! Ledger: API keys. These rows are rewritable, and the log cites a key by its id. A secret arrives hashed.

use std::num::NonZeroU32;

use bellwether_model::{Actor, EnvironmentKey, Millis};
use rusqlite::Row;

use crate::error::{LedgerError, refused, unknown};
use crate::ledger::lock;
use crate::people::{People, Scope};

/// An API key. Its secret was shown once and is known to nobody but its owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// A random id, which is not the secret.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// What it may do.
    pub scope: Scope,
    /// Where; `None`, for [`Scope::Admin`] only, is everywhere.
    pub environment: Option<EnvironmentKey>,
    /// How many events a second it may bring; `None` is as many as its environment takes.
    pub events_per_second: Option<NonZeroU32>,
    /// Who made it.
    pub created_by: Actor,
    /// When.
    pub created: Millis,
    /// Since when it is worth nothing.
    pub revoked: Option<Millis>,
}

/// An API key to be.
#[derive(Debug, Clone, Copy)]
pub struct NewKey<'a> {
    /// A random id that has never been used.
    pub id: &'a str,
    /// What people call it.
    pub name: &'a str,
    /// What it may do.
    pub scope: Scope,
    /// Where; `None`, for [`Scope::Admin`] only, is everywhere.
    pub environment: Option<&'a EnvironmentKey>,
    /// How many events a second it may bring; `None` is as many as its environment takes.
    pub events_per_second: Option<NonZeroU32>,
    /// The hash of its secret.
    pub secret_hash: &'a str,
    /// Who makes it.
    pub created_by: &'a Actor,
}

const KEY: &str = "select id, name, scope, environment, created_by, created, revoked, events_per_second
    from api_keys";

impl People<'_> {
    /// Adds an API key.
    ///
    /// # Errors
    /// [`LedgerError::Refused`] if a `client` or `server` key has no environment, or the id or the
    /// secret is in use.
    pub fn create_key(&self, new: &NewKey<'_>, now: Millis) -> Result<ApiKey, LedgerError> {
        if new.environment.is_none() && new.scope != Scope::Admin {
            return Err(refused(
                format!("a `{}` key is for one environment", new.scope),
                "name the environment; only an `admin` key is for all",
            ));
        }
        let created_by = serde_json::to_string(new.created_by)
            .map_err(|_| refused("the maker of this key has no stored form", "name who makes it"))?;
        let environment = new.environment.map(EnvironmentKey::as_str);
        self.write(
            "add a key",
            "insert into api_keys
             (id, name, scope, environment, secret_hash, created_by, created, events_per_second)
             values (?, ?, ?, ?, ?, ?, ?, ?)",
            &[
                &new.id,
                &new.name,
                &new.scope.to_string(),
                &environment,
                &new.secret_hash,
                &created_by,
                &now.0,
                &new.events_per_second.map(NonZeroU32::get),
            ],
            ("this key exists already", "make another id and another secret"),
        )?;
        Ok(ApiKey {
            id: new.id.to_owned(),
            name: new.name.to_owned(),
            scope: new.scope,
            environment: new.environment.cloned(),
            events_per_second: new.events_per_second,
            created_by: new.created_by.clone(),
            created: now,
            revoked: None,
        })
    }

    /// The key with a secret, unless it has been revoked.
    ///
    /// # Errors
    /// [`LedgerError::Storage`].
    pub fn key_by_hash(&self, secret_hash: &str) -> Result<Option<ApiKey>, LedgerError> {
        self.one(&format!("{KEY} where secret_hash = ?1 and revoked is null"), &[&secret_hash], api_key)
    }

    /// Every key, also revoked ones, in the order in which they were made.
    ///
    /// # Errors
    /// [`LedgerError::Storage`].
    pub fn keys(&self) -> Result<Vec<ApiKey>, LedgerError> {
        self.all(&format!("{KEY} order by created, id"), api_key)
    }

    /// Says how many events a second a key may bring from now on.
    ///
    /// # Errors
    /// [`LedgerError::Unknown`] if there is no such key.
    pub fn limit_key(&self, id: &str, events_per_second: Option<NonZeroU32>) -> Result<(), LedgerError> {
        let rate = events_per_second.map(NonZeroU32::get);
        let found = lock(self.writer)
            .execute("update api_keys set events_per_second = ?2 where id = ?1", (id, rate))
            .map_err(LedgerError::storage("limit a key"))?;
        if found == 0 { Err(unknown("key", id)) } else { Ok(()) }
    }

    /// Makes a key worthless from now on. One that already is stays as it was.
    ///
    /// # Errors
    /// [`LedgerError::Unknown`] if there is no such key.
    pub fn revoke_key(&self, id: &str, now: Millis) -> Result<(), LedgerError> {
        let found = lock(self.writer)
            .execute("update api_keys set revoked = coalesce(revoked, ?2) where id = ?1", (id, now.0))
            .map_err(LedgerError::storage("revoke a key"))?;
        if found == 0 { Err(unknown("key", id)) } else { Ok(()) }
    }
}

/// A row as a key; `None` where a word in it is none of ours.
fn api_key(row: &Row<'_>) -> rusqlite::Result<Option<ApiKey>> {
    let Ok(scope) = row.get::<_, String>(2)?.parse() else { return Ok(None) };
    let Ok(created_by) = serde_json::from_str(&row.get::<_, String>(4)?) else { return Ok(None) };
    let Ok(environment) = row.get::<_, Option<String>>(3)?.map(|e| e.parse()).transpose() else {
        return Ok(None);
    };
    Ok(Some(ApiKey {
        id: row.get(0)?,
        name: row.get(1)?,
        scope,
        environment,
        created_by,
        created: Millis(row.get(5)?),
        revoked: row.get::<_, Option<i64>>(6)?.map(Millis),
        events_per_second: row.get::<_, Option<u32>>(7)?.and_then(NonZeroU32::new),
    }))
}
