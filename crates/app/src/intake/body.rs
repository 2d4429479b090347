//! App intake: request bodies, unpacked within a bound.

use std::borrow::Cow;
use std::io::Read;

/// Why a body cannot be read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// More than the bound, packed or unpacked.
    TooLarge,
    /// Not what its encoding says.
    Encoding(String),
}

/// The body as it was before its `Content-Encoding`. A body that begins with gzip's mark is unpacked
/// whatever the header says: some SDKs forget the header.
pub(super) fn unpack<'b>(
    body: &'b [u8],
    encoding: Option<&str>,
    most: usize,
) -> Result<Cow<'b, [u8]>, Unreadable> {
    let encoding = encoding.map(str::trim).unwrap_or_default();
    let marked = body.starts_with(&[0x1f, 0x8b]);
    if encoding.eq_ignore_ascii_case("gzip") || (encoding.is_empty() && marked) {
        let mut unpacked = Vec::new();
        // One byte more than allowed tells "at the bound" from "past it" without unpacking a bomb.
        let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
        flate2::read::MultiGzDecoder::new(body)
            .take(limit)
            .read_to_end(&mut unpacked)
            .map_err(|_| Unreadable::Encoding("gzip".to_owned()))?;
        return if unpacked.len() > most { Err(Unreadable::TooLarge) } else { Ok(unpacked.into()) };
    }
    if !(encoding.is_empty() || encoding.eq_ignore_ascii_case("identity")) {
        return Err(Unreadable::Encoding(encoding.chars().take(40).collect()));
    }
    if body.len() > most { Err(Unreadable::TooLarge) } else { Ok(body.into()) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::io::Write;

    fn packed(body: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(body).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn a_body_is_unpacked_within_its_bound() {
        assert_eq!(unpack(b"{}", None, 2), Ok(b"{}"[..].into()));
        assert_eq!(unpack(b"{} ", None, 2), Err(Unreadable::TooLarge));
        assert_eq!(unpack(&packed(b"{}"), Some("gzip"), 2), Ok(b"{}"[..].into()));
        assert_eq!(unpack(&packed(b"{}"), None, 2), Ok(b"{}"[..].into()));
        assert_eq!(unpack(&packed(&[b' '; 100_000]), Some("gzip"), 99_999), Err(Unreadable::TooLarge));
        assert_eq!(unpack(b"{}", Some("gzip"), 99), Err(Unreadable::Encoding("gzip".into())));
        assert_eq!(unpack(b"{}", Some("br"), 99), Err(Unreadable::Encoding("br".into())));
    }
}
