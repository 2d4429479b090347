//! Cli, tests: `plan check` and `plan codegen` as CI runs them. What is written is compiled where the tool is there: Rust
//! with this test, TypeScript by the page's compiler, Python by its own. Write the Rust anew with
//! `bellwether plan codegen rust --plan crates/cli/tests/plan/shop.json --out crates/cli/tests/plan/shop.rs`, and `odd`.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../common/mod.rs"]
mod common;
mod kill;
/// As a build script has it, in a program that sends none of it and allows no warning.
#[deny(warnings)]
mod included {
    include!("shop.rs");
}
#[deny(warnings)]
#[rustfmt::skip]
mod odd;
#[deny(warnings)]
#[rustfmt::skip]
mod shop;

use std::path::{Path, PathBuf};
use std::process::Command;

use common::{Server, bellwether, said};
use serde_json::{Value, json};
use shop::PlannedEvent;
use shop::events::{CartOpened, OrderCompleted, OrderCompletedCurrency, OrderCompletedLabels};

fn here(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/plan").join(file)
}

fn written(language: &str, plan: &str) -> String {
    let output = bellwether().args(["plan", "codegen", language, "--plan"]).arg(here(plan)).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    String::from_utf8(output.stdout).unwrap()
}

fn planned(server: &Server) {
    let plan = std::fs::read_to_string(here("shop.json")).unwrap();
    server.json(&["plan", "save", "--why", "test", "--plan", &plan]);
}

/// Runs a command on a file of this text; what it prints, what it says, and whether it succeeds.
fn check(server: &Server, text: &str, more: &[&str]) -> (bool, String, String) {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("file"), text).unwrap();
    let mut command = bellwether();
    command.current_dir(home.path()).args(["plan", "check", "file"]).args(more);
    command.env("BELLWETHER_KEY", &server.key).env("BELLWETHER_SERVER", &server.address);
    let output = command.output().unwrap();
    (output.status.success(), String::from_utf8(output.stdout.clone()).unwrap(), said(&output))
}

