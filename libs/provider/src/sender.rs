//! Provider: sends exposures in batches, and sends again what the server has not taken.

use std::sync::Arc;
use std::time::Duration;

use hyper::StatusCode;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::exposures::{Exposure, Queue};
use crate::http::{Http, passes};
use crate::settings::{Backoff, Settings};

/// Who sends.
pub(crate) struct Sender {
    http: Http,
    queue: Arc<Queue>,
    key: String,
    every: Duration,
    patience: Duration,
    backoff: Backoff,
}

/// What became of a batch.
enum Sent {
    /// These many were taken, and the others refused for good.
    Settled { taken: usize, refused: usize },
    /// Later.
    Away,
}

impl Sender {
    pub(crate) fn new(http: Http, queue: Arc<Queue>, settings: &Settings) -> Self {
        Self {
            http,
            queue,
            key: settings.key.trim().to_owned(),
            // Not at every moment, whatever was set.
            every: settings.flush_every.max(Duration::from_millis(10)),
            patience: settings.timeout,
            backoff: Backoff::new(settings),
        }
    }

    /// Sends until it is told to stop, then what waits once more.
    pub(crate) async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let stopped = |stop: &watch::Receiver<bool>| *stop.borrow() || stop.has_changed().is_err();
        let mut wait = self.every;
        while !stopped(&stop) {
            let queue = Arc::clone(&self.queue);
            tokio::select! {
                _ = stop.changed() => {}
                () = tokio::time::sleep(wait) => {}
                // A full batch does not make us ask a server that is away.
                () = queue.full.notified(), if wait == self.every => {}
            }
            if stopped(&stop) {
                break;
            }
            wait = match self.flush(&mut stop).await {
                true => {
                    self.backoff.reset();
                    self.every
                }
                false => self.backoff.next(),
            };
        }
        self.queue.close();
        // Two batches fail alike when the server is away: the first failure is enough.
        let last = async { while !self.queue.is_empty() && self.flush_one().await {} };
        let _: Result<(), _> = tokio::time::timeout(self.patience, last).await;
        self.queue.abandon();
    }

    /// Sends all that waits; false where the server is away.
    async fn flush(&self, stop: &mut watch::Receiver<bool>) -> bool {
        while !self.queue.is_empty() {
            let sent = tokio::select! {
                sent = self.flush_one() => sent,
                // What was on its way is sent again, and counts once.
                _ = stop.changed() => return true,
            };
            if !sent {
                return false;
            }
        }
        true
    }

    async fn flush_one(&self) -> bool {
        let batch = self.queue.batch();
        match self.send(batch).await {
            Sent::Settled { taken, refused } => {
                self.queue.settle(taken, refused);
                true
            }
            Sent::Away => false,
        }
    }

    /// Sends a batch. What the server will not have is taken out, and the others are sent again: a refused
    /// request stores nothing.
    async fn send(&self, batch: Vec<Exposure>) -> Sent {
        let whole = batch.len();
        let mut events: Vec<Value> = batch.iter().map(Exposure::event).collect();
        while !events.is_empty() {
            // The ids are those of the program, however short.
            let body = json!({"api_key": self.key, "events": events, "options": {"min_id_length": 1}});
            let answer = match self.http.post("/batch", body.to_string().into_bytes()).await {
                Ok(answer) => answer,
                Err(failure) => {
                    tracing::debug!(%failure, "exposures wait");
                    return Sent::Away;
                }
            };
            let said: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
            // Something that stands between may answer with success to whatever it is asked.
            let ours = said["code"] == answer.status.as_u16();
            if answer.status == StatusCode::OK && ours {
                break;
            }
            if answer.status == StatusCode::OK || passes(answer.status) {
                tracing::debug!(status = %answer.status, ours, "exposures wait");
                return Sent::Away;
            }
            let named = named(&said, events.len());
            tracing::warn!(
                status = %answer.status, error = %said["error"], hint = %said["hint"],
                refused = named.len(), "the server refuses exposures"
            );
            if named.is_empty() {
                // It is not these exposures that are wrong but the key, the address or what stands between. They wait
                // for whoever mends it; the queue is bounded.
                return match answer.status {
                    StatusCode::PAYLOAD_TOO_LARGE => Sent::Settled { taken: 0, refused: whole },
                    _ => Sent::Away,
                };
            }
            let mut at = 0..;
            events.retain(|_| at.next().is_none_or(|at| !named.contains(&at)));
        }
        Sent::Settled { taken: events.len(), refused: whole - events.len() }
    }
}

/// The events that a refusal names, by their place in the batch.
fn named(said: &Value, most: usize) -> std::collections::BTreeSet<usize> {
    let lists = ["events_with_invalid_fields", "events_with_missing_fields"];
    let fields = lists.iter().filter_map(|list| said[*list].as_object()).flat_map(serde_json::Map::values);
    let places = fields.filter_map(Value::as_array).flatten().filter_map(Value::as_u64);
    places.filter_map(|at| usize::try_from(at).ok()).filter(|at| *at < most).collect()
}
