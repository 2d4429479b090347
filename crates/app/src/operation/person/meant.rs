//! App operations: who is meant by an id. Somebody has two forms of each id of theirs where their environment stores hashes by
//! now, or did: the id and its hash. Whatever is asked by, all that is known under any of these is of one person.

use bellwether_model::{EnvironmentKey, Event, Seq, Unit};
use bellwether_store::{Id, Person, StoreError};

use crate::App;
use crate::error::AppError;
use crate::intake::conceal::is_hash;

/// Somebody as the store has them under every form of their ids.
pub(super) struct Meant {
    /// What they were asked for by.
    asked: (Unit, String),
    /// Their user ids, that in the form in which it is stored now first, and then devices that are no user's. None is another
    /// person's.
    forms: Vec<(Unit, String)>,
    /// The users that the device that they were asked for by is said to be of.
    led_to: Vec<String>,
    /// Who each form is.
    pub(super) people: Vec<Person>,
}

/// One of both, as it is written in what is asked.
pub(super) fn asked(user: Option<String>, device: Option<String>) -> Result<(Unit, String), AppError> {
    match (user, device) {
        (Some(user), None) if !user.is_empty() => Ok((Unit::User, user)),
        (None, Some(device)) if !device.is_empty() => Ok((Unit::Device, device)),
        _ => Err(AppError::bad_input("who is meant is not said once", "give `user`, or `device`")),
    }
}

fn id(form: &(Unit, String)) -> Id<'_> {
    match form {
        (Unit::Device, id) => Id::Device(id),
        (_, id) => Id::User(id),
    }
}

impl Meant {
    pub(super) fn of(
        app: &App,
        environment: &EnvironmentKey,
        asked: (Unit, String),
    ) -> Result<Self, AppError> {
        let (unit, text) = &asked;
        let mut led_to = Vec::new();
        let mut forms = Vec::new();
        let mut devices = Vec::new();
        if *unit == Unit::Device {
            devices = app.forms(environment, Unit::Device, text, None);
            for device in &devices {
                led_to.extend(app.store.users_of(environment, device));
            }
            one_of(app, text, &led_to)?;
        }
        let users = if *unit == Unit::Device { led_to.as_slice() } else { std::slice::from_ref(text) };
        if let Some(user) = users.iter().find(|user| !is_hash(user)).or(users.first()) {
            // Of whom only the hash is known, the id itself may stand at another device.
            let plain = is_hash(user).then(|| app.user_of(environment, user)).flatten();
            let users = app.forms(environment, Unit::User, user, plain);
            forms.extend(users.into_iter().map(|user| (Unit::User, user)));
        }
        let who = |form: &(Unit, String)| app.store.person(environment, id(form));
        let mut people: Vec<Person> = forms.iter().map(who).collect::<Result<_, _>>()?;
        // What is done there without a user is theirs also where the device has its other form.
        let theirs = people.iter().flat_map(Person::last_on).filter(|device| !is_hash(device));
        devices.extend(theirs.map(|device| app.pepper.id(device)).collect::<Vec<_>>());
        for device in devices {
            let form = (Unit::Device, device);
            if app.store.users_of(environment, &form.1).is_empty() && !forms.contains(&form) {
                people.push(who(&form)?);
                forms.push(form);
            }
        }
        Ok(Self { asked, forms, led_to, people })
    }

    /// What they were asked for by.
    pub(super) fn asked(&self) -> &str {
        &self.asked.1
    }