#[test]
fn ci_learns_what_code_sends_and_the_plan_does_not_know() {
    let home = tempfile::tempdir().unwrap();
    let server = Server::start(&home.path().join("data"), &[]);
    let (fine, _, refused) = check(&server, "Order Completed", &[]);
    assert!(!fine && refused.starts_with("error: nothing is planned yet"), "{refused}");
    planned(&server);
    let good = "# found by a scanner\nOrder Completed\n[Amplitude] Page Viewed\n\
        {\"event\": \"Page Viewed\", \"properties\": [\"path\", \"$lib\"]}\n\
        {\"event\": \"Order Completed\", \"properties\": {\"total\": 9.5, \"currency\": \"EUR\", \"labels\": [\"new\"]}}\n";
    assert_eq!(
        check(&server, good, &[]),
        (true, "4 events follow the plan of revision 3\n".to_owned(), String::new())
    );
    for marked in ["\u{feff}Cart Opened", "\u{feff}{\"event\": \"Cart Opened\"}", "\u{feff}[\"Cart Opened\"]"]
    {
        let (fine, printed, refused) = check(&server, marked, &[]);
        assert!(fine, "{marked}: {printed}{refused}");
    }
    let bad = "Ordr Completed\n\
        {\"event\": \"Page Viewed\", \"properties\": [\"Path\"]}\n\
        {\"event\": \"Order Completed\", \"properties\": {\"total\": \"9.5\", \"currency\": \"SEK\", \"curency\": 1}}\n";
    let (fine, printed, refused) = check(&server, bad, &[]);
    assert!(!fine);
    insta::assert_snapshot!(printed, @"
    file, line 1: `Ordr Completed`: the event type is not in the tracking plan; did you mean `Order Completed`?
    file, line 2: `Page Viewed`: property `path` is required
    file, line 2: `Page Viewed`: property `Path` is not in the tracking plan; did you mean `path`?
    file, line 3: `Order Completed`: property `curency` is not in the tracking plan; did you mean `currency`?
    file, line 3: `Order Completed`: property `currency` has a value that is not planned
    file, line 3: `Order Completed`: property `total` is `number`, and this is `string`
    ");
    insta::assert_snapshot!(refused, @"
    error: in `file`, `6` things are not as the plan of revision `3` says
    hint: send what is planned, or propose it with `bellwether plan propose`
    ");
    let (fine, printed, _) = check(&server, bad, &["--json"]);
    let answer: Value = serde_json::from_str(&printed).unwrap();
    assert!(!fine);
    assert_eq!(
        (answer["faults"].as_array().unwrap().len(), &answer["faults"][1]["place"]),
        (6, &json!("line 2"))
    );
    // Where a file is judged in pieces, a place is that in the file.
    let many: String = (0..2_500).map(|n| if n == 2_345 { "Nothing\n" } else { "Cart Opened\n" }).collect();
    let (fine, printed, _) = check(&server, &many, &[]);
    assert!(!fine);
    assert_eq!(printed, "file, line 2346: `Nothing`: the event type is not in the tracking plan\n");
    for empty in ["", "\n# nothing yet\n", "[]"] {
        let (fine, _, refused) = check(&server, empty, &[]);
        assert!(!fine && refused.contains("`file` holds no event"), "{empty:?}: {refused}");
    }
    let (fine, _, refused) = check(&server, "{\"event\": 1}", &[]);
    assert!(!fine && refused.contains("line 1: it is no event"), "{refused}");
    server.stop();
}

#[test]
fn ci_learns_what_a_proposed_plan_breaks() {
    let home = tempfile::tempdir().unwrap();
    let server = Server::start(&home.path().join("data"), &[]);
    planned(&server);
    let mut plan: Value = serde_json::from_str(&std::fs::read_to_string(here("shop.json")).unwrap()).unwrap();
    let (fine, printed, _) = check(&server, &plan.to_string(), &[]);
    assert!(fine);
    assert_eq!(printed, "0 differences from the plan of revision 3\n");
    assert!(check(&server, &format!("\u{feff}{plan}"), &[]).0);
    // As `plan get` gives it.
    assert!(check(&server, &server.json(&["plan", "get"]).to_string(), &[]).0);
    plan["events"]["cart_closed"] = json!({});
    plan["events"]["Page Viewed"]["properties"]["title"] = json!({"type": "string", "required": true});
    let (fine, printed, refused) = check(&server, &plan.to_string(), &[]);
    assert!(!fine);
    insta::assert_snapshot!(printed, @"
    `Page Viewed`, property `title`: is added, a required string (breaking)
    `cart_closed`: is added, without properties
    warning: event type `cart_closed` is not in Title Case; write `Cart Closed`
    2 differences from the plan of revision 3
    ");
    insta::assert_snapshot!(refused, @"
    error: 1 difference breaks the plan that there is, and 1 warning
    hint: mend it, or allow it with `--allow-breaking` and `--allow-warnings`
    ");
    assert!(!check(&server, &plan.to_string(), &["--allow-breaking"]).0);
    assert!(!check(&server, &plan.to_string(), &["--allow-warnings"]).0);
    assert!(check(&server, &plan.to_string(), &["--allow-breaking", "--allow-warnings"]).0);
    let mut shorter: Value =
        serde_json::from_str(&std::fs::read_to_string(here("shop.json")).unwrap()).unwrap();
    shorter["rules"]["environments"]["production"]["retention_days"] = json!(30);
    let (fine, printed, refused) = check(&server, &shorter.to_string(), &["--allow-warnings"]);
    assert!(
        !fine && printed.contains("\nconsequence: in `production`, events are removed 30 days after"),
        "{printed}"
    );
    assert!(refused.contains("1 consequence for what is stored"), "{refused}");
    assert!(check(&server, &shorter.to_string(), &["--allow-breaking"]).0);
    plan["events"]["Page Viewed"]["properties"]["title"] = json!({"type": "text"});
    let (fine, _, refused) = check(&server, &plan.to_string(), &["--allow-breaking"]);
    assert!(!fine);
    insta::assert_snapshot!(refused, @"
    error: in `file`, `events.Page Viewed.properties.title.type`: `text` is not a word that belongs here
    hint: what there is: `any`, `string`, `number`, `integer`, `boolean`, `date_time`, `list`, `object`
    ");
    assert_eq!(server.json(&["plan", "get"])["revision"], 3, "nothing of it was saved");
    server.stop();
}

#[test]
fn what_is_wrong_in_a_plan_is_said_with_its_place_and_what_belongs_there() {
    let home = tempfile::tempdir().unwrap();
    let said_of = |plan: &str| {
        std::fs::write(home.path().join("file"), plan).unwrap();
        let commands = [
            &["plan", "check", "file", "--key", "bwa_none"][..],
            &["plan", "codegen", "rust", "--plan", "file"],
        ];
        let [check, codegen] = commands.map(|command| {
            let output = bellwether().current_dir(home.path()).args(command).output().unwrap();
            assert!(!output.status.success(), "{plan}");
            said(&output)
        });
        assert_eq!(check, codegen);
        check
    };
    insta::assert_snapshot!(said_of(r#"{"events": {"Order Completed": {"retention_days": 6}}}"#), @"
    error: in `file`, `events.Order Completed.retention_days`: events cannot be kept for `6` days
    hint: give 7 to 36500 days: one that is sent again must be known for a week; leave it out to keep them for ever
    ");
    insta::assert_snapshot!(said_of(r#"{"plan": {"events": {"Order Completed": {"owner": "a */ b"}}}}"#), @"
    error: in `file`, `plan.events.Order Completed.owner`: `a */ b` is not a key
    hint: use 1 to 100 letters, digits, `.`, `_` or `-`, starting with a letter or digit, such as `a_b`
    ");
    insta::assert_snapshot!(said_of(r#"{"events": {"Order Completed": {"propertis": {}}}}"#), @"
    error: in `file`, `events.Order Completed`: there is no field `propertis`
    hint: did you mean `properties`?
    ");
    insta::assert_snapshot!(said_of(r#"{"events": []}"#), @r#"
    error: in `file`, `events`: a list stands where an object belongs
    hint: write `{"events": {"Order Completed": {"properties": {"total": {"type": "number"}}}}}`
    "#);
    insta::assert_snapshot!(said_of(r#"{"events": {},}"#), @r#"
    error: `file` is no tracking plan: trailing comma at line 1 column 15
    hint: write `{"events": {"Order Completed": {"properties": {"total": {"type": "number"}}}}}`
    "#);
}

#[test]
fn the_servers_plan_is_written_as_one_in_a_file_is() {
    let home = tempfile::tempdir().unwrap();
    let server = Server::start(&home.path().join("data"), &[]);
    planned(&server);
    for language in ["typescript", "python", "rust"] {
        let out = home.path().join(language);
        let out = out.to_str().unwrap();
        let run = |more: &[&str]| server.run(&[&["plan", "codegen", language, "--out", out], more].concat());
        assert!(said(&run(&["--check"])).contains("is not what the plan gives"));
        assert!(run(&[]).status.success());
        assert_eq!(std::fs::read_to_string(out).unwrap(), written(language, "shop.json"));
        assert!(run(&["--check"]).status.success());
        std::fs::write(out, "changed").unwrap();
        assert!(!run(&["--check"]).status.success());
        assert_eq!(std::fs::read_to_string(out).unwrap(), "changed");
    }
    server.stop();
}

#[test]
fn rust_that_is_written_compiles_and_sends_what_is_planned() {
    for (plan, file) in [("shop.json", "shop.rs"), ("odd.json", "odd.rs")] {
        let found = std::fs::read_to_string(here(file)).unwrap();
        assert!(found == written("rust", plan), "{file} is not what is written: see this file's first lines");
    }
    let order = OrderCompleted {
        labels: Some(vec![OrderCompletedLabels::New]),
        ..OrderCompleted::new(OrderCompletedCurrency::Eur, 9.5)
    };
    assert_eq!(OrderCompleted::NAME, "Order Completed");
    assert_eq!(order.properties().unwrap(), json!({"currency": "EUR", "labels": ["new"], "total": 9.5}));
    assert_eq!(CartOpened::default().properties().unwrap(), json!({}));
    // JSON has no such number, and what is not there is missing: it is said before it is sent.
    for (number, word) in [(f64::NAN, "NaN"), (f64::INFINITY, "inf"), (f64::NEG_INFINITY, "-inf")] {
        let said = OrderCompleted::new(OrderCompletedCurrency::Eur, number).properties().unwrap_err();
        let expected = format!(
            "total of Order Completed is {word}, which no JSON holds: leave it out, or send a number"
        );
        assert_eq!(said.to_string(), expected);
    }
    let odd = odd::events::String::new(json!(1), "t".to_owned());
    let sent = odd::PlannedEvent::properties(&odd).unwrap();
    assert_eq!(sent, json!({"self": 1, "type": "t"}));
    // What is sent follows the plan, as the server sees it.
    let home = tempfile::tempdir().unwrap();
    let server = Server::start(&home.path().join("data"), &[]);
    planned(&server);
    let event = json!({"event": OrderCompleted::NAME, "properties": order.properties().unwrap()});
    assert!(check(&server, &event.to_string(), &[]).0);
    server.stop();
}

/// Whether a tool is there; says so where it is not.
fn there(tool: &Path, argument: &str) -> bool {
    let there = Command::new(tool).arg(argument).output().is_ok_and(|output| output.status.success());
    if !there {
        #[allow(clippy::print_stdout, reason = "says why nothing was tested")]
        {
            println!("skipped: no {}", tool.display());
        }
    }
    there
}

#[test]
fn typescript_that_is_written_compiles_and_refuses_what_is_not_planned() {
    let tsc = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../web/node_modules/.bin/tsc");
    if !there(&tsc, "--version") {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    for (plan, file) in [("shop.json", "shop.ts"), ("odd.json", "odd.ts")] {
        std::fs::write(home.path().join(file), written("typescript", plan)).unwrap();
    }
    // Of each line that must not compile, the compiler says so where it does.
    let usage = r#"
import { tracker, type PlannedEvents } from "./shop";
const sent: [string, Record<string, unknown>][] = [];
const events = tracker((event, properties) => { sent.push([event, properties]); });
events.orderCompleted({ total: 9.5, currency: "EUR", items: [1], labels: ["new", "sale"], stars: 3 });
events.cartOpened();
const page: PlannedEvents["Page Viewed"] = { path: "/" };
events.pageViewed(page);
// @ts-expect-error a required property is missing
events.orderCompleted({ total: 9.5 });
// @ts-expect-error a value that is not planned
events.orderCompleted({ total: 9.5, currency: "SEK" });
// @ts-expect-error another type
events.orderCompleted({ total: "9.5", currency: "EUR" });
// @ts-expect-error a property that is not planned
events.pageViewed({ path: "/", Path: "/" });
// @ts-expect-error an event type that is not planned
events.pageLeft({});
// @ts-expect-error a property of an event type that has none
events.cartOpened({ anything: 1 });
// @ts-expect-error something that is required
events.pageViewed();
"#;
    std::fs::write(home.path().join("usage.ts"), usage).unwrap();
    let options = json!({"strict": true, "noEmit": true, "noUnusedLocals": true, "noUnusedParameters": true,
        "exactOptionalPropertyTypes": true, "target": "es2022", "module": "es2022", "moduleResolution": "bundler",
        "types": []});
    std::fs::write(home.path().join("tsconfig.json"), json!({"compilerOptions": options}).to_string())
        .unwrap();
    let mut command = Command::new(&tsc);
    command.current_dir(home.path());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let node = Path::new("node");
    if !there(node, "--version") {
        return;
    }
    // Run, it refuses what JSON would not hold, and sends the rest.
    let numbers = r#"
import { tracker } from "./shop.js";
const events = tracker((event, properties) => console.log(event, JSON.stringify(properties)));
events.orderCompleted({ total: 9.5, currency: "EUR", items: [1] });
for (const given of [{ total: NaN }, { total: 1, items: [1, Infinity] }, { total: 1, extra: { a: { b: -Infinity } } }])
  try { events.orderCompleted({ currency: "EUR", ...given }); } catch (e) { console.log(String(e)); }
"#;
    let emitted = Command::new(&tsc)
        .current_dir(home.path())
        .args(["shop.ts", "--target", "es2022", "--module", "es2022"])
        .output()
        .unwrap();
    assert!(emitted.status.success(), "{}", String::from_utf8_lossy(&emitted.stdout));
    std::fs::write(home.path().join("package.json"), r#"{"type": "module"}"#).unwrap();
    std::fs::write(home.path().join("numbers.js"), numbers).unwrap();
    let output = Command::new(node).current_dir(home.path()).arg("numbers.js").output().unwrap();
    insta::assert_snapshot!(String::from_utf8_lossy(&output.stdout), @r#"
    Order Completed {"total":9.5,"currency":"EUR","items":[1]}
    RangeError: total of Order Completed is NaN, which no JSON holds: leave it out, or send a number
    RangeError: items.1 of Order Completed is Infinity, which no JSON holds: leave it out, or send a number
    RangeError: extra.a.b of Order Completed is -Infinity, which no JSON holds: leave it out, or send a number
    "#);
}

#[test]
fn python_that_is_written_runs_and_sends_what_is_planned() {
    let python = Path::new("python3");
    if !there(python, "--version") {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    for (plan, file) in [("shop.json", "shop.py"), ("odd.json", "odd.py")] {
        std::fs::write(home.path().join(file), written("python", plan)).unwrap();
    }
    let usage = r#"
import json
import odd
from shop import OrderCompletedProperties, Tracker
sent: list[tuple[str, dict[str, object]]] = []
events = Tracker(lambda event, properties: sent.append((event, properties)))
order: OrderCompletedProperties = {"total": 9.5, "currency": "EUR", "labels": ["new"]}
events.order_completed(order)
events.cart_opened()
odd.Tracker(lambda event, properties: sent.append((event, properties))).class_({"x": "only"})
for given in ({"total": float("nan")}, {"total": 1, "items": [1, float("inf")]}):
    try:
        events.order_completed({"currency": "EUR", **given})  # type: ignore[typeddict-item]
        raise SystemExit("taken: " + str(given))
    except ValueError as e:
        assert "of Order Completed is" in str(e) and "no JSON holds" in str(e), e
print(json.dumps(sent, allow_nan=False))
"#;
    std::fs::write(home.path().join("usage.py"), usage).unwrap();
    let output = Command::new(python).current_dir(home.path()).arg("usage.py").output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let sent: Value = serde_json::from_slice(&output.stdout).unwrap();
    let order = json!({"total": 9.5, "currency": "EUR", "labels": ["new"]});
    assert_eq!(sent, json!([["Order Completed", order], ["Cart Opened", {}], ["class", {"x": "only"}]]));
    let mypy = Path::new("mypy");
    if there(mypy, "--version") {
        let output = Command::new(mypy)
            .current_dir(home.path())
            .args(["--strict", "usage.py", "odd.py"])
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
}
