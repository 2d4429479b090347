//! App tests: a limit lets so many in and keeps them, a visitor keeps their variant when they sign in, and a
//! restart forgets nobody.
//! Long because: one flag that limits and remembers is seen through all that happens to it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use bellwether_app::Track;
use bellwether_model::Json;
use serde_json::json;

use crate::house::{DAY, HOUR, House, MINUTE, user};

/// What somebody gets, by user and device, and the word for why.
fn told(house: &House, user_id: Option<&str>, device: Option<&str>) -> (String, &'static str) {
    tracked(house, user_id, device, Track::Exposure)
}

fn tracked(house: &House, id: Option<&str>, device: Option<&str>, track: Track) -> (String, &'static str) {
    let context = user(json!({"user_id": id, "device_id": device}));
    let served = house.served();
    let answer = house.app.evaluate(&served, "f", &context, track, None, house.now).unwrap();
    (answer.variant.to_owned(), answer.reason)
}

fn limit(house: &House, mut limits: Json) -> Json {
    limits["flag"] = "f".into();
    limits["environment"] = "production".into();
    limits["why"] = "test".into();
    house.did("flag.enrolment", limits)["enrolled"]["production"].clone()
}

fn enrolled(house: &House) -> Json {
    house.did("flag.get", json!({"flag": "f"}))["enrolled"]["production"].clone()
}

/// The shares of `f`, of which `off` gets what is left and is not enrolled.
fn arms(house: &House, a: u32, b: u32) {
    let variants =
        json!([{"key": "a", "value": "a"}, {"key": "b", "value": "b"}, {"key": "off", "value": ""}]);
    if house.ask("flag.get", json!({"flag": "f"})).is_err() {
        house.did("flag.create", json!({"flag": "f", "kind": "string", "variants": variants}));
    }
    let shares = json!([{"variant": "a", "share": a}, {"variant": "b", "share": b},
        {"variant": "off", "share": 10_000 - a - b}]);
    let default = json!({"serve": "split", "shares": shares, "rest": "off", "salt": "f-1"});
    let at = json!({"flag": "f", "environment": "production", "default": default, "why": "test"});
    house.did("flag.target", at);
    let on = json!({"flag": "f", "environment": "production", "on": true, "why": "test"});
    let _ = house.ask("flag.toggle", on);
}

/// The first of so many ids that the split alone gives this variant.
fn ids(house: &House, kind: &str, variant: &str) -> std::vec::IntoIter<String> {
    let mut all = Vec::new();
    for n in 0..400 {
        let id = format!("{kind}-{n}");
        let asked = json!({"flag": "f", "environment": "production", "context": {"targetingKey": id}});
        // Without a memory, so that nobody is enrolled by being looked for.
        let said = house.did("flag.explain", asked);
        let ranges = said["explanation"]["steps"].as_array().unwrap().iter().find(|s| s["step"] == "bucket");
        let ranges = ranges.map(|s| s["ranges"].as_array().unwrap().clone()).unwrap_or_default();
        if ranges.iter().any(|r| r["chosen"] == true && r["variant"] == variant) {
            all.push(id);
        }
    }
    all.into_iter()
}

fn explained(house: &House, context: Json) -> String {
    let asked = json!({"flag": "f", "environment": "production", "context": context});
    house.did("flag.explain", asked)["sentence"].as_str().unwrap().to_owned()
}

