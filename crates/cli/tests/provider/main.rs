//! Cli, tests: our OpenFeature provider against the real binary, which is killed and comes back on the same
//! port.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod agreement;
mod between;
#[path = "../common/mod.rs"]
mod common;
mod exposures;
mod following;
mod https;

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::time::Duration;

use bellwether_provider::{Provider, Settings};
use open_feature::EvaluationContext;
use serde_json::{Value, json};
use tempfile::TempDir;

/// A server that can be killed and started again on the same port, and keys for it.
pub(crate) struct House {
    child: Option<Child>,
    home: TempDir,
    pub(crate) address: String,
    admin: String,
    /// A `server` key of production.
    pub(crate) key: String,
}

impl House {
    pub(crate) fn open() -> Self {
        let home = tempfile::tempdir().unwrap();
        let first = common::Server::start(&home.path().join("data"), &[]);
        let (address, admin) = (first.address.clone(), first.key.clone());
        // Killed: from here on it is ours.
        drop(first);
        let mut house = Self { child: None, home, address, admin, key: String::new() };
        house.serve();
        house.key = house.made_key("server", "production");
        house
    }

    /// Starts it again on its port.
    pub(crate) fn serve(&mut self) {
        let listen = self.address.trim_start_matches("http://").to_owned();
        self.serve_at(&listen);
    }

    /// Starts it elsewhere with the same data, for as long as `work` takes.
    pub(crate) fn elsewhere(&mut self, work: impl FnOnce(&Self)) {
        let place = std::mem::take(&mut self.address);
        self.address = format!("http://{}", self.serve_at("127.0.0.1:0"));
        work(self);
        self.kill();
        self.address = place;
    }

    fn serve_at(&mut self, listen: &str) -> String {
        let mut child = common::bellwether()
            .args(["serve", "--json", "--listen", listen, "--data"])
            .arg(self.home.path().join("data"))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        self.child = Some(child);
        let ready: Value = serde_json::from_str(&line).unwrap();
        ready["address"].as_str().unwrap().trim_start_matches("http://").to_owned()
    }

    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Asks as an admin.
    pub(crate) fn call(&self, method: &str, path: &str, body: &Value) -> Value {
        self.ask(&self.admin, method, path, body)
    }

    /// Asks with a key; a refusal that is no success is an answer too.
    pub(crate) fn ask(&self, key: &str, method: &str, path: &str, body: &Value) -> Value {
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        ask(&agent, &self.address, key, method, path, body)
    }

    pub(crate) fn made_key(&self, scope: &str, environment: &str) -> String {
        let key = json!({"name": scope, "scope": scope, "environment": environment});
        self.call("POST", "/api/keys", &key)["secret"].as_str().unwrap().to_owned()
    }

    /// A flag with variants `a`, `b` and `off` and such a default, switched on.
    pub(crate) fn flag(&self, flag: &str, environment: &str, default: &Value) {
        let variants =
            json!([{"key": "a", "value": "A"}, {"key": "b", "value": "B"}, {"key": "off", "value": "none"}]);
        let made = json!({"flag": flag, "kind": "string", "variants": variants});
        assert!(self.call("POST", "/api/flags", &made).get("code").is_none());
        self.target(flag, environment, &json!({"off": "off", "default": default}));
        self.toggle(flag, environment, true);
    }

    pub(crate) fn target(&self, flag: &str, environment: &str, setting: &Value) {
        let mut input = json!({"environment": environment, "why": "test"});
        input.as_object_mut().unwrap().extend(setting.as_object().unwrap().clone());
        let said = self.call("PUT", &format!("/api/flags/{flag}/targeting"), &input);
        assert!(said.get("code").is_none(), "{said}");
    }

    pub(crate) fn toggle(&self, flag: &str, environment: &str, on: bool) {
        let input = json!({"environment": environment, "on": on, "why": "test"});
        let said = self.call("POST", &format!("/api/flags/{flag}/toggle"), &input);
        assert!(said.get("code").is_none(), "{said}");
    }

    /// The usual settings, for a server that is near.
    pub(crate) fn settings(&self) -> Settings {
        Settings {
            retry_first: Duration::from_millis(20),
            retry_longest: Duration::from_millis(200),
            ..Settings::new(&self.address, &self.key)
        }
    }
}

impl Drop for House {
    fn drop(&mut self) {
        self.kill();
    }
}

pub(crate) fn ask(
    agent: &ureq::Agent,
    address: &str,
    key: &str,
    method: &str,
    path: &str,
    body: &Value,
) -> Value {
    let request = ureq::http::Request::builder()
        .method(method)
        .uri(format!("{address}{path}"))
        .header("authorization", format!("Bearer {key}"))
        .header("content-type", "application/json")
        .body(if method == "GET" { String::new() } else { body.to_string() })
        .unwrap();
    let mut reply = agent.run(request).unwrap();
    reply.body_mut().with_config().limit(64 << 20).read_json().unwrap()
}

/// Runs with the server's side on threads of its own.
pub(crate) fn run<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    // Only so that a failure ends; nothing is measured.
    runtime.block_on(async {
        tokio::time::timeout(Duration::from_secs(600), work).await.expect("it never came")
    })
}

/// Waits until the rules are such.
pub(crate) async fn until(provider: &Provider, such: impl Fn() -> bool) {
    let mut changes = provider.changes();
    while !such() {
        changes.changed().await.unwrap();
    }
}

/// Waits until something is so of which nothing tells. The pause is so that others can make it so.
pub(crate) async fn soon(so: impl Fn() -> bool) {
    while !so() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

pub(crate) fn user(id: &str) -> EvaluationContext {
    EvaluationContext::default().with_targeting_key(id)
}

pub(crate) fn split(shares: &[(&str, u16)], salt: &str) -> Value {
    let shares: Vec<Value> = shares.iter().map(|(v, s)| json!({"variant": v, "share": s})).collect();
    json!({"serve": "split", "shares": shares, "salt": salt})
}

/// Evaluating waits for nothing: the answer is there when it is asked for.
pub(crate) fn at_once<T>(answer: impl Future<Output = T>) -> T {
    let mut answer = std::pin::pin!(answer);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match answer.as_mut().poll(&mut context) {
        std::task::Poll::Ready(answer) => answer,
        std::task::Poll::Pending => panic!("an evaluation waited"),
    }
}
