//! App tests: the lists of ids of a segment, changed by a few or put in whole.

use serde_json::{Value as Json, json};

use crate::house::House;

/// A flag that is `on` for those in the segment `staff` and off for all others.
fn staffed() -> House {
    let house = House::new();
    house.did("segment.save", json!({"segment": "staff", "why": "test"}));
    house.did("flag.create", json!({"flag": "f"}));
    let rules = json!([{"when": [[{"segment": "staff"}]], "serve": {"serve": "variant", "variant": "on"}}]);
    let input = json!({"flag": "f", "environment": "production", "why": "test", "rules": rules,
        "default": {"serve": "variant", "variant": "off"}});
    house.did("flag.target", input);
    house.did("flag.toggle", json!({"flag": "f", "environment": "production", "on": true, "why": "test"}));
    house
}

fn ids(list: &str, add: Json, remove: Json) -> Json {
    json!({"segment": "staff", "list": list, "add": add, "remove": remove, "why": "test"})
}

fn upload(text: &str) -> Json {
    json!({"segment": "staff", "list": "included", "ids": text, "why": "test"})
}

#[test]
fn a_list_is_changed_by_a_few() {
    let house = staffed();
    assert_eq!(house.peeked("f", "ada"), "off");
    let seen = house.did("segment.ids", ids("included", json!(["ada", "bob", "ada"]), json!([])));
    assert_eq!(seen["included"], json!({"count": 2, "first": ["ada", "bob"]}));
    assert_eq!((house.peeked("f", "ada"), house.peeked("f", "eve")), ("on".into(), "off".into()));
    let old = seen["segment"]["included"].clone();
    let seen = house.did("segment.ids", ids("included", json!(["eve"]), json!(["bob", "nobody"])));
    assert_eq!(seen["included"], json!({"count": 2, "first": ["ada", "eve"]}));
    assert_ne!(seen["segment"]["included"], old, "a change is another list");
    // The past means what it meant.
    let asked = json!({"flag": "f", "environment": "production", "context": {"targetingKey": "bob"},
        "revision": seen["revision"].as_u64().unwrap() - 1});
    assert_eq!(house.did("flag.explain", asked)["explanation"]["variant"], "on");
    assert_eq!(house.peeked("f", "bob"), "off");
    let same = house.did("segment.ids", ids("included", json!(["eve"]), json!([])));
    assert_eq!(same["segment"]["included"], seen["segment"]["included"], "the same ids are the same list");
    let empty = house.did("segment.ids", ids("included", json!([]), json!(["ada", "eve"])));
    assert_eq!((&empty["segment"]["included"], &empty["included"]["count"]), (&Json::Null, &json!(0)));
    let listed = house.did("segment.ids", ids("excluded", json!(["mallory"]), json!([])));
    assert_eq!(listed["excluded"]["first"], json!(["mallory"]));
    assert_eq!(
        house.did("segment.list", json!({}))["segments"][0]["excluded"],
        json!({"count": 1, "first": []})
    );
}

#[test]
fn a_list_is_put_in_whole() {
    let house = staffed();
    for (text, expected) in [
        ("ada\nbob\n", json!(["ada", "bob"])),
        ("\u{feff}ada\r\nbob", json!(["ada", "bob"])),
        ("käyttäjä-1\nada\nkäyttäjä-1\n", json!(["käyttäjä-1", "ada"])),
        ("", json!([])),
    ] {
        let seen = house.did("segment.upload", upload(text));
        assert_eq!(seen["included"]["first"], expected, "{text:?}");
    }
    let would = house.rehearse("segment.upload", upload("eve\n")).unwrap();
    assert_eq!(would["included"], json!({"count": 1, "first": ["eve"]}));
    assert_eq!(house.peeked("f", "eve"), "off");
}

