//! App: who was enrolled by flags whose enrolment is counted or sticky. What a unit is told is noted before
//! it is told, in memory; once a second what is new goes to the ledger's file, behind the answers.
//!
//! One process serves, so that a limit is kept exactly while it runs. More than the limit can be enrolled for
//! three reasons, and the view of the flag says how many: they were enrolled before the limit was set, or by
//! SDKs that evaluated by themselves until they heard of it, or just before a crash. A crash forgets what was
//! noted in the last second; what was recorded of it, as an exposure or an assignment, is looked up when the
//! memory is opened again.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use bellwether_flags::{Asked, Division, Entry, Line, Memory, Prints, Register, Standing};
use bellwether_ledger::{self as ledger, Enrolled, LedgerError, Page, State};
use bellwether_model::{
    Change, Edit, EnvironmentKey, FlagKey, Millis, Revision, Rollout, RolloutState, Serve, Span, Split,
    Subject, Unit,
};
use bellwether_query::enrolled::{self, Given};
use rustc_hash::FxHashMap;
use sha2::{Digest, Sha256};

use crate::App;
use crate::error::AppError;
use crate::intake::names_nobody;
use crate::serving::{Published, Served};

/// Units that are written at once; a second brings more only to the very busy.
const AT_ONCE: usize = 10_000;
/// A memory that is this young looks again at what is recorded: SDKs that evaluate by themselves may still
/// enroll by older rules, and report it late.
const YOUNG: Span = Span(10 * Span::MINUTE.0);
/// How far back is looked beyond what is known to be in a memory: an answer is noted with the time at which
/// it was asked for.
const MARGIN: Span = Span::MINUTE;
/// How often it is written how far a memory has come, though nothing is new in it.
const MARK: Span = Span(10 * Span::MINUTE.0);

/// What the memories of all flags need.
pub(crate) struct Enrolments {
    secret: String,
    /// What was recorded of a flag whose memory is about to be made.
    prepared: Mutex<Option<Prepared>>,
    swept: Mutex<Option<Millis>>,
}

/// What was recorded of a flag up to a moment.
struct Prepared {
    environment: EnvironmentKey,
    flag: FlagKey,
    salt: String,
    given: Vec<Given>,
    to: Millis,
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
    enrolments: &'a Enrolments,
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
            unit: unit.map(|id| self.enrolments.print(asked.by(), id)),
            device: device.map(|id| self.enrolments.print(Unit::Device, id)),
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
}

impl Served {
    /// What remembers who was enrolled; `notes` says whether what is answered from now on is.
    pub(crate) fn recall<'a>(&'a self, app: &'a App, notes: bool) -> Recall<'a> {
        Recall { registers: &self.registers, enrolments: &app.enrolments, notes }
    }

