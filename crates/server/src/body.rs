//! Server: request bodies, read within bounds. One is bounded in its size and its time, and all that are
//! held at once in their bytes. Events have a room of their own: a flood of them keeps nobody from
//! switching a flag.

use std::future::Future;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::response::{IntoResponse, Response};
use bellwether_app::{AppError, Door, Refusal};
use futures_util::StreamExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::house::House;
use crate::problem::Problem;

/// The largest body of anything but events.
pub(crate) const MOST_BYTES: usize = 1 << 20;
/// The largest text that an operation takes as its body: a million ids with room to spare.
const MOST_TEXT_BYTES: usize = 64 << 20;
/// The largest body of events, one byte past what is taken: `app` says what is too large for which door.
const MOST_EVENT_BYTES: usize = Door::MOST_BYTES + 1;

/// So much of a body is read for nothing before it is answered that it is too large: a client that is
/// answered while it writes sees a broken connection and not the answer.
const MOST_DISCARDED: usize = 32 << 20;

/// Room for the bytes of bodies that are held at once. A clone is the same room.
#[derive(Debug, Clone)]
pub struct Room {
    /// A permit is a byte.
    bytes: Arc<Semaphore>,
}

impl Room {
    /// Room for so many bytes.
    #[must_use]
    pub fn of(bytes: usize) -> Self {
        Self { bytes: Arc::new(Semaphore::new(bytes.min(Semaphore::MAX_PERMITS))) }
    }

    /// How many bytes could be held beside those that are held now.
    #[must_use]
    pub fn free(&self) -> usize {
        self.bytes.available_permits()
    }

    pub(crate) fn take(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.bytes).try_acquire_many_owned(u32::try_from(bytes).ok()?).ok()
    }
}

/// Bytes that came, and the room that they take until this is dropped.
#[derive(Debug, Default)]
pub(crate) struct Held {
    bytes: Vec<u8>,
    room: Option<OwnedSemaphorePermit>,
}

impl Deref for Held {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Why there is no body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unread {
    /// It is larger than what is taken.
    TooLarge,
    /// It ended before it was whole.
    Broken,
    /// It took too long.
    Slow,
    /// Others hold all the room.
    Full,
}

impl From<Unread> for AppError {
    fn from(unread: Unread) -> Self {
        match unread {
            Unread::TooLarge => Self::new(
                Refusal::TooLarge,
                "too_large",
                "the body is larger than what is taken here",
                "send less at once, at most 1 MB",
            ),
            Unread::Broken => Self::bad_input("the body ended before it was whole", "send it again"),
            Unread::Slow => Self::new(
                Refusal::Slow,
                "slow",
                "the body took too long to come",
                "send it again, or less at once",
            ),
            Unread::Full => Self::new(
                Refusal::Unavailable,
                "unavailable",
                "more is being sent at once than there is room for",
                "send it again in a moment; nothing of this request was done",
            ),
        }
    }
}

impl IntoResponse for Unread {
    fn into_response(self) -> Response {
        Problem(self.into()).into_response()
    }
}

/// Reads a body of at most so many bytes. Room is taken for what has come, not for what was announced:
/// who announces much and sends little holds nothing.
async fn read(body: Body, most: usize, room: &Room, time: Duration) -> Result<Held, Unread> {
    let mut held = Held::default();
    let mut refused = None;
    let mut came = 0_usize;
    let reading = async {
        let mut chunks = body.into_data_stream();
        while let Some(chunk) = chunks.next().await {
            let Ok(chunk) = chunk else { return Err(Unread::Broken) };
            came = came.saturating_add(chunk.len());
            if came > most && refused.is_none() {
                held = Held::default();
                refused = Some(Unread::TooLarge);
            }
            if let Some(refused) = refused {
                if came > most.saturating_add(MOST_DISCARDED) {
                    return Err(refused);
                }
                continue;
            }
            match room.take(chunk.len()) {
                Some(more) => {
                    match &mut held.room {
                        Some(room) => room.merge(more),
                        none => *none = Some(more),
                    }
                    held.bytes.extend_from_slice(&chunk);
                }
                None => {
                    held = Held::default();
                    refused = Some(Unread::Full);
                }
            }
        }
        refused.map_or(Ok(()), Err)
    };
    match tokio::time::timeout(time, reading).await {
        Ok(read) => read.map(|()| held),
        Err(_) => Err(Unread::Slow),
    }
}

/// The whole body of anything but events.
#[derive(Debug)]
pub(crate) struct Whole(pub(crate) Held);

impl FromRequest<House> for Whole {
    type Rejection = Problem;

    fn from_request(request: Request, house: &House) -> impl Future<Output = Result<Self, Problem>> + Send {
        let (room, time) = (house.limits.bodies.clone(), house.limits.body_time);
        async move {
            read(request.into_body(), MOST_BYTES, &room, time).await.map(Self).map_err(|e| Problem(e.into()))
        }
    }
}

/// The whole body of a call that is a long text. It is held in the room of events: a few of them keep nobody
/// from switching a flag.
#[derive(Debug)]
pub(crate) struct Long(pub(crate) Held);

impl FromRequest<House> for Long {
    type Rejection = Problem;

    fn from_request(request: Request, house: &House) -> impl Future<Output = Result<Self, Problem>> + Send {
        let (room, time) = (house.limits.events.clone(), house.limits.body_time);
        async move {
            let read = read(request.into_body(), MOST_TEXT_BYTES, &room, time).await;
            read.map(Self).map_err(|unread| match unread {
                Unread::TooLarge => Problem(AppError::new(
                    Refusal::TooLarge,
                    "too_large",
                    "the text is larger than what is taken here",
                    "send at most 64 MB, a million ids",
                )),
                other => Problem(other.into()),
            })
        }
    }
}

/// The whole body of a request that brings events.
#[derive(Debug)]
pub(crate) struct Events(pub(crate) Held);

impl FromRequest<House> for Events {
    type Rejection = Unread;

    fn from_request(request: Request, house: &House) -> impl Future<Output = Result<Self, Unread>> + Send {
        let (room, time) = (house.limits.events.clone(), house.limits.body_time);
        async move { read(request.into_body(), MOST_EVENT_BYTES, &room, time).await.map(Self) }
    }
}

#[cfg(test)]
#[path = "body_tests.rs"]
mod tests;

/// Bytes of a context from which on what is made of it may take long.
const LARGE: usize = 16 << 10;

/// Does what a request asks for in place; where its body is large, beside the threads that serve others, so that
/// a few such requests hold nobody up.
pub(crate) fn in_place<T>(body: usize, work: impl FnOnce() -> T) -> T {
    if body < LARGE { work() } else { tokio::task::block_in_place(work) }
}
