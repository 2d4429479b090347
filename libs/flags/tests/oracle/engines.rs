//! Flags, tests: the real engines, where this machine has them. `BELLWETHER_ORACLE` names a folder with
//! `node_modules` and, for Python, a virtual environment `py`; without it `conformance/` is looked at. Where
//! `BELLWETHER_ORACLES_REQUIRED` is set, as in CI, an engine that is not there is a failure.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

fn home() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    std::env::var_os("BELLWETHER_ORACLE").map_or_else(|| root.join("../../conformance"), PathBuf::from)
}

/// Runs a script of `tests/oracle` on cases, one answer for each. `None`, said aloud, where the engine is
/// not there and not required.
pub(crate) fn ask(script: &str, package: &str, cases: &[Value]) -> Option<Vec<Value>> {
    let program = if script.ends_with(".py") {
        [".venv/bin/python", "py/bin/python"].into_iter().map(|p| home().join(p)).find(|p| {
            p.exists()
                && Command::new(p)
                    .args(["-c", &format!("import {package}")])
                    .stderr(Stdio::null())
                    .status()
                    .is_ok_and(|s| s.success())
        })
    } else {
        home().join("node_modules").join(package).exists().then(|| "node".into())
    };
    let Some(program) = program else {
        let required = std::env::var_os("BELLWETHER_ORACLES_REQUIRED").is_some();
        assert!(!required, "no {package} in {}; `make prepare` installs it", home().display());
        println!("skipped: no {package} in {}", home().display());
        return None;
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle").join(script);
    let mut child = Command::new(program)
        .arg(script)
        .current_dir(home())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = String::new();
    for case in cases {
        lines.push_str(&case.to_string());
        lines.push('\n');
    }
    let mut input = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || input.write_all(lines.as_bytes()).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success(), "{package} failed");
    let answers: Vec<Value> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(answers.len(), cases.len());
    Some(answers)
}
