//! Orders that were begun, and what came of them: an id is executed at most once, whatever stops the agent. Beside them what
//! orders set for good: the gateway's keys and periods of single devices.

use store::{Row, Sql, Tx, params};
use wire::Subject;
use wire::command::{Ack, Taken};
use wire::hello::GatewayKey;

use super::{State, fact, set_fact, statement, to_db};
use crate::error::Result;

static BEGIN: Sql = statement(
    "agent::orders::begin",
    "insert into orders (id, expires_ms, taken, told) values ($1, $2, 0, 0) on conflict (id) do nothing",
);
static AGAIN: Sql = statement("agent::orders::again", "update orders set told = 0 where id = $1 and taken <> 0");
static END: Sql =
    statement("agent::orders::end", "update orders set taken = $2, detail = $3 where id = $1 and taken = 0");
static BROKEN: Sql = statement("agent::orders::broken", "update orders set taken = $1, detail = $2 where taken = 0");
static UNTOLD: Sql = statement(
    "agent::orders::untold",
    "select id, taken, detail from orders where taken <> 0 and told = 0 order by expires_ms, id limit 64",
);
static TOLD: Sql = statement("agent::orders::told", "update orders set told = 1 where id = $1");
static OVER: Sql = statement("agent::orders::over", "delete from orders where told = 1 and expires_ms < $1");
static PERIODS: Sql = statement("agent::periods::all", "select subject, status_s, meters_s from periods");
static SET_PERIODS: Sql = statement(
    "agent::periods::set",
    "insert into periods as known (subject, revision, status_s, meters_s) values ($1, $2, $3, $4)
     on conflict (subject) do update set
         revision = excluded.revision, status_s = excluded.status_s, meters_s = excluded.meters_s
     where excluded.revision > known.revision",
);

/// Fact: the gateway's keys.
const KEYS: &str = "gateway_keys";
/// Ids are kept this long after their end, milliseconds: clocks are set, and an order must not come to life again.
const KEPT_MS: i64 = 86_400_000;

/// Periods of one device, seconds; `None`: as in the plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Periods {
    pub(crate) status_s: Option<u32>,
    pub(crate) meters_s: Option<u32>,
}

fn number(taken: Taken) -> i64 {
    match taken {
        Taken::Done => 1,
        Taken::Failed => 2,
        Taken::Refused => 3,
        Taken::NotNow => 4,
    }
}

fn ack(row: &Row) -> Result<Ack> {
    let taken = match row.get::<i64>(1)? {
        1 => Taken::Done,
        2 => Taken::Failed,
        _ => Taken::Refused,
    };
    Ok(Ack { id: Subject(row.get(0)?), taken, detail: row.get(2)? })
}

impl State {
    /// Notes that an order is begun, before anything is done; false when it was begun before: then its answer, if there is one,
    /// is to be told again.
    pub(crate) async fn begin_order(&self, id: Subject, expires_ms: i64) -> Result<bool> {
        let mut tx = self.write().await?;
        let fresh = tx.execute(&BEGIN, &params![id.0, expires_ms]).await? > 0;
        if !fresh {
            tx.execute(&AGAIN, &params![id.0]).await?;
        }
        tx.commit().await?;
        Ok(fresh)
    }

    /// Keeps what came of an order.
    pub(crate) async fn end_order(&self, ack: &Ack) -> Result<()> {
        let mut tx = self.write().await?;
        tx.execute(&END, &params![ack.id.0, number(ack.taken), ack.detail.as_deref()]).await?;
        Ok(tx.commit().await?)
    }

    /// What was under way when the agent stopped did not come to its end, and is not begun again.
    pub(crate) async fn break_orders(&self) -> Result<()> {
        let mut tx = self.write().await?;
        let why = "the agent stopped before it was done";
        tx.execute(&BROKEN, &params![number(Taken::Failed), why]).await?;
        Ok(tx.commit().await?)
    }

