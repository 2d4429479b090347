//! Cli, tests: the commands made from the registry, `serve`, `doctor` and `demo`, as a person runs them.

#![allow(clippy::unwrap_used)]

mod common;

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;

use common::{Server, bellwether, said, terminate};

#[test]
fn operations_are_commands() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    let server = Server::start(&data, &[]);
    let made = server.json(&["flag", "create", "--flag", "checkout", "--name", "Checkout"]);
    assert_eq!(made["flag"]["variants"][0]["key"], "on");
    let toggle = ["flag", "toggle", "--flag", "checkout", "--environment", "production", "--on", "true"];
    insta::assert_snapshot!(server.refused(&toggle), @"
    error: a change in `production` needs a reason, because customers are served from it
    hint: say in `--why` what this is for
    ");
    let with = |more: &[&'static str]| [&toggle[..], more].concat();
    server.json(&with(&["--why", "the release"]));
    let got = server.json(&["flag", "get", "--flag", "checkout"]);
    assert_eq!(got["flag"]["settings"]["production"]["on"], true);
    assert_eq!(got["changed_by"]["name"], "tests");

    insta::assert_snapshot!(server.refused(&["flag", "get", "--flag", "chekout"]), @"
    error: there is no flag `chekout`
    hint: did you mean `checkout`? `bellwether flag list` shows what there is
    ");
    let stale = server.refused(&with(&["--why", "late", "--if-revision", "1"]));
    assert!(stale.contains("it is at revision `4`"), "{stale}");
    assert!(stale.contains("hint: read it again"), "{stale}");
    insta::assert_snapshot!(server.refused(&["flag", "toggle", "--flag", "checkout", "--environment", "production", "--on", "maybe"]), @"
    error: `--on` is `true` or `false`, and not `maybe`
    hint: write `--on true` or `--on false`
    ");
    insta::assert_snapshot!(server.refused(&[
        "flag", "target", "--flag", "checkout", "--environment", "production", "--why", "x", "--default",
        r#"{"serve":"split","shares":[{"variant":"on","share":5000},{"variant":"off","share":4000}]}"#,
    ]), @"
    error: a split must add up to 100%: these shares make `90%`
    hint: raise `off` to 50% or add a variant
    ");
    insta::assert_snapshot!(server.refused(&["experiment", "create", "--days", "14"]), @"
    error: `--control`, `--environment`, `--experiment`, `--flag`, `--metric` are missing
    hint: see `bellwether experiment create --help`
    ");
    insta::assert_snapshot!(server.refused(&["experiment", "create", "--days", "many"]), @"
    error: in `--days`: `many` is not a whole number
    hint: `--days N`: How many days it runs
    ");
    insta::assert_snapshot!(server.refused(&["flag", "get", "--flag", ""]), @"
    error: `--flag` is empty
    hint: `bellwether flag get` needs it
    ");
    insta::assert_snapshot!(server.refused(&["flag", "list", "--server", "ftp://x"]), @"
    error: `ftp://x` is no address of a server
    hint: write one such as `http://127.0.0.1:8080`
    ");
    insta::assert_snapshot!(server.refused(&["flag", "list", "--key", "a b"]), @"
    error: what was given as the key is none: it has spaces or other letters
    hint: set BELLWETHER_KEY, or use `--key`, with an admin key from Settings
    ");
    let huge = format!("{{\"flag\":\"big\",\"description\":\"{}\"}}", "a".repeat(20_000_000));
    let mut piped = bellwether();
    piped.args(["flag", "create", "--input", "-", "--server", &server.address, "--key", &server.key]);
    let mut piped = piped.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    piped.stdin.take().unwrap().write_all(huge.as_bytes()).unwrap();
    let piped = piped.wait_with_output().unwrap();
    // The server refuses it with 413, or has closed the door before all of it was sent.
    let refused = said(&piped);
    assert!(!piped.status.success() && refused.contains("larger than"), "{refused}");
    // An address needs no `http://`.
    server.json(&["flag", "list", "--server", server.address.trim_start_matches("http://")]);
    // A dry run says what would be, and leaves things as they are.
    let dry = server.json(&["flag", "archive", "--flag", "checkout", "--why", "done", "--dry-run"]);
    assert_eq!(dry["flag"]["archived"], true);
    let dry = ["flag", "archive", "--flag", "checkout", "--why", "done", "--dry-run"];
    assert_eq!(said(&server.run(&dry)), "nothing was changed: this is what would be\n");
    assert_eq!(said(&server.run(&["flag", "list"])), "");
    assert_eq!(server.json(&["flag", "list"])["flags"].as_array().unwrap().len(), 1);

    let mut stranger = bellwether();
    let stranger = stranger.args(["flag", "list", "--server", &server.address]);
    insta::assert_snapshot!(said(&stranger.output().unwrap()), @"
    error: no key was given
    hint: set BELLWETHER_KEY, or use `--key`, with an admin key from Settings
    ");
    insta::assert_snapshot!(said(&stranger.args(["--key", "bwa_no"]).output().unwrap()), @"
    error: there is no such key, or it was revoked
    hint: make one under Settings, or with `bellwether key create`
    ");

    let open = doctor(&data);
    assert!(!open.status.success(), "a directory in use is not checked");
    let in_use = said(&open);
    assert!(in_use.contains("is already open\nhint: stop the other `bellwether`"), "{in_use}");
    assert_eq!(in_use.matches("hint:").count(), 1, "{in_use}");
    server.stop();
    let closed = doctor(&data);
    assert!(closed.status.success(), "{}", said(&closed));
    let found = String::from_utf8(closed.stdout).unwrap();
    assert!(found.contains("ledger: 4 changes") && found.ends_with("all is well\n"), "{found}");
}

#[test]
fn what_is_not_in_quarantine_is_not_said_to_be_done() {
    let home = tempfile::tempdir().unwrap();
    let server = Server::start(&home.path().join("data"), &[]);
    let there = ["--environment", "production"];
    let refused = |more: &[&str]| server.refused(&[&["quarantine"], more, &there].concat());
    insta::assert_snapshot!(refused(&["release"]), @"
    error: which events are meant is not said once
    hint: give `--ids` (1000 at most), `--event`, or `--all`
    ");
    insta::assert_snapshot!(refused(&["release", "--event", "Page Viewd"]), @"
    error: no event `Page Viewd` is in the quarantine of `production`
    hint: `bellwether quarantine list` shows what there is
    ");
    insta::assert_snapshot!(refused(&["delete", "--ids", "[99999]"]), @"
    error: no event with the number `99999` is in the quarantine of `production`
    hint: `bellwether quarantine list` shows what there is
    ");
    // One is a list, too, where a list is asked for.
    let one = refused(&["delete", "--ids", "99999"]);
    assert_eq!(one, refused(&["delete", "--ids", "[99999]"]));
    let help = bellwether().args(["quarantine", "delete", "--help"]).output().unwrap();
    assert!(String::from_utf8(help.stdout).unwrap().contains("--ids <N|JSON>"));
    insta::assert_snapshot!(refused(&["delete", "--ids", "1,2"]), @"
    error: in `--ids`: `1,2` is not JSON of the right shape
    hint: `--ids N|JSON`: The numbers of the events, such as `[17, 18]`, 1000 at most
    ");
    let help = bellwether().args(["quarantine", "list", "--help"]).output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    assert!(help.contains("--after <N>"), "{help}");
    let help = bellwether().args(["schedule", "create", "--help"]).output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    assert!(help.contains("--at <TIME>"), "{help}");
    insta::assert_snapshot!(server.refused(&["person", "export", "--environment", "production"]), @"
    error: who is meant is not said once
    hint: give `--user`, or `--device`
    ");
    server.stop();
}

#[test]
fn a_reason_is_the_why_and_one_id_is_a_list_of_ids() {
    let home = tempfile::tempdir().unwrap();
    let server = Server::start(&home.path().join("data"), &[]);
    server.json(&["segment", "save", "--segment", "staff", "--reason", "who works here"]);
    let ids = |add: &[&str]| {
        server.json(
            &[&["segment", "ids", "--segment", "staff", "--list", "included", "--why", "new"], add].concat(),
        )
    };
    ids(&["--add", "ana"]);
    // An id of digits is an id.
    ids(&["--add", "1042"]);
    ids(&["--add", r#"["bo, jr", "cy"]"#, "--remove", "ana"]);
    let listed = server.json(&["segment", "members", "--segment", "staff", "--list", "included"]);
    assert_eq!(listed["ids"], serde_json::json!(["1042", "bo, jr", "cy"]));
    let changes = server.json(&["change", "list", "--segment", "staff"]);
    let mut whys =
        changes["changes"].as_array().unwrap().iter().map(|c| c["change"]["why"].as_str().unwrap());
    assert_eq!(whys.next_back(), Some("who works here"));
    for several in ["ana,bo", "ana bo", "[ana"] {
        let more =
            ["segment", "ids", "--segment", "staff", "--list", "included", "--why", "x", "--add", several];
        let said = server.refused(&more);
        assert!(said.contains("is not JSON of the right shape"), "{several}: {said}");
    }
    server.stop();
}

fn doctor(data: &Path) -> std::process::Output {
    bellwether().args(["doctor", "--data"]).arg(data).output().unwrap()
}

#[test]
fn what_is_no_data_directory_is_not_checked() {
    let home = tempfile::tempdir().unwrap();
    let missing = said(&doctor(&home.path().join("nowhere")));
    assert!(missing.contains("is no data directory\nhint: "), "{missing}");
}

#[test]
fn a_manual_clock_is_served_to_this_machine_alone() {
    let home = tempfile::tempdir().unwrap();
    let serve = |more: &[&str]| {
        let output = bellwether().args(["serve", "--data"]).arg(home.path()).args(more).output().unwrap();
        assert!(!output.status.success());
        said(&output)
    };
    let refused = serve(&["--clock", "manual", "--listen", "0.0.0.0:0"]);
    assert!(refused.starts_with("error: a manual clock is not served on `0.0.0.0:"), "{refused}");
    assert!(refused.contains("hint: listen on 127.0.0.1"), "{refused}");
    insta::assert_snapshot!(serve(&["--clock-start", "1"]), @"
    error: `--clock-start` is for a manual clock
    hint: add `--clock manual`
    ");
}

#[test]
fn an_address_that_is_taken_is_named_and_nothing_is_made() {
    let home = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for command in ["serve", "demo"] {
        let data = home.path().join(command);
        let output =
            bellwether().args([command, "--listen", &address, "--data"]).arg(&data).output().unwrap();
        let refused = said(&output);
        assert!(
            refused.starts_with(&format!("error: something listens on `{address}` already\nhint: ")),
            "{refused}"
        );
        assert!(refused.contains("--listen"), "{refused}");
        assert!(!data.exists());
    }
    let refused =
        said(&bellwether().args(["serve", "--listen", "8080", "--data"]).arg(home.path()).output().unwrap());
    assert!(refused.starts_with("error: `--listen 8080` is no address\nhint: "), "{refused}");
}

#[test]
fn a_data_directory_is_its_owners_alone() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("above/data");
    Server::start(&data, &[]).stop();
    assert_eq!(std::fs::metadata(&data).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn a_demo_is_made_once_and_starts_at_once_afterwards() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("demo");
    let demo = || {
        let mut child = bellwether()
            .args([
                "demo",
                "--days",
                "3",
                "--events",
                "1000",
                "--live",
                "3000",
                "--listen",
                "127.0.0.1:0",
                "--data",
            ])
            .arg(&data)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let told: Vec<String> = lines.take_while(|line| !line.starts_with("ask for a flag")).collect();
        (child, told)
    };
    let stopped = |mut child: std::process::Child| {
        terminate(&child);
        assert!(child.wait().unwrap().success());
    };
    let (child, first) = demo();
    assert!(first.iter().any(|line| line.starts_with("living through day 3 of 3")), "{first:?}");
    // Nobody else may use it meanwhile, and it is for its owner's eyes.
    let twice =
        said(&bellwether().args(["demo", "--listen", "127.0.0.1:0", "--data"]).arg(&data).output().unwrap());
    assert!(twice.contains("a demo runs in `") && twice.contains("hint: use that one"), "{twice}");
    assert_eq!(std::fs::metadata(&data).unwrap().permissions().mode() & 0o777, 0o700);
    stopped(child);
    let other = bellwether()
        .args(["demo", "--listen", "127.0.0.1:0", "--days", "4", "--data"])
        .arg(&data)
        .output()
        .unwrap();
    assert!(said(&other).contains("was made with another `--days`\nhint: "), "{}", said(&other));
    let note = std::fs::read(data.join("demo.json")).unwrap();

    let (child, second) = demo();
    assert!(second[0].starts_with("ready after"), "{second:?}");
    let note: serde_json::Value = serde_json::from_slice(&note).unwrap();
    let password = note["password"].as_str().unwrap();
    assert!(second[1].contains(password), "{second:?}");
    assert!(second[2].contains("to begin anew: rm -r "), "{second:?}");
    assert_eq!(second[3], "3000 visits a minute go on coming");
    let address = second[0].split_once(": ").unwrap().1;
    let login = serde_json::json!({"email": note["email"], "password": password});
    let reply = ureq::post(format!("{address}/api/login")).send_json(login).unwrap();
    assert!(reply.status().is_success());
    // Events are planned, and somebody answers for them.
    let cookie = reply.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap();
    let mut plan = ureq::get(format!("{address}/api/plan")).header("cookie", cookie).call().unwrap();
    let plan: serde_json::Value = plan.body_mut().read_json().unwrap();
    assert_eq!(plan["plan"]["events"]["purchase"]["owner"], "checkout", "{plan}");
    assert_eq!(plan["plan"]["events"]["signup"]["properties"]["email"]["personal"], true);
    assert_eq!(plan["warnings"], serde_json::json!([]));
    stopped(child);
    assert!(doctor(&data).status.success());
}

#[test]
fn a_time_is_written_as_people_write_it() {
    let home = tempfile::tempdir().unwrap();
    // In 2099: what is planned lies ahead, and not too far.
    let clock = ["--clock", "manual", "--clock-start", "4070908800000"];
    let server = Server::start(&home.path().join("data"), &clock);
    server.json(&["flag", "create", "--flag", "checkout"]);
    let plan = |at: &'static str| {
        let planned = r#"{"plan":"toggle","flag":"checkout","on":true}"#;
        ["schedule", "create", "--environment", "development", "--planned", planned, "--at", at]
    };
    for at in ["2100-01-01T00:00:00Z", "2100-01-01T01:00:00+01:00", "4102444800000"] {
        assert_eq!(server.json(&plan(at))["schedule"]["at"], 4_102_444_800_000_i64, "{at}");
    }
    insta::assert_snapshot!(server.refused(&plan("soon")), @r"
    error: in `--at`: `soon` is no point in time: write one such as `2026-11-22T18:33:00Z`, a date, or milliseconds since 1970
    hint: what belongs in `--at`: When: milliseconds since 1970, or a text such as `2026-11-22T18:33:00Z`; two years ahead at most
    ");
    insta::assert_snapshot!(server.refused(&plan("2001-01-01T00:00:00Z")), @r"
    error: `2001-01-01T00:00:00Z` has passed
    hint: plan it for a time to come, or make the change now
    ");
    let waiting = server.json(&["schedule", "list", "--flag", "checkout"]);
    let key = waiting["schedules"][0]["schedule"]["key"].as_str().unwrap();
    server.json(&["schedule", "cancel", "--schedule", key]);
    assert_eq!(server.json(&["schedule", "list"])["schedules"].as_array().unwrap().len(), 2);
}

#[test]
fn the_help_of_what_has_a_shape_shows_one() {
    for (noun, verb, shown) in [
        ("rollout", "start", r#"--steps <JSON>"#),
        ("rollout", "start", r#"`[{"share": 500, "hold": "1d"}, {"share": 10000}]`"#),
        ("rollout", "ramp", r#"`[{"share": 500, "hold": "1d"}, {"share": 10000}]`"#),
        ("schedule", "create", r#"`{"plan": "widen", "flag": "checkout", "share": 2500}`"#),
        (
            "beta",
            "save",
            r#"`[[{"segment": "friends"}], [{"attribute": "plan", "op": "is", "values": ["pro"]}]]`"#,
        ),
        ("flag", "enrolment", "--units <N|none>"),
    ] {
        let output = bellwether().args([noun, verb, "--help"]).output().unwrap();
        let help = String::from_utf8(output.stdout).unwrap();
        let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(help.contains(shown), "{noun} {verb}: {help}");
    }
}

#[test]
fn a_limit_is_taken_away_by_a_word_and_what_is_left_out_stays() {
    let home = tempfile::tempdir().unwrap();
    let server = Server::start(&home.path().join("data"), &[]);
    server.json(&["flag", "create", "--flag", "f"]);
    let set = |limits: &[&str]| {
        let command =
            [&["flag", "enrolment", "--flag", "f", "--environment", "development"], limits].concat();
        server.json(&command)["flag"]["settings"]["development"]["enrolment"].clone()
    };
    assert_eq!(set(&["--units", "10", "--share", "500"]), serde_json::json!({"share": 500, "units": 10}));
    assert_eq!(set(&["--units", "none"]), serde_json::json!({"share": 500}));
    let command = ["flag", "enrolment", "--flag", "f", "--environment", "development", "--share", "all"];
    insta::assert_snapshot!(server.refused(&command), @r#"
    error: in `--share`: `all` is not a whole number or `none`
    hint: `--share N|none`: The share of everybody that may be enrolled at most; as it is unless given, no limit by `"none"`
    "#);
}

#[test]
fn a_demo_does_not_touch_what_is_not_its_own() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("thesis.txt"), "mine").unwrap();
    let output = bellwether().args(["demo", "--data"]).arg(home.path()).output().unwrap();
    let refused = said(&output);
    assert!(
        refused.contains("holds something that is not a demo\nhint: choose an empty directory"),
        "{refused}"
    );
    assert!(home.path().join("thesis.txt").is_file());
}

/// Makes another text of a change in a ledger, which its digest then does not fit.
fn damage(ledger: &Path) {
    let bytes = std::fs::read(ledger).unwrap();
    let at = bytes.windows(6).position(|six| six == b"before").unwrap();
    let mut bytes = bytes;
    bytes[at..at + 6].copy_from_slice(b"BEFORE");
    std::fs::write(ledger, bytes).unwrap();
}

#[test]
fn a_backup_that_was_made_meanwhile_is_restored_and_served() {
    let home = tempfile::tempdir().unwrap();
    let backups = home.path().join("backups");
    let server = Server::start(&home.path().join("data"), &["--backups", &backups.display().to_string()]);
    server.json(&["flag", "create", "--flag", "before"]);
    let backup = server.json(&["backup", "create"]);
    server.json(&["flag", "create", "--flag", "after"]);
    let from = backups.join(backup["backup"].as_str().unwrap());
    let to = home.path().join("restored");
    let restore = |from: &Path, to: &Path| {
        bellwether().arg("restore").arg("--from").arg(from).arg("--data").arg(to).output().unwrap()
    };
    let restored = restore(&from, &to);
    assert!(restored.status.success(), "{}", said(&restored));
    assert!(doctor(&to).status.success());
    // Into what is there, and of what is none.
    let data = to.display();
    assert_eq!(
        said(&restore(&from, &to)),
        format!(
            "error: `{data}` has something in it\nhint: name a directory that is not there yet; nothing is overwritten\n"
        )
    );
    let other = home.path().join("other");
    let (none, missing) = (said(&restore(&to, &other)), said(&restore(&home.path().join("nowhere"), &other)));
    for none in [none, missing] {
        assert!(none.contains("` is no backup: "), "{none}");
        assert!(none.contains("\nhint: name the directory of one backup"), "{none}");
    }
    // Of a damaged one what was copied is left to be looked at, and nothing says that all is well.
    let copy = home.path().join("copy");
    assert!(std::process::Command::new("cp").arg("-r").arg(&from).arg(&copy).status().unwrap().success());
    let ledger = copy.join("ledger.sqlite");
    damage(&ledger);
    let damaged = restore(&copy, &other);
    assert!(!damaged.status.success());
    let (printed, refused) = (String::from_utf8_lossy(&damaged.stdout), said(&damaged));
    assert!(printed.starts_with("copied what was there at ") && printed.contains("\nwrong: "), "{printed}");
    let left = other.display();
    assert_eq!(
        refused,
        format!(
            "error: `1` thing is wrong with the backup; `{left}` is left to be looked at, and not to be served\n\
             hint: try an older backup; remove `{left}` before you restore there again\n"
        )
    );
    assert!(other.join("ledger.sqlite").is_file());
    // Whoever had a key has it still; what came later is not there.
    let again = Server::again(&to, &server.key);
    let flags = again.json(&["flag", "list"]);
    let flags: Vec<&str> =
        flags["flags"].as_array().unwrap().iter().map(|flag| flag["flag"]["key"].as_str().unwrap()).collect();
    assert_eq!(flags, ["before"]);
    again.stop();
    server.stop();
}

/// A log that cannot be written, as on a full disk, ends nothing.
#[test]
fn a_server_whose_error_output_takes_nothing_goes_on() {
    let home = tempfile::tempdir().unwrap();
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut child = bellwether()
        .args(["serve", "--json", "--listen", "127.0.0.1:0", "--data"])
        .arg(home.path().join("data"))
        .env("BELLWETHER_LOG", "trace")
        .stdout(Stdio::piped())
        .stderr(full)
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let ready: serde_json::Value = serde_json::from_str(&line).unwrap();
    let address = ready["address"].as_str().unwrap();
    for path in ["/", "/nothing"] {
        let reply = ureq::get(format!("{address}{path}")).config().http_status_as_error(false).build().call();
        assert!(reply.unwrap().status().as_u16() < 500);
    }
    terminate(&child);
    assert!(child.wait().unwrap().success());
}
