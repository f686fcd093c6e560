//! The queue of jobs, by the claim law: every claim repeats its whole condition in the outer `where`.
//! A job that fails waits longer each time and at last becomes a dead letter. Times are µs, given by the caller.

use std::time::Duration;

use rand::Rng;

use crate::{Db, Result, Row, Tx, View, params};

const WHY: View = View::All("jobs have no tenant");
/// Longest pause between two tries, µs.
const LONGEST: i64 = 3_600_000_000;
const FIRST: i64 = 2_000_000;

crate::sql! {
    ENQUEUE = "insert into jobs (kind, unique_key, body, run_at, tries, created_at) values ($1, $2, $3, $4, 0, $5)
        on conflict (kind, unique_key) do nothing returning id";
    CLAIM = "update jobs set locked_until = $1, worker = $2, tries = tries + 1
        where id = (select id from jobs where run_at <= $3 and (locked_until is null or locked_until < $3)
            and (cast($4 as text) is null or kind = $4) order by run_at, id limit 1)
        and run_at <= $3 and (locked_until is null or locked_until < $3)
        and (cast($4 as text) is null or kind = $4)
        returning id, kind, body, tries, created_at";
    DUE = "select count(*) from jobs where run_at <= $1 and (locked_until is null or locked_until < $1)
        and (cast($2 as text) is null or kind = $2)";
    NEXT = "select min(case when locked_until > run_at then locked_until else run_at end) from jobs";
    EXTEND = "update jobs set locked_until = $1 where id = $2 and worker = $3 and tries = $4";
    FINISH = "delete from jobs where id = $1 and worker = $2 and tries = $3";
    RETRY = "update jobs set run_at = $1, locked_until = null, worker = null, last_error = $2
        where id = $3 and worker = $4 and tries = $5";
    BURY = "insert into dead_jobs (id, kind, unique_key, body, tries, last_error, created_at, died_at)
        select id, kind, unique_key, body, tries, $1, created_at, $2 from jobs
        where id = $3 and worker = $4 and tries = $5";
    REVIVE = "insert into jobs (kind, unique_key, body, run_at, tries, created_at)
        select kind, unique_key, body, $1, 0, created_at from dead_jobs where id = $2
        on conflict (kind, unique_key) do nothing";
    FORGET = "delete from dead_jobs where id = $1";
    DEPTH = "select (select count(*) from jobs), (select count(*) from dead_jobs), (select min(run_at) from jobs)";
}

/// A job to be done.
#[derive(Debug, Clone)]
pub struct NewJob<'a> {
    /// Which worker's work it is.
    pub kind: &'a str,
    /// While a job of this kind with this key waits, another is not queued.
    pub unique_key: Option<&'a str>,
    /// What the worker needs to know; names the tenant if there is one.
    pub body: &'a serde_json::Value,
    /// Not before, µs.
    pub run_at: i64,
    /// Now, µs.
    pub now: i64,
}

/// A claimed job: ours until `locked_until`, and no longer.
#[derive(Debug, Clone)]
pub struct Job {
    /// Rising.
    pub id: i64,
    /// Which worker's work it is.
    pub kind: String,
    /// What the worker needs to know.
    pub body: serde_json::Value,
    /// This try, from 1.
    pub tries: i64,
    /// When it was queued, µs.
    pub created_at: i64,
    worker: String,
}

/// What became of a failed job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failed {
    /// It runs again at this time, µs.
    Again(i64),
    /// It is a dead letter now.
    Dead,
    /// It was not ours any more: the lock had run out and another has it.
    Lost,
}

/// How full the queue is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Depth {
    /// Jobs that wait or run.
    pub waiting: u64,
    /// Dead letters.
    pub dead: u64,
    /// When the first of the waiting was or will be due, µs.
    pub oldest: Option<i64>,
}

impl Tx {
    /// Queues a job with this transaction; its id, or `None` when one with the same key waits already.
    pub async fn enqueue(&mut self, job: NewJob<'_>) -> Result<Option<i64>> {
        let row = params![job.kind, job.unique_key, job.body, job.run_at, job.now];
        self.query_opt(&ENQUEUE, &row).await?.map(|row| row.get(0)).transpose()
    }

    /// Ends a job in the same transaction as its effect; false when the lock was lost, and then the caller must
    /// drop the transaction.
    pub async fn finish(&mut self, job: &Job) -> Result<bool> {
        Ok(self.execute(&FINISH, &params![job.id, &job.worker, job.tries]).await? == 1)
    }
}

