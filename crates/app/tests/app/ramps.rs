//! App tests: ramps, which widen a rollout by themselves, on a clock that is set by hand.
//! Long because: it is all of the life of one ramp, in the order in which it happens.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use bellwether_app::Stepped;
use serde_json::{Value as Json, json};

use crate::house::{DAY, Dice, HOUR, House, MINUTE, production};
use crate::rollouts::at;

/// 5% for an hour, 25% for two, then everybody.
fn three() -> Json {
    json!([{"share": 500, "hold": HOUR}, {"share": 2_500, "hold": 2 * HOUR}, {"share": 10_000}])
}

/// A flag that is on and rolls out by these steps, with a guard or what else is given.
fn begun(house: &House, steps: &Json, more: Json) -> Json {
    house.did("flag.create", json!({"flag": "f"}));
    house.did("flag.toggle", at("f", json!({"on": true})));
    let mut start = at("f", json!({"candidate": "on", "control": "off", "steps": steps, "salt": "f-1"}));
    start.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    house.did("rollout.start", start)
}

fn step(house: &House) -> Stepped {
    house.app.step(house.now).unwrap()
}

fn flag(house: &House) -> Json {
    house.did("flag.get", json!({"flag": "f"}))
}

fn rollout(house: &House) -> Json {
    flag(house)["flag"]["settings"]["production"]["default"]["rollout"].clone()
}

fn share(house: &House) -> u64 {
    let rollout = rollout(house);
    let on = |r: &&Json| r["variant"] == "on";
    let points = |r: &Json| r["to"].as_u64().unwrap() - r["from"].as_u64().unwrap();
    match rollout["state"]["state"].as_str().unwrap() {
        "widening" => rollout["split"]["ranges"].as_array().unwrap().iter().filter(on).map(points).sum(),
        "done" => 10_000,
        _ => 0,
    }
}

fn state(house: &House) -> String {
    flag(house)["states"]["production"].as_str().unwrap().to_owned()
}

fn waiting(house: &House) -> Option<String> {
    flag(house)["waiting"]["production"].as_str().map(str::to_owned)
}

/// The newest change of the flag: who, what and why.
fn newest(house: &House) -> String {
    let newest = &house.did("change.list", json!({"flag": "f", "limit": 1}))["changes"][0];
    let text = |value: &Json| value.as_str().unwrap().to_owned();
    format!(
        "{} {}: {}",
        text(&newest["by"]["name"]),
        text(&newest["sentence"]),
        text(&newest["change"]["why"])
    )
}

/// Who has the candidate.
fn holders(house: &House) -> BTreeSet<u32> {
    (0..400).filter(|i| house.peeked("f", &format!("user-{i}")) == "on").collect()
}

