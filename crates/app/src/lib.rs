//! App: what Bellwether does. Operations, permissions, intake, answers to SDKs, guards.
//!
//! This room promises that everything that can be asked is asked here, once, whichever door it came
//! through; that nothing here asks a clock or opens a socket, so that a test can live through ninety
//! days; and that a change is only ever made through the ledger. The doors themselves are in `server`.

mod access;
mod advice;
mod arrivals;
mod backup;
mod bounds;
mod drift;
mod due;
mod enrolment;
mod entropy;
mod error;
mod exposure;
mod guard;
mod intake;
mod known;
mod names;
mod operation;
mod personal;
mod quarantine;
mod recognise;
mod retention;
mod secret;
mod serving;
mod throttle;
mod token;
mod view;
mod violations;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use bellwether_ledger::{Ledger, Proposed};
use bellwether_model::event::Taken;
use bellwether_model::{Actor, Edit, Environment, Millis, Seq, Span};
use bellwether_store::{Settings as StoreSettings, Store, Ticket};
use sha2::{Digest, Sha256};

/// An Amplitude user as a context.
pub use bellwether_flags::amplitude::context as amplitude_context;
pub use bounds::fits;

pub use backup::Backup;

pub use access::{Grant, Login, Permission, PersonView, SESSION, SdkGrant, Setup};
pub use bellwether_store::{Outcome as Settled, Recovery};
pub use entropy::Entropy;
pub use error::{AppError, Refusal};
pub use exposure::Track;
pub use guard::Halted;
pub use intake::door::{Body, Call, Door, Reply, Sent, Voice};
pub use intake::json::sdk_json;
pub use intake::once::OnceJson;
pub use intake::rates::Rates;
pub use intake::taking::{Begun, Outcome, Rest};
pub use operation::{
    Argument, Cancel, Class, Ctx, Effect, Entry, Method, Progress, REGISTRY, arguments, find, from_text,
    is_share, openapi, plain_text,
};
pub use serving::{Answer, Served};

/// Called after each change that SDKs must hear of. It must return at once.
pub type Wake = Box<dyn Fn() + Send + Sync>;

/// How an app is opened.
pub struct Settings {
    /// The directory that holds everything.
    pub data: PathBuf,
    /// Where backups are made.
    pub backups: PathBuf,
    /// How the event store behaves.
    pub store: StoreSettings,
    /// How many events are taken of whom.
    pub rates: Rates,
    /// Where ids and secrets come from.
    pub entropy: Entropy,
    /// Whether another key is made for personal values where the one that they were hashed with is not there any more.
    /// Who was hashed before is then nobody who comes again.
    pub new_personal_key: bool,
    /// Called after each change that SDKs must hear of.
    pub wake: Wake,
}

impl Settings {
    /// The usual settings for a directory.
    pub fn new(data: &Path, wake: Wake) -> Self {
        Self {
            data: data.to_owned(),
            backups: data.join("backups"),
            store: StoreSettings::default(),
            rates: Rates::default(),
            entropy: Entropy::System,
            new_personal_key: false,
            wake,
        }
    }
}

/// Bellwether, without its doors.
pub struct App {
    ledger: Ledger,
    store: Store,
    backups: PathBuf,
    backing_up: Mutex<()>,
    entropy: Entropy,
    wake: Wake,
    served: ArcSwap<serving::Published>,
    publishing: Mutex<()>,
    exposures: exposure::Queue,
    enrolments: enrolment::Enrolments,
    known: known::Known,
    rates: intake::rates::Meter,
    paces: intake::bots::Paces,
    judges: ArcSwap<intake::judge::Judges>,
    violations: violations::Violations,
    quarantine: quarantine::Quarantine,
    scanner: personal::Scanner,
    drifts: drift::Drifts,
    arrivals: arrivals::Arrivals,
    throttle: throttle::Throttle,
    hashing: Mutex<()>,
    editing: Mutex<()>,
    guards: Mutex<guard::Watch>,
    going: retention::Going,
    waits: Mutex<due::Waits>,
    decoy: String,
    stream: token::StreamSecret,
    personal_key: secret::PersonalKey,
    pepper: intake::conceal::Pepper,
}

