//! Fuzz: the rules as they travel: a line with a document, and after it a context as JSON. What is read is
//! written and read again to the same, and both compile to rules that answer alike and explain what they answer.
#![no_main]

use std::sync::Arc;

use bellwether_flags::{Document, Ids};
use bellwether_model::{Context, Json, ListId};
use libfuzzer_sys::{Corpus, fuzz_target};

/// A list that is not in the document: some have it, some have it not.
fn apart(id: &ListId) -> Option<Arc<Ids>> {
    (!id.0.ends_with('x')).then(|| Arc::new(Ids::new(["user-1", id.0.as_str()])))
}

fuzz_target!(|bytes: &[u8]| -> Corpus {
    let mut lines = bytes.splitn(2, |byte| *byte == b'\n');
    let Ok(document) = Document::parse(lines.next().unwrap_or_default()) else { return Corpus::Reject };
    let written = document.to_json().expect("what was read can be written");
    let again = Document::parse(written.as_bytes()).expect("what was written can be read");
    assert_eq!(again, document);
    let attributes = serde_json::from_slice(lines.next().unwrap_or_default());
    let mut attributes: serde_json::Map<String, Json> = attributes.unwrap_or_default();
    let key = attributes.remove("targetingKey");
    let context = Context::new(key.as_ref().and_then(Json::as_str), attributes);
    let (rules, others) = (document.compile(&apart), again.compile(&apart));
    assert_eq!(rules.is_ok(), others.is_ok());
    let (Ok(rules), Ok(others)) = (rules, others) else { return Corpus::Keep };
    assert_eq!(rules.etag(), others.etag());
    for flag in rules.keys() {
        let answer = rules.evaluate(flag.as_str(), &context).expect("a flag that is there is answered");
        let other = others.evaluate(flag.as_str(), &context).expect("and so it is by the other");
        let explained = rules.explain(flag.as_str(), &context).expect("and explained");
        assert_eq!((answer.variant, &answer.reason), (other.variant, &other.reason));
        assert_eq!((answer.variant, &answer.reason), (&explained.variant, &explained.reason));
    }
    Corpus::Keep
});
