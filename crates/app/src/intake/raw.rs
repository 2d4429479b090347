//! App intake: an event as a protocol brought it, checked field by field and admitted. Whatever the protocol,
//! the rules are these; a protocol only says what its fields are called.

use bellwether_model::event::{ASSIGNMENT, BOT, EXPOSURE, FLAG_KEY, GROUP_IDENTIFY, VARIANT, Who};
use bellwether_model::{EnvironmentKey, Event, Json, Millis, Properties, profile};

use super::LONGEST;
use super::form;
use super::inspection::{Inspection, Rejected};
use super::judge::VERDICT;
use super::nobody::{is_placeholder, names_nobody};

/// An event as it came. A value that is null is missing.
#[derive(Debug, Default)]
pub(super) struct RawEvent {
    pub(super) name: Json,
    pub(super) user: Json,
    pub(super) device: Json,
    pub(super) time: Time,
    pub(super) insert_id: Json,
    pub(super) session: Json,
    pub(super) properties: Json,
    /// What it says of its user: operations or plain properties.
    pub(super) user_properties: Json,
    pub(super) groups: Json,
    /// What it says of its groups: operations or plain properties.
    pub(super) group_properties: Json,
    /// Of [`FACTS`], by name.
    pub(super) facts: Vec<(&'static str, Json)>,
    /// Revenue that stands outside of the properties.
    pub(super) money: Money,
}

/// When an event happened, as far as its protocol could read it.
#[derive(Debug, Default)]
pub(super) enum Time {
    /// When it came.
    #[default]
    Missing,
    /// Then, by the sender's clock, corrected where the protocol has the means.
    At(i64),
    /// It cannot be read; what to send instead.
    Unreadable(&'static str),
}

/// Amplitude's fields of revenue.
#[derive(Debug, Default)]
pub(super) struct Money {
    pub(super) price: Json,
    pub(super) quantity: Json,
    pub(super) revenue: Json,
    /// `productId`, `revenueType` and `currency`.
    pub(super) about: [Json; 3],
}

/// A field of an event, whatever it is called on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Field {
    /// The event as a whole.
    Event,
    Name,
    User,
    Device,
    Time,
    InsertId,
    Session,
    Properties,
    UserProperties,
    Groups,
    GroupProperties,
    /// One that is called the same everywhere.
    Of(&'static str),
}

/// What differs between protocols.
#[derive(Clone, Copy)]
pub(super) struct Rules<'r> {
    /// Shorter ids are taken away.
    pub(super) shortest: usize,
    /// Whether a number is an id.
    pub(super) numbers_name: bool,
    /// What a field is called on the wire.
    pub(super) called: fn(Field) -> &'static str,
    /// The address that the request came from, which `$remote` stands for.
    pub(super) peer: Option<&'r str>,
    pub(super) now: Millis,
    /// What the tracking plan says of each event.
    pub(super) plan: &'r Inspection,
}

/// One thing that is wrong with one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) index: usize,
    /// As it is called on the wire.
    pub(super) field: &'static str,
    /// Whether it must be there and is not.
    pub(super) missing: bool,
    pub(super) hint: String,
}

impl Problem {
    /// As people read it.
    pub(super) fn sentence(&self) -> String {
        format!("`{}` of event {}: {}", self.field, self.index, self.hint)
    }
}

/// The deepest nesting of a property.
const DEEPEST: usize = 40;
/// Group types that are tracked of an event.
const MOST_GROUP_TYPES: usize = 5;
/// Groups that are tracked of an event.
const MOST_GROUPS: usize = 10;
/// 1970 to the year 9999: what a calendar can show.
pub(super) const CALENDAR: std::ops::Range<i64> = 0..253_402_300_800_000;
/// The property that names the texts of an event that were cut at the longest that is kept.
pub(super) const CUT: &str = "$cut";
/// Facts of device and place that are kept beside the user's properties, at this event only.
pub(super) const FACTS: [&str; 23] = [
    "app_version",
    "platform",
    "os_name",
    "os_version",
    "device_brand",
    "device_manufacturer",
    "device_model",
    "carrier",
    "language",
    "country",
    "region",
    "city",
    "dma",
    "user_agent",
    "library",
    "ip",
    "location_lat",
    "location_lng",
    "idfa",
    "idfv",
    "adid",
    "android_id",
    "android_app_set_id",
];

