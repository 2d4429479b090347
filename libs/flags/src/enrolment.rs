//! Flags: who was enrolled before. A flag whose enrolment is counted or sticky asks a [`Memory`] where its
//! default divides, and a [`Register`] is what such a memory goes by: which unit holds which variant.
//!
//! # What holds
//!
//! - A unit that holds a variant keeps it for as long as the split has it, whatever the shares.
//! - No more units come in than the limit allows. Whoever comes later is served as if not in the split.
//! - Of a sticky flag everybody is remembered who was placed, also who is not enrolled: they stay where they
//!   stand and come in when the split widens as far.
//! - A visitor who is not known yet stands where their device does. The first user who is seen on a device
//!   takes its place over, unless they hold a variant, or have a place and the device holds none. Of a
//!   rollout whoever has a place keeps it: only the candidate is held, so that people would go from the
//!   control to it and never back. From then on the device is theirs: nobody else takes anything over from
//!   it, and when nobody is signed in it has what they have.
//! - Of a rollout both sides are compared, and when enrolment closes both stop: those who have the candidate
//!   keep it, and are not compared any more than the controls who come back.
//!
//! A register holds fingerprints of ids, 8 bytes each, and knows no id. Who makes them sees to it that they
//! are the same after a restart.

use bellwether_model::{Enrolment, FlagKey, Unit, VariantKey};
use rustc_hash::FxHashMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::bucket::{Bucket, Salted};
use crate::compile::Role;
use crate::ruleset::{Arm, Enrolling};

/// Remembers who was enrolled by which flag. `()` remembers nothing.
pub trait Memory {
    /// How the unit stands of which is asked. `None` where nothing is remembered of the flag: it is then
    /// answered as if it needed no memory.
    fn stand(&self, asked: &Asked<'_>) -> Option<Standing>;
}

impl Memory for () {
    fn stand(&self, _: &Asked<'_>) -> Option<Standing> {
        None
    }
}

/// The split of a flag that asks a memory, and its limits.
#[derive(Debug, Clone, Copy)]
pub struct Division<'r> {
    pub(crate) salted: &'r Salted,
    pub(crate) arms: &'r [Arm],
    pub(crate) enrolling: &'r Enrolling,
}

impl<'r> Division<'r> {
    /// The salt of the split. Another salt is another memory.
    pub fn salt(&self) -> &'r str {
        self.salted.salt()
    }

    /// How many units may hold a variant at most.
    pub fn most(&self) -> Option<u32> {
        self.enrolling.most
    }

    /// Whether somebody who is not known yet is placed by their device.
    pub fn by_device(&self) -> bool {
        self.enrolling.device.is_some()
    }

    /// The arm at a place.
    fn at(&self, hash: u32) -> Option<(usize, &'r Arm)> {
        let position = Bucket { hash }.position();
        let index = self.arms.iter().filter(|arm| arm.end() <= position).count();
        self.arms.get(index).map(|arm| (index, arm))
    }

    /// The first hash of an arm.
    fn begins(&self, arm: usize) -> u32 {
        let before = arm.checked_sub(1).and_then(|before| self.arms.get(before));
        before.map_or(0, |before| before.end().saturating_mul(100))
    }

    /// The first arm of a variant that units hold.
    fn of(&self, variant: &str) -> Option<usize> {
        self.arms.iter().position(|arm| arm.role == Role::Held && arm.outcome.key.as_str() == variant)
    }
}

/// Of whom a memory is asked.
#[derive(Debug)]
pub struct Asked<'a> {
    pub(crate) flag: &'a FlagKey,
    /// What the flag divides by.
    pub(crate) by: Unit,
    pub(crate) division: Division<'a>,
    pub(crate) unit: Option<(&'a str, Bucket)>,
    /// By which a user is placed who is not known yet; of sticky flags only.
    pub(crate) device: Option<(&'a str, Bucket)>,
}

impl<'a> Asked<'a> {
    /// The flag.
    pub fn flag(&self) -> &'a FlagKey {
        self.flag
    }

    /// What it divides by.
    pub fn by(&self) -> Unit {
        self.by
    }

    /// The salt of its split.
    pub fn salt(&self) -> &'a str {
        self.division.salt()
    }

    /// The id of the unit.
    pub fn unit(&self) -> Option<&'a str> {
        self.unit.map(|(id, _)| id)
    }

    /// The id of the device by which the unit is placed if it is not known itself.
    pub fn device(&self) -> Option<&'a str> {
        self.device.map(|(id, _)| id)
    }
}

