//! Failures are charged before the password is looked at, so that guesses in parallel cannot pass together.

use std::net::IpAddr;
use std::time::Duration;

use store::{View, params};

use super::rules::{ACCOUNT, ADDRESS, Budget, FORGET, PAIR, source};
use super::sql;
use crate::error::{Error, Kind, Result};
use crate::filter::fold;
use crate::ids::Hex;
use crate::platform::Platform;
use crate::time::Micros;

const REASON: &str = "failures of sign-in are counted before anybody is known";

/// What one attempt is charged to.
pub(super) struct Charge(Vec<(Budget, String)>);

impl Charge {
    /// Names are kept as keyed hashes: the table says nothing about who tried.
    pub(super) fn new(platform: &Platform, email: &str, address: Option<IpAddr>) -> Self {
        let (email, source) = (fold(email), source(address));
        let key = |text: String| Hex(&platform.sealer().mac("login-budget", text.as_bytes())).to_string();
        Self(vec![
            (ACCOUNT, key(format!("account\n{email}"))),
            (ADDRESS, key(format!("address\n{source}"))),
            (PAIR, key(format!("pair\n{email}\n{source}"))),
        ])
    }

    /// Counts a failure ahead; refuses while a lock stands.
    ///
    /// # Errors
    /// `TooMany`, the same for accounts that exist and those that do not.
    pub(super) async fn take(&self, platform: &Platform, now: Micros) -> Result<()> {
        let mut tx = platform.db().write(&View::All(REASON)).await?;
        for (budget, subject) in &self.0 {
            let row = tx.query_one(&sql::CHARGE, &params![budget.kind, subject, now, now - FORGET]).await?;
            let (failures, locked_until): (i64, Micros) = (row.get(0)?, row.get(1)?);
            if locked_until > now {
                return Err(locked(locked_until.since(now)));
            }
            let lock = budget.lock(failures);
            if !lock.is_zero() {
                tx.execute(&sql::LOCK, &params![budget.kind, subject, now + lock]).await?;
            }
        }
        Ok(tx.commit().await?)
    }

    /// Takes the charge back after a success: all of it for the account, one failure for the network, which may be
    /// guessing at others.
    pub(super) async fn give_back(&self, tx: &mut store::Tx) -> Result<()> {
        for (budget, subject) in &self.0 {
            let statement = if budget.kind == ADDRESS.kind { &sql::REFUND } else { &sql::FORGIVE };
            tx.execute(statement, &params![budget.kind, subject]).await?;
        }
        Ok(())
    }
}

fn locked(wait: Duration) -> Error {
    let wait = Duration::from_secs(wait.as_secs() + 1);
    let message = format!("too many failed sign-ins; try again in {} s", wait.as_secs());
    Error::new(Kind::TooMany, message).retry_after(wait)
}
