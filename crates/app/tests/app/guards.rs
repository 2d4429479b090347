//! App tests: guards, over the whole way from answers and events to the change in the ledger.

use bellwether_app::Stepped;
use serde_json::{Value as Json, json};

use crate::house::{Dice, House, MINUTE};
use crate::rollouts::at;

/// A flag rolling out to half, guarded on `buys` with a margin.
fn guarded(house: &House, margin: f64) {
    house.did("metric.save", json!({"metric": "buys", "event": "buy", "measure": {"measure": "conversion"}}));
    house.did("flag.create", json!({"flag": "f"}));
    house.did("flag.toggle", at("f", json!({"on": true})));
    let guard = json!({"metric": "buys", "margin": margin, "alpha": 0.05, "window": 10 * MINUTE});
    let start = json!({"candidate": "on", "control": "off", "share": 5000, "guard": guard, "salt": "f-1"});
    house.did("rollout.start", at("f", start));
}

/// One round: `n` new users come, some of them buy, and twenty minutes later the guard looks.
fn round(
    house: &mut House,
    secret: &str,
    dice: &mut Dice,
    users: std::ops::Range<u32>,
    rates: (f64, f64),
) -> Stepped {
    let mut bought = Vec::new();
    for i in users {
        let user = format!("user-{i}");
        let rate = if house.shown("f", &user) == "on" { rates.0 } else { rates.1 };
        if dice.below(rate) {
            bought.push(json!({"event_type": "buy", "user_id": user, "time": house.now.0 + MINUTE}));
        }
    }
    house.later(20 * MINUTE);
    if !bought.is_empty() {
        house.send(&json!({"api_key": secret, "events": bought})).unwrap();
    }
    house.app.commit().unwrap();
    house.app.step(house.now).unwrap()
}

#[test]
fn harm_halts_the_rollout_in_the_guards_own_name() {
    let mut house = House::new();
    guarded(&house, 0.01);
    let (secret, mut dice) = (house.key("server"), Dice(7));
    let mut halted = None;
    for i in 0..10_u32 {
        if let [one] =
            round(&mut house, &secret, &mut dice, i * 600..(i + 1) * 600, (0.05, 0.2)).halted.as_slice()
        {
            halted = Some(one.clone());
            break;
        }
    }
    let halted = halted.expect("the guard halts");
    assert!((0..100).all(|i| house.peeked("f", &format!("user-{i}")) == "off"));
    let newest = &house.did("change.list", json!({"flag": "f"}))["changes"][0];
    assert_eq!(newest["by"], json!({"kind": "guard", "name": "the guard of f"}));
    assert_eq!(newest["change"]["by"], json!({"actor": "guard", "flag": "f", "environment": "production"}));
    assert_eq!(newest["change"]["why"], halted.why.as_str());
    assert!(halted.why.starts_with("harm shown: `on` lowers `buys` by "), "{}", halted.why);
    assert!(halted.why.contains("against a margin of 1"), "{}", halted.why);
    // It is halted: the guard has nothing more to do.
    house.later(2 * MINUTE);
    assert!(house.app.step(house.now).unwrap().halted.is_empty());
}

#[test]
fn no_harm_leaves_it_alone_and_the_guard_can_be_asked() {
    let mut house = House::new();
    guarded(&house, 0.05);
    let (secret, mut dice) = (house.key("server"), Dice(7));
    let before = house.revision();
    for i in 0..4_u32 {
        assert!(round(&mut house, &secret, &mut dice, i * 500..(i + 1) * 500, (0.2, 0.2)).halted.is_empty());
    }
    let status = house.did("guard.status", json!({"flag": "f", "environment": "production"}));
    assert_eq!(status["verdict"]["verdict"], "quiet");
    assert_eq!(house.revision(), before);
}

