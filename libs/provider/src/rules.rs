//! Provider: the rules, as new as the server lets them be. They are followed over a stream that says when
//! there are others; when it breaks off, the last ones go on answering and the server is asked again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use bellwether_flags::{Document, Ids, Ruleset};
use bellwether_model::{FlagKey, Invalid, ListId, Revision};
use http_body_util::BodyExt;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::http::{Failure, Http};
use crate::settings::{Backoff, Settings};
use crate::sse::Parser;

/// After so much silence a stream is taken for dead: the server says something every 13 seconds.
const SILENCE: Duration = Duration::from_secs(30);

/// How the rules stand to those of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// There are none yet.
    None,
    /// They are followed.
    Followed,
    /// The server is away; these were the last.
    Stale,
    /// The server refuses us, and there are none.
    Refused,
}

/// What is evaluated.
#[derive(Debug)]
pub(crate) struct Rules {
    pub(crate) ruleset: Ruleset,
    /// What compares each flag's variants.
    pub(crate) trials: BTreeMap<FlagKey, String>,
    tag: String,
}

/// Where the rules are, for those who evaluate.
#[derive(Debug)]
pub(crate) struct Shelf {
    rules: ArcSwapOption<Rules>,
    standing: AtomicU8,
    /// Why the server gave none when it was last asked in vain.
    failure: ArcSwapOption<String>,
    /// Tells the revision of the rules at each change.
    pub(crate) told: watch::Sender<Option<Revision>>,
}

impl Shelf {
    pub(crate) fn new() -> Self {
        Self {
            rules: ArcSwapOption::empty(),
            standing: AtomicU8::new(Standing::None as u8),
            failure: ArcSwapOption::empty(),
            told: watch::Sender::new(None),
        }
    }

    pub(crate) fn rules(&self) -> Option<Arc<Rules>> {
        self.rules.load_full()
    }

    /// Why there are no rules yet.
    pub(crate) fn failure(&self) -> Option<Arc<String>> {
        self.failure.load_full()
    }

    pub(crate) fn standing(&self) -> Standing {
        let all = [Standing::None, Standing::Followed, Standing::Stale, Standing::Refused];
        let now = self.standing.load(Ordering::Acquire);
        all.into_iter().find(|standing| *standing as u8 == now).unwrap_or(Standing::None)
    }

    fn stand(&self, standing: Standing) {
        self.standing.store(standing as u8, Ordering::Release);
    }

    /// The server did not answer, or refused.
    fn broke_off(&self, failure: &Failure) {
        self.failure.store(Some(Arc::new(failure.to_string())));
        self.stand(match (self.rules.load().is_some(), failure) {
            (true, _) => Standing::Stale,
            (false, Failure::Refused { .. }) => Standing::Refused,
            (false, Failure::Away(_)) => Standing::None,
        });
    }
}

/// Who follows them.
pub(crate) struct Follower {
    http: Http,
    shelf: Arc<Shelf>,
    /// Long lists, by name. What is under a name never changes.
    lists: BTreeMap<ListId, Arc<Ids>>,
    backoff: Backoff,
}

impl Follower {
    pub(crate) fn new(http: Http, shelf: Arc<Shelf>, settings: &Settings) -> Self {
        Self { http, shelf, lists: BTreeMap::new(), backoff: Backoff::new(settings) }
    }

    /// Gets the rules, unless they are what we have.
    pub(crate) async fn refresh(&mut self) -> Result<(), Failure> {
        let got = self.get().await;
        match &got {
            Ok(()) => self.shelf.stand(Standing::Followed),
            Err(failure) => self.shelf.broke_off(failure),
        }
        got
    }

    async fn get(&mut self) -> Result<(), Failure> {
        let known = self.shelf.rules();
        let tag = known.as_ref().map(|rules| rules.tag.as_str());
        let Some(answer) = self.http.get("/api/rules", tag, Document::MOST_BYTES).await? else {
            return Ok(());
        };
        let tag =
            answer.headers.get(hyper::header::ETAG).and_then(|tag| tag.to_str().ok()).unwrap_or_default();
        let tag = tag.trim_start_matches("W/").trim_matches('"').to_owned();
        // Reading and compiling many rules takes longer than a task may hold its thread.
        let body = answer.body.clone();
        let document = match blocking(move || Document::parse(&answer.body)).await {
            // Rules of a newer version are refused; a page of something that stands between are none.
            Err(Failure::Refused { message, .. }) if !versioned(&body) => {
                return Err(self.http.stranger(&message));
            }
            read => read?,
        };
        self.get_lists(&document).await?;
        let lists = self.lists.clone();
        let rules = blocking(move || {
            let ruleset = document.compile(&|id| lists.get(id).cloned())?;
            Ok(Rules { ruleset, trials: document.trials().clone(), tag })
        })
        .await?;
        let revision = rules.ruleset.revision();
        self.shelf.rules.store(Some(Arc::new(rules)));
        self.shelf.told.send_replace(Some(revision));
        tracing::debug!(%revision, "the rules have changed");
        Ok(())
    }

