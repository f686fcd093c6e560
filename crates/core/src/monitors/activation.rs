//! Activation documents: what lets a device that reaches nothing but mail make its communication test by mail.

use serde_json::json;
use store::params;
use wire::Activation;
use wire::hello::Road;

use super::mail::{self, Proof};
use super::{MonitorId, MonitorState, keys, kinds, registry, rules, sql};
use crate::audit::{self, Change};
use crate::ctx::{Ctx, Role};
use crate::error::{Error, Result};

/// Makes the document for a registered device that is set to `road`, always with a fresh claim code: the code before is
/// worthless, the key and the password that the device has are not. What is in it is shown here and never again; its
/// password is good once the device has made its test with it.
///
/// # Errors
/// `Forbidden` below manager, `NotFound` outside the scope, `Invalid` for a road that is no mail road, `Conflict` where this
/// server has no mail door for that road, and for a device that is suspended.
pub async fn activation(ctx: &Ctx, id: MonitorId, road: Road) -> Result<Activation> {
    ctx.require(Role::Manager, "make activation documents")?;
    if !road.is_mail() {
        return Err(Error::invalid(
            "road",
            "a document is for the road `mail` or `mail-both-ways`; others test by HTTPS",
        ));
    }
    has_doors(ctx, road)?;
    let keys = keys::public_keys(&ctx.platform).await?;
    let mut tx = ctx.db().write(&ctx.scope.view()).await?;
    let org = registry::tenant(ctx, &mut tx, id).await?;
    let monitor = registry::find(&mut tx, org, id).await?;
    if monitor.state == MonitorState::Suspended {
        return Err(Error::conflict("it is suspended; hear it again before you make a document for it"));
    }
    let claim = registry::fresh_claim(&mut tx, ctx, (org, id)).await?;
    let proof = Proof::Document(&claim.hash());
    let pair = mail::pair(&mut tx, &ctx.platform, (org, id), road, proof).await?;
    let epoch: i64 = tx.query_one(&sql::EPOCH, &params![org, id]).await?.get(0)?;
    let schedule = kinds::schedule(&mut tx, org, id).await?;
    let change = Change::new(org, "made an activation document", "monitor", id);
    audit::record(&mut tx, ctx, change.after(json!({ "road": rules::road_text(road) }))).await?;
    tx.commit().await?;
    Ok(Activation {
        version: 1,
        vendor: monitor.vendor,
        serial: monitor.serial,
        road,
        claim: claim.expose().to_owned(),
        server_ms: ctx.now.as_millis(),
        sender: id.into(),
        epoch_floor: u64::try_from(epoch.saturating_add(1)).unwrap_or(1),
        schedule,
        keys,
        mail: pair.ok_or_else(|| Error::internal("a mail road has no pair of addresses"))?,
    })
}

/// The roads that documents can be made for here.
#[must_use]
pub fn activation_roads(ctx: &Ctx) -> Vec<Road> {
    [Road::Mail, Road::MailBothWays].into_iter().filter(|road| has_doors(ctx, *road).is_ok()).collect()
}

/// Whether devices on this road can reach this server by mail.
fn has_doors(ctx: &Ctx, road: Road) -> Result<()> {
    let doors = ctx.platform.mail();
    if doors.is_none_or(|doors| doors.smtp.is_none()) {
        return Err(Error::conflict(
            "this server takes no mail of devices; open a door with --mail-domain and --smtp-listen",
        ));
    }
    if road == Road::MailBothWays && doors.is_none_or(|doors| doors.pop3.is_none()) {
        return Err(Error::conflict(
            "this server has no mailboxes that devices fetch from; open a door with --pop3s-listen",
        ));
    }
    Ok(())
}
