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

/// The body as it was before its `Content-Encoding`. A body that begins with the mark of gzip or zstd is
/// unpacked without the header, too: some SDKs forget it.
pub(super) fn unpack<'b>(
    body: &'b [u8],
    encoding: Option<&str>,
    most: usize,
) -> Result<Cow<'b, [u8]>, Unreadable> {
    let encoding = encoding.map(str::trim).unwrap_or_default().to_ascii_lowercase();
    let bare = encoding.is_empty() || encoding == "identity";
    let packed: Option<Box<dyn Read + '_>> =
        if matches!(encoding.as_str(), "gzip" | "x-gzip") || (bare && body.starts_with(&GZIP)) {
            Some(Box::new(flate2::read::MultiGzDecoder::new(body)))
        } else if encoding == "deflate" {
            Some(Box::new(flate2::read::ZlibDecoder::new(body)))
        } else if encoding == "zstd" || (bare && body.starts_with(&ZSTD)) {
            let decoder = ruzstd::decoding::StreamingDecoder::new(body);
            Some(Box::new(decoder.map_err(|_| Unreadable::Encoding("zstd".to_owned()))?))
        } else if bare {
            None
        } else {
            return Err(Unreadable::Encoding(encoding.chars().take(40).collect()));
        };
    let Some(packed) = packed else {
        return if body.len() > most { Err(Unreadable::TooLarge) } else { Ok(body.into()) };
    };
    let mut unpacked = Vec::new();
    // One byte more than allowed tells "at the bound" from "past it" without unpacking a bomb.
    let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    packed
        .take(limit)
        .read_to_end(&mut unpacked)
        .map_err(|_| Unreadable::Encoding(if encoding.is_empty() { "gzip".to_owned() } else { encoding }))?;
    if unpacked.len() > most { Err(Unreadable::TooLarge) } else { Ok(unpacked.into()) }
}

/// What gzip begins with.
const GZIP: [u8; 2] = [0x1f, 0x8b];
/// What zstd begins with.
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

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
        // `{}` as zstd 1.5.6 packs it, and as zlib does.
        let zstd = [0x28, 0xb5, 0x2f, 0xfd, 0x20, 0x02, 0x11, 0x00, 0x00, 0x7b, 0x7d];
        assert_eq!(unpack(&zstd, Some("zstd"), 2), Ok(b"{}"[..].into()));
        assert_eq!(unpack(&zstd, None, 2), Ok(b"{}"[..].into()));
        assert_eq!(unpack(&zstd, None, 1), Err(Unreadable::TooLarge));
        assert_eq!(unpack(&zstd[..7], Some("zstd"), 2), Err(Unreadable::Encoding("zstd".into())));
        assert_eq!(unpack(b"{}", Some("zstd"), 2), Err(Unreadable::Encoding("zstd".into())));
        let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        zlib.write_all(b"{}").unwrap();
        assert_eq!(unpack(&zlib.finish().unwrap(), Some("deflate"), 2), Ok(b"{}"[..].into()));
        assert_eq!(unpack(b"{}", Some("br"), 99), Err(Unreadable::Encoding("br".into())));
    }
}