    /// Answers that the server does not have yet, at most 64.
    pub(crate) async fn untold_orders(&self) -> Result<Vec<Ack>> {
        self.read().await?.query(&UNTOLD, &[]).await?.iter().map(ack).collect()
    }

    /// The server has these answers; whose time was over long ago are forgotten.
    pub(crate) async fn told_orders(&self, acks: &[Ack], now_ms: i64) -> Result<()> {
        let mut tx = self.write().await?;
        tx.many(&TOLD, acks.iter().map(|ack| params![ack.id.0].to_vec()).collect()).await?;
        tx.execute(&OVER, &params![now_ms - KEPT_MS]).await?;
        Ok(tx.commit().await?)
    }

    /// The gateway's keys, newest first; none before the first answer.
    pub(crate) async fn gateway_keys(&self) -> Result<Vec<GatewayKey>> {
        let text = fact(&mut self.read().await?, KEYS).await?;
        Ok(text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default())
    }

    /// Keeps them.
    pub(crate) async fn set_gateway_keys(&self, keys: &[GatewayKey]) -> Result<()> {
        let mut tx = self.write().await?;
        set_fact(&mut tx, KEYS, &serde_json::to_string(keys).unwrap_or_default()).await?;
        Ok(tx.commit().await?)
    }

    /// Devices with periods of their own.
    pub(crate) async fn periods(&self) -> Result<Vec<(Subject, Periods)>> {
        let rows = self.read().await?.query(&PERIODS, &[]).await?;
        rows.iter()
            .map(|row| Ok((Subject(row.get(0)?), Periods { status_s: row.get(1)?, meters_s: row.get(2)? })))
            .collect()
    }

    /// Sets them; false when a later revision stands.
    pub(crate) async fn set_periods(&self, subject: Subject, revision: u64, periods: Periods) -> Result<bool> {
        let mut tx: Tx = self.write().await?;
        let values = params![subject.0, to_db(revision), periods.status_s, periods.meters_s];
        let set = tx.execute(&SET_PERIODS, &values).await? > 0;
        tx.commit().await?;
        Ok(set)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_order_is_begun_once_over_restarts_and_its_answer_told_until_it_is_heard() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("agent.db");
        let id = Subject([7; 16]);
        {
            let state = State::open(&file).await.unwrap();
            assert!(state.begin_order(id, 1_000).await.unwrap());
            assert!(!state.begin_order(id, 1_000).await.unwrap());
            assert!(state.untold_orders().await.unwrap().is_empty(), "it is under way");
        }
        let state = State::open(&file).await.unwrap();
        state.break_orders().await.unwrap();
        assert!(!state.begin_order(id, 1_000).await.unwrap(), "begun before the restart");
        let acks = state.untold_orders().await.unwrap();
        assert_eq!((acks.len(), acks[0].taken), (1, Taken::Failed));
        state.told_orders(&acks, 1_000).await.unwrap();
        assert!(state.untold_orders().await.unwrap().is_empty());
        assert!(!state.begin_order(id, 1_000).await.unwrap(), "the server asks once more");
        assert_eq!(state.untold_orders().await.unwrap().len(), 1, "it is told again");
        state.told_orders(&acks, 1_000 + KEPT_MS + 1).await.unwrap();
        assert!(state.begin_order(id, 1_000).await.unwrap(), "forgotten a day after its end, which refuses it by time");
    }

    #[tokio::test]
    async fn an_older_schedule_does_not_replace_a_later_one() {
        let folder = tempfile::tempdir().unwrap();
        let state = State::open(&folder.path().join("agent.db")).await.unwrap();
        let subject = Subject([1; 16]);
        let of = |status_s| Periods { status_s: Some(status_s), meters_s: None };
        assert!(state.set_periods(subject, 2, of(300)).await.unwrap());
        assert!(!state.set_periods(subject, 1, of(60)).await.unwrap());
        assert_eq!(state.periods().await.unwrap(), [(subject, of(300))]);
    }
}