/// What is wrong with one event so far.
struct Check<'p> {
    index: usize,
    called: fn(Field) -> &'static str,
    problems: &'p mut Vec<Problem>,
    good: bool,
}

impl Check<'_> {
    fn add(&mut self, field: Field, missing: bool, hint: String) {
        self.good = false;
        self.problems.push(Problem { index: self.index, field: (self.called)(field), missing, hint });
    }

    fn invalid(&mut self, field: Field, hint: impl Into<String>) {
        self.add(field, false, hint.into());
    }

    fn id(&mut self, field: Field, sent: Json, rules: &Rules<'_>) -> Option<String> {
        let id = match sent {
            Json::Null => return None,
            Json::String(id) => id,
            Json::Number(id) if rules.numbers_name => id.to_string(),
            _ => {
                self.invalid(field, "send text");
                return None;
            }
        };
        // Kept as it was sent, spaces and all: answers to SDKs take ids as they are, too.
        let length = id.chars().count();
        if names_nobody(&id) {
            self.invalid(field, "this is a placeholder, not an id; leave it out");
            return None;
        }
        if length > LONGEST {
            self.invalid(field, "send at most 1024 characters");
            return None;
        }
        // Too short an id is taken away, as Amplitude does; the other id may still name somebody.
        (length >= rules.shortest).then_some(id)
    }

    fn object(&mut self, field: Field, sent: Json) -> Properties {
        match sent {
            Json::Null => Properties::new(),
            value @ Json::Object(_) if depth(&value) > DEEPEST => {
                self.invalid(field, "nest at most 40 levels");
                Properties::new()
            }
            Json::Object(map)
                if map.keys().any(|name| name.len() > LONGEST && name.chars().nth(LONGEST).is_some()) =>
            {
                self.invalid(field, "name properties with at most 1024 characters");
                Properties::new()
            }
            Json::Object(map) => map,
            _ => {
                self.invalid(field, "send an object");
                Properties::new()
            }
        }
    }

    fn changes(&mut self, field: Field, sent: Json) -> Properties {
        let sent = self.object(field, sent);
        profile::changes(sent).unwrap_or_else(|invalid| {
            self.invalid(field, format!("{}; {}", invalid.message, invalid.hint));
            Properties::new()
        })
    }

    fn plain(&mut self, field: &'static str, sent: &Json, hint: &str, is: fn(&Json) -> bool) {
        if !sent.is_null() && !is(sent) {
            self.invalid(Field::Of(field), hint);
        }
    }
}

