//! Cli, tests: a file becomes an experiment, or says what is wrong with it.

#![allow(clippy::unwrap_used)]

mod common;

use std::path::{Path, PathBuf};

use common::Server;

fn cookie_cats() -> Option<PathBuf> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/datasets/cookie_cats.csv");
    if file.is_file() {
        return Some(file);
    }
    #[allow(clippy::print_stdout, reason = "says why nothing was tested")]
    {
        println!("skipped: no shared data");
    }
    None
}

#[test]
fn cookie_cats_gives_its_published_numbers() {
    let Some(file) = cookie_cats() else { return };
    let home = tempfile::tempdir().unwrap();
    let server = Server::start(&home.path().join("data"), &[]);
    let import = [
        "import",
        "csv",
        file.to_str().unwrap(),
        "--flag",
        "gate",
        "--json",
        "--map",
        "unit=userid,variant=version,metric:retention_7=retention_7",
        "--map",
        "metric:retention_1=retention_1,sum:rounds=sum_gamerounds",
        "--share",
        "gate_30=50,gate_40=50",
    ];
    let results = server.json(&import);
    let judgement = &results["judgement"];
    let number = |value: &serde_json::Value, wanted: f64| {
        let seen = value.as_f64().unwrap();
        assert!((seen / wanted - 1.0).abs() < 1e-9, "{seen}, not {wanted}");
    };
    let counts = judgement["counts"].as_array().unwrap();
    assert_eq!((&counts[0]["units"], &counts[0]["converted"]), (&44_700.into(), &8_502.into()));
    assert_eq!((&counts[1]["units"], &counts[1]["converted"]), (&45_489.into(), &8_279.into()));
    let compared = &judgement["comparisons"][0]["compared"];
    number(&compared["p"], 0.001554249975614329);
    number(&compared["estimate"], -0.008201298315205913);
    number(&compared["interval"]["low"], -0.013281552418885545);
    number(&judgement["sample_ratio"]["p"], 0.008607987810836262);
    assert_eq!(
        (&judgement["sample_ratio"]["warn"], &judgement["sample_ratio"]["broken"]),
        (&true.into(), &false.into())
    );
    assert_eq!(judgement["verdict"]["verdict"], "keep");

    // A second import changes nothing: no event, no change, the same numbers.
    let before = state(&server);
    let again = server.run(&import);
    assert!(again.status.success(), "{}", common::said(&again));
    assert!(common::said(&again).contains("already imported"), "{}", common::said(&again));
    let again: serde_json::Value = serde_json::from_slice(&again.stdout).unwrap();
    assert_eq!(again["judgement"], *judgement);
    assert_eq!(state(&server), before);
    let catalogue = before.0["events"].as_array().unwrap().clone();
    let count =
        |name: &str| catalogue.iter().find(|e| e["event"] == name).unwrap()["count"].as_u64().unwrap();
    assert_eq!((count("$exposure"), count("retention_7")), (90_189, 8_502 + 8_279));
    assert_eq!(count("retention_1"), 20_034 + 20_119);
    server.stop();
}

/// Everything that an import could change.
fn state(server: &Server) -> (serde_json::Value, serde_json::Value, serde_json::Value) {
    (
        server.json(&["event", "catalogue", "--environment", "production"]),
        server.json(&["change", "list", "--limit", "500"]),
        server.json(&["key", "list"]),
    )
}

/// A file of 60 units in two arms.
fn small(home: &Path) -> PathBuf {
    let file = home.join("small.csv");
    let row = |n: u32| {
        format!("u{n},{},{},{}\n", if n.is_multiple_of(2) { "a" } else { "b" }, n.is_multiple_of(3), n % 5)
    };
    std::fs::write(&file, format!("id,arm,kept,spent\n{}", (0..60).map(row).collect::<String>())).unwrap();
    file
}

const MAP: &str = "unit=id,variant=arm,metric:kept=kept,sum:spent=spent";

