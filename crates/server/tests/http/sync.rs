//! Server tests: flagd's providers are told the rules over gRPC, and nobody who is slow, silent or a
//! stranger keeps them from it.

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{HeaderMap, Request};
use bellwether_server::Limits;
use h2::client::SendRequest;
use h2::{Reason, RecvStream};
use serde_json::{Value as Json, json};

use crate::house::{Server, call};

const SYNC: &str = "SyncFlags";
const FETCH: &str = "FetchAllFlags";

/// A connection that answers pings and takes what is sent, until it is dropped.
struct Client {
    address: SocketAddr,
    requests: SendRequest<Bytes>,
    connection: tokio::task::JoinHandle<Result<(), h2::Error>>,
}

impl Client {
    async fn connect(address: SocketAddr) -> Self {
        Self::with_window(address, 1 << 20).await
    }

    /// The same with room for so many bytes that nobody has read.
    async fn with_window(address: SocketAddr, window: u32) -> Self {
        let stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let (requests, connection) = h2::client::Builder::new()
            .initial_window_size(window)
            .handshake::<_, Bytes>(stream)
            .await
            .unwrap();
        Self { address, requests, connection: tokio::spawn(connection) }
    }

    async fn ask(&self, method: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Told {
        let uri = format!("http://{}/flagd.sync.v1.FlagSyncService/{method}", self.address);
        let mut request =
            Request::post(uri).header("content-type", "application/grpc").header("te", "trailers");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut requests = self.requests.clone().ready().await.unwrap();
        let (response, mut sending) = requests.send_request(request.body(()).unwrap(), false).unwrap();
        sending.send_data(body.into(), true).unwrap();
        let (head, body) = response.await.unwrap().into_parts();
        assert_eq!(head.status.as_u16(), 200);
        assert_eq!(head.headers["content-type"], "application/grpc");
        Told { headers: head.headers, body, read: Vec::new() }
    }

    /// With a selector in the header.
    async fn selecting(&self, method: &str, selector: &str) -> Told {
        self.ask(method, &[("flagd-selector", selector)], framed(&[])).await
    }
}

/// A message in its frame.
fn framed(message: &[u8]) -> Vec<u8> {
    let mut all = vec![0];
    all.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
    all.extend(message);
    all
}

/// What comes back.
struct Told {
    headers: HeaderMap,
    body: RecvStream,
    read: Vec<u8>,
}

impl Told {
    /// The document of the next message, or how the call ended.
    async fn next(&mut self) -> Result<Json, (u16, String)> {
        loop {
            if let Some((head, rest)) = self.read.split_first_chunk::<5>() {
                let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
                if rest.len() >= length {
                    let message = rest[..length].to_vec();
                    self.read.drain(..5 + length);
                    return Ok(document(&message));
                }
            }
            match self.body.data().await {
                Some(data) => {
                    let data = data.unwrap();
                    self.body.flow_control().release_capacity(data.len()).unwrap();
                    self.read.extend_from_slice(&data);
                }
                None => {
                    assert!(self.read.is_empty(), "{:?}", self.read);
                    let trailers = self.body.trailers().await.unwrap();
                    return Err(ended(trailers.as_ref().unwrap_or(&self.headers)));
                }
            }
        }
    }
}

fn ended(trailers: &HeaderMap) -> (u16, String) {
    let text = |name: &str| trailers.get(name).map_or("", |value| value.to_str().unwrap());
    (text("grpc-status").parse().unwrap(), text("grpc-message").to_owned())
}

/// Field 1 of the message, which is text and all there is.
fn document(message: &[u8]) -> Json {
    assert_eq!(message[0], 0x0a);
    let start = 1 + message[1..].iter().position(|byte| byte & 0x80 == 0).unwrap() + 1;
    serde_json::from_slice(&message[start..]).unwrap()
}

fn variant(document: &Json) -> &Json {
    &document["flags"]["f"]["defaultVariant"]
}

fn toggle(server: &Server, on: bool) {
    let input = json!({"flag": "f", "environment": "production", "on": on, "why": "x"});
    call(&server.app, &server.grant, "flag.toggle", input);
}

/// Runs the client's side; it fails after a while instead of hanging.
fn speak(talk: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(Duration::from_secs(30), talk).await.unwrap() });
}

