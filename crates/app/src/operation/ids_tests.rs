//! App tests: what takes long about a list is done while others make their changes, and nobody's edit is lost.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde_json::{Value as Json, json};

use super::*;
use crate::{Cancel, Progress, Settings, Setup, find};
use bellwether_model::{EnvironmentKey, Millis};

const NOW: Millis = Millis(1_790_000_000_000);

struct House {
    app: App,
    ctx: Ctx,
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
        let house = Self { app, ctx, _dir: dir };
        house.call("segment.save", json!({"segment": "staff", "why": "test"}));
        house
    }

    fn call(&self, operation: &str, input: Json) -> Json {
        let done = find(operation).unwrap().call(&self.app, &self.ctx, input);
        done.unwrap_or_else(|e| panic!("{operation}: {}", e.message))
    }

    fn included(&self) -> Option<ListId> {
        staff().known(&self.app).unwrap()
    }
}

fn staff() -> Place {
    Place {
        segment: "staff".parse().unwrap(),
        list: Which::Included,
        why: Some("test".to_owned()),
        if_revision: None,
    }
}

fn ids(of: std::ops::Range<u32>) -> Vec<String> {
    of.map(|n| format!("user-{n}")).collect()
}

#[test]
fn what_takes_long_is_done_while_others_make_their_changes() {
    let House { app, ctx, .. } = &House::open();
    // Whoever waited for another's change would wait for ever here.
    let editing = app.editing();
    let becomes = app.replaced(ctx, &staff(), ids(0..30_000)).unwrap();
    app.put(ctx, &staff(), becomes, editing).unwrap();
    let editing = app.editing();
    let known = staff().known(app).unwrap();
    let becomes = app.amended(ctx, &staff(), known.as_ref(), &ids(40_000..40_003), &ids(5..7)).unwrap();
    let Becomes::New(Brought { ids: built, .. }) = &becomes else { panic!("it is another list") };
    let built = Arc::clone(built);
    app.put(ctx, &staff(), becomes, editing).unwrap();
    let known = staff().known(app).unwrap().unwrap();
    // It is published as it was built before, and not built again.
    assert!(Arc::ptr_eq(&built, &app.ids(&known).unwrap()));
    assert_eq!(built.len(), 30_001);
    assert!(built.hold("user-40002") && !built.hold("user-5"));
    assert_eq!(app.targets(&known).unwrap().len(), 30_001);
}

#[test]
fn a_refused_list_leaves_nothing() {
    let house = House::open();
    let House { app, ctx, .. } = &house;
    let before = house.included();
    // Refused before anything is written.
    let stale = Place { if_revision: Some(Revision(1)), ..staff() };
    let early = app.replaced(ctx, &stale, ids(0..5_000)).err().unwrap();
    assert_eq!(early.code, "stale");
    // Refused at the last moment.
    let revision = app.ledger.state().revision;
    let place = Place { if_revision: Some(revision), ..staff() };
    let becomes = app.replaced(ctx, &place, ids(0..5_000)).unwrap();
    let Becomes::New(Brought { list, members, .. }) = &becomes else { panic!("it is another list") };
    let (list, members) = (list.clone(), members.clone());
    house.call("segment.save", json!({"segment": "staff", "name": "Staff", "why": "test"}));
    let late = app.put(ctx, &place, becomes, app.editing()).err().unwrap();
    assert_eq!(late.code, "stale");
    assert_eq!(house.included(), before);
    assert!(app.ledger.list(&list).is_err());
    // What was written for it is gone.
    let edit = staff().edit(app, Some(list.clone())).unwrap();
    let brought = proposed(ctx, edit, Some("test".to_owned()), None, vec![(list.clone(), members)]);
    assert!(app.would(ctx, &brought).unwrap_err().message.contains("swept away"));
    // Nor does it stay in memory.
    house.call("segment.save", json!({"segment": "staff", "name": "All", "why": "test"}));
    assert!(app.ids(&list).is_err());
}

#[test]
fn of_those_who_edit_one_list_at_the_same_time_nobody_is_lost() {
    let house = House::open();
    let text = ids(0..12_000).join("\n");
    house.call("segment.upload", json!({"segment": "staff", "list": "included", "ids": text, "why": "test"}));
    std::thread::scope(|scope| {
        for person in 0..4 {
            let house = &house;
            scope.spawn(move || {
                for n in 0..6 {
                    let (add, remove) = (format!("new-{person}-{n}"), format!("user-{}", 10 * person + n));
                    let input = json!({"segment": "staff", "list": "included", "add": [add], "remove": [remove], "why": "test"});
                    house.call("segment.ids", input);
                }
            });
        }
    });
    let list = house.included().unwrap();
    let now = house.app.ledger.list(&list).unwrap();
    assert_eq!(now.len(), 12_000);
    assert_eq!(now.iter().filter(|id| id.starts_with("new-")).count(), 24);
    assert!(!now.iter().any(|id| *id == "user-35"));
    assert_eq!(house.app.ids(&list).unwrap().len(), 12_000);
}

/// An answer's revision is what the next edit, or its undo, is made of: another's would take back what others did.
#[test]
fn each_answer_has_the_revision_of_its_own_change() {
    let house = House::open();
    house.call("flag.create", json!({"flag": "f"}));
    let answered = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for person in 0..12 {
            let (house, answered) = (&house, &answered);
            scope.spawn(move || {
                for n in 0..12 {
                    let why = format!("{person}-{n}");
                    let ids = json!([format!("new-{why}")]);
                    let listed = json!({"segment": "staff", "list": "included", "add": ids, "why": why});
                    let targets = json!([{"variant": "on", "ids": ids}]);
                    let targeted =
                        json!({"flag": "f", "environment": "production", "targets": targets, "why": why});
                    for made in [house.call("segment.ids", listed), house.call("flag.target", targeted)] {
                        answered.lock().unwrap().push((made["revision"].clone(), why.clone()));
                    }
                }
            });
        }
    });
    for (revision, why) in answered.into_inner().unwrap() {
        let change = house.call("change.get", json!({"revision": revision}));
        assert_eq!(change["change"]["why"], why, "revision {revision}");
    }
}

#[test]
fn rules_with_a_list_that_cannot_be_read_are_not_compiled_as_if_nobody_were_on_it() {
    let house = House::open();
    house.call("flag.create", json!({"flag": "f"}));
    let rules = json!([{"when": [[{"segment": "staff"}]], "serve": {"serve": "variant", "variant": "on"}}]);
    house.call(
        "flag.target",
        json!({"flag": "f", "environment": "production", "why": "test", "rules": rules}),
    );
    house.call("flag.toggle", json!({"flag": "f", "environment": "production", "on": true, "why": "test"}));
    let app = &house.app;
    let mut state = bellwether_ledger::State::clone(&app.ledger.state());
    let place = state.environments[&"production".parse::<EnvironmentKey>().unwrap()].value.clone();
    assert!(app.compile(&state, &place, &[]).is_ok());
    let gone = ListId("gone".to_owned());
    state.segments.get_mut(&"staff".parse::<SegmentKey>().unwrap()).unwrap().value.included =
        Some(gone.clone());
    assert_eq!(app.compile(&state, &place, &[]).unwrap_err().code, "not_found");
    assert!(app.compile(&state, &place, &[(gone, ids(0..2))]).is_ok());
}
