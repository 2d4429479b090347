//! Store: tests. Every byte of the log torn off or turned over: the tail of a write that never
//! returned is dropped, all else is named, and nothing is ever lost in silence.

use std::path::{Path, PathBuf};

use super::{Files, names, open, put, read_dir, write_dir};
use crate::{Recovery, Store, StoreError};

/// A log of three records in one file, the file's path, and where each record ends.
fn three() -> (Files, PathBuf, [usize; 3]) {
    let home = tempfile::tempdir().unwrap();
    let store = open(home.path());
    let mut ends = [0; 3];
    for (record, end) in [["a", "b"], ["c", "d"], ["e", "f"]].into_iter().zip(&mut ends) {
        put(&store, record);
        *end = read_dir(home.path()).values().next().unwrap().len();
    }
    drop(store);
    let files = read_dir(home.path());
    let path = files.keys().next().unwrap().clone();
    assert_eq!(files.len(), 1);
    (files, path, ends)
}

fn recover(home: &Path) -> (Vec<String>, Recovery) {
    let (store, recovery) = Store::open(home, super::eager()).unwrap();
    (names(&store), recovery)
}

/// Opening refuses, names the file and the byte, and leaves every byte where it was.
fn refused(files: &Files, file: &Path) -> u64 {
    let home = write_dir(files);
    let report = Store::doctor_deep(home.path()).unwrap();
    assert!(!report.is_sound(), "the doctor sees it too");
    let Err(error) = Store::open(home.path(), super::eager()) else { panic!("damage was not seen") };
    assert_eq!(&read_dir(home.path()), files, "nothing was changed");
    match error {
        StoreError::Corrupt { file: named, offset, .. } => {
            assert!(named.ends_with(file), "{} is not {}", named.display(), file.display());
            offset
        }
        StoreError::Newer { file: named, .. } => {
            assert!(named.ends_with(file));
            0
        }
        other => panic!("{other}"),
    }
}

#[test]
fn a_log_cut_anywhere_in_its_last_record_ends_before_it() {
    let (files, path, [_, before, end]) = three();
    for cut in before..=end {
        let mut files = files.clone();
        files.get_mut(&path).unwrap().truncate(cut);
        let home = write_dir(&files);
        let (found, recovery) = recover(home.path());
        let whole = if cut == end { "abcdef" } else { "abcd" };
        assert_eq!(found.concat(), whole, "cut at {cut}");
        assert_eq!(recovery.torn, if cut == end { 0 } else { (cut - before) as u64 });

        // What was torn was never acknowledged: it can be sent again, and stays.
        let store = open(home.path());
        put(&store, ["e", "f"]);
        drop(store);
        assert_eq!(recover(home.path()).0.concat(), "abcdef", "cut at {cut}");
        assert!(Store::doctor_deep(home.path()).unwrap().is_sound());
    }
}

#[test]
fn a_byte_turned_over_in_the_last_record_ends_the_log_before_it() {
    let (files, path, [_, before, end]) = three();
    for at in before..end {
        let mut files = files.clone();
        files.get_mut(&path).unwrap()[at] ^= 0x41;
        let home = write_dir(&files);
        let (found, recovery) = recover(home.path());
        assert_eq!((found.concat().as_str(), recovery.torn), ("abcd", (end - before) as u64), "byte {at}");
    }
}

#[test]
fn a_byte_turned_over_before_a_whole_record_is_damage() {
    let (files, path, [first, second, _]) = three();
    for at in 0..second {
        let mut files = files.clone();
        files.get_mut(&path).unwrap()[at] ^= 0x41;
        let record = if at < 32 {
            0
        } else if at < first {
            32
        } else {
            first
        };
        assert_eq!(refused(&files, &path), record as u64, "byte {at}");
    }
}

#[test]
fn a_file_that_is_not_the_newest_must_be_whole() {
    let (files, path, [first, ..]) = three();
    let home = write_dir(&files);
    put(&open(home.path()), ["g"]);
    put(&open(home.path()), ["h"]);
    let files = read_dir(home.path());
    let paths: Vec<&PathBuf> = files.keys().collect();
    assert_eq!(paths.len(), 3);

    for cut in 32..files[&path].len() {
        let mut files = files.clone();
        files.get_mut(&path).unwrap().truncate(cut);
        assert!(refused(&files, &path) <= cut as u64);
    }
    let mut damaged = files.clone();
    damaged.get_mut(&path).unwrap()[first + 3] ^= 1;
    assert_eq!(refused(&damaged, &path), first as u64);

    // A file that is gone is seen by the one after it.
    for (gone, seen) in [(0, 1), (1, 2)] {
        let mut files = files.clone();
        files.remove(paths[gone]);
        refused(&files, paths[seen]);
    }
}