#[test]
fn guards_look_once_a_minute() {
    let mut house = House::new();
    guarded(&house, 0.0);
    let (secret, mut dice) = (house.key("server"), Dice(7));
    assert!(house.app.step(house.now).unwrap().halted.is_empty());
    let mut bought = Vec::new();
    for i in 0..4_000 {
        let user = format!("user-{i}");
        if house.shown("f", &user) == "off" && dice.below(0.5) {
            bought.push(json!({"event_type": "buy", "user_id": user}));
        }
    }
    house.send(&json!({"api_key": secret, "events": bought})).unwrap();
    house.later(30 * MINUTE);
    assert_eq!(house.app.step(house.now).unwrap().halted.len(), 1, "the harm is plain");
    house.did("rollout.resume", at("f", json!({})));
    house.later(MINUTE - 1);
    assert!(house.app.step(house.now).unwrap().halted.is_empty(), "not within the same minute");
}

#[test]
fn who_is_faster_than_the_guard_wins_and_what_the_guard_did_is_not_undone_by_the_slower() {
    let house = House::new();
    guarded(&house, 0.01);
    let read = house.did("flag.get", json!({"flag": "f"}))["revision"].clone();
    house.did("rollout.halt", at("f", json!({"why": "by hand"})));
    // Whoever read the flag before the halt and sends its revision is refused, whatever it is.
    let late = json!({"share": 6000, "if_revision": read});
    assert!(house.refused("rollout.widen", at("f", late)).starts_with("409"));
    // And a widening that races with a halt never brings the candidate back.
    for _ in 0..20 {
        house.did("rollout.resume", at("f", json!({})));
        std::thread::scope(|scope| {
            let house = &house;
            for share in [5_100, 5_200] {
                scope.spawn(move || {
                    let _: Result<Json, _> = house.ask("rollout.widen", at("f", json!({"share": share})));
                });
            }
            scope.spawn(|| house.did("rollout.halt", at("f", json!({"why": "by hand"}))));
        });
        let flag = house.did("flag.get", json!({"flag": "f"}));
        let rollout = &flag["flag"]["settings"]["production"]["default"]["rollout"];
        assert_eq!(rollout["state"]["state"], "halted");
    }
}

/// A client key is public: whoever has it must not be able to blind a guard.
#[test]
fn an_amount_that_is_none_does_not_keep_a_guard_from_halting() {
    let mut house = House::new();
    let revenue = json!({"measure": "sum", "property": "$revenue"});
    house.did("metric.save", json!({"metric": "revenue", "event": "buy", "measure": revenue}));
    house.did("flag.create", json!({"flag": "f"}));
    house.did("flag.toggle", at("f", json!({"on": true})));
    let guard = json!({"metric": "revenue", "margin": 1.0, "window": 10 * MINUTE});
    let start = json!({"candidate": "on", "control": "off", "share": 5000, "guard": guard, "salt": "f-1"});
    house.did("rollout.start", at("f", start));
    let secret = house.key("server");
    let mut bought = Vec::new();
    for i in 0..1_000 {
        let user = format!("user-{i}");
        let paid = if house.shown("f", &user) == "on" { 0 } else { 20 } + i % 7;
        bought.push(json!({"event_type": "buy", "user_id": user, "revenue": paid}));
    }
    bought.push(json!({"event_type": "buy", "user_id": "user-0", "revenue": 1e200}));
    house.send(&json!({"api_key": secret, "events": bought})).unwrap();
    house.app.commit().unwrap();
    house.later(15 * MINUTE);
    let look = || house.did("guard.status", json!({"flag": "f", "environment": "production"}));
    let said = look();
    assert_eq!(said["verdict"]["verdict"], "harm", "{said}");
    assert_eq!(
        said["warnings"][0]["message"],
        "amounts of `buy` beyond 1e15 are set aside and add nothing to `revenue`: `1` so far"
    );
    assert_eq!(house.app.step(house.now).unwrap().halted.len(), 1);
}

