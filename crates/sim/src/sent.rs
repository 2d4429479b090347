//! Sim: what is sent. All of an event but its times follows from its name.

use bellwether_model::event::Who;
use bellwether_model::{Event, Json, Millis, Properties, Span};

use crate::model::Moment;
use crate::random::Random;

const DAY: i64 = Span::DAY.0 as i64;

/// The event type of what passes.
pub(crate) const PASSING: &str = "passing";
/// From this name on, every third event is one that passes, and tells nothing of anybody.
pub(crate) const PASSES: u64 = 1 << 20;
/// From this one on it tells of users and devices; of groups it does not, as what others told of them does not outlive
/// those who are forgotten and told something, too.
pub(crate) const TELLS: u64 = 1 << 21;

pub(crate) fn name_of(insert_id: &str) -> Option<u64> {
    u64::from_str_radix(insert_id.rsplit('-').next()?, 16).ok()
}

pub(crate) fn is_passing(name: u64) -> bool {
    name > PASSES && name.is_multiple_of(3)
}

/// The event of this name, sent at this moment. All else of it follows from the name.
pub(crate) fn event(name: u64, moment: Moment) -> Event {
    let mut random = Random::new(name);
    let pick = |random: &mut Random, of: &[&str]| {
        of.get(random.place(of.len())).copied().unwrap_or_default().to_owned()
    };
    let user = pick(&mut random, &["ada", "bo", "cy", "dee"]);
    let device = pick(&mut random, &["d1", "d2"]);
    let who = match random.below(3) {
        0 => Who::User(user),
        1 => Who::Device(device),
        _ => Who::Both { user, device },
    };
    let mut properties = Properties::new();
    for _ in 0..random.below(4) {
        let name = pick(&mut random, &["price", "count", "page", "any", "odd", "paid"]);
        let value = match (name.as_str(), random.below(4)) {
            ("price", 0) => Json::from(5),
            ("price", _) => Json::from(4.99),
            ("count", _) => Json::from(random.below(9)),
            ("page", _) => Json::from(format!("/{}", random.below(20))),
            ("paid", _) => Json::from(random.once_in(2)),
            ("odd", 0) => Json::from(1.0),
            ("odd", 1) => Json::from(u64::MAX),
            (_, 0) => Json::from("text"),
            (_, 1) => Json::from(vec![Json::from(1), Json::Null]),
            (_, 2) => Json::from(1.5),
            _ => Json::from(7),
        };
        properties.insert(name, value);
    }
    let mut user_properties = Properties::new();
    if random.once_in(2) {
        user_properties.insert("plan".into(), pick(&mut random, &["free", "pro"]).into());
    }
    // Most come at once; some are late by hours, and some by weeks.
    let late = match random.below(10) {
        0 => 14 * DAY,
        1..3 => DAY / 8,
        _ => 900,
    };
    let (groups, user_changes, group_changes) = told(&mut random);
    let of = format!("{name:08x}-0000-4000-8000-{name:012x}");
    let environment = if random.once_in(4) { crate::storm::staging() } else { crate::storm::production() };
    let mut sort = pick(&mut random, &["visit", "buy"]);
    let (mut who, mut user_changes, mut group_changes) = (who, user_changes, group_changes);
    if is_passing(name) {
        sort = PASSING.to_owned();
        group_changes = Properties::new();
        if name < TELLS {
            who = Who::User("ada".to_owned());
            user_changes = Properties::new();
        }
    }
    Event {
        environment,
        event: sort,
        who,
        time: Millis(moment.received - late + i64::try_from(random.below(700)).unwrap_or(0)),
        received: Millis(moment.received),
        insert_id: Some(if random.once_in(3) { format!("n-{name:x}") } else { of }),
        session: random.once_in(2).then_some(5),
        properties,
        user_properties,
        groups,
        group_properties: Properties::new(),
        user_changes,
        group_changes,
        revision: None,
    }
}

/// The groups of an event, and what it changes of its user and of them.
fn told(random: &mut Random) -> (Properties, Properties, Properties) {
    let object = |name: &str, value: Json| Properties::from_iter([(name.to_owned(), value)]);
    let changes = |random: &mut Random| {
        let small = Json::from(random.below(5));
        let (operation, values) = match random.below(7) {
            0 => ("$set", object("plan", "team".into())),
            1 => ("$set", object("any", small)),
            2 => ("$setOnce", object("first", small)),
            3 => ("$add", object("count", small)),
            4 => ("$postInsert", object("tags", small)),
            5 => ("$unset", object("plan", "-".into())),
            _ => ("$clearAll", object("all", "-".into())),
        };
        object(operation, values.into())
    };
    let groups = match random.below(4) {
        0 => object("company", "acme".into()),
        1 => object("company", vec![Json::from("acme"), Json::from("bolt")].into()),
        _ => Properties::new(),
    };
    let user_changes = if random.once_in(3) { changes(random) } else { Properties::new() };
    let group_changes =
        if !groups.is_empty() && random.once_in(2) { changes(random) } else { Properties::new() };
    (groups, user_changes, group_changes)
}
