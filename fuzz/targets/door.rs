//! Fuzz: what SDKs, people and strangers send to a real server in this process, over HTTP/1.1: bodies, headers,
//! queries, and bytes that are no request at all. Whatever comes is answered or let go, and never with the answer
//! of a server that failed.
#![no_main]
#![allow(unreachable_pub, dead_code)]

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{LazyLock, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use libfuzzer_sys::fuzz_target;
use serde_json::json;

#[path = "../../crates/server/tests/http/house.rs"]
mod house;

use house::{Reply, Server};

/// A server is replaced after so many inputs: what it took is kept in memory.
const INPUTS: u32 = 20_000;

static SERVER: LazyLock<Mutex<(u32, Server)>> = LazyLock::new(|| Mutex::new((0, opened())));

/// A server with a flag `f` and a segment `s`.
fn opened() -> Server {
    let server = Server::start();
    house::call(&server.app, &server.grant, "segment.save", json!({"segment": "s", "why": "fuzz"}));
    server
}

/// Bytes as they come, and nothing after them.
fn raw(server: &Server, parts: &[&[u8]]) {
    let mut stream = TcpStream::connect(server.address).expect("it listens");
    // Only so that what hangs is found.
    stream.set_read_timeout(Some(Duration::from_secs(15))).expect("a timeout");
    for part in parts {
        // The server may have let go before it has read everything.
        let _: std::io::Result<()> = stream.write_all(part);
    }
    let _: std::io::Result<()> = stream.shutdown(Shutdown::Write);
    let mut answer = Vec::new();
    if let Err(e) = stream.read_to_end(&mut answer) {
        assert_eq!(e.kind(), std::io::ErrorKind::ConnectionReset, "a connection that said its last is let go");
    }
    assert!(!answer.starts_with(b"HTTP/1.1 500"), "{}", String::from_utf8_lossy(&answer));
}

/// Text that can stand in a line of a request, cut off before what cannot.
fn line(bytes: &[u8], space: bool) -> &str {
    let fits = |byte: &u8| byte.is_ascii_graphic() || (space && *byte == b' ');
    let end = bytes.iter().position(|byte| !fits(byte)).unwrap_or(bytes.len());
    std::str::from_utf8(&bytes[..end]).expect("it is ASCII")
}

fuzz_target!(|bytes: &[u8]| {
    let Some((first, body)) = bytes.split_first() else { return };
    let mut served = SERVER.lock().expect("no input has made it panic");
    served.0 += 1;
    if served.0 > INPUTS {
        *served = (0, opened());
    }
    let server = &served.1;
    let (client, admin) = (format!("Bearer {}", server.client), format!("Bearer {}", server.admin));
    let (client, admin) = (("authorization", client.as_str()), ("authorization", admin.as_str()));
    let (key, secret) = (format!("Api-Key {}", server.client), format!("Api-Key {}", server.server));
    let (key, secret) = (("authorization", key.as_str()), ("authorization", secret.as_str()));
    let get = |path: &str, headers: &[(&str, &str)]| server.ask("GET", path, headers, b"");
    let reply: Reply = match first % 18 {
        0 => server.ask("POST", "/ofrep/v1/evaluate/flags/f", &[client], body),
        1 => server.ask("POST", "/ofrep/v1/evaluate/flags", &[client], body),
        2 => server.ask("POST", "/sdk/v2/vardata", &[key], body),
        3 => server.ask("POST", "/2/httpapi", &[], body),
        4 => server.ask("POST", "/batch", &[], body),
        5 => server.ask("POST", "/2/httpapi", &[("content-encoding", "gzip")], body),
        6 => server.ask("POST", "/api/flags", &[admin], body),
        7 => get("/sdk/v2/vardata", &[key, ("x-amp-exp-user", &URL_SAFE_NO_PAD.encode(body))]),
        8 => get("/sdk/v2/vardata", &[key, ("x-amp-exp-user", line(body, true))]),
        9 => {
            let user = URL_SAFE_NO_PAD.encode(r#"{"user_id": "u"}"#);
            let keys = URL_SAFE_NO_PAD.encode(body);
            get("/sdk/v2/vardata", &[key, ("x-amp-exp-user", &user), ("x-amp-exp-flag-keys", &keys)])
        }
        10 => get(&format!("/sdk/v2/vardata?{}", line(body, false)), &[key]),
        11 => get(&format!("/sdk/v1/cohort/{}", line(body, false)), &[secret]),
        12 => get("/sdk/v1/cohort/l", &[("authorization", &format!("Basic {}", line(body, true)))]),
        13 => {
            let path = "/api/segments/s/ids?list=included&why=fuzz&dry_run=true";
            server.ask("PUT", path, &[admin, ("content-type", "text/plain")], body)
        }
        14 => get(&format!("/api/changes?{}", line(body, false)), &[admin]),
        15 => get(&format!("/api/flags/{}", line(body, false)), &[admin]),
        16 => return raw(server, &[body]),
        _ => return raw(server, &[b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", body]),
    };
    assert_ne!(reply.status, 500, "{}", String::from_utf8_lossy(&reply.body));
});
