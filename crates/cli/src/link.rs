//! Cli: the connection of the simulator and the import to a server. Operations as any program calls them, and the doors of
//! the SDKs over connections that stay open.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bellwether_model::Millis;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::call::Client;
use crate::failure::Failure;
use crate::simulate::Answers;

/// A server and what is needed to drive it.
pub(crate) struct Link {
    agent: ureq::Agent,
    server: String,
    admin: String,
}

/// How many threads ask and send at once.
pub(crate) const WORKERS: usize = 4;

impl Link {
    /// A link with an admin key.
    pub(crate) fn new(server: &str, admin: &str) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_idle_connections_per_host(2 * WORKERS)
            // Not `timeout_global`: with it every request resolves the name in a thread of its own.
            .timeout_recv_response(Some(Duration::from_secs(120)))
            .build();
        Self {
            agent: config.into(),
            server: server.trim_end_matches('/').to_owned(),
            admin: admin.to_owned(),
        }
    }

    /// Calls an operation of the registry with the admin key, or with another.
    pub(crate) fn call(&self, name: &str, input: Value, key: Option<&str>) -> Result<Value, Failure> {
        let entry = bellwether_app::find(name)
            .ok_or_else(|| Failure::new(format!("there is no operation `{name}`"), "report this as a bug"))?;
        Client::at(&self.server, key.unwrap_or(&self.admin)).call(entry, input, false)
    }

    /// The server's time, if it is advanced by hand.
    pub(crate) fn manual_now(&self) -> Result<Millis, Failure> {
        match self.now()? {
            (true, now) => Ok(now),
            (false, _) => Err(Failure::new(
                "the server keeps the wall's time",
                "start it with `bellwether serve --clock manual --clock-start MS`",
            )),
        }
    }

    /// The server's time, and whether it is advanced by hand.
    pub(crate) fn now(&self) -> Result<(bool, Millis), Failure> {
        #[derive(Deserialize)]
        struct Clock {
            mode: String,
            now: Millis,
        }
        let url = format!("{}/api/clock", self.server);
        let key = format!("Bearer {}", self.admin);
        let clock: Clock = self.read(self.agent.get(&url).header("authorization", &key).call())?;
        Ok((clock.mode == "manual", clock.now))
    }

    /// Moves the server's clock on; its guards look and its events are sealed before this returns.
    pub(crate) fn advance(&self, to: Millis) -> Result<(), Failure> {
        self.clock("advance", json!({"to": to}))
    }

    /// Lets the server go by the wall's clock from now on.
    pub(crate) fn release(&self) -> Result<(), Failure> {
        self.clock("release", json!({}))
    }

    fn clock(&self, verb: &str, body: Value) -> Result<(), Failure> {
        let url = format!("{}/api/clock/{verb}", self.server);
        let key = format!("Bearer {}", self.admin);
        let sent = self.agent.post(&url).header("authorization", &key).send_json(body);
        self.read::<Value>(sent).map(drop)
    }

    /// Asks for all flags over OFREP.
    pub(crate) fn ask(&self, key: &str, question: &str) -> Result<Answers, Failure> {
        #[derive(Deserialize)]
        struct Reply {
            flags: Vec<One>,
        }
        #[derive(Deserialize)]
        struct One {
            key: String,
            variant: String,
            reason: String,
        }
        let url = format!("{}/ofrep/v1/evaluate/flags", self.server);
        let sent = self
            .agent
            .post(&url)
            .header("authorization", &format!("Bearer {key}"))
            .header("content-type", "application/json")
            .send(question);
        let reply: Reply = self.read(sent)?;
        let mut answers = Answers::default();
        for flag in reply.flags {
            answers.note(&flag.key, &flag.variant, flag.reason == "SPLIT");
        }
        Ok(answers)
    }

    /// Sends a batch of events, again if the server is busy.
    pub(crate) fn send(&self, batch: &str) -> Result<(), Failure> {
        let url = format!("{}/batch", self.server);
        let mut patience = 100;
        loop {
            let sent = self.agent.post(&url).header("content-type", "application/json").send(batch);
            let busy = sent.as_ref().is_ok_and(|reply| matches!(reply.status().as_u16(), 429 | 503));
            if !busy || patience == 0 {
                return self.read::<Value>(sent).map(drop);
            }
            patience -= 1;
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn read<T: serde::de::DeserializeOwned>(
        &self,
        sent: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    ) -> Result<T, Failure> {
        let mut reply = sent.map_err(|e| {
            Failure::new(format!("`{}` does not answer: {e}", self.server), "is it still running?")
        })?;
        let status = reply.status();
        let text = reply.body_mut().read_to_string().map_err(|e| {
            Failure::new(format!("`{}` broke off its answer: {e}", self.server), "is it still running?")
        })?;
        if !status.is_success() {
            let problem: Value = serde_json::from_str(&text).unwrap_or_default();
            let said = ["message", "error", "errorDetails"].into_iter().find_map(|f| problem[f].as_str());
            let hint = problem["hint"].as_str().unwrap_or_default();
            let said = said.unwrap_or(&text).to_owned();
            return Err(Failure::new(format!("the server answered `{}`: {said}", status.as_u16()), hint));
        }
        serde_json::from_str(&text)
            .map_err(|e| Failure::new(format!("`{}` answered what is not understood: {e}", self.server), ""))
    }
}

/// Does the work with this many threads. Results come in no order; the first failure is the failure.
pub(crate) fn parallel<T: Sync, R: Send>(
    work: &[T],
    workers: usize,
    each: impl Fn(&T) -> Result<R, Failure> + Sync,
) -> Result<Vec<R>, Failure> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new((Vec::with_capacity(work.len()), None));
    let worker = || {
        let mut own = Vec::new();
        let mut failed = None;
        while let Some(item) = work.get(next.fetch_add(1, Ordering::Relaxed)) {
            match each(item) {
                Ok(result) => own.push(result),
                Err(e) => {
                    next.store(work.len(), Ordering::Relaxed);
                    failed = Some(e);
                    break;
                }
            }
        }
        let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
        done.0.append(&mut own);
        done.1 = done.1.take().or(failed);
    };
    std::thread::scope(|scope| {
        for _ in 1..workers.min(work.len()) {
            scope.spawn(worker);
        }
        worker();
    });
    match done.into_inner().unwrap_or_else(PoisonError::into_inner) {
        (results, None) => Ok(results),
        (_, Some(failure)) => Err(failure),
    }
}
