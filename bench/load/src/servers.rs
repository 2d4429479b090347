//! Bench of load: the servers, each a process of its own on a directory of its own, which ends with its value.

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};
use tempfile::TempDir;

use crate::Failure;
use crate::wire::{Connection, request};
use crate::world::{ENVIRONMENT, Flag, unleash};

/// A process that listens.
pub(crate) struct Process {
    child: Child,
    pub(crate) address: SocketAddr,
    /// Where its data lie; goes after the process, which ends first.
    directory: Option<TempDir>,
}

impl Process {
    fn start(mut command: Command, address: SocketAddr) -> Result<Self, Failure> {
        let child = command.stdin(Stdio::null()).spawn();
        let child =
            child.map_err(|e| format!("{}: {e}\nhint: use `./run`", command.get_program().display()))?;
        Ok(Self { child, address, directory: None })
    }

    /// The same for one whose first line says its address.
    pub(crate) fn saying(
        mut command: Command,
        address: impl FnOnce(&str) -> Result<SocketAddr, Failure>,
    ) -> Result<Self, Failure> {
        command.stdout(Stdio::piped());
        let mut process = Self::start(command, SocketAddr::from(([0; 4], 0)))?;
        let mut line = String::new();
        let said = process.child.stdout.take().ok_or("it says nothing")?;
        BufReader::new(said).read_line(&mut line)?;
        process.address = address(&line).map_err(|e| format!("a server said `{}`: {e}", line.trim()))?;
        Ok(process)
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Memory in MB: what is resident, and the most that ever was.
    pub(crate) fn memory(&self) -> Result<(f64, f64), Failure> {
        results::memory(self.id())
    }

    /// Time of processors that it has used.
    pub(crate) fn processor(&self) -> Result<Duration, Failure> {
        processor(&self.id().to_string())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Time of processors that a process has used, to a hundredth of a second; `self` is this one.
pub(crate) fn processor(process: &str) -> Result<Duration, Failure> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
    let ticks = |at: usize| fields.get(at).and_then(|text| text.parse::<u64>().ok());
    let (user, system) = (ticks(11), ticks(12));
    let all = user.zip(system).map(|(user, system)| user + system).ok_or("the system tells no times")?;
    Ok(Duration::from_millis(all * 10))
}

/// Ours, with keys of all scopes.
pub(crate) struct Bellwether {
    pub(crate) process: Process,
    pub(crate) client_key: String,
    pub(crate) server_key: String,
    admin: Connection,
    admin_key: String,
}

impl Bellwether {
    pub(crate) async fn start(binary: &Path) -> Result<Self, Failure> {
        let directory = tempfile::tempdir()?;
        let mut command = Command::new(binary);
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--json", "--data"])
            .arg(directory.path().join("data"));
        let text =
            |value: &Json| value.as_str().map(str::to_owned).ok_or_else(|| format!("{value} is no text"));
        let mut setup = String::new();
        let mut process = Process::saying(command, |line| {
            let ready: Json = serde_json::from_str(line)?;
            setup = text(&ready["setup"])?;
            Ok(text(&ready["address"])?.trim_start_matches("http://").parse()?)
        })?;
        process.directory = Some(directory);
        let token = setup.rsplit("token=").next().unwrap_or_default();
        let person = json!({"token": token, "email": "ada@example.com", "name": "Ada",
            "password": "correct horse battery staple"});
        let mut admin = Connection::open(process.address).await?;
        let head = admin.ask(&request("POST", "/api/setup", &[], Some(&person))).await?;
        let session: Json = serde_json::from_slice(&admin.came)?;
        let csrf = text(&session["csrf"])?;
        let cookie = head.cookies.join("; ");
        let mut keys = Vec::new();
        for scope in ["admin", "client", "server"] {
            let mut key = json!({"name": format!("{scope} of the bench"), "scope": scope});
            if scope != "admin" {
                key["environment"] = ENVIRONMENT.into();
            }
            let headers = [("cookie", cookie.as_str()), ("x-csrf-token", &csrf)];
            keys.push(text(
                &admin.json(&request("POST", "/api/keys", &headers, Some(&key))).await?["secret"],
            )?);
        }
        let [admin_key, client_key, server_key] = keys.try_into().map_err(|_| "there are three scopes")?;
        Ok(Self { process, client_key, server_key, admin, admin_key })
    }

    fn change(&self, method: &str, path: &str, body: &Json) -> Vec<u8> {
        request(method, path, &[("authorization", &format!("Bearer {}", self.admin_key))], Some(body))
    }

    /// Makes a flag and switches it on.
    pub(crate) async fn make(&mut self, flag: &Flag) -> Result<(), Failure> {
        let key = flag.key();
        let made = self.change("POST", "/api/flags", &json!({"why": "the bench", "flag": key}));
        self.admin.succeed(&made).await?;
        let targeted = self.change("PUT", &format!("/api/flags/{key}/targeting"), &flag.targeting());
        self.admin.succeed(&targeted).await?;
        self.toggle(flag, true).await?;
        Ok(())
    }

    /// Switches a flag. Gives when the request was sent and how long its answer took.
    pub(crate) async fn toggle(&mut self, flag: &Flag, on: bool) -> Result<(Instant, Duration), Failure> {
        let body = json!({"why": "the bench", "environment": ENVIRONMENT, "on": on});
        let toggle = self.change("POST", &format!("/api/flags/{}/toggle", flag.key()), &body);
        let sent = Instant::now();
        self.admin.succeed(&toggle).await?;
        Ok((sent, sent.elapsed()))
    }
}

/// How Edge is told who asks: its flags' token, as Unleash writes them.
pub(crate) const TOKEN: &str = "*:production.bench";

/// Unleash Edge, which reads its flags from a file.
pub(crate) async fn edge(binary: &Path, flags: usize) -> Result<Process, Failure> {
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("features.json");
    std::fs::write(&file, unleash(flags).to_string())?;
    // It cannot choose a port by itself.
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let mut command = Command::new(binary);
    command.args(["--port", &address.port().to_string(), "--interface", "127.0.0.1", "--workers", "2"]);
    // It does not start without a token of a server, which may not ask for what is measured.
    command.args(["offline", "--client-tokens", "*:production.server", "--frontend-tokens", TOKEN]);
    command.arg("--bootstrap-file").arg(&file);
    command.env("RUST_LOG", "error").stdout(Stdio::null());
    let process = Process::start(command, address)?;
    let began = Instant::now();
    while Connection::open(address).await.is_err() {
        if began.elapsed() > Duration::from_secs(30) {
            return Err("Edge does not listen".into());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // It has read the file when it listens.
    Ok(process)
}

/// Raises the limit on open files of this process, and of those it starts, as far as may be.
pub(crate) fn open_files(needed: usize) -> Result<(), Failure> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?;
    match maximum {
        Some(most) if most < needed as u64 => {
            Err(format!("{most} files may be open and {needed} are needed\nhint: raise `ulimit -Hn`").into())
        }
        _ => Ok(()),
    }
}
