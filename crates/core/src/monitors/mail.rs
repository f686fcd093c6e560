//! Mail with devices: which pair of addresses is whose, what a mail to the server holds, and orders as mail to a device.
//! A door knows the bytes of mail, nothing of keys; here is the other half.

use std::borrow::Cow;
use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use store::{Tx, View, params};
use wire::hello::{MailPair, PollReply, Road};
use wire::sealed::{self, Addresses, Algorithm, AwsLc, Claims, Content, GATEWAY, Header, Limits, Opener, SealError};
use wire::{Report, cbor};

use super::keys::{self, Ring};
use super::known::{self, Name, Registered};
use super::{MonitorId, hello, sql};
use crate::ctx::Ctx;
use crate::error::{Error, Kind, Result};
use crate::ids::OrgId;
use crate::orders::CommandId;
use crate::platform::Platform;
use crate::time::Micros;

const REASON: &str = "mail, before it is known whose";
/// The mail doors of this installation, as devices reach them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailDoors {
    /// Domain of the addresses that devices are given.
    pub domain: String,
    /// Where devices send: `smtp://host:port` (STARTTLS) or `smtps://host:port`.
    pub smtp: Option<String>,
    /// Where devices fetch: `pop3://host:port` (STLS) or `pop3s://host:port`.
    pub pop3: Option<String>,
}

/// Whose mailbox it is.
#[derive(Clone, Debug)]
pub struct Mailbox {
    /// A request of that device.
    pub ctx: Ctx,
    /// The device.
    pub monitor: MonitorId,
    /// Its address, in lower case.
    pub device: Arc<str>,
    /// The only address that it may write to, in lower case.
    pub server: Arc<str>,
}

/// An envelope that was opened: genuine, in time, and of the device whose request `ctx` is.
#[derive(Clone, Debug)]
pub struct Opened {
    /// A request of that device.
    pub ctx: Ctx,
    /// What it signed.
    pub claims: Claims,
    /// The document, CBOR, by [`Claims::content`] a [`wire::Report`] or [`wire::command::Acks`].
    pub content: Vec<u8>,
}

impl Opened {
    /// The report, its clock set on by the time that the mail took, so that only the error of the clock is left in it.
    ///
    /// # Errors
    /// `Invalid` when it is no report.
    pub fn report(&self) -> Result<Report> {
        let malformed = |error: cbor::Error| Error::invalid("report", format!("this is no report: {error}"));
        let mut report: Report = cbor::decode(&self.content).map_err(malformed)?;
        let took = self.ctx.now.as_millis().saturating_sub(self.claims.issued_ms);
        report.clock_ms = report.clock_ms.saturating_add(took.max(0));
        Ok(report)
    }
}

/// A mail to a device, but for its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// Sender.
    pub from: String,
    /// Receiver.
    pub to: String,
    /// The mark.
    pub header: Header,
    /// When, seconds since 1970.
    pub sent_s: i64,
    /// `application/cose`.
    pub sealed: Vec<u8>,
}

/// The device of an address; `None` for addresses of nobody and of devices that are not heard.
///
/// # Errors
/// When the database refuses.
pub async fn by_mailbox(platform: &Platform, address: &str) -> Result<Option<Mailbox>> {
    Ok(look_up(platform, address).await?.map(|found| found.mailbox(platform)))
}

/// A registered device with its pair of addresses.
struct Correspondent {
    device: Arc<str>,
    server: Arc<str>,
    registered: Registered,
}

impl Correspondent {
    fn mailbox(self, platform: &Platform) -> Mailbox {
        let (org, monitor) = (self.registered.org, self.registered.id);
        Mailbox { ctx: hello::monitor_ctx(platform, org, monitor), monitor, device: self.device, server: self.server }
    }
}

async fn look_up(platform: &Platform, address: &str) -> Result<Option<Correspondent>> {
    let address = lower(address);
    let found = known::look_up(platform, Name::Address(&address)).await?;
    Ok(found.and_then(|registered| {
        let (device, server) = registered.pair.clone()?;
        Some(Correspondent { device, server, registered })
    }))
}

/// Copied only where it must be.
fn lower(address: &str) -> Cow<'_, str> {
    match address.bytes().any(|byte| byte.is_ascii_uppercase()) {
        true => Cow::Owned(address.to_ascii_lowercase()),
        false => Cow::Borrowed(address),
    }
}

