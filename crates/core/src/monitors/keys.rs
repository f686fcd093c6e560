//! Keys of the gateway: one pair signs orders and opens mail, its successor beside it while devices learn.
//! Both are derived from the platform's root key by their number; the database keeps numbers and times alone.

use std::sync::Arc;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use store::{Tx, View, params};
use wire::cbor;
use wire::command::{Command, MAX_LIFE_MS, Order, What};
use wire::hello::GatewayKey;
use wire::sealed::P256Secret;

use super::{MonitorId, sql};
use crate::audit::{self, Change};
use crate::ctx::{Ctx, Role};
use crate::error::{Error, Result};
use crate::ids::OrgId;
use crate::orders::{self, GivenBy, Whom};
use crate::platform::Platform;
use crate::time::Micros;

const REASON: &str = "keys of the gateway";
/// How long a replaced key still opens mail: twice the longest life of a mail.
const OVERLAP: std::time::Duration = std::time::Duration::from_secs(14 * 86_400);
/// A change elsewhere is felt after this long, µs.
const CACHED: i64 = 10_000_000;
/// Devices that are told of a new key in one go.
const BATCH: i64 = 500;

/// One pair of keys.
pub(crate) struct Pair {
    pub(super) id: u32,
    sign: Ed25519KeyPair,
    seal: P256Secret,
    public: GatewayKey,
    ends_at: Option<Micros>,
}

impl Pair {
    fn derive(platform: &Platform, id: u32, ends_at: Option<Micros>) -> Result<Self> {
        let lost = |_| Error::internal("a key of the gateway cannot be derived");
        let seed = platform.sealer().mac("key that signs orders", &id.to_be_bytes());
        let sign = Ed25519KeyPair::from_seed_unchecked(seed.get(..32).unwrap_or_default()).map_err(|_| lost(()))?;
        // Once in 2^32 the bytes are no number below the order of the curve; the next try gives others.
        let secret = (0_u8..4).find_map(|again| {
            let place = [&id.to_be_bytes()[..], &[again]].concat();
            P256Secret::of(platform.sealer().mac("key that opens mail", &place).get(..32)?)
        });
        let seal = secret.ok_or(()).map_err(lost)?;
        let point = seal.public().ok_or(()).map_err(lost)?;
        let public = GatewayKey { id, verify: sign.public_key().as_ref().to_vec(), seal: point.to_vec() };
        Ok(Self { id, sign, seal, public, ends_at })
    }

    /// Signs an order.
    pub(super) fn sign(&self, order: Vec<u8>) -> Command {
        let signature = self.sign.sign(&Command::signing_input(&order)).as_ref().to_vec();
        Command { order, key: self.id, signature }
    }

    /// Signs whatever an envelope asks for.
    pub(super) fn sign_bytes(&self, message: &[u8]) -> Option<[u8; 64]> {
        self.sign.sign(message).as_ref().try_into().ok()
    }
}

/// The keys in use, newest first.
pub(crate) struct Ring {
    at: Micros,
    pairs: Vec<Pair>,
}

impl Ring {
    /// What devices are told.
    pub(super) fn public(&self) -> Vec<GatewayKey> {
        self.pairs.iter().map(|pair| pair.public.clone()).collect()
    }

    /// The newest pair that a device surely knows; the oldest for one that knows none any more.
    pub(super) fn known_to(&self, told: i64) -> Result<&Pair> {
        let known = self.pairs.iter().find(|pair| i64::from(pair.id) <= told);
        known.or(self.pairs.last()).ok_or_else(|| Error::internal("the gateway has no key"))
    }

    /// Agrees with an ephemeral key by the private key of that name.
    pub(super) fn agree(&self, kid: &[u8], peer: &[u8; wire::sealed::POINT]) -> Option<[u8; 32]> {
        let id = u32::from_be_bytes(kid.try_into().ok()?);
        self.pairs.iter().find(|pair| pair.id == id)?.seal.agree(peer)
    }

    fn newest(&self) -> u32 {
        self.pairs.first().map_or(0, |pair| pair.id)
    }
}

