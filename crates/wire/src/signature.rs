//! What an agent signs on every request, and the headers that carry it. The signing itself stands at the two ends.

/// Header with the agent's id ([`crate::Subject`] as text).
pub const AGENT_HEADER: &str = "platen-agent";
/// Header with the time of signing, milliseconds since 1970; the server allows five minutes either way.
pub const TIME_HEADER: &str = "platen-time";
/// Header with the Ed25519 signature in base64url.
pub const SIGNATURE_HEADER: &str = "platen-signature";
/// How far the sender's clock may be off, milliseconds.
pub const CLOCK_TOLERANCE_MS: i64 = 5 * 60 * 1_000;

/// A signature as its header carries it: base64url without padding.
pub fn to_text(signature: &[u8]) -> String {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    URL_SAFE_NO_PAD.encode(signature)
}

/// The bytes under the signature: method, path with query, time and the SHA-256 of the body, a line each.
pub fn signing_input(method: &str, path: &str, time_ms: i64, body_sha256: &[u8; 32]) -> Vec<u8> {
    let mut input = format!("platen-v1\n{method}\n{path}\n{time_ms}\n").into_bytes();
    input.extend_from_slice(body_sha256);
    input
}
