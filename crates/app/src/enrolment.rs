//! App: who was enrolled by flags whose enrolment is counted or sticky. What a unit is told is noted before
//! it is told, in memory; once a second what is new goes to the ledger's file, behind the answers.
//!
//! One process serves, so that a limit is kept exactly while it runs. More than the limit can be enrolled for
//! three reasons, and the view of the flag says how many: they were enrolled before the limit was set, or by
//! SDKs that evaluated by themselves until they heard of it, or just before a crash. A crash forgets what was
//! noted in the last second; what was recorded of it, as an exposure or an assignment, is looked up when the
//! memory is opened again.

mod recorded;
mod view;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use bellwether_flags::{Asked, Entry, Line, Memory, Prints, Register, Standing};
use bellwether_ledger::{self as ledger, Enrolled, LedgerError, State};
use bellwether_model::plan::Identifiers;
use bellwether_model::{
    EnvironmentKey, FlagKey, Millis, Rollout, RolloutState, Serve, Span, Split, Unit, VariantKey,
};
use rustc_hash::FxHashMap;
use sha2::{Digest, Sha256};

use crate::App;
use crate::error::AppError;
use crate::intake::conceal::is_hash;
use crate::intake::names_nobody;
use crate::serving::{Published, Served};
use recorded::{Prepared, YOUNG};
pub(crate) use view::{EnrolledView, are};

/// Units that are written at once; a second brings more only to the very busy.
const AT_ONCE: usize = 10_000;
/// Units that are taken out at once: nothing is published meanwhile.
const OUT_AT_ONCE: u32 = 2_000;
/// The id of a memory that is not stored.
const NOWHERE: i64 = -1;
/// How often it is written how far a memory has come, though nothing is new in it.
const MARK: Span = Span(10 * Span::MINUTE.0);

/// What the memories of all flags need.
pub(crate) struct Enrolments {
    secret: String,
    /// What was recorded of the flag that whoever holds [`App::editing`] lets remember.
    prepared: Mutex<Option<Prepared>>,
    swept: Mutex<Option<Millis>>,
}

/// The memories of one environment.
#[derive(Debug, Default, Clone)]
pub(crate) struct Registers(FxHashMap<FlagKey, Arc<Kept>>);

/// The memory of one flag in one environment under one salt.
pub(crate) struct Kept {
    id: i64,
    salt: String,
    made: Millis,
    register: RwLock<Register>,
    marks: Mutex<Marks>,
}

/// How far a memory has come.
#[derive(Debug, Clone, Copy)]
struct Marks {
    /// What was recorded before this was looked at.
    seen: Option<Millis>,
    /// The same, as it is stored.
    stored: Option<Millis>,
    /// Whether it was opened and nothing was looked at since.
    behind: bool,
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept").field("id", &self.id).field("salt", &self.salt).finish_non_exhaustive()
    }
}

impl Enrolments {
    pub(crate) fn new(secret: String) -> Self {
        Self { secret, prepared: Mutex::default(), swept: Mutex::default() }
    }

    /// The fingerprint of an id: 64 bits that say nothing of it to who does not have the secret.
    fn print(&self, unit: Unit, id: &str) -> u64 {
        let mut hash = Sha256::new();
        for part in [self.secret.as_str(), unit.attribute(), id] {
            hash.update(part.len().to_le_bytes());
            hash.update(part);
        }
        hash.finalize().first_chunk::<8>().map_or(0, |bytes| u64::from_le_bytes(*bytes))
    }

    fn prepared(&self) -> MutexGuard<'_, Option<Prepared>> {
        self.prepared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The registers of an environment, as an evaluation asks them.
pub(crate) struct Recall<'a> {
    registers: &'a Registers,
    app: &'a App,
    environment: &'a EnvironmentKey,
    /// Whether what is answered is noted.
    notes: bool,
}