/// What the guard would say now.
fn status(house: &House) -> Json {
    house.did("guard.status", json!({"flag": "f", "environment": "production"}))["verdict"].clone()
}

#[test]
fn after_shares_have_changed_only_who_comes_new_is_evidence() {
    let mut house = House::new();
    guarded(&house, 0.05);
    let (secret, mut dice) = (house.key("server"), Dice(3));
    round(&mut house, &secret, &mut dice, 0..400, (0.5, 0.5));
    house.did("rollout.widen", at("f", json!({"share": 6000})));
    // SDKs that have not heard of it yet may still answer by the shares before.
    house.later(MINUTE - 1);
    round(&mut house, &secret, &mut dice, 5_000..5_100, (0.5, 0.5));
    // Everybody from before comes again, some with another variant than they had, and 600 come new.
    round(&mut house, &secret, &mut dice, 0..1_000, (0.5, 0.5));
    let verdict = status(&house);
    let units = |arm: &str| verdict["look"][arm]["units"].as_u64().unwrap_or_default();
    assert_eq!(units("candidate") + units("control"), 600, "{verdict}");
}

/// Exposures that SDKs report, of which those of the candidate are lost one time in four, perhaps because
/// it crashes: the metric would show harm, and nobody knows of whom it is.
#[test]
fn units_that_do_not_split_as_they_should_leave_the_guard_without_a_judgement() {
    let mut house = House::new();
    guarded(&house, 0.01);
    let (secret, mut dice) = (house.key("server"), Dice(7));
    for hour in 0..4_u32 {
        let mut events = Vec::new();
        for i in hour * 500..(hour + 1) * 500 {
            let user = format!("user-{i}");
            let variant = house.peeked("f", &user);
            if variant == "on" && dice.below(0.25) {
                continue;
            }
            let shown = json!({"flag_key": "f", "variant": variant});
            events.push(json!({"event_type": "$exposure", "user_id": user, "event_properties": shown}));
            if variant == "off" && dice.below(0.3) {
                events.push(json!({"event_type": "buy", "user_id": user}));
            }
        }
        house.send(&json!({"api_key": secret, "events": events})).unwrap();
        // The first look is taken when the mismatch can be seen: whatever was shown before could halt.
        house.later(60 * MINUTE);
    }
    let before = house.revision();
    assert!(house.app.step(house.now).unwrap().halted.is_empty());
    assert_eq!(house.revision(), before);
    let verdict = status(&house);
    assert_eq!(verdict["verdict"], "mismatch", "{verdict}");
    assert!(verdict["sample_ratio"]["sequential"].as_f64() < Some(0.001), "{verdict}");
    let of = |arm: &str, what: &str| verdict[arm][what].as_f64().unwrap();
    assert!(of("candidate", "exposed") < of("candidate", "expected"), "{verdict}");
    let sentence = verdict["sentence"].as_str().unwrap();
    assert!(sentence.starts_with("sample ratio mismatch: `on` has "), "{sentence}");
    assert!(sentence.contains("without that the guard would say: harm shown: "), "{sentence}");
    // Another epoch, with exposures as they should be, is judged anew.
    house.did("rollout.halt", at("f", json!({})));
    house.did("rollout.resume", at("f", json!({})));
    house.later(2 * MINUTE);
    let stepped = round(&mut house, &secret, &mut dice, 10_000..12_000, (0.0, 0.3));
    assert_eq!(stepped.halted.len(), 1, "the harm is plain");
}

/// 3,000 users see the flag, and of those without it three in ten buy.
fn harm(house: &House) -> (String, Dice) {
    let (secret, mut dice) = (house.key("server"), Dice(7));
    let mut bought = Vec::new();
    for i in 0..3_000 {
        let user = format!("user-{i}");
        if house.shown("f", &user) == "off" && dice.below(0.3) {
            bought.push(json!({"event_type": "buy", "user_id": user}));
        }
    }
    house.send(&json!({"api_key": secret, "events": bought})).unwrap();
    (secret, dice)
}

