//! Fuzz: what people define, as JSON. What is read can be checked, and is written and read again to the same.
#![no_main]

use std::fmt::Debug;

use bellwether_model::{Change, Edit, Experiment, Flag, Holdout, Layer, Metric, Segment, Setting, Split};
use libfuzzer_sys::{Corpus, fuzz_target};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Reads it, and what it is written as; the second must be the first.
fn again<T: DeserializeOwned + Serialize + PartialEq + Debug>(text: &[u8]) -> Option<T> {
    let read: T = serde_json::from_slice(text).ok()?;
    let written = serde_json::to_vec(&read).expect("what was read can be written");
    let again: T = serde_json::from_slice(&written).expect("what was written can be read");
    assert_eq!(again, read);
    Some(read)
}

fuzz_target!(|bytes: &[u8]| -> Corpus {
    let Some((first, rest)) = bytes.split_first() else { return Corpus::Reject };
    let read = match first % 10 {
        0 => again::<Flag>(rest).map(|flag| drop(flag.check())).is_some(),
        1 => again::<Segment>(rest).map(|segment| drop(segment.check())).is_some(),
        2 => again::<Holdout>(rest).map(|holdout| drop(holdout.check())).is_some(),
        3 => again::<Layer>(rest).is_some(),
        4 => again::<Setting>(rest).is_some(),
        5 => again::<Split>(rest).is_some(),
        6 => again::<Metric>(rest).is_some(),
        7 => again::<Experiment>(rest).is_some(),
        8 => again::<Change>(rest).is_some(),
        _ => again::<Edit>(rest).is_some(),
    };
    if read { Corpus::Keep } else { Corpus::Reject }
});