/// The keys in use now; the first is made when the first is needed.
pub(super) async fn ring(platform: &Platform) -> Result<Arc<Ring>> {
    let now = platform.now();
    if let Some(ring) = platform.gateway_keys().lock().clone()
        && (0..CACHED).contains(&(now.0 - ring.at.0))
    {
        return Ok(ring);
    }
    let mut tx = platform.db().read(&View::All(REASON)).await?;
    let mut rows = tx.query(&sql::GATEWAY_KEYS, &params![now]).await?;
    drop(tx);
    if rows.is_empty() {
        let mut tx = platform.db().write(&View::All(REASON)).await?;
        tx.execute(&sql::GATEWAY_KEY, &params![1, now]).await?;
        rows = tx.query(&sql::GATEWAY_KEYS, &params![now]).await?;
        tx.commit().await?;
    }
    let mut pairs = Vec::with_capacity(rows.len());
    for row in rows {
        let (id, ends_at): (i64, Option<Micros>) = (row.get(0)?, row.get(1)?);
        let id = u32::try_from(id).map_err(|_| Error::internal("the number of a gateway's key is too large"))?;
        pairs.push(Pair::derive(platform, id, ends_at)?);
    }
    let ring = Arc::new(Ring { at: now, pairs });
    *platform.gateway_keys().lock() = Some(Arc::clone(&ring));
    Ok(ring)
}

/// Makes the next key. Devices learn it by order ([`rekey`]), with their next test or document; mail for the one
/// before is opened for 14 more days.
///
/// # Errors
/// `Forbidden` for anyone but an administrator, `Conflict` while two keys are in use.
pub async fn roll(ctx: &Ctx) -> Result<u32> {
    ctx.require(Role::Admin, "change the gateway's keys")?;
    let ring = ring(&ctx.platform).await?;
    if ring.pairs.len() > 1 {
        let ends = ring.pairs.last().and_then(|pair| pair.ends_at).map_or(0, |ends| ends.as_millis() / 1_000);
        return Err(Error::conflict(format!("two keys are in use until the older one ends, at {ends} s since 1970")));
    }
    let newest = ring.newest();
    let mut tx = ctx.db().write(&View::All(REASON)).await?;
    tx.execute(&sql::GATEWAY_KEY_ENDS, &params![i64::from(newest), ctx.now + OVERLAP]).await?;
    tx.execute(&sql::GATEWAY_KEY, &params![i64::from(newest) + 1, ctx.now]).await?;
    let change = Change::new(ctx.home, "changed the gateway's key", "gateway", newest + 1);
    audit::record(&mut tx, ctx, change).await?;
    tx.commit().await?;
    *ctx.platform.gateway_keys().lock() = None;
    Ok(newest + 1)
}

/// Orders devices and agents that do not know the newest key to learn it, signed by the one they know; returns how many.
///
/// # Errors
/// When the database refuses.
pub async fn rekey(platform: &Platform) -> Result<u64> {
    let ring = ring(platform).await?;
    let newest = i64::from(ring.newest());
    if newest == 1 {
        return Ok(0);
    }
    let ctx = platform.system("devices learn the gateway's new key");
    let mut tx = ctx.db().write(&View::All(REASON)).await?;
    let rows = tx.query(&sql::UNTAUGHT, &params![newest, ctx.now, BATCH]).await?;
    let by = GivenBy { id: "", name: ctx.actor.name(), task: None };
    for row in &rows {
        let org: OrgId = row.get(0)?;
        let whom = match row.get::<String>(2)?.as_str() {
            "agent" => Whom::Agent(row.get(1)?),
            _ => Whom::Monitor(row.get(1)?),
        };
        orders::queue(&mut tx, &ctx, (org, whom), What::Keys(ring.public()), MAX_LIFE_MS, &by).await?;
    }
    tx.commit().await?;
    Ok(rows.len() as u64)
}

/// Signs an order by the newest key that whoever gets it knows, up to the number `told`.
pub(crate) async fn sign(platform: &Platform, told: i64, order: Vec<u8>) -> Result<Command> {
    Ok(ring(platform).await?.known_to(told)?.sign(order))
}

/// The public halves, newest first.
pub(crate) async fn public_keys(platform: &Platform) -> Result<Vec<GatewayKey>> {
    Ok(ring(platform).await?.public())
}

/// Notes the key that an order taught a device which did it.
pub(crate) async fn learnt(tx: &mut Tx, org: OrgId, monitor: MonitorId, order: &[u8]) -> Result<()> {
    let taught = taught(order);
    if taught > 0 {
        tx.execute(&sql::TAUGHT, &params![org, monitor, taught]).await?;
    }
    Ok(())
}

/// The highest key that an order taught; 0 when it was about something else.
fn taught(order: &[u8]) -> i64 {
    match cbor::decode::<Order>(order).map(|order| order.what) {
        Ok(What::Keys(keys)) => keys.iter().map(|key| i64::from(key.id)).max().unwrap_or(0),
        _ => 0,
    }
}
