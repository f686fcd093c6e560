//! The CDDL files are the contract: samples of every document, in both twins, judged by a validator that is not ours.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Stdio};

use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;
use serde::Serialize;
use wire::{Body, Message, cbor};

use crate::fixtures::{Documents, body, documents};

/// Sets of all documents; each has about 12 messages and every other document once.
const SETS: usize = 60;
/// Kinds that have a name in JSON.
const KINDS: usize = 22;

/// Python with the validator, if somebody installed it: `PLATEN_PYTHON`, what CI put into `target/python`, the system's own.
fn peer() -> Option<String> {
    let own = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/python/bin/python3").to_owned();
    let candidates = std::env::var("PLATEN_PYTHON").into_iter().chain([own, "python3".to_owned()]);
    let found = candidates.into_iter().find(|python| {
        let probe = Command::new(python).args(["-c", "import zcbor"]).stderr(Stdio::null()).status();
        probe.is_ok_and(|status| status.success())
    });
    if found.is_none() {
        println!("skipped: zcbor not found (pip install zcbor==0.9.1 cbor2==5.9.0)");
    }
    found
}

/// What the validator says to each sample; empty: it fits.
fn judge(python: &str, samples: &[(String, &'static str, Vec<u8>)]) -> Vec<String> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cddl_peer.py");
    let mut child =
        Command::new(python).arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("python starts");
    let mut pipe = child.stdin.take().unwrap();
    let mut lines = Vec::new();
    for (rule, twin, bytes) in samples {
        let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        lines.push(format!("{rule} {twin} {text}\n"));
    }
    let writing = std::thread::spawn(move || pipe.write_all(lines.concat().as_bytes()));
    let output = child.wait_with_output().unwrap();
    writing.join().unwrap().unwrap();
    assert!(output.status.success(), "the validator failed; its words stand above");
    let verdicts: Vec<String> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(|line| line.strip_prefix("good").map_or_else(|| line.to_owned(), str::to_owned))
        .collect();
    assert_eq!(verdicts.len(), samples.len());
    verdicts
}

#[derive(Default)]
struct Samples(Vec<(String, &'static str, Vec<u8>)>);

impl Samples {
    fn add<T: minicbor::Encode<()> + Serialize>(&mut self, rule: &str, document: &T) {
        self.0.push((rule.to_owned(), "cbor", cbor::encode(document)));
        self.0.push((rule.to_owned(), "json", serde_json::to_vec(document).unwrap()));
    }

    fn add_all(&mut self, all: &Documents) {
        self.add("report", &all.report);
        self.add("reply", &all.reply);
        self.add("hello", &all.hello);
        self.add("hello-reply", &all.hello_reply);
        self.add("activation", &all.activation);
        self.add("poll-reply", &all.poll_reply);
        self.add("acks", &all.acks);
        self.add("enrol-request", &all.enrol_request);
        self.add("enrol-reply", &all.enrol_reply);
        // Orders are signed, so there is only one way to write them.
        self.0.push(("order".to_owned(), "cbor", cbor::encode(&all.order)));
    }
}

#[test]
fn samples_of_every_document_fit_the_contract_in_both_twins() {
    let Some(python) = peer() else { return };
    let (mut runner, mut samples) = (TestRunner::deterministic(), Samples::default());
    for _ in 0..SETS {
        samples.add_all(&documents().new_tree(&mut runner).unwrap().current());
    }
    let mut kinds = BTreeMap::new();
    for _ in 0..600 {
        let body = body().new_tree(&mut runner).unwrap().current();
        let count: &mut u32 = kinds.entry(serde_json::to_value(&body).unwrap()["kind"].to_string()).or_default();
        *count += 1;
        if *count <= 4 {
            samples.add("message", &Message { seq: 1, taken_ms: -5, subject: None, body });
        }
    }
    assert_eq!(kinds.len(), KINDS, "{kinds:?}");
    let unknown = Message { seq: 1, taken_ms: 2, subject: None, body: Body::Unknown(99, cbor::encode(&vec![1u8, 2])) };
    samples.0.push(("message".to_owned(), "cbor", cbor::encode(&unknown)));
    samples.0.push(("envelope".to_owned(), "cbor", crate::sealed::sample()));
    let verdicts = judge(&python, &samples.0);
    let wrong = samples.0.iter().zip(&verdicts).filter(|(_, verdict)| !verdict.is_empty());
    // The shortest say most.
    let mut told: Vec<String> = wrong
        .map(|((rule, twin, bytes), verdict)| match *twin {
            "json" => format!("{rule} {twin} {}: {verdict}", String::from_utf8_lossy(bytes)),
            _ => format!("{rule} {twin} {bytes:02x?}: {verdict}"),
        })
        .collect();
    told.sort_by_key(String::len);
    println!("{} samples fit", samples.0.len());
    assert!(
        told.is_empty(),
        "{} of {} do not fit:\n{}",
        told.len(),
        samples.0.len(),
        told[..told.len().min(2)].join("\n")
    );
}

#[test]
fn what_breaks_the_contract_is_seen() {
    let Some(python) = peer() else { return };
    let sample = |rule: &str, twin, bytes: &[u8]| (rule.to_owned(), twin, bytes.to_vec());
    let wrong = [
        sample("acks", "cbor", b"\xa1\x01\x81\xa2\x01\x41\x00\x02\x01"),
        sample("acks", "cbor", b"\xa0"),
        sample("schedule", "cbor", b"\xa2\x01\x01\x02\x81\xa3\x01\x11\x02\x01\x03\x01"),
        sample("seen-body", "cbor", b"\xa2\x00\x80\x01\x01"),
        sample("message", "cbor", b"\xa4\x01\x01\x02\x0e\x03\x00\x05\xa1\x00\xf5"),
        sample("ack", "json", br#"{"id":"AAAAAAAAAAAAAAAAAAAAAA","taken":"perhaps"}"#),
        sample("ack", "json", br#"{"id":"short","taken":"done"}"#),
        sample("message", "json", br#"{"seq":1,"taken_ms":1,"kind":"browser","body":{"service":1,"option":true}}"#),
    ];
    for ((rule, _, bytes), verdict) in wrong.iter().zip(judge(&python, &wrong)) {
        assert!(verdict.starts_with("bad"), "{rule}: {}", String::from_utf8_lossy(bytes));
    }
}
