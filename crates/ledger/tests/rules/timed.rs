//! Ledger, tests: what is refused of ramps and scheduled changes, above all in their own names.

use bellwether_model::{Actor, Json, Millis};
use serde_json::json;

use crate::common::shop::{self, by_ramp, by_schedule, due, edit, ramped};
use crate::{said_at, with};

/// So long after the beginning.
fn after(ms: i64) -> Millis {
    Millis(shop::START.0 + ms)
}

fn widening(treatment: u16) -> Json {
    shop::rollout(1_000, treatment, None, json!({"state": "widening"}))
}

fn set(rollout: Json) -> Json {
    shop::set_rollout("f", "production", rollout)
}

#[test]
fn a_rollout_stands_on_the_step_of_its_ramp() {
    let asked = [
        edit(set(ramped(widening(1_000), 1, due(60_000)))),
        edit(set(ramped(widening(2_000), 1, due(60_000)))),
        edit(set(ramped(widening(1_000), 0, due(60_000)))),
        edit(set(ramped(widening(5_000), 2, json!({"pace": "ended"})))),
        with(set(ramped(widening(1_000), 1, due(60_000))), "/rollout/ramp/steps/1/share", json!(1_000)),
        with(set(ramped(widening(1_000), 1, due(60_000))), "/rollout/ramp/steps/1/hold", json!(1_u64 << 45)),
    ];
    insta::assert_snapshot!(said_at(after(10_000), vec![], asked), @r"
    ok
    the rollout is at `20%`, and its ramp at `10%`
    hint: give both the same share, or take the ramp away
    `0` of `3` steps were taken
    hint: take the first at least, and as many as there are
    a ramp that took `2` of `3` steps has another pace
    hint: it has `ended` when the last step was taken, and is `due` or `paused` before
    step 2 is `10%`, which is not more than `10%`
    hint: each step of a ramp widens; to narrow a rollout use `rollout.widen` with a smaller share
    step 2 (`50%`) is held for `407226 days 12 hours 41 minutes 28 seconds 832 ms`
    hint: hold it for 90 days at most; what comes later can be scheduled
    ");
    // Nor is the share changed below it.
    let begun = || vec![edit(set(ramped(widening(1_000), 1, due(60_000))))];
    let reshared = |treatment| edit(shop::reshare("f", "production", shop::split(1_000, treatment)));
    insta::assert_snapshot!(said_at(after(10_000), begun(), [reshared(2_000), reshared(1_000)]), @r"
    the rollout is at `20%`, and its ramp at `10%`
    hint: give both the same share, or take the ramp away
    ok
    ");
}

#[test]
fn a_ramp_takes_its_next_step_when_it_is_due_and_does_nothing_else() {
    let step = || by_ramp(edit(set(ramped(widening(5_000), 2, due(3_670_000)))), "f", "production");
    let begun = |pace| edit(set(ramped(widening(1_000), 1, pace)));
    let due_soon = || begun(due(60_000));
    let at = after(70_000);
    let alone = |before| said_at(at, before, [step()]);
    assert_eq!(alone(vec![due_soon()]), "ok\n");
    let none = "the ramp of flag `f` in `production` has no such step to take now\n\
        hint: it takes the next of its steps when its time has come and the flag is on, and does nothing else\n";
    assert_eq!(said_at(after(59_999), vec![due_soon()], [step()]), none, "too early");
    assert_eq!(alone(vec![begun(json!({"pace": "paused", "left": 0}))]), none, "paused");
    let halted = shop::rollout(1_000, 1_000, None, json!({"state": "halted", "at": 5, "because": "errors"}));
    assert_eq!(alone(vec![due_soon(), edit(set(ramped(halted, 1, due(60_000))))]), none, "halted");
    assert_eq!(alone(vec![due_soon(), edit(shop::toggle("f", "production", false))]), none, "off");
    assert_eq!(alone(vec![]), none, "no rollout");
    let others = [
        by_ramp(edit(set(ramped(widening(1_000), 1, due(670_000)))), "f", "production"),
        by_ramp(edit(set(ramped(widening(5_000), 2, due(9_999_999)))), "f", "production"),
        by_ramp(edit(set(widening(5_000))), "f", "production"),
        by_ramp(
            with(set(ramped(widening(5_000), 2, due(3_670_000))), "/rollout/control", json!("off")),
            "f",
            "production",
        ),
        by_ramp(edit(set(ramped(widening(5_000), 2, due(3_670_000)))), "f", "staging"),
        by_ramp(edit(shop::toggle("f", "production", false)), "f", "production"),
    ];
    for other in others {
        assert!(
            said_at(at, vec![due_soon()], [other.clone()]).starts_with("the ramp of flag `f`"),
            "{other:?}"
        );
    }
}

/// A ramp that ends at everybody and a limit by number: the last step would wait for ever.
#[test]
fn a_ramp_to_everybody_and_a_limit_by_number_do_not_meet() {
    let begun = || edit(set(ramped(widening(1_000), 1, due(60_000))));
    let limit = |limits: Json| edit(shop::enrolment("f", "production", limits));
    let to_half =
        || with(set(ramped(widening(1_000), 1, due(60_000))), "/rollout/ramp/steps/2/share", json!(5_001));
    let halted = || {
        let halted =
            shop::rollout(1_000, 1_000, None, json!({"state": "halted", "at": 5, "because": "errors"}));
        edit(set(ramped(halted, 1, due(60_000))))
    };
    let at = after(10_000);
    let asked = || [limit(json!({"units": 10})), limit(json!({"units": 10, "sticky": true, "share": 9_000}))];
    let no = "the ramp of flag `f` ends at everybody, and at most `10` units are allowed: its last step would wait for ever\n\
        hint: end the ramp below 100%, with `rollout.ramp`, or lift the limit with `flag.enrolment`\n";
    assert_eq!(said_at(at, vec![begun()], asked()), no.repeat(2));
    assert_eq!(said_at(at, vec![begun(), halted()], asked()), no.repeat(2), "it can be resumed");
    assert_eq!(
        said_at(at, vec![limit(json!({"units": 10}))], [begun(), halted(), to_half()]),
        format!("{no}{no}ok\n")
    );
    assert_eq!(
        said_at(at, vec![begun()], [limit(json!({"share": 9_000})), limit(json!({"sticky": true}))]),
        "ok\nok\n"
    );
    assert_eq!(said_at(at, vec![to_half()], asked()), "ok\nok\n");
}

#[test]
fn a_flag_that_is_on_again_holds_the_step_of_its_ramp_anew() {
    let place = crate::Place::new();
    let ledger = crate::world(&place);
    let pace = || {
        let state = ledger.state();
        let bellwether_model::Serve::Rollout { rollout } = &state.flags["f"].settings["production"].default
        else {
            panic!("no rollout")
        };
        json!(rollout.ramp.as_ref().unwrap().pace)
    };
    let at = |ms, proposed| ledger.apply(edit(proposed), after(ms)).unwrap();
    let anew = |ms: i64| due(ms + 600_000);
    at(10_000, set(ramped(widening(1_000), 1, due(610_000))));
    at(20_000, shop::toggle("f", "production", true));
    assert_eq!(pace(), anew(10_000), "it was on");
    at(30_000, shop::toggle("f", "production", false));
    at(900_000, shop::toggle("f", "production", true));
    assert_eq!(pace(), anew(900_000));
    at(910_000, shop::archive("f", true));
    at(920_000, shop::archive("f", false));
    assert_eq!(pace(), anew(920_000));
    at(930_000, shop::variants("f", &[("off", "-"), ("control", "c"), ("treatment", "another")]));
    assert_eq!(pace(), anew(930_000), "the candidate is another");
    let paused = json!({"pace": "paused", "left": 5});
    at(940_000, set(ramped(widening(1_000), 1, paused.clone())));
    at(950_000, shop::toggle("f", "production", false));
    at(960_000, shop::toggle("f", "production", true));
    assert_eq!(pace(), paused);
}

fn waiting(key: &str, plan: &Json) -> Json {
    shop::schedule(key, plan, 20_000, json!({"state": "waiting"}))
}

const TWO_YEARS: i64 = 2 * 365 * 86_400_000;

#[test]
fn what_is_planned_can_be_and_lies_ahead() {
    let toggle = |flag: &str| json!({"plan": "toggle", "flag": flag, "on": false});
    let mut nowhere = waiting("s", &toggle("f"));
    nowhere["schedule"]["environment"] = json!("moon");
    let mut another = edit(waiting("s", &toggle("f")));
    another.by = Actor::Key { id: "k".to_owned() };
    let mut unsaid = edit(waiting("s", &toggle("f")));
    unsaid.why = String::new();
    let asked = [
        edit(waiting("s", &toggle("f"))),
        edit(waiting("s", &toggle("g"))),
        edit(waiting("s", &toggle("old"))),
        edit(waiting("s", &json!({"plan": "switch", "beta": "none", "on": true}))),
        edit(shop::schedule("s", &toggle("f"), 9_000, json!({"state": "waiting"}))),
        edit(shop::schedule("s", &toggle("f"), 10_000 + TWO_YEARS, json!({"state": "waiting"}))),
        edit(shop::schedule("s", &toggle("f"), 10_001 + TWO_YEARS, json!({"state": "waiting"}))),
        edit(shop::schedule("s", &toggle("f"), 20_000, json!({"state": "cancelled", "at": 1}))),
        edit(nowhere),
        another,
        unsaid,
    ];
    let before = [shop::flag("old", &["production"], &shop::variant("off")), shop::archive("old", true)];
    insta::assert_snapshot!(said_at(after(10_000), before.map(edit).to_vec(), asked), @r"
    ok
    there is no flag `g`
    hint: look at the list of flags for what there is
    flag `old` is archived
    hint: restore it first
    there is no beta `none`
    hint: look at the list of betas for what there is
    `2026-02-02T02:40:09Z` has passed
    hint: plan it for a time to come, or make the change now
    ok
    `2028-02-02T02:40:10.001Z` is more than two years ahead
    hint: plan it for the next two years; times are milliseconds since 1970
    scheduled change `s` would be over when it begins
    hint: let it wait, and cancel it afterwards
    there is no environment `moon`
    hint: look at the list of environments for what there is
    scheduled change `s` would be planned in the name of somebody else
    hint: plan it in your own
    a change in `production` needs a reason, because customers are served from it
    hint: say in `why` what this is for
    ");
}

#[test]
fn a_scheduled_change_is_made_once_in_its_time_and_as_planned() {
    let plan = json!({"plan": "toggle", "flag": "f", "on": false});
    let world = || vec![edit(waiting("s", &plan))];
    let over = |state: &str| {
        shop::schedule("s", &plan, 20_000, json!({"state": state, "at": 1, "because": "-", "revision": 1}))
    };
    let made = || by_schedule(edit(shop::toggle("f", "production", false)), "s");
    insta::assert_snapshot!(said_at(after(20_000), world(), [
        made(),
        by_schedule(edit(shop::toggle("f", "production", true)), "s"),
        by_schedule(edit(shop::toggle("f", "staging", false)), "s"),
        by_schedule(edit(shop::archive("f", true)), "s"),
        by_schedule(edit(shop::toggle("f", "production", false)), "t"),
        by_schedule(edit(over("refused")), "s"),
        by_schedule(edit(over("cancelled")), "s"),
        edit(over("cancelled")),
        edit(over("refused")),
        edit(over("done")),
        edit(waiting("s", &plan)),
        edit(shop::schedule("s", &plan, 90_000, json!({"state": "cancelled", "at": 1}))),
    ]), @r"
    ok
    scheduled change `s` is for something else
    hint: make the change in your own name
    scheduled change `s` is for something else
    hint: make the change in your own name
    scheduled change `s` is for something else
    hint: make the change in your own name
    there is no scheduled change `t`
    hint: look at the list of scheduled changes for what there is
    ok
    scheduled change `s` cannot be altered
    hint: cancel it and make another one
    ok
    scheduled change `s` cannot be altered
    hint: cancel it and make another one
    scheduled change `s` cannot be altered
    hint: cancel it and make another one
    scheduled change `s` cannot be altered
    hint: cancel it and make another one
    scheduled change `s` cannot be altered
    hint: cancel it and make another one
    ");
    insta::assert_snapshot!(said_at(after(19_999), world(), [made()]), @r"
    scheduled change `s` is for `2026-02-02T02:40:20Z`
    hint: let it wait, or make the change in your own name
    ");
    // Whatever became of it, that was it.
    let mut ends = vec![edit(over("cancelled"))];
    ends.push(by_schedule(edit(over("refused")), "s"));
    ends.push(made());
    for end in ends {
        // A change a second: by now its time has come.
        let pass = (0..15).map(|n| edit(shop::toggle("f", "staging", n % 2 == 0)));
        let before: Vec<_> = world().into_iter().chain(pass).chain([end]).collect();
        let said = said_at(after(90_000), before, [made(), edit(over("cancelled"))]);
        let is_over = "scheduled change `s` is over\nhint: look at what became of it; make another one for another change\n";
        assert_eq!(said, is_over.repeat(2));
    }
}

/// What is over leaves the state after a while, of each flag for itself; what waits stays.
#[test]
fn scheduled_changes_that_are_over_do_not_pile_up() {
    let place = crate::Place::new();
    let ledger = crate::world(&place);
    let toggle = |flag: &str| json!({"plan": "toggle", "flag": flag, "on": false});
    let mut now = 10_000;
    let mut apply = |proposed| {
        now += 1;
        ledger.apply(proposed, after(now)).unwrap()
    };
    apply(edit(shop::flag("g", &["production"], &shop::variant("off"))));
    apply(edit(shop::schedule("waits", &toggle("f"), 90_000_000, json!({"state": "waiting"}))));
    let cancelled = |at: i64| json!({"state": "cancelled", "at": at});
    for n in 0..30 {
        for flag in ["f", "g"] {
            if flag == "g" && n >= 5 {
                continue;
            }
            let key = format!("{flag}-{n}");
            apply(edit(shop::schedule(&key, &toggle(flag), 90_000_000, json!({"state": "waiting"}))));
            apply(edit(shop::schedule(&key, &toggle(flag), 90_000_000, cancelled(n))));
        }
    }
    let state = ledger.state();
    let mut kept: Vec<String> = (10..30).map(|n| format!("f-{n}")).collect();
    kept.extend((0..5).map(|n| format!("g-{n}")));
    kept.push("waits".to_owned());
    kept.sort();
    assert_eq!(state.schedules.keys().map(ToString::to_string).collect::<Vec<_>>(), kept);
    // Nobody can have one of them made or cancelled again.
    let again =
        ledger.apply(edit(shop::schedule("f-0", &toggle("f"), 90_000_000, cancelled(1))), after(now + 1));
    assert!(again.unwrap_err().to_string().contains("would be over when it begins"));
    drop(state);
    let before = ledger.state();
    drop(ledger);
    assert_eq!(*place.open().state(), *before, "the fold says the same again");
}