/// Takes the first job that is due (of one kind, if given) and locks it until `now + lock`. Nothing under contention
/// is not an empty queue: then this pauses for a random moment and asks again before it says `None`.
pub async fn claim(db: &Db, worker: &str, kind: Option<&str>, now: i64, lock: Duration) -> Result<Option<Job>> {
    let until = now.saturating_add(i64::try_from(lock.as_micros()).unwrap_or(i64::MAX));
    for _ in 0..64 {
        let mut tx = db.write(&WHY).await?;
        let claimed = tx.query_opt(&CLAIM, &params![until, worker, now, kind]).await;
        match claimed {
            Ok(Some(row)) => {
                tx.commit().await?;
                return read(&row, worker).map(Some);
            }
            Err(error) if !error.is_transient() => return Err(error),
            Err(_) => {}
            Ok(None) => {
                if tx.query_one(&DUE, &params![now, kind]).await?.get::<i64>(0)? == 0 {
                    return Ok(None);
                }
            }
        }
        drop(tx);
        let moment = rand::rng().random_range(500..8_000);
        tokio::time::sleep(Duration::from_micros(moment)).await;
    }
    Ok(None)
}

fn read(row: &Row, worker: &str) -> Result<Job> {
    Ok(Job {
        id: row.get(0)?,
        kind: row.get(1)?,
        body: row.get(2)?,
        tries: row.get(3)?,
        created_at: row.get(4)?,
        worker: worker.to_owned(),
    })
}

/// When the next job can be claimed, µs; `None` for an empty queue.
pub async fn next_due(db: &Db) -> Result<Option<i64>> {
    db.read(&WHY).await?.query_one(&NEXT, &[]).await?.get(0)
}

/// Keeps a long job for longer; false when it was lost meanwhile.
pub async fn extend(db: &Db, job: &Job, until: i64) -> Result<bool> {
    let mut tx = db.write(&WHY).await?;
    let kept = tx.execute(&EXTEND, &params![until, job.id, &job.worker, job.tries]).await? == 1;
    tx.commit().await?;
    Ok(kept)
}

/// Says that a job failed: it runs again after a pause that doubles, or is buried after `tries` tries.
pub async fn fail(db: &Db, job: &Job, error: &str, now: i64, tries: i64) -> Result<Failed> {
    let mut tx = db.write(&WHY).await?;
    let outcome = if job.tries >= tries {
        let buried = tx.execute(&BURY, &params![error, now, job.id, &job.worker, job.tries]).await?;
        if buried == 1 && tx.finish(job).await? { Failed::Dead } else { Failed::Lost }
    } else {
        let again = now.saturating_add(pause(job.tries));
        let moved = tx.execute(&RETRY, &params![again, error, job.id, &job.worker, job.tries]).await?;
        if moved == 1 { Failed::Again(again) } else { Failed::Lost }
    };
    tx.commit().await?;
    Ok(outcome)
}

/// Puts a dead letter back into the queue; false when there is none.
pub async fn revive(db: &Db, id: i64, now: i64) -> Result<bool> {
    let mut tx = db.write(&WHY).await?;
    tx.execute(&REVIVE, &params![now, id]).await?;
    let found = tx.execute(&FORGET, &params![id]).await? == 1;
    tx.commit().await?;
    Ok(found)
}

/// How full the queue is.
pub async fn depth(db: &Db) -> Result<Depth> {
    let row = db.read(&WHY).await?.query_one(&DEPTH, &[]).await?;
    Ok(Depth { waiting: row.get(0)?, dead: row.get(1)?, oldest: row.get(2)? })
}

/// 2 s, 4 s, … 1 h, each longer by a random part of a quarter, so that what failed together is not tried together.
fn pause(tries: i64) -> i64 {
    let doubled = FIRST.saturating_mul(1 << tries.saturating_sub(1).clamp(0, 12)).min(LONGEST);
    doubled + rand::rng().random_range(0..=doubled / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_an_hour() {
        for (tries, least) in [(1, FIRST), (2, 2 * FIRST), (5, 16 * FIRST), (13, LONGEST), (1_000, LONGEST)] {
            let pause = pause(tries);
            assert!((least..=least + least / 4).contains(&pause), "{tries}: {pause}");
        }
    }
}
