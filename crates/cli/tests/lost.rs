//! Cli, tests: a file that was lost from a data directory or a backup is named, and nothing is served or restored without
//! it in silence.

#![allow(clippy::unwrap_used)]

mod common;

use std::path::Path;
use std::process::Output;

use common::{Server, bellwether, said};

fn run(command: &str, option: &str, dir: &Path, more: &[&str]) -> Output {
    bellwether().arg(command).arg(option).arg(dir).args(more).output().unwrap()
}

/// What a command says, without the place where it was run.
fn told(output: &Output, home: &Path) -> String {
    assert!(!output.status.success());
    let printed = String::from_utf8_lossy(&output.stdout);
    format!("{printed}{}", said(output)).replace(&home.display().to_string(), "HOME")
}

#[test]
fn a_server_does_not_start_without_its_personal_key_until_that_is_asked_for() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    let server = Server::start(&data, &[]);
    let admin = server.key.clone();
    server.stop();
    std::fs::remove_file(data.join("personal.key")).unwrap();
    insta::assert_snapshot!(told(&run("serve", "--data", &data, &["--listen", "127.0.0.1:0"]), home.path()), @"
    error: `HOME/data/personal.key` is missing, and personal values were hashed with it; with another key whoever was hashed is somebody else from now on: what they send again counts twice, and they are not found or forgotten by their id
    hint: put the file back from a backup; where there is none, start once with `bellwether serve --new-personal-key`: who was hashed before is then nobody who comes again, and is found by their hash only
    ");
    let doctor = told(&run("doctor", "--data", &data, &[]), home.path());
    assert!(doctor.contains("\nwrong: `personal.key` is missing, "), "{doctor}");
    Server::again_with(&data, &admin, &["--new-personal-key"]).stop();
    Server::again(&data, &admin).stop();
    assert!(run("doctor", "--data", &data, &[]).status.success());
}