/// The fingerprints of the ids of [`Asked`].
#[derive(Debug, Clone, Copy, Default)]
pub struct Prints {
    /// Of [`Asked::unit`].
    pub unit: Option<u64>,
    /// Of [`Asked::device`].
    pub device: Option<u64>,
}

/// How a unit stands to a split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    pub(crate) how: How,
    pub(crate) origin: Origin,
    /// The arm that serves it; none where it is shut out.
    pub(crate) arm: Option<usize>,
    /// Where it stands.
    pub(crate) hash: u32,
    /// How many held a variant when this was asked.
    pub(crate) enrolled: u32,
    /// Whether enrolment was closed then.
    pub(crate) closed: bool,
    news: bool,
}

impl Standing {
    /// Whether [`Register::enter`] would note something that is not known yet.
    pub fn is_news(&self) -> bool {
        self.news
    }
}

/// What a memory says of a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// It was enrolled before, and keeps its variant.
    Kept,
    /// It comes in now.
    Enrolled,
    /// It is served by where it stands, which nobody holds.
    Placed,
    /// It would come in, and enrolment is closed.
    Closed,
}

/// Whose place a unit has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Its own.
    Own,
    /// That of a device before its user signed in.
    Device,
    /// That of the user who was first seen on the device.
    Owner,
}

/// Which unit holds which variant of one flag in one environment under one salt.
#[derive(Debug, Default)]
pub struct Register {
    places: FxHashMap<u64, Place>,
    /// Devices that are their first user's.
    owners: FxHashMap<u64, u64>,
    /// Every variant that is or was held, and how many hold it.
    variants: Vec<(VariantKey, u32)>,
    /// The units of which something was noted that is not stored yet.
    news: Vec<u64>,
}

/// Where a unit stands, and what it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    hash: u32,
    /// The index of a variant, or [`NOTHING`].
    holds: u16,
    inherited: bool,
}

const NOTHING: u16 = u16::MAX;

impl Place {
    fn at(hash: u32) -> Self {
        Self { hash, holds: NOTHING, inherited: false }
    }
}

/// One line of a register, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The fingerprint of whom it is about.
    pub unit: u64,
    /// What it says.
    pub entry: Entry,
}

/// What a register says of a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// It has a place.
    Place {
        /// The hash by which it is placed.
        hash: u32,
        /// The variant that it holds.
        holds: Option<VariantKey>,
        /// Whether the place is that of a device before its user signed in.
        inherited: bool,
    },
    /// It is the device of a user.
    Owner {
        /// The fingerprint of the user.
        user: u64,
    },
}

/// What is to be noted.
#[derive(Debug, Default)]
struct Notes {
    /// Whom, where they stand and the arm whose variant they come to hold.
    place: Option<(u64, Place, Option<usize>)>,
    /// A device, and whose it is from now on.
    owner: Option<(u64, u64)>,
}

impl Register {
    /// The most units that hold a variant, and the most others that are remembered. Past it nobody comes into
    /// a flag with a limit; one without places newcomers by their id alone and does not remember them.
    pub const MOST: usize = Enrolment::MOST as usize;

    /// How a unit stands. Nothing is noted.
    pub fn look(&self, asked: &Asked<'_>, prints: Prints) -> Option<Standing> {
        self.judge(asked, prints).map(|(standing, _)| standing)
    }

    /// How a unit stands, and from now on it does.
    pub fn enter(&mut self, asked: &Asked<'_>, prints: Prints) -> Option<Standing> {
        let (standing, notes) = self.judge(asked, prints)?;
        self.note(notes, asked.division);
        Some(standing)
    }

    /// Takes in somebody who was given a variant, as events tell of it. They come in whatever the limit,
    /// because they are in; who holds a variant already keeps it. Whose id is not known stands where the variant begins,
    /// and is not remembered beside the split: they are placed by their id when they come.
    pub fn sight(&mut self, division: Division<'_>, (id, print): (Option<&str>, u64), variant: &str) {
        let arm = division.of(variant);
        let was = self.places.get(&print).copied();
        let holds = was.is_some_and(|place| self.held_in(division, place).is_some());
        let fits = match arm {
            Some(_) => (self.enrolled() as usize) < Self::MOST,
            None => division.enrolling.sticky && was.is_none() && id.is_some() && self.room(),
        };
        if fits && !holds && !self.owners.contains_key(&print) {
            let stands = || match id {
                Some(id) => division.salted.bucket(id).hash,
                None => division.begins(arm.unwrap_or_default()),
            };
            let place = was.unwrap_or_else(|| Place::at(stands()));
            let place = Some((print, Place { holds: NOTHING, ..place }, arm));
            self.note(Notes { place, owner: None }, division);
        }
    }