#[test]
fn a_visitor_keeps_the_variant_on_two_devices_and_two_users_never_merge() {
    let house = House::new();
    arms(&house, 5_000, 5_000);
    let mut devices = ids(&house, "device", "a");
    let (phone, laptop) = (devices.next().unwrap(), ids(&house, "laptop", "b").next().unwrap());
    let mut users = ids(&house, "user", "b");
    let (ada, bob) = (users.next().unwrap(), users.next().unwrap());
    let (ada, bob, phone, laptop) = (Some(&*ada), Some(&*bob), Some(&*phone), Some(&*laptop));
    assert_eq!(told(&house, None, phone), ("off".into(), "DEFAULT"), "there is nobody to place");
    limit(&house, json!({"sticky": true}));
    assert_eq!(told(&house, None, phone), ("a".into(), "SPLIT"));
    assert_eq!(told(&house, None, laptop), ("b".into(), "SPLIT"));
    let sentence = |id: Option<&str>, device: Option<&str>| {
        explained(&house, json!({"targetingKey": id, "device_id": device}))
    };
    assert_eq!(
        sentence(ada, phone),
        format!("gets `a` because it keeps what device `{}` got before signing in", phone.unwrap())
    );
    // Ada signs in on her phone, then on a laptop on which she had seen something else.
    assert_eq!(told(&house, ada, phone), ("a".into(), "SPLIT"));
    assert_eq!(told(&house, ada, laptop), ("a".into(), "SPLIT"));
    assert_eq!(told(&house, ada, None), ("a".into(), "SPLIT"));
    assert_eq!(told(&house, None, laptop), ("a".into(), "SPLIT"), "signed out");
    assert_eq!(
        sentence(None, laptop),
        format!("gets `a` because device `{}` keeps what its user has", laptop.unwrap())
    );
    assert_eq!(sentence(ada, None), "gets `a` because it keeps what it got before signing in");
    // Bob borrows the phone: it is hers.
    assert_eq!(told(&house, bob, phone), ("b".into(), "SPLIT"));
    assert_eq!(told(&house, None, phone), ("a".into(), "SPLIT"));
    assert_eq!(told(&house, ada, phone), ("a".into(), "SPLIT"));
    assert_eq!(enrolled(&house)["units"], 2, "two people, whatever they use");
    // Under a user's id nobody was recorded with two variants.
    let mut seen: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for event in house.events() {
        let who = &event["who"];
        let id = [&who["user"], &who["both"]["user"]].iter().find_map(|id| id.as_str().map(str::to_owned));
        let variant = event["properties"]["variant"].as_str().unwrap().to_owned();
        seen.entry(id.unwrap_or_default()).or_default().push(variant);
    }
    let of = |id: Option<&str>| {
        let mut all = seen[id.unwrap()].clone();
        all.dedup();
        all
    };
    assert_eq!((of(ada), of(bob)), (vec!["a".to_owned()], vec!["b".to_owned()]));
}

/// An id that stands for nobody takes over no device, and no device is one by it.
#[test]
fn nobody_is_nobody() {
    let house = House::new();
    arms(&house, 5_000, 5_000);
    let phone = ids(&house, "device", "a").next().unwrap();
    limit(&house, json!({"sticky": true}));
    assert_eq!(told(&house, None, Some(&phone)).0, "a");
    for nobody in ["anonymous", "null", "0"] {
        assert_eq!(told(&house, Some(nobody), Some(&phone)).0, "a", "{nobody}: it is the device");
    }
    let ada = ids(&house, "user", "b").next().unwrap();
    assert_eq!(told(&house, Some(&ada), Some("undefined")).0, "b");
    assert_eq!(told(&house, Some(&ada), Some(&phone)).0, "b", "she has a variant of her own");
    assert_eq!(enrolled(&house)["units"], 1);
}

#[test]
fn a_limit_is_kept_to_the_unit_however_many_ask_at_once() {
    let house = House::new();
    arms(&house, 3_000, 3_000);
    limit(&house, json!({"units": 500}));
    let inside = AtomicUsize::new(0);
    let ask = |from: usize| {
        // Each user is asked for by two threads at about the same time, bulk and single.
        for n in from..from + 1_500 {
            let context = user(json!({"user_id": format!("user-{n}")}));
            let served = house.served();
            let one = house.app.evaluate(&served, "f", &context, Track::Nothing, None, house.now).unwrap();
            let all = house.app.evaluate_all(&served, None, &context, &[], None, house.now);
            assert_eq!(one.variant, all[0].variant, "user-{n}");
            inside.fetch_add(usize::from(one.variant != "off"), Ordering::Relaxed);
        }
    };
    std::thread::scope(|scope| {
        for thread in 0..8 {
            scope.spawn(move || ask(thread / 2 * 1_500));
        }
    });
    let view = enrolled(&house);
    assert_eq!((view["units"].as_u64(), view["closed"].as_bool()), (Some(500), Some(true)));
    assert_eq!(
        view["sentence"],
        "500 of 500 are enrolled, and enrolment is closed; a crash now could let in 500 more at most"
    );
    assert_eq!(view["unwritten"], 500);
    house.app.step(house.now).unwrap();
    let view = enrolled(&house);
    assert_eq!(view["sentence"], "500 of 500 are enrolled, and enrolment is closed");
    assert_eq!(view["unwritten"], 0);
    assert_eq!(inside.into_inner(), 1_000, "both threads say the same of each");
    // More may come, and they do.
    assert_eq!(limit(&house, json!({"units": 501}))["closed"], false);
    let came = (0..6_000).filter(|n| told(&house, Some(&format!("user-{n}")), None).0 != "off").count();
    assert_eq!((came, enrolled(&house)["units"].as_u64()), (501, Some(501)));
}

