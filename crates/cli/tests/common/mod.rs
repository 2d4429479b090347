//! Cli, tests: the real binary as a server on a free port, and as a client of it.
#![allow(dead_code, reason = "each test file uses its own part of this")]
#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use serde_json::{Value, json};

/// The binary.
pub(crate) fn bellwether() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bellwether"));
    command.env_remove("BELLWETHER_KEY").env_remove("BELLWETHER_SERVER");
    command
}

/// A server, and what it says when it is ready.
fn spawned(data: &Path, more: &[&str]) -> (Child, Value) {
    let mut child = bellwether()
        .args(["serve", "--json", "--listen", "127.0.0.1:0", "--data"])
        .arg(data)
        .args(more)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    (child, serde_json::from_str(&line).unwrap())
}

/// A server that ends with the test.
pub(crate) struct Server {
    child: Child,
    /// Such as `http://127.0.0.1:40001`.
    pub(crate) address: String,
    /// An admin key.
    pub(crate) key: String,
}

impl Server {
    /// Starts one on an empty directory and makes the first account and an admin key.
    pub(crate) fn start(data: &Path, more: &[&str]) -> Self {
        let (child, ready) = spawned(data, more);
        let address = ready["address"].as_str().unwrap().to_owned();
        let token = ready["setup"].as_str().unwrap().split_once("token=").unwrap().1.to_owned();
        let account =
            json!({"token": token, "email": "ana@example.com", "name": "Ana", "password": "correct horse"});
        let mut reply = ureq::post(format!("{address}/api/setup")).send_json(account).unwrap();
        let cookie = reply.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
        let login: Value = reply.body_mut().read_json().unwrap();
        let key: Value = ureq::post(format!("{address}/api/keys"))
            .header("cookie", &cookie)
            .header("x-csrf-token", login["csrf"].as_str().unwrap())
            .send_json(json!({"name": "tests", "scope": "admin"}))
            .unwrap()
            .body_mut()
            .read_json()
            .unwrap();
        Self { child, address, key: key["secret"].as_str().unwrap().to_owned() }
    }

    /// Starts one on a directory in which a key is known.
    pub(crate) fn again(data: &Path, key: &str) -> Self {
        Self::again_with(data, key, &[])
    }

    /// The same with more arguments.
    pub(crate) fn again_with(data: &Path, key: &str, more: &[&str]) -> Self {
        let (child, ready) = spawned(data, more);
        Self { child, address: ready["address"].as_str().unwrap().to_owned(), key: key.to_owned() }
    }

    /// Runs a command against it.
    pub(crate) fn run(&self, args: &[&str]) -> Output {
        let mut command = bellwether();
        command.env("BELLWETHER_KEY", &self.key).env("BELLWETHER_SERVER", &self.address);
        command.args(args).output().unwrap()
    }

    /// Runs a command that must succeed, and reads what it prints as JSON.
    pub(crate) fn json(&self, args: &[&str]) -> Value {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {}", said(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Runs a command that must fail, and gives what it says.
    pub(crate) fn refused(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(!output.status.success(), "{args:?} succeeded");
        said(&output)
    }

    /// Asks it to stop, and waits until it has.
    pub(crate) fn stop(mut self) {
        terminate(&self.child);
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a command says on standard error.
pub(crate) fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Asks a process of ours to stop.
pub(crate) fn terminate(child: &Child) {
    assert!(Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
}