    /// Takes in that a user was the first to be seen on a device. One who is not remembered owns none.
    pub fn own(&mut self, division: Division<'_>, device: u64, user: u64) {
        let new = division.by_device() && !self.owners.contains_key(&device);
        let fits = self.room() || self.places.contains_key(&device);
        if new && fits && self.places.contains_key(&user) {
            self.note(Notes { place: None, owner: Some((device, user)) }, division);
        }
    }

    /// How many hold a variant: those whom a limit counts. Whose variant the split has lost meanwhile are among them,
    /// because they were given one and have it again when the split does.
    pub fn enrolled(&self) -> u32 {
        self.variants.iter().map(|(_, count)| count).sum()
    }

    /// How many are remembered besides those who hold a variant.
    pub fn others(&self) -> usize {
        (self.places.len() + self.owners.len()).saturating_sub(self.enrolled() as usize)
    }

    /// Takes in a line that was stored.
    pub fn restore(&mut self, line: Line) {
        match line.entry {
            Entry::Place { hash, holds, inherited } => {
                let holds = holds.map_or(NOTHING, |variant| self.index(&variant));
                self.put(line.unit, Place { hash, holds, inherited });
            }
            Entry::Owner { user } => {
                self.owners.insert(line.unit, user);
            }
        }
    }

    /// At most so many lines of which something was noted since they were stored. What cannot be stored
    /// comes back by [`Register::keep`].
    pub fn take_news(&mut self, most: usize) -> Vec<Line> {
        let mut units = self.news.split_off(self.news.len().saturating_sub(most));
        units.sort_unstable();
        units.dedup();
        units.into_iter().filter_map(|unit| Some(Line { unit, entry: self.entry(unit)? })).collect()
    }

    /// Lines that could not be stored are news again.
    pub fn keep(&mut self, lines: &[Line]) {
        self.news.extend(lines.iter().map(|line| line.unit));
    }

    /// How many hold a variant of whom nothing is stored yet: so many a crash forgets at most.
    pub fn unstored(&self) -> u32 {
        let holds = |unit: &u64| self.places.get(unit).is_some_and(|place| place.holds != NOTHING);
        let mut units: Vec<u64> = self.news.iter().copied().filter(holds).collect();
        units.sort_unstable();
        units.dedup();
        u32::try_from(units.len()).unwrap_or(u32::MAX)
    }

    /// Whether something was noted that is not stored yet.
    pub fn has_news(&self) -> bool {
        !self.news.is_empty()
    }

    /// Forgets a unit, and that devices were its. Whoever comes with that id is new.
    pub fn forget(&mut self, unit: u64) {
        self.take(unit);
        self.owners.retain(|device, user| *device != unit && *user != unit);
        self.news.retain(|news| {
            *news != unit && (self.places.contains_key(news) || self.owners.contains_key(news))
        });
    }

    /// What is remembered of a unit.
    #[must_use]
    pub fn entry(&self, unit: u64) -> Option<Entry> {
        if let Some(user) = self.owners.get(&unit) {
            return Some(Entry::Owner { user: *user });
        }
        let Place { hash, holds, inherited } = *self.places.get(&unit)?;
        let holds = self.variants.get(usize::from(holds)).map(|(variant, _)| variant.clone());
        Some(Entry::Place { hash, holds, inherited })
    }

    /// The arm of the variant that is held at a place, if the split has one.
    fn held_in(&self, division: Division<'_>, place: Place) -> Option<usize> {
        let (variant, _) = self.variants.get(usize::from(place.holds))?;
        division.of(variant.as_str())
    }

    /// Whether another one may be remembered who holds nothing.
    fn room(&self) -> bool {
        self.others() < Self::MOST
    }

