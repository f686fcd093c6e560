//! Mail that was refused, in the list of those who asked to be heard.

use store::{View, params};

use super::sql;
use crate::agents;
use crate::error::Result;
use crate::ids::OrgId;
use crate::platform::Platform;
use crate::retention::{Class, Target};

// Whoever stopped asking is of no interest after a while; a flood of invented senders goes with it.
inventory::submit! { Target::at(Class::Service, "strangers", "last_at") }

/// Stands where a vendor stands; no vendor's slug looks like this to [`super::register`]'s callers.
const MAIL: &str = "mail";

/// Notes somebody whose mail was refused; the root organisation sees it. `sender` is an address, or `<>`.
///
/// # Errors
/// When the database refuses.
pub async fn refused_mail(platform: &Platform, sender: &str, why: &str, peer: &str) -> Result<()> {
    let mut tx = platform.db().write(&View::All("mail of somebody unknown")).await?;
    let Some(root) = tx.query_opt(&sql::ROOT, &[]).await? else { return Ok(()) };
    let (org, sender): (OrgId, String) = (root.get(0)?, agents::told(sender, 120));
    let values = params![org, MAIL, crate::filter::fold(&sender), &sender, "", why, peer, platform.now()];
    tx.execute(&sql::STRANGER, &values).await?;
    Ok(tx.commit().await?)
}
