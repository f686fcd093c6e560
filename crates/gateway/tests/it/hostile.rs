//! Thousands of broken requests: no crash, no hang, no 2xx for what cannot be read, and the door goes on serving.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use gateway::Limits;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    task::JoinSet,
};
use wire::{Meter, Outcome, Report, cbor, report::CountersBody};

use crate::door::{Door, Sender, reply_of, status};
use crate::mutator;

const SENDERS: usize = 8;
/// Of a hundred mutants so many are heads that nobody signed; they take a connection each.
const HEADS: usize = 17;

/// The same numbers in each run of a seed.
struct Dice(mutator::Dice);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0.below(below)
    }

    fn mutate(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..=self.roll(3) {
            if bytes.is_empty() {
                bytes.push(0xff);
            }
            let at = self.roll(bytes.len());
            match self.roll(7) {
                0 => bytes[at] ^= 1 << self.roll(8),
                1 => bytes[at] = [0x00, 0x1b, 0x5f, 0x7f, 0x9b, 0xbf, 0xfb, 0xff][self.roll(8)],
                2 => bytes.truncate(at),
                3 => {
                    bytes.remove(at);
                }
                4 => bytes.insert(at, self.roll(256) as u8),
                5 => {
                    let piece = bytes[at..(at + 1 + self.roll(40)).min(bytes.len())].to_vec();
                    let to = self.roll(bytes.len());
                    bytes.splice(to..to, piece);
                }
                _ => {
                    let until = (at + 1 + self.roll(9)).min(bytes.len());
                    bytes[at..until].fill(self.roll(256) as u8);
                }
            }
        }
    }
}

