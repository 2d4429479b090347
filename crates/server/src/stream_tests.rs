//! Server: streams, byte for byte, without waiting for the silence that a client would.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use bellwether_app::{App, Settings};
use bellwether_model::Millis;
use futures_util::StreamExt;

use super::*;
use crate::{Bell, Clock};

const NOW: Millis = Millis(1_790_000_000_000);

static WORDS: Words =
    Words { tag: |served| &served.tag, say: |_| "data: []\n\n".to_owned(), quiet: "data:  \n\n" };
static OTHERS: Words =
    Words { tag: |served| &served.tag, say: |served| served.tag.clone(), quiet: ": quiet\n\n" };

/// The first chunks of a stream on which nothing happens.
fn silence(first: bool, words: &'static Words, chunks: usize) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    let (app, _) = App::open(Settings::new(dir.path(), Box::new(|| {})), NOW).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let mut house =
            House::open(Arc::new(app), Bell::new(), Clock::manual(NOW), &crate::Limits::default());
        house.quiet = Duration::from_millis(1);
        let environment: bellwether_model::EnvironmentKey = "production".parse().unwrap();
        let knows = (!first).then(|| house.app.served(&environment).unwrap().tag.clone());
        let response = events(&house, environment, Actor::System, knows, words);
        assert_eq!(response.headers()["content-type"], "text/event-stream; charset=utf-8");
        assert_eq!(response.headers()["cache-control"], "no-cache, no-transform");
        let mut body = response.into_body().into_data_stream();
        let mut said = Vec::new();
        while said.len() < chunks {
            said.push(String::from_utf8(body.next().await.unwrap().unwrap().to_vec()).unwrap());
        }
        house.close();
        // What was on its way may still come; then it ends.
        while let Some(Ok(chunk)) = body.next().await {
            assert_eq!(chunk, words.quiet.as_bytes());
        }
        house.settle();
        said
    })
}

#[test]
fn a_silent_stream_says_that_it_lives() {
    assert_eq!(silence(false, &OTHERS, 3), [": connected\n\n", ": quiet\n\n", ": quiet\n\n"]);
    assert_eq!(silence(true, &WORDS, 3), ["data: []\n\n", "data:  \n\n", "data:  \n\n"]);
}

#[test]
fn what_is_said_of_a_snapshot_is_made_once_for_each_kind_and_forgotten_with_it() {
    let snapshot = || {
        let dir = tempfile::tempdir().unwrap();
        let (app, _) = App::open(Settings::new(dir.path(), Box::new(|| {})), NOW).unwrap();
        app.served(&"production".parse().unwrap()).unwrap()
    };
    let said = Said::default();
    let (one, other) = (snapshot(), snapshot());
    let first = said.of(&WORDS, &one);
    let check = |words, of, same: bool| {
        assert_eq!(said.of(words, of).as_ptr() == first.as_ptr(), same);
    };
    check(&WORDS, &one, true);
    check(&OTHERS, &one, false);
    check(&WORDS, &other, false);
    check(&WORDS, &one, true);
    drop(one);
    said.of(&OTHERS, &other);
    assert_eq!(said.0.lock().unwrap().len(), 2, "two kinds, one snapshot");
}
