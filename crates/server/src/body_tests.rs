//! Server: bodies, in whatever pieces and however many at once.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::convert::Infallible;
use std::io;

use axum::body::Bytes;
use futures_util::{future, stream};
use proptest::prelude::*;

use super::*;

const LONG: Duration = Duration::from_secs(60);

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
        .block_on(work)
}

/// A body that comes in pieces, letting others go on between them.
fn body(bytes: &[u8], piece: usize) -> Body {
    let pieces: Vec<_> = bytes.chunks(piece.max(1)).map(Bytes::copy_from_slice).collect();
    Body::from_stream(stream::unfold(pieces.into_iter(), |mut left| async {
        tokio::task::yield_now().await;
        left.next().map(|piece| (Ok::<_, Infallible>(piece), left))
    }))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn what_is_held_at_once_is_never_more_than_there_is_room_for(
        sent in prop::collection::vec((0_usize..400, 1_usize..50), 1..30),
        space in 0_usize..2_000,
        most in 0_usize..500,
    ) {
        let room = Room::of(space);
        let bodies: Vec<Vec<u8>> =
            (0_u8..).zip(&sent).map(|(i, (length, _))| vec![i; *length]).collect();
        let reading = bodies.iter().zip(&sent).map(|(b, (_, piece))| read(body(b, *piece), most, &room, LONG));
        let came = run(future::join_all(reading));
        let held: usize = came.iter().flatten().map(|held| held.len()).sum();
        prop_assert_eq!(held + room.free(), space);
        for (body, came) in bodies.iter().zip(&came) {
            match came {
                Ok(held) => prop_assert_eq!(&held[..], &body[..]),
                Err(Unread::TooLarge) => prop_assert!(body.len() > most),
                Err(Unread::Full) => prop_assert!(!body.is_empty()),
                Err(other) => prop_assert!(false, "{:?}", other),
            }
        }
        let total: usize = bodies.iter().map(Vec::len).sum();
        if total <= space {
            let full = came.iter().any(|c| matches!(c, Err(Unread::Full)));
            prop_assert!(!full, "there was room for all");
        }
        drop(came);
        prop_assert_eq!(room.free(), space, "all of it is free again");
    }
}

#[test]
fn a_body_that_stops_coming_gives_its_room_back() {
    let room = Room::of(10);
    let begun = stream::iter([Ok::<_, Infallible>(Bytes::from_static(b"12345"))]);
    let stuck = Body::from_stream(begun.chain(stream::pending()));
    assert_eq!(run(read(stuck, 10, &room, LONG)).unwrap_err(), Unread::Slow);
    let broken = stream::iter([Ok(Bytes::from_static(b"12345")), Err(io::Error::other("gone"))]);
    assert_eq!(run(read(Body::from_stream(broken), 10, &room, LONG)).unwrap_err(), Unread::Broken);
    assert_eq!(room.free(), 10);
}
