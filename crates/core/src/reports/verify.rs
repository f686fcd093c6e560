//! Holds what was acknowledged against what is there: for `platen doctor` and for tests that cut the power.

use store::View;

use crate::error::Result;
use crate::platform::Platform;

store::sql! {
    COUNTS = "select count(*), coalesce(sum(s.messages), 0), coalesce(sum(s.last - s.first + 1), 0),
          coalesce(sum(case when s.last - s.first + 1 > s.messages then s.last - s.first + 1 - s.messages else 0 end), 0),
          coalesce(sum(case when s.messages > s.last - s.first + 1 then s.messages - (s.last - s.first + 1) else 0 end), 0)
        from (
          select i.tenant, i.sender, i.epoch, sum(i.messages) as messages, min(i.first_seq) as first, max(i.last_seq) as last
          from inbox i
          group by i.tenant, i.sender, i.epoch
        ) s";
    AHEAD = "select coalesce(sum(s.high_seq - i.last), 0)
        from streams s
        join (
          select tenant, sender, epoch, max(last_seq) as last from inbox group by tenant, sender, epoch
        ) i on i.tenant = s.tenant and i.sender = s.sender and i.epoch = s.epoch";
}

/// What [`verify`] counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    /// Streams (sender and epoch).
    pub senders: u64,
    /// Messages in the raw log.
    pub messages: u64,
    /// Numbers that were acknowledged, or lie between others that were, and are not in the log.
    pub missing: u64,
    /// Messages that are in the log more than once.
    pub twice: u64,
}

/// Counts numbers and messages of each stream. Right after retention removed the beginning of a log, too:
/// the count starts with the oldest message that is kept.
///
/// # Errors
/// When the database refuses.
pub async fn verify(platform: &Platform) -> Result<Counted> {
    let mut tx = platform.db().read(&View::All("the raw log against its own numbers")).await?;
    let row = tx.query_one(&COUNTS, &[]).await?;
    let number = |column: usize| row.get::<i64>(column).map(|value| u64::try_from(value).unwrap_or(0));
    let (senders, messages, missing, twice) = (number(0)?, number(1)?, number(3)?, number(4)?);
    let ahead = tx.query_one(&AHEAD, &[]).await?.get::<i64>(0)?;
    Ok(Counted { senders, messages, missing: missing + u64::try_from(ahead).unwrap_or(0), twice })
}
