//! Server tests: whoever sends slowly is let go, and whoever sends much takes no more than there is.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use bellwether_server::{Limits, Room};
use serde_json::json;

use crate::house::{Open, Server, call};

fn connect(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(server.address).unwrap();
    // Only so that a failure ends; nothing is measured.
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream
}

/// All that comes until the server hangs up.
fn rest(mut stream: TcpStream) -> String {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Ok(_) => {}
        Err(e) if e.kind() == ErrorKind::ConnectionReset => {}
        Err(e) => panic!("{e}"),
    }
    String::from_utf8(bytes).unwrap()
}

fn toggle(server: &Server) {
    let input = json!({"flag": "f", "environment": "production", "on": false, "why": "x"});
    call(&server.app, &server.grant, "flag.toggle", input);
}

fn ofrep_stream(server: &Server) -> Open {
    let bearer = format!("Bearer {}", server.client);
    let body = br#"{"context": {"targetingKey": "user-1"}}"#;
    let all = server.ask("POST", "/ofrep/v1/evaluate/flags", &[("authorization", &bearer)], body).json();
    let address = all["eventStreams"][0]["endpoint"]["requestUri"].as_str().unwrap().to_owned();
    let mut stream = server.open(&address, &[]);
    stream.until(": connected\n\n");
    stream
}

#[test]
fn whoever_never_ends_a_head_is_let_go_and_a_stream_is_not() {
    let server = Server::within(Limits { header_time: Duration::from_millis(500), ..Limits::default() });
    let mut stream = ofrep_stream(&server);
    let half = "GET /status HTTP/1.1\r\nhost: localhost\r\nx-slow:";
    for sent in ["", "G", half, "GET /status HTTP/1.1\r\nhost: localhost\r\n\r\n"] {
        let mut slow = connect(&server);
        slow.write_all(sent.as_bytes()).unwrap();
        // A whole request is answered; then, as after half of one, nothing more comes.
        let said = rest(slow);
        assert_eq!(said.contains("200 OK"), sent.ends_with("\r\n\r\n"), "{sent}: {said}");
    }
    // The stream is older than any of them.
    toggle(&server);
    stream.until("refetchEvaluation");
}

