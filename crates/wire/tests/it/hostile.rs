//! Bytes from a stranger: an answer or an error, never a panic, never memory by an unverified length.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use wire::{Message, Report, cbor};

use crate::fixtures::report;

const MUTATIONS: u32 = 20_000;

#[test]
fn mutated_reports_are_answered_or_refused() {
    let mut runner = TestRunner::deterministic();
    let documents: Vec<Vec<u8>> =
        (0..50).map(|_| cbor::encode(&report().new_tree(&mut runner).unwrap().current())).collect();
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 1).unwrap_or(0)
    };
    let mut accepted = 0;
    for _ in 0..MUTATIONS {
        let mut bytes = documents[next() % documents.len()].clone();
        for _ in 0..1 + next() % 4 {
            let at = next() % bytes.len();
            match next() % 4 {
                0 => bytes[at] ^= 1 << (next() % 8),
                1 => bytes[at] = 0xff,
                2 => bytes.truncate(at.max(1)),
                _ => bytes.insert(at, 0x9b),
            }
        }
        accepted += u32::from(cbor::decode::<Report>(&bytes).is_ok());
    }
    println!("{MUTATIONS} mutated reports, {accepted} still readable");
}

#[test]
fn a_lying_length_allocates_nothing() {
    // An array of 2^60 messages, announced in nine bytes.
    let bytes = [0xa1, 7, 0x9b, 0x10, 0, 0, 0, 0, 0, 0, 0];
    assert!(cbor::decode::<Report>(&bytes).is_err());
}

proptest! {
    #[test]
    fn any_bytes_are_answered_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        drop(cbor::decode::<Report>(&bytes));
        drop(cbor::decode::<Message>(&bytes));
        drop(serde_json::from_slice::<Report>(&bytes));
    }
}
