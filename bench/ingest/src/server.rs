//! Bench of ingest: our server, a process of its own on a directory of its own, which ends with its value.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value as Json, json};
use tempfile::TempDir;

use crate::Failure;
use crate::events::plan;
use crate::wire::Connection;

/// The environment that events are sent to.
const ENVIRONMENT: &str = "production";

/// A server with keys.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    pub(crate) key: String,
    admin: String,
    directory: TempDir,
}

impl Server {
    /// Starts one with the tracking plan of the events; with `manual`, one whose time is advanced by hand.
    pub(crate) fn start(binary: &Path, manual: bool) -> Result<Self, Failure> {
        // Beside the bench and not in /tmp, which may be no disk.
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("target");
        let directory = tempfile::tempdir_in(here)?;
        let mut command = Command::new(binary);
        command.args(["serve", "--listen", "127.0.0.1:0", "--json"]);
        if manual {
            command.args(["--clock", "manual"]);
        }
        command.arg("--data").arg(directory.path().join("data"));
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let child = command.spawn();
        let mut child = child.map_err(|e| format!("{}: {e}\nhint: use `./run`", binary.display()))?;
        let mut line = String::new();
        let said = child.stdout.take().ok_or("it says nothing")?;
        BufReader::new(said).read_line(&mut line)?;
        let mut server = Self {
            child,
            address: ([0, 0, 0, 0], 0).into(),
            key: String::new(),
            admin: String::new(),
            directory,
        };
        let ready: Json = serde_json::from_str(&line)?;
        server.address = text(&ready["address"])?.trim_start_matches("http://").parse()?;
        let setup = text(&ready["setup"])?;
        let token = setup.rsplit("token=").next().unwrap_or_default();
        let person = json!({"token": token, "email": "ada@example.com", "name": "Ada",
            "password": "correct horse battery staple"});
        let mut connection = Connection::open(server.address)?;
        let session = connection.json("POST", "/api/setup", &[], Some(&person))?;
        let cookie = connection.cookies.join("; ");
        let csrf = text(&session["csrf"])?;
        for scope in ["admin", "client"] {
            let mut key = json!({"name": format!("{scope} of the bench"), "scope": scope});
            if scope != "admin" {
                key["environment"] = ENVIRONMENT.into();
            }
            let headers = [("cookie", cookie.as_str()), ("x-csrf-token", &csrf)];
            let made = connection.json("POST", "/api/keys", &headers, Some(&key))?;
            let secret = text(&made["secret"])?;
            match scope {
                "admin" => server.admin = format!("Bearer {secret}"),
                _ => server.key = secret,
            }
        }
        let plan = json!({"plan": plan(ENVIRONMENT), "why": "what the bench sends"});
        server.ask("PUT", "/api/plan", Some(&plan))?;
        Ok(server)
    }

    fn ask(&self, method: &str, path: &str, body: Option<&Json>) -> Result<Json, Failure> {
        Connection::open(self.address)?.json(method, path, &[("authorization", &self.admin)], body)
    }

    /// How many events there are, counted one by one by a query.
    pub(crate) fn count(&self) -> Result<u64, Failure> {
        let found = self.ask("GET", &format!("/api/events?environment={ENVIRONMENT}"), None)?;
        let kinds = found["events"].as_array().ok_or("no list of events")?;
        Ok(kinds.iter().filter_map(|kind| kind["count"].as_u64()).sum())
    }

    /// Advances a manual clock.
    pub(crate) fn advance(&self, by: Duration) -> Result<(), Failure> {
        let now = self.ask("GET", "/api/clock", None)?["now"].as_u64().ok_or("no time")?;
        let to = json!({"to": now + by.as_millis() as u64});
        self.ask("POST", "/api/clock/advance", Some(&to)).map(drop)
    }

    /// Where the events lie.
    pub(crate) fn events(&self) -> PathBuf {
        self.directory.path().join("data/events")
    }

    /// Memory in MB: what is resident, and the most that ever was.
    pub(crate) fn memory(&self) -> Result<(f64, f64), Failure> {
        results::memory(self.child.id())
    }

    /// Time of processors that it has used.
    pub(crate) fn processor(&self) -> Result<Duration, Failure> {
        processor(&self.child.id().to_string())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn text(value: &Json) -> Result<String, Failure> {
    value.as_str().map(str::to_owned).ok_or_else(|| format!("{value} is no text").into())
}

/// Time of processors that a process has used, to a hundredth of a second; `self` is this one.
pub(crate) fn processor(process: &str) -> Result<Duration, Failure> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
    let ticks = |at: usize| fields.get(at).and_then(|text| text.parse::<u64>().ok());
    let all =
        ticks(11).zip(ticks(12)).map(|(user, system)| user + system).ok_or("the system tells no times")?;
    Ok(Duration::from_millis(all * 10))
}