#[test]
fn a_stream_tells_the_rules_and_every_change_of_them() {
    let server = Server::start();
    speak(async {
        let client = Client::connect(server.address).await;
        let mut stream = client.selecting(SYNC, &format!("flagSetId={}", server.server)).await;
        let first = stream.next().await.unwrap();
        assert_eq!(first["metadata"], json!({"flagSetId": "production", "scope": "production"}));
        assert_eq!(first["flags"]["f"]["state"], "ENABLED");
        assert!(first["flags"]["f"]["targeting"].is_object(), "{first}");
        for on in [false, true, false] {
            toggle(&server, on);
            let next = stream.next().await.unwrap();
            assert_eq!(next["flags"]["f"]["targeting"].is_object(), on, "{next}");
            assert_eq!(variant(&next), "off");
        }
        // Who asks once hears the same.
        let mut once = client.selecting(FETCH, &server.server).await;
        assert_eq!(once.next().await.unwrap()["flags"]["f"].get("targeting"), None);
        assert_eq!(once.next().await, Err((0, String::new())));
    });
}

#[test]
fn what_does_not_concern_an_environment_is_not_said_there() {
    let server = Server::start();
    speak(async {
        let client = Client::connect(server.address).await;
        let mut stream = client.selecting(SYNC, &server.server).await;
        stream.next().await.unwrap();
        let elsewhere = json!({"flag": "f", "environment": "development", "on": true, "why": "x"});
        call(&server.app, &server.grant, "flag.toggle", elsewhere);
        toggle(&server, false);
        assert_eq!(
            stream.next().await.unwrap()["flags"]["f"].get("targeting"),
            None,
            "the next is the toggle"
        );
    });
}

#[test]
fn a_key_opens_its_environment_and_nothing_else_does() {
    let server = Server::start();
    let made = json!({"name": "elsewhere", "scope": "server", "environment": "development"});
    let elsewhere =
        call(&server.app, &server.grant, "key.create", made)["secret"].as_str().unwrap().to_owned();
    let bearer = format!("Bearer {}", server.server);
    let selector = |text: &str| {
        let mut message = vec![0x12, u8::try_from(text.len()).unwrap()];
        message.extend(text.as_bytes());
        framed(&message)
    };
    speak(async {
        let client = Client::connect(server.address).await;
        let ask = async |headers: &[(&str, &str)], body: &str| {
            let told = client.ask(FETCH, headers, selector(body)).await.next().await;
            told.map(|document| document["metadata"]["flagSetId"].as_str().unwrap().to_owned())
        };
        let production = Ok("production".to_owned());
        for key in [
            server.server.clone(),
            format!("source={}", server.server),
            format!("flagSetId={}", server.server),
        ] {
            assert_eq!(ask(&[], &key).await, production);
            assert_eq!(ask(&[("flagd-selector", &key)], "").await, production);
        }
        assert_eq!(
            ask(&[("flagd-selector", &server.server)], &elsewhere).await,
            production,
            "the header wins"
        );
        assert_eq!(ask(&[], &elsewhere).await, Ok("development".to_owned()));
        assert_eq!(ask(&[("authorization", &bearer)], "").await, production);
        assert_eq!(ask(&[("authorization", &bearer)], "flagSetId=production").await, production);

        let check = |told: Result<String, (u16, String)>, code: u16, said: &[&str]| {
            let (ended, message) = told.unwrap_err();
            assert_eq!(ended, code, "{message}");
            assert!(
                said.iter().all(|said| message.contains(said)) && message.contains("%0Ahint: "),
                "{message}"
            );
        };
        check(ask(&[], "").await, 16, &["no key was sent", "flagSetId=<server key"]);
        check(
            ask(&[], "flagSetId=production").await,
            16,
            &["`production` is no key", "flagSetId=<server key"],
        );
        check(ask(&[], "bws_nobody").await, 16, &[]);
        check(ask(&[], &server.client).await, 7, &["`client` key"]);
        check(ask(&[], &server.admin).await, 7, &["not an SDK key"]);
        check(ask(&[("authorization", &bearer)], "development").await, 7, &["`production`", "`development`"]);
    });
}

#[test]
fn what_is_not_the_protocol_is_refused_in_its_words() {
    let server = Server::start();
    speak(async {
        let client = Client::connect(server.address).await;
        let check = async |method: &str, body: Vec<u8>, code: u16, said: &str| {
            let told = client.ask(method, &[("flagd-selector", &server.server)], body).await.next().await;
            let (ended, message) = told.unwrap_err();
            assert!(ended == code && message.contains(said), "{method}: {ended} {message}");
        };
        check("ResolveAll", framed(&[]), 12, "no method `ResolveAll`").await;
        check(SYNC, vec![], 3, "shorter than its frame").await;
        check(SYNC, vec![1, 0, 0, 0, 0], 12, "compressed").await;
        check(SYNC, framed(&[0xff; 9]), 3, "cannot be read").await;
        check(SYNC, vec![0; (1 << 20) + 1], 8, "larger than what is taken").await;
    });
    let plain = server.ask("POST", "/flagd.sync.v1.FlagSyncService/SyncFlags", &[], b"{}");
    assert_eq!(plain.status, 415, "{}", String::from_utf8_lossy(&plain.body));
    assert!(plain.json()["hint"].as_str().unwrap().contains("in-process"));
}