impl Memory for Recall<'_> {
    fn stand(&self, asked: &Asked<'_>) -> Option<Standing> {
        let kept = self.registers.0.get(asked.flag()).filter(|kept| kept.salt == asked.salt());
        // An id that names nobody is many, and must not take a device over from one of them.
        let device = asked.device().filter(|id| !names_nobody(id));
        let unit = asked.unit().filter(|id| device.is_none() || !names_nobody(id));
        let prints = Prints {
            unit: unit.map(|id| self.print(kept, asked.by(), id)),
            device: device.map(|id| self.print(kept, Unit::Device, id)),
        };
        match kept {
            Some(kept) => {
                let standing = kept.read().look(asked, prints)?;
                if !self.notes || !standing.is_news() {
                    return Some(standing);
                }
                kept.write().enter(asked, prints)
            }
            // Rules that nobody is served by yet: as they would be at first.
            None if !self.notes => Register::default().look(asked, prints),
            None => None,
        }
    }
}

impl Recall<'_> {
    /// The fingerprint of an id as it is stored, because what is recorded is looked up by that. Who was enrolled before
    /// their environment hashed ids stays so under the id itself.
    fn print(&self, kept: Option<&Arc<Kept>>, unit: Unit, id: &str) -> u64 {
        let print = self.app.enrolments.print(unit, id);
        match self.app.stored_id(self.environment, unit, id) {
            Cow::Owned(hash) if kept.is_none_or(|kept| kept.read().entry(print).is_none()) => {
                self.app.enrolments.print(unit, &hash)
            }
            _ => print,
        }
    }
}

impl Kept {
    fn read(&self) -> std::sync::RwLockReadGuard<'_, Register> {
        self.register.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, Register> {
        self.register.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn marks(&self) -> MutexGuard<'_, Marks> {
        self.marks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many are enrolled, for people to read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Count {
    pub(crate) units: u32,
    /// Whether no more can be remembered.
    pub(crate) full: bool,
    /// Of how many nothing is written yet.
    pub(crate) unwritten: u32,
    /// Until when SDKs that evaluated by older rules are believed whom they enrolled.
    pub(crate) settles: Millis,
}

impl Served {
    /// What remembers who was enrolled; `notes` says whether what is answered from now on is.
    pub(crate) fn recall<'a>(&'a self, app: &'a App, notes: bool) -> Recall<'a> {
        Recall { registers: &self.registers, app, environment: self.ruleset.environment(), notes }
    }

    /// How many are enrolled by a flag that counts or remembers them.
    pub(crate) fn enrolled(&self, flag: &FlagKey) -> Option<Count> {
        let kept = self.registers.0.get(flag)?;
        let register = kept.read();
        let units = register.enrolled();
        let (unwritten, settles) = (register.unstored(), kept.made.plus(YOUNG));
        Some(Count { units, full: units as usize >= Register::MOST, unwritten, settles })
    }
}

/// The split whose units are remembered: also while a rollout is halted, because it can be resumed.
fn divides(serve: &Serve) -> Option<&Split> {
    match serve {
        Serve::Variant { .. }
        | Serve::Rollout { rollout: Rollout { state: RolloutState::Done { .. }, .. } } => None,
        Serve::Split { split } => Some(split),
        Serve::Rollout { rollout } => Some(&rollout.split),
    }
}

impl App {
    /// An id as its environment stores it.
    pub(crate) fn stored_id<'i>(
        &self,
        environment: &EnvironmentKey,
        unit: Unit,
        id: &'i str,
    ) -> Cow<'i, str> {
        match self.judges.load().identifiers(environment, unit) {
            Identifiers::Hash if !is_hash(id) => Cow::Owned(self.pepper.id(id)),
            Identifiers::Hash | Identifiers::Keep => Cow::Borrowed(id),
        }
    }

    /// Whether an environment stores hashes of the ids of a unit.
    pub(crate) fn hashes(&self, environment: &EnvironmentKey, unit: Unit) -> bool {
        self.judges.load().identifiers(environment, unit) == Identifiers::Hash
    }

