//! Sim: a storm. A store is used as a server uses it, on a disk that fails in every way it may, and after each
//! failure it must hold what the model says.

mod backup;
mod columns;
mod expire;
mod forget;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bellwether_columns::{Ids, Known, PropertyName, Rows, Scan, Want};
use bellwether_model::{EnvironmentKey, Millis, Span};
use bellwether_query::segmentation::{self, Measure, Segmentation, Unit};
use bellwether_store::disk::Disk;
use bellwether_store::{Past, Settings, Snapshot, Store, StoreError};
use jiff::civil::date;

use crate::disk::{NO_POWER, SimDisk};
use crate::model::{Model, Moment, Verdict};
use crate::random::Random;
use crate::reading::{everything, keys};
use crate::sent::event;
use crate::told::Told;

const DAY: i64 = Span::DAY.0 as i64;
const DIR: &str = "/data/events";

pub(crate) fn production() -> EnvironmentKey {
    // A key that is well-formed: the other arm is never taken.
    "production".parse().unwrap_or_else(|_| staging())
}

pub(crate) fn staging() -> EnvironmentKey {
    #[allow(clippy::expect_used)]
    "staging".parse().expect("a key")
}

/// Where the power goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Power {
    /// Now and then.
    Random,
    /// Once, in this operation of the disk.
    At(u64),
    /// Never.
    Stays,
}

/// Runs the storm of a seed. The same seed is the same storm.
///
/// # Errors
/// What did not hold: the id of the promise, and how it was broken.
pub fn storm(seed: u64, power: Power) -> Result<Told, String> {
    let mut random = Random::new(seed);
    let disk = SimDisk::new(random.next());
    let settings = Settings {
        seal_rows: 1 + random.place(24),
        merge_rows: 200,
        step_rows: 1 + random.place(60),
        dedupe_bytes: if random.once_in(4) { 0 } else { 1 << 20 },
        seal_age: Span::DAY.times(9_999),
        reserve: 4_096,
        // Of seeds that broke nothing before there were checkpoints.
        checkpoint_bytes: if matches!(seed % 7, 2 | 6) { 5_000 } else { u64::MAX },
        ..Settings::default()
    };
    if let Power::At(operation) = power {
        disk.cut_after(Some(operation), true);
    }
    let expires = seed % 4 == 2;
    let tells = matches!(seed % 20, 10 | 14);
    let mut storm = Storm {
        // Seeds that broke something before there was forgetting are odd, and stay what they were.
        forgets: (seed.is_multiple_of(2) && !(tells && power != Power::Random)).then(|| Random::new(!seed)),
        tells,
        // For the same reason only some of these.
        expires: expires.then(|| Random::new(!seed.rotate_left(7))),
        past: Past::default(),
        loses: Random::new(seed.rotate_left(7)),
        acts: random.apart(),
        shared: Arc::new(Mutex::new(Shared {
            model: if expires { Model::with_passing(tells) } else { Model::default() },
            truly: 1_000 * DAY,
            ahead: 0,
            store: None,
            random: random.apart(),
            broken: None,
            between: 0,
        })),
        disk,
        settings,
        power,
        store: None,
        readers: Vec::new(),
        jumps: 0,
        told: Told::default(),
    };
    storm.run()?;
    let mut told = storm.told;
    told.acknowledged = storm.shared().model.acknowledged;
    told.between = storm.shared().between;
    Ok(told)
}

/// What others see who act in between.
struct Shared {
    model: Model,
    truly: i64,
    /// How far the clock is ahead of the truth.
    ahead: i64,
    store: Option<Arc<Store>>,
    random: Random,
    broken: Option<String>,
    between: u64,
}

struct Storm {
    acts: Random,
    forgets: Option<Random>,
    expires: Option<Random>,
    /// Whether what passes tells something of somebody.
    tells: bool,
    /// What was past its time when that was last asked.
    past: Past,
    loses: Random,
    shared: Arc<Mutex<Shared>>,
    disk: SimDisk,
    settings: Settings,
    power: Power,
    store: Option<Arc<Store>>,
    /// Snapshots that are held, and what they held when they were taken.
    readers: Vec<(Snapshot, Vec<String>)>,
    jumps: u32,
    told: Told,
}

