//! App tests: everything of a person is handed out, and then no byte of it is left anywhere.

use bellwether_app::Track;
use bellwether_model::{Json, Millis};
use serde_json::json;

use crate::house::{House, user};

/// Ids that nothing compresses, so that they are found wherever they are.
const GONE: &str = "kQ7vXz31-9fJtR0pLwYb64GdNh2sMcUe";
const DEVICE: &str = "Zw8Ry5Tn-1xCq7Vb3LkPj90HgFd6SaMu";
const OTHER: &str = "Hs4Nf9Kc-2mWd8Eq6TvBx15YzLr7JgPo";

/// The files below a directory in which there is a text, by their path in it.
pub(crate) fn files_with(house: &House, text: &str) -> Vec<String> {
    let (mut found, mut left) = (Vec::new(), vec![house.dir.path().to_owned()]);
    while let Some(dir) = left.pop() {
        for path in std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                left.push(path);
            } else if std::fs::read(&path).unwrap().windows(text.len()).any(|w| w == text.as_bytes()) {
                let path = path.strip_prefix(house.dir.path()).unwrap().to_owned();
                let name = path.display().to_string();
                let parts = name.contains("parts/") || name.contains("wal/");
                found.push(if parts { path.parent().unwrap().display().to_string() } else { name });
            }
        }
    }
    found.sort();
    found.dedup();
    found
}

fn send(house: &House, key: &str, who: &Json, events: &[&str]) {
    let event = |kind: &&str| {
        let mut event = json!({"event_type": kind, "event_properties": {"plan": "pro"},
            "user_properties": {"$set": {"town": "Delft"}}});
        event.as_object_mut().unwrap().extend(who.as_object().unwrap().clone());
        event
    };
    house.send(&json!({"api_key": key, "events": events.iter().map(event).collect::<Vec<_>>()})).unwrap();
}

pub(crate) fn settle(house: &House) {
    for minute in 0..100 {
        house.app.step(Millis(house.now.0 + 10 * minute * 60_000)).unwrap();
    }
}

/// The person in parts, in memory, in the quarantine, on a segment's list of two revisions, a target, enrolled.
fn everywhere() -> (House, String) {
    let house = House::new();
    let plan = json!({"rules": {"environments": {"production": {"invalid": "quarantine"}}},
        "events": {"Odd": {"properties": {"plan": {"type": "integer"}}},
            "Seen": {"properties": {"plan": {"type": "string"}}}}});
    house.did("plan.save", json!({"plan": plan, "why": "test"}));
    let key = house.key("server");
    let (person, other) = (json!({"user_id": GONE, "device_id": DEVICE}), json!({"user_id": OTHER}));
    send(&house, &key, &json!({"device_id": DEVICE}), &["Seen"]);
    send(&house, &key, &person, &["Seen", "Odd"]);
    send(&house, &key, &other, &["Seen", "Odd"]);
    settle(&house);
    send(&house, &key, &json!({"device_id": DEVICE}), &["Seen"]);
    send(&house, &key, &other, &["Seen"]);

    house.did("segment.save", json!({"segment": "staff", "why": "test"}));
    let staff = |add: Json, remove: Json| json!({"segment": "staff", "list": "included", "add": add, "remove": remove, "why": "test"});
    house.did("segment.ids", staff(json!([GONE, OTHER, DEVICE]), json!([])));
    house.did("segment.ids", staff(json!(["eve"]), json!([DEVICE])));
    house.split_flag("f", 5_000);
    let rule = json!({"when": [[{"segment": "staff"}]], "serve": {"serve": "variant", "variant": "on"}});
    house.did("flag.create", json!({"flag": "t"}));
    let at = |more: Json| {
        let mut at = json!({"flag": "t", "environment": "production", "why": "test"});
        at.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        at
    };
    let targets = json!([{"variant": "on", "ids": [GONE, OTHER]}]);
    let off = json!({"serve": "variant", "variant": "off"});
    house.did("flag.target", at(json!({"targets": targets, "default": off})));
    house.did("flag.toggle", at(json!({"on": true})));
    house.did("flag.create", json!({"flag": "s"}));
    house.did(
        "flag.target",
        json!({"flag": "s", "environment": "production", "why": "test", "rules": [rule], "default": off}),
    );
    house.did("flag.toggle", json!({"flag": "s", "environment": "production", "why": "test", "on": true}));
    house.did(
        "flag.enrolment",
        json!({"flag": "f", "environment": "production", "sticky": true, "why": "test"}),
    );
    for who in [json!({"user_id": GONE, "device_id": DEVICE}), json!({"user_id": OTHER})] {
        house.app.evaluate(&house.served(), "f", &user(who), Track::Exposure, None, house.now).unwrap();
    }
    house.app.commit().unwrap();
    house.app.remember(house.now).unwrap();
    (house, key)
}

