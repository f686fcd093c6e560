//! Who sends: Ed25519 over method, path, time and body. Every cause of a refusal costs the same work and reads alike.

use aws_lc_rs::{
    digest::{SHA256, digest},
    signature::{ED25519, UnparsedPublicKey},
};
use axum::http::{HeaderMap, request::Parts};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use platen_core::{Ctx, Platform, agents::PublicKey, monitors};
use wire::{
    Subject,
    signature::{AGENT_HEADER, CLOCK_TOLERANCE_MS, SIGNATURE_HEADER, TIME_HEADER, signing_input},
};

use crate::reply::Refusal;

/// A valid public key that nobody holds the other half of: what requests of unknown senders are checked against,
/// so that they take as long as those of known ones. (The generator of RFC 8032, §5.1.)
const NOBODY: [u8; 32] = {
    let mut key = [0x66; 32];
    key[0] = 0x58;
    key
};

/// What the headers claim.
struct Claim {
    sender: Subject,
    time_ms: i64,
    signature: Vec<u8>,
}

impl Claim {
    fn read(headers: &HeaderMap) -> Option<Self> {
        let text = |name: &str| headers.get(name)?.to_str().ok();
        Some(Self {
            sender: Subject::from_text(text(AGENT_HEADER)?)?,
            time_ms: text(TIME_HEADER)?.parse().ok()?,
            signature: URL_SAFE_NO_PAD.decode(text(SIGNATURE_HEADER)?).ok()?,
        })
    }

    fn proves(&self, platform: &Platform, head: &Parts, body: &[u8], key: &[u8]) -> bool {
        let path = head.uri.path_and_query().map_or("/", |p| p.as_str());
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, body).as_ref());
        let input = signing_input(head.method.as_str(), path, self.time_ms, &hash);
        let signed = UnparsedPublicKey::new(&ED25519, key).verify(&input, &self.signature).is_ok();
        let in_time = (now_ms(platform) - i128::from(self.time_ms)).abs() <= i128::from(CLOCK_TOLERANCE_MS);
        signed && in_time
    }
}

/// The sender with its context, once it has proved who it is.
pub(crate) async fn authenticate(platform: &Platform, head: &Parts, body: &[u8]) -> Result<(Subject, Ctx), Refusal> {
    let claim =
        Claim::read(&head.headers).unwrap_or(Claim { sender: Subject([0; 16]), time_ms: 0, signature: vec![0; 64] });
    let known = sender(platform, claim.sender).await.map_err(|e| crate::agent_rpc::refusal(&e))?;
    let key = known.as_ref().map_or(&NOBODY, |(key, _)| &key.0);
    let proved = claim.proves(platform, head, body, key);
    match known {
        Some((_, ctx)) if proved => Ok((claim.sender, ctx)),
        _ => Err(Refusal::Forbidden),
    }
}

/// Whether a request is signed with `key`, which it may itself have brought.
pub(crate) fn proves(platform: &Platform, head: &Parts, body: &[u8], key: &[u8]) -> bool {
    Claim::read(&head.headers).is_some_and(|claim| claim.proves(platform, head, body, key))
}

/// The key of an agent or of a registered device.
async fn sender(platform: &Platform, sender: Subject) -> platen_core::Result<Option<(PublicKey, Ctx)>> {
    monitors::key_of_sender(platform, sender).await
}

fn now_ms(platform: &Platform) -> i128 {
    i128::from(crate::server_ms(platform))
}
