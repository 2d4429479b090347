//! Fuzz: the body of a gRPC call to `flagd.sync.v1`, over HTTP/2 to a real server in this process. Bits of the
//! first byte pick the method, the selector in the header, and whether the frame is right by construction.
//! Whatever comes, the call ends or a stream begins, and never because we failed.
#![no_main]
#![allow(unreachable_pub, dead_code)]

use std::sync::LazyLock;

use axum::body::Bytes;
use axum::http::{HeaderMap, Request};
use h2::client::SendRequest;
use libfuzzer_sys::fuzz_target;
use tokio::runtime::Runtime;

#[path = "../../crates/server/tests/http/house.rs"]
mod house;

use house::Server;

/// `INTERNAL`.
const FAILED: &str = "13";

/// A server and one connection to it.
struct Line {
    server: Server,
    runtime: Runtime,
    requests: SendRequest<Bytes>,
}

static LINE: LazyLock<Line> = LazyLock::new(|| {
    let server = Server::start();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let requests = runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(server.address).await.expect("it listens");
        let (requests, connection) = h2::client::handshake(stream).await.expect("it speaks HTTP/2");
        tokio::spawn(connection);
        requests
    });
    Line { server, runtime, requests }
});

impl Line {
    /// The `grpc-status` that the call ended with, or nothing where a stream began.
    async fn call(&self, method: &str, selector: &[u8], body: Vec<u8>) -> Option<String> {
        let uri = format!("http://{}/flagd.sync.v1.FlagSyncService/{method}", self.server.address);
        let request = Request::post(uri).header("content-type", "application/grpc").header("te", "trailers");
        let request = match axum::http::HeaderValue::from_bytes(selector) {
            Ok(selector) => request.header("flagd-selector", selector),
            Err(_) => request,
        };
        let request = request.body(()).expect("a request");
        let mut requests = self.requests.clone().ready().await.expect("the connection stays");
        let (response, mut sending) = requests.send_request(request, false).expect("and takes calls");
        // It may be refused before it is read.
        let _: Result<(), h2::Error> = sending.send_data(body.into(), true);
        let (head, mut body) = response.await.expect("a call is answered").into_parts();
        assert_eq!(head.status.as_u16(), 200);
        if let Some(status) = status(&head.headers) {
            return Some(status);
        }
        let data = body.data().await.expect("a message comes or an end").expect("and is whole");
        let _: Result<(), h2::Error> = body.flow_control().release_capacity(data.len());
        if method == "SyncFlags" {
            return None;
        }
        while let Some(data) = body.data().await {
            let data = data.expect("the message is whole");
            let _: Result<(), h2::Error> = body.flow_control().release_capacity(data.len());
        }
        let trailers = body.trailers().await.expect("the call has an end");
        trailers.as_ref().and_then(status)
    }
}

fn status(headers: &HeaderMap) -> Option<String> {
    headers.get("grpc-status").map(|status| status.to_str().expect("a number").to_owned())
}

fuzz_target!(|bytes: &[u8]| {
    let Some((first, rest)) = bytes.split_first() else { return };
    let line = &*LINE;
    let method = match first & 3 {
        0 => "SyncFlags",
        1 => "FetchAllFlags",
        2 => "GetMetadata",
        _ => "SyncFlag",
    };
    let good = format!("flagSetId={}", line.server.server);
    let (selector, rest) = match first >> 2 & 3 {
        0 => (good.as_bytes(), rest),
        // What is asked is in the body alone.
        1 => (&b""[..], rest),
        _ => rest.split_at(rest.iter().position(|byte| *byte == b'\n').unwrap_or(0)),
    };
    let body = match first >> 4 & 1 {
        0 => rest.to_vec(),
        _ => {
            let length = u32::try_from(rest.len()).expect("an input is short");
            [&[0][..], &length.to_be_bytes(), rest].concat()
        }
    };
    let ended = line.runtime.block_on(line.call(method, selector, body));
    assert_ne!(ended.as_deref(), Some(FAILED), "a call never ends with our failure");
});