#[test]
fn who_is_enrolled_stays_and_who_comes_late_is_beside_the_split() {
    let mut house = House::new();
    arms(&house, 5_000, 5_000);
    limit(&house, json!({"units": 2}));
    let (mut a, mut b) = (ids(&house, "user", "a"), ids(&house, "user", "b"));
    let (ada, bob, eve) = (a.next().unwrap(), b.next().unwrap(), a.next().unwrap());
    assert_eq!(told(&house, Some(&ada), None), ("a".into(), "SPLIT"));
    assert_eq!(told(&house, Some(&bob), None), ("b".into(), "SPLIT"));
    assert_eq!(told(&house, Some(&eve), None), ("off".into(), "DEFAULT"));
    assert_eq!(
        explained(&house, json!({"targetingKey": eve})),
        "gets `off` because enrolment is closed: 2 of 2 are enrolled"
    );
    assert_eq!(
        explained(&house, json!({"targetingKey": ada})),
        "gets `a` because it was enrolled before and keeps its variant"
    );
    // Eve is not exposed, today and tomorrow.
    house.later(DAY);
    for who in [&ada, &bob, &eve] {
        told(&house, Some(who), None);
    }
    assert_eq!(house.events().len(), 4);
    // Shares change, and the enrolled stay.
    arms(&house, 1, 9_999);
    assert_eq!(told(&house, Some(&ada), None).0, "a");
    // What is halted, switched off or ruled out wins.
    let rule = json!([{"name": "bob", "when": [[{"attribute": "user_id", "op": "is", "values": [bob]}]],
        "serve": {"serve": "variant", "variant": "off"}}]);
    let ruled = json!({"flag": "f", "environment": "production", "rules": rule, "why": "test"});
    house.did("flag.target", ruled);
    assert_eq!(told(&house, Some(&bob), None).0, "off");
    house.did("flag.toggle", json!({"flag": "f", "environment": "production", "on": false, "why": "test"}));
    assert_eq!(told(&house, Some(&ada), None), ("off".into(), "DISABLED"));
    house.did("flag.toggle", json!({"flag": "f", "environment": "production", "on": true, "why": "test"}));
    assert_eq!(told(&house, Some(&ada), None).0, "a");
}

/// A rollout counts those with the candidate. A halt takes it from all of them, and resuming gives it back.
#[test]
fn a_limited_rollout_can_be_halted_and_resumed() {
    let house = House::new();
    house.did("flag.create", json!({"flag": "f"}));
    house.did("flag.toggle", json!({"flag": "f", "environment": "production", "on": true, "why": "test"}));
    let rollout = |operation: &str, more: Json| {
        let mut input = json!({"flag": "f", "environment": "production", "why": "test"});
        input.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
        house.did(operation, input)
    };
    rollout("rollout.start", json!({"candidate": "on", "control": "off", "share": 5_000}));
    limit(&house, json!({"units": 3}));
    let got = || -> Vec<usize> {
        (0..100).filter(|n| told(&house, Some(&format!("user-{n}")), None).0 == "on").collect()
    };
    let first = got();
    assert_eq!(first.len(), 3);
    assert_eq!(
        enrolled(&house)["sentence"],
        "3 of 3 are enrolled, and enrolment is closed; a crash now could let in 3 more at most"
    );
    rollout("rollout.halt", json!({}));
    assert_eq!(got(), [0_usize; 0]);
    assert_eq!(enrolled(&house)["units"], 3);
    rollout("rollout.resume", json!({}));
    assert_eq!(got(), first);
    rollout("rollout.widen", json!({"share": 9_999}));
    assert_eq!(got(), first, "wider, and as many");
    let everybody = json!({"flag": "f", "environment": "production", "why": "test"});
    assert_eq!(
        house.refused("rollout.finish", everybody),
        "400 in environment `production`: flag `f` would reach everybody, and at most `3` units are allowed\nhint: widen to less than everybody, or lift the limit with `flag.enrolment` first"
    );
    limit(&house, json!({"units": 100}));
    assert_eq!(got().len(), 100);
}