    /// The memories that an environment needs in a state. Those that it has are kept.
    pub(crate) fn registers(
        &self,
        state: &State,
        environment: &EnvironmentKey,
        before: Option<&Served>,
        now: Millis,
    ) -> Result<Registers, AppError> {
        let mut registers = Registers::default();
        for flag in state.flags.values().map(|flag| &flag.value).filter(|flag| !flag.archived) {
            let Some(setting) = flag.settings.get(environment) else { continue };
            let Some(split) = divides(&setting.default).filter(|_| setting.enrolment.remembers()) else {
                continue;
            };
            let known = before.and_then(|before| before.registers.0.get(&flag.key));
            let kept = match known.filter(|kept| kept.salt == split.salt()) {
                Some(kept) => Arc::clone(kept),
                None => {
                    let kept = self.open_register(environment, &flag.key, split.salt(), now);
                    self.take_prepared(state, environment, &flag.key, &kept)?;
                    // Before anybody is answered by it. It stays behind: what was answered just now is
                    // recorded in a moment.
                    if let Err(error) = self.look_up(state, environment, &flag.key, &kept, now) {
                        let flag = &flag.key;
                        tracing::error!(%environment, %flag, %error, "who was enrolled is not looked up yet");
                    }
                    Arc::new(kept)
                }
            };
            registers.0.insert(flag.key.clone(), kept);
        }
        Ok(registers)
    }

    fn open_register(&self, environment: &EnvironmentKey, flag: &FlagKey, salt: &str, now: Millis) -> Kept {
        // What cannot be read must not keep a flag from being turned off: the memory is made again of what is
        // recorded, and under this id nothing is stored.
        let (known, units) =
            self.ledger.enrolments().open(environment, flag, salt, now).unwrap_or_else(|error| {
                tracing::error!(%environment, %flag, %error, "who was enrolled cannot be read");
                (ledger::Enrolment { id: NOWHERE, made: now, seen: None }, Vec::new())
            });
        let mut register = Register::default();
        for Enrolled { unit, is } in units {
            let entry = match is {
                ledger::Standing::Placed { hash, holds, inherited } => {
                    Entry::Place { hash, holds, inherited }
                }
                ledger::Standing::Owned { by } => Entry::Owner { user: by },
            };
            register.restore(Line { unit, entry });
        }
        Kept {
            id: known.id,
            salt: salt.to_owned(),
            made: known.made,
            register: RwLock::new(register),
            marks: Mutex::new(Marks { seen: known.seen, stored: known.seen, behind: true }),
        }
    }

    /// Stores what the memories have noted.
    ///
    /// # Errors
    /// When the ledger's file cannot be written; what is new stays so and is written the next time.
    pub(crate) fn store_enrolled(&self, now: Millis) -> Result<(), AppError> {
        let served = self.served.load_full();
        let registers = served.environments().flat_map(|(_, served)| served.registers.0.values());
        let failed = registers.filter_map(|kept| self.store_register(kept, now).err()).last();
        Ok(failed.map_or(Ok(()), Err)?)
    }

    /// Stores what the memories have noted that are not asked any more.
    pub(crate) fn store_left(&self, before: &Published, now: Millis) {
        let served = self.served.load();
        let kept: Vec<*const Kept> = served
            .environments()
            .flat_map(|(_, served)| served.registers.0.values().map(Arc::as_ptr))
            .collect();
        let left = before.environments().flat_map(|(_, served)| served.registers.0.values());
        for left in left.filter(|left| !kept.contains(&Arc::as_ptr(left))) {
            if let Err(error) = self.store_register(left, now) {
                tracing::error!(%error, "who was enrolled in the last second is not stored");
            }
        }
    }

    fn store_register(&self, kept: &Kept, now: Millis) -> Result<(), LedgerError> {
        // Held until it is written: of two who store, the later one must not write first.
        let mut marks = kept.marks();
        let Marks { seen, stored, behind } = *marks;
        loop {
            let lines = if kept.read().has_news() { kept.write().take_news(AT_ONCE) } else { Vec::new() };
            let more = kept.read().has_news();
            // What we record of answers is noted before; what others report of theirs is looked up while a
            // memory is young.
            let young = now.since(kept.made) < YOUNG;
            let mark = if young || behind || more { seen } else { Some(now) };
            let late = match (mark, stored) {
                (Some(mark), Some(stored)) => mark.since(stored) >= MARK,
                (mark, stored) => mark != stored,
            };
            if lines.is_empty() && !late {
                return Ok(());
            }
            let units: Vec<Enrolled> = lines.iter().map(row).collect();
            self.ledger
                .enrolments()
                .write(kept.id, &units, mark)
                .inspect_err(|_| kept.write().keep(&lines))?;
            *marks = Marks { seen: mark, stored: mark, behind };
            if !more {
                return Ok(());
            }
        }
    }

