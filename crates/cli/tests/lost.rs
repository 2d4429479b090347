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

#[test]
fn a_backup_that_was_not_copied_whole_is_not_restored() {
    let home = tempfile::tempdir().unwrap();
    let backups = home.path().join("backups");
    let server = Server::start(&home.path().join("data"), &["--backups", &backups.display().to_string()]);
    let backup = server.json(&["backup", "create"]);
    server.stop();
    let from = home.path().join("copy");
    std::fs::rename(backups.join(backup["backup"].as_str().unwrap()), &from).unwrap();
    let to = home.path().join("restored");
    let restore = || run("restore", "--from", &from, &["--data", &to.display().to_string()]);
    let doctor = || run("doctor", "--data", &from, &[]);
    assert!(doctor().status.success());
    std::fs::remove_file(from.join("quarantine.sqlite")).unwrap();
    std::fs::remove_dir_all(from.join("events")).unwrap();
    insta::assert_snapshot!(told(&restore(), home.path()), @"
    error: the backup `HOME/copy` is not whole: `events` is missing, `quarantine.sqlite` is missing
    hint: copy all of it again from where it was made, or restore an older one
    ");
    assert!(!to.exists());
    std::fs::remove_file(from.join("ledger.sqlite")).unwrap();
    insta::assert_snapshot!(told(&doctor(), home.path()), @"
    wrong: `events` is missing
    wrong: `ledger.sqlite` is missing
    wrong: `quarantine.sqlite` is missing
    error: `3` things are wrong
    hint: restore the directory from a backup
    ");
}
