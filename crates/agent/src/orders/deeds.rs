//! What an agent can do when it is ordered to.

use std::time::Duration;

use store::Sha256;
use tokio::{task::JoinSet, time::Instant};
use wire::{
    Subject,
    command::{Order, Taken, What},
    monitor::Kind,
    schedule::Schedule,
};

use super::{Orders, is_usable};
use crate::{polling::looks::Now, state::orders::Periods};

/// Readings under way when all devices are read.
const AT_ONCE: usize = 32;
/// How long one waits for a device that somebody reads already, and how often one looks.
const PATIENCE: (Duration, Duration) = (Duration::from_secs(60), Duration::from_millis(100));
/// Shortest and longest period of a device, seconds.
const PERIODS: (u32, u32) = (60, 7 * 86_400);

/// What came of it, for people.
type Outcome = Result<String, (Taken, String)>;

fn failed(why: impl Into<String>) -> (Taken, String) {
    (Taken::Failed, why.into())
}

fn refused(why: impl Into<String>) -> (Taken, String) {
    (Taken::Refused, why.into())
}

impl Orders {
    pub(super) async fn deed(&self, order: Order) -> Outcome {
        match (order.subject, order.what) {
            (Some(subject), What::ReportNow(_)) => self.read(subject).await,
            (Some(subject), What::Schedule(schedule)) => self.follow(subject, &schedule).await,
            (Some(_), What::SendLog) => Err(refused("it is read by SNMP, which gives no debug log")),
            (None, What::ReportNow(_)) => self.read_all().await,
            (None, What::SendLog) => self.send_log().await,
            (None, What::Discover) => self.discover(),
            (None, What::Keys(keys)) if is_usable(&keys) => {
                self.learn(keys).await.map_err(|e| failed(e.to_string()))?;
                Ok("the keys are known".to_owned())
            }
            (_, What::Keys(_) | What::Discover | What::Schedule(_)) => Err(refused("nothing that an agent can do")),
        }
    }

    /// Reads one device in full and tells what it says, even if that is what was told before.
    async fn read(&self, subject: Subject) -> Outcome {
        let began = Instant::now();
        loop {
            match self.looker.read_now(subject).await {
                Now::Told => return Ok(format!("read in {:.1} s", began.elapsed().as_secs_f64())),
                Now::Busy if began.elapsed() < PATIENCE.0 => tokio::time::sleep(PATIENCE.1).await,
                Now::Busy => return Err(failed("it was being read all the time")),
                Now::Silent(why) => return Err(failed(format!("it does not answer: {why}"))),
                Now::Another => return Err(failed("another device answers at its address")),
                Now::Nowhere => return Err(failed("this agent does not know where it stands now")),
                Now::Forbidden => return Err(refused("the plan of this agent says never to ask it")),
            }
        }
    }

    async fn read_all(&self) -> Outcome {
        let devices: Vec<Subject> = self.looker.fleet.placed().into_iter().map(|(subject, ..)| subject).collect();
        let (all, mut told, mut reading) = (devices.len(), 0, JoinSet::new());
        for subject in devices {
            if reading.len() >= AT_ONCE {
                told += answered(reading.join_next().await.as_ref());
            }
            let looker = self.looker.clone();
            reading.spawn(async move { matches!(looker.read_now(subject).await, Now::Told | Now::Busy) });
        }
        while let Some(one) = reading.join_next().await {
            told += answered(Some(&one));
        }
        match (all, told) {
            (0, _) => Ok("it knows no devices".to_owned()),
            (_, 0) => Err(failed(format!("none of {all} devices answers"))),
            _ => Ok(format!("{told} of {all} devices were read")),
        }
    }

    /// Looks at a device as often as a schedule says; without a slot as in the plan.
    async fn follow(&self, subject: Subject, schedule: &Schedule) -> Outcome {
        if self.looker.fleet.get(subject).is_none() {
            return Err(failed("this agent does not know the device"));
        }
        let period = |kind| {
            let slot = schedule.slots.iter().find(|slot| slot.kind == kind);
            slot.map(|slot| slot.period_s.clamp(PERIODS.0, PERIODS.1))
        };
        let periods = Periods { status_s: period(Kind::Status), meters_s: period(Kind::Billing) };
        let set = self.state.set_periods(subject, schedule.revision, periods).await;
        if !set.map_err(|e| failed(e.to_string()))? {
            return Ok("a later schedule is followed already".to_owned());
        }
        self.scheduler.set_periods(subject, periods);
        let words = |period: Option<u32>| period.map_or_else(|| "as planned".to_owned(), |s| format!("every {s} s"));
        Ok(format!("status {}, meters {}", words(periods.status_s), words(periods.meters_s)))
    }

    fn discover(&self) -> Outcome {
        let plan = self.looker.plan.borrow();
        if plan.ranges.is_empty() && plan.targets.is_empty() && plan.dns_sd.is_empty() {
            return Err(failed("the plan names no place to look at"));
        }
        drop(plan);
        self.sweeps.send_modify(|wanted| *wanted += 1);
        Ok("a discovery begins".to_owned())
    }

    async fn send_log(&self) -> Outcome {
        let log = self.log.as_ref().ok_or_else(|| refused("this agent keeps no log that it could send"))?.lines();
        if log.is_empty() {
            return Err(failed("nothing was logged yet"));
        }
        let name = Sha256::of(&log).to_string();
        let kib = log.len().div_ceil(1_024);
        self.client.upload(&name, log).await.map_err(|failure| failed(failure.to_string()))?;
        Ok(format!("{kib} KiB, {}", &name[..12]))
    }
}

fn answered(one: Option<&Result<bool, tokio::task::JoinError>>) -> usize {
    usize::from(matches!(one, Some(Ok(true))))
}
