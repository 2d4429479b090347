//! Server: server-sent events, written byte for byte as each SDK parses them. A stream holds no
//! backlog: it hears that something changed and looks at what is served now.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, header};
use axum::response::Response;
use bellwether_app::Served;
use bellwether_model::{Actor, EnvironmentKey};
use futures_util::stream;

use crate::house::House;

/// A stream that sends what `say` makes of what is served whenever that is not what the client `knows`:
/// at once, if it has changed before the client came. It ends when the key of `by`, who asked, is revoked.
/// `quiet` is sent when nothing has been for a while, so that clients and proxies know that the
/// connection lives.
pub(crate) fn events(
    house: &House,
    environment: EnvironmentKey,
    by: Actor,
    knows: Option<String>,
    quiet: &'static str,
    say: impl Fn(&Served) -> String + Send + 'static,
) -> Response {
    tagged(house, environment, by, knows, quiet, |served| &served.tag, say)
}

/// The same for what has a tag of its own.
pub(crate) fn tagged(
    house: &House,
    environment: EnvironmentKey,
    by: Actor,
    knows: Option<String>,
    quiet: &'static str,
    tag: impl Fn(&Served) -> &str + Send + 'static,
    say: impl Fn(&Served) -> String + Send + 'static,
) -> Response {
    struct At<T, S> {
        house: House,
        environment: EnvironmentKey,
        bell: tokio::sync::watch::Receiver<u64>,
        closing: tokio::sync::watch::Receiver<bool>,
        by: Actor,
        knows: Option<String>,
        first: bool,
        tag: T,
        say: S,
    }
    // Listen before looking: a change in between rings and is not missed.
    let bell = house.bell.listen();
    let (house, closing) = (house.clone(), house.closing());
    let at = At { house, environment, bell, closing, by, knows, first: true, tag, say };
    let body = stream::unfold(at, move |mut at| async move {
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
            let tag = (at.tag)(&served);
            if at.knows.as_deref() != Some(tag) {
                at.knows = Some(tag.to_owned());
                let said = (at.say)(&served);
                return Some((Ok(Bytes::from(said)), at));
            }
            let closed = *at.closing.borrow();
            if closed {
                return None;
            }
            tokio::select! {
                rung = at.bell.changed() => rung.ok()?,
                _ = at.closing.changed() => return None,
                () = tokio::time::sleep(at.house.quiet) => {
                    return Some((Ok(Bytes::from_static(quiet.as_bytes())), at));
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
