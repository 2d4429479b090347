//! Store: tests. Events of every kind that can come.

use bellwether_model::event::Who;
use bellwether_model::{Event, Json, Millis, Properties, Revision};
use proptest::prelude::*;
use serde_json::json;

/// A moment in a fortnight, close to a day's edge or to another event's often enough to matter.
pub(super) fn received() -> impl Strategy<Value = Millis> {
    (0_i64..15, prop_oneof![Just(0_i64), Just(86_399_999), 0_i64..86_400_000])
        .prop_map(|(day, within)| Millis(day * 86_400_000 + within))
}

fn value() -> impl Strategy<Value = Json> {
    prop_oneof![
        any::<i32>().prop_map(Json::from),
        any::<f64>().prop_filter("JSON has no infinity", |x| x.is_finite()).prop_map(Json::from),
        (-5_i32..5).prop_map(|i| json!(f64::from(i))),
        (0_i32..3).prop_map(|i| json!(f64::from(i) / 2.0)),
        Just(json!(u64::MAX)),
        Just(json!(i64::MIN)),
        Just(json!(-0.0)),
        "[a-c]{0,2}".prop_map(Json::from),
        any::<String>().prop_map(Json::from),
        any::<bool>().prop_map(Json::from),
        Just(Json::Null),
        Just(json!([1, "two", null])),
        Just(json!({"deep": {"er": [1.5, {}]}})),
    ]
}

/// Columns of one type are the usual case, so most names have one.
fn properties() -> impl Strategy<Value = Properties> {
    let usual = (
        proptest::option::of("[a-c]{0,2}"),
        proptest::option::of(0_i64..4),
        proptest::option::of(prop_oneof![Just(json!(5)), Just(json!(4.5)), Just(json!(-1))]),
        proptest::option::of(any::<bool>()),
    )
        .prop_map(|(plan, count, price, paid)| {
            let mut map = Properties::new();
            map.extend(plan.map(|v| ("plan".into(), json!(v))));
            map.extend(count.map(|v| ("count".into(), json!(v))));
            map.extend(price.map(|v| ("price".into(), v)));
            map.extend(paid.map(|v| ("paid".into(), json!(v))));
            map
        });
    let wild = proptest::collection::vec((prop_oneof![Just("any".to_owned()), ".{0,2}"], value()), 0..3);
    (usual, wild).prop_map(|(mut usual, wild)| {
        usual.extend(wild);
        usual
    })
}

/// Changes of a user or a group, as intake lets them through.
fn changes() -> impl Strategy<Value = Properties> {
    let names = prop_oneof![Just("plan"), Just("any"), Just("n")];
    let of = |operation: &'static str, value: BoxedStrategy<Json>| {
        (names.clone(), value).prop_map(move |(name, value)| (operation.to_owned(), json!({name: value})))
    };
    let number = || (-3_i64..3).prop_map(Json::from).boxed();
    let operation = prop_oneof![
        of("$set", value().boxed()),
        of("$setOnce", value().boxed()),
        of("$add", number()),
        of("$append", number()),
        of("$postInsert", number()),
        of("$remove", number()),
        of("$unset", Just(json!("-")).boxed()),
        Just(("$clearAll".to_owned(), json!("-"))),
    ];
    proptest::collection::vec(operation, 1..3).prop_map(|operations| operations.into_iter().collect())
}

pub(super) fn event() -> impl Strategy<Value = Event> {
    let who = prop_oneof![
        "u[0-3]".prop_map(Who::User),
        "d[0-1]".prop_map(Who::Device),
        ("u[0-3]", "d[0-1]").prop_map(|(user, device)| Who::Both { user, device }),
    ];
    (
        (prop_oneof![Just("production"), Just("staging")], prop_oneof!["visit", "buy", any::<String>()], who),
        (0_i64..1_000, received(), proptest::option::weighted(0.8, "[a-d]")),
        (proptest::option::of(any::<i64>()), proptest::option::of(any::<u64>())),
        (properties(), properties(), proptest::option::of(Just(json!({"company": ["acme", 1.1]})))),
        (proptest::option::of(changes()), proptest::option::of(changes())),
    )
        .prop_map(
            |((environment, event, who), (time, received, insert_id), (session, revision), of, changes)| {
                let (properties, user_properties, groups) = of;
                Event {
                    environment: environment.parse().expect("a key"),
                    event,
                    who,
                    time: Millis(time),
                    received,
                    insert_id,
                    session,
                    properties,
                    user_properties,
                    groups: groups.and_then(|g| g.as_object().cloned()).unwrap_or_default(),
                    group_properties: Properties::new(),
                    user_changes: changes.0.unwrap_or_default(),
                    group_changes: changes.1.unwrap_or_default(),
                    revision: revision.map(Revision),
                }
            },
        )
}