/// Checks one event, `None` where it was no object. What is wrong is added to `problems`; only an event
/// without problems comes back, and not if it goes into the quarantine.
pub(super) fn admit(
    environment: &EnvironmentKey,
    index: usize,
    raw: Option<RawEvent>,
    rules: &Rules<'_>,
    problems: &mut Vec<Problem>,
) -> Option<Event> {
    let mut check = Check { index, called: rules.called, problems, good: true };
    let Some(raw) = raw else {
        check.invalid(Field::Event, "send an object");
        return None;
    };
    let name = match raw.name {
        Json::String(name) if !name.is_empty() && name.chars().count() <= LONGEST => name,
        Json::Null => {
            // Without it the rest of an event says nothing.
            check.add(Field::Name, true, "say what happened, such as `purchase`".to_owned());
            return None;
        }
        _ => {
            check.invalid(Field::Name, "send text of 1 to 1024 characters");
            String::new()
        }
    };
    let user = check.id(Field::User, raw.user, rules);
    let device = check.id(Field::Device, raw.device, rules);
    let time = match raw.time {
        Time::Missing => rules.now,
        Time::At(time) if CALENDAR.contains(&time) => Millis(time),
        Time::At(_) => {
            check.invalid(Field::Time, "send a time from 1970 to the year 9999");
            rules.now
        }
        Time::Unreadable(hint) => {
            check.invalid(Field::Time, hint);
            rules.now
        }
    };
    let insert_id = match raw.insert_id {
        Json::Null => None,
        // By such a name all others that have it would be copies.
        Json::String(id) if id.is_empty() || is_placeholder(&id) => None,
        Json::String(id) if id.chars().count() <= LONGEST => Some(id),
        _ => {
            check.invalid(Field::InsertId, "send text of at most 1024 characters");
            None
        }
    };
    let session = match raw.session {
        Json::Null => None,
        session => match form::whole(&session) {
            Some(id) => Some(id).filter(|id| *id >= 0),
            None => {
                check.invalid(Field::Session, "send the session's start in milliseconds, or -1");
                None
            }
        },
    };
    let mut properties = check.object(Field::Properties, raw.properties);
    // These are ours, whoever writes them.
    [CUT, BOT, VERDICT].iter().for_each(|mark| drop(properties.remove(*mark)));
    let user_changes = check.changes(Field::UserProperties, raw.user_properties);
    let mut groups = check.object(Field::Groups, raw.groups);
    let group_properties = check.object(Field::GroupProperties, raw.group_properties);
    let Money { price, quantity, revenue: paid, about: [product, kind, currency] } = &raw.money;
    for (field, value) in [("price", price), ("quantity", quantity), ("revenue", paid)] {
        check.plain(field, value, "send a number", Json::is_number);
    }
    for (field, value) in [("productId", product), ("revenueType", kind), ("currency", currency)] {
        check.plain(field, value, "send text", scalar);
    }
    for (fact, value) in &raw.facts {
        check.plain(fact, value, "send text", scalar);
    }
    // Only what tells of groups changes them.
    let mut group_changes = Properties::new();
    if name == GROUP_IDENTIFY {
        group_changes = check.changes(Field::GroupProperties, group_properties.into());
    } else if !group_properties.is_empty() {
        properties.insert("$group_properties".into(), group_properties.into());
    }
    if !check.good {
        return None;
    }
    let Some(who) = Who::new(user, device) else {
        let (user, device) = ((rules.called)(Field::User), (rules.called)(Field::Device));
        let either = if user == device { format!("`{user}`") } else { format!("`{user}` or `{device}`") };
        let hint = match rules.shortest {
            0 | 1 => format!("send {either}"),
            _ => format!("send {either} of at least the shortest length"),
        };
        check.add(Field::User, true, hint.clone());
        if user != device {
            check.add(Field::Device, true, hint);
        }
        return None;
    };
    revenue(&raw.money, &mut properties);
    let mut user_properties = Properties::new();
    for (fact, value) in raw.facts {
        let value = match value {
            Json::Null => None,
            Json::String(ip) if fact == "ip" && ip == "$remote" => rules.peer.map(Json::from),
            other => Some(other),
        };
        if let Some(value) = value {
            user_properties.insert(fact.into(), value);
        }
    }
    few(&mut groups);
    let name = canonical(name, &mut properties);
    let mut event = Event {
        environment: environment.clone(),
        event: name,
        who,
        time,
        received: rules.now,
        insert_id,
        session,
        properties,
        user_properties,
        groups,
        group_properties: Properties::new(),
        user_changes,
        group_changes,
        revision: None,
    };
    cut(&mut event);
    match rules.plan.pass(&mut event) {
        Ok(stored) => stored.then_some(event),
        Err(Rejected { missing, name, hint }) => {
            let field = if name { Field::Name } else { Field::Properties };
            problems.push(Problem { index, field: (rules.called)(field), missing, hint });
            None
        }
    }
}

/// Cuts long texts, and says of which properties.
fn cut(event: &mut Event) {
    let Event { properties, user_properties, groups, user_changes, group_changes, .. } = event;
    let mut names = Vec::new();
    let inside = |changes: &mut Properties, names: &mut Vec<String>, before: &str| {
        for values in changes.values_mut().filter_map(Json::as_object_mut) {
            for (name, value) in values {
                if shorten(value) {
                    names.push(format!("{before}{name}"));
                }
            }
        }
    };
    inside(user_changes, &mut names, "user.");
    inside(group_changes, &mut names, "group.");
    for (map, before) in [(&mut *properties, ""), (user_properties, "user."), (groups, "group.")] {
        for (name, value) in map {
            if shorten(value) {
                names.push(format!("{before}{name}"));
            }
        }
    }
    if !names.is_empty() {
        names.sort_unstable();
        names.dedup();
        properties.insert(CUT.into(), names.into());
    }
}

