//! The communication test that comes by mail: the envelope names its key by itself, a registered pair of addresses and the
//! code of an activation document say whose it is, and the epoch says whether it is old.

use std::cell::Cell;
use std::sync::Arc;

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use store::{View, params};
use wire::cbor;
use wire::hello::Hello;
use wire::sealed::{self, Addresses, Algorithm, Claims, Content, Header};

use super::hello::{self, Told, Unit, Way};
use super::keys::{self, Ring};
use super::{MonitorId, mail, sql};
use crate::error::{Error, Kind, Result};
use crate::platform::Platform;
use crate::secrets::hash_of;
use crate::time::Micros;

const REASON: &str = "mail, before it is known whose";
/// A line for people: what they do about it.
const OLD: &str = "an old activation document: make a new one";

/// What became of a test by mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Posted {
    /// The device is active by it, from now on or since it first came.
    Active,
    /// It is not heard; a line in the list of those who were refused says why.
    Refused,
    /// It names another device than the one whose addresses it bears.
    OfAnother,
}

/// The address that the device of `address` writes to, when its test by mail is awaited: an activation document was made
/// for it and has not been used. `None` for addresses of nobody, and for devices that owe no test.
///
/// # Errors
/// When the database refuses.
pub async fn awaited(platform: &Platform, address: &str) -> Result<Option<Arc<str>>> {
    let mut tx = platform.db().read(&View::All(REASON)).await?;
    let row = tx.query_opt(&sql::AWAITED, &params![address.to_ascii_lowercase(), platform.now()]).await?;
    row.map(|row| Ok(row.get::<String>(0)?.into())).transpose()
}

/// Opens the test in a mail from `from` to `to` with the mark `header`, and lets it take effect as one by HTTPS would, but
/// with the epoch that the device says. A test that came before has no second effect. `peer` is whoever brought the mail.
///
/// # Errors
/// `Forbidden` for an envelope that does not fit, with the reason for logs; `Invalid` for what is inside; `Unavailable` when
/// the database cannot tell now.
pub async fn hello_by_mail(
    platform: &Platform,
    (from, to): (&str, &str),
    header: &Header,
    envelope: &[u8],
    peer: &str,
) -> Result<Posted> {
    let mut tx = platform.db().read(&View::All(REASON)).await?;
    let pair = tx.query_opt(&sql::PAIR, &params![from.to_ascii_lowercase()]).await?;
    drop(tx);
    let pair = pair.ok_or_else(|| unfit("its sender is not registered"))?;
    let (monitor, server): (MonitorId, String) = (pair.get(0)?, pair.get(1)?);
    let own: (String, String) = (pair.get(2)?, pair.get(3)?);
    if !server.eq_ignore_ascii_case(to) || MonitorId::from(header.device) != monitor {
        return Err(unfit("addresses and mark are not those of one device"));
    }
    let (ring, now) = (keys::ring(platform).await?, platform.now());
    let (claims, hello) = open(&ring, now, Addresses { from, to }, header, envelope)?;
    let told = Told::read(&hello)?;
    if (&told.vendor, &told.fold) != (&own.0, &own.1) {
        return Ok(Posted::OfAnother);
    }
    let key_told =
        sealed::recipient_of(envelope).ok().and_then(|kid| kid.try_into().ok()).map_or(1, u32::from_be_bytes);
    take(platform, &told, &claims, i64::from(key_told), peer).await
}

/// What an envelope holds that is signed with the key which it names and carries.
fn open(
    ring: &Ring,
    now: Micros,
    addresses: Addresses<'_>,
    header: &Header,
    envelope: &[u8],
) -> Result<(Claims, Hello)> {
    let signer = Cell::new([0; 32]);
    let verify = |algorithm, kid: &[u8], message: &[u8], signature: &[u8]| {
        let Ok(key) = <[u8; 32]>::try_from(kid) else { return false };
        signer.set(key);
        algorithm == Algorithm::EdDsa && UnparsedPublicKey::new(&ED25519, &key).verify(message, signature).is_ok()
    };
    let (claims, document) = mail::unseal(ring, now, addresses, header, envelope, &verify)?;
    if claims.content != Content::Hello {
        return Err(unfit("it holds something else"));
    }
    let mut hello: Hello =
        cbor::decode(&document).map_err(|e| Error::invalid("hello", format!("this is no test: {e}")))?;
    if hello.key != signer.get() {
        return Err(unfit("it names another key than the one that signed"));
    }
    if !hello.road.is_mail() || hello.claim.is_none() {
        return Err(Error::invalid("road", "a test by mail is for a mail road and has the code of its document"));
    }
    // The way of a mail is no error of the clock.
    let took = now.as_millis().saturating_sub(claims.issued_ms).max(0);
    hello.clock_ms = hello.clock_ms.saturating_add(took);
    Ok((claims, hello))
}

async fn take(platform: &Platform, told: &Told<'_>, claims: &Claims, key_told: i64, peer: &str) -> Result<Posted> {
    let epoch = i64::try_from(claims.epoch).unwrap_or(i64::MAX);
    let document = hash_of(told.hello.claim.as_deref().unwrap_or_default().trim());
    let mut tx = platform.db().write(&View::All(REASON)).await?;
    let unit = told.unit(&mut tx).await?;
    let now = platform.now();
    let seen = |unit: &Unit| unit.document.as_ref() == Some(&document) && unit.knows(&told.key) && epoch <= unit.epoch;
    let fault = match &unit {
        Some(unit) if seen(unit) => unit.fault(told, now),
        Some(unit) => fault(unit, told, epoch, now),
        None => Some(hello::UNKNOWN),
    };
    let (Some(unit), None) = (&unit, fault) else {
        told.refuse(&mut tx, unit.as_ref(), fault.unwrap_or(hello::UNKNOWN), peer, now).await?;
        tx.commit().await?;
        return Ok(Posted::Refused);
    };
    if !seen(unit) {
        let way = Way { epoch, key_told, document: Some(document.clone()) };
        hello::effect(&mut tx, platform, unit, told, &way).await?;
        tx.commit().await?;
        platform.known().forget(unit.id);
    }
    Ok(Posted::Active)
}

/// Why it is not heard. An epoch that is over belongs to a document before another test; one that reports have told
/// already is the device's own, if they were signed by its key: a relay was slow with the test alone.
fn fault(unit: &Unit, told: &Told<'_>, epoch: i64, now: Micros) -> Option<&'static str> {
    let known = unit.knows(&told.key);
    let old = epoch < unit.epoch || epoch == unit.epoch && !known;
    match unit.fault(told, now) {
        Some(hello::SUSPENDED) => Some(hello::SUSPENDED),
        fault => {
            if old {
                Some(OLD)
            } else {
                fault
            }
        }
    }
}

fn unfit(why: &str) -> Error {
    Error::new(Kind::Forbidden, format!("this test by mail is not taken: {why}"))
}