    /// Gets the lists that the rules name and we do not have, and lets go of those that they no longer name.
    async fn get_lists(&mut self, document: &Document) -> Result<(), Failure> {
        let named: BTreeSet<&ListId> = document.apart().collect();
        self.lists.retain(|id, _| named.contains(id));
        for id in named {
            if self.lists.contains_key(id) {
                continue;
            }
            let path = format!("/api/rules/lists/{}", encoded(&id.0));
            let answer = match self.http.get(&path, None, Document::MOST_BYTES).await {
                Ok(Some(answer)) => answer,
                Ok(None) => return Err(Failure::Away(format!("the list `{}` did not come", id.0))),
                // It was replaced in between: then there are other rules, which name another one.
                Err(failure) => return Err(Failure::Away(failure.to_string())),
            };
            let ids = blocking(move || {
                let ids: Vec<String> = serde_json::from_slice(&answer.body).map_err(|e| {
                    Invalid::new(format!("a list cannot be read: {e}"), "update this library")
                })?;
                Ok(Arc::new(Ids::new(ids)))
            });
            self.lists.insert(id.clone(), ids.await?);
        }
        Ok(())
    }

    /// Follows the rules for as long as it is let. Where there is no stream, because something stands between that
    /// keeps its events, the rules are asked for at each attempt.
    pub(crate) async fn run(mut self) {
        loop {
            let failure = self.listen().await;
            self.shelf.broke_off(&failure);
            let wait = self.backoff.next();
            match &failure {
                Failure::Away(_) => tracing::debug!(%failure, ?wait, "the rules are not followed"),
                Failure::Refused { .. } => tracing::warn!(%failure, ?wait, "the rules are not followed"),
            }
            tokio::time::sleep(wait).await;
            match self.get().await {
                Ok(()) => self.shelf.stand(Standing::Stale),
                Err(failure) => self.shelf.broke_off(&failure),
            }
        }
    }

    /// Listens until the stream breaks off. It says which rules there are on connecting: what changed while
    /// we were away is caught up. One that says nothing then is none.
    async fn listen(&mut self) -> Failure {
        let mut stream = match self.http.stream("/api/rules/stream").await {
            Ok(stream) => stream,
            Err(failure) => return failure,
        };
        let mut parser = Parser::default();
        // Until it has said which rules there are.
        let mut opening = Some(Instant::now() + self.http.timeout);
        loop {
            let until = opening.unwrap_or_else(|| Instant::now() + SILENCE);
            let frame = match tokio::time::timeout_at(until, stream.frame()).await {
                Ok(Some(Ok(frame))) => frame,
                Ok(Some(Err(e))) => return Failure::Away(format!("the stream broke off: {e}")),
                Ok(None) => return Failure::Away("the server ended the stream".to_owned()),
                Err(_) if opening.is_some() => {
                    return Failure::Away(format!("the stream told no rules within {:?}", self.http.timeout));
                }
                Err(_) => return Failure::Away(format!("the stream was silent for {SILENCE:?}")),
            };
            let Ok(bytes) = frame.into_data() else { continue };
            let Ok(events) = parser.feed(&bytes) else {
                return Failure::Away("the stream says what no server of ours would".to_owned());
            };
            // Of several only the last counts: rules are got as they are now.
            let Some(event) = events.into_iter().rfind(|event| event.name == "rules") else { continue };
            opening = None;
            if self.shelf.rules().is_some_and(|rules| rules.tag == event.id) {
                self.shelf.stand(Standing::Followed);
            } else if let Err(failure) = self.refresh().await {
                return failure;
            }
            self.backoff.reset();
        }
    }
}

/// Whether a text is JSON that names a version, as rules of every version do.
fn versioned(body: &[u8]) -> bool {
    serde_json::from_slice::<serde_json::Value>(body).is_ok_and(|said| said.get("version").is_some())
}

/// Does what takes a while on a thread that may be held.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Invalid> + Send + 'static,
) -> Result<T, Failure> {
    match tokio::task::spawn_blocking(work).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(Invalid { message, hint })) => Err(Failure::Refused { message, hint }),
        Err(e) => Err(Failure::Away(format!("the rules could not be read: {e}"))),
    }
}

/// A name as a part of a path.
fn encoded(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    name.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}