/// Whether mail to this address is taken at all: some device was told to write to it.
///
/// # Errors
/// When the database refuses.
pub async fn receives(platform: &Platform, address: &str) -> Result<bool> {
    let mut tx = platform.db().read(&View::All(REASON)).await?;
    let row = tx.query_opt(&sql::RECEIVES, &params![address.to_ascii_lowercase()]).await?;
    Ok(row.is_some())
}

/// The mailbox of whoever knows its password. Names of nobody cost the same work.
///
/// # Errors
/// When the database refuses.
pub async fn login(platform: &Platform, user: &str, password: &str) -> Result<Option<Mailbox>> {
    let found = look_up(platform, user).await?;
    let password_of = |found: &Correspondent| match &found.registered.document {
        Some(document) => secret(platform, found.registered.id, Proof::Document(document)),
        None => secret(platform, found.registered.id, Proof::Key(&found.registered.key.0)),
    };
    let nobodys = || secret(platform, GATEWAY.into(), Proof::Key(&[0; 32]));
    let expected = found.as_ref().map_or_else(nobodys, password_of);
    let right = verify_slices_are_equal(expected.as_bytes(), password.as_bytes()).is_ok();
    Ok(found.filter(|_| right).map(|found| found.mailbox(platform)))
}

/// What the password of a mailbox follows from, beside the root key and the device.
#[derive(Clone, Copy)]
pub(super) enum Proof<'a> {
    /// The device's key, told at its test by HTTPS: the password changes with a new board.
    Key(&'a [u8; 32]),
    /// The hash of the one-time code in an activation document, which is made before the device's key is known: the
    /// password changes with the document by which it was tested.
    Document(&'a str),
}

/// The password of a mailbox.
fn secret(platform: &Platform, monitor: MonitorId, proof: Proof<'_>) -> String {
    let (purpose, proof) = match proof {
        Proof::Key(key) => ("password of a mailbox", key.as_slice()),
        Proof::Document(hash) => ("password of a mailbox by document", hash.as_bytes()),
    };
    let mac = platform.sealer().mac(purpose, &[monitor.0.as_bytes(), proof].concat());
    hex::encode(mac.get(..24).unwrap_or_default())
}

/// Opens an envelope by the gateway's keys.
///
/// # Errors
/// `Forbidden` for whatever does not fit, with the reason for logs.
pub(super) fn unseal(
    ring: &Ring,
    now: Micros,
    addresses: Addresses<'_>,
    header: &Header,
    envelope: &[u8],
    verify: sealed::Verify<'_>,
) -> Result<(Claims, Vec<u8>)> {
    let unseal = |kid: &[u8], peer: &[u8; sealed::POINT]| ring.agree(kid, peer);
    let opener = Opener { unseal: &unseal, verify, now_ms: now.as_millis(), limits: Limits::default() };
    sealed::open(&AwsLc, envelope, &addresses, header, &opener).map_err(|error| refused(&error.to_string()))
}

fn refused(why: &str) -> Error {
    Error::new(Kind::Forbidden, format!("this mail is not taken: {why}"))
}

/// Opens the envelope of a mail from `from` to `to` (header and SMTP envelope say the same) with the mark `header`.
///
/// # Errors
/// `Forbidden` for whatever does not fit, with the reason for logs; `Unavailable` when the database cannot tell now.
pub async fn open(platform: &Platform, from: &str, to: &str, header: &Header, sealed: &[u8]) -> Result<Opened> {
    let found = look_up(platform, from).await?.ok_or_else(|| refused("its sender is not registered"))?;
    if !found.server.eq_ignore_ascii_case(to) {
        return Err(refused("it is not for the address that is registered for its sender"));
    }
    if MonitorId::from(header.device) != found.registered.id {
        return Err(refused("its mark names another device than its sender's"));
    }
    let ring = keys::ring(platform).await?;
    let verify = |algorithm, kid: &[u8], message: &[u8], signature: &[u8]| {
        algorithm == Algorithm::EdDsa
            && kid == header.device.0
            && UnparsedPublicKey::new(&ED25519, &found.registered.key.0).verify(message, signature).is_ok()
    };
    let (claims, content) = unseal(&ring, platform.now(), Addresses { from, to }, header, sealed, &verify)?;
    if !matches!(claims.content, Content::Report | Content::Acks) {
        return Err(refused("it holds neither a report nor answers to orders"));
    }
    let ctx = hello::monitor_ctx(platform, found.registered.org, found.registered.id);
    Ok(Opened { ctx, claims, content })
}

/// Orders that wait for the device whose request this is, each as one mail, oldest first. They wait until [`taken`].
///
/// # Errors
/// When the database refuses.
pub async fn pending_sealed(ctx: &Ctx) -> Result<Vec<(CommandId, Letter)>> {
    let target = ctx.require_monitor()?;
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let Some(own) = tx.query_opt(&sql::OWN_MAIL, &params![ctx.home, target]).await? else { return Ok(Vec::new()) };
    let rows = tx.query(&sql::QUEUED, &params![ctx.home, target, ctx.now]).await?;
    drop(tx);
    let (device, server, told): (String, String, i64) = (own.get(0)?, own.get(1)?, own.get(3)?);
    let Some(key) = own.get::<Option<Vec<u8>>>(2)?.and_then(|key| <[u8; sealed::POINT]>::try_from(key).ok()) else {
        return Ok(Vec::new());
    };
    let ring = keys::ring(&ctx.platform).await?;
    let pair = ring.known_to(told)?;
    let mut letters = Vec::with_capacity(rows.len());
    for row in rows {
        let (id, order, expires): (CommandId, Vec<u8>, Micros) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let now_ms = ctx.now.as_millis();
        let poll = PollReply { server_ms: now_ms, commands: vec![pair.sign(order)], schedule: None };
        let claims = Claims {
            sender: GATEWAY,
            epoch: 0,
            seq: id.0.as_u64_pair().1 >> 1,
            kind: Content::Orders.kind().unwrap_or_default(),
            issued_ms: now_ms,
            expires_ms: expires.as_millis(),
            content: Content::Orders,
        };
        let header = Header::of(target.into(), &claims);
        let subject = wire::Subject::from(target);
        let signer = sealed::Signer {
            algorithm: Algorithm::EdDsa,
            kid: &pair.id.to_be_bytes(),
            sign: &|message| pair.sign_bytes(message),
        };
        let recipient = sealed::Recipient { kid: &subject.0, key: &key };
        let addresses = Addresses { from: &server, to: &device };
        let sealed = sealed::seal(&AwsLc, &claims, &cbor::encode(&poll), &addresses, &header, &recipient, &signer)
            .map_err(|error: SealError| Error::internal(format!("an order cannot be sealed: {error}")))?;
        let (from, to, sent_s) = (server.clone(), device.clone(), now_ms / 1_000);
        letters.push((id, Letter { from, to, header, sent_s, sealed }));
    }
    Ok(letters)
}

/// Notes that the device has fetched these orders and let go of them in its mailbox.
///
/// # Errors
/// When the database refuses.
pub async fn taken(ctx: &Ctx, ids: &[CommandId]) -> Result<()> {
    let target = ctx.require_monitor()?;
    let mut tx = ctx.db().write(&ctx.scope.view()).await?;
    for id in ids {
        tx.execute(&sql::TAKE_OWN, &params![ctx.home, id, ctx.now, target]).await?;
    }
    Ok(tx.commit().await?)
}

/// The pair of a device on a mail road, made at its first communication test or with its first activation document;
/// `None` on other roads, or without doors.
pub(super) async fn pair(
    tx: &mut Tx,
    platform: &Platform,
    (org, monitor): (OrgId, MonitorId),
    road: Road,
    proof: Proof<'_>,
) -> Result<Option<MailPair>> {
    let (Some(doors), Road::Mail | Road::MailBothWays) = (platform.mail(), road) else { return Ok(None) };
    let opaque =
        hex::encode(platform.sealer().mac("name of a mailbox", monitor.0.as_bytes()).get(..10).unwrap_or_default());
    let domain = doors.domain.to_ascii_lowercase();
    let made = params![org, monitor, format!("d{opaque}@{domain}"), format!("reports@{domain}"), platform.now()];
    tx.execute(&sql::NEW_MAILBOX, &made).await?;
    let row = tx.query_one(&sql::OWN_MAIL, &params![org, monitor]).await?;
    Ok(Some(MailPair {
        device: row.get(0)?,
        server: row.get(1)?,
        secret: Some(secret(platform, monitor, proof)),
        smtp: doors.smtp.clone(),
        pop3: doors.pop3.clone().filter(|_| road == Road::MailBothWays),
    }))
}