    /// Every form, as the store is asked.
    pub(super) fn forms(&self) -> Vec<Id<'_>> {
        self.forms.iter().map(id).collect()
    }

    /// The forms in the order in which they are forgotten, with their places: those last by which the others are found, so
    /// that a call that was cut off finds what is left.
    pub(super) fn last_first(&self) -> Vec<(usize, Id<'_>)> {
        let mut order: Vec<(usize, &(Unit, String))> = self.forms.iter().enumerate().collect();
        order.sort_by_key(|(_, (unit, id))| (*unit != Unit::Device, self.led_to.contains(id)));
        order.into_iter().map(|(at, form)| (at, id(form))).collect()
    }

    /// Whether a form is the one that is stored now.
    pub(super) fn is_stored_now(&self, app: &App, environment: &EnvironmentKey, at: usize) -> bool {
        self.forms.get(at).is_some_and(|(unit, id)| app.hashes(environment, *unit) == is_hash(id))
    }

    /// The user, as they are stored: in the newest way of which there is something. `seen` says of which forms there is.
    pub(super) fn user(&self, seen: &[bool]) -> Option<String> {
        let users = || self.forms.iter().zip(seen).filter(|((unit, _), _)| *unit == Unit::User);
        let found = users().find(|(_, seen)| **seen).or_else(|| users().next());
        found.map(|((_, id), _)| id.clone())
    }

    /// The devices that were seen; where there is nobody, the one that was asked for.
    pub(super) fn devices(&self, seen: &[bool]) -> Vec<String> {
        let forms = self.forms.iter().zip(&self.people).zip(seen);
        let there = forms.filter(|(((unit, _), _), seen)| *unit == Unit::User || **seen);
        let mut devices: Vec<String> = there.flat_map(|((_, person), _)| &person.devices).cloned().collect();
        if let Some((Unit::Device, device)) = self.forms.first().filter(|_| devices.is_empty()) {
            devices.push(device.clone());
        }
        devices.sort();
        devices.dedup();
        devices
    }

    /// By how many ids they are known. It grows as they come by others.
    pub(super) fn known(&self) -> usize {
        self.units().len()
    }

    /// The units that they are to flags.
    pub(super) fn units(&self) -> Vec<(Unit, &str)> {
        Self::units_of(&self.people)
    }

    pub(super) fn units_of(people: &[Person]) -> Vec<(Unit, &str)> {
        let users = people.iter().filter_map(|person| person.user.as_deref());
        let devices = people.iter().flat_map(|person| &person.devices);
        users.map(|id| (Unit::User, id)).chain(devices.map(|id| (Unit::Device, id.as_str()))).collect()
    }

    /// Every id of theirs, the one that was asked for among them.
    pub(super) fn ids(&self) -> Vec<String> {
        let mut ids = vec![self.asked().to_owned()];
        ids.extend(self.units().into_iter().map(|(_, id)| id.to_owned()));
        ids.sort();
        ids.dedup();
        ids
    }

    /// Whether there is an id of theirs of which only the hash is known here.
    pub(super) fn has_hashes_alone(&self, app: &App) -> bool {
        let ids = self.ids();
        let (hashes, plain): (Vec<&String>, Vec<&String>) = ids.iter().partition(|id| is_hash(id));
        let known: Vec<String> = plain.into_iter().map(|id| app.pepper.id(id)).collect();
        hashes.into_iter().any(|hash| !known.contains(hash))
    }

    /// What was decided of theirs is known by: their ids as a user, and the devices that were nobody's before they came.
    pub(super) fn decided(&self) -> Vec<String> {
        let users = self.people.iter().filter_map(|person| person.user.as_deref());
        let devices = self.people.iter().flat_map(Person::first_on);
        let mut ids: Vec<String> = users.chain(devices).map(str::to_owned).collect();
        ids.sort();
        ids.dedup();
        ids
    }

    /// Whether an event that is kept apart is theirs, as the store says it of those that it has.
    pub(super) fn has(&self, event: &Event, after: Option<Seq>) -> bool {
        self.people.iter().any(|person| person.has(event.who.user(), event.who.device(), after))
    }
}

/// Refuses a device of several users; an id and its hash are one.
fn one_of(app: &App, device: &str, users: &[String]) -> Result<(), AppError> {
    let mut each: Vec<(String, String)> = Vec::new();
    for user in users {
        let hash = app.pepper.id(user);
        if !each.iter().any(|(_, other)| *other == hash) {
            each.push((user.clone(), hash));
        }
    }
    if each.len() < 2 {
        return Ok(());
    }
    let users = each.into_iter().map(|(user, _)| user).collect();
    Err(StoreError::Shared { device: device.to_owned(), users }.into())
}

impl App {
    /// An id and its hash; the hash alone where no id is known of it. That which its environment stores now comes first.
    fn forms(
        &self,
        environment: &EnvironmentKey,
        unit: Unit,
        id: &str,
        plain: Option<String>,
    ) -> Vec<String> {
        let mut forms = vec![self.pepper.id(id), plain.unwrap_or_else(|| id.to_owned())];
        if !self.hashes(environment, unit) {
            forms.reverse();
        }
        forms.dedup();
        forms
    }

    /// The id that a hash is of, among those of users who were seen on any device.
    fn user_of(&self, environment: &EnvironmentKey, hash: &str) -> Option<String> {
        let users = self.store.users(environment, &|user| !is_hash(user));
        users.iter().find(|user| self.pepper.id(user) == hash).map(|user| user.to_string())
    }
}
