//! Mutants of documents and of sealed envelopes, through the functions that the doors use: an answer or a refusal, never
//! a panic, never memory by a length that lies, never a document that reads otherwise when it is read again.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fmt::Debug;
use std::time::{Duration, Instant};

use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;
use serde::Serialize;
use serde::de::DeserializeOwned;
use wire::command::{Acks, Order};
use wire::enrol::{EnrolReply, EnrolRequest};
use wire::hello::{Hello, HelloReply, PollReply};
use wire::{Activation, Reply, Report, cbor};

use crate::fixtures::{Documents, documents};
use crate::mutator::{Dice, count, mutant};
use crate::sealed;

/// Longest time for one mutant, on a machine that does other things as well.
const PATIENCE: Duration = Duration::from_secs(60);
/// Heads and endings that decoders have stumbled over: lengths that lie, endless and nested values, odd numbers, tags.
const CBOR_PIECES: [&[u8]; 20] = [
    &[0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    &[0x9b, 0, 0, 0, 1, 0, 0, 0, 0],
    &[0xbb, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    &[0x5b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    &[0x7b, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff],
    &[0x9f],
    &[0xbf],
    &[0x5f],
    &[0x7f],
    &[0xff],
    &[0x81; 3_000],
    &[0xd8; 600],
    &[0xc0],
    &[0xf6],
    &[0xf7],
    &[0xf9, 0x7e, 0],
    &[0xfb, 0x7f, 0xf0, 0, 0, 0, 0, 0, 0],
    &[0x1b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    &[0x3b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    &[0x62, 0xff, 0xfe],
];

/// A mutant of one of these: by the shared mutator, or by the pieces above.
fn changed(dice: &mut Dice, lawful: &[Vec<u8>]) -> Vec<u8> {
    if dice.below(2) == 0 {
        return mutant(dice, lawful);
    }
    let mut bytes = lawful[dice.below(lawful.len())].clone();
    for _ in 0..=dice.below(3) {
        let at = dice.below(bytes.len() + 1);
        let end = (at + dice.below(3)).min(bytes.len());
        bytes.splice(at..end, CBOR_PIECES[dice.below(CBOR_PIECES.len())].iter().copied());
    }
    bytes
}

/// Reads as the doors do. What is accepted must read the same when it is written and read again.
fn is_read<T>(bytes: &[u8]) -> bool
where
    T: minicbor::Encode<()> + for<'b> minicbor::Decode<'b, ()> + PartialEq + Debug,
{
    let Ok(document) = cbor::decode::<T>(bytes) else { return false };
    let again = cbor::decode::<T>(&cbor::encode(&document));
    // Not a number is equal to nothing, itself neither; its bytes are.
    let same = again.is_ok_and(|again| again == document || cbor::encode(&again) == cbor::encode(&document));
    assert!(same, "{bytes:02x?} reads as {document:?}, and otherwise when written again");
    true
}

fn is_read_as_json<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> bool {
    let Ok(document) = serde_json::from_slice::<T>(bytes) else { return false };
    let text = serde_json::to_vec(&document).unwrap();
    let again = serde_json::from_slice::<T>(&text).map(|again| serde_json::to_vec(&again).unwrap());
    assert!(again.is_ok_and(|again| again == text), "{} reads otherwise again", String::from_utf8_lossy(bytes));
    true
}

/// Lawful documents of each kind, in one twin.
fn lawful(encode: impl Fn(&Documents) -> [Vec<u8>; 10]) -> [Vec<Vec<u8>>; 10] {
    let (mut runner, mut all) = (TestRunner::deterministic(), <[Vec<Vec<u8>>; 10]>::default());
    for _ in 0..40 {
        let made = encode(&documents().new_tree(&mut runner).unwrap().current());
        all.iter_mut().zip(made).for_each(|(kind, bytes)| kind.push(bytes));
    }
    all
}

#[test]
fn mutants_of_cbor_documents_are_refused_or_read_the_same_twice() {
    let lawful = lawful(|all| {
        [
            cbor::encode(&all.report),
            cbor::encode(&all.reply),
            cbor::encode(&all.hello),
            cbor::encode(&all.hello_reply),
            cbor::encode(&all.activation),
            cbor::encode(&all.poll_reply),
            cbor::encode(&all.order),
            cbor::encode(&all.acks),
            cbor::encode(&all.enrol_request),
            cbor::encode(&all.enrol_reply),
        ]
    });
    let readers: [fn(&[u8]) -> bool; 10] = [
        is_read::<Report>,
        is_read::<Reply>,
        is_read::<Hello>,
        is_read::<HelloReply>,
        is_read::<Activation>,
        is_read::<PollReply>,
        is_read::<Order>,
        is_read::<Acks>,
        is_read::<EnrolRequest>,
        is_read::<EnrolReply>,
    ];
    let mut read = 0;
    for number in 0..count() {
        let mut dice = Dice::new(number);
        // Reports are what strangers send most.
        let kind = if number % 2 == 0 { 0 } else { dice.below(readers.len()) };
        let (bytes, begun) = (changed(&mut dice, &lawful[kind]), Instant::now());
        read += u64::from(readers[kind](&bytes));
        assert!(begun.elapsed() < PATIENCE, "mutant {number} took {:?}", begun.elapsed());
    }
    println!("{} mutants of CBOR, {read} still readable", count());
    assert!(read > count() / 100, "the mutants reach what they shall test");
}

#[test]
fn mutants_of_json_documents_are_refused_or_read_the_same_twice() {
    let json = |document: &dyn erased::Json| document.json();
    let lawful = lawful(|all| {
        [
            json(&all.report),
            json(&all.reply),
            json(&all.hello),
            json(&all.hello_reply),
            json(&all.activation),
            json(&all.poll_reply),
            json(&all.order),
            json(&all.acks),
            json(&all.enrol_request),
            json(&all.enrol_reply),
        ]
    });
    let readers: [fn(&[u8]) -> bool; 10] = [
        is_read_as_json::<Report>,
        is_read_as_json::<Reply>,
        is_read_as_json::<Hello>,
        is_read_as_json::<HelloReply>,
        is_read_as_json::<Activation>,
        is_read_as_json::<PollReply>,
        is_read_as_json::<Order>,
        is_read_as_json::<Acks>,
        is_read_as_json::<EnrolRequest>,
        is_read_as_json::<EnrolReply>,
    ];
    let mut read = 0;
    for number in 0..count() {
        let mut dice = Dice::new(number);
        let kind = if number % 2 == 0 { 0 } else { dice.below(readers.len()) };
        let (bytes, begun) = (mutant(&mut dice, &lawful[kind]), Instant::now());
        read += u64::from(readers[kind](&bytes));
        assert!(begun.elapsed() < PATIENCE, "mutant {number} took {:?}", begun.elapsed());
    }
    println!("{} mutants of JSON, {read} still readable", count());
    assert!(read > count() / 100, "the mutants reach what they shall test");
}

/// Documents of any kind as JSON.
mod erased {
    pub(super) trait Json {
        fn json(&self) -> Vec<u8>;
    }

    impl<T: serde::Serialize> Json for T {
        fn json(&self) -> Vec<u8> {
            serde_json::to_vec(self).unwrap()
        }
    }
}

#[test]
fn mutants_of_cose_envelopes_open_to_what_was_sealed_or_not_at_all() {
    let lawful: Vec<Vec<u8>> = (0..8).map(|_| sealed::sample()).collect();
    let mut opened = 0;
    for number in 0..count() {
        let mut dice = Dice::new(number);
        let (bytes, begun) = (changed(&mut dice, &lawful), Instant::now());
        opened += u64::from(sealed::opens_as_sealed(&bytes));
        assert!(begun.elapsed() < PATIENCE, "mutant {number} took {:?}", begun.elapsed());
    }
    println!("{} mutants of COSE, {opened} opened to what was sealed", count());
}

#[test]
fn mutants_of_cbor_that_are_signed_and_sealed_are_refused_or_read_the_same_twice() {
    let lawful = lawful(|all| std::array::from_fn(|_| cbor::encode(&all.report)));
    let (many, mut read) = (count() / 10, 0);
    for number in 0..many {
        let content = changed(&mut Dice::new(number), &lawful[0]);
        // A device whose key is known may say what it likes.
        let told = sealed::by_way_of_an_envelope(&content);
        assert_eq!(told, content, "an envelope changes nothing");
        read += u64::from(is_read::<Report>(&told));
    }
    println!("{many} sealed mutants of CBOR, {read} still readable");
}