#[test]
fn what_is_there_and_different_is_named_and_not_touched() {
    let home = tempfile::tempdir().unwrap();
    let file = small(home.path());
    let server = Server::start(&home.path().join("data"), &[]);
    let import = |more: &[&str]| {
        let mut args = vec!["import", "csv", file.to_str().unwrap(), "--flag", "f"];
        if !more.contains(&"--map") {
            args.extend(["--map", MAP]);
        }
        args.extend(more);
        server.run(&args)
    };
    let first = import(&["--started", "2026-03-01", "--days", "10"]);
    assert!(first.status.success(), "{}", common::said(&first));
    insta::assert_snapshot!(String::from_utf8(first.stdout).unwrap(), @"
    flag `f`, switched on in `production` for whoever asks for it:
      `a` 50%, 30 units, control
      `b` 50%, 30 units
    metric `kept` from column `kept`: conversion, 20 units, decides
    metric `spent` from column `spent`: mean per user, 120 in all
    experiment `f` from 2026-03-01 00:00 to 2026-03-11 00:00 UTC, 10 days
    60 exposures and 68 outcome events, dated 2026-03-01 00:00 UTC

    no difference shown: `kept` of `b` is +0 points (-24 to 24), p = 1, 33.33% of 30 against 33.33% of 30; an effect between -24 and +24 points is not excluded

    variant      units  converted    rate   difference                        interval  relative  p
    a (control)     30         10  33.33%
    b               30         10  33.33%  0.00 points  -23.86 points to +23.86 points     0.00%  1

    experiment f on flag f in production, 2026-03-01 00:00 to 2026-03-11 00:00 UTC, planned a 50%, b 50%
    metric kept: who did `kept`, intervals at 95%
    sample ratio: as planned, p = 1
    ");
    let before = state(&server);

    let said = |more: &[&str]| {
        let output = import(more);
        assert!(!output.status.success(), "{more:?} succeeded");
        assert_eq!(state(&server), before, "{more:?}");
        common::said(&output)
    };
    let days = ["--days", "10"];
    insta::assert_snapshot!(said(&[&days[..], &["--control", "b", "--share", "a=60,b=40"]].concat()), @"
    error: what is there is not what is asked of `f`:
      control: `a` is there, `b` is asked
      shares: `a 50%, b 50%` is there, `a 60%, b 40%` is asked
    hint: ask for what is there, or choose another key with `--flag` (and `metric:KEY`); nothing was changed
    ");
    let other = "unit=id,variant=arm,sum:spent=spent,metric:kept=kept";
    insta::assert_snapshot!(said(&[&days[..], &["--map", other]].concat()), @"
    error: what is there is not what is asked of `f`:
      metric that decides: `kept` is there, `spent` is asked
      content of the file: `0661c01c6a0c` is there, `fd57db34e2b3` is asked
    hint: ask for what is there, or choose another key with `--flag` (and `metric:KEY`); nothing was changed
    ");
    insta::assert_snapshot!(said(&["--days", "11", "--started", "2026-03-02"]), @"
    error: what is there is not what is asked of `f`:
      days: `10` is there, `11` is asked
      start: `2026-03-01T00:00:00Z` is there, `2026-03-02T00:00:00Z` is asked
    hint: ask for what is there, or choose another key with `--flag` (and `metric:KEY`); nothing was changed
    ");
    insta::assert_snapshot!(said(&["--environment", "development", "--days", "10"]), @"
    error: what is there is not what is asked of `f`:
      environment: `production` is there, `development` is asked
    hint: ask for what is there, or choose another key with `--flag` (and `metric:KEY`); nothing was changed
    ");
    let kind = "unit=id,variant=arm,metric:kept=kept,metric:spent=kept";
    insta::assert_snapshot!(said(&[&days[..], &["--map", kind]].concat()), @r#"
    error: what is there is not what is asked of `f`:
      measure of metric `spent`: `{"measure":"sum","property":"value"}` is there, `{"measure":"conversion"}` is asked
      content of the file: `0661c01c6a0c` is there, `5369765e137b` is asked
    hint: ask for what is there, or choose another key with `--flag` (and `metric:KEY`); nothing was changed
    "#);

    // Another file of the same shape.
    let rows = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("{rows}u60,a,true,1\n")).unwrap();
    insta::assert_snapshot!(said(&days), @"
    error: what is there is not what is asked of `f`:
      content of the file: `0661c01c6a0c` is there, `a225d19236de` is asked
    hint: ask for what is there, or choose another key with `--flag` (and `metric:KEY`); nothing was changed
    ");
    std::fs::write(&file, rows).unwrap();

    // The same once more, also without the date that was asked for then.
    for more in [&["--days", "10"][..], &["--days", "10", "--started", "2026-03-01"]] {
        let again = import(more);
        assert!(again.status.success(), "{}", common::said(&again));
        let out = String::from_utf8(again.stdout).unwrap();
        assert!(out.starts_with("already imported: "), "{out}");
        assert_eq!(state(&server), before);
    }

    // A flag that people made is theirs.
    server.json(&[
        "flag",
        "create",
        "--flag",
        "own",
        "--kind",
        "string",
        "--variants",
        r#"[{"key":"a","value":"a"},{"key":"b","value":"b"}]"#,
    ]);
    let own = server.refused(&["import", "csv", file.to_str().unwrap(), "--flag", "own", "--map", MAP]);
    insta::assert_snapshot!(own, @"
    error: there is a flag `own` that no import has made
    hint: choose another key with `--flag`: an import does not mix with what is served
    ");
}

#[test]
fn an_import_that_was_interrupted_goes_on() {
    let home = tempfile::tempdir().unwrap();
    let file = small(home.path());
    let whole = Server::start(&home.path().join("whole"), &[]);
    let import = [
        "import",
        "csv",
        file.to_str().unwrap(),
        "--flag",
        "f",
        "--map",
        MAP,
        "--started",
        "2026-03-01",
        "--json",
    ];
    let wanted = whole.json(&import);

    // What is there when it ends after the flag, after the start, and after a part of the events.
    for reached in 0..3 {
        let server = Server::start(&home.path().join(format!("cut{reached}")), &[]);
        let done = whole.json(&["flag", "get", "--flag", "f"]);
        let description = done["flag"]["description"].as_str().unwrap();
        let content = description.split_once(", content ").unwrap().1.split_once(':').unwrap().0;
        let begun = format!("import of small.csv, content {content}, under way");
        let variants = r#"[{"key":"a","value":"a"},{"key":"b","value":"b"}]"#;
        server.json(&[
            "flag",
            "create",
            "--flag",
            "f",
            "--kind",
            "string",
            "--off",
            "a",
            "--default",
            "a",
            "--variants",
            variants,
            "--description",
            &begun,
        ]);
        if reached > 0 {
            let split =
                r#"{"serve":"split","shares":[{"variant":"a","share":5000},{"variant":"b","share":5000}]}"#;
            server.json(&[
                "flag",
                "target",
                "--flag",
                "f",
                "--environment",
                "production",
                "--why",
                "import",
                "--default",
                split,
            ]);
            server.json(&[
                "flag",
                "toggle",
                "--flag",
                "f",
                "--environment",
                "production",
                "--why",
                "import",
                "--on",
                "true",
            ]);
            server.json(&[
                "metric",
                "save",
                "--metric",
                "kept",
                "--event",
                "kept",
                "--measure",
                r#"{"measure":"conversion"}"#,
            ]);
            server.json(&[
                "experiment",
                "create",
                "--experiment",
                "f",
                "--flag",
                "f",
                "--environment",
                "production",
                "--control",
                "a",
                "--metric",
                "kept",
                "--days",
                "14",
            ]);
            server.json(&[
                "experiment",
                "start",
                "--experiment",
                "f",
                "--since",
                "1772323200000",
                "--why",
                "import",
            ]);
        }
        let key = server.json(&[
            "key",
            "create",
            "--name",
            "import of f",
            "--scope",
            "client",
            "--environment",
            "production",
        ]);
        if reached > 1 {
            let events: Vec<_> = (0..10)
                .map(|n| {
                    serde_json::json!({
                        "event_type": "$exposure", "user_id": format!("u{n}"), "time": 1_772_323_200_000_i64,
                        "insert_id": format!("import:f:u{n}:$exposure"),
                        "event_properties": {"flag_key": "f", "variant": if n % 2 == 0 { "a" } else { "b" }},
                    })
                })
                .collect();
            let body = serde_json::json!({"api_key": key["secret"], "events": events, "options": {"min_id_length": 1}});
            ureq::post(format!("{}/batch", server.address)).send_json(body).unwrap();
        }
        let results = server.json(&import);
        assert_eq!(results["judgement"], wanted["judgement"], "{reached}");
        let (events, _, keys) = state(&server);
        assert_eq!(events["events"], state(&whole).0["events"], "{reached}");
        // Nothing that could send in the import's name is left.
        let open = keys["keys"].as_array().unwrap().iter().filter(|key| key["revoked"].is_null());
        assert_eq!(open.map(|key| key["name"].as_str().unwrap()).collect::<Vec<_>>(), ["tests"]);
    }
}

#[test]
fn a_bad_row_is_named_and_nothing_is_sent() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("bad.csv");
    std::fs::write(&file, "id,arm,kept\n1,a,true\n2,b,perhaps\n3,b\n1,b,false\n").unwrap();
    let server = Server::start(&home.path().join("data"), &[]);
    let import = [
        "import",
        "csv",
        file.to_str().unwrap(),
        "--flag",
        "f",
        "--map",
        "unit=id,variant=arm,metric:kept=kept",
    ];
    insta::assert_snapshot!(server.refused(&import), @"
    error: `3` cells of the file will not do
      line 3, column `kept`: `perhaps` is neither true nor false
      line 4: `2` cells where the headers are `3`
      line 5, column `id`: `1` is on line 2 already: a unit has one row
    hint: correct them and import again: nothing was sent
    ");
    assert_eq!(server.json(&["flag", "list"])["flags"], serde_json::json!([]));
    let events = server.json(&["event", "catalogue", "--environment", "production"]);
    assert_eq!(events["events"], serde_json::json!([]));
}

#[test]
fn shares_that_are_no_split_are_refused_and_a_dry_run_needs_no_server() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("good.csv");
    std::fs::write(&file, "id,arm,kept,spent\n1,a,true,2\n2,b,false,0\n3,b,yes,1.5\n").unwrap();
    let with = |share: &str| {
        let map = "unit=id,variant=arm,metric:kept=kept,sum:spent=spent";
        let mut command = common::bellwether();
        command.args(["import", "csv", file.to_str().unwrap(), "--flag", "f", "--dry-run", "--map", map]);
        command.args(["--share", share, "--started", "2026-03-01"]).output().unwrap()
    };
    insta::assert_snapshot!(common::said(&with("a=50,b=40")), @"
    error: a split must add up to 100%: these shares make `90%`
    hint: write `--share VARIANT=PERCENT,…` for every variant, such as `--share a=50,b=50`
    ");
    for date in ["2999-01-01", "soon"] {
        let mut command = common::bellwether();
        let map = "unit=id,variant=arm,metric:kept=kept";
        command.args(["import", "csv", file.to_str().unwrap(), "--flag", "f", "--dry-run", "--map", map]);
        let said = common::said(&command.args(["--started", date]).output().unwrap());
        assert!(said.starts_with(&format!("error: `--started {date}")), "{said}");
    }
    insta::assert_snapshot!(common::said(&with("a=50,c=50")), @"
    error: no row has the variant `c`
    hint: the file's variants are `a`, `b`
    ");
    insta::assert_snapshot!(String::from_utf8(with("a=60,b=40").stdout).unwrap(), @"
    flag `f`, switched on in `production` for whoever asks for it:
      `a` 60%, 1 units, control
      `b` 40%, 2 units
    metric `kept` from column `kept`: conversion, 2 units, decides
    metric `spent` from column `spent`: mean per user, 3.5 in all
    experiment `f` from 2026-03-01 00:00 to 2026-03-15 00:00 UTC, 14 days
    3 exposures and 4 outcome events, dated 2026-03-01 00:00 UTC
    nothing was sent
    ");
}