/// All pages of somebody, of so many events each.
fn pages(house: &House, input: &Json, limit: u32) -> Vec<Json> {
    let mut input = input.clone();
    input["environment"] = "production".into();
    input["limit"] = limit.into();
    let mut pages = vec![house.did("person.export", input.clone())];
    while let Some(next) = pages.last().map(|page| page["next"].clone()).filter(|next| !next.is_null()) {
        input["after"] = next;
        pages.push(house.did("person.export", input.clone()));
    }
    pages
}

pub(crate) fn export(house: &House, input: &Json) -> Json {
    let mut pages = pages(house, input, 2).into_iter();
    let mut whole = pages.next().unwrap();
    for page in pages {
        for list in ["quarantine", "events"] {
            let more = page[list].as_array().unwrap().clone();
            whole[list].as_array_mut().unwrap().extend(more);
        }
    }
    whole["next"] = Json::Null;
    whole
}

/// Who did what, without times.
fn deeds(events: &Json) -> Vec<String> {
    let events = events.as_array().unwrap().iter();
    events.map(|event| format!("{} {}", event["event"].as_str().unwrap(), event["who"])).collect()
}

#[test]
fn everything_of_a_person_is_handed_out() {
    let (house, _) = everywhere();
    let of_user = export(&house, &json!({"user": GONE}));
    assert_eq!(of_user, export(&house, &json!({"device": DEVICE})), "a device is its user's");
    let both = format!(r#"{{"both":{{"device":"{DEVICE}","user":"{GONE}"}}}}"#);
    let device = format!(r#"{{"device":"{DEVICE}"}}"#);
    assert_eq!(
        deeds(&of_user["events"]),
        [
            format!("Seen {device}"),
            format!("Seen {both}"),
            format!("Seen {device}"),
            format!("$exposure {both}"),
        ]
    );
    assert_eq!(deeds(&of_user["quarantine"]), [format!("Odd {both}")]);
    assert_eq!((&of_user["user"], &of_user["devices"]), (&json!(GONE), &json!([DEVICE])));
    assert_eq!(of_user["properties"]["town"], "Delft");
    assert_eq!(
        of_user["lists"],
        json!([{"flag": "t", "environment": "production", "variant": "on"}, {"segment": "staff"}])
    );
    assert_eq!(of_user["enrolments"].as_array().unwrap()[0]["flag"], "f");
    let nobody = export(&house, &json!({"user": "nobody"}));
    assert_eq!(
        (&nobody["events"], &nobody["lists"], &nobody["enrolments"]),
        (&json!([]), &json!([]), &json!([]))
    );
}

#[test]
fn no_byte_of_a_person_is_left_anywhere() {
    let (house, key) = everywhere();
    let found = files_with(&house, GONE);
    for place in ["events/parts", "events/wal", "quarantine.sqlite", "ledger.sqlite"] {
        assert!(found.iter().any(|name| name.starts_with(place)), "`{place}`: {found:?}");
    }
    let input = json!({"environment": "production", "device": DEVICE});
    let rehearsed = house.rehearse("person.forget", input.clone()).unwrap();
    assert_eq!(
        (&rehearsed["user"], &rehearsed["quarantined"], &rehearsed["listed"]),
        (&json!(GONE), &json!(1), &json!(3))
    );
    let stored = export(&house, &json!({"user": GONE}))["events"].as_array().unwrap().len();
    assert_eq!((stored, &rehearsed["events"]), (4, &json!(4)), "in parts and in memory");
    assert_eq!(files_with(&house, GONE), found, "a dry run forgets nothing");
    assert_eq!(
        house.refused("person.forget", input.clone()),
        "400 forgetting is not confirmed\nhint: give the same id as `confirm`; a dry run says first who is meant"
    );
    assert_eq!(house.peeked("t", GONE), "on");
    let before = house.served().tag.clone();

    let mut confirmed = input;
    confirmed["confirm"] = DEVICE.into();
    let forgot = house.did("person.forget", confirmed.clone());
    assert_eq!((&forgot["user"], &forgot["devices"]), (&json!(GONE), &json!([DEVICE])));
    // Of the list of the first revision, too: the device was on no other. A dry run says as many.
    assert_eq!((&forgot["quarantined"], &forgot["listed"]), (&json!(1), &json!(3)));
    assert_eq!(forgot["events"], 4);
    assert!(forgot["enrolled"].as_u64().unwrap() > 0 && forgot["named_in"] == json!([]), "{forgot}");
    // At once, though parts have them.
    let seen = export(&house, &json!({"user": GONE}));
    assert_eq!((&seen["events"], &seen["properties"], &seen["lists"]), (&json!([]), &json!({}), &json!([])));
    assert_eq!((house.peeked("t", GONE), house.peeked("s", GONE)), ("off".into(), "off".into()));
    assert_eq!((house.peeked("t", OTHER), house.peeked("s", OTHER)), ("on".into(), "on".into()));
    assert_ne!(house.served().tag, before, "SDKs hear of it");

    settle(&house);
    let files = |id: &str| files_with(&house, id);
    assert_eq!((files(GONE), files(DEVICE)), (vec![], vec![]));
    assert_eq!(house.rehearse("person.forget", confirmed.clone()).unwrap()["files_left"], 0);
    assert_eq!(house.rehearse("person.forget", confirmed).unwrap()["events"], 0);
    assert_eq!(deeds(&export(&house, &json!({"user": OTHER}))["events"]).len(), 3);
    assert!(!files_with(&house, OTHER).is_empty());

    // Also after a start; and whoever comes with the id is new.
    let house = house.restart();
    assert_eq!(export(&house, &json!({"user": GONE}))["events"], json!([]));
    send(&house, &key, &json!({"user_id": GONE}), &["Seen"]);
    assert_eq!(export(&house, &json!({"user": GONE}))["events"].as_array().unwrap().len(), 1);
    let dir = house.dir.path().to_owned();
    let House { app, dir: keep, .. } = house;
    drop(app);
    let checkup = bellwether_app::App::doctor(&dir, true).unwrap();
    assert!(checkup.findings.is_empty(), "{:?}", checkup.findings);
    drop(keep);
}

#[test]
fn a_page_ends_before_it_is_too_large_and_nothing_is_left_out() {
    let house = House::new();
    let plan = json!({"rules": {"environments": {"production": {"invalid": "quarantine"}}},
        "events": {"Odd": {"properties": {"p0": {"type": "integer"}}}, "Seen": {}}});
    house.did("plan.save", json!({"plan": plan, "why": "test"}));
    let key = house.key("server");
    let large: serde_json::Map<String, Json> =
        (0..200).map(|n| (format!("p{n}"), "x".repeat(1_000).into())).collect();
    let put = |user: &str, kind: &str, from: u32, to: u32, properties: &Json| {
        let event = |n: u32| {
            json!({"event_type": kind, "user_id": user, "insert_id": format!("{kind}-{n}"),
                "event_properties": properties})
        };
        for from in (from..to).step_by(4) {
            let events: Vec<Json> = (from..to.min(from + 4)).map(event).collect();
            house.send(&json!({"api_key": key, "events": events})).unwrap();
        }
    };
    let small = json!({"p0": "x"});
    for user in [GONE, OTHER] {
        put(user, "Odd", 0, 50, &large.clone().into());
        put(user, "Seen", 0, 30, &large.clone().into());
        settle(&house);
        put(user, "Odd", 50, 54, &small);
        put(user, "Seen", 30, 60, &large.clone().into());
        put(user, "Seen", 60, 64, &small);
    }
    let check = |limit: u32, least: usize| {
        let (mut held, mut stored) = (Vec::new(), Vec::new());
        let pages = pages(&house, &json!({"user": GONE}), limit);
        assert!(pages.len() >= least, "{} pages of `{limit}`", pages.len());
        for (at, page) in pages.iter().enumerate() {
            let [odd, seen] = ["quarantine", "events"].map(|list| page[list].as_array().unwrap());
            let bytes: usize = odd.iter().chain(seen).map(|event| event.to_string().len()).sum();
            assert!(bytes <= 8 << 20, "page {at} of `{limit}` has {bytes} bytes");
            assert!(odd.len() + seen.len() <= limit as usize, "page {at} of `{limit}`");
            assert!(page["user"] == GONE || seen.is_empty(), "each says who is meant");
            let ids = |events: &[Json]| -> Vec<String> {
                events.iter().map(|event| event["insert_id"].as_str().unwrap().to_owned()).collect()
            };
            held.extend(ids(odd));
            stored.extend(ids(seen));
        }
        let all = |kind: &str, to: u32| (0..to).map(|n| format!("{kind}-{n}")).collect::<Vec<_>>();
        assert_eq!((held, stored), (all("Odd", 54), all("Seen", 64)), "pages of `{limit}`");
    };
    check(5_000, 3);
    check(7, 16);
    for after in ["quarantine:x", "quarantine:-1", "next", "-1", "7.", "7.x", ".1"] {
        let input = json!({"environment": "production", "user": GONE, "after": after});
        assert_eq!(
            house.refused("person.export", input),
            format!(
                "400 `{after}` is no place to go on from\nhint: send the `next` of the page before as `after`, as it was"
            )
        );
    }
}

/// Whoever signs in on another device between two pages may have been there before.
#[test]
fn no_page_leaves_out_what_was_done_on_a_device_that_became_theirs_meanwhile() {
    for id in [json!({"user": GONE}), json!({"device": DEVICE})] {
        let house = House::new();
        let key = house.key("server");
        send(&house, &key, &json!({"device_id": "second-device"}), &["Earlier"]);
        send(&house, &key, &json!({"user_id": GONE, "device_id": DEVICE}), &["A", "B", "C"]);
        let mut input = json!({"environment": "production", "limit": 1});
        input.as_object_mut().unwrap().extend(id.as_object().unwrap().clone());
        input["after"] = house.did("person.export", input.clone())["next"].clone();
        input["after"] = house.did("person.export", input.clone())["next"].clone();
        send(&house, &key, &json!({"user_id": GONE, "device_id": "second-device"}), &["D"]);
        assert_eq!(
            house.refused("person.export", input),
            "409 since the first page they came by another device, and what was done there before would be missing\n\
             hint: ask for the first page again, without `after`"
        );
        let whole = export(&house, &id);
        let deeds = deeds(&whole["events"]);
        assert_eq!(deeds.len(), 5, "{deeds:?}");
    }
}

#[test]
fn who_is_meant_must_be_said() {
    let house = House::new();
    let refused = |more: Json| {
        let mut input = json!({"environment": "production"});
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        house.refused("person.export", input)
    };
    let both = "400 who is meant is not said once\nhint: give `user`, or `device`";
    for input in [json!({}), json!({"user": ""}), json!({"user": "a", "device": "b"})] {
        assert_eq!(refused(input), both);
    }
    let key = house.key("server");
    for user in ["ada-lovelace", "bob-kahn"] {
        send(&house, &key, &json!({"user_id": user, "device_id": "tablet"}), &["Seen"]);
    }
    assert_eq!(
        refused(json!({"device": "tablet"})),
        "409 the device `tablet` is of several users: `ada-lovelace`, `bob-kahn`\nhint: name one of the users"
    );
    // The rule in which somebody wrote the id is named, and stays.
    house.did("flag.create", json!({"flag": "r"}));
    let rules = json!([{"when": [[{"attribute": "user_id", "op": "is", "values": ["ada-lovelace"]}]],
        "serve": {"serve": "variant", "variant": "on"}}]);
    let default = json!({"serve": "variant", "variant": "off"});
    house.did(
        "flag.target",
        json!({"flag": "r", "environment": "production", "why": "test", "rules": rules, "default": default}),
    );
    let input = json!({"environment": "production", "user": "ada-lovelace", "confirm": "ada-lovelace"});
    assert_eq!(house.did("person.forget", input)["named_in"], json!([house.revision()]));
}

#[test]
fn an_id_that_nobody_has_is_said() {
    let house = House::new();
    let key = house.key("server");
    send(&house, &key, &json!({"user_id": "ada-lovelace", "device_id": "tablet"}), &["Seen"]);
    let unknown = "nobody is known by this id here: look at how it is written, and where";
    let check = |field: &str, id: &str, known: bool| {
        let input = json!({"environment": "production", field: id, "confirm": id});
        for forgot in
            [house.rehearse("person.forget", input.clone()).unwrap(), house.did("person.forget", input)]
        {
            let notes = forgot["notes"].as_array().unwrap();
            assert_eq!(!notes.contains(&json!(unknown)), known, "{field} {id}");
        }
    };
    check("user", "Ada-Lovelace", false);
    check("user", "tablet", false);
    check("device", "tablet", true);
    check("user", "ada-lovelace", false);
}
