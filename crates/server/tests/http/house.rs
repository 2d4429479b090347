//! Server tests: a server in this process, and a client that hides nothing.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use bellwether_app::{App, Cancel, Ctx, Grant, Progress, Settings, Setup, find};
use bellwether_model::Millis;
use bellwether_server::{Bell, Clock, Limits};
use serde_json::{Value as Json, json};
use tempfile::TempDir;

pub(crate) const START: Millis = Millis(1_790_000_000_000);
pub(crate) const PASSWORD: &str = "a long enough password";

/// A server with a flag `f` that is on and split in half, and a key of each scope.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) app: Arc<App>,
    pub(crate) grant: Grant,
    pub(crate) admin: String,
    pub(crate) server: String,
    pub(crate) client: String,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    pub(crate) dir: TempDir,
}

pub(crate) fn call(app: &App, grant: &Grant, operation: &str, input: Json) -> Json {
    let ctx = Ctx {
        now: START,
        grant: grant.clone(),
        dry_run: false,
        cancel: Cancel::default(),
        progress: Progress::default(),
    };
    find(operation).unwrap().call(app, &ctx, input).unwrap_or_else(|e| panic!("{operation}: {}", e.message))
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::within(Limits::default())
    }

    pub(crate) fn within(limits: Limits) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let bell = Bell::new();
        let ringing = bell.clone();
        let settings = Settings::new(dir.path(), Box::new(move || ringing.ring()));
        let (app, _) = App::open(settings, START).unwrap();
        let app = Arc::new(app);
        let token = app.offer_setup(START).unwrap().unwrap();
        let (email, name, password) = ("ada@example.com".into(), "Ada".into(), PASSWORD.into());
        let login = app.set_up(&Setup { token, email, name, password }, START).unwrap();
        let (grant, ..) = app.session(&login.token, START).unwrap();
        let key = |scope: &str| {
            let environment = if scope == "admin" { Json::Null } else { "production".into() };
            let made = call(
                &app,
                &grant,
                "key.create",
                json!({"name": scope, "scope": scope, "environment": environment}),
            );
            made["secret"].as_str().unwrap().to_owned()
        };
        let (admin, server, client) = (key("admin"), key("server"), key("client"));
        call(&app, &grant, "flag.create", json!({"flag": "f"}));
        let shares = json!([{"variant": "on", "share": 5000}, {"variant": "off", "share": 5000}]);
        let default = json!({"serve": "split", "shares": shares, "salt": "f-1"});
        let target = json!({"flag": "f", "environment": "production", "default": default, "why": "test"});
        call(&app, &grant, "flag.target", target);
        call(
            &app,
            &grant,
            "flag.toggle",
            json!({"flag": "f", "environment": "production", "on": true, "why": "test"}),
        );

        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let served = Arc::clone(&app);
        let thread = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
            runtime.block_on(async move {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                let stop = async move {
                    let _: Result<(), _> = stopped.await;
                };
                let clock = Clock::manual(START);
                bellwether_server::serve(limits, served, bell, clock, listener, stop).await.unwrap();
            });
        });
        let (stop, thread) = (Some(stop), Some(thread));
        Self { address, app, grant, admin, server, client, stop, thread, dir }
    }

    /// Tells it to stop and waits until it has.
    pub(crate) fn stop(&mut self) {
        self.stop_soon();
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }

    pub(crate) fn stop_soon(&mut self) {
        drop(self.stop.take());
    }

    pub(crate) fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        let mut stream = TcpStream::connect(self.address).unwrap();
        let mut head = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n");
        if !body.is_empty() || method != "GET" {
            head.push_str(&format!("content-length: {}\r\n", body.len()));
        }
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        // The server may have answered before it has read everything.
        let _: std::io::Result<()> = stream.write_all(body);
        let mut raw = Vec::new();
        let _: std::io::Result<usize> = stream.read_to_end(&mut raw);
        Reply::parse(&raw)
            .unwrap_or_else(|| panic!("{method} {path}: no answer: {}", String::from_utf8_lossy(&raw)))
    }

    /// JSON over the API with the admin's key.
    pub(crate) fn api(&self, method: &str, path: &str, body: &Json) -> Reply {
        let body = if body.is_null() { Vec::new() } else { serde_json::to_vec(body).unwrap() };
        self.ask(method, path, &[("authorization", &format!("Bearer {}", self.admin))], &body)
    }

    /// Opens a stream and leaves it open.
    pub(crate) fn open(&self, path: &str, headers: &[(&str, &str)]) -> Open {
        let mut stream = TcpStream::connect(self.address).unwrap();
        // Only so that a failure ends; nothing is measured.
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let mut head = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n");
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        Open { stream, read: String::new() }
    }

    /// The newest revision and the number of stored events.
    pub(crate) fn state(&self) -> (u64, u64) {
        self.app.commit().unwrap();
        let status = call(&self.app, &self.grant, "system.status", json!({}));
        (status["revision"].as_u64().unwrap(), status["events"].as_u64().unwrap())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop_soon();
        if let Some(thread) = self.thread.take() {
            let _: std::thread::Result<()> = thread.join();
        }
    }
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    fn parse(raw: &[u8]) -> Option<Self> {
        let end = raw.windows(4).position(|w| w == b"\r\n\r\n")?;
        let head = std::str::from_utf8(raw.get(..end)?).ok()?;
        let mut lines = head.split("\r\n");
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let headers = lines.filter_map(|l| l.split_once(':'));
        let headers = headers.map(|(n, v)| (n.to_ascii_lowercase(), v.trim().to_owned())).collect();
        Some(Self { status, headers, body: raw.get(end + 4..)?.to_vec() })
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    pub(crate) fn json(&self) -> Json {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|e| panic!("{} {e}: {}", self.status, String::from_utf8_lossy(&self.body)))
    }
}

/// A stream that is open.
pub(crate) struct Open {
    stream: TcpStream,
    pub(crate) read: String,
}

impl Open {
    /// Reads on until `text` has come, and gives what came up to and including it.
    pub(crate) fn until(&mut self, text: &str) -> String {
        let mut buffer = [0; 4096];
        loop {
            if let Some(at) = self.read.find(text) {
                let rest = self.read.split_off(at + text.len());
                return std::mem::replace(&mut self.read, rest);
            }
            let n = self
                .stream
                .read(&mut buffer)
                .unwrap_or_else(|e| panic!("{e} before `{text}`: {}", self.read));
            assert!(n > 0, "the end before `{text}`: {}", self.read);
            self.read.push_str(&String::from_utf8_lossy(&buffer[..n]));
        }
    }

    /// Reads to the end of the stream.
    pub(crate) fn rest(mut self) -> String {
        let mut bytes = Vec::new();
        self.stream.read_to_end(&mut bytes).unwrap();
        self.read + &String::from_utf8_lossy(&bytes)
    }
}
