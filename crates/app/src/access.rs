//! App: who is asking, and what they may do. Permission is asked in one function, [`Grant::allows`].

use std::num::NonZeroU32;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use bellwether_ledger::{ApiKey, NewPerson, Person, Role, Scope};
use bellwether_model::{Actor, EnvironmentKey, Millis, ScheduleKey, Span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::App;
use crate::error::{AppError, Refusal};

/// What an operation needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    /// To look.
    View,
    /// To change flags, metrics and experiments.
    Edit,
    /// To manage keys and people.
    Admin,
}

/// What somebody who asks may do: proved by a session or by a key.
#[derive(Debug, Clone)]
pub struct Grant {
    /// Who it is, as the ledger will cite them.
    pub actor: Actor,
    level: Level,
}

#[derive(Debug, Clone)]
enum Level {
    Role(Role),
    Key(Scope, Option<EnvironmentKey>, Option<NonZeroU32>),
}

impl Grant {
    /// Whether this grant may do what needs `permission`. The one place where permission is decided.
    ///
    /// # Errors
    /// `forbidden`, naming who could.
    pub fn allows(&self, permission: Permission) -> Result<(), AppError> {
        let (has, who) = match &self.level {
            Level::Role(Role::Admin) | Level::Key(Scope::Admin, ..) => return Ok(()),
            Level::Role(Role::Editor) => (permission <= Permission::Edit, "an editor"),
            Level::Role(Role::Viewer) => (permission <= Permission::View, "a viewer"),
            Level::Key(Scope::Server, ..) => (false, "a `server` key, which is for SDKs"),
            Level::Key(Scope::Client, ..) => (false, "a `client` key, which is for SDKs"),
        };
        if has {
            return Ok(());
        }
        let needs = match permission {
            Permission::View => "a viewer or an `admin` key",
            Permission::Edit => "an editor or an `admin` key",
            Permission::Admin => "an admin or an `admin` key",
        };
        Err(AppError::new(
            Refusal::Forbidden,
            "forbidden",
            format!("this is not allowed for {who}"),
            format!("ask {needs} to do it"),
        ))
    }

    /// The environment whose rules and events an SDK key opens, and whether it may see rules.
    ///
    /// # Errors
    /// `forbidden` for anything but a `client` or `server` key.
    pub fn sdk(&self) -> Result<SdkGrant, AppError> {
        match &self.level {
            Level::Key(scope @ (Scope::Client | Scope::Server), Some(environment), _) => {
                Ok(SdkGrant { environment: environment.clone(), rules: *scope == Scope::Server })
            }
            _ => Err(AppError::new(
                Refusal::Forbidden,
                "forbidden",
                "this is for SDKs, and the credential is not an SDK key",
                "use a `client` or `server` key, which belongs to one environment",
            )),
        }
    }

    pub(crate) fn of_key(key: ApiKey) -> Self {
        let ApiKey { id, scope, environment, events_per_second, .. } = key;
        Self { actor: Actor::Key { id }, level: Level::Key(scope, environment, events_per_second) }
    }

    /// Who sends events, where this is an SDK's.
    ///
    /// # Errors
    /// `forbidden` for anything but a `client` or `server` key.
    pub(crate) fn sender(self) -> Result<Sender, AppError> {
        let SdkGrant { environment, .. } = self.sdk()?;
        let (Self { actor: Actor::Key { id: key }, level: Level::Key(_, _, rate) }, environment) =
            (self, environment)
        else {
            return Err(AppError::internal("tell who sends", "an SDK's grant is no key's"));
        };
        Ok(Sender { key, environment, rate })
    }

    /// What a scheduled change does was allowed to whoever planned it.
    pub(crate) fn schedule(schedule: ScheduleKey) -> Self {
        Self { actor: Actor::Schedule { schedule }, level: Level::Role(Role::Editor) }
    }

    pub(crate) fn person(id: String, role: Role) -> Self {
        Self { actor: Actor::Person { id }, level: Level::Role(role) }
    }
}