#[test]
fn who_was_enrolled_before_the_limit_was_set_stays_and_is_counted() {
    let mut house = House::new();
    arms(&house, 5_000, 5_000);
    let before: Vec<(String, String)> =
        (0..10).map(|n| format!("user-{n}")).map(|id| (told(&house, Some(&id), None).0, id)).collect();
    house.later(HOUR);
    // Recorded with another variant before, under other shares: what they have now counts.
    arms(&house, 10_000, 0);
    for (_, id) in &before {
        told(&house, Some(id), None);
    }
    house.app.commit().unwrap();
    house.later(HOUR);
    let view = limit(&house, json!({"units": 7}));
    assert_eq!((view["units"].as_u64(), view["over"].as_u64()), (Some(10), Some(3)));
    insta::assert_snapshot!(view["sentence"].as_str().unwrap(), @"10 of 7 are enrolled, and enrolment is closed; 3 more than the limit, to which SDKs with older rules can add until 2026-09-21T16:23:20Z; a crash now could let in 10 more at most");
    assert_eq!((&view["unwritten"], &view["settles"]), (&json!(10), &json!(house.now.0 + 10 * MINUTE)));
    for (_, id) in &before {
        assert_eq!(told(&house, Some(id), None), ("a".into(), "SPLIT"));
    }
    assert_eq!(told(&house, Some("somebody-new"), None).0, "off");
    // An SDK that had not heard of the limit reports late whom it enrolled.
    house.later(MINUTE);
    let secret = house.key("server");
    let late = json!({"event_type": "$exposure", "user_id": "straggler", "time": house.now.0 - 30_000,
        "event_properties": {"flag_key": "f", "variant": "a"}});
    house.send(&json!({"api_key": secret, "events": [late]})).unwrap();
    house.later(MINUTE);
    house.app.step(house.now).unwrap();
    assert_eq!(enrolled(&house)["over"], 4);
    assert_eq!(told(&house, Some("straggler"), None).0, "a");
}

#[test]
fn a_restart_keeps_the_enrolled_and_a_crash_what_was_recorded() {
    let house = House::new();
    arms(&house, 5_000, 5_000);
    limit(&house, json!({"units": 40, "sticky": true}));
    let everybody = |house: &House| -> Vec<String> {
        let users = (0..30).map(|n| told(house, Some(&format!("user-{n}")), Some(&format!("phone-{n}"))).0);
        let devices = (0..30).map(|n| told(house, None, Some(&format!("device-{n}"))).0);
        users.chain(devices).collect()
    };
    let first = everybody(&house);
    assert_eq!(enrolled(&house)["units"], 40);
    house.app.step(house.now).unwrap();
    // Other shares, so that no hash says what they had.
    arms(&house, 1, 9_999);
    let mut house = house.restart();
    assert_eq!(everybody(&house), first);
    // Raised, and those who come then are in no table yet when the process dies; their exposures are.
    limit(&house, json!({"units": 45, "sticky": true}));
    house.later(HOUR);
    let second = everybody(&house);
    house.app.commit().unwrap();
    arms(&house, 9_999, 1);
    let house = house.restart();
    assert_eq!(enrolled(&house)["units"], 45);
    assert_eq!(everybody(&house), second);
    let view = enrolled(&house);
    assert_eq!((view["units"].as_u64(), view["over"].as_u64()), (Some(45), Some(0)));
}

/// Another salt draws everybody anew; what was remembered under the old one goes.
#[test]
fn another_salt_is_another_memory() {
    let mut house = House::new();
    arms(&house, 5_000, 5_000);
    limit(&house, json!({"units": 1}));
    let ada = ids(&house, "user", "a").next().unwrap();
    assert_eq!(told(&house, Some(&ada), None).0, "a");
    let shares = json!([{"variant": "b", "share": 10_000}]);
    let default = json!({"serve": "split", "shares": shares, "salt": "f-2"});
    house.did(
        "flag.target",
        json!({"flag": "f", "environment": "production", "default": default, "why": "x"}),
    );
    assert_eq!(enrolled(&house)["units"], 0);
    assert_eq!(told(&house, Some(&ada), None).0, "b");
    house.later(MINUTE);
    house.app.step(house.now).unwrap();
    // Unlimited again, and forgotten.
    limit(&house, json!({"units": "none"}));
    assert_eq!(enrolled(&house), Json::Null);
    let late = (0..5).map(|n| told(&house, Some(&format!("user-{n}")), None).0);
    assert!(late.into_iter().all(|variant| variant == "b"));
}