fn sample(sender: &Sender, seq: u64) -> Report {
    let meter = |value| Meter {
        function: wire::Function::Print,
        color: wire::ColorMode::Mono,
        size: wire::PaperSize::All,
        sides: wire::Sides::All,
        unit: wire::Unit::Impressions,
        value,
        name: None,
        source: "1.3.6.1.2.1.43.10.2.1.4.1.1".to_owned(),
    };
    let device = status(seq, "MUTANT1");
    let counters = wire::Message {
        seq: seq + 1,
        body: wire::Body::Counters(CountersBody { meters: (0..8).map(meter).collect() }),
        ..device.clone()
    };
    sender.report(vec![device, counters])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mutants_of_http_requests_do_no_harm() {
    let door = Arc::new(Door::open().await);
    let mut senders = Vec::new();
    for _ in 0..SENDERS {
        senders.push((door.enrol(&door.root).await, door.enrol(&door.root).await));
    }
    let short = Duration::from_millis(150);
    let impatient = Arc::new(Door::with(Limits { head: short, body: short, ..Limits::default() }).await);
    // One of a hundred is the probe, which must always pass.
    let wanted = usize::try_from(mutator::count()).unwrap();
    let each = (wanted * 100 / 99).div_ceil(SENDERS) + 1;
    let mut work = JoinSet::new();
    for (place, (sender, prober)) in senders.into_iter().enumerate() {
        let (door, impatient) = (door.clone(), impatient.clone());
        work.spawn(async move {
            let mut answers = BTreeMap::new();
            let mut dice = Dice(mutator::Dice::new(place as u64 + 1));
            for round in 0..each {
                let status = match round % 100 {
                    0..HEADS => mutated_head(&impatient, &sender, &mut dice).await,
                    50..65 => mutated_call(&door, &sender, &mut dice).await,
                    99 => probe(&door, &prober, round).await,
                    _ => mutated_body(&door, &sender, &mut dice, round).await,
                };
                *answers.entry(status).or_insert(0_usize) += 1;
            }
            answers
        });
    }
    let mut answers: BTreeMap<u16, usize> = BTreeMap::new();
    while let Some(some) = work.join_next().await {
        for (status, n) in some.unwrap() {
            *answers.entry(status).or_default() += n;
        }
    }
    let total: usize = answers.values().sum();
    println!("{total} mutants, answers by status (0: connection closed): {answers:?}");
    assert!(total * 99 / 100 >= wanted, "{total} requests");
    assert!(answers.keys().all(|status| !(500..600).contains(status) || *status == 505), "{answers:?}");
    let agent = door.enrol(&door.root).await;
    let reply = reply_of(door.report(&agent, vec![status(1, "PROBE1")]).await).await;
    assert_eq!(reply.results[0].outcome, Outcome::Stored, "the door goes on serving");
}

/// A request as it should be, while the mutants go on.
async fn probe(door: &Door, sender: &Sender, round: usize) -> u16 {
    let began = std::time::Instant::now();
    let answer = door.report(sender, vec![status(round as u64 + 1, "PROBE1")]).await;
    assert!(began.elapsed() < Duration::from_secs(60), "a probe took {:?}", began.elapsed());
    let status = answer.status().as_u16();
    assert_eq!(reply_of(answer).await.results[0].outcome, Outcome::Stored, "the probe in round {round}");
    status
}

/// The other calls of the door, with a body that is signed as it is.
async fn mutated_call(door: &Door, sender: &Sender, dice: &mut Dice) -> u16 {
    let acks = wire::command::Acks { acks: Vec::new() };
    let blob = format!("/d/v1/blob/{}", "ab".repeat(32));
    let (method, path, mut body) = match dice.roll(5) {
        0 => ("POST", "/d/v1/hello".to_owned(), cbor::encode(&sample(sender, 1))),
        1 => ("POST", "/d/v1/ack".to_owned(), cbor::encode(&acks)),
        2 => ("PUT", blob, vec![7; 40]),
        3 => ("POST", "/d/v1/enrol".to_owned(), cbor::encode(&acks)),
        _ => ("GET", "/d/v1/poll?revision=1".to_owned(), Vec::new()),
    };
    dice.mutate(&mut body);
    let mut path = path.into_bytes();
    if dice.roll(2) == 0 {
        dice.mutate(&mut path);
    }
    let path: String = path.into_iter().map(|byte| char::from(byte % 94 + 33)).collect();
    let path = if path.starts_with("/d/v1/") { path } else { format!("/d/v1/{path}") };
    if format!("{}{path}", door.gateway.url).parse::<reqwest::Url>().is_err() {
        return 0;
    }
    let request = door.request(sender, method, &path, body).timeout(Duration::from_secs(60));
    let answer = request.header("content-type", cbor::CBOR).send().await.expect("an answer within a minute");
    let status = answer.status().as_u16();
    assert!(!(200..300).contains(&status), "{method} {path} was answered {status}");
    status
}

async fn mutated_body(door: &Door, sender: &Sender, dice: &mut Dice, round: usize) -> u16 {
    let report = sample(sender, round as u64 * 2 + 1);
    let json = dice.roll(4) == 0;
    let mut body = if json { serde_json::to_vec(&report).unwrap() } else { cbor::encode(&report) };
    dice.mutate(&mut body);
    let readable =
        if json { serde_json::from_slice::<Report>(&body).is_ok() } else { cbor::decode::<Report>(&body).is_ok() };
    let packed = dice.roll(4) == 0;
    let content = body.clone();
    if packed {
        body = zstd::encode_all(&body[..], 1).unwrap();
        if dice.roll(2) == 0 {
            dice.mutate(&mut body);
        }
    }
    let readable = readable && (!packed || zstd::decode_all(&body[..]).is_ok_and(|unpacked| unpacked == content));
    let twin = if json { cbor::JSON } else { cbor::CBOR };
    let mut request = door.request(sender, "POST", "/d/v1/report", body).header("content-type", twin);
    if packed {
        request = request.header("content-encoding", "zstd");
    }
    let answer = request.timeout(Duration::from_secs(60)).send().await.expect("an answer within a minute");
    let status = answer.status().as_u16();
    assert!(readable || packed || status != 200, "200 for what cannot be read");
    status
}

/// Status of the answer; 0 when the connection was closed without one.
async fn mutated_head(door: &Door, sender: &Sender, dice: &mut Dice) -> u16 {
    let body = cbor::encode(&sample(sender, 1));
    let mut bytes = format!("POST /d/v1/report HTTP/1.1\r\nhost: localhost\r\ncontent-type: {}\r\n", cbor::CBOR);
    for (name, value) in sender.headers("POST", "/d/v1/report", door.now_ms(), &body) {
        bytes.push_str(&format!("{name}: {value}\r\n"));
    }
    bytes.push_str(&format!("content-length: {}\r\nconnection: close\r\n\r\n", body.len()));
    let mut bytes = bytes.into_bytes();
    dice.mutate(&mut bytes);
    bytes.extend_from_slice(&body);
    let mut stream = door.connect().await;
    let _ = stream.write_all(&bytes).await;
    let _ = stream.flush().await;
    let mut said = Vec::new();
    let reading = stream.read_to_end(&mut said);
    let _ = tokio::time::timeout(Duration::from_secs(60), reading).await.expect("an end within a minute");
    let line = String::from_utf8_lossy(&said[..said.len().min(12)]).into_owned();
    line.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0)
}