#[test]
fn a_body_that_does_not_come_is_not_waited_for() {
    let server = Server::within(Limits { body_time: Duration::from_millis(50), ..Limits::default() });
    let before = server.state();
    let check = |path: &str, headers: &str, status: &str, said: &str| {
        let mut slow = connect(&server);
        let head =
            format!("POST {path} HTTP/1.1\r\nhost: localhost\r\n{headers}\r\ncontent-length: 9\r\n\r\n{{");
        slow.write_all(head.as_bytes()).unwrap();
        let answer = rest(slow);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{path}: {answer}");
        assert!(answer.contains(said), "{path}: {answer}");
    };
    let key = |secret: &str| format!("authorization: Bearer {secret}");
    check("/api/flags", &key(&server.admin), "408", r#""code":"slow""#);
    check("/ofrep/v1/evaluate/flags", &key(&server.client), "408", "too long");
    // The one answer that tells an event SDK to send the same again.
    check("/2/httpapi", "retry-after: 0", "503", r#""code":503"#);
    assert_eq!(server.state(), before);
}

#[test]
fn a_client_that_sends_too_much_learns_it() {
    let server = Server::start();
    let body = vec![b' '; 24 << 20];
    for path in ["/api/login", "/ofrep/v1/evaluate/flags", "/2/httpapi", "/batch"] {
        let bearer = format!("Bearer {}", server.client);
        let mut client = connect(&server);
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nauthorization: {bearer}\r\n\
             content-length: {}\r\n\r\n",
            body.len()
        );
        client.write_all(head.as_bytes()).unwrap();
        client.write_all(&body).unwrap_or_else(|e| panic!("{path}: cut off while writing: {e}"));
        let mut said = String::new();
        client.read_to_string(&mut said).unwrap();
        assert!(said.starts_with("HTTP/1.1 413"), "{path}: {said}");
    }
}

#[test]
fn a_body_far_beyond_any_bound_is_told_the_bound_of_its_door() {
    let server = Server::start();
    let body = vec![b' '; 24 << 20];
    let bytes = |mb: usize| format!("send at most {} bytes", mb << 20);
    for (path, most) in [
        ("/2/httpapi", bytes(1)),
        ("/batch", bytes(20)),
        ("/batch/", bytes(20)),
        ("/i/v1/analytics/events", bytes(20)),
        ("/v1/batch", bytes(10)),
        ("/import", bytes(10)),
        ("/track?verbose=1", bytes(10)),
        ("/v1/logs", bytes(4)),
    ] {
        let reply = server.ask("POST", path, &[("content-type", "application/json")], &body);
        let said = String::from_utf8(reply.body).unwrap();
        assert_eq!(reply.status, if path == "/v1/batch" { 400 } else { 413 }, "{path}: {said}");
        assert!(said.contains(&most), "{path}: {said}");
        assert!(!said.contains("1 MB"), "{path}: {said}");
    }
}

#[test]
fn bodies_that_are_held_at_once_are_bounded_and_events_take_only_their_own_room() {
    let events = Room::of(1_000_000);
    let server = Server::within(Limits { events: events.clone(), ..Limits::default() });
    let body = json!({"api_key": server.client, "events": [{"event_type": "a", "user_id": "user-1"}]});
    let mut body = serde_json::to_vec(&body).unwrap();
    body.resize(600_000, b' ');
    let send = || server.ask("POST", "/2/httpapi", &[], &body);
    assert_eq!(send().status, 200);
    let before = server.state();

    // All but its last byte: once the server holds this there is no room for another.
    let (last, most) = body.split_last().unwrap();
    let mut first = connect(&server);
    let head = format!(
        "POST /2/httpapi HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    first.write_all(head.as_bytes()).unwrap();
    first.write_all(most).unwrap();
    while events.free() > 1_000_000 - most.len() {
        std::thread::yield_now();
    }
    let refused = send();
    let said = refused.json();
    assert_eq!((refused.status, &said["code"]), (503, &json!(503)), "{said}");
    assert_eq!((refused.header("retry-after"), said["hint"].is_string()), (Some("1"), true), "{said}");
    let crowd: Vec<u16> = std::thread::scope(|scope| {
        let crowd: Vec<_> = (0..8).map(|_| scope.spawn(|| send().status)).collect();
        crowd.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert_eq!(crowd, [503; 8]);
    // Meanwhile the API and small batches go on.
    let off = json!({"environment": "production", "on": false, "why": "too many events"});
    assert_eq!(server.api("POST", "/api/flags/f/toggle", &off).status, 200);
    let small = server.ask("POST", "/2/httpapi", &[], body[..1_000].trim_ascii_end());
    assert_eq!(small.status, 200);

    first.write_all(&[*last]).unwrap();
    assert!(rest(first).starts_with("HTTP/1.1 200"));
    assert_eq!(send().status, 200, "there is room again");
    assert_eq!(server.state().1, before.1 + 3, "what was refused was not stored");
    assert_eq!(events.free(), 1_000_000);
}

#[test]
fn whoever_comes_past_the_bound_waits_for_a_place() {
    let server = Server::within(Limits { connections: 2, ..Limits::default() });
    let (one, two) = (ofrep_stream(&server), ofrep_stream(&server));
    let mut third = connect(&server);
    third.write_all(b"GET /status HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").unwrap();
    third.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let waits = third.read(&mut [0]).unwrap_err();
    assert!(matches!(waits.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{waits}");
    drop(one);
    // A stream notices that its client has gone when it has something to say.
    toggle(&server);
    third.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    assert!(rest(third).starts_with("HTTP/1.1 200"));
    drop(two);
}

#[test]
fn a_request_that_runs_is_answered_though_the_server_stops() {
    let mut server = Server::start();
    let body = json!({"api_key": server.client, "events": [{"event_type": "a", "user_id": "user-1"}]});
    let body = serde_json::to_vec(&body).unwrap();
    let (begin, end) = body.split_at(10);
    let mut running = connect(&server);
    let head = format!(
        "POST /2/httpapi HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    running.write_all(head.as_bytes()).unwrap();
    // The server asks for the body, so it has the request.
    let mut asked = [0; 25];
    running.read_exact(&mut asked).unwrap();
    assert!(asked.starts_with(b"HTTP/1.1 100"), "{}", String::from_utf8_lossy(&asked));
    running.write_all(begin).unwrap();
    server.stop_soon();
    let mut refused = TcpStream::connect(server.address);
    while refused.is_ok() {
        refused = TcpStream::connect(server.address);
    }
    running.write_all(end).unwrap();
    let said = rest(running);
    assert!(said.starts_with("HTTP/1.1 200"), "{said}");
    assert!(said.contains("events_ingested"), "{said}");
    server.stop();
}