/// What an SDK's key opens.
#[derive(Debug, Clone)]
pub struct SdkGrant {
    /// The environment it belongs to.
    pub environment: EnvironmentKey,
    /// Whether it may have the rules (`server`), or answers only (`client`).
    pub rules: bool,
}

/// Who sends events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sender {
    /// The id of the key, which is not its secret.
    pub(crate) key: String,
    /// The environment that it belongs to.
    pub(crate) environment: EnvironmentKey,
    /// How many events a second it may bring, where that was said.
    pub(crate) rate: Option<NonZeroU32>,
}

/// How long a login lasts without being used up.
pub const SESSION: Span = Span::DAY.times(14);

/// A fresh login: the token goes into an HttpOnly cookie, `csrf` into the page.
#[derive(Debug)]
pub struct Login {
    /// The secret of the session. Only its hash is stored.
    pub token: String,
    /// What the page must send with every change.
    pub csrf: String,
    /// Who it is.
    pub person: PersonView,
}

/// A person, as others may see them.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct PersonView {
    /// Random id.
    pub id: String,
    /// Name.
    pub name: String,
    /// Address.
    pub email: String,
    /// `viewer`, `editor` or `admin`.
    pub role: String,
}

impl PersonView {
    fn of(person: &Person) -> Self {
        Self {
            id: person.id.clone(),
            name: person.name.clone(),
            email: person.email.clone(),
            role: person.role.to_string(),
        }
    }
}

/// The first person's account, made with the setup link.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setup {
    /// The token of the link.
    pub token: String,
    /// Address, used to log in.
    pub email: String,
    /// Name.
    pub name: String,
    /// At least ten characters.
    pub password: String,
}

/// The stored form of a secret with enough entropy of its own: keys, session and setup tokens.
pub(crate) fn digest(secret: &str) -> String {
    hex(&Sha256::digest(secret.as_bytes()))
}

/// Two digits for each byte. Every request of an SDK has some.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |half: u8| char::from(if half < 10 { b'0' + half } else { b'a' - 10 + half });
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        text.push(digit(byte >> 4));
        text.push(digit(byte & 15));
    }
    text
}

impl App {
    /// Makes the first account.
    ///
    /// # Errors
    /// `forbidden` when the link has been used or never was; `bad_input` for an address or a
    /// password that will not do.
    pub fn set_up(&self, setup: &Setup, now: Millis) -> Result<Login, AppError> {
        let email = setup.email.trim();
        if setup.name.trim().is_empty() {
            return Err(AppError::bad_input("the name is empty", "say what others should call you"));
        }
        if setup.password.chars().count() < 10 {
            return Err(AppError::bad_input("the password is too short", "use at least 10 characters"));
        }
        let (who, host) = email.rsplit_once('@').unwrap_or_default();
        if email.len() > 254
            || who.is_empty()
            || host.is_empty()
            || email.chars().any(|c| c.is_whitespace() || c.is_control())
        {
            return Err(AppError::bad_input(
                format!("`{}` is not an e-mail address", email.chars().take(60).collect::<String>()),
                "use one such as `ana@example.com`",
            ));
        }
        let people = self.ledger.people();
        let token = digest(&setup.token);
        // Before the password is hashed: whoever has no link shall not make us work.
        if !people.take_setup(&token)? {
            return Err(AppError::new(
                Refusal::Forbidden,
                "forbidden",
                "this setup link has been used or never was one",
                "log in, or start the server with an empty data directory for a new link",
            ));
        }
        let made = self.first_person(email, setup, now);
        if made.is_err() {
            // Nobody has an account: the link stays good.
            people.set_setup(&token, now)?;
        }
        let person = made?;
        self.begin_session(&person, now)
    }

    fn first_person(&self, email: &str, setup: &Setup, now: Millis) -> Result<Person, AppError> {
        let (id, hash) = (self.random_id()?, self.hash_password(&setup.password)?);
        let (name, role) = (setup.name.trim(), Role::Admin);
        let new = NewPerson { id: &id, email, name, role, password_hash: &hash };
        let person = self.ledger.people().create_person(&new, now)?;
        self.known.person_came(&person.id, &person.name);
        Ok(person)
    }