/// Keeps as many groups as are tracked: five types, ten groups over all of them.
fn few(groups: &mut Properties) {
    let mut left = MOST_GROUPS;
    let mut types = 0;
    groups.retain(|_, names| {
        types += 1;
        if types > MOST_GROUP_TYPES || left == 0 {
            return false;
        }
        if let Json::Array(names) = names {
            names.truncate(left);
            left -= names.len();
        } else {
            left -= 1;
        }
        true
    });
}

/// The forms of an exposure become one; so do those of an assignment.
fn canonical(name: String, properties: &mut Properties) -> String {
    let (canonical, names): (_, &[(&str, &str)]) = match name.as_str() {
        "[Experiment] Exposure" | "[Experiment] Assignment" => (
            if name.ends_with("Exposure") { EXPOSURE } else { ASSIGNMENT },
            &[
                ("[Experiment] Flag Key", FLAG_KEY),
                ("[Experiment] Variant", VARIANT),
                ("[Experiment] Experiment Key", "experiment_key"),
            ],
        ),
        "$feature_flag_called" => {
            (EXPOSURE, &[("$feature_flag", FLAG_KEY), ("$feature_flag_response", VARIANT)])
        }
        _ => return name,
    };
    for (from, to) in names {
        if let Some(value) = properties.remove(*from) {
            properties.insert((*to).into(), value);
        }
    }
    canonical.to_owned()
}

/// Amplitude's top-level revenue fields, in the form that its SDKs give to revenue events. Where price,
/// quantity and revenue are all sent, price times quantity wins.
fn revenue(money: &Money, properties: &mut Properties) {
    let amount = match (money.price.as_f64(), money.quantity.as_f64(), money.revenue.as_f64()) {
        (Some(price), Some(quantity), _) => Some(price * quantity),
        (_, _, Some(revenue)) => Some(revenue),
        (price, _, None) => price,
    };
    let [product, kind, currency] = &money.about;
    for (value, to) in [
        (&money.price, "$price"),
        (&money.quantity, "$quantity"),
        (product, "$productId"),
        (kind, "$revenueType"),
        (currency, "$currency"),
    ] {
        if !value.is_null() {
            properties.entry(to).or_insert_with(|| value.clone());
        }
    }
    let inside = |field: &str, properties: &Properties| properties.get(field).and_then(Json::as_f64);
    let amount = amount.or_else(|| {
        let price = inside("$price", properties)?;
        Some(price * inside("$quantity", properties).unwrap_or(1.0))
    });
    if let Some(amount) = amount.filter(|_| !properties.contains_key("$revenue")) {
        properties.insert("$revenue".into(), Json::from(amount));
    }
}

/// Whether a value is text, or a number or boolean that can stand for it.
fn scalar(value: &Json) -> bool {
    value.is_string() || value.is_number() || value.is_boolean()
}

fn depth(value: &Json) -> usize {
    match value {
        Json::Object(map) => 1 + map.values().map(depth).max().unwrap_or(0),
        Json::Array(list) => 1 + list.iter().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// Cuts what is longer than is kept; says whether anything was.
fn shorten(value: &mut Json) -> bool {
    match value {
        // A text has no more characters than bytes.
        Json::String(text) if text.len() <= LONGEST => false,
        Json::String(text) => text.char_indices().nth(LONGEST).map(|(at, _)| at).is_some_and(|at| {
            text.truncate(at);
            true
        }),
        Json::Array(list) => list.iter_mut().fold(false, |cut, value| shorten(value) | cut),
        Json::Object(map) => map.values_mut().fold(false, |cut, value| shorten(value) | cut),
        _ => false,
    }
}
