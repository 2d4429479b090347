//! App tests: what the results say of a flag that was off while its experiment ran.

use serde_json::{Value as Json, json};

use crate::house::{DAY, HOUR, House, MINUTE};

fn begun() -> House {
    let mut house = House::new();
    house.split_flag("f", 5_000);
    house.did("metric.save", json!({"metric": "buys", "event": "buy", "measure": {"measure": "conversion"}}));
    house.later(MINUTE);
    // Off and on before the run does not concern it.
    switch(&house, "production", false);
    house.later(MINUTE);
    switch(&house, "production", true);
    house.did(
        "experiment.create",
        json!({"experiment": "e", "flag": "f", "environment": "production", "control": "off", "metric": "buys",
            "days": 7}),
    );
    house.did("experiment.start", json!({"experiment": "e", "why": "test"}));
    house
}

fn switch(house: &House, environment: &str, on: bool) {
    house.did("flag.toggle", json!({"flag": "f", "environment": environment, "on": on, "why": "test"}));
}

fn warnings(house: &House) -> Json {
    house.did("experiment.results", json!({"experiment": "e"}))["warnings"].clone()
}

#[test]
fn a_flag_that_was_off_during_the_run_is_said() {
    let mut house = begun();
    house.later(HOUR);
    assert_eq!(warnings(&house), json!([]));
    // On once more is no gap; nor is what happens elsewhere.
    switch(&house, "production", true);
    house.did(
        "flag.target",
        json!({"flag": "f", "environment": "development", "default": {"serve": "variant", "variant": "on"}}),
    );
    for on in [true, false] {
        house.later(MINUTE);
        switch(&house, "development", on);
    }
    assert_eq!(warnings(&house), json!([]));

    switch(&house, "production", false);
    house.later(10 * MINUTE);
    assert_eq!(house.shown("f", "user-1"), "off");
    let open = warnings(&house);
    assert_eq!(
        open[0]["message"],
        "flag `f` was off in `production` since 15:17 UTC on 21 Sep, for 10 minutes of the run"
    );
    // A second time is no second beginning.
    switch(&house, "production", false);
    house.later(7 * MINUTE);
    switch(&house, "production", true);
    house.later(HOUR);
    let said = warnings(&house);
    assert_eq!(
        said[0]["message"],
        "flag `f` was off in `production` from 15:17 to 15:34 UTC on 21 Sep, for 17 minutes of the run"
    );
    assert!(said[0]["hint"].as_str().unwrap().ends_with("consider a new run"), "{said}");
    let results = house.did("experiment.results", json!({"experiment": "e"}));
    let units = |variant: &Json| variant["units"].as_u64().unwrap();
    assert_eq!(results["judgement"]["counts"].as_array().unwrap().iter().map(units).sum::<u64>(), 0);

    switch(&house, "production", false);
    house.later(HOUR);
    switch(&house, "production", true);
    let twice = warnings(&house)[0]["message"].as_str().unwrap().to_owned();
    assert!(twice.contains(" `2` times, for 1 hour 17 minutes of the run in all: from 15:17"), "{twice}");

    // What comes after the run does not concern it.
    house.later(DAY);
    house.did("experiment.stop", json!({"experiment": "e", "why": "enough"}));
    house.later(HOUR);
    switch(&house, "production", false);
    house.later(HOUR);
    assert_eq!(warnings(&house)[0]["message"], twice);
}

#[test]
fn a_flag_that_was_off_from_the_first_is_said_and_many_changes_hide_nothing() {
    let mut house = House::new();
    house.split_flag("f", 5_000);
    house.did("metric.save", json!({"metric": "buys", "event": "buy", "measure": {"measure": "conversion"}}));
    house.did(
        "experiment.create",
        json!({"experiment": "e", "flag": "f", "environment": "production", "control": "off", "metric": "buys",
            "days": 7}),
    );
    house.later(MINUTE);
    house.did("experiment.start", json!({"experiment": "e", "why": "test"}));
    switch(&house, "production", false);
    house.later(2 * HOUR);
    switch(&house, "production", true);
    house.later(HOUR);
    // More changes than are read at once.
    for n in 0..250 {
        house.did("flag.describe", json!({"flag": "f", "name": format!("name {n}")}));
    }
    assert_eq!(
        warnings(&house)[0]["message"],
        "flag `f` was off in `production` from 14:14 to 16:14 UTC on 21 Sep, for 2 hours of the run"
    );
}
