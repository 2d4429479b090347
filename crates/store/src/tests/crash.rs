//! Store: tests. A step that is cut off between any two of its file operations changes nothing that
//! can be read; the directory after each is put together from the one before and the one after.

use std::path::PathBuf;

use super::{Files, names, open, put, read_dir, write_dir};
use crate::{Settings, Store};

/// The directories that sealing goes through, from `before` to `after`.
fn moments(before: &Files, after: &Files) -> Vec<(&'static str, Files)> {
    let mut now = before.clone();
    let mut moments = vec![("nothing yet", now.clone())];
    let fresh = |dir: &str| {
        let mut fresh = after.iter().filter(|(p, _)| p.starts_with(dir) && !before.contains_key(*p));
        let (path, bytes) = fresh.next().unwrap();
        (path.clone(), bytes.clone())
    };

    let (log, _) = fresh("wal");
    // The new log file was empty when the step had made it.
    let header = after[&log][..32].to_vec();
    now.insert(log.with_extension("wal.tmp"), header[..20].to_vec());
    moments.push(("log begun", now.clone()));
    now.remove(&log.with_extension("wal.tmp"));
    now.insert(log, header);
    moments.push(("log changed files", now.clone()));

    let in_parts = |extension: &str| {
        let fresh = |(p, _): &(&PathBuf, &Vec<u8>)| {
            p.starts_with("parts") && !before.contains_key(*p) && p.extension().unwrap() == extension
        };
        let (path, bytes) = after.iter().find(fresh).unwrap();
        (path.clone(), bytes.clone())
    };
    let (part, bytes) = in_parts("parquet");
    let name = part.file_name().unwrap().to_str().unwrap();
    let unnamed = part.with_file_name(format!("{}.tmp", &name[..33]));
    let (list, listed) = in_parts("ids");
    let (hot, columns) = in_parts("hot");
    let cold = part.with_file_name(format!("{}.hot.tmp", &name[..33]));
    for (path, unfinished, bytes) in [
        (hot, cold, columns),
        (part, unnamed, bytes),
        (list.clone(), list.with_added_extension("tmp"), listed),
    ] {
        for written in [0, bytes.len() / 2, bytes.len()] {
            now.insert(unfinished.clone(), bytes[..written].to_vec());
            moments.push(("half written", now.clone()));
        }
        now.remove(&unfinished);
        now.insert(path, bytes);
        moments.push(("written", now.clone()));
    }

    let manifest = after[std::path::Path::new("manifest.json")].clone();
    now.insert("manifest.json.tmp".into(), manifest[..manifest.len() / 2].to_vec());
    moments.push(("manifest half written", now.clone()));
    now.remove(std::path::Path::new("manifest.json.tmp"));
    now.insert("manifest.json".into(), manifest);
    moments.push(("manifest written", now.clone()));

    let gone: Vec<_> = before.keys().filter(|p| !after.contains_key(*p)).cloned().collect();
    for path in gone {
        now.remove(&path);
        moments.push(("log file removed", now.clone()));
    }
    assert_eq!(&now, after);
    moments
}

#[test]
fn a_step_cut_off_anywhere_changes_nothing_that_can_be_read() {
    let home = tempfile::tempdir().unwrap();
    // A part from before, then two log files to remove.
    let store = open(home.path());
    put(&store, ["a", "b"]);
    store.flush().unwrap();
    put(&store, ["c"]);
    drop(store);
    let store = open(home.path());
    put(&store, ["d", "e"]);
    let before = read_dir(home.path());
    assert_eq!(store.flush().unwrap().sealed, 3);
    let after = read_dir(home.path());
    drop(store);

    let moments = moments(&before, &after);
    assert!(moments.len() >= 12);
    for (moment, files) in moments {
        let home = write_dir(&files);
        assert!(Store::doctor_deep(home.path()).unwrap().is_sound(), "{moment}");
        let store = open(home.path());
        assert_eq!(names(&store).concat(), "abcde", "{moment}");
        assert_eq!(read_dir(home.path()).keys().filter(|p| p.ends_with("tmp")).count(), 0);

        // Everything is known still, and life goes on.
        let again: Vec<_> = ["a", "c", "e"].iter().map(|n| super::named(n, 9)).collect();
        assert_eq!(store.append(again).unwrap().taken.duplicates, 3, "{moment}");
        put(&store, ["f"]);
        store.flush().unwrap();
        drop(store);
        let report = Store::doctor_deep(home.path()).unwrap();
        assert!(report.is_sound() && report.notes.is_empty(), "{moment}: {report:?}");
        assert_eq!(names(&open(home.path())).concat(), "abcdef", "{moment}");
    }
}