fn guard(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Storm {
    fn shared(&self) -> MutexGuard<'_, Shared> {
        guard(&self.shared)
    }

    fn dir() -> &'static Path {
        Path::new(DIR)
    }

    fn run(&mut self) -> Result<(), String> {
        let acts = 20 + self.acts.below(180);
        for _ in 0..acts {
            let Some(store) = self.store.clone() else {
                self.open()?;
                continue;
            };
            if self.power == Power::Random && self.acts.once_in(40) {
                self.disk.cut_after(Some(self.acts.below(40)), self.acts.once_in(2));
            }
            let forgets = self.forgets.as_mut().is_some_and(|forgets| forgets.once_in(25));
            let expires = self.expires.as_mut().is_some_and(|expires| expires.once_in(8));
            let done = match (forgets, expires) {
                (true, _) => self.forget(&store),
                (_, true) => self.expire(&store),
                _ => self.act(&store),
            };
            let broken = self.shared().broken.take();
            drop(store);
            let off = self.disk.is_off();
            for why in done.err().into_iter().chain(broken) {
                // What was being read when the power went is no answer, right or wrong.
                if !(off && why.contains(NO_POWER)) {
                    return Err(why);
                }
            }
            if off {
                self.restart();
            }
        }
        // In the end the weather is fair, and life goes on.
        self.told.operations = self.disk.operations();
        self.power = Power::Stays;
        self.disk.set_capacity(None);
        self.disk.set_failing(None);
        self.disk.cut_after(None, false);
        self.restart();
        self.open()?;
        let Some(store) = self.store.clone() else {
            return Err("P1: it does not open in fair weather".to_owned());
        };
        self.append(&store)?;
        self.commit(&store)?;
        store.flush().map_err(|e| format!("P1: it does not seal in fair weather: {e}"))?;
        self.read(&store)?;
        self.forget_all(&store)?;
        self.expire_all(&store)?;
        drop(store);
        self.restart();
        let report =
            Store::doctor_on(Arc::new(self.disk.clone()), Self::dir(), true).map_err(|e| e.to_string())?;
        // What the clock's jumps made new again is told, and is no damage.
        let findings: Vec<&String> = report.findings.iter().filter(|f| !f.contains("taken again")).collect();
        if findings.is_empty() {
            self.damage(report.findings.len())
        } else {
            Err(format!("P2: {findings:?}"))
        }
    }

    /// One bit of one file turns over: the doctor sees it, or nothing is lost by it.
    fn damage(&mut self, told: usize) -> Result<(), String> {
        let disk: Arc<dyn Disk> = Arc::new(self.disk.clone());
        let mut files = Vec::new();
        for dir in [Self::dir().to_owned(), Self::dir().join("wal"), Self::dir().join("parts")] {
            files.extend(disk.list(&dir).map_err(|e| e.to_string())?);
        }
        let is_checkpoint = |file: &PathBuf| file.extension().is_some_and(|e| e == "jsonl");
        self.told.checkpoints += files.iter().filter(|file| is_checkpoint(file)).count() as u64;
        let Some(file) = files.get(self.acts.place(files.len())) else { return Ok(()) };
        if !self.disk.flip(file) {
            return Ok(());
        }
        let report = Store::doctor_on(Arc::clone(&disk), Self::dir(), true).map_err(|e| e.to_string())?;
        if report.findings.len() > told || !report.notes.is_empty() {
            self.told.damaged += 1;
            return Ok(());
        }
        let (store, _) = Store::open_on(disk, Self::dir(), self.settings.clone()).map_err(|e| {
            format!("W3: damage to `{}` is seen at a start and not by the doctor: {e}", file.display())
        })?;
        let found = everything(&store.snapshot())?;
        let checked = self.shared().model.check(found, false);
        checked.map_err(|why| format!("W3: damage to `{}` is not seen: {why}", file.display()))
    }

    fn act(&mut self, store: &Arc<Store>) -> Result<(), String> {
        match self.acts.below(26) {
            0..7 => self.append(store),
            7..13 => self.commit(store),
            13..18 => self.step(store),
            18 => {
                self.shared().truly += i64::try_from(self.acts.below(20)).unwrap_or(0) * DAY / 24;
                Ok(())
            }
            19 => {
                if self.jumps < 6 {
                    self.jumps += 1;
                    let ahead = i64::try_from(self.acts.below(40)).unwrap_or(0) - 20;
                    self.shared().ahead = ahead * 2 * DAY;
                }
                Ok(())
            }
            20 => {
                self.weather();
                Ok(())
            }
            21 => self.read(store),
            22 if self.acts.once_in(3) => {
                self.restart();
                Ok(())
            }
            22..24 => self.backup(store),
            _ => self.readers(),
        }
    }

    /// The disk is full, or has room; syncs fail, or work.
    fn weather(&mut self) {
        let used = self.disk.used();
        self.disk.set_capacity(self.acts.once_in(3).then(|| used + self.acts.below(40_000)));
        self.disk.set_failing(self.acts.once_in(3).then(|| 2 + self.acts.below(5)));
    }

    /// Ends the process, and the machine with it where the power went.
    fn restart(&mut self) {
        self.disk.set_between(None);
        self.readers.clear();
        self.shared().store = None;
        self.store = None;
        self.shared().model.ended();
        if self.disk.restart() {
            self.told.power_cuts += 1;
        } else {
            self.told.kills += 1;
        }
        self.lose_columns();
        // The power still goes when it was to, however often the process ended before.
        if let (Power::At(operation), 0) = (self.power, self.told.power_cuts)
            && let Some(more) = operation.checked_sub(self.disk.operations())
        {
            self.disk.cut_after(Some(more), true);
        }
    }

    fn open(&mut self) -> Result<(), String> {
        if self.power == Power::Random && self.acts.once_in(4) {
            self.disk.cut_after(Some(self.acts.below(12)), self.acts.once_in(2));
        }
        match Store::open_on(Arc::new(self.disk.clone()), Self::dir(), self.settings.clone()) {
            Ok((store, _)) => {
                let store = Arc::new(store);
                let found = everything(&store.snapshot())?;
                self.shared().model.check(found, true)?;
                self.shared().store = Some(Arc::clone(&store));
                self.store = Some(store);
                let shared = Arc::clone(&self.shared);
                self.disk.set_between(Some(Box::new(move || between(&shared))));
                Ok(())
            }
            Err(_) if self.disk.is_off() => {
                self.restart();
                Ok(())
            }
            // A full disk or a sync that fails: it is tried again when the weather is fair.
            Err(StoreError::Storage { .. }) => {
                self.disk.set_capacity(None);
                self.disk.set_failing(None);
                self.restart();
                Ok(())
            }
            Err(error) => Err(format!("W3: what a crash left is taken for damage: {error}")),
        }
    }

    fn append(&mut self, store: &Arc<Store>) -> Result<(), String> {
        append(&mut self.shared(), store)
    }

    fn commit(&mut self, store: &Arc<Store>) -> Result<(), String> {
        let committed = store.commit();
        let off = self.disk.is_off();
        if committed.is_err() {
            self.told.refused += 1;
        }
        if !off || committed.is_ok() {
            self.shared().model.settle(&|ticket| store.outcome(ticket))?;
        }
        if off { Ok(()) } else { self.holds(store) }
    }

    fn step(&mut self, store: &Arc<Store>) -> Result<(), String> {
        let now = {
            let shared = self.shared();
            Millis(shared.truly + shared.ahead)
        };
        let stepped = if self.acts.once_in(3) { store.flush() } else { store.step(now) };
        if let Ok(step) = stepped {
            self.told.sealed += step.sealed;
            self.told.merged += step.merged as u64;
        }
        if self.disk.is_off() { Ok(()) } else { self.holds(store) }
    }

    /// What can be read is what was answered.
    fn holds(&mut self, store: &Arc<Store>) -> Result<(), String> {
        let snapshot = store.snapshot();
        let (surely, perhaps) = {
            let shared = self.shared();
            (shared.model.len() - shared.model.passed(), shared.model.len())
        };
        if snapshot.is_whole() && !(surely..=perhaps).contains(&snapshot.len()) {
            return Err("W1: there are more events than were answered, or fewer".to_owned());
        }
        if !self.acts.once_in(8) {
            return Ok(());
        }
        let found = everything(&snapshot)?;
        self.shared().model.check(found, false)
    }

    /// Questions, answered as a plain list would answer them.
    fn read(&mut self, store: &Arc<Store>) -> Result<(), String> {
        let snapshot = store.snapshot();
        if self.expires.is_some() {
            // Which of those that may be gone are.
            let found = everything(&snapshot)?;
            self.shared().model.check(found, false)?;
        }
        let oracle = Rows::new(self.shared().model.told(), snapshot.seq());
        let truly = self.shared().truly;
        let from = truly - i64::try_from(self.acts.below(30)).unwrap_or(0) * DAY;
        let want = Want {
            environment: if self.acts.once_in(3) { staging() } else { production() },
            events: self.acts.once_in(2).then(|| vec!["buy".to_owned()]),
            from: Millis(from),
            to: Millis(from + i64::try_from(self.acts.below(40)).unwrap_or(0) * DAY),
            properties: ["price", "any", "odd", "user.plan", "user.any"].map(PropertyName::parse).to_vec(),
            ids: if self.acts.once_in(2) { Ids::People(Known::Now) } else { Ids::Came },
        };
        self.same_rows(&snapshot, &oracle, &want)?;
        let asked = Segmentation {
            environment: production(),
            event: "visit".into(),
            measure: if self.acts.once_in(2) { Measure::Totals } else { Measure::Uniques },
            unit: if self.acts.once_in(4) { Unit::Group("company".to_owned()) } else { Unit::People },
            from: date(1972, 7, 1),
            to: date(1972, 12, 31),
            zone: "UTC".into(),
            filters: Vec::new(),
            by: self.acts.once_in(2).then(|| "page".to_owned()),
            bots: true,
            limit: 5,
        };
        let answer = |scan: &dyn Scan| {
            segmentation::run(&asked, Millis(truly), scan, &|| false)
                .map(|a| format!("{a:?}"))
                .map_err(|e| e.to_string())
        };
        if answer(&snapshot)? != answer(&oracle)? {
            return Err("Q1: a count is not that of a plain list".to_owned());
        }
        let held = keys(everything(&snapshot)?);
        if self.readers.len() < 3 {
            self.readers.push((snapshot, held));
        }
        Ok(())
    }

    /// Snapshots that were taken before read as they did.
    fn readers(&mut self) -> Result<(), String> {
        for (snapshot, held) in std::mem::take(&mut self.readers) {
            self.told.reread += 1;
            if keys(everything(&snapshot)?) != held {
                return Err("P1: a snapshot reads otherwise than it did".to_owned());
            }
            if self.acts.once_in(2) {
                self.readers.push((snapshot, held));
            }
        }
        Ok(())
    }
}