#[test]
fn what_is_no_list_is_refused_whole_and_where_it_stands() {
    let house = staffed();
    house.did("segment.upload", upload("ada\n"));
    let before = house.revision();
    let long = "x".repeat(1_025);
    for (text, expected) in [
        (
            "ada\n\nbob\n".to_owned(),
            "400 in line `2`: an id is empty\nhint: give each id some text, and no empty lines between them".to_owned(),
        ),
        (
            format!("ada\n{long}"),
            format!(
                "400 in line `2`: `{}…` is longer than any id\nhint: use ids of at most 1024 characters, one a line",
                "x".repeat(60)
            ),
        ),
        (
            "ada\n bob\n".to_owned(),
            "400 in line `2`: ` bob` has white space around it or unprintable characters in it\nhint: write the id as SDKs send it, with nothing around it".to_owned(),
        ),
        (
            "\u{feff}ada\nbob\n\u{feff}eve\n".to_owned(),
            "400 in line `3`: `\\u{feff}eve` has the invisible character `\\u{feff}` in it\nhint: write the id as SDKs send it; two files that were put together leave such a mark at their seam".to_owned(),
        ),
        (
            "ada\nb\u{0}b\n".to_owned(),
            "400 in line `2`: `b\\0b` has white space around it or unprintable characters in it\nhint: write the id as SDKs send it, with nothing around it".to_owned(),
        ),
    ] {
        assert_eq!(house.refused("segment.upload", upload(&text)), expected);
    }
    for (input, expected) in [
        (
            ids("included", json!(["ok", ""]), json!([])),
            "400 in `add[1]`: an id is empty\nhint: give each id some text, and no empty lines between them",
        ),
        (
            ids("included", json!(["ada"]), json!(["ada"])),
            "400 `ada` is to be added and to be removed\nhint: name it once",
        ),
    ] {
        assert_eq!(house.refused("segment.ids", input), expected);
    }
    let unit = json!({"segment": "staff", "unit": "device", "why": "test"});
    assert_eq!(
        house.refused("segment.save", unit),
        "409 the lists of segment `staff` hold ids of the attribute `user_id`\nhint: empty the lists first, or make another segment"
    );
    assert_eq!(house.revision(), before);
    assert_eq!(house.peeked("f", "ada"), "on");
    let wrong = bellwether_app::plain_text(b"ada\nb\xffb\n").unwrap_err();
    assert_eq!(wrong.message, "in line `2`: byte `2` is not UTF-8");
}

#[test]
fn a_million_ids_are_taken_and_one_more_is_not() {
    let house = staffed();
    let mut text: String = (0..1_000_000).map(|n| format!("user-{n}\n")).collect();
    let seen = house.did("segment.upload", upload(&text));
    let first = ["user-0", "user-1", "user-10", "user-100", "user-1000"];
    assert_eq!(seen["included"]["count"], 1_000_000);
    assert_eq!(seen["included"]["first"].as_array().unwrap()[..5], first.map(Json::from));
    assert_eq!(seen["included"]["first"].as_array().unwrap().len(), 100);
    assert_eq!(
        (house.peeked("f", "user-999999"), house.peeked("f", "user-1000000")),
        ("on".into(), "off".into())
    );
    text.push_str("user-1000000\n");
    assert_eq!(
        house.refused("segment.upload", upload(&text)),
        "413 a list has at most `1000000` ids\nhint: divide them among several segments, or say by a rule who is meant"
    );
}

#[test]
fn a_list_is_read_page_by_page() {
    let house = staffed();
    let page = |after: Option<&str>, limit: u32| {
        let input = json!({"segment": "staff", "list": "included", "after": after, "limit": limit});
        house.did("segment.members", input)
    };
    assert_eq!(page(None, 10), json!({"ids": [], "count": 0}));
    // Below and above the length up to which a list is kept as it was given.
    for many in [7_u32, 10_001] {
        let ids: Vec<String> = (0..many).rev().map(|n| format!("{n}")).collect();
        let seen = house.did("segment.upload", upload(&ids.join("\n")));
        let first = seen["included"]["first"].as_array().unwrap();
        assert_eq!(first[0], if many > 10_000 { "0" } else { "6" });
        let rehearsed =
            house.rehearse("segment.upload", upload(&format!("new\n{}", ids.join("\n")))).unwrap();
        assert_eq!(rehearsed["included"]["first"][0], if many > 10_000 { "0" } else { "new" });
        for limit in [1, 2, 3, 7, 10_000].into_iter().filter(|limit| many < 10 || *limit > 3) {
            let (mut all, mut after) = (Vec::new(), None);
            loop {
                let page = page(after.as_deref(), limit);
                assert_eq!(page["count"], many);
                all.extend(page["ids"].as_array().unwrap().iter().map(|id| id.as_str().unwrap().to_owned()));
                match page["next"].as_str() {
                    Some(next) => after = Some(next.to_owned()),
                    None => break,
                }
                assert_eq!(Some(all.last().unwrap()), after.as_ref());
            }
            let mut sorted = ids.clone();
            sorted.sort();
            assert_eq!(all, sorted, "{many} by {limit}");
            if many > 10_000 && limit == 7 {
                break;
            }
        }
    }
    assert_eq!(page(Some("zz"), 10)["ids"], json!([]));
    assert_eq!(
        house.refused("segment.members", json!({"segment": "staff", "list": "both"})),
        "400 in `list`: `both` is not a word that belongs here\nhint: what there is: `included`, `excluded`"
    );
}
