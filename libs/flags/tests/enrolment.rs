//! Flags, tests: who is enrolled stays, who comes too late stays out, and who signs in keeps what they got.
//! A register answers as a naive list of who holds what does, whatever happens between two questions.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod stage;
mod world;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use bellwether_flags::{
    Document, Entry, How, Line, Memory, Origin, Reason, Register, Ruleset, Source, Step, amplitude, bucket,
    flagd,
};
use bellwether_model::{Bucketing, Context, Flag, Revision, Split};
use proptest::prelude::*;
use serde_json::{Value, json};

use stage::{Kind, Naive, Reads, Remembers, Stage, context, environment, key, print, shares};

#[derive(Debug, Clone)]
enum Happens {
    Asks(Option<u8>, Option<u8>),
    /// The other flag is asked, which needs this one.
    Needs(Option<u8>, Option<u8>),
    Reshares(u16, u16),
    Limits(Option<u32>),
    Restarts,
}

fn happens() -> impl Strategy<Value = Happens> {
    let who = || (prop::option::weighted(0.6, 0_u8..8), prop::option::weighted(0.6, 0_u8..6));
    prop_oneof![
        20 => who().prop_map(|(user, device)| Happens::Asks(user, device)),
        2 => who().prop_map(|(user, device)| Happens::Needs(user, device)),
        2 => (0_u16..=5_000, 0_u16..=5_000).prop_map(|(a, b)| Happens::Reshares(a, b)),
        1 => prop::option::of(1_u32..6).prop_map(Happens::Limits),
        1 => Just(Happens::Restarts),
    ]
}

fn stage() -> impl Strategy<Value = Stage> {
    let kind = prop_oneof![Just(Kind::Whole), Just(Kind::Rest), Just(Kind::Rollout)];
    (kind, any::<bool>()).prop_map(|(kind, sticky)| Stage::new(kind, sticky))
}