/// Others act, in the midst of an operation of the disk: they send events, and they read.
fn between(shared: &Mutex<Shared>) {
    let mut shared = guard(shared);
    if !shared.random.once_in(6) {
        return;
    }
    let Some(store) = shared.store.clone() else { return };
    shared.between += 1;
    let done = if shared.random.once_in(2) {
        append(&mut shared, &store)
    } else {
        // Nothing is promised of what is being committed right now: only that it reads.
        everything(&store.snapshot()).map(drop)
    };
    if let Err(broken) = done {
        shared.broken.get_or_insert(broken);
    }
}

/// Sends some events, new ones and some that were sent before.
fn append(shared: &mut Shared, store: &Store) -> Result<(), String> {
    let now = Moment { truly: shared.truly, received: shared.truly + shared.ahead, place: 0 };
    // Two events never come in the same millisecond, so that one can be told from its repetition.
    shared.truly += 1;
    let mut random = shared.random.apart();
    let mut call: Vec<(u64, Verdict)> = Vec::new();
    for _ in 0..=random.below(5) {
        let again = if random.once_in(3) { shared.model.again(&mut random) } else { None };
        let name = again.unwrap_or_else(|| shared.model.fresh());
        let verdict = if call.iter().any(|(known, v)| *known == name && *v != Verdict::Duplicate) {
            Verdict::Duplicate
        } else {
            shared.model.verdict(name, now)
        };
        call.push((name, verdict));
    }
    // Where either is right, it is sent alone: then the answer says which it was.
    let (alone, together): (Vec<_>, Vec<_>) = call.into_iter().partition(|(_, v)| *v == Verdict::Either);
    let calls = alone.into_iter().map(|one| vec![one]).chain([together]);
    for call in calls.filter(|call| !call.is_empty()) {
        let events = call.iter().map(|(name, _)| event(*name, now)).collect();
        let ticket = match store.append(events) {
            Ok(ticket) => ticket,
            Err(StoreError::Full { .. } | StoreError::NoRoom { .. } | StoreError::Storage { .. }) => continue,
            Err(error) => return Err(format!("W5: an event is refused: {error}")),
        };
        let expected = call.iter().filter(|(_, v)| *v == Verdict::New).count() as u64;
        let either = call.iter().filter(|(_, v)| *v == Verdict::Either).count() as u64;
        let stored = ticket.taken.stored;
        if stored < expected || stored > expected + either {
            return Err(format!("W5: {stored} of {call:?} at {now:?} were stored"));
        }
        let new = call.iter().filter(|(_, v)| *v == Verdict::New || (*v == Verdict::Either && stored == 1));
        let new: Vec<(u64, Moment)> = new.map(|(name, _)| (*name, shared.model.taken(now))).collect();
        let named = call.iter().map(|(name, _)| *name).collect();
        shared.model.appended(ticket, named, new);
    }
    Ok(())
}
