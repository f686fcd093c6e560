//! One day of the seed's schedule as fast as it is answered: every device tells each kind in its slots, and what happened
//! between them, in the order of that day. Each says its own time; the server reckons with the difference.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use clap::Args;
use rand::rngs::SmallRng;
use rand::{Rng as _, SeedableRng as _};
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;
use wire::monitor::{CounterSet, EnvironmentBody, EnvironmentSample, EventBody, Kind, RomBody, RomVersion, Trigger};
use wire::schedule::Slot;
use wire::{Body, Outcome, Reply, Subject, cbor};

use super::device::{counters, dictionary_hash, event, inquiry, key, report, request, status};
use super::https::{Line, Server};
use super::ingest_site::Standing;
use crate::exit::Exit;

/// Seconds of a day.
const DAY: i64 = 86_400;
/// Connections at the same time; a device keeps to one, so that its day stays in order.
const LINES: u32 = 64;
/// Errors, jams, alarms and changes of state of a device in a day, on average; with the slots 8.7 messages.
const EVENTS: f64 = 2.0;

/// `platen bench-run day-load`
#[derive(Args, Debug)]
pub struct DayLoadArgs {
    /// What the server under test left when it was ready
    #[arg(long)]
    pub standing: PathBuf,
}

/// What came of it.
#[derive(Serialize, Deserialize, Debug, Clone, Default)]
pub(in crate::bench) struct Lived {
    pub(in crate::bench) reports: u64,
    pub(in crate::bench) stored: u64,
    /// Settings inquiries (kind 15).
    pub(in crate::bench) inquiries: u64,
    pub(in crate::bench) bytes: u64,
    pub(in crate::bench) seconds: f64,
    /// Messages of each kind.
    pub(in crate::bench) kinds: HashMap<String, u64>,
}

/// A moment at which a device has something to tell.
struct Due {
    at_s: i64,
    /// Place among the devices of its connection.
    device: usize,
    kind: Kind,
}

/// A device on its way through the day.
struct Device {
    place: u32,
    sender: Subject,
    key: aws_lc_rs::signature::Ed25519KeyPair,
    seq: u64,
    /// The last full set of each kind, and the number of its message.
    fulls: HashMap<Kind, (u64, CounterSet)>,
}

pub(super) async fn run(args: DayLoadArgs) -> Result<Exit> {
    let standing: Standing = serde_json::from_slice(&std::fs::read(&args.standing)?)?;
    let server = Server::new(standing.address, &standing.ca)?;
    let standing = Arc::new(standing);
    let began = Instant::now();
    let mut lines = JoinSet::new();
    for line in 0..LINES {
        let (server, standing) = (server.clone(), standing.clone());
        lines.spawn(async move { live(server.connect().await?, &standing, line).await });
    }
    let mut told = Lived::default();
    while let Some(lived) = lines.join_next().await {
        let lived = lived??;
        told.reports += lived.reports;
        told.stored += lived.stored;
        told.inquiries += lived.inquiries;
        told.bytes += lived.bytes;
        for (kind, count) in lived.kinds {
            *told.kinds.entry(kind).or_default() += count;
        }
    }
    told.seconds = began.elapsed().as_secs_f64();
    super::print(&told)
}