    /// How many are enrolled by a flag that counts or remembers them.
    pub(crate) fn enrolled(&self, flag: &FlagKey) -> Option<Count> {
        let register = self.registers.0.get(flag)?.read();
        // While a rollout is halted nothing divides, and all who hold a variant are held back.
        let units = match self.ruleset.division(flag.as_str()) {
            Some(division) => register.enrolled(division),
            None => u32::try_from(register.held()).unwrap_or(u32::MAX),
        };
        Some(Count { units, full: register.held() >= Register::MOST })
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

/// Whether a change gives a flag this salt in an environment, or leaves it there.
fn salts(change: &Change, environment: &EnvironmentKey, salt: &str) -> bool {
    let serves = |serve: &Serve| divides(serve).is_some_and(|split| split.salt() == salt);
    match &change.edit {
        Edit::FlagCreated { flag } => flag.settings.get(environment).is_some_and(|s| serves(&s.default)),
        Edit::TargetingReplaced { environment: of, setting, .. } => {
            of == environment && serves(&setting.default)
        }
        Edit::SplitReshared { environment: of, split, .. } => of == environment && split.salt() == salt,
        Edit::RolloutSet { environment: of, rollout, .. } => {
            of == environment && rollout.split.salt() == salt
        }
        _ => false,
    }
}

impl App {
    /// The memories that an environment needs in a state. Those that it has are kept.
    pub(crate) fn registers(
        &self,
        state: &State,
        environment: &EnvironmentKey,
        before: Option<&Served>,
        ruleset: &bellwether_flags::Ruleset,
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
                    let kept = self.open_register(environment, &flag.key, split.salt(), now)?;
                    if let Some(division) = ruleset.division(flag.key.as_str()) {
                        self.take_prepared(environment, &flag.key, &kept, flag.unit, division);
                    }
                    Arc::new(kept)
                }
            };
            registers.0.insert(flag.key.clone(), kept);
        }
        Ok(registers)
    }

    fn open_register(
        &self,
        environment: &EnvironmentKey,
        flag: &FlagKey,
        salt: &str,
        now: Millis,
    ) -> Result<Kept, AppError> {
        let (known, units) = self.ledger.enrolments().open(environment, flag, salt, now)?;
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
        Ok(Kept {
            id: known.id,
            salt: salt.to_owned(),
            made: known.made,
            register: RwLock::new(register),
            marks: Mutex::new(Marks { seen: known.seen, stored: known.seen, behind: true }),
        })
    }

    /// Looks up what is recorded of a flag before its memory is made, which may take a while: whoever changes
    /// something else meanwhile does not wait for it.
    pub(crate) fn prepare_register(
        &self,
        environment: &EnvironmentKey,
        flag: &FlagKey,
        now: Millis,
        cancel: &dyn Fn() -> bool,
    ) -> Result<(), AppError> {
        *self.enrolments.prepared() = None;
        let state = self.ledger.state();
        let Some(known) = state.flags.get(flag).map(|flag| &flag.value) else { return Ok(()) };
        let Some(setting) = known.settings.get(environment) else { return Ok(()) };
        let Some(split) = divides(&setting.default).filter(|_| !setting.enrolment.remembers()) else {
            return Ok(());
        };
        let salt = split.salt().to_owned();
        let from = self.salted(flag, environment, &salt)?;
        let given = self.given(environment, flag, known.unit, from, now, cancel)?;
        let (environment, flag) = (environment.clone(), flag.clone());
        *self.enrolments.prepared() = Some(Prepared { environment, flag, salt, given, to: now });
        Ok(())
    }

    fn take_prepared(
        &self,
        environment: &EnvironmentKey,
        flag: &FlagKey,
        kept: &Kept,
        unit: Unit,
        division: Division<'_>,
    ) {
        let mut prepared = self.enrolments.prepared();
        let fits = |p: &Prepared| p.environment == *environment && p.flag == *flag && p.salt == kept.salt;
        if kept.marks().seen.is_none()
            && let Some(Prepared { given, to, .. }) = prepared.take_if(|prepared| fits(prepared))
        {
            self.sight(kept, unit, division, &given);
            kept.marks().seen = Some(to);
        }
    }

    fn given(
        &self,
        environment: &EnvironmentKey,
        flag: &FlagKey,
        unit: Unit,
        from: Millis,
        to: Millis,
        cancel: &dyn Fn() -> bool,
    ) -> Result<Vec<Given>, AppError> {
        let to = Millis(to.0.saturating_add(1));
        let ask = enrolled::Ask { environment: environment.clone(), flag: flag.clone(), unit, from, to };
        Ok(enrolled::given(&ask, &self.store.snapshot(), cancel)?)
    }

    /// An id and its fingerprint, if it names somebody.
    fn named<'i>(&self, unit: Unit, id: &'i Option<String>) -> Option<(u64, &'i str)> {
        let id = id.as_deref().filter(|id| !names_nobody(id))?;
        Some((self.enrolments.print(unit, id), id))
    }

    /// Takes in who was given what. What somebody was given last is what they have; a device is its first
    /// user's.
    fn sight(&self, kept: &Kept, unit: Unit, division: Division<'_>, given: &[Given]) {
        let mut last: FxHashMap<u64, (&str, &Given)> = FxHashMap::default();
        let mut owned: Vec<(u64, u64)> = Vec::new();
        // In the order of when first.
        for one in given {
            let (unit, device) = (self.named(unit, &one.unit), self.named(Unit::Device, &one.device));
            let Some((who, id)) = unit.or(device.filter(|_| division.by_device())) else { continue };
            last.entry(who)
                .and_modify(|(_, known)| *known = if one.last >= known.last { one } else { known })
                .or_insert((id, one));
            if let (Some((user, _)), Some((device, _))) = (unit, device) {
                owned.push((device, user));
            }
        }
        let mut register = kept.write();
        for (who, (id, one)) in last {
            register.sight(division, (id, who), &one.variant);
        }
        for (device, user) in owned {
            register.own(division, device, user);
        }
    }

    /// When a flag first had a salt in an environment: since then its split says the same of a unit.
    fn salted(&self, flag: &FlagKey, environment: &EnvironmentKey, salt: &str) -> Result<Millis, AppError> {
        let (mut before, mut since): (Option<Revision>, Option<Millis>) = (None, None);
        loop {
            let page = Page { before, limit: 200, about: Some(Subject::Flag(flag.clone())) };
            let changes = self.ledger.changes(&page)?;
            let found = changes.iter().rev().find(|change| salts(change, environment, salt));
            since = found.map(|change| change.at).or(since);
            match changes.last() {
                Some(last) => before = Some(last.revision),
                // A split that no change brought is as old as anything.
                None => return Ok(since.unwrap_or_default()),
            }
        }
    }

    /// Takes into the memories what is recorded and may not be in them: of one that was made, everything
    /// since its salt is there; of one that was opened again, what came after it was last written; of a young
    /// one, what others reported since it last looked.
    ///
    /// # Errors
    /// When events cannot be read; the others are looked at nevertheless.
    pub(crate) fn catch_up(&self, now: Millis) -> Result<(), AppError> {
        let served = self.served.load_full();
        let mut failed = None;
        for (environment, served) in served.environments() {
            for (flag, kept) in &served.registers.0 {
                let Some(division) = served.ruleset.division(flag.as_str()) else { continue };
                let Marks { seen, behind, .. } = *kept.marks();
                let young = now.since(kept.made) < YOUNG && seen.is_none_or(|seen| now.since(seen) >= MARGIN);
                if !(behind || young) {
                    continue;
                }
                let from = match seen {
                    Some(seen) => Ok(Millis(seen.0.saturating_sub_unsigned(MARGIN.0))),
                    None => self.salted(flag, environment, &kept.salt),
                };
                let state = self.ledger.state();
                let unit = state.flags.get(flag).map(|flag| flag.value.unit).unwrap_or_default();
                let given = from.and_then(|from| self.given(environment, flag, unit, from, now, &|| false));
                match given {
                    Ok(given) => {
                        self.sight(kept, unit, division, &given);
                        let mut marks = kept.marks();
                        (marks.seen, marks.behind) = (Some(now), false);
                    }
                    Err(e) => failed = Some(e),
                }
            }
        }
        failed.map_or(Ok(()), Err)
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
        let Marks { seen, stored, behind } = *kept.marks();
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
            *kept.marks() = Marks { seen: mark, stored: mark, behind };
            if !more {
                return Ok(());
            }
        }
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
        let most = u32::try_from(AT_ONCE).unwrap_or(u32::MAX);
        if self.ledger.enrolments().sweep(&keep, most)? < AT_ONCE {
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