    /// Forgets people in every memory of an environment; how many lines of them were stored.
    pub(crate) fn forget_units(
        &self,
        environment: &EnvironmentKey,
        units: &[(Unit, &str)],
    ) -> Result<usize, AppError> {
        let prints: Vec<u64> = units.iter().map(|(unit, id)| self.enrolments.print(*unit, id)).collect();
        // Nobody opens a memory meanwhile, and nobody stores what one has noted.
        let _publishing = self.publishing();
        let served = self.served(environment)?;
        let marks: Vec<_> = served.registers.0.values().map(|kept| kept.marks()).collect();
        for kept in served.registers.0.values() {
            let mut register = kept.write();
            prints.iter().for_each(|print| register.forget(*print));
        }
        let gone = self.ledger.enrolments().forget(environment, &prints)?;
        drop(marks);
        Ok(gone)
    }

    /// By which flags of an environment people are remembered, and with which variant.
    pub(crate) fn remembered(
        &self,
        environment: &EnvironmentKey,
        units: &[(Unit, &str)],
    ) -> Result<Vec<(FlagKey, Option<VariantKey>)>, AppError> {
        let served = self.served(environment)?;
        let mut found: Vec<(FlagKey, Option<VariantKey>)> = Vec::new();
        for (flag, kept) in &served.registers.0 {
            let register = kept.read();
            for (unit, id) in units {
                match register.entry(self.enrolments.print(*unit, id)) {
                    Some(Entry::Place { holds, .. }) => found.push((flag.clone(), holds)),
                    Some(Entry::Owner { .. }) => found.push((flag.clone(), None)),
                    None => {}
                }
            }
        }
        found.sort();
        found.dedup();
        Ok(found)
    }

    /// Forgets who was enrolled by a flag that does not need to know any more: should it again, it begins with
    /// what is recorded.
    pub(crate) fn forget_enrolled(
        &self,
        environment: &EnvironmentKey,
        flag: &FlagKey,
    ) -> Result<(), AppError> {
        Ok(self.ledger.enrolments().retire(environment, flag)?)
    }

    /// Takes out, a bounded number at a time, what is remembered under salts and of flags that do not need it
    /// any more. At most once a minute.
    pub(crate) fn sweep_enrolled(&self, now: Millis) -> Result<(), AppError> {
        let mut swept = self.enrolments.swept.lock().unwrap_or_else(PoisonError::into_inner);
        if swept.is_some_and(|last| now.since(last) < crate::LOOK && now >= last) {
            return Ok(());
        }
        // Nobody opens a memory meanwhile.
        let _publishing = self.publishing();
        let state = self.ledger.state();
        let wanted: BTreeMap<(&str, &str), Option<&str>> = state
            .flags
            .values()
            .flat_map(|flag| {
                flag.value.settings.iter().map(|(environment, s)| (environment, &flag.value.key, s))
            })
            .filter(|(.., setting)| setting.enrolment.remembers())
            .map(|(environment, flag, setting)| {
                ((environment.as_str(), flag.as_str()), divides(&setting.default).map(Split::salt))
            })
            .collect();
        let keep = |environment: &str, flag: &str, salt: &str| match wanted.get(&(environment, flag)) {
            // Nothing divides now; it may again.
            Some(None) => true,
            Some(Some(now)) => *now == salt,
            None => false,
        };
        if self.ledger.enrolments().sweep(&keep, OUT_AT_ONCE)? < OUT_AT_ONCE as usize {
            *swept = Some(now);
        }
        Ok(())
    }
}

fn row(line: &Line) -> Enrolled {
    let is = match &line.entry {
        Entry::Place { hash, holds, inherited } => {
            ledger::Standing::Placed { hash: *hash, holds: holds.clone(), inherited: *inherited }
        }
        Entry::Owner { user } => ledger::Standing::Owned { by: *user },
    };
    Enrolled { unit: line.unit, is }
}
