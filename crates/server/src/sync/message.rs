//! Server: the messages of `flagd.sync.v1` and how gRPC frames them: a byte that says whether the message
//! is compressed, its length in four bytes, and the message.

use std::sync::Arc;

use axum::body::Bytes;
use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint};

use super::status::Status;

/// `SyncFlagsRequest` and `FetchAllFlagsRequest`, which are alike; `GetMetadataRequest` is empty and reads
/// as one of them.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Asked {
    /// Providers leave it empty.
    #[prost(string, tag = "1")]
    pub(super) provider_id: String,
    /// Deprecated for the header `flagd-selector`, and the only one that some providers send.
    #[prost(string, tag = "2")]
    pub(super) selector: String,
}

impl Asked {
    /// Reads the one message of a call.
    pub(super) fn read(body: &[u8]) -> Result<Self, Status> {
        let unread = |why: &str| Status::invalid(format!("the message cannot be read: {why}"));
        let Some((head, message)) = body.split_first_chunk::<5>() else {
            return Err(unread("it is shorter than its frame"));
        };
        let [compressed, length @ ..] = *head;
        if compressed != 0 {
            return Err(Status::compressed());
        }
        if usize::try_from(u32::from_be_bytes(length)) != Ok(message.len()) {
            return Err(unread("its length is not what its frame says"));
        }
        Self::decode(message).map_err(|e| unread(&e.to_string()))
    }
}

/// `GetMetadataResponse { metadata: {} }`, framed. The field is there because the Python provider reads it
/// without asking.
pub(super) const METADATA: &[u8] = &[0, 0, 0, 0, 2, 0x12, 0x00];

/// `SyncFlagsResponse { flag_configuration }`, which is `FetchAllFlagsResponse` too, framed: what comes
/// before the document, and the document itself, which is not copied.
pub(super) fn document(text: &Arc<str>) -> [Bytes; 2] {
    struct Shared(Arc<str>);
    impl AsRef<[u8]> for Shared {
        fn as_ref(&self) -> &[u8] {
            self.0.as_bytes()
        }
    }
    let mut field = Vec::with_capacity(12);
    encode_key(1, WireType::LengthDelimited, &mut field);
    encode_varint(text.len() as u64, &mut field);
    // A document has 4 MB at most.
    let length = u32::try_from(field.len() + text.len()).unwrap_or(u32::MAX);
    let mut head = Vec::with_capacity(16);
    head.push(0);
    head.extend(length.to_be_bytes());
    head.extend(field);
    [head.into(), Bytes::from_owner(Shared(Arc::clone(text)))]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use proptest::prelude::*;

    /// As the protocol's own definition has it.
    #[derive(Clone, PartialEq, Message)]
    struct SyncFlagsResponse {
        #[prost(string, tag = "1")]
        flag_configuration: String,
    }

    fn framed(message: &[u8]) -> Vec<u8> {
        let mut all = vec![0];
        all.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
        all.extend(message);
        all
    }

    #[test]
    fn a_call_that_is_cut_or_squeezed_is_refused() {
        let check = |body: &[u8], code: u8, said: &str| {
            let status = Asked::read(body).unwrap_err();
            assert!(status.code() == code && status.message().contains(said), "{status:?}");
        };
        check(&[], 3, "shorter than its frame");
        check(&[0, 0, 0, 0], 3, "shorter than its frame");
        check(&[0, 0, 0, 0, 9, 1], 3, "its length is not what its frame says");
        check(&[1, 0, 0, 0, 0], 12, "compressed");
        check(&framed(&[0x12, 5, b'a']), 3, "cannot be read");
        check(&framed(&[0x12, 1, 0xff]), 3, "cannot be read");
    }

    #[test]
    fn metadata_is_an_empty_struct() {
        #[derive(Clone, PartialEq, Message)]
        struct Struct {}
        #[derive(Clone, PartialEq, Message)]
        struct GetMetadataResponse {
            #[prost(message, optional, tag = "2")]
            metadata: Option<Struct>,
        }
        let said = GetMetadataResponse { metadata: Some(Struct {}) };
        assert_eq!(METADATA, framed(&said.encode_to_vec()));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        // A document is never empty; of an empty text prost writes no field at all.
        fn a_document_is_framed_as_its_message(text in prop_oneof!["\\PC{1,300}", "a{16000,17000}"]) {
            let message = SyncFlagsResponse { flag_configuration: text.clone() };
            prop_assert_eq!(document(&text.into()).concat(), framed(&message.encode_to_vec()));
        }

        #[test]
        fn what_is_asked_is_read(provider_id in "\\PC{0,20}", selector in "\\PC{0,200}") {
            let asked = Asked { provider_id, selector };
            prop_assert_eq!(Asked::read(&framed(&asked.encode_to_vec())).unwrap(), asked);
        }

        #[test]
        fn nothing_that_is_sent_makes_it_panic(body in prop::collection::vec(any::<u8>(), 0..60)) {
            let _: Result<Asked, Status> = Asked::read(&body);
        }
    }
}