#[test]
fn a_preview_and_an_explanation_enroll_nobody() {
    let house = House::new();
    arms(&house, 5_000, 5_000);
    let ada = ids(&house, "user", "a").next().unwrap();
    house
        .send(&json!({"api_key": house.key("server"), "events": [
        {"event_type": "visit", "user_id": ada}, {"event_type": "visit", "device_id": "phone"}]}))
        .unwrap();
    limit(&house, json!({"units": 1, "sticky": true}));
    let preview = || {
        let shares = json!([{"variant": "a", "share": 1}, {"variant": "b", "share": 9_999},
            {"variant": "off", "share": 0}]);
        let default = json!({"serve": "split", "shares": shares, "rest": "off", "salt": "f-1"});
        house.did("flag.preview", json!({"flag": "f", "environment": "production", "default": default}))
    };
    assert_eq!(preview()["users"], 2);
    explained(&house, json!({"targetingKey": ada}));
    assert_eq!(enrolled(&house)["units"], 0);
    told(&house, Some(&ada), None);
    // She keeps hers, and the other one comes too late.
    let then = preview();
    let because: Vec<&str> = then["then_because"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|b| b["reason"]["because"].as_str())
        .collect();
    assert!(because.contains(&"closed") && !because.contains(&"split"), "{then}");
    // At a past revision it is not known who was enrolled.
    let asked = json!({"flag": "f", "environment": "production", "context": {"targetingKey": ada},
        "revision": house.revision()});
    let sentence = house.did("flag.explain", asked)["sentence"].clone();
    assert!(
        sentence
            .as_str()
            .unwrap()
            .ends_with("who was enrolled then is not known, and not taken into account")
    );
}

