//! Signatures (Standard Webhooks 1.0), pauses between tries, and which events a webhook wants.

use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::error::{Error, Result};
use crate::platform::Ids;
use crate::secrets::Secret;

const SECOND: i64 = 1_000_000;
const HOUR: i64 = 3_600 * SECOND;
/// Pauses after each failure, as the standard proposes: about three days in all.
const PAUSES: [i64; 9] =
    [5 * SECOND, 300 * SECOND, 1_800 * SECOND, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR];
/// A webhook that fails for so long is disabled, µs: five days.
pub(super) const DISABLE_AFTER: i64 = 120 * HOUR;
const PREFIX: &str = "whsec_";
const MOST_TYPES: usize = 50;

/// Pause after `tries` failed tries, µs; `None`: given up. Longer by up to a tenth by `chance`.
pub(super) fn pause(tries: i64, chance: u32) -> Option<i64> {
    let at = usize::try_from(tries.saturating_sub(1)).ok()?;
    PAUSES.get(at).map(|pause| pause + pause / 10 * i64::from(chance) / i64::from(u32::MAX))
}

/// A new secret: 256 random bits in base64 after `whsec_`.
pub(super) fn secret(ids: &dyn Ids) -> Secret {
    let mut bytes = [0; 32];
    ids.random(&mut bytes);
    Secret::new(format!("{PREFIX}{}", STANDARD.encode(bytes)))
}

/// Value of `webhook-signature`: one signature for each secret, the newest first.
pub(super) fn signature(secrets: &[Secret], id: &str, seconds: i64, body: &str) -> Result<String> {
    let signed = format!("{id}.{seconds}.{body}");
    let mut all = Vec::new();
    for secret in secrets {
        let key = secret.expose().strip_prefix(PREFIX).and_then(|key| STANDARD.decode(key).ok());
        let key = key.ok_or_else(|| Error::internal("a webhook's secret is none"))?;
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), signed.as_bytes());
        all.push(format!("v1,{}", STANDARD.encode(tag.as_ref())));
    }
    Ok(all.join(" "))
}

/// Whether a webhook that wants `types` wants this one.
pub(super) fn wants(types: &[String], kind: &str) -> bool {
    types.is_empty()
        || types.iter().any(|wanted| match wanted.strip_suffix('*') {
            Some(head) => kind.starts_with(head),
            None => wanted == kind,
        })
}

/// Types as people write them: words with points, `*` at the end for all that begin so.
pub(super) fn types(given: &[String]) -> Result<Vec<String>> {
    let mut all: Vec<String> = given.iter().map(|t| t.trim().to_owned()).filter(|t| !t.is_empty()).collect();
    let word = |c: u8| c.is_ascii_lowercase() || c == b'_' || c == b'.';
    let fits = |text: &String| text.len() <= 60 && text.strip_suffix('*').unwrap_or(text).bytes().all(word);
    if all.len() > MOST_TYPES || !all.iter().all(fits) {
        return Err(Error::invalid("types", "types are written as incident.opened or device.*, at most 50 of them"));
    }
    all.sort();
    all.dedup();
    if all.iter().any(|t| t == "*") {
        all.clear();
    }
    Ok(all)
}

/// An address that events may go to, by its form; where it leads is checked when something is sent.
pub(super) fn url(text: &str) -> Result<String> {
    let text = text.trim();
    let fail = || Error::invalid("url", "a webhook is at an address as https://hooks.example.com/platen");
    let lower = text.to_ascii_lowercase();
    let rest = lower.strip_prefix("https://").or_else(|| lower.strip_prefix("http://")).ok_or_else(fail)?;
    let host = rest.split(['/', '?']).next().unwrap_or_default();
    let plain = text.len() <= 1_000 && text.bytes().all(|b| b.is_ascii_graphic() && !b"<>\"\\^`{|}#".contains(&b));
    if !plain || host.is_empty() || host.contains('@') {
        return Err(fail());
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification.
    #[test]
    fn a_signature_is_that_of_the_standard() {
        let secret = Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let body = r#"{"test": 2432232314}"#;
        let signature = signature(&[secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body).unwrap();
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn types_are_whole_or_by_their_beginning() {
        let types = types(&["incident.*".into(), "recipient.suspended".into(), " ".into()]).unwrap();
        for (kind, wanted) in [("incident.opened", true), ("recipient.suspended", true), ("device.moved", false)] {
            assert_eq!(wants(&types, kind), wanted, "{kind}");
        }
        assert!(wants(&[], "anything.at.all"));
        assert!(super::types(&["Incident".into()]).is_err());
    }

    #[test]
    fn addresses_carry_no_names_and_no_other_scheme() {
        assert!(url("https://hooks.example.com/a?b=c").is_ok());
        for bad in ["ftp://x/", "https://user@x/", "https:///x", "https://x/#f", "https://x/ y", ""] {
            assert!(url(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn tries_last_about_three_days() {
        let all: i64 = (1..).map_while(|tries| pause(tries, 0)).sum();
        assert!((72 * HOUR..84 * HOUR).contains(&all), "{}", all / HOUR);
    }
}
