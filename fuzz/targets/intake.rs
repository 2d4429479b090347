//! Fuzz: what SDKs of events send, by every protocol's door: a byte for the path, one for how the body is packed and
//! where the key stands, and the body, in which `KEY` is a key that is known. It is taken or refused, and never the
//! answer is that we failed; what was refused has stored nothing, what was taken is stored, and taken again when it
//! is sent again.
#![no_main]
#![allow(unreachable_pub, dead_code)]

use std::sync::{LazyLock, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bellwether_app::{Door, Outcome, Reply, Sent, Settled};
use bellwether_model::Millis;
use libfuzzer_sys::{Corpus, fuzz_target};

#[path = "../../crates/server/tests/http/house.rs"]
mod house;

use house::{START, Server};

/// A house is replaced after so many inputs: what was taken is kept.
const INPUTS: u32 = 5_000;

static HOUSE: LazyLock<Mutex<(u32, Server)>> = LazyLock::new(|| Mutex::new((0, Server::start())));

fn replaced(body: &[u8], key: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len() + 64);
    let mut rest = body;
    while let Some(at) = rest.windows(3).position(|window| window == b"KEY") {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(key.as_bytes());
        rest = &rest[at + 3..];
    }
    out.extend_from_slice(rest);
    out
}

fuzz_target!(|bytes: &[u8]| -> Corpus {
    let [door, how, body @ ..] = bytes else { return Corpus::Reject };
    let Some(door) = Door::ALL.get(usize::from(*door)).copied() else { return Corpus::Reject };
    let mut house = HOUSE.lock().expect("no input has made it panic");
    house.0 += 1;
    if house.0 > INPUTS {
        *house = (1, Server::start());
    }
    // A second for each input: rates are bounded by the second.
    let now = Millis(START.0 + i64::from(house.0) * 1_000);
    let server = &house.1;
    let body = replaced(body, &server.client);
    let bearer = format!("Bearer {}", server.client);
    let basic = format!("Basic {}", STANDARD.encode(format!("{}:", server.client)));
    let sent = Sent {
        query: ["", "verbose=1&ip=1", "strict=1", "compression=base64"][usize::from(how & 3)],
        content_type: ["application/json", "application/x-www-form-urlencoded", "application/x-protobuf", "text/plain"]
            [usize::from(how >> 2 & 3)],
        encoding: [None, Some("gzip"), Some("deflate"), None][usize::from(how >> 4 & 3)],
        authorization: [Some(bearer.as_str()), Some(basic.as_str()), None, None][usize::from(how >> 6)],
        peer: Some("203.0.113.9"),
        body: &body,
        ..Sent::default()
    };
    let stored = || {
        let status = house::call(&server.app, &server.grant, "system.status", serde_json::json!({}));
        status["events"].as_u64().expect("a count")
    };
    let mut taken = Vec::new();
    for _ in 0..2 {
        let before = stored();
        match server.app.take(door, &sent, now) {
            Outcome::Answered(reply) => {
                sound(&reply);
                assert_eq!(stored(), before, "what was answered at once has stored nothing");
                taken.push(false);
            }
            Outcome::Waiting { waiting, reply } => {
                sound(&reply);
                server.app.commit().expect("the disk takes it");
                assert_eq!(server.app.settled(&waiting), Settled::Committed);
                assert!(stored() >= before);
                taken.push(true);
            }
        }
    }
    assert_eq!(taken[0], taken[1], "what is sent again is treated as the first time");
    Corpus::Keep
});

fn sound(reply: &Reply) {
    assert!(reply.status < 500, "{reply:?}");
}
