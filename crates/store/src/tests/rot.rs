//! Store: tests. What a disk has changed in a part is not made valid by a merge.

use bellwether_model::Millis;

use super::{named, names, open};

#[test]
fn a_part_that_a_disk_has_changed_is_merged_with_no_other() {
    let home = tempfile::tempdir().unwrap();
    let store = open(home.path());
    let part = |name: &str, received: i64| {
        let _ = store.append(vec![named(name, received)]).unwrap();
        store.commit().unwrap();
        store.flush().unwrap();
    };
    part("a", 10);
    let files = std::fs::read_dir(home.path().join("parts")).unwrap().flatten().map(|file| file.path());
    let rotten = files.into_iter().find(|file| file.extension().is_some_and(|end| end == "parquet")).unwrap();
    // In the footer's name of who made it: everything reads as it did.
    let mut bytes = std::fs::read(&rotten).unwrap();
    let place = bytes.windows(10).rposition(|bytes| bytes == b"bellwether").unwrap();
    bytes[place] ^= 1;
    std::fs::write(&rotten, &bytes).unwrap();
    for n in 0..40 {
        part(&format!("b{n}"), 20 + n);
    }
    let (mut failed, mut merged) = (Vec::new(), 0);
    for minute in 0..200 {
        match store.step(Millis(100_000 + minute * 60_000)) {
            Ok(stepped) => merged += stepped.merged,
            Err(error) => failed.push(error.to_string()),
        }
    }
    assert_eq!(failed.len(), 1, "it is said once: {failed:?}");
    assert!(failed[0].contains("its bytes are not those that its name says"), "{}", failed[0]);
    assert!(merged > 8, "others are merged: {merged}");
    assert!(rotten.exists() && std::fs::read(&rotten).unwrap() == bytes);
    assert_eq!(names(&store).len(), 41);
}