#[test]
fn a_halted_rollout_goes_on_saying_what_halted_it() {
    let mut house = House::new();
    guarded(&house, 0.01);
    let (secret, mut dice) = harm(&house);
    house.later(30 * MINUTE);
    // These come a minute before the look: their windows pass after it.
    for i in 3_000..3_500 {
        house.shown("f", &format!("user-{i}"));
    }
    house.app.commit().unwrap();
    house.later(MINUTE);
    let halted = house.app.step(house.now).unwrap().halted;
    let [halted] = halted.as_slice() else { panic!("the harm is plain: {halted:?}") };
    let then = status(&house);
    assert_eq!(then["sentence"], halted.why.as_str());
    house.later(60 * MINUTE);
    assert_eq!(status(&house), then, "units that ripen later do not blur it");
    // Nor does a metric that counts something else since.
    for event in ["return", "visit"] {
        let other = json!({"metric": "buys", "event": event, "measure": {"measure": "conversion"}});
        house.did("metric.save", other);
        house.later(MINUTE);
    }
    assert_eq!(status(&house), then, "the metric is the one that halted it");
    house.did("metric.save", json!({"metric": "buys", "event": "buy", "measure": {"measure": "conversion"}}));
    // The same of one that was finished.
    house.did("rollout.resume", at("f", json!({})));
    house.later(MINUTE);
    round(&mut house, &secret, &mut dice, 4_000..4_600, (0.3, 0.3));
    for i in 4_600..5_000 {
        house.shown("f", &format!("user-{i}"));
    }
    house.app.commit().unwrap();
    house.later(MINUTE);
    house.did("rollout.finish", at("f", json!({})));
    let done = status(&house);
    assert_eq!(done["verdict"], "quiet", "{done}");
    house.later(60 * MINUTE);
    assert_eq!(status(&house), done);
}

#[test]
fn a_disk_that_cannot_be_sealed_to_does_not_keep_guards_from_looking() {
    let mut house = House::with(1, |settings| settings.store.seal_rows = 1);
    guarded(&house, 0.01);
    harm(&house);
    std::fs::remove_dir_all(house.dir.path().join("events/parts")).unwrap();
    house.later(30 * MINUTE);
    assert!(house.app.step(house.now).is_err(), "there is nowhere to seal to");
    let flag = house.did("flag.get", json!({"flag": "f"}));
    let state = &flag["flag"]["settings"]["production"]["default"]["rollout"]["state"];
    assert_eq!(state["state"], "halted", "{state}");
}

/// Rollouts without an effect, watched at a margin of nothing: the hardest case for a guard that must
/// not cry. In full over 200 runs, in a tenth of the runs otherwise.
#[test]
fn without_an_effect_guards_seldom_halt() {
    let full = std::env::var("PROOF").is_ok_and(|v| v == "full");
    let runs: u64 = if full { 200 } else { 20 };
    let mut halts = 0;
    for seed in 0..runs {
        let mut house = House::with(1_000 + seed, |_| {});
        guarded(&house, 0.0);
        let (secret, mut dice) = (house.key("server"), Dice(seed));
        // Who gets which arm must differ from run to run as well: other people come.
        let first = u32::try_from(seed).unwrap() * 1_000_000;
        for look in 0..8_u32 {
            let users = first + look * 300..first + (look + 1) * 300;
            if !round(&mut house, &secret, &mut dice, users, (0.15, 0.15)).halted.is_empty() {
                halts += 1;
                break;
            }
        }
    }
    println!("{halts} of {runs} rollouts without an effect were halted, at alpha 5%");
    // 16 of 200 is what the issue allows. Of 20, a guard that errs in 5% exceeds 4 once in 400 times,
    // and the seeds are fixed.
    assert!(halts <= if full { 16 } else { 4 }, "{halts} of {runs}");
}