#[test]
fn a_ramp_takes_its_steps_in_time_and_finishes() {
    let mut house = House::new();
    begun(&house, &three(), json!({}));
    let mut said = vec![newest(&house), state(&house)];
    let few = holders(&house);
    house.later(HOUR - 1);
    assert_eq!((step(&house).taken, holders(&house)), (0, few.clone()), "not before its time");
    house.later(1);
    assert_eq!(step(&house).taken, 1);
    said.extend([newest(&house), state(&house)]);
    let some = holders(&house);
    assert!(few.is_subset(&some) && few.len() < some.len(), "{few:?} {some:?}");
    assert_eq!(step(&house).taken, 0, "once");
    // Nobody is there for two days: one step, and it is said how late it is.
    house.later(2 * DAY);
    assert_eq!((step(&house).taken, step(&house).taken), (1, 0));
    said.extend([newest(&house), state(&house)]);
    assert_eq!(holders(&house).len(), 400);
    house.later(DAY);
    assert_eq!(step(&house).taken, 0);
    insta::assert_snapshot!(said.join("\n"), @r"
    Ada started the rollout of f in production: on to 5%, the first of 3 steps: test
    on: a rollout gives `on` to 5% so far; 25% follows at 2026-09-21T15:13:20Z
    the ramp of f took step 2 of 3 of the rollout of f in production: on to 25%: step 2 of 3: 25% after 1 hour at 5%
    on: a rollout gives `on` to 25% so far; 100% follows at 2026-09-21T17:13:20Z
    the ramp of f took step 3 of 3 of the rollout of f in production: on to 100%: step 3 of 3: 100% after 2 hours at 25%, 1 day 22 hours late
    on: everybody gets `on`, which is rolled out
    ");
}

#[test]
fn a_server_that_was_away_takes_one_step_and_holds_it_for_its_whole_time() {
    let mut house = House::new();
    begun(&house, &three(), json!({}));
    house.later(9 * DAY);
    let mut house = house.restart();
    assert_eq!((step(&house).taken, share(&house)), (1, 2_500));
    house.later(2 * HOUR - 1);
    assert_eq!(step(&house).taken, 0);
    house.later(1);
    assert_eq!((step(&house).taken, share(&house)), (1, 10_000));
}

#[test]
fn a_ramp_that_is_paused_stays_and_goes_on_with_what_was_left() {
    let mut house = House::new();
    begun(&house, &three(), json!({}));
    house.later(HOUR / 4);
    house.did("rollout.pause", at("f", json!({})));
    let mut said = vec![newest(&house), state(&house)];
    let refused = house.refused("rollout.pause", at("f", json!({})));
    house.later(30 * DAY);
    let mut house = house.restart();
    assert_eq!((step(&house).taken, share(&house)), (0, 500));
    house.did("rollout.resume", at("f", json!({})));
    said.extend([newest(&house), state(&house), refused]);
    house.later(HOUR * 3 / 4 - 1);
    assert_eq!(step(&house).taken, 0);
    house.later(1);
    assert_eq!((step(&house).taken, share(&house)), (1, 2_500));
    // A share that is set by hand is no step, and ends the ramp.
    house.did("rollout.widen", at("f", json!({"share": 3_000})));
    assert!(rollout(&house).get("ramp").is_none());
    said.push(state(&house));
    house.later(DAY);
    assert_eq!((step(&house).taken, share(&house)), (0, 3_000));
    // Another one begins where it stands, and can be taken away.
    said.push(house.refused("rollout.ramp", at("f", json!({"steps": three()}))));
    let steps = json!([{"share": 3_000, "hold": HOUR}, {"share": 4_000, "hold": HOUR}]);
    house.did("rollout.ramp", at("f", json!({"steps": steps})));
    said.extend([newest(&house), state(&house)]);
    house.did("rollout.ramp", at("f", json!({"steps": []})));
    said.push(newest(&house));
    house.later(DAY);
    assert_eq!((step(&house).taken, share(&house)), (0, 3_000));
    insta::assert_snapshot!(said.join("\n"), @r"
    Ada paused the rollout of f in production at 5%: test
    on: a rollout gives `on` to 5% so far; it is paused before 25%
    Ada resumed the rollout of f in production at 5%: test
    on: a rollout gives `on` to 5% so far; 25% follows at 2026-10-21T15:13:20Z
    409 the ramp of `f` is paused already
    hint: resume it with `rollout.resume`; to take the rollout back, halt it
    on: a rollout gives `on` to 30% so far
    400 the first step is `5%`, and the rollout is at `30%`
    hint: begin with the share that there is, or more; to narrow it use `rollout.widen` first
    Ada set the rollout of f in production to on for 30%, the first of 2 steps: test
    on: a rollout gives `on` to 30% so far; 40% follows at 2026-10-22T16:13:20Z
    Ada set the rollout of f in production to on for 30%: test
    ");
}

#[test]
fn a_ramp_that_is_halted_takes_no_step_and_is_seen_anew_when_it_is_resumed() {
    let mut house = House::new();
    begun(&house, &three(), json!({}));
    house.later(HOUR - 1);
    house.did("rollout.halt", at("f", json!({"why": "errors rise"})));
    house.later(DAY);
    assert_eq!((step(&house).taken, share(&house)), (0, 0));
    house.did("rollout.resume", at("f", json!({})));
    assert_eq!(share(&house), 500);
    house.later(HOUR - 1);
    assert_eq!(step(&house).taken, 0);
    house.later(1);
    assert_eq!((step(&house).taken, share(&house)), (1, 2_500));
    house.later(2 * HOUR);
    assert_eq!((step(&house).taken, share(&house)), (1, 10_000));
    // Also one that was done: it stands where it was before everybody had the candidate.
    house.did("rollout.halt", at("f", json!({"why": "too many errors"})));
    house.did("rollout.resume", at("f", json!({})));
    assert_eq!((share(&house), &rollout(&house)["ramp"]["taken"]), (2_500, &json!(2)));
    assert_eq!(newest(&house), "Ada resumed the rollout of f in production at 25%: test");
    house.later(2 * HOUR);
    assert_eq!((step(&house).taken, share(&house)), (1, 10_000));
}

#[test]
fn a_ramp_that_was_paused_before_a_halt_stays_paused_after_it() {
    let mut house = House::new();
    begun(&house, &three(), json!({}));
    let mut said = Vec::new();
    // Halted and resumed on its first step, running and paused.
    for paused in [false, true] {
        if paused {
            house.later(MINUTE);
            house.did("rollout.pause", at("f", json!({})));
        }
        house.later(MINUTE);
        house.did("rollout.halt", at("f", json!({"why": "errors rise"})));
        said.push(house.refused("rollout.pause", at("f", json!({}))));
        house.later(MINUTE);
        house.did("rollout.resume", at("f", json!({})));
        said.extend([newest(&house), state(&house)]);
    }
    house.later(30 * DAY);
    assert_eq!((step(&house).taken, share(&house)), (0, 500));
    // What is done at the same moment is said for itself.
    house.did("rollout.resume", at("f", json!({})));
    said.push(newest(&house));
    house.did("rollout.pause", at("f", json!({})));
    said.push(newest(&house));
    house.did("rollout.ramp", at("f", json!({"steps": three()})));
    said.push(newest(&house));
    house.later(HOUR);
    assert_eq!((step(&house).taken, share(&house)), (1, 2_500));
    insta::assert_snapshot!(said.join("\n"), @r"
    409 the rollout of `f` has no step to come
    hint: only a ramp that goes on can be paused; to take a rollout back, halt it
    Ada resumed the rollout of f in production at 5%: test
    on: a rollout gives `on` to 5% so far; 25% follows at 2026-09-21T15:15:20Z
    409 the rollout of `f` has no step to come
    hint: only a ramp that goes on can be paused; to take a rollout back, halt it
    Ada resumed the rollout of f in production at 5%, where its ramp is paused: test
    on: a rollout gives `on` to 5% so far; it is paused before 25%
    Ada resumed the rollout of f in production at 5%: test
    Ada paused the rollout of f in production at 5%: test
    Ada set the rollout of f in production to on for 5%, the first of 3 steps: test
    ");
}

/// Takes down what the program says in its log.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl tracing::Subscriber for Log {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        struct Message(String);
        impl tracing::field::Visit for Message {
            fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
                if field.name() == "message" {
                    self.0 = format!("{value:?}");
                }
            }
        }
        let mut message = Message(String::new());
        event.record(&mut message);
        self.0.lock().unwrap().push(message.0);
    }
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

/// The reason has other numbers at each look, and is the same reason.
#[test]
fn a_step_that_waits_is_logged_once() {
    let mut house = House::new();
    guarded(&house);
    house.later(31 * MINUTE);
    let log = Log::default();
    // With one listener alone tracing asks only that of the thread which first comes by a line, and other tests
    // come by this one; of two it asks both.
    let _other = tracing::Dispatch::new(Log::default());
    let mut said = BTreeSet::new();
    let waits = |house: &mut House, from: usize, said: &mut BTreeSet<String>| {
        tracing::subscriber::with_default(log.clone(), || {
            for minute in from..from + 20 {
                live(house, minute * 2..minute * 2 + 2, 0.0);
                house.later(MINUTE);
                assert_eq!(step(house).taken, 0);
                said.insert(waiting(house).unwrap());
            }
        });
        let lines = log.0.lock().unwrap();
        lines.iter().filter(|line| line.as_str() == "a step of a ramp waits").count()
    };
    assert_eq!(waits(&mut house, 0, &mut said), 1);
    assert!(said.len() > 5, "the words are others: {said:?}");
    // Another revision of the flag is another wait.
    house.did("flag.describe", json!({"flag": "f", "name": "F", "why": "test"}));
    assert_eq!(waits(&mut house, 20, &mut said), 2);
}

#[test]
fn while_a_flag_is_off_a_step_waits_and_is_held_anew_once_it_is_on() {
    let mut house = House::new();
    begun(&house, &three(), json!({}));
    house.later(HOUR / 2);
    house.did("flag.toggle", at("f", json!({"on": false})));
    assert_eq!(waiting(&house), None, "it is not due");
    house.later(DAY);
    let before = house.revision();
    assert_eq!((step(&house).taken, house.revision()), (0, before));
    assert_eq!(waiting(&house).unwrap(), "the flag is off; the step is held anew once it is on");
    house.did("flag.toggle", at("f", json!({"on": true})));
    assert_eq!((step(&house).taken, waiting(&house)), (0, None));
    house.later(HOUR - 1);
    house.did("flag.archive", json!({"flag": "f", "why": "test"}));
    house.later(DAY);
    assert_eq!(step(&house).taken, 0);
    house.did("flag.archive", json!({"flag": "f", "archived": false, "why": "test"}));
    house.later(HOUR - 1);
    assert_eq!((step(&house).taken, share(&house)), (0, 500));
    house.later(1);
    assert_eq!((step(&house).taken, share(&house)), (1, 2_500));
}

/// These users are exposed now, but for a share of the candidate's whose exposures are lost; one in ten buys
/// soon after, whatever they have.
fn live(house: &House, users: std::ops::Range<usize>, lost: f64) {
    let (secret, mut dice) = (house.key("server"), Dice(7));
    let mut events = Vec::new();
    for i in users {
        let user = format!("user-{i}");
        let variant = house.peeked("f", &user);
        if variant == "on" && dice.below(lost) {
            continue;
        }
        let shown = json!({"flag_key": "f", "variant": variant});
        events.push(json!({"event_type": "$exposure", "user_id": user, "event_properties": shown}));
        if i % 10 == 0 {
            events.push(json!({"event_type": "buy", "user_id": user, "time": house.now.0 + 1_000}));
        }
    }
    for some in events.chunks(1_000) {
        house.send(&json!({"api_key": secret, "events": some})).unwrap();
    }
}

/// Half, watched by a guard on `buys`, then 60% and all.
fn guarded(house: &House) {
    house.did("metric.save", json!({"metric": "buys", "event": "buy", "measure": {"measure": "conversion"}}));
    let guard = json!({"metric": "buys", "margin": 0.01, "window": 10 * MINUTE});
    let half = 30 * MINUTE + 30_000;
    let steps = json!([{"share": 5_000, "hold": half}, {"share": 6_000, "hold": HOUR}, {"share": 10_000}]);
    begun(house, &steps, json!({"guard": guard}));
}

#[test]
fn the_guard_judges_before_a_step_is_taken() {
    let mut house = House::new();
    guarded(&house);
    let (secret, mut dice) = (house.key("server"), Dice(7));
    let mut bought = Vec::new();
    for i in 0..3_000 {
        let user = format!("user-{i}");
        if house.shown("f", &user) == "off" && dice.below(0.3) {
            bought.push(json!({"event_type": "buy", "user_id": user, "time": house.now.0 + MINUTE}));
        }
    }
    house.app.commit().unwrap();
    house.later(30 * MINUTE);
    let looked = step(&house);
    assert!(looked.halted.is_empty() && looked.taken == 0, "nobody has bought anything yet: {looked:?}");
    // The harm is seen within the minute in which guards do not look again, and the step is due.
    house.send(&json!({"api_key": secret, "events": bought})).unwrap();
    house.later(29_999);
    assert!(step(&house).halted.is_empty());
    house.later(1);
    let due = step(&house);
    assert_eq!((due.halted.len(), due.taken, share(&house)), (1, 0, 0));
    house.later(DAY);
    assert_eq!((step(&house).taken, share(&house)), (0, 0));
}

#[test]
fn a_step_waits_for_a_guard_that_has_seen_too_few_and_is_taken_when_there_is_no_harm() {
    let mut house = House::new();
    guarded(&house);
    house.later(30 * MINUTE + 30_000);
    assert_eq!((step(&house).taken, share(&house)), (0, 5_000), "silence clears nothing");
    let why = waiting(&house).unwrap();
    assert!(why.contains("too little") || why.contains("100"), "{why}");
    live(&house, 0..1_000, 0.0);
    house.later(11 * MINUTE);
    assert_eq!((step(&house).taken, share(&house)), (1, 6_000));
    // Those of the new ratio are seen anew.
    house.later(5 * MINUTE);
    live(&house, 1_000..2_000, 0.0);
    assert_eq!(
        state(&house),
        "on: a guarded rollout gives `on` to 60% so far; 100% follows at 2026-09-21T15:54:50Z"
    );
    house.later(HOUR);
    assert_eq!((step(&house).taken, share(&house)), (1, 10_000));
}

#[test]
fn a_step_waits_while_units_do_not_split_as_they_should() {
    let mut house = House::new();
    guarded(&house);
    // One in four of the candidate's exposures is lost.
    live(&house, 0..2_000, 0.25);
    house.later(40 * MINUTE);
    let before = house.revision();
    for _ in 0..100 {
        house.later(1_000);
        assert_eq!(step(&house).taken, 0);
    }
    assert_eq!((house.revision(), share(&house)), (before, 5_000));
    let why = waiting(&house).unwrap();
    assert!(why.starts_with("sample ratio mismatch: `on` has "), "{why}");
    assert_eq!(
        state(&house),
        format!("on: a guarded rollout gives `on` to 50% so far; 60% is due and waits: {why}")
    );
    // Another epoch is judged anew, and the step is held anew.
    house.did("rollout.halt", at("f", json!({})));
    house.did("rollout.resume", at("f", json!({})));
    assert_eq!(waiting(&house), None);
    house.later(5 * MINUTE);
    live(&house, 2_000..4_000, 0.0);
    house.later(25 * MINUTE + 30_000);
    assert_eq!((step(&house).taken, share(&house)), (1, 6_000));
}

#[test]
fn a_step_that_the_ledger_refuses_waits_without_a_change_and_goes_on_by_itself() {
    let mut house = House::new();
    let waits = |house: &mut House, why: &str| {
        let before = house.revision();
        for _ in 0..20 {
            house.later(1_000);
            assert_eq!(step(house).taken, 0);
        }
        assert_eq!(house.revision(), before);
        assert_eq!(waiting(house).as_deref(), Some(why));
    };
    // An experiment runs on the flag, and goes on when its split becomes that of a rollout.
    house.split_flag("f", 5_000);
    house.did("metric.save", json!({"metric": "buys", "event": "buy", "measure": {"measure": "conversion"}}));
    let plan = json!({"experiment": "e", "flag": "f", "environment": "production", "control": "off",
        "metric": "buys", "days": 7});
    house.did("experiment.create", plan);
    house.did("experiment.start", json!({"experiment": "e", "why": "test"}));
    let hold = |share: u32| json!({"share": share, "hold": HOUR});
    let steps = [hold(5_000), hold(6_000), hold(7_000)];
    let start = json!({"candidate": "on", "control": "off", "steps": steps, "salt": "f-1"});
    house.did("rollout.start", at("f", start));
    house.later(HOUR);
    waits(&mut house, "this would change the ratio of the arms of experiment `e` while it runs");
    house.did("experiment.stop", json!({"experiment": "e", "why": "test"}));
    assert_eq!((step(&house).taken, share(&house)), (1, 6_000));
    house.did("flag.enrolment", at("f", json!({"share": 6_500})));
    house.later(HOUR);
    waits(
        &mut house,
        "in environment `production`: flag `f` would reach `70%` of everybody, and at most `65%` are allowed",
    );
    house.did("flag.enrolment", at("f", json!({"share": "none"})));
    assert_eq!((step(&house).taken, share(&house)), (1, 7_000));
    assert_eq!(state(&house), "on: a rollout gives `on` to 70% so far");
}

#[test]
fn steps_that_cannot_be_taken_are_refused_at_the_start() {
    let house = House::new();
    house.did("flag.create", json!({"flag": "f"}));
    let variants = json!([{"key": "on", "value": true}, {"key": "off", "value": false}, {"key": "rest", "value": false}]);
    house.did("flag.variants", json!({"flag": "f", "variants": variants, "why": "test"}));
    let start = |more: Json| {
        let mut start = at("f", json!({"candidate": "on", "control": "off"}));
        start.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        house.refused("rollout.start", start)
    };
    let hold = |share: u32| json!({"share": share, "hold": HOUR});
    let said = [
        start(json!({})),
        start(json!({"steps": []})),
        start(json!({"share": 100, "steps": [hold(500)]})),
        start(json!({"steps": [hold(500), hold(400)]})),
        start(json!({"steps": [{"share": 500}, hold(600)]})),
        start(json!({"steps": [{"share": 500, "hold": 91 * DAY}, hold(600)]})),
        start(json!({"steps": [hold(500), hold(6_000)], "rest": "rest"})),
        start(json!({"steps": [{"share": 500, "wait": 5}]})),
        start(json!({"steps": [{"share": 500, "hold": "5 parsecs"}, hold(600)]})),
        start(json!({"steps": [{"share": 500, "hold": "91d"}, hold(600)]})),
        start(json!({"share": 500, "guard": {"metric": "m", "margin": 0, "window": "soon"}})),
        house.refused("rollout.pause", at("f", json!({}))),
        house.refused("rollout.ramp", at("f", json!({"steps": [hold(500)]}))),
    ];
    insta::assert_snapshot!(said.join("\n"), @r#"
    400 this rollout has no share to begin with
    hint: give `share` in basis points, such as 500 for 5%, or `steps`
    400 this rollout has no share to begin with
    hint: give `share` in basis points, such as 500 for 5%, or `steps`
    400 `share` is `1%`, and the first of `steps` is `5%`
    hint: leave `share` out: the first step says it
    400 step 2 is `4%`, which is not more than `5%`
    hint: each step of a ramp widens; to narrow a rollout use `rollout.widen` with a smaller share
    400 step 1 (`5%`) is held for no time
    hint: hold it for some minutes, such as `10m`, or leave it out
    400 step 1 (`5%`) is held for `91 days`
    hint: hold it for 90 days at most; what comes later can be scheduled
    400 `60%` leaves no control of the same size
    hint: with a rest variant a rollout widens to 50% at most; then finish it
    400 in `steps[0]`: there is no field `wait`
    hint: what there is: `hold`, `share`
    400 in `steps[0].hold`: `5 parsecs` is no length of time: write one such as `10m`, `2h` or `1d 12h`, or a number of milliseconds
    hint: what belongs in `steps`: The steps by which it widens by itself, the first of which is taken now; none unless given. Such as `[{"share": 500, "hold": "1d"}, {"share": 10000}]`: 5% for a day, then everybody
    400 step 1 (`5%`) is held for `91 days`
    hint: hold it for 90 days at most; what comes later can be scheduled
    400 in `guard.window`: `soon` is no length of time: write one such as `10m`, `2h` or `1d 12h`, or a number of milliseconds
    hint: what belongs in `guard`: What watches it, such as `{"metric": "errors", "margin": 0.01, "window": "10m"}`
    409 flag `f` has no rollout here
    hint: begin one with `rollout.start`
    409 flag `f` has no rollout here
    hint: begin one with `rollout.start`
    "#);
    // A hold is written as people write it, or in milliseconds, and kept in these.
    let steps =
        json!([{"share": 100, "hold": "1h"}, {"share": 200, "hold": HOUR}, {"share": 300, "hold": "1d 1h"}]);
    let guard = json!({"metric": "m", "margin": 0.0, "window": "20m"});
    house.did("metric.save", json!({"metric": "m", "event": "e", "measure": {"measure": "conversion"}}));
    let begun = house.did(
        "rollout.start",
        at("f", json!({"candidate": "on", "control": "off", "steps": steps, "guard": guard})),
    );
    let rollout = &begun["flag"]["settings"]["production"]["default"]["rollout"];
    let holds: Vec<i64> =
        rollout["ramp"]["steps"].as_array().unwrap().iter().map(|s| s["hold"].as_i64().unwrap()).collect();
    assert_eq!(holds, [HOUR, HOUR, DAY + HOUR]);
    assert_eq!(
        (&rollout["guard"]["window"], &rollout["guard"]["alpha"]),
        (&json!(20 * MINUTE), &json!(0.05))
    );
    house.did("rollout.halt", at("f", json!({})));
    // To everybody at once is a rollout that is done.
    let all = json!({"candidate": "on", "control": "off", "steps": [{"share": 10_000}]});
    let done = house.did("rollout.start", at("f", all));
    assert_eq!(done["flag"]["settings"]["production"]["default"]["rollout"]["state"]["state"], "done");
}

/// What a ramp owes, kept by the shortest program: how long its step was seen.
struct Owed {
    holds: Vec<i64>,
    taken: usize,
    seen: i64,
    on: bool,
    paused: bool,
    halted: bool,
}

impl Owed {
    fn pass(&mut self, ms: i64) {
        if self.on && !self.paused && !self.halted {
            self.seen += ms;
        }
    }

    fn due(&self) -> bool {
        let next = self.taken < self.holds.len();
        next && self.on && !self.paused && !self.halted && self.seen >= self.holds[self.taken - 1]
    }
}

/// However a ramp is asked, paused, halted, turned off and restarted, at whatever times: its shares rise in
/// order, no step is held shorter than it should be, every step is taken in the first round in which it is
/// due, and nobody who has the candidate loses it while it widens.
#[test]
fn whatever_happens_to_a_ramp_it_rises_in_order_holds_its_steps_and_moves_nobody() {
    let mut steps_seen = 0;
    for seed in 0..8 {
        let mut dice = Dice(seed);
        let mut below = |n: u64| (0..n).find(|i| dice.below(1.0 / (n - i) as f64)).unwrap_or(n - 1);
        let mut house = House::with(100 + seed, |_| {});
        let shares = [100, 700, 1_500, 4_000, 8_000, 10_000];
        let shares = &shares[..3 + usize::try_from(below(4)).unwrap()];
        let holds: Vec<i64> =
            shares.iter().map(|_| (1 + below(90) as i64) * MINUTE + below(1_000) as i64).collect();
        let steps: Vec<Json> =
            shares.iter().zip(&holds).map(|(share, hold)| json!({"share": share, "hold": hold})).collect();
        begun(&house, &json!(steps), json!({}));
        let mut owed = Owed { holds, taken: 1, seen: 0, on: true, paused: false, halted: false };
        let mut have = holders(&house);
        for _ in 0..120 {
            let gap = match below(6) {
                0 => 0,
                1 => 1,
                2 => DAY,
                _ => below(50 * MINUTE as u64) as i64,
            };
            house.later(gap);
            owed.pass(gap);
            // Held to the letter: a round a moment before a step is due, and one when it is.
            let left = owed.holds[owed.taken - 1] - owed.seen;
            if below(3) == 0 && left > 1 && owed.on && !owed.paused && !owed.halted {
                house.later(left - 1);
                owed.pass(left - 1);
                assert_eq!(step(&house).taken, 0, "seed {seed}: a moment too early");
                house.later(1);
                owed.pass(1);
            }
            match below(8) {
                0 if !owed.paused && !owed.halted && owed.taken < shares.len() => {
                    house.did("rollout.pause", at("f", json!({})));
                    owed.paused = true;
                    // Nobody sees the step while the flag is off: all of it is left.
                    if !owed.on {
                        owed.seen = 0;
                    }
                }
                1 if owed.paused && !owed.halted => {
                    house.did("rollout.resume", at("f", json!({})));
                    owed.paused = false;
                }
                2 if !owed.halted && owed.taken < shares.len() => {
                    house.did("rollout.halt", at("f", json!({})));
                    owed.halted = true;
                }
                3 if owed.halted => {
                    house.did("rollout.resume", at("f", json!({})));
                    (owed.halted, owed.seen) = (false, 0);
                }
                4 => {
                    house.did("flag.toggle", at("f", json!({"on": !owed.on})));
                    owed.on = !owed.on;
                    if owed.on && !owed.paused {
                        owed.seen = 0;
                    }
                }
                5 if below(6) == 0 => house = house.restart(),
                _ => {}
            }
            let due = owed.due();
            let revision = house.revision();
            let stepped = step(&house);
            assert_eq!(stepped.taken, u64::from(due), "seed {seed}: {:?}", rollout(&house));
            assert_eq!(house.revision(), revision + u64::from(due), "a step is one change");
            if due {
                (owed.taken, owed.seen) = (owed.taken + 1, 0);
                steps_seen += 1;
            }
            let standing = if owed.halted { 0 } else { shares[owed.taken - 1] };
            assert_eq!(share(&house), standing, "seed {seed}");
            let now = holders(&house);
            if owed.on && !owed.halted {
                assert!(have.is_subset(&now), "seed {seed}: somebody lost the candidate");
                have = now;
            } else {
                assert!(now.is_empty(), "seed {seed}: {now:?}");
            }
        }
        let served = house.app.served(&production()).unwrap();
        assert_eq!(served.left_out.len(), 0, "what a ramp serves is a split like any other");
    }
    assert!(steps_seen > 20, "{steps_seen}: the test sees steps");
}
