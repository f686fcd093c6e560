//! What can be ordered by which way; said before it is ordered.

use store::Tx;
use wire::command::{MAX_LIFE_MS, What};
use wire::monitor::Kind;

use super::{CommandId, Found, GivenBy, Way, Whom, Wish, book, periods};
use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::monitors;

/// Periods that a person may set, seconds: a minute to ninety days.
const PERIODS: std::ops::RangeInclusive<u32> = 60..=90 * 86_400;
/// Periods of a device that an agent reads: a minute to seven days, as in a plan.
const READ_PERIODS: std::ops::RangeInclusive<u32> = 60..=7 * 86_400;
/// What a reading by SNMP tells.
const READ: [Kind; 6] = [Kind::Error, Kind::Jam, Kind::Alarm, Kind::Status, Kind::Billing, Kind::Rom];

/// Refuses what no device could do.
pub(crate) fn check(wish: &Wish, life_ms: i64) -> Result<()> {
    if !(60_000..=MAX_LIFE_MS).contains(&life_ms) {
        return Err(Error::invalid("life_s", "an order lives for a minute to seven days"));
    }
    match wish {
        Wish::ReportNow { kinds } if kinds.len() > 16 => Err(Error::invalid("kinds", "there are sixteen kinds")),
        Wish::SetPeriod { period_s: Some(period), .. } if !PERIODS.contains(period) => {
            Err(Error::invalid("period_s", "a period is a minute to ninety days"))
        }
        _ => Ok(()),
    }
}

/// Why a device that orders reach by this way cannot do it.
pub(super) fn can(wish: &Wish, way: Way) -> std::result::Result<(), &'static str> {
    let Way::Own(_, road) = way else { return can_be_read(wish) };
    monitors::fetches(road)
}

fn can_be_read(wish: &Wish) -> std::result::Result<(), &'static str> {
    match wish {
        Wish::SendLog => Err("it is read by SNMP, which gives no debug log"),
        Wish::ReportNow { kinds } if !kinds.iter().all(|kind| READ.contains(kind)) => {
            Err("it is read by SNMP, which tells condition, billing counters, firmware, jams, errors and alarms alone")
        }
        Wish::SetPeriod { kind: Kind::Status | Kind::Billing, period_s } => match period_s {
            Some(period) if !READ_PERIODS.contains(period) => Err("an agent looks at least once in seven days"),
            _ => Ok(()),
        },
        Wish::SetPeriod { .. } => {
            Err("it is read by SNMP: only status and billing counters have a period of their own")
        }
        Wish::ReportNow { .. } => Ok(()),
    }
}

impl Found {
    /// The way of a wish, or why there is none.
    pub(crate) fn way_of(&self, wish: &Wish) -> std::result::Result<Way, &'static str> {
        self.way.and_then(|way| can(wish, way).map(|()| way))
    }
}

/// Writes the order that fulfils a wish at one device, with what it changes on the server.
///
/// # Errors
/// `Conflict` when no way leads there, saying why.
pub(crate) async fn give_by(
    tx: &mut Tx,
    ctx: &Ctx,
    found: &Found,
    wish: &Wish,
    life_ms: i64,
    by: &GivenBy<'_>,
) -> Result<CommandId> {
    let way = found.way_of(wish).map_err(Error::conflict)?;
    let org = found.org;
    let (whom, what) = match (way, wish) {
        (Way::Own(id, _), Wish::ReportNow { kinds }) => (Whom::Monitor(id), What::ReportNow(kinds.clone())),
        (Way::Own(id, _), Wish::SendLog) => (Whom::Monitor(id), What::SendLog),
        (Way::Own(id, _), Wish::SetPeriod { kind, period_s }) => {
            monitors::set_period_in(tx, ctx, (org, id), *kind, *period_s).await?;
            (Whom::Monitor(id), What::Schedule(monitors::schedule_of(tx, org, id).await?))
        }
        (Way::Agent(agent, subject), wish) => {
            let device = found.device.ok_or_else(|| Error::internal("an agent reads what is no device"))?;
            let what = match wish {
                Wish::SetPeriod { kind, period_s } => {
                    What::Schedule(periods::set(tx, ctx, (org, device, subject), *kind, *period_s).await?)
                }
                Wish::ReportNow { kinds } => What::ReportNow(kinds.clone()),
                Wish::SendLog => What::SendLog,
            };
            (Whom::Through(agent, device, subject), what)
        }
    };
    book::give(tx, ctx, (org, whom), what, life_ms, by).await
}

#[cfg(test)]
mod tests {
    use wire::Subject;
    use wire::hello::Road;

    use super::*;
    use crate::ids::AgentId;
    use crate::monitors::MonitorId;

    #[test]
    fn what_a_way_cannot_carry_is_refused_with_its_reason() {
        let id = uuid::Uuid::from_u128(1);
        let own = |road| Way::Own(MonitorId(id), road);
        let agent = Way::Agent(AgentId(id), Subject([1; 16]));
        let now = |kinds: &[Kind]| Wish::ReportNow { kinds: kinds.to_vec() };
        let set = |kind, period_s| Wish::SetPeriod { kind, period_s };
        for road in [Road::Https, Road::HttpsBothWays, Road::MailBothWays] {
            assert_eq!(can(&Wish::SendLog, own(road)), Ok(()));
        }
        assert!(can(&now(&[]), own(Road::Mail)).is_err_and(|why| why.contains("only sends mail")));
        assert_eq!(can(&now(&[]), agent), Ok(()));
        assert_eq!(can(&now(&[Kind::Billing, Kind::Status]), agent), Ok(()));
        assert!(can(&now(&[Kind::Smart]), agent).is_err_and(|why| why.contains("SNMP")));
        assert!(can(&Wish::SendLog, agent).is_err_and(|why| why.contains("debug log")));
        assert_eq!(can(&set(Kind::Status, Some(300)), agent), Ok(()));
        assert_eq!(can(&set(Kind::Billing, None), agent), Ok(()));
        assert!(can(&set(Kind::Rom, Some(300)), agent).is_err());
        assert!(can(&set(Kind::Status, Some(8 * 86_400)), agent).is_err());
    }

    #[test]
    fn orders_that_no_device_could_follow_are_refused() {
        let set = |period_s| Wish::SetPeriod { kind: Kind::Rom, period_s };
        assert!(check(&set(Some(59)), 60_000).is_err() && check(&set(None), 60_000).is_ok());
        assert!(check(&Wish::SendLog, 59_999).is_err() && check(&Wish::SendLog, MAX_LIFE_MS + 1).is_err());
    }
}