#[test]
fn parts_are_merged_under_readers_and_a_merge_cut_off_changes_nothing() {
    let home = tempfile::tempdir().unwrap();
    let settings = || Settings { seal_rows: 100, ..Settings::default() };
    let store = Store::open(home.path(), settings()).unwrap().0;
    for name in ["a", "b", "c", "d", "e"] {
        put(&store, [name]);
        store.flush().unwrap();
    }
    let reader = store.snapshot();
    let before = read_dir(home.path());
    assert_eq!(store.step(bellwether_model::Millis(0)).unwrap().merged, 4);
    assert_eq!((store.stats().parts, names(&store).concat().as_str()), (2, "abcde"));
    let everything = reader.events(&"production".parse().unwrap(), 9).unwrap();
    assert_eq!((everything.len(), reader.parts()), (5, 5), "a reader keeps what it reads");

    let both = read_dir(home.path());
    // The new part, its list and its hot columns are there; the lists of the old ones are asked by nobody any more.
    assert_eq!(both.len(), before.len() + 3 - 4);
    drop(reader);
    let after = read_dir(home.path());
    assert_eq!(after.len(), before.len() - 3 - 3 - 3, "the last reader was gone");
    drop(store);

    let mut unnamed = both.clone();
    unnamed.insert("manifest.json".into(), before[std::path::Path::new("manifest.json")].clone());
    for (files, parts) in [(before, 5), (unnamed, 5), (both, 2), (after, 2)] {
        let home = write_dir(&files);
        let (store, recovery) = Store::open(home.path(), settings()).unwrap();
        assert_eq!((recovery.parts, names(&store).concat().as_str()), (parts, "abcde"));
        assert_eq!(store.append(vec![super::named("a", 9)]).unwrap().taken.duplicates, 1);
        drop(store);
        let report = Store::doctor_deep(home.path()).unwrap();
        assert!(report.is_sound() && report.notes.is_empty(), "{report:?}");
    }
}

#[test]
fn a_part_that_cannot_be_written_leaves_its_rows_where_they_are() {
    let home = tempfile::tempdir().unwrap();
    let store = open(home.path());
    put(&store, ["a", "b"]);
    let parts = home.path().join("parts");
    std::fs::remove_dir(&parts).unwrap();
    for _ in 0..2 {
        assert!(store.flush().is_err());
        assert_eq!(names(&store).concat(), "ab");
    }
    put(&store, ["c"]);
    assert_eq!(store.append(vec![super::named("a", 1)]).unwrap().taken.duplicates, 1);

    std::fs::create_dir(&parts).unwrap();
    assert_eq!(store.flush().unwrap().sealed, 3);
    assert_eq!((store.stats().parts, names(&store).concat().as_str()), (2, "abc"));
    drop(store);
    assert_eq!(names(&open(home.path())).concat(), "abc");
}

#[test]
fn a_commit_that_fails_stores_nothing_and_the_next_one_works() {
    let home = tempfile::tempdir().unwrap();
    let store = Store::open(home.path(), Settings::default()).unwrap().0;
    put(&store, ["a"]);
    for torn in [0, 1, 16, 500] {
        let before = names(&store);
        crate::store::lock(&store.writer).log.break_file(&vec![0xAB; torn]);
        let lost = store.append(vec![super::named("b", 2), super::named("c", 3)]).unwrap();
        let error = store.commit().unwrap_err();
        assert!(matches!(error, crate::StoreError::Lost { through, .. } if through == lost.seq));
        assert_eq!((names(&store), store.pending()), (before, false));
        assert_eq!(store.outcome(&lost), crate::Outcome::Lost);
        // The sender tries again, and the next file takes it.
        let again = store.append(vec![super::named("a", 4)]).unwrap();
        assert_eq!(again.taken.duplicates, 1);
        put(&store, [format!("d{torn}")]);
        assert_eq!(store.outcome(&lost), crate::Outcome::Lost);
    }
    let expected = names(&store);
    assert_eq!(expected.len(), 5);
    drop(store);
    assert_eq!(names(&open(home.path())), expected);
    assert!(Store::doctor_deep(home.path()).unwrap().is_sound());
}

#[test]
fn commits_that_fail_again_and_again_leave_no_files_behind() {
    let home = tempfile::tempdir().unwrap();
    let store = open(home.path());
    put(&store, ["a"]);
    // A record that does not fit, on a disk that has room for a header each time.
    crate::store::lock(&store.writer).log.full = Some(vec![1, 2, 3]);
    for _ in 0..20 {
        let _ = store.append(vec![super::named("b", 2)]).unwrap();
        assert!(store.commit().is_err());
    }
    crate::store::lock(&store.writer).log.full = None;
    let logs = || read_dir(home.path()).keys().filter(|p| p.starts_with("wal")).count();
    assert!(logs() <= 2, "{} files", logs());
    // Cut off here, the log ends where the last commit did.
    let copy = write_dir(&read_dir(home.path()));
    assert_eq!(names(&open(copy.path())).concat(), "a");
    put(&store, ["c"]);
    drop(store);
    assert_eq!(names(&open(home.path())).concat(), "ac");
    assert!(Store::doctor_deep(home.path()).unwrap().is_sound());
}

#[test]
fn while_no_log_file_can_be_made_commits_fail_and_nothing_is_lost() {
    let home = tempfile::tempdir().unwrap();
    let store = open(home.path());
    put(&store, ["a"]);
    let (logs, aside) = (home.path().join("wal"), home.path().join("aside"));
    crate::store::lock(&store.writer).log.break_file(&[]);
    std::fs::rename(&logs, &aside).unwrap();
    for _ in 0..3 {
        let _ = store.append(vec![super::named("b", 2)]).unwrap();
        assert!(store.commit().is_err());
    }
    std::fs::rename(&aside, &logs).unwrap();
    put(&store, ["b"]);
    drop(store);
    assert_eq!(names(&open(home.path())).concat(), "ab");
}