/// What one round of maintenance did.
#[derive(Debug, Default)]
pub struct Stepped {
    /// Rollouts that their guard halted.
    pub halted: Vec<Halted>,
    /// Scheduled changes that were made.
    pub made: u64,
    /// Scheduled changes that what was there did not allow.
    pub refused: u64,
    /// Steps of ramps that were taken.
    pub taken: u64,
    /// Events that were sealed into a part.
    pub sealed: u64,
}

impl App {
    /// Opens a data directory, or makes one. The first time, the environments `production` and
    /// `development` are created.
    ///
    /// # Errors
    /// When the directory cannot be used, is in use, or holds what should not be there.
    pub fn open(settings: Settings, now: Millis) -> Result<(Self, Recovery), AppError> {
        let Settings { data, backups, store, rates, entropy, new_personal_key, wake } = settings;
        let unusable = |e: std::io::Error| AppError::internal("use the data directory", e);
        let mut make = std::fs::DirBuilder::new();
        // What is in it (hashes of passwords, what people did) is nobody else's business.
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut make, 0o700);
        make.recursive(true).create(&data).map_err(unusable)?;
        let ledger = Ledger::open(&data.join("ledger.sqlite"))?;
        let known = store.dedupe;
        let (store, recovery) = Store::open(&data.join("events"), store)?;
        let enrolled = ledger.enrolments().secret(&entropy.text(43)?)?;
        // A hash of nothing anybody knows: an unknown address is checked against it.
        let decoy = access::hash_password(&entropy.text(32)?)?;
        let stream = token::StreamSecret::open(&data, &entropy)?;
        // A server that marks its key makes this file, too.
        let empty = data.join(QUARANTINE).metadata().map_or(true, |file| file.len() == 0);
        if empty && ledger.personal_key_mark()?.is_some() {
            tracing::error!(
                "`{QUARANTINE}` is missing or empty: what was kept apart is lost, unless the file comes from a backup"
            );
        }
        // Nobody else makes one now: the store is ours alone.
        let personal_key = secret::PersonalKey::open(&data, &ledger, &entropy, new_personal_key)?;
        let app = Self {
            served: ArcSwap::from_pointee(serving::Published::default()),
            publishing: Mutex::new(()),
            exposures: exposure::Queue::default(),
            enrolments: enrolment::Enrolments::new(enrolled),
            known: known::Known::load(&ledger.people())?,
            paces: intake::bots::Paces::new(rates.bot),
            rates: intake::rates::Meter::new(rates),
            judges: ArcSwap::default(),
            violations: violations::Violations::new(now),
            quarantine: quarantine::Quarantine::open(&data.join(QUARANTINE), known, recovery.seq)?,
            scanner: personal::Scanner::default(),
            drifts: drift::Drifts::default(),
            arrivals: arrivals::Arrivals::new(now),
            throttle: throttle::Throttle::default(),
            hashing: Mutex::default(),
            editing: Mutex::default(),
            guards: Mutex::default(),
            going: retention::Going::default(),
            waits: Mutex::default(),
            decoy,
            stream,
            pepper: intake::conceal::Pepper::new(personal_key.bytes())?,
            personal_key,
            ledger,
            store,
            backups,
            backing_up: Mutex::default(),
            entropy,
            wake,
        };
        if app.ledger.state().environments.is_empty() {
            for (key, name, production) in
                [("production", "Production", true), ("development", "Development", false)]
            {
                let environment = Environment {
                    key: key.parse()?,
                    name: name.to_owned(),
                    production,
                    bucketing: Default::default(),
                };
                app.propose(
                    Proposed {
                        by: Actor::System,
                        why: "the environments that every installation begins with".to_owned(),
                        edit: Edit::EnvironmentCreated { environment },
                        expect: None,
                        lists: Vec::new(),
                    },
                    now,
                )?;
            }
        }
        app.publish(now)?;
        // Before anybody is answered: who was enrolled before a crash stays so.
        app.catch_up(now)?;
        // Before anything is taken, which would be later than what it has to know. The next round tries again.
        if let Err(error) = app.finish_release(now) {
            tracing::warn!(
                cause = error.cause,
                "whether a release from quarantine was cut off could not be read"
            );
        }
        Ok((app, recovery))
    }

    /// Held from reading what an edit is derived from until it is applied: two people who widen one
    /// split, or a person who widens what a guard is halting, follow each other.
    pub(crate) fn editing(&self) -> MutexGuard<'_, ()> {
        self.editing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a change into the ledger and, before it returns, in front of the SDKs.
    fn propose(&self, proposed: Proposed, now: Millis) -> Result<bellwether_model::Change, AppError> {
        let change = self.ledger.apply(proposed, now).map_err(|e| self.refused(e))?;
        self.publish(now)?;
        (self.wake)();
        Ok(change)
    }

    /// Waits for nothing: makes every event that was taken so far durable and visible, with one
    /// fsync. Tickets up to the returned number are settled.
    ///
    /// # Errors
    /// When the disk refuses; nothing of what waited was stored. Exposures of our own go on waiting.
    pub fn commit(&self) -> Result<Seq, AppError> {
        let flight = self.exposures.hand_over(&self.store);
        let committed = self.store.commit();
        self.exposures.land(&self.store, flight, |environment| self.arrivals.recorded(environment));
        Ok(committed?)
    }

    /// Whether [`App::commit`] has something to do.
    pub fn waiting(&self) -> bool {
        self.store.pending() || self.exposures.waiting()
    }

    /// Whether so much was committed that [`App::step`] should not wait for its time.
    pub fn is_due(&self) -> bool {
        self.store.is_due()
    }

    /// How far sealing is behind what comes, from 0 to 1, where events are refused.
    pub fn pressure(&self) -> f64 {
        self.store.pressure()
    }

    /// How what a door waits for stands. Where it is lost, nothing of the request is in the quarantine either.
    pub fn settled(&self, waiting: &Waiting) -> Settled {
        let settled = match (self.store.outcome(&waiting.ticket), &waiting.copies) {
            (Settled::Committed, Some(copies)) => self.store.outcome(copies),
            (settled, _) => settled,
        };
        if let (Settled::Lost, Some(held)) = (settled, &waiting.held) {
            self.quarantine.take_back(held);
        }
        settled
    }

    /// A bounded round of maintenance: lets the guards look, at most once a minute, serves what was changed
    /// and could not be served then, makes the scheduled changes and takes the steps of ramps that are due,
    /// stores who was enrolled, seals events into parts, and removes what is past its time.
    ///
    /// # Errors
    /// When events or the ledger cannot be read or written; the next round tries again.
    pub fn step(&self, now: Millis) -> Result<Stepped, AppError> {
        // Guards first: what they halt takes no step. A disk that cannot be sealed to must keep nothing
        // from happening, and what could not be changed or stored must not keep the others from it.
        let mut stepped = Stepped { halted: self.watch(now)?, ..Stepped::default() };
        let shown = self.publish_late(now);
        let due = self.take_due(now, &mut stepped);
        let remembered = self.remember(now);
        let settled = self.quarantine.take_back_left().and(self.finish_release(now));
        let expired = settled.and_then(|()| self.expire(now));
        stepped.sealed = self.store.step(now)?.sealed;
        shown.and(due).and(remembered).and(expired).map(|()| stepped)
    }

    /// Looks at what came: for personal data in a sample of it, every ten minutes, and once a day for drift. It reads, and
    /// takes longer the more there is; nothing waits for it.
    ///
    /// # Errors
    /// When events cannot be read; the next time tries again.
    pub fn look_around(&self, now: Millis, cancel: &dyn Fn() -> bool) -> Result<(), AppError> {
        self.look_for_personal_data(now)?;
        for environment in self.ledger.state().environments.keys() {
            self.judge_drift(environment, now, false, cancel)?;
        }
        Ok(())
    }

    /// Stores who was enrolled since this was last done, which [`App::step`] does, too: for whoever stops.
    ///
    /// # Errors
    /// When the ledger cannot be written, or events not be read; the next round tries again.
    pub fn remember(&self, now: Millis) -> Result<(), AppError> {
        let caught_up = self.catch_up(now);
        self.store_enrolled(now)?;
        caught_up?;
        self.sweep_enrolled(now)
    }

    /// A short name of parts: the same parts have the same name, others have others.
    pub fn name_of(&self, parts: &[&[u8]]) -> String {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update(part.len().to_le_bytes());
            hash.update(part);
        }
        access::hex(hash.finalize().get(..16).unwrap_or_default())
    }

    /// A random id for something that is cited in the ledger.
    fn random_id(&self) -> Result<String, AppError> {
        self.entropy.text(16)
    }

    /// A secret with 190 bits of entropy.
    fn random_secret(&self) -> Result<String, AppError> {
        self.entropy.text(32)
    }

    /// Checks a data directory without changing it: ledger, events, quarantine, and the key of personal values; `deep` decodes every stored event, too.
    ///
    /// # Errors
    /// When it cannot be read at all, or a server has it open; what is wrong inside is in the report.
    pub fn doctor(data: &Path, deep: bool) -> Result<Checkup, AppError> {
        let ledger = match Ledger::doctor(&data.join("ledger.sqlite")) {
            Ok(ledger) => ledger,
            Err(error) => {
                // What the copy of a backup lost says more than that this cannot be read.
                let findings = if backup::is_one(data) { backup::lost(data, false)? } else { Vec::new() };
                if findings.is_empty() {
                    return Err(error.into());
                }
                return Ok(Checkup { facts: Vec::new(), notes: Vec::new(), findings });
            }
        };
        let events = data.join("events");
        let store = if !["LOCK", "parts", "wal"].iter().all(|part| events.join(part).exists()) {
            // What is missing is among what was lost.
            bellwether_store::Report::default()
        } else if deep {
            Store::doctor_deep(&events)?
        } else {
            Store::doctor(&events)?
        };
        let lost = backup::lost(data, ledger.personal_key_mark.is_some())?;
        let quarantine = data.join(QUARANTINE);
        let (held, wrong) = if quarantine.is_file() {
            // What a copy lost says more than why it cannot be read.
            bellwether_ledger::Quarantine::doctor(&quarantine)
                .unwrap_or_else(|error| (0, vec![error.to_string()]))
        } else {
            (0, Vec::new())
        };
        let key = secret::PersonalKey::doctor(data, ledger.personal_key_mark.as_deref())?;
        let findings =
            lost.into_iter().chain(ledger.findings.iter().map(|f| format!("ledger: {f}"))).chain(key);
        let findings = findings.chain(wrong.iter().map(|f| format!("quarantine: {f}")));
        Ok(Checkup {
            facts: vec![
                format!("ledger: {} changes, {} snapshots", ledger.changes, ledger.snapshots),
                format!(
                    "events: {} in {} parts, {} in {} log files",
                    store.part_events, store.parts, store.log_events, store.logs
                ),
                format!("quarantine: {held} events"),
            ],
            notes: store.notes.iter().map(|n| format!("events: {n}")).collect(),
            findings: findings.chain(store.findings.iter().map(|f| format!("events: {f}"))).collect(),
        })
    }
}

/// What a check of a data directory found, a sentence each.
#[derive(Debug)]
pub struct Checkup {
    /// What is there.
    pub facts: Vec<String>,
    /// What a crash left and the next start cleans up.
    pub notes: Vec<String>,
    /// What is wrong; empty if all is well.
    pub findings: Vec<String>,
}

/// What a door waits for after it has handed in events.
#[derive(Debug)]
pub struct Waiting {
    ticket: Ticket,
    /// Copies of what belongs into the quarantine, stored and not on disk yet.
    copies: Option<Ticket>,
    /// What the same request put into the quarantine.
    held: Option<quarantine::Fresh>,
}

impl Waiting {
    /// Once so much is committed it is known how this stands.
    pub fn seq(&self) -> Seq {
        self.copies.as_ref().map_or(self.ticket.seq, |copies| self.ticket.seq.max(copies.seq))
    }

    /// What of its events is new to the store.
    pub fn taken(&self) -> Taken {
        self.ticket.taken
    }
}

/// The file of what is kept apart.
pub(crate) const QUARANTINE: &str = "quarantine.sqlite";

/// How often guards look.
pub(crate) const LOOK: Span = Span::MINUTE;
