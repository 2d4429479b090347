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
    let state = |server: &Server| {
        let events = server.json(&["event", "catalogue", "--environment", "production"]);
        (events, server.json(&["change", "list"]))
    };
    let before = state(&server);
    assert_eq!(server.json(&import)["judgement"], *judgement);
    assert_eq!(state(&server), before);
    let catalogue = before.0["events"].as_array().unwrap().clone();
    let count =
        |name: &str| catalogue.iter().find(|e| e["event"] == name).unwrap()["count"].as_u64().unwrap();
    assert_eq!((count("$exposure"), count("retention_7")), (90_189, 8_502 + 8_279));
    assert_eq!(count("retention_1"), 20_034 + 20_119);
    server.stop();
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
        command.args(["--share", share]).output().unwrap()
    };
    insta::assert_snapshot!(common::said(&with("a=50,b=40")), @"
    error: a split must add up to 100%: these shares make `90%`
    hint: write `--share VARIANT=PERCENT,…` for every variant, such as `--share a=50,b=50`
    ");
    insta::assert_snapshot!(common::said(&with("a=50,c=50")), @"
    error: no row has the variant `c`
    hint: the file's variants are `a`, `b`
    ");
    insta::assert_snapshot!(String::from_utf8(with("a=60,b=40").stdout).unwrap(), @"
    flag `f` in `production`, on:
      `a` 60%, 1 units, control
      `b` 40%, 2 units
    metric `kept` from column `kept`: conversion, 2 units, decides
    metric `spent` from column `spent`: mean per user, 3.5 in all
    experiment `f` over 14 days that are past, 7 events
    nothing was sent
    ");
}
