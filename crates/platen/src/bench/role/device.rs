//! Devices of the ingest benchmarks: their keys, what they tell, and the signed requests that carry it. Everything follows
//! from the place of a device, so that server and client agree without a word.

use anyhow::{Context, Result};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use rand::Rng as _;
use rand::SeedableRng as _;
use rand::rngs::SmallRng;
use wire::monitor::{CounterSet, Dictionary, EventBody, ServiceBody, ServiceValue};
use wire::report::StatusBody;
use wire::signature::{AGENT_HEADER, SIGNATURE_HEADER, TIME_HEADER, signing_input, to_text};
use wire::{Body, Identity, Message, Report, SnmpVersion, State, Status, Subject, cbor, packing};

/// Counters of a large report: 450 KB as JSON.
pub(in crate::bench) const LARGE: u32 = 4_500;
/// Names of counters that are meters.
const METERS: [&str; 6] = [
    "total/all/all/all/impressions",
    "print/mono/all/all/impressions",
    "print/color/all/all/impressions",
    "copy/mono/all/all/impressions",
    "copy/color/all/all/impressions",
    "scan/all/all/all/impressions",
];

/// The maker of all these devices.
pub(super) const VENDOR: &str = "ricoh";

/// The serial number of a device.
pub(super) fn serial(place: u32) -> String {
    format!("BENCH{place:08}")
}

/// The key of a device.
pub(super) fn key(place: u32) -> Result<Ed25519KeyPair> {
    let seed = digest(&SHA256, format!("platen bench device {place}").as_bytes());
    Ed25519KeyPair::from_seed_unchecked(seed.as_ref()).ok().context("a key cannot be made")
}

/// The public half.
pub(super) fn public(place: u32) -> Result<Vec<u8>> {
    Ok(key(place)?.public_key().as_ref().to_vec())
}

/// Who and how it is.
pub(super) fn status(place: u32) -> Body {
    let (a, b) = ((place >> 8) as u8, place as u8);
    Body::Status(Box::new(StatusBody {
        address: format!("10.{}.{a}.{b}", (place >> 16) as u8),
        port: 161,
        snmp: SnmpVersion::V2c,
        identity: Identity {
            vendor: Some(VENDOR.into()),
            model: Some("IM C3000".into()),
            serial: Some(serial(place)),
            ..Identity::default()
        },
        status: Status { state: State::Idle, reasons: Vec::new(), console: None },
        supplies: Vec::new(),
        inputs: Vec::new(),
        outputs: Vec::new(),
        covers: Vec::new(),
        alerts: Vec::new(),
        quirks: Vec::new(),
    }))
}

/// What the ids of the large sets mean.
pub(super) fn dictionary() -> Dictionary {
    let name = |id: u32| match METERS.get(id as usize) {
        Some(meter) => (*meter).to_owned(),
        None => format!("parts.unit-{}.use-{}", id / 16, id % 16),
    };
    Dictionary { model: "IM C3000".into(), names: (0..LARGE).map(|id| (id, name(id))).collect() }
}

/// As the wire names a dictionary.
pub(super) fn dictionary_hash() -> u64 {
    let digest = digest(&SHA256, &cbor::encode(&dictionary()));
    digest.as_ref().iter().take(8).fold(0, |hash, byte| hash << 8 | u64::from(*byte))
}

/// An error with the values of the service menu that go with it; about 0.5 to 5 KB, most of them small.
pub(super) fn event(place: u32, seq: u64) -> [Body; 2] {
    let mut random = SmallRng::seed_from_u64(u64::from(place) << 32 | seq);
    // Even over the logarithm of the size.
    let bytes = 500.0 * 10_f64.powf(random.random::<f64>());
    let values = ((bytes as usize).saturating_sub(230) / 40).max(1);
    let mut value = |at: usize| ServiceValue {
        path: format!("adjust/{:03}/{:02}/present", at / 12, at % 12),
        value: format!("{:>6}", random.random_range(0..999_999)),
        adjusted: false,
    };
    let values = (0..values).map(&mut value).collect();
    let code = format!("E{:03}", random.random_range(1..400));
    let event = EventBody { code, total: Some(seq), level: None, standing: None, ..EventBody::default() };
    [Body::Error(event), Body::ServiceDisplay(ServiceBody { values })]
}

/// A whole set: `round` says how often it was told before; a tenth of the counters grow from one to the next.
pub(in crate::bench) fn counters(place: u32, round: u32, hash: u64, count: u32) -> CounterSet {
    let value = |id: u32| {
        let mut random = SmallRng::seed_from_u64(u64::from(place) << 32 | u64::from(id));
        let start = random.random_range(0..2_000_000_i64);
        let (moves, step) = (random.random_range(0..10) == 0 || id < 6, random.random_range(1..200_i64));
        (id, if moves { start + step * i64::from(round) } else { start })
    };
    CounterSet { base_seq: None, values: (0..count).map(value).collect(), dictionary: hash }
}

/// A report of these messages, numbered from `first`.
pub(super) fn report(sender: Subject, epoch: u64, first: u64, taken_ms: i64, bodies: Vec<Body>) -> Report {
    let message = |(seq, body): (u64, Body)| Message { seq, taken_ms, subject: None, body };
    let messages = (first..).zip(bodies).map(message).collect();
    Report { version: 1, sender, epoch, clock_ms: taken_ms, mono_ms: 0, messages, plan_revision: 1 }
}

/// The signed settings inquiry of a device that follows its schedule.
pub(super) fn inquiry(key: &Ed25519KeyPair, sender: Subject, now_ms: i64, host: &str) -> Vec<u8> {
    let path = "/d/v1/poll?revision=1";
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, b"").as_ref());
    let signature = to_text(key.sign(&signing_input("GET", path, now_ms, &hash)).as_ref());
    let sender = sender.to_text();
    format!(
        "GET {path} HTTP/1.1\r\nhost: {host}\r\n{AGENT_HEADER}: {sender}\r\n{TIME_HEADER}: {now_ms}\r\n{SIGNATURE_HEADER}: {signature}\r\n\r\n"
    )
    .into_bytes()
}

/// The signed request that carries a report.
pub(super) fn request(key: &Ed25519KeyPair, report: &Report, now_ms: i64, host: &str, packed: bool) -> Result<Vec<u8>> {
    let cbor = cbor::encode(report);
    let body = if packed { packing::pack(&cbor, packing::USUAL).context("a report cannot be packed")? } else { cbor };
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, &body).as_ref());
    let path = "/d/v1/report";
    let signature = to_text(key.sign(&signing_input("POST", path, now_ms, &hash)).as_ref());
    let encoding = if packed { "content-encoding: zstd\r\n" } else { "" };
    let mut request = format!(
        "POST {path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: {}\r\n{encoding}content-length: {}\r\n{AGENT_HEADER}: {}\r\n\
         {TIME_HEADER}: {now_ms}\r\n{SIGNATURE_HEADER}: {signature}\r\n\r\n",
        cbor::CBOR,
        body.len(),
        report.sender.to_text()
    )
    .into_bytes();
    request.extend(body);
    Ok(request)
}