/// The day of the devices of one connection.
async fn live(mut line: Line, standing: &Standing, number: u32) -> Result<Lived> {
    let (mut devices, mut due, hash) = (Vec::new(), Vec::new(), dictionary_hash());
    for place in (number..u32::try_from(standing.senders.len())?).step_by(LINES as usize) {
        let sender = Subject::from_text(&standing.senders[place as usize]).context("a name that is none")?;
        due.extend(day(place, sender, devices.len()));
        devices.push(Device { place, sender, key: key(place)?, seq: 0, fulls: HashMap::new() });
    }
    due.sort_by_key(|due| due.at_s);
    let midnight = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())? - DAY;
    let (host, mut lived) = (standing.address.to_string(), Lived::default());
    for due in due {
        let device = &mut devices[due.device];
        let now_ms = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?;
        if due.kind == Kind::Inquiry {
            let answer = line.ask(&inquiry(&device.key, device.sender, now_ms, &host)).await?;
            ensure!(matches!(answer.status, 200 | 304), "an inquiry was answered {}", answer.status);
            lived.inquiries += 1;
            continue;
        }
        device.seq += 1;
        let body = device.tell(due.kind, due.at_s, hash);
        let taken_ms = (midnight + due.at_s) * 1_000;
        let told = report(device.sender, 2, device.seq, taken_ms, vec![body]);
        let request = request(&device.key, &told, now_ms, &host, false)?;
        let answer = line.ask(&request).await?;
        ensure!(answer.status == 200, "the server answered {}", answer.status);
        let reply: Reply = cbor::decode(&answer.body).context("an answer does not read")?;
        ensure!(
            reply.results.iter().all(|result| result.outcome == Outcome::Stored),
            "not stored: {:?}",
            reply.results
        );
        lived.reports += 1;
        lived.stored += reply.results.len() as u64;
        lived.bytes += request.len() as u64;
        *lived.kinds.entry(format!("{:?}", due.kind).to_lowercase()).or_default() += 1;
    }
    Ok(lived)
}

/// When a device has what to tell.
fn day(place: u32, sender: Subject, device: usize) -> Vec<Due> {
    let mut random = SmallRng::seed_from_u64(u64::from(place) + 1);
    let mut due = Vec::new();
    for kind in Kind::ALL {
        let Trigger::Every(period_s) = kind.of_device() else { continue };
        let slot = Slot::of(sender, kind, 1, period_s, period_s);
        let mut at_s = slot.next_after(-1);
        while at_s < DAY {
            due.push(Due { at_s, device, kind });
            at_s = slot.next_after(at_s);
        }
    }
    let events = (random.random::<f64>() * 2.0 * EVENTS).round() as u32;
    for _ in 0..events {
        let kind = [Kind::Error, Kind::Jam, Kind::Alarm, Kind::Status][random.random_range(0..4)];
        due.push(Due { at_s: random.random_range(0..DAY), device, kind });
    }
    due
}

impl Device {
    fn tell(&mut self, kind: Kind, at_s: i64, hash: u64) -> Body {
        let hour = u32::try_from(at_s / 3_600).unwrap_or(0);
        let set = |count| counters(self.place, hour, hash, count);
        let error = || {
            let [Body::Error(error), _] = event(self.place, self.seq) else { return EventBody::default() };
            error
        };
        match kind {
            Kind::Error => Body::Error(error()),
            Kind::Jam => Body::Jam(error()),
            Kind::Alarm => Body::Alarm(EventBody { level: Some(3), ..error() }),
            Kind::Billing => Body::Billing(self.changed(kind, set(300))),
            Kind::Detailed => Body::Detailed(self.changed(kind, set(230))),
            Kind::Parts => Body::Parts(self.changed(kind, set(300))),
            Kind::Modes => Body::Modes(self.changed(kind, set(500))),
            Kind::Rom => Body::Rom(RomBody {
                parts: (0..12)
                    .map(|part| RomVersion { part: format!("part-{part}"), version: "12.04".into() })
                    .collect(),
            }),
            Kind::Environment => {
                Body::Environment(EnvironmentBody { samples: (0..24).map(|_| EnvironmentSample::default()).collect() })
            }
            Kind::Smart => Body::Smart(wire::monitor::SmartBody::default()),
            _ => status(self.place),
        }
    }

    /// In full the first time, then what changed.
    fn changed(&mut self, kind: Kind, set: CounterSet) -> CounterSet {
        match self.fulls.get(&kind) {
            Some((seq, full)) => set.since(full, *seq),
            None => {
                self.fulls.insert(kind, (self.seq, set.clone()));
                set
            }
        }
    }
}
