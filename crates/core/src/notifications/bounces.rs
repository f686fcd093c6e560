//! Failure reports that come back: each message has a return address of its own, which nobody can guess.
//! A report of a lasting failure suspends the recipient. Whatever else comes there is dropped: no event, no answer.

use store::{View, params};

use super::{NotificationId, RecipientId, queue, sql};
use crate::error::Result;
use crate::ids::Hex;
use crate::{OrgId, Platform};

const PREFIX: &str = "bounce-";
/// Bytes of the proof in a return address.
const PROOF: usize = 8;

/// What a mail to a return address says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Returned {
    /// A report (RFC 3464) of a lasting failure: status as `5.1.1`, words of the other side.
    Failed {
        /// As `5.1.1`.
        status: String,
        /// Words of the other side.
        why: String,
    },
    /// A report that it takes longer, or that it arrived.
    Otherwise,
    /// Anything else: an answer of a person, or of a machine while a person is away.
    Answer,
}

/// Speaks of the recipient too: a late report must not hit who stands in.
fn proof(platform: &Platform, id: NotificationId, recipient: RecipientId) -> String {
    let mac = platform.sealer().mac("return address of a message", format!("{id}/{recipient}").as_bytes());
    Hex(&mac[..PROOF]).to_string()
}

/// The return address of a message, before the `@`.
pub(super) fn name_of(platform: &Platform, id: NotificationId, recipient: RecipientId) -> String {
    format!("{PREFIX}{}-{}", id.0.simple(), proof(platform, id, recipient))
}

fn parse(name: &str) -> Option<(&str, &str)> {
    let head = name.get(..PREFIX.len()).filter(|head| head.eq_ignore_ascii_case(PREFIX))?;
    let (id, proof) = name[head.len()..].split_once('-')?;
    let hex = |text: &str, length: usize| text.len() == length && text.bytes().all(|b| b.is_ascii_hexdigit());
    (hex(id, 32) && hex(proof, 2 * PROOF)).then_some((id, proof))
}

/// Whether the name before the `@` is one that failure reports come to.
#[must_use]
pub fn is_bounce_address(name: &str) -> bool {
    parse(name).is_some()
}

/// Takes a mail that came to a return address; true when it suspended a recipient. Forged addresses are like unknown ones.
///
/// # Errors
/// When the database refuses.
pub async fn returned(platform: &Platform, name: &str, said: &Returned) -> Result<bool> {
    let name = name.to_ascii_lowercase();
    let Some((id, given)) = parse(&name) else { return Ok(false) };
    let Returned::Failed { status, why } = said else { return Ok(false) };
    let Ok(id) = uuid::Uuid::try_parse(id).map(NotificationId) else { return Ok(false) };
    let ctx = platform.system("a mail came back");
    let mut tx = ctx.db().write(&View::All("whose message came back is known only after this")).await?;
    let Some(row) = tx.query_opt(&sql::BOUNCED, &params![id]).await? else { return Ok(false) };
    let (tenant, recipient): (OrgId, RecipientId) = (row.get(0)?, row.get(1)?);
    let wanted = proof(platform, id, recipient);
    if aws_lc_rs::constant_time::verify_slices_are_equal(wanted.as_bytes(), given.as_bytes()).is_err() {
        return Ok(false);
    }
    let why = crate::devices::fold::clean(Some(&format!("{status} {why}"))).unwrap_or_default();
    let code = status.bytes().next().map(|first| i64::from(first.saturating_sub(b'0')) * 100);
    // It did not arrive after all: it waits again, with what it told besides, and goes to who stands in.
    tx.execute(&sql::NOT_ARRIVED, &params![tenant, id, code, &why]).await?;
    queue::suspend(&mut tx, &ctx, tenant, recipient, &why).await?;
    tx.commit().await?;
    Ok(true)
}
