//! Query: who was given what, against a naive reading of the events.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;

use bellwether_columns::Rows;
use bellwether_model::event::Who;
use bellwether_model::{Event, Seq};
use proptest::prelude::*;
use serde_json::json;

use super::*;

fn any_event() -> impl Strategy<Value = Event> {
    let who = (0u8..5, 0u8..4).prop_filter_map("an id", |(u, d)| {
        Who::new((u > 0).then(|| format!("id{u}")), (d > 0).then(|| format!("id{d}")))
    });
    let name = prop_oneof![4 => Just(EXPOSURE), 2 => Just(ASSIGNMENT), 1 => Just("purchase")];
    let flag = prop_oneof![4 => Just("checkout"), 1 => Just("search")];
    let variant = prop_oneof![Just(json!("on")), Just(json!("off")), Just(json!(null))];
    let place = prop_oneof![6 => Just("production"), 1 => Just("staging")];
    (who, name, flag, variant, place, -5i64..40).prop_map(|(who, name, flag, variant, place, time)| Event {
        environment: place.parse().unwrap(),
        event: name.into(),
        who,
        time: Millis(time),
        received: Millis(time),
        insert_id: None,
        session: None,
        properties: json!({"flag_key": flag, "variant": variant}).as_object().unwrap().clone(),
        user_properties: serde_json::Map::new(),
        groups: serde_json::Map::new(),
        group_properties: Default::default(),
        user_changes: Default::default(),
        group_changes: Default::default(),
        revision: None,
    })
}

fn ask(unit: Unit) -> Ask {
    let (environment, flag) = ("production".parse().unwrap(), "checkout".parse().unwrap());
    Ask { environment, flag, unit, from: Millis(0), to: Millis(30) }
}

/// Event by event, as the words say.
fn naive(ask: &Ask, events: &[Event]) -> Vec<Given> {
    type Key = (Option<String>, Option<String>, String);
    let mut times: BTreeMap<Key, Vec<Millis>> = BTreeMap::new();
    for event in events {
        let told = [EXPOSURE, ASSIGNMENT].contains(&event.event.as_str())
            && event.environment == ask.environment
            && event.properties["flag_key"] == "checkout"
            && (ask.from..ask.to).contains(&event.time);
        let Some(variant) = event.properties["variant"].as_str().filter(|_| told) else { continue };
        let (user, device) = (event.who.user().map(str::to_owned), event.who.device().map(str::to_owned));
        let (unit, device) = if ask.unit == Unit::User { (user, device) } else { (device, None) };
        if unit.is_some() || device.is_some() {
            times.entry((unit, device, variant.to_owned())).or_default().push(event.time);
        }
    }
    let mut given: Vec<Given> = times
        .into_iter()
        .map(|((unit, device, variant), times)| {
            let (first, last) = (*times.iter().min().unwrap(), *times.iter().max().unwrap());
            Given { first, last, unit, device, variant }
        })
        .collect();
    given.sort();
    given
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn everybody_who_was_given_a_variant_is_found(
        events in prop::collection::vec(any_event(), 0..80), device: bool, seed: u64,
    ) {
        let ask = ask(if device { Unit::Device } else { Unit::User });
        let expected = naive(&ask, &events);
        let mut shuffled = events;
        shuffled.sort_by_key(|e| (e.time.0 as u64).wrapping_mul(seed | 1));
        let found = given(&ask, &Rows::new(shuffled, Seq(1)), &|| false).unwrap();
        prop_assert_eq!(found, expected);
    }
}

#[test]
fn by_account_nobody_is_known_and_a_cancelled_question_has_no_answer() {
    let none = || Rows::new(Vec::new(), Seq(1));
    assert_eq!(given(&ask(Unit::Account), &none(), &|| true).unwrap(), []);
    assert!(given(&ask(Unit::User), &none(), &|| true).is_err());
}