#[test]
fn what_is_wrong_is_said() {
    let house = House::new();
    arms(&house, 5_000, 4_000);
    let refused = |more: Json| {
        let mut input = json!({"flag": "f", "environment": "production", "why": "test"});
        input.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
        house.refused("flag.enrolment", input)
    };
    let all = [
        refused(json!({"units": 0})),
        refused(json!({"units": -1})),
        refused(json!({"units": 1_000_001})),
        refused(json!({"share": 10_001})),
        refused(json!({"share": 8_999})),
        refused(json!({"share": "all"})),
        refused(json!({"sticky": "yes"})),
        refused(json!({"environment": "moon"})),
        refused(json!({"flag": "nothing"})),
    ];
    insta::assert_snapshot!(all.join("\n"), @r#"
    400 in `units`: a limit of `0` lets nobody in
    hint: turn the flag off, or give `units` as `"none"` for no limit
    400 in `units`: `-1` stands where a whole number from 0 to 4294967295 belongs
    hint: what belongs in `units`: How many units may be enrolled at most, 1000000 at the most; as it is unless given, no limit by `"none"`. Of a rollout those with the candidate count. The server counts them, so that SDKs that evaluate by themselves do not get the flag
    400 in environment `production`: a limit of `1000001` units is more than can be remembered
    hint: allow at most 1000000, or limit by `share`, which needs no memory
    400 in `share`: `10001` basis points is more than everybody
    hint: what belongs in `share`: The share of everybody that may be enrolled at most; as it is unless given, no limit by `"none"`
    400 in environment `production`: flag `f` would reach `90%` of everybody, and at most `89.99%` are allowed
    hint: widen less, or raise the limit with `flag.enrolment` first
    400 in `share`: `all` is neither a number nor `none`
    hint: what belongs in `share`: The share of everybody that may be enrolled at most; as it is unless given, no limit by `"none"`
    400 in `sticky`: the text `yes` stands where `true` or `false` belongs
    hint: what belongs in `sticky`: Whether a unit keeps the variant that it got first, also when an anonymous visitor signs in; as it is unless given. The server remembers it, so that SDKs that evaluate by themselves do not get the flag
    404 there is no environment `moon`
    hint: use `development` or `production`
    404 there is no flag `nothing`
    hint: use `f`
    "#);
    assert_eq!(enrolled(&house), Json::Null, "nothing of it was done");
    limit(&house, json!({"share": 9_000}));
    let wider = json!({"flag": "f", "environment": "production", "why": "test", "shares": [
        {"variant": "a", "share": 5_000}, {"variant": "b", "share": 4_001}, {"variant": "off", "share": 999}]});
    insta::assert_snapshot!(house.refused("flag.reshare", wider), @r"
    400 in environment `production`: flag `f` would reach `90.01%` of everybody, and at most `90%` are allowed
    hint: widen less, or raise the limit with `flag.enrolment` first
    ");
}

/// What is left out stays, `none` takes a limit away, and nothing is said twice for it.
#[test]
fn what_is_left_out_of_limits_stays() {
    let house = House::new();
    arms(&house, 3_000, 3_000);
    let set = |limits: Json| {
        limit(&house, limits);
        let view = house.did("flag.get", json!({"flag": "f"}));
        view["flag"]["settings"]["production"].get("enrolment").cloned().unwrap_or(Json::Null)
    };
    for (edit, then) in [
        (json!({"share": 8_000}), json!({"share": 8_000})),
        (json!({"units": 30}), json!({"share": 8_000, "units": 30})),
        (json!({"sticky": true}), json!({"share": 8_000, "units": 30, "sticky": true})),
        (json!({}), json!({"share": 8_000, "units": 30, "sticky": true})),
        (json!({"share": null, "units": null}), json!({"share": 8_000, "units": 30, "sticky": true})),
        (json!({"share": 7_000, "units": "none"}), json!({"share": 7_000, "sticky": true})),
        (json!({"sticky": false}), json!({"share": 7_000})),
        (json!({"share": "none"}), Json::Null),
    ] {
        assert_eq!(set(edit.clone()), then, "{edit}");
    }
    // Who is enrolled is not forgotten by an edit of something else.
    limit(&house, json!({"units": 2}));
    for n in 0..20 {
        told(&house, Some(&format!("user-{n}")), None);
    }
    assert_eq!(limit(&house, json!({"share": 9_000}))["closed"], true);
}

/// While an experiment runs its flag may be closed, and its sample ratio is that of the split's ranges.
#[test]
fn an_experiment_on_a_limited_sticky_flag_counts_each_person_once() {
    let mut house = House::new();
    arms(&house, 5_000, 5_000);
    limit(&house, json!({"sticky": true, "units": 100_000}));
    house.did("metric.save", json!({"metric": "buys", "event": "buy", "measure": {"measure": "conversion"}}));
    let plan = json!({"experiment": "x", "flag": "f", "environment": "production", "control": "a",
        "metric": "buys", "days": 7});
    house.did("experiment.create", plan);
    house.did("experiment.start", json!({"experiment": "x", "why": "test"}));
    house.later(MINUTE);
    // Each comes without a name first, then signs in, then uses another device.
    for n in 0..1_500 {
        let (id, phone, laptop) = (format!("user-{n}"), format!("phone-{n}"), format!("laptop-{n}"));
        let first = told(&house, None, Some(&phone)).0;
        assert_eq!(told(&house, Some(&id), Some(&phone)).0, first);
        assert_eq!(told(&house, Some(&id), Some(&laptop)).0, first);
    }
    house.app.commit().unwrap();
    let closed = limit(&house, json!({"sticky": true, "units": 10}));
    assert_eq!((closed["units"].as_u64(), closed["closed"].as_bool()), (Some(1_500), Some(true)));
    let unstuck =
        json!({"flag": "f", "environment": "production", "units": 10, "sticky": false, "why": "test"});
    let refused = house.ask("flag.enrolment", unstuck);
    assert!(refused.unwrap_err().message.contains("would lose their variant"));
    for n in 0..50 {
        assert_eq!(told(&house, Some(&format!("late-{n}")), None).0, "off");
        assert_ne!(told(&house, Some(&format!("user-{n}")), None).0, "off");
    }
    house.later(8 * DAY);
    house.app.commit().unwrap();
    let results = house.did("experiment.results", json!({"experiment": "x"}));
    let judged = &results["judgement"];
    let exposed: u64 =
        judged["counts"].as_array().unwrap().iter().filter_map(|arm| arm["exposed"].as_u64()).sum();
    assert_eq!((exposed, &judged["crossed"]), (1_500, &json!(0)), "{judged}");
    assert_eq!(judged["sample_ratio"]["broken"], false, "{judged}");
}

/// Who was enrolled by other shares would be counted among the new when they come back.
#[test]
fn an_experiment_does_not_begin_on_variants_that_were_given_by_other_shares() {
    let mut house = House::new();
    house.did("metric.save", json!({"metric": "buys", "event": "buy", "measure": {"measure": "conversion"}}));
    let mut started = 0;
    let mut start = |house: &House| {
        started += 1;
        let key = format!("x-{started}");
        let plan = json!({"experiment": key, "flag": "f", "environment": "production", "control": "a",
            "metric": "buys", "days": 7});
        house.did("experiment.create", plan);
        house
            .ask("experiment.start", json!({"experiment": key, "why": "test"}))
            .map_err(|e| (key.clone(), format!("{} {}\nhint: {}", e.refusal.status(), e.message, e.hint)))?;
        house.did("experiment.stop", json!({"experiment": key, "why": "test"}));
        Ok::<(), (String, String)>(())
    };
    arms(&house, 1_000, 4_000);
    limit(&house, json!({"sticky": true}));
    // Other shares, and nobody is enrolled.
    arms(&house, 500, 500);
    start(&house).unwrap();
    house.later(HOUR);
    for n in 0..300 {
        told(&house, Some(&format!("user-{n}")), None);
    }
    house.later(HOUR);
    let (before, _) = start(&house).unwrap_err();
    assert_eq!(before, "x-2", "under the salt that 1:4 had; by which of both they came is not kept");
    let anew = |salt: &str, a: u32| {
        let shares = json!([{"variant": "a", "share": a}, {"variant": "b", "share": a}, {"variant": "off", "share": 10_000 - 2 * a}]);
        let default = json!({"serve": "split", "shares": shares, "rest": "off", "salt": salt});
        json!({"flag": "f", "environment": "production", "default": default, "why": "test"})
    };
    house.did("flag.target", anew("f-2", 1_000));
    for n in 0..300 {
        told(&house, Some(&format!("user-{n}")), None);
    }
    start(&house).unwrap();
    // Wider in the same ratio.
    house.did("flag.target", anew("f-2", 5_000));
    start(&house).unwrap();
    let uneven = json!([{"variant": "a", "share": 2_000}, {"variant": "b", "share": 8_000}, {"variant": "off", "share": 0}]);
    house.did(
        "flag.reshare",
        json!({"flag": "f", "environment": "production", "shares": uneven, "why": "test"}),
    );
    insta::assert_snapshot!(start(&house).unwrap_err().1, @r"
    409 flag `f` keeps the variants of `49` units, and at `2026-09-21T16:13:20Z` its arms stood in another ratio: who was enrolled by it would count among the new
    hint: draw everybody anew: give the split no `salt` in `flag.target`, then plan and start
    ");
    // What keeps nothing draws by the shares of now.
    limit(&house, json!({"sticky": false}));
    start(&house).unwrap();
}

/// A limit that is set while nothing divides counts those who are in all the same.
#[test]
fn a_limit_that_is_set_while_the_flag_is_off_counts_who_was_enrolled() {
    let mut house = House::new();
    arms(&house, 5_000, 5_000);
    let people: Vec<String> = (0..20).map(|n| format!("user-{n}")).collect();
    let all =
        |house: &House| -> Vec<String> { people.iter().map(|id| told(house, Some(id), None).0).collect() };
    let toggle = |house: &House, on: bool| {
        house.did("flag.toggle", json!({"flag": "f", "environment": "production", "on": on, "why": "test"}))
    };
    let first = all(&house);
    house.app.commit().unwrap();
    house.later(HOUR);
    toggle(&house, false);
    let view = limit(&house, json!({"units": 20, "sticky": true}));
    assert_eq!(view["units"], 20);
    // Other shares, so that no hash says what they had.
    house.did(
        "flag.reshare",
        json!({"flag": "f", "environment": "production", "why": "test", "shares": [{"variant": "a",
            "share": 1}, {"variant": "b", "share": 9_999}, {"variant": "off", "share": 0}]}),
    );
    house.later(MINUTE);
    house.app.step(house.now).unwrap();
    toggle(&house, true);
    for n in 0..20 {
        assert_eq!(told(&house, Some(&format!("new-{n}")), None).0, "off");
    }
    assert_eq!(all(&house), first);
    assert_eq!(enrolled(&house)["over"], 0);
}

/// The same of a rollout that is halted, and of a split that comes back when nothing divided.
#[test]
fn a_limit_that_is_set_while_a_rollout_is_halted_counts_who_has_the_candidate() {
    let mut house = House::new();
    house.did("flag.create", json!({"flag": "f"}));
    house.did("flag.toggle", json!({"flag": "f", "environment": "production", "on": true, "why": "test"}));
    let rollout = |house: &House, operation: &str, more: Json| {
        let mut input = json!({"flag": "f", "environment": "production", "why": "test"});
        input.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
        house.did(operation, input)
    };
    rollout(&house, "rollout.start", json!({"candidate": "on", "control": "off", "share": 5_000}));
    let got = |house: &House, kind: &str| -> Vec<usize> {
        (0..60).filter(|n| told(house, Some(&format!("{kind}-{n}")), None).0 == "on").collect()
    };
    let first = got(&house, "user");
    house.app.commit().unwrap();
    house.later(HOUR);
    rollout(&house, "rollout.halt", json!({}));
    assert_eq!(limit(&house, json!({"units": first.len()}))["units"], first.len());
    rollout(&house, "rollout.resume", json!({}));
    assert_eq!(got(&house, "new"), [0_usize; 0]);
    assert_eq!(got(&house, "user"), first);
    assert_eq!(enrolled(&house)["over"], 0);
}

#[test]
fn a_limit_that_is_set_while_nothing_divides_counts_those_of_a_split_that_comes_back() {
    let mut house = House::new();
    arms(&house, 5_000, 5_000);
    let first: Vec<String> = (0..20).map(|n| told(&house, Some(&format!("user-{n}")), None).0).collect();
    house.app.commit().unwrap();
    house.later(HOUR);
    let nothing = json!({"flag": "f", "environment": "production", "why": "test",
        "default": {"serve": "variant", "variant": "off"}});
    house.did("flag.target", nothing);
    limit(&house, json!({"units": 20}));
    house.later(HOUR);
    arms(&house, 5_000, 5_000);
    for (n, had) in first.iter().enumerate() {
        assert_eq!(told(&house, Some(&format!("new-{n}")), None).0, "off");
        assert_eq!(told(&house, Some(&format!("user-{n}")), None).0, *had);
    }
    assert_eq!(enrolled(&house)["over"], 0);
}

/// Each of several people who limit flags at once has theirs looked up.
#[test]
fn limits_that_are_set_at_once_all_count_who_was_enrolled() {
    let mut house = House::new();
    let flags: Vec<String> = (0..6).map(|n| format!("at-once-{n}")).collect();
    for flag in &flags {
        house.split_flag(flag, 5_000);
        for n in 0..20 {
            house.shown(flag, &format!("user-{n}"));
        }
    }
    house.app.commit().unwrap();
    house.later(HOUR);
    let set = |flag: &str| {
        let limits = json!({"flag": flag, "environment": "production", "units": 20, "why": "test"});
        let view = house.did("flag.enrolment", limits);
        view["enrolled"]["production"]["units"].as_u64()
    };
    std::thread::scope(|scope| {
        let asked: Vec<_> = flags.iter().map(|flag| scope.spawn(|| set(flag))).collect();
        for asked in asked {
            assert_eq!(asked.join().unwrap(), Some(20));
        }
    });
}

/// SDKs that evaluate by themselves send what they recorded when they can.
#[test]
fn what_is_reported_minutes_late_is_taken_in() {
    let mut house = House::new();
    arms(&house, 5_000, 5_000);
    house.later(HOUR);
    limit(&house, json!({"units": 5}));
    house.later(6 * MINUTE);
    house.app.step(house.now).unwrap();
    let late = json!({"event_type": "$exposure", "user_id": "straggler", "time": house.now.0 - 5 * MINUTE,
        "event_properties": {"flag_key": "f", "variant": "a"}});
    house.send(&json!({"api_key": house.key("server"), "events": [late]})).unwrap();
    house.later(MINUTE);
    house.app.step(house.now).unwrap();
    assert_eq!(enrolled(&house)["units"], 1);
}