/// Stores what is news, as a table of one row per unit does.
fn store(memory: &Remembers, table: &mut BTreeMap<u64, Line>) {
    loop {
        let lines = memory.0.borrow_mut().take_news(3);
        if lines.is_empty() {
            return;
        }
        table.extend(lines.into_iter().map(|line| (line.unit, line)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    #[test]
    fn a_register_answers_as_a_naive_list_does(
        first in stage(), story in prop::collection::vec(happens(), 1..60),
    ) {
        let mut stage = first;
        let mut rules = stage.compile();
        let (mut naive, mut memory) = (Naive::default(), Remembers::default());
        let mut table = BTreeMap::new();
        // What everybody was last told by a variant that is held, and since when nothing took it away.
        let mut told: BTreeMap<String, String> = BTreeMap::new();
        for happens in story {
            match happens {
                Happens::Asks(user, device) => {
                    let (user, device) = (user.map(|n| format!("u{n}")), device.map(|n| format!("d{n}")));
                    let (user, device) = (user.as_deref(), device.as_deref());
                    let context = context(user, device);
                    let why = rules.explain_with("f", &context, &Reads(&memory)).unwrap();
                    let before = memory.0.borrow().enrolled();
                    let answer = rules.evaluate_with("f", &context, &memory).unwrap();
                    let expected = naive.ask(&stage, user, device);
                    let got = (answer.variant.to_string(), answer.reason.clone(), answer.enrolled);
                    prop_assert_eq!(&got, &expected, "{:?} {:?}", user, device);
                    prop_assert_eq!((why.variant.to_string(), why.reason, why.enrolled), expected);
                    let after = memory.0.borrow().enrolled();
                    prop_assert_eq!(after as usize, naive.count());
                    // Not one too many.
                    let most = stage.most.unwrap_or(u32::MAX).max(before);
                    prop_assert!(after <= most && after <= before + 1);
                    if let Some(user) = user {
                        if let Some(had) = told.get(user).filter(|had| stage.holds(had)) {
                            prop_assert_eq!(&got.0, had);
                        }
                        if matches!(got.1, Reason::Kept | Reason::Split) && stage.holds(&got.0) {
                            told.insert(user.to_owned(), got.0);
                        }
                    }
                }
                Happens::Needs(user, device) => {
                    let (user, device) = (user.map(|n| format!("u{n}")), device.map(|n| format!("d{n}")));
                    let (user, device) = (user.as_deref(), device.as_deref());
                    let answer = rules.evaluate_with("child", &context(user, device), &memory).unwrap();
                    let (parent, ..) = naive.ask(&stage, user, device);
                    prop_assert_eq!(answer.variant.as_str(), if parent == "a" { "a" } else { "off" });
                    prop_assert!(!answer.enrolled);
                }
                Happens::Reshares(a, b) => {
                    let wanted = match stage.kind {
                        Kind::Rollout => shares(a, 10_000 - a),
                        Kind::Whole | Kind::Rest => shares(a, b),
                    };
                    stage.split = stage.split.reshare(&wanted).unwrap();
                    told.retain(|_, had| stage.holds(had));
                    rules = stage.compile();
                }
                Happens::Limits(most) if stage.sticky || most.is_some() => {
                    stage.most = most;
                    rules = stage.compile();
                }
                Happens::Limits(_) => {}
                Happens::Restarts => {
                    store(&memory, &mut table);
                    prop_assert!(!memory.0.borrow().has_news());
                    let before = memory.0.borrow();
                    let mut again = Register::default();
                    table.values().cloned().for_each(|line| again.restore(line));
                    prop_assert_eq!((again.enrolled(), again.others()), (before.enrolled(), before.others()));
                    drop(before);
                    memory = Remembers(RefCell::new(again));
                }
            }
        }
    }

    /// Without a memory a flag answers as if it needed none, and a memory changes nothing of a flag that
    /// needs none.
    #[test]
    fn nothing_remembered_changes_nothing(
        world in world::world("utf8", world::ops()), users in prop::collection::vec(world::user(), 4),
        stage in stage(), user in prop::option::of("u[0-9]"), device in prop::option::of("d[0-9]"),
    ) {
        let same = |rules: &Ruleset, context: &Context, memory: &dyn Memory| {
            for plain in rules.evaluate_all(context) {
                let with = rules.evaluate_with(plain.flag.as_str(), context, memory).unwrap();
                let of = |a: &bellwether_flags::Evaluation<'_>| (a.variant.clone(), a.reason.clone(), a.enrolled);
                prop_assert_eq!(of(&plain), of(&with));
                let why = rules.explain(plain.flag.as_str(), context).unwrap();
                prop_assert_eq!(&why, &rules.explain_with(plain.flag.as_str(), context, memory).unwrap());
            }
            Ok(())
        };
        let rules = world.compile(1);
        for user in &users {
            same(&rules, &amplitude::context(user.as_object().unwrap()), &Remembers::default())?;
        }
        same(&stage.compile(), &context(user.as_deref(), device.as_deref()), &())?;
    }

    /// Who was given a variant, as events tell, is enrolled with it, and who is asked afterwards keeps it. On
    /// a device that was theirs first nobody else takes anything over.
    #[test]
    fn who_was_given_a_variant_keeps_it(
        stage in stage(),
        given in prop::collection::vec((0_u8..8, prop::option::of(0_u8..6), prop::sample::select(&world::VARIANTS[..])), 1..30),
    ) {
        let rules = stage.compile();
        let division = rules.division("f").unwrap();
        let memory = Remembers::default();
        let mut first: BTreeMap<String, &str> = BTreeMap::new();
        let mut owners: BTreeMap<String, String> = BTreeMap::new();
        for (user, device, variant) in &given {
            let user = format!("u{user}");
            memory.0.borrow_mut().sight(division, (Some(&user), print("user", &user)), variant);
            if stage.holds(variant) {
                first.entry(user.clone()).or_insert(*variant);
            }
            if let Some(device) = device.map(|n| format!("d{n}")) {
                memory.0.borrow_mut().own(division, print("device", &device), print("user", &user));
                if stage.sticky {
                    owners.entry(device).or_insert(user);
                }
            }
        }
        prop_assert_eq!(memory.0.borrow().enrolled() as usize, first.len());
        for (user, variant) in &first {
            let answer = rules.evaluate_with("f", &context(Some(user), None), &memory).unwrap();
            prop_assert_eq!((answer.variant.as_str(), answer.reason), (*variant, &Reason::Kept));
        }
        prop_assert_eq!(memory.0.borrow().enrolled() as usize, first.len(), "they were in");
        for (device, user) in &owners {
            let of = |user: Option<&str>, device| {
                let answer = rules.evaluate_with("f", &context(user, device), &memory).unwrap();
                answer.variant.to_string()
            };
            prop_assert_eq!(of(None, Some(device)), of(Some(user), None));
        }
    }
}

/// Asks for a user on a device; the variant and how it came about.
fn asks(
    rules: &Ruleset,
    memory: &dyn Memory,
    user: Option<&str>,
    device: Option<&str>,
) -> (String, How, Origin) {
    let why = rules.explain_with("f", &context(user, device), memory).unwrap();
    let how = why.steps.iter().find_map(|step| match step {
        Step::Enrolment { how, origin, .. } => Some((*how, *origin)),
        _ => None,
    });
    let (how, origin) = how.unwrap();
    let answer = rules.evaluate_with("f", &context(user, device), memory).unwrap();
    assert_eq!(answer.variant, &why.variant);
    (why.variant.to_string(), how, origin)
}

/// A device and a user whom the split would give another variant.
fn strangers(stage: &Stage) -> (String, String) {
    let at = |id: &str| stage.at(bucket(Bucketing::Utf8, "s:1", id).hash);
    let device = (0..).map(|n| format!("device-{n}")).find(|id| at(id) == "a").unwrap();
    let user = (0..).map(|n| format!("user-{n}")).find(|id| at(id) == "b").unwrap();
    (device, user)
}

/// Explaining enters as evaluating does where the memory notes; the reader's view notes nothing.
#[test]
fn a_visitor_who_signs_in_keeps_the_variant_on_every_device() {
    let stage = Stage::new(Kind::Rest, true);
    let (rules, memory) = (stage.compile(), Remembers::default());
    let (device, user) = strangers(&stage);
    let (device, user) = (device.as_str(), user.as_str());
    let look = |user, device| {
        let why = rules.explain_with("f", &context(user, device), &Reads(&memory)).unwrap();
        (why.variant.to_string(), why.reason)
    };
    assert_eq!(look(None, Some(device)), ("a".into(), Reason::Split));
    assert_eq!(look(Some(user), None), ("b".into(), Reason::Split), "nothing was noted yet");
    let answer = |user, device| {
        let answer = rules.evaluate_with("f", &context(user, device), &memory).unwrap();
        (answer.variant.to_string(), answer.reason.clone())
    };
    assert_eq!(answer(None, Some(device)), ("a".into(), Reason::Split));
    assert_eq!(look(Some(user), Some(device)), ("a".into(), Reason::Kept));
    assert_eq!(answer(Some(user), Some(device)), ("a".into(), Reason::Kept));
    assert_eq!(memory.0.borrow().enrolled(), 1, "one person");
    // On another device, without one, and signed out.
    assert_eq!(answer(Some(user), Some("other")), ("a".into(), Reason::Kept));
    assert_eq!(answer(Some(user), None), ("a".into(), Reason::Kept));
    assert_eq!(answer(None, Some(device)), ("a".into(), Reason::Kept));
    assert_eq!(asks(&rules, &memory, None, Some("other")), ("a".into(), How::Kept, Origin::Owner));
    assert_eq!(asks(&rules, &memory, Some(user), Some(device)), ("a".into(), How::Kept, Origin::Device));
    // A second user of the device is somebody else.
    let second = (0..)
        .map(|n| format!("second-{n}"))
        .find(|id| stage.at(bucket(Bucketing::Utf8, "s:1", id).hash) == "b")
        .unwrap();
    assert_eq!(answer(Some(&second), Some(device)), ("b".into(), Reason::Split));
    assert_eq!(answer(None, Some(device)), ("a".into(), Reason::Kept), "it is the first one's");
}

/// Who has no part of the split stands where they stood, so that signing in changes nothing for them.
#[test]
fn a_visitor_beside_the_split_stays_beside_it_when_signing_in() {
    let mut stage = Stage::new(Kind::Rest, true);
    stage.split = stage.split.reshare(&shares(2_000, 2_000)).unwrap();
    let (rules, memory) = (stage.compile(), Remembers::default());
    let at = |id: &str| stage.at(bucket(Bucketing::Utf8, "s:1", id).hash);
    let device = (0..).map(|n| format!("device-{n}")).find(|id| at(id) == "off").unwrap();
    let (_, user) = strangers(&stage);
    assert_eq!(asks(&rules, &memory, None, Some(&device)).1, How::Placed);
    assert_eq!(
        asks(&rules, &memory, Some(&user), Some(&device)),
        ("off".into(), How::Placed, Origin::Device),
        "and not `b`, where the user's own id stands"
    );
    assert_eq!(memory.0.borrow().enrolled(), 0);
    // When the split reaches them, they come in.
    stage.split = stage.split.reshare(&shares(5_000, 5_000)).unwrap();
    let (variant, how, _) = asks(&stage.compile(), &memory, Some(&user), None);
    assert!(how == How::Enrolled && variant == stage.at(bucket(Bucketing::Utf8, "s:1", &device).hash));
}

#[test]
fn a_closed_flag_lets_nobody_in_and_nobody_out() {
    for kind in [Kind::Whole, Kind::Rest, Kind::Rollout] {
        let mut stage = Stage::new(kind, false);
        stage.most = Some(100);
        let (rules, memory) = (stage.compile(), Remembers::default());
        let ask = |rules: &Ruleset, n: u32| {
            let answer = rules.evaluate_with("f", &context(Some(&format!("u{n}")), None), &memory).unwrap();
            (answer.variant.to_string(), answer.reason.clone())
        };
        let mut inside = BTreeSet::new();
        for n in 0..3_000 {
            if let (variant, Reason::Split) = ask(&rules, n)
                && stage.holds(&variant)
            {
                inside.insert((n, variant));
            }
        }
        assert_eq!(inside.len(), 100, "{kind:?}");
        // Nothing lies between the first who was refused and the last who came in.
        let narrow = Stage { split: stage.split.reshare(&shares(1, 1)).unwrap(), ..stage.clone() };
        let narrow = if kind == Kind::Rollout {
            Stage { split: stage.split.reshare(&shares(1, 9_999)).unwrap(), ..stage.clone() }
        } else {
            narrow
        };
        for rules in [&rules, &narrow.compile()] {
            for (n, variant) in &inside {
                assert_eq!(ask(rules, *n), (variant.clone(), Reason::Kept));
            }
        }
        let shut = if kind == Kind::Rollout { "b" } else { "off" };
        let late = (3_000..4_000).map(|n| ask(&rules, n)).filter(|(_, reason)| *reason == Reason::Closed);
        assert!(late.clone().count() > 100 && late.into_iter().all(|(variant, _)| variant == shut));
        // The limit is raised by one.
        stage.most = Some(101);
        let rules = stage.compile();
        let came = (0..4_000).filter(|n| matches!(ask(&rules, *n), (v, Reason::Split) if stage.holds(&v)));
        assert_eq!(came.count(), 1);
    }
}

/// Amplitude's SDKs must not report who came too late: by the same variant others are compared.
#[test]
fn nobody_is_compared_who_came_too_late() {
    let stage = Stage { most: Some(1), ..Stage::new(Kind::Whole, false) };
    let (rules, memory) = (stage.compile(), Remembers::default());
    let answer = |user: &str| {
        let answer = rules.evaluate_with("f", &context(Some(user), None), &memory).unwrap();
        (
            answer.reason.clone(),
            answer.enrolled,
            amplitude::variant(&answer)["metadata"]["trackExposure"].clone(),
        )
    };
    assert_eq!(answer("u1"), (Reason::Split, true, Value::Null));
    assert_eq!(answer("u2"), (Reason::Closed, false, false.into()));
    assert_eq!(answer("u1"), (Reason::Kept, true, Value::Null));
}

/// A control is not held, so that it is closed when it comes back; then nobody with the candidate may go on
/// being recorded, or one side would be seen and the other not.
#[test]
fn both_sides_of_a_rollout_stop_being_compared_when_it_closes() {
    for sticky in [false, true] {
        let mut stage = Stage { most: Some(50), ..Stage::new(Kind::Rollout, sticky) };
        let (rules, memory) = (stage.compile(), Remembers::default());
        let ask = |rules: &Ruleset, n: u32| {
            let answer = rules.evaluate_with("f", &context(Some(&format!("u{n}")), None), &memory).unwrap();
            (answer.variant.to_string(), answer.reason.clone(), answer.enrolled)
        };
        // The last one who comes in closes it.
        let met = (0..).find(|n| {
            ask(&rules, *n);
            memory.0.borrow().enrolled() == 50
        });
        let again: Vec<_> = (0..=met.unwrap()).map(|n| ask(&rules, n)).collect();
        assert_eq!(again.iter().filter(|(variant, ..)| variant == "a").count(), 50);
        assert!(again.iter().all(|(.., compared)| !compared), "{again:?}");
        // Open again, both are.
        stage.most = Some(51);
        let rules = stage.compile();
        let open: Vec<_> = (0..=met.unwrap()).map(|n| ask(&rules, n)).collect();
        assert!(open.iter().all(|(.., compared)| *compared), "{open:?}");
    }
}

/// Whoever knows the product signed in, from another device, would go from the control to the candidate by
/// signing in on a new one, and nobody back.
#[test]
fn signing_in_moves_nobody_between_the_sides_of_a_rollout() {
    let stage = Stage::new(Kind::Rollout, true);
    let (rules, memory) = (stage.compile(), Remembers::default());
    let answer = |user: Option<&str>, device: Option<&str>| {
        rules.evaluate_with("f", &context(user, device), &memory).unwrap().variant.to_string()
    };
    let mut had = BTreeMap::new();
    for n in 0..400 {
        let (user, device) = (format!("user-{n}"), format!("device-{n}"));
        let own = answer(Some(&user), None);
        answer(None, Some(&device));
        assert_eq!(answer(Some(&user), Some(&device)), own, "{user}");
        assert_eq!(answer(None, Some(&device)), own, "it is theirs from now on");
        *had.entry(own).or_insert(0_u32) += 1;
        // Who was not known stands where the device does, on either side.
        let (fresh, theirs) = (format!("fresh-{n}"), format!("tablet-{n}"));
        let left = answer(None, Some(&theirs));
        assert_eq!(answer(Some(&fresh), Some(&theirs)), left);
    }
    assert!(had.len() == 2 && had.values().all(|count| *count > 50), "{had:?}");
}

#[test]
fn no_format_carries_what_only_the_server_remembers() {
    let check = |enrolment: Value, left_out: bool| {
        let stage = Stage::new(Kind::Rest, true);
        let mut flag = stage.flag();
        flag["settings"]["test"]["enrolment"] = enrolment;
        let mut all = vec![flag.clone()];
        for (child, parent) in [("child", "f"), ("grandchild", "child")] {
            let mut needs = flag.clone();
            needs["key"] = child.into();
            needs["settings"]["test"] = json!({"on": true, "off": "off",
                "default": {"serve": "variant", "variant": "a"},
                "prerequisites": [{"flag": parent, "variants": ["a"]}]});
            all.push(needs);
        }
        let mut other = flag.clone();
        other["key"] = "other".into();
        other["settings"]["test"]["enrolment"] = json!({});
        all.push(other);
        let flags: Vec<Flag> = all.iter().map(|flag| serde_json::from_value(flag.clone()).unwrap()).collect();
        let rules = Ruleset::compile(&environment(), Revision(1), Source::of_flags(&flags)).unwrap();
        let document = Document::of(&environment(), Revision(1), &Source::of_flags(&flags)).unwrap();
        let carried = document.compile(&|_| None).unwrap();
        let outs = [
            amplitude::export(&rules).left_out,
            flagd::export(&rules).left_out,
            document.left_out().to_vec(),
        ];
        for out in outs {
            let keys: Vec<_> = out.iter().map(|(key, _)| key.as_str()).collect();
            assert_eq!(keys, if left_out { vec!["child", "f", "grandchild"] } else { vec![] });
            assert!(!left_out || out[1].1.contains("only the server remembers"), "{out:?}");
        }
        let keys: Vec<_> = carried.keys().map(|key| key.as_str()).collect();
        assert_eq!(keys, if left_out { vec!["other"] } else { vec!["child", "f", "grandchild", "other"] });
        assert!(!document.to_json().unwrap().contains("enrolment"));
    };
    check(json!({"units": 5}), true);
    check(json!({"sticky": true}), true);
    // A limit by share is kept when shares are set, and asks nobody afterwards.
    check(json!({"share": 9_000}), false);
}

/// What is stored of a takeover, and that it is read as it was.
#[test]
fn what_is_stored() {
    let stage = Stage::new(Kind::Rest, true);
    let (rules, memory) = (stage.compile(), Remembers::default());
    let (device, user) = strangers(&stage);
    let hash = bucket(Bucketing::Utf8, "s:1", &device).hash;
    let news = |memory: &Remembers| memory.0.borrow_mut().take_news(100);
    asks(&rules, &memory, None, Some(&device));
    let place = |inherited| Entry::Place { hash, holds: Some(key("a")), inherited };
    assert_eq!(news(&memory), [Line { unit: print("device", &device), entry: place(false) }]);
    asks(&rules, &memory, Some(&user), Some(&device));
    let mut lines = news(&memory);
    lines.sort_by_key(|line| matches!(line.entry, Entry::Owner { .. }));
    assert_eq!(
        lines,
        [
            Line { unit: print("user", &user), entry: place(true) },
            Line { unit: print("device", &device), entry: Entry::Owner { user: print("user", &user) } },
        ]
    );
    asks(&rules, &memory, Some(&user), Some(&device));
    assert_eq!(news(&memory), [], "it is known");
    memory.0.borrow_mut().keep(&lines);
    assert_eq!(news(&memory).len(), 2, "what could not be stored comes again");
}

/// A variant that comes back brings back those who hold it; a limit that had not counted them would be passed.
#[test]
fn a_limit_counts_who_holds_a_variant_that_is_away() {
    let shares = |a: u16| Stage {
        split: Split::new("s:1", &stage::shares(a, 10_000 - a), None).unwrap(),
        most: Some(100),
        ..Stage::new(Kind::Whole, false)
    };
    let memory = Remembers::default();
    let ask = |stage: &Stage, who: std::ops::Range<u32>| -> BTreeMap<String, u32> {
        let rules = stage.compile();
        let mut got = BTreeMap::new();
        for n in who {
            let answer = rules.evaluate_with("f", &context(Some(&format!("u{n}")), None), &memory).unwrap();
            *got.entry(answer.variant.to_string()).or_default() += 1;
        }
        got
    };
    assert_eq!(ask(&shares(10_000), 0..100), BTreeMap::from([("a".to_owned(), 100)]));
    // All have `b` now: who comes new finds it closed, and who is in has another variant.
    assert_eq!(ask(&shares(0), 100..200), BTreeMap::from([("off".to_owned(), 100)]));
    assert_eq!(ask(&shares(0), 0..50), BTreeMap::from([("b".to_owned(), 50)]));
    assert_eq!(
        ask(&shares(5_000), 0..200),
        BTreeMap::from([("a".to_owned(), 50), ("b".to_owned(), 50), ("off".to_owned(), 100)])
    );
    assert_eq!(memory.0.borrow().enrolled(), 100);
}
