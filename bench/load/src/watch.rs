//! Bench of load: thousands of clients that wait to be told of a change. It promises that a time is given only
//! when each was told exactly once.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::Failure;
use crate::servers::{Process, processor};
use results::Sorted;

/// How long a change may take until the bench gives up.
const PATIENCE: Duration = Duration::from_secs(30);

/// All clients. A clone is the same.
#[derive(Clone, Default)]
pub(crate) struct Watch(Rc<Shared>);

#[derive(Default)]
struct Shared {
    state: RefCell<State>,
    news: Notify,
}

#[derive(Default)]
struct State {
    /// For each client how often it was told, and when last.
    told: Vec<(u32, Option<Instant>)>,
    /// How often each should have been told.
    changes: u32,
    left: usize,
    failed: Option<String>,
}

impl Watch {
    /// One more client; its number.
    pub(crate) fn join(&self) -> usize {
        let told = &mut self.0.state.borrow_mut().told;
        told.push((0, None));
        told.len() - 1
    }

    pub(crate) fn clients(&self) -> usize {
        self.0.state.borrow().told.len()
    }

    /// A client was told.
    pub(crate) fn told(&self, client: usize) {
        let mut state = self.0.state.borrow_mut();
        let State { told, changes, left, failed } = &mut *state;
        let Some((count, at)) = told.get_mut(client) else { return };
        (*count, *at) = (*count + 1, Some(Instant::now()));
        if *count != *changes {
            *failed = Some(format!("client {client} was told {count} times of {changes} changes"));
        }
        *left = left.saturating_sub(1);
        if *left == 0 || failed.is_some() {
            self.0.news.notify_one();
        }
    }

    /// A client's stream ended.
    pub(crate) fn failed(&self, why: &Failure) {
        self.0.state.borrow_mut().failed.get_or_insert(format!("a stream ended: {why}"));
        self.0.news.notify_one();
    }

    /// A change is about to be made.
    pub(crate) fn expect(&self) {
        let mut state = self.0.state.borrow_mut();
        state.changes += 1;
        state.left = state.told.len();
    }

    /// How long after `sent` each client was told, in ms. Waits until all are.
    pub(crate) async fn delays(&self, sent: Instant) -> Result<Sorted, Failure> {
        let all = async {
            loop {
                let state = self.0.state.borrow();
                if let Some(failed) = &state.failed {
                    return Err(failed.clone().into());
                }
                if state.left == 0 {
                    let at = state.told.iter().filter_map(|(_, at)| *at);
                    return Ok(Sorted::of(at.map(|at| milliseconds(at - sent))));
                }
                drop(state);
                self.0.news.notified().await;
            }
        };
        tokio::time::timeout(PATIENCE, all).await.map_err(|_| {
            let left = self.0.state.borrow().left;
            format!("{left} clients were not told within {} s", PATIENCE.as_secs())
        })?
    }
}

pub(crate) fn milliseconds(span: Duration) -> f64 {
    span.as_secs_f64() * 1e3
}

/// What many changes took, in ms.
pub(crate) struct Changes {
    /// What server and generator had used of their processors before the first.
    used: (Duration, Duration),
    last: Vec<f64>,
    most: Vec<f64>,
    half: Vec<f64>,
    answered: Vec<f64>,
}

impl Changes {
    /// Begins, with what the server and this process have used of their processors.
    pub(crate) fn begin(server: &Process) -> Result<Self, Failure> {
        let used = (server.processor()?, processor("self")?);
        Ok(Self { used, last: Vec::new(), most: Vec::new(), half: Vec::new(), answered: Vec::new() })
    }

    /// What a change took of processors, said to a person.
    pub(crate) fn processors(&self, server: &Process) -> Result<String, Failure> {
        let changes = self.last.len() as f64;
        let server = milliseconds(server.processor()? - self.used.0) / changes;
        let clients = milliseconds(processor("self")? - self.used.1) / changes;
        Ok(format!(
            "A change takes {server:.0} ms of the server's processors and {clients:.0} ms of the clients'."
        ))
    }

    /// Adds one change: when each client was told, and when who made it was answered.
    pub(crate) fn add(&mut self, delays: &Sorted, answered: Duration) {
        self.last.push(delays.most());
        self.most.push(delays.at(0.99));
        self.half.push(delays.median());
        self.answered.push(milliseconds(answered));
    }

    /// The 99th percentile of the last client's delay.
    pub(crate) fn last(&self) -> f64 {
        Sorted::of(self.last.clone()).at(0.99)
    }

    /// Rows of a table: what, median, 99 %, most.
    pub(crate) fn rows(&self) -> Vec<String> {
        let row = |what: &str, all: &[f64]| {
            let all = Sorted::of(all.iter().copied());
            format!("| {what} | {:.0} | {:.0} | {:.0} |", all.median(), all.at(0.99), all.most())
        };
        vec![
            row("**until the last client was told, ms**", &self.last),
            row("until 99 % of the clients were told, ms", &self.most),
            row("until half of the clients were told, ms", &self.half),
            row("until who switched was answered, ms", &self.answered),
        ]
    }
}
