//! Fuzz: every operation of the registry, with whatever comes as its input: a byte that says whether the run is
//! dry, the operation's name, a space, and the input as JSON. It is done or refused, and never the answer is that
//! we failed; a dry run changes nothing.
#![no_main]
#![allow(unreachable_pub, dead_code)]

use std::sync::{LazyLock, Mutex};

use bellwether_app::{Cancel, Ctx, Progress, Refusal, find};
use libfuzzer_sys::{Corpus, fuzz_target};

#[path = "../../crates/server/tests/http/house.rs"]
mod house;

use house::{START, Server};

/// A house is replaced after so many inputs: what was done is kept.
const INPUTS: u32 = 5_000;

static HOUSE: LazyLock<Mutex<(u32, Server)>> = LazyLock::new(|| Mutex::new((0, Server::start())));

fuzz_target!(|bytes: &[u8]| -> Corpus {
    let Some((dry, rest)) = bytes.split_first() else { return Corpus::Reject };
    let Some((name, input)) = std::str::from_utf8(rest).ok().and_then(|text| text.split_once(' ')) else {
        return Corpus::Reject;
    };
    let (Some(operation), Ok(input)) = (find(name), serde_json::from_str(input)) else {
        return Corpus::Reject;
    };
    let mut house = HOUSE.lock().expect("no input has made it panic");
    house.0 += 1;
    if house.0 > INPUTS {
        *house = (0, Server::start());
    }
    let (app, grant) = (&house.1.app, house.1.grant.clone());
    let dry_run = dry % 2 == 0;
    let before = house.1.state();
    let ctx = Ctx { now: START, grant, dry_run, cancel: Cancel::default(), progress: Progress::default() };
    if let Err(error) = operation.call(app, &ctx, input) {
        assert_ne!(error.refusal, Refusal::Internal, "{}: {error:?}", operation.name);
        assert_eq!(house.1.state(), before, "{} was refused and changed something", operation.name);
    } else if dry_run {
        assert_eq!(house.1.state(), before, "{} was not to change anything", operation.name);
    }
    Corpus::Keep
});