#[test]
fn a_client_that_reads_nothing_keeps_nobody_waiting_and_then_hears_the_newest() {
    let server = Server::start();
    speak(async {
        // Room for a byte: the first message does not fit, and no other is made meanwhile.
        let slow = Client::with_window(server.address, 1).await;
        let mut unread = slow.selecting(SYNC, &server.server).await;
        let quick = Client::connect(server.address).await;
        let mut stream = quick.selecting(SYNC, &server.server).await;
        stream.next().await.unwrap();
        for n in 0..100 {
            toggle(&server, n % 2 == 1);
            stream.next().await.unwrap();
        }
        call(&server.app, &server.grant, "flag.create", json!({"flag": "newest"}));
        stream.next().await.unwrap();
        // Now it reads: what was begun, and then at once what is true.
        assert_eq!(unread.next().await.unwrap()["flags"].get("newest"), None);
        assert!(unread.next().await.unwrap()["flags"].get("newest").is_some());
    });
}

#[test]
fn streams_end_with_a_reason_when_the_server_stops_or_the_key_is_revoked() {
    let mut server = Server::start();
    let keys = call(&server.app, &server.grant, "key.list", json!({}));
    let key = keys["keys"].as_array().unwrap().iter().find(|key| key["scope"] == "server").unwrap();
    speak(async {
        let client = Client::connect(server.address).await;
        let made = json!({"name": "second", "scope": "server", "environment": "production"});
        let second =
            call(&server.app, &server.grant, "key.create", made)["secret"].as_str().unwrap().to_owned();
        let mut revoked = client.selecting(SYNC, &server.server).await;
        let mut stays = client.selecting(SYNC, &second).await;
        let before = (revoked.next().await.unwrap(), stays.next().await.unwrap());
        assert_eq!(before.0, before.1);
        call(&server.app, &server.grant, "key.revoke", json!({"key": key["id"]}));
        let (code, message) = revoked.next().await.unwrap_err();
        assert!(code == 16 && message.contains("revoked"), "{code} {message}");
        server.stop_soon();
        let (code, message) = stays.next().await.unwrap_err();
        assert!(code == 14 && message.contains("stopping"), "{code} {message}");
        client.connection.await.unwrap().unwrap();
    });
    server.stop();
}

#[test]
fn streams_are_bounded_and_whoever_comes_past_the_bound_learns_it() {
    let server = Server::within(Limits { streams: 2, ..Limits::default() });
    speak(async {
        let client = Client::connect(server.address).await;
        let mut one = client.selecting(SYNC, &server.server).await;
        let mut two = client.selecting(SYNC, &server.server).await;
        one.next().await.unwrap();
        two.next().await.unwrap();
        let (code, message) = client.selecting(SYNC, &server.server).await.next().await.unwrap_err();
        assert!(code == 14 && message.contains("hint"), "{code} {message}");
        drop(one);
        // The place is free once the server has heard of it.
        while client.selecting(FETCH, &server.server).await.next().await.is_err() {}
        toggle(&server, false);
        two.next().await.unwrap();
    });
}

#[test]
fn a_connection_that_carries_nothing_is_let_go_and_a_stream_is_not() {
    let server = Server::within(Limits { header_time: Duration::from_millis(300), ..Limits::default() });
    speak(async {
        let client = Client::connect(server.address).await;
        let mut stream = client.selecting(SYNC, &server.server).await;
        stream.next().await.unwrap();
        let silent = Client::connect(server.address).await;
        let ended = silent.connection.await.unwrap();
        assert!(ended.is_ok() || ended.is_err_and(|e| e.is_io() || e.reason() == Some(Reason::NO_ERROR)));
        // Who begins and never says what, is let go as well.
        for begun in [&b"P"[..], b"PR"] {
            let mut slow = tokio::net::TcpStream::connect(server.address).await.unwrap();
            tokio::io::AsyncWriteExt::write_all(&mut slow, begun).await.unwrap();
            slow.readable().await.unwrap();
            assert!(matches!(slow.try_read(&mut [0; 9]), Ok(0) | Err(_)));
        }
        // The stream is older than any of them.
        toggle(&server, false);
        stream.next().await.unwrap();
    });
}

#[test]
fn the_rest_of_the_house_answers_over_http_2_as_well() {
    let server = Server::start();
    speak(async {
        let client = Client::connect(server.address).await;
        let mut requests = client.requests.clone().ready().await.unwrap();
        let request = Request::get(format!("http://{}/status", server.address)).body(()).unwrap();
        let (response, _) = requests.send_request(request, true).unwrap();
        let mut response = response.await.unwrap();
        assert_eq!(response.status().as_u16(), 200);
        assert_eq!(response.body_mut().data().await.unwrap().unwrap(), "OK");
    });
}
