//! From bytes to a document: decompression under a cap, then one of the two twins. Never more memory than was granted.

use std::borrow::Cow;

use axum::http::{HeaderMap, header};
use bytes::Bytes;
use serde::de::DeserializeOwned;
use wire::{Received, cbor, packing};

use crate::{
    limits::Limits,
    reply::{Refusal, Twin},
};

/// The twin that the headers speak of.
pub(crate) fn twin_of(headers: &HeaderMap) -> Result<Twin, Refusal> {
    let value = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or(cbor::CBOR);
    Twin::of_media_type(value).ok_or(Refusal::UnknownFormat)
}

/// The content of a body, decompressed if its headers say so.
pub(crate) fn open<'a>(headers: &HeaderMap, body: &'a [u8], limits: &Limits) -> Result<Cow<'a, [u8]>, Refusal> {
    match headers.get(header::CONTENT_ENCODING).map(|v| v.as_bytes()) {
        None | Some(b"identity") => Ok(body.into()),
        Some(b"zstd") => inflate(body, limits).map(Into::into),
        Some(_) => Err(Refusal::UnknownFormat),
    }
}

fn inflate(body: &[u8], limits: &Limits) -> Result<Vec<u8>, Refusal> {
    let most = limits.content_bytes.min(body.len().saturating_mul(limits.ratio).max(Limits::RATIO_FREE));
    packing::unpack_all(body, most).map_err(|error| match error {
        packing::Error::TooLarge(budget) => Refusal::TooLarge { budget },
        packing::Error::Broken => Refusal::Malformed { offset: None, detail: error.to_string() },
    })
}

/// A report with the bytes of its messages as they came.
pub(crate) fn read(twin: Twin, headers: &HeaderMap, body: &Bytes, limits: &Limits) -> Result<Received, Refusal> {
    let content = open(headers, body, limits)?;
    if twin == Twin::Json {
        return decode::<wire::Report>(twin, &content).map(Into::into);
    }
    let length = content.len();
    let received = match content {
        Cow::Borrowed(_) => Received::read(body.clone()),
        Cow::Owned(content) => Received::read_packed(content.into(), body.clone()),
    };
    received.map_err(|error| cbor_refusal(&error, length))
}

/// Reads one document in the given twin.
pub(crate) fn decode<T>(twin: Twin, content: &[u8]) -> Result<T, Refusal>
where
    T: DeserializeOwned + for<'b> minicbor::Decode<'b, ()>,
{
    match twin {
        Twin::Cbor => cbor::decode(content).map_err(|e| cbor_refusal(&e, content.len())),
        Twin::Json => serde_json::from_slice(content).map_err(|e| Refusal::Malformed {
            offset: Some(offset_of(content, e.line(), e.column())),
            detail: e.to_string(),
        }),
    }
}

fn cbor_refusal(error: &cbor::Error, length: usize) -> Refusal {
    let offset = match error {
        cbor::Error::Shape(e) => e.position(),
        cbor::Error::Trailing(left) => Some(length - left),
    };
    Refusal::Malformed { offset, detail: error.to_string() }
}

/// Bytes before line and column as serde_json counts them, both from 1.
fn offset_of(content: &[u8], line: usize, column: usize) -> usize {
    let before: usize = content.split_inclusive(|b| *b == b'\n').take(line.saturating_sub(1)).map(<[u8]>::len).sum();
    (before + column.saturating_sub(1)).min(content.len())
}

/// A report that is a report: version 1, 1..=512 messages.
pub(crate) fn check(report: &wire::Report) -> Result<(), Refusal> {
    let wrong = |detail: String| Err(Refusal::Malformed { offset: None, detail });
    match report.messages.len() {
        _ if report.version != 1 => wrong(format!("version {} is not known here", report.version)),
        0 => wrong("a report without messages".into()),
        n if n > wire::report::MAX_MESSAGES => wrong(format!("{n} messages; at most {}", wire::report::MAX_MESSAGES)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn zstd_headers() -> HeaderMap {
        HeaderMap::from_iter([(header::CONTENT_ENCODING, HeaderValue::from_static("zstd"))])
    }

    #[test]
    fn a_bomb_is_stopped_at_its_ratio_and_at_the_budget() {
        let limits = Limits::default();
        let small_bomb = zstd::encode_all(&vec![0; 4 << 20][..], 19).unwrap();
        assert!(small_bomb.len() < 1_000);
        let refused = open(&zstd_headers(), &small_bomb, &limits);
        assert!(matches!(refused, Err(Refusal::TooLarge { .. })), "{refused:?}");
        let noise: Vec<u8> = (0..12_u32 << 20).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8 & 0x3f).collect();
        let large = zstd::encode_all(&noise[..], 1).unwrap();
        assert_eq!(open(&zstd_headers(), &large, &limits), Err(Refusal::TooLarge { budget: limits.content_bytes }));
    }

    #[test]
    fn honest_compression_passes_and_half_a_frame_does_not() {
        let text = b"tray tray tray ".repeat(2_000);
        let packed = zstd::encode_all(&text[..], 3).unwrap();
        assert_eq!(open(&zstd_headers(), &packed, &Limits::default()).unwrap(), text);
        let half = open(&zstd_headers(), &packed[..packed.len() / 2], &Limits::default());
        assert!(matches!(half, Err(Refusal::Malformed { .. })));
    }

    #[test]
    fn a_mistake_is_told_with_its_place() {
        let report = wire::Report {
            version: 1,
            sender: wire::Subject([7; 16]),
            epoch: 1,
            clock_ms: 0,
            mono_ms: 0,
            messages: Vec::new(),
            plan_revision: 0,
        };
        let mut bytes = cbor::encode(&report);
        let end = bytes.len();
        bytes.push(0);
        let place = |twin, bytes: &[u8]| match decode::<wire::Report>(twin, bytes) {
            Err(Refusal::Malformed { offset, .. }) => offset,
            other => panic!("{other:?}"),
        };
        assert_eq!(place(Twin::Cbor, &bytes), Some(end));
        assert_eq!(place(Twin::Json, b"{\n \"version\": x }"), Some(14));
        assert!(place(Twin::Cbor, &[0xa1, 1, 0xff]).is_some());
    }

    #[test]
    fn deep_nesting_ends_as_a_refusal() {
        let mut cbor_nest = vec![0xa1, 0x18, 0x63];
        cbor_nest.extend(std::iter::repeat_n(0x81, 1 << 20));
        assert!(decode::<wire::Report>(Twin::Cbor, &cbor_nest).is_err());
        let json_nest = format!("{{\"x\":{}", "[".repeat(1 << 20));
        assert!(decode::<wire::Report>(Twin::Json, json_nest.as_bytes()).is_err());
    }
}