    /// Opens a session. `from` is the network address that asks.
    ///
    /// # Errors
    /// `unauthenticated`, without telling whether the e-mail address exists; `too_many` to who has
    /// guessed too often.
    pub fn log_in(&self, email: &str, password: &str, from: &str, now: Millis) -> Result<Login, AppError> {
        self.throttle.ask(from, email, now)?;
        let refused = || {
            AppError::new(
                Refusal::Unauthenticated,
                "unauthenticated",
                "the address or the password is wrong",
                "check both; an admin can set a new password",
            )
        };
        let people = self.ledger.people();
        let person = people.person_by_email(email.trim())?;
        // An unknown address costs as much time as a wrong password.
        let stored = person.as_ref().map_or(self.decoy.as_str(), |p| p.password_hash.as_str());
        let parsed = PasswordHash::new(stored).map_err(|e| AppError::internal("check the password", e))?;
        let matches = {
            let _one = self.hashing.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            Argon2::default().verify_password(password.as_bytes(), &parsed).is_ok()
        };
        let Some(person) = person.filter(|_| matches) else {
            self.throttle.failed(from, email, now);
            return Err(refused());
        };
        self.begin_session(&person, now)
    }

    fn begin_session(&self, person: &Person, now: Millis) -> Result<Login, AppError> {
        let (token, csrf) = (self.random_secret()?, self.random_secret()?);
        let until = now.plus(SESSION);
        self.ledger.people().open_session(&digest(&token), &person.id, &csrf, until, now)?;
        Ok(Login { token, csrf, person: PersonView::of(person) })
    }

    /// The stored form of a password. One at a time: each takes 19 MB, and whoever asks for many at
    /// once shall not have the memory of the machine.
    fn hash_password(&self, password: &str) -> Result<String, AppError> {
        let _one = self.hashing.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        hash_password(password)
    }

    /// Ends a session; ending one that does not exist is fine.
    ///
    /// # Errors
    /// `internal` when the ledger cannot be written.
    pub fn log_out(&self, token: &str) -> Result<(), AppError> {
        self.ledger.people().end_session(&digest(token))?;
        Ok(())
    }

    /// Who a session belongs to, with the value that changes must carry.
    ///
    /// # Errors
    /// `unauthenticated` when it has ended or never was.
    pub fn session(&self, token: &str, now: Millis) -> Result<(Grant, String, PersonView), AppError> {
        let people = self.ledger.people();
        let Some(session) = people.session(&digest(token), now)? else {
            return Err(AppError::new(
                Refusal::Unauthenticated,
                "unauthenticated",
                "the session has ended",
                "log in again",
            ));
        };
        let view = PersonView::of(&session.person);
        Ok((Grant::person(session.person.id, session.person.role), session.csrf, view))
    }

    /// Whether nobody has an account yet: then the setup link is the only way in, and logging in is not.
    ///
    /// # Errors
    /// `internal` when the ledger cannot be read.
    pub fn unclaimed(&self) -> Result<bool, AppError> {
        Ok(self.ledger.people().list()?.is_empty())
    }

    /// A new setup link's token, if nobody has an account yet. Each start makes a new one.
    ///
    /// # Errors
    /// `internal` when the ledger cannot be written.
    pub fn offer_setup(&self, now: Millis) -> Result<Option<String>, AppError> {
        if !self.unclaimed()? {
            return Ok(None);
        }
        let token = self.random_secret()?;
        self.ledger.people().set_setup(&digest(&token), now)?;
        Ok(Some(token))
    }
}

/// The stored form of a password: argon2id with the library's recommended cost and a random salt.
pub(crate) fn hash_password(password: &str) -> Result<String, AppError> {
    Argon2::default()
        .hash_password(password.as_bytes())
        .map(|hash| hash.to_string())
        .map_err(|e| AppError::internal("hash the password", e))
}