#[test]
fn parts_and_the_manifest_must_be_what_was_written() {
    let home = tempfile::tempdir().unwrap();
    let store = open(home.path());
    put(&store, ["a", "b"]);
    store.flush().unwrap();
    put(&store, ["c"]);
    drop(store);
    let files = read_dir(home.path());
    let part = files.keys().find(|p| p.extension().unwrap() == "parquet").unwrap().clone();
    let manifest = PathBuf::from("manifest.json");
    let logs: Vec<PathBuf> = files.keys().filter(|p| p.starts_with("wal")).cloned().collect();
    let changed = |change: &dyn Fn(&mut Files)| {
        let mut files = files.clone();
        change(&mut files);
        files
    };

    refused(&changed(&|f| drop(f.remove(&part))), &part);
    refused(&changed(&|f| f.get_mut(&part).unwrap().truncate(900)), &part);
    refused(&changed(&|f| f.get_mut(&manifest).unwrap().truncate(40)), &manifest);
    refused(&changed(&|f| drop(f.insert(manifest.clone(), br#"{"version": 3}"#.to_vec()))), &manifest);
    // Without the manifest the log begins too late, and parts are never taken for rubbish.
    refused(&changed(&|f| drop(f.remove(&manifest))), &logs[0]);
    refused(&changed(&|f| logs.iter().for_each(|log| drop(f.remove(log)))), Path::new("wal"));

    // A byte inside a part is the doctor's to find.
    let size = files[&part].len();
    for at in [4, size / 3, size / 2] {
        let home = write_dir(&changed(&|f| f.get_mut(&part).unwrap()[at] ^= 1));
        let report = Store::doctor_deep(home.path()).unwrap();
        assert_eq!(report.findings.len(), 1, "{report:?}");
        assert!(report.findings[0].contains(part.file_name().unwrap().to_str().unwrap()));
    }
}

#[test]
fn a_list_of_named_events_that_is_lost_or_damaged_is_written_again() {
    let home = tempfile::tempdir().unwrap();
    let store = open(home.path());
    let many: Vec<String> = (0..400).map(|i| i.to_string()).collect();
    put(&store, &many);
    store.flush().unwrap();
    drop(store);
    let files = read_dir(home.path());
    let list = files.keys().find(|p| p.extension().unwrap() == "ids").unwrap().clone();
    let len = files[&list].len();
    let damaged = |at: usize| {
        let mut files = files.clone();
        files.get_mut(&list).unwrap()[at] ^= 4;
        files
    };
    let mut gone = files.clone();
    gone.remove(&list);
    let mut short = files.clone();
    short.get_mut(&list).unwrap().truncate(len - 1);
    // Its header, and its end: the doctor sees that too.
    for (broken, seen) in [(gone, false), (short, true), (damaged(20), true), (damaged(len - 3), true)] {
        let home = write_dir(&broken);
        assert_eq!(!Store::doctor(home.path()).unwrap().is_sound(), seen);
        let store = open(home.path());
        let again = store.append(many.iter().map(|n| super::named(n, 500)).collect()).unwrap();
        assert_eq!(again.taken.duplicates, 400);
        drop(store);
        assert!(Store::doctor_deep(home.path()).unwrap().is_sound());
        assert_eq!(read_dir(home.path())[&list], files[&list], "it is what it was");
    }
    // A block is looked at when it is asked: then nothing is taken, and nothing is taken twice.
    let home = write_dir(&damaged(100));
    assert!(!Store::doctor_deep(home.path()).unwrap().is_sound());
    let store = open(home.path());
    let error = store.append(many.iter().map(|n| super::named(n, 500)).collect()).unwrap_err();
    assert!(
        matches!(error, StoreError::Corrupt { ref file, offset: 32, .. } if file.ends_with(&list)),
        "{error}"
    );
    assert!(!store.pending());
}
