//! Cli, tests: every command of the guide is true. They are read from the page and run, in order, by a
//! shell against a real server.

#![allow(clippy::unwrap_used)]

mod common;

use std::path::Path;
use std::process::Command;

use common::{Server, said};

/// The commands of a page: indented lines that call `bw`, with their continuations.
fn commands(page: &str) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    let mut open = false;
    for line in page.lines() {
        let Some(code) = line.strip_prefix("    ") else { continue };
        match all.last_mut().filter(|_| open) {
            Some(command) => {
                command.push('\n');
                command.push_str(code);
            }
            None if code.starts_with("bw ") => all.push(code.to_owned()),
            None => continue,
        }
        open = code.ends_with('\\');
    }
    all
}

#[test]
fn every_command_of_the_guide_is_true() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guide/first-experiment.md");
    let page = std::fs::read_to_string(page).unwrap();
    let home = tempfile::tempdir().unwrap();
    let rows: Vec<&str> = page
        .lines()
        .skip_while(|line| *line != "    user,arm,returned,spent")
        .take_while(|line| !line.is_empty())
        .map(str::trim)
        .collect();
    assert!(rows.len() > 2, "the guide's CSV file is not where it was");
    std::fs::write(home.path().join("past.csv"), rows.join("\n")).unwrap();

    let server = Server::start(&home.path().join("data"), &[]);
    let run = |command: &str| {
        Command::new("sh")
            .current_dir(home.path())
            .args(["-c", &format!("bw() {{ \"$BELLWETHER\" \"$@\"; }}\n{command}")])
            .env("BELLWETHER", env!("CARGO_BIN_EXE_bellwether"))
            .env("BELLWETHER_KEY", &server.key)
            .env("BELLWETHER_SERVER", &server.address)
            .output()
            .unwrap()
    };
    let all = commands(&page);
    assert!(all.len() >= 13, "{all:?}");
    for command in &all {
        if command.starts_with("bw rollout start") {
            // As the page says: on a flag without a running experiment.
            let stopped = run("bw experiment stop --experiment checkout-1 --why 'a rollout instead'");
            assert!(stopped.status.success(), "{}", said(&stopped));
        }
        let output = run(command);
        if command.starts_with("bw experiment ship") {
            // Fourteen days have not passed: it says that it has no winner yet.
            assert!(said(&output).contains("has no winner: running until"), "{}", said(&output));
        } else {
            assert!(output.status.success(), "{command}\n{}", said(&output));
        }
    }
    // What a dry run of the import says is made without it.
    let import = all.last().unwrap();
    let made = run(&import.replace(" --dry-run", ""));
    assert!(made.status.success(), "{}", said(&made));
    assert!(String::from_utf8(made.stdout).unwrap().contains("2 exposures and 2 outcome events"));

    // A split with a rest, widened, as the page has it in a sentence.
    for command in [
        r#"bw flag create --flag tenth --variants '[{"key":"treatment","value":true},{"key":"control","value":false},{"key":"old","value":false}]'"#,
        r#"bw flag target --flag tenth --environment production --why 'a tenth' --default '{"serve":"split","rest":"old","shares":[{"variant":"control","share":500},{"variant":"treatment","share":500},{"variant":"old","share":9000}]}'"#,
        r#"bw flag reshare --flag tenth --environment production --why 'more' --shares '[{"variant":"control","share":1000},{"variant":"treatment","share":1000},{"variant":"old","share":8000}]'"#,
    ] {
        let output = run(command);
        assert!(output.status.success(), "{command}\n{}", said(&output));
    }
}
