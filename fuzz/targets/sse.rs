//! Fuzz: the stream that our provider follows. The first byte says where it is cut: the events are the same
//! wherever that is.
#![no_main]
#![allow(unreachable_pub, dead_code)]

use libfuzzer_sys::{Corpus, fuzz_target};

#[path = "../../libs/provider/src/sse.rs"]
mod sse;

fuzz_target!(|bytes: &[u8]| -> Corpus {
    let Some((first, stream)) = bytes.split_first() else { return Corpus::Reject };
    let whole = sse::Parser::default().feed(stream);
    let mut parser = sse::Parser::default();
    let parts = stream.chunks(usize::from(*first) + 1).map(|part| parser.feed(part));
    let parts: Result<Vec<_>, _> = parts.collect();
    assert_eq!(parts.map(|parts| parts.concat()), whole);
    Corpus::Keep
});
