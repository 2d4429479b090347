//! Fuzz: a body at every door of a real server in this process. Whatever comes is answered, and never with
//! the answer of a server that failed.
#![no_main]
#![allow(unreachable_pub, dead_code)]

use std::sync::{LazyLock, Mutex};

use libfuzzer_sys::fuzz_target;

#[path = "../../crates/server/tests/http/house.rs"]
mod house;

use house::Server;

/// A server is replaced after so many bodies: what it took is kept in memory.
const BODIES: u32 = 20_000;

static SERVER: LazyLock<Mutex<(u32, Server)>> = LazyLock::new(|| Mutex::new((0, Server::start())));

fuzz_target!(|bytes: &[u8]| {
    let Some((first, body)) = bytes.split_first() else { return };
    let mut served = SERVER.lock().expect("no body has made it panic");
    served.0 += 1;
    if served.0 > BODIES {
        *served = (0, Server::start());
    }
    let server = &served.1;
    let (client, admin) = (format!("Bearer {}", server.client), format!("Bearer {}", server.admin));
    let (client, admin) = (("authorization", client.as_str()), ("authorization", admin.as_str()));
    let key = format!("Api-Key {}", server.client);
    let key = ("authorization", key.as_str());
    let packed = ("content-encoding", "gzip");
    let reply = match first % 7 {
        0 => server.ask("POST", "/ofrep/v1/evaluate/flags/f", &[client], body),
        1 => server.ask("POST", "/ofrep/v1/evaluate/flags", &[client], body),
        2 => server.ask("POST", "/sdk/v2/vardata", &[key], body),
        3 => server.ask("POST", "/2/httpapi", &[], body),
        4 => server.ask("POST", "/batch", &[], body),
        5 => server.ask("POST", "/2/httpapi", &[packed], body),
        _ => server.ask("POST", "/api/flags", &[admin], body),
    };
    assert_ne!(reply.status, 500, "{}", String::from_utf8_lossy(&reply.body));
});
