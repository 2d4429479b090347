//! Server: server-sent events, written byte for byte as each SDK parses them. A stream holds no
//! backlog: it hears that something changed and looks at what is served now.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, header};
use axum::response::Response;
use bellwether_app::Served;
use bellwether_model::{Actor, EnvironmentKey};
use futures_util::stream;

use crate::house::House;

/// How a kind of stream speaks.
pub(crate) struct Words {
    /// What names the content that it tells of.
    pub(crate) tag: fn(&Served) -> &str,
    /// What it says of it.
    pub(crate) say: fn(&Served) -> String,
    /// Sent when nothing has been for a while, so that clients and proxies know that the connection lives.
    pub(crate) quiet: &'static str,
}

/// What is said of each snapshot, in each kind's words: made once for all streams, and forgotten with the
/// snapshot.
#[derive(Default)]
pub(crate) struct Said(Mutex<Vec<(&'static Words, Weak<Served>, Bytes)>>);

impl Said {
    fn of(&self, words: &'static Words, served: &Arc<Served>) -> Bytes {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let same = |by: &'static Words, of: &Weak<Served>| {
            std::ptr::eq(by, words) && std::ptr::eq(of.as_ptr(), Arc::as_ptr(served))
        };
        if let Some((.., said)) = all.iter().find(|(by, of, _)| same(by, of)) {
            return said.clone();
        }
        all.retain(|(_, of, _)| of.strong_count() > 0);
        let said = Bytes::from((words.say)(served));
        all.push((words, Arc::downgrade(served), said.clone()));
        said
    }
}

/// A stream that says what is served whenever that is not what the client `knows`: at once, if it has
/// changed before the client came. It ends when the key of `by`, who asked, is revoked.
pub(crate) fn events(
    house: &House,
    environment: EnvironmentKey,
    by: Actor,
    knows: Option<String>,
    words: &'static Words,
) -> Response {
    struct At {
        house: House,
        environment: EnvironmentKey,
        bell: tokio::sync::watch::Receiver<u64>,
        closing: tokio::sync::watch::Receiver<bool>,
        by: Actor,
        knows: Option<String>,
        first: bool,
        words: &'static Words,
    }
    // Listen before looking: a change in between rings and is not missed.
    let bell = house.bell.listen();
    let (house, closing) = (house.clone(), house.closing());
    let at = At { house, environment, bell, closing, by, knows, first: true, words };
    let body = stream::unfold(at, |mut at| async move {
        if at.first {
            at.first = false;
            // Headers leave with the first bytes; a comment makes them leave now.
            if at.knows.is_some() {
                return Some((Ok::<_, Infallible>(Bytes::from_static(b": connected\n\n")), at));
            }
        }
        loop {
            at.bell.borrow_and_update();
            if at.house.app.revoked(&at.by) {
                return None;
            }
            let served: Arc<Served> = at.house.app.served(&at.environment).ok()?;
            let tag = (at.words.tag)(&served);
            if at.knows.as_deref() != Some(tag) {
                at.knows = Some(tag.to_owned());
                let said = at.house.said.of(at.words, &served);
                return Some((Ok(said), at));
            }
            let closed = *at.closing.borrow();
            if closed {
                return None;
            }
            tokio::select! {
                rung = at.bell.changed() => rung.ok()?,
                _ = at.closing.changed() => return None,
                () = tokio::time::sleep(at.house.quiet) => {
                    return Some((Ok(Bytes::from_static(at.words.quiet.as_bytes())), at));
                }
            }
        }
    });
    let mut response = Response::new(Body::from_stream(body));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, no-transform"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

#[cfg(test)]
#[path = "stream_tests.rs"]
mod tests;
