//! App tests: what is served is built once and shared for as long as it stays the same.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;

use bellwether_ledger::Proposed;
use bellwether_model::{Edit, EnvironmentKey, Millis};
use serde_json::{Value as Json, json};

use crate::{App, Cancel, Ctx, Progress, Settings, Setup, find};

const NOW: Millis = Millis(1_790_000_000_000);

struct House {
    app: App,
    ctx: Ctx,
    production: EnvironmentKey,
    _dir: tempfile::TempDir,
}

impl House {
    fn open() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (app, _) = App::open(Settings::new(dir.path(), Box::new(|| {})), NOW).unwrap();
        let token = app.offer_setup(NOW).unwrap().unwrap();
        let (email, name, password) = ("ada@example.com".into(), "Ada".into(), "a long password".into());
        let login = app.set_up(&Setup { token, email, name, password }, NOW).unwrap();
        let (grant, ..) = app.session(&login.token, NOW).unwrap();
        let ctx =
            Ctx { now: NOW, grant, dry_run: false, cancel: Cancel::default(), progress: Progress::default() };
        Self { app, ctx, production: "production".parse().unwrap(), _dir: dir }
    }

    fn call(&self, operation: &str, input: Json) {
        let done = find(operation).unwrap().call(&self.app, &self.ctx, input);
        done.unwrap_or_else(|e| panic!("{operation}: {}", e.message));
    }

    fn target(&self, flag: &str, ids: &[String]) {
        let targets = json!([{"variant": "on", "ids": ids}]);
        let input = json!({"flag": flag, "environment": "production", "targets": targets, "why": "test"});
        self.call("flag.target", input);
    }
}

#[test]
fn a_list_is_built_once_and_kept_over_changes() {
    let house = House::open();
    house.call("flag.create", json!({"flag": "staff"}));
    house.target("staff", &["ada".into(), "bob".into()]);
    let lists = |house: &House| house.app.served.load().lists.values().cloned().collect::<Vec<_>>();
    let before = lists(&house);
    house.call("flag.create", json!({"flag": "other"}));
    house.call("flag.toggle", json!({"flag": "staff", "environment": "production", "on": true, "why": "x"}));
    let after = lists(&house);
    assert!(after.len() == 1 && Arc::ptr_eq(&before[0], &after[0]));
    house.target("staff", &["ada".into()]);
    assert_eq!(lists(&house).iter().map(|ids| ids.len()).collect::<Vec<_>>(), [1], "what nobody cites goes");
}

#[test]
fn a_document_is_the_same_until_it_says_something_else() {
    let house = House::open();
    house.call("flag.create", json!({"flag": "f"}));
    let flagd = || Arc::clone(&house.app.served(&house.production).unwrap().flagd);
    let before = flagd();
    let document: Json = serde_json::from_str(&before).unwrap();
    assert_eq!(document["metadata"]["flagSetId"], "production");
    assert_eq!(document["flags"]["f"]["defaultVariant"], "off");
    house.call("flag.toggle", json!({"flag": "f", "environment": "development", "on": true, "why": "x"}));
    assert!(Arc::ptr_eq(&before, &flagd()), "another environment");
    house.call("flag.toggle", json!({"flag": "f", "environment": "production", "on": true, "why": "x"}));
    assert_ne!(before, flagd());
}

#[test]
fn what_formats_cannot_carry_is_left_out_with_the_reason() {
    let house = House::open();
    for flag in ["large", "small"] {
        house.call("flag.create", json!({"flag": flag}));
        house.call("flag.toggle", json!({"flag": flag, "environment": "production", "on": true, "why": "x"}));
    }
    house.target("small", &["ada".into()]);
    let ids: Vec<String> = (0..10_001).map(|n| format!("user-{n}")).collect();
    house.target("large", &ids);
    let served = house.app.served(&house.production).unwrap();
    let [(flag, reason)] = &served.flagd_left_out[..] else { panic!("{:?}", served.flagd_left_out) };
    assert!(flag.as_str() == "large" && reason.contains("10001 ids"), "{reason}");
    assert_eq!((served.cohorts.len(), served.left_out.len()), (1, 0), "it is a cohort there");
}

/// A change is in the ledger before it is served; if serving it fails in between, the next round does.
#[test]
fn what_could_not_be_served_at_once_is_served_in_the_next_round() {
    let house = House::open();
    house.call("flag.create", json!({"flag": "f"}));
    let flag: bellwether_model::FlagKey = "f".parse().unwrap();
    let edit = Edit::FlagToggled { flag, environment: house.production.clone(), on: true };
    let by = house.ctx.grant.actor.clone();
    let proposed = Proposed { by, why: "test".into(), edit, expect: None, lists: Vec::new() };
    house.app.ledger.apply(proposed, NOW).unwrap();
    let served = || house.app.served.load().revision;
    assert_ne!(served(), house.app.ledger.state().revision);
    house.app.step(NOW).unwrap();
    assert_eq!(served(), house.app.ledger.state().revision);
}