    fn judge(&self, asked: &Asked<'_>, prints: Prints) -> Option<(Standing, Notes)> {
        let division = asked.division;
        let sticky = division.enrolling.sticky;
        let place = |print: u64| self.places.get(&print).copied();
        let unit = asked.unit.zip(prints.unit);
        let device = asked.device.zip(prints.device);
        let free = device.map(|(_, print)| print).filter(|print| !self.owners.contains_key(print));
        // Whose place it is, what is known of it, what it is, and how they came by it.
        let (print, was, now, origin) = match (unit, device) {
            (Some(((_, bucket), print)), _) => {
                let was = place(print);
                let holds = |place: Place| self.held_in(division, place).is_some();
                let loses =
                    |left: Place, was: Place| !division.enrolling.rollout && holds(left) && !holds(was);
                let left = free.and_then(place).filter(|left| was.is_none_or(|was| loses(*left, was)));
                match (was, left) {
                    (_, Some(left)) => (print, was, Place { inherited: true, ..left }, Origin::Device),
                    (Some(was), None) => {
                        (print, Some(was), was, if was.inherited { Origin::Device } else { Origin::Own })
                    }
                    (None, None) => (print, None, Place::at(bucket.hash), Origin::Own),
                }
            }
            (None, Some(((_, bucket), print))) => {
                let owner = self.owners.get(&print).copied();
                let (print, origin) = owner.map_or((print, Origin::Own), |owner| (owner, Origin::Owner));
                (print, place(print), place(print).unwrap_or(Place::at(bucket.hash)), origin)
            }
            (None, None) => return None,
        };
        let enrolled = self.enrolled();
        let full = enrolled as usize >= Self::MOST;
        // Whoever is counted already may change to a variant that there is.
        let counted = now.holds != NOTHING;
        let closed = division.most().is_some_and(|most| enrolled >= most || full);
        let empty = Place { holds: NOTHING, ..now };
        let (how, arm, next, comes) = match self.held_in(division, now) {
            Some(arm) => (How::Kept, Some(arm), now, None),
            None => match division.at(now.hash)? {
                (index, arm) if !arm.enrolled => (How::Placed, Some(index), empty, None),
                _ if closed && !counted => (How::Closed, None, empty, None),
                (index, arm) if arm.role == Role::Held && !full => {
                    (How::Enrolled, Some(index), empty, Some(index))
                }
                (index, _) => (How::Placed, Some(index), empty, None),
            },
        };
        let holds = comes.is_some() || next.holds != NOTHING;
        let inherits = was.is_none() && origin == Origin::Device;
        let noted = (Some(next) != was || comes.is_some())
            && (holds || was.is_some() || sticky && (inherits || self.room()))
            // What is nobody's yet stays so: a device whose user holds no place has none to note.
            && (was.is_some() || origin != Origin::Owner);
        let mut notes = Notes::default();
        if noted {
            notes.place = Some((print, next, comes));
        }
        if let (Some(_), Some(device)) = (unit, free)
            && (noted || was.is_some())
            && (self.room() || self.places.contains_key(&device))
        {
            notes.owner = Some((device, print));
        }
        let news = notes.place.is_some() || notes.owner.is_some();
        Some((Standing { how, origin, arm, hash: now.hash, enrolled, closed, news }, notes))
    }

    fn note(&mut self, notes: Notes, division: Division<'_>) {
        if let Some((device, user)) = notes.owner {
            self.take(device);
            self.owners.insert(device, user);
            self.news.push(device);
        }
        if let Some((print, mut place, comes)) = notes.place {
            if let Some(arm) = comes.and_then(|arm| division.arms.get(arm)) {
                place.holds = self.index(&arm.outcome.key);
            }
            self.put(print, place);
            self.news.push(print);
        }
    }

    fn put(&mut self, print: u64, place: Place) {
        self.take(print);
        self.places.insert(print, place);
        if let Some((_, count)) = self.variants.get_mut(usize::from(place.holds)) {
            *count = count.saturating_add(1);
        }
    }

    /// Takes a place away.
    fn take(&mut self, print: u64) {
        if let Some(was) = self.places.remove(&print)
            && let Some((_, count)) = self.variants.get_mut(usize::from(was.holds))
        {
            *count = count.saturating_sub(1);
        }
    }

    /// The number of a variant. A flag never has as many as numbers.
    fn index(&mut self, variant: &VariantKey) -> u16 {
        let known = self.variants.iter().position(|(known, _)| known == variant);
        let index = known.unwrap_or_else(|| {
            self.variants.push((variant.clone(), 0));
            self.variants.len() - 1
        });
        u16::try_from(index).unwrap_or(NOTHING)
    }
}
