//! Sealed envelopes: what opens, what must not, and an independent COSE library on the other side.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::io::Write as _;
use std::process::{Command, Stdio};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
    UnparsedPublicKey,
};
use proptest::prelude::*;
use serde_json::{Value, json};
use wire::Subject;
use wire::sealed::{
    Addresses, Algorithm, AwsLc, Claims, Content, Header, Limits, Opener, P256Secret, Recipient, SealError, Signer,
    open, seal,
};

const DEVICE: Subject = Subject([7; 16]);
const NOW: i64 = 1_790_000_000_000;
const SECRET: [u8; 32] = [9; 32];
const OLD_SECRET: [u8; 32] = [8; 32];
const SEED: [u8; 32] = [3; 32];
const PAIR: Addresses<'_> = Addresses { from: "d1@mail.example", to: "reports@mail.example" };
const CONTENT: &[u8] = b"\xa1\x01\x01 a report, or what stands for one; a report, or what stands for one";

fn claims() -> Claims {
    let (issued_ms, expires_ms) = (NOW - 1_000, NOW + 3 * 86_400_000);
    Claims { sender: DEVICE, epoch: 3, seq: 41, kind: 5, issued_ms, expires_ms, content: Content::Report }
}

fn sealed(claims: &Claims, addresses: &Addresses<'_>, secret: &[u8; 32], kid: u32) -> Vec<u8> {
    let pair = Ed25519KeyPair::from_seed_unchecked(&SEED).unwrap();
    let signer = Signer {
        algorithm: Algorithm::EdDsa,
        kid: &DEVICE.0,
        sign: &|message| pair.sign(message).as_ref().try_into().ok(),
    };
    let key = P256Secret::of(secret).unwrap().public().unwrap();
    let recipient = Recipient { kid: &kid.to_be_bytes(), key: &key };
    seal(&AwsLc, claims, CONTENT, addresses, &Header::of(DEVICE, claims), &recipient, &signer).unwrap()
}

/// An envelope, for the contract.
pub(crate) fn sample() -> Vec<u8> {
    sealed(&claims(), &PAIR, &SECRET, 2)
}

/// Whether an envelope opens; if it does, it must be to what was sealed.
pub(crate) fn opens_as_sealed(envelope: &[u8]) -> bool {
    let (claims, header) = (claims(), Header::of(DEVICE, &claims()));
    let told = opened(envelope, &PAIR, &header, NOW);
    assert!(told.is_err() || told == Ok((claims, CONTENT.to_vec())), "{envelope:02x?} opens to something else");
    told.is_ok()
}

/// What a gateway reads of a content that a known device has sealed.
pub(crate) fn by_way_of_an_envelope(content: &[u8]) -> Vec<u8> {
    let (claims, header) = (claims(), Header::of(DEVICE, &claims()));
    let pair = Ed25519KeyPair::from_seed_unchecked(&SEED).unwrap();
    let sign = |message: &[u8]| pair.sign(message).as_ref().try_into().ok();
    let signer = Signer { algorithm: Algorithm::EdDsa, kid: &DEVICE.0, sign: &sign };
    let key = P256Secret::of(&SECRET).unwrap().public().unwrap();
    let recipient = Recipient { kid: &2_u32.to_be_bytes(), key: &key };
    let envelope = seal(&AwsLc, &claims, content, &PAIR, &header, &recipient, &signer).unwrap();
    opened(&envelope, &PAIR, &header, NOW).unwrap().1
}

/// A gateway with two keys, 2 the newer one, which knows one device.
fn opened(
    envelope: &[u8],
    addresses: &Addresses<'_>,
    header: &Header,
    now_ms: i64,
) -> Result<(Claims, Vec<u8>), SealError> {
    let unseal = |kid: &[u8], peer: &[u8; 65]| match kid {
        [0, 0, 0, 1] => P256Secret::of(&OLD_SECRET)?.agree(peer),
        [0, 0, 0, 2] => P256Secret::of(&SECRET)?.agree(peer),
        _ => None,
    };
    let pair = Ed25519KeyPair::from_seed_unchecked(&SEED).unwrap();
    let verify = |algorithm: Algorithm, kid: &[u8], message: &[u8], signature: &[u8]| {
        let key = UnparsedPublicKey::new(&ED25519, pair.public_key().as_ref());
        algorithm == Algorithm::EdDsa && kid == DEVICE.0 && key.verify(message, signature).is_ok()
    };
    open(
        &AwsLc,
        envelope,
        addresses,
        header,
        &Opener { unseal: &unseal, verify: &verify, now_ms, limits: Limits::default() },
    )
}

#[test]
fn an_envelope_opens_for_either_of_two_keys_and_for_no_third() {
    let (claims, header) = (claims(), Header::of(DEVICE, &claims()));
    for (secret, kid) in [(&OLD_SECRET, 1), (&SECRET, 2)] {
        let envelope = sealed(&claims, &PAIR, secret, kid);
        assert_eq!(opened(&envelope, &PAIR, &header, NOW), Ok((claims, CONTENT.to_vec())));
    }
    assert_eq!(opened(&sealed(&claims, &PAIR, &SECRET, 3), &PAIR, &header, NOW), Err(SealError::UnknownKey));
    assert_eq!(opened(&sealed(&claims, &PAIR, &SECRET, 1), &PAIR, &header, NOW), Err(SealError::Tampered));
}

#[test]
fn replay_with_another_address_or_a_swapped_header_does_not_open_8() {
    let (claims, envelope) = (claims(), sealed(&claims(), &PAIR, &SECRET, 2));
    let header = Header::of(DEVICE, &claims);
    let upper = Addresses { from: "D1@Mail.Example", ..PAIR };
    assert!(opened(&envelope, &upper, &header, NOW).is_ok(), "mail servers change the case of addresses");
    for addresses in [
        Addresses { from: "d2@mail.example", ..PAIR },
        Addresses { to: "other@mail.example", ..PAIR },
        Addresses { from: PAIR.to, to: PAIR.from },
    ] {
        assert_eq!(opened(&envelope, &addresses, &header, NOW), Err(SealError::Tampered), "{addresses:?}");
    }
    for swapped in [
        Header { device: Subject([6; 16]), ..header },
        Header { kind: 4, ..header },
        Header { epoch: 2, ..header },
        Header { seq: 42, ..header },
    ] {
        assert_eq!(opened(&envelope, &PAIR, &swapped, NOW), Err(SealError::Tampered), "{swapped}");
    }
}

#[test]
fn replay_of_old_mail_ends_with_its_time_8() {
    let (claims, header) = (claims(), Header::of(DEVICE, &claims()));
    let envelope = sealed(&claims, &PAIR, &SECRET, 2);
    assert!(opened(&envelope, &PAIR, &header, claims.expires_ms - 1).is_ok());
    for now in [claims.expires_ms, claims.issued_ms - 300_001, i64::MIN, i64::MAX] {
        assert_eq!(opened(&envelope, &PAIR, &header, now), Err(SealError::Expired), "{now}");
    }
    for (issued_ms, expires_ms) in [(NOW, NOW + 604_800_001), (NOW, NOW), (i64::MIN, i64::MAX), (NOW + 1, NOW)] {
        let long = Claims { issued_ms, expires_ms, ..claims };
        let envelope = sealed(&long, &PAIR, &SECRET, 2);
        assert_eq!(opened(&envelope, &PAIR, &header, NOW), Err(SealError::Expired), "seven days at most");
    }
}

#[test]
fn nobody_else_can_speak_for_a_device_nor_a_device_for_the_server() {
    let claims = claims();
    let header = Header::of(DEVICE, &claims);
    let key = P256Secret::of(&SECRET).unwrap().public().unwrap();
    let recipient = Recipient { kid: &2_u32.to_be_bytes(), key: &key };
    let stranger = Ed25519KeyPair::from_seed_unchecked(&[4; 32]).unwrap();
    let sign = |message: &[u8]| stranger.sign(message).as_ref().try_into().ok();
    let signer = Signer { algorithm: Algorithm::EdDsa, kid: &DEVICE.0, sign: &sign };
    let forged = seal(&AwsLc, &claims, CONTENT, &PAIR, &header, &recipient, &signer).unwrap();
    assert_eq!(opened(&forged, &PAIR, &header, NOW), Err(SealError::Signature));
    for wrong in [
        Claims { sender: Subject([6; 16]), ..claims },
        Claims { content: Content::Orders, ..claims },
        Claims { seq: 42, ..claims },
    ] {
        let made = seal(&AwsLc, &wrong, CONTENT, &PAIR, &header, &recipient, &signer);
        assert_eq!(made, Err(SealError::Mark), "{wrong:?}");
    }
}

#[test]
fn a_communication_test_by_mail_is_signed_with_a_key_that_names_itself() {
    let claims = Claims { kind: Content::HELLO, content: Content::Hello, ..claims() };
    let header = Header::of(DEVICE, &claims);
    let pair = Ed25519KeyPair::from_seed_unchecked(&[5; 32]).unwrap();
    let sign = |message: &[u8]| pair.sign(message).as_ref().try_into().ok();
    let secret = P256Secret::of(&SECRET).unwrap();
    let key = secret.public().unwrap();
    let recipient = Recipient { kid: &2_u32.to_be_bytes(), key: &key };
    let sealed = |claims: &Claims, kid: &[u8]| {
        let signer = Signer { algorithm: Algorithm::EdDsa, kid, sign: &sign };
        seal(&AwsLc, claims, CONTENT, &PAIR, &Header::of(DEVICE, claims), &recipient, &signer)
    };
    // Whoever opens it knows no device: the name of the key is the key.
    let verify = |_: Algorithm, kid: &[u8], message: &[u8], signature: &[u8]| {
        UnparsedPublicKey::new(&ED25519, kid).verify(message, signature).is_ok()
    };
    let unseal = |_: &[u8], peer: &[u8; 65]| secret.agree(peer);
    let opener = Opener { unseal: &unseal, verify: &verify, now_ms: NOW, limits: Limits::default() };
    let envelope = sealed(&claims, pair.public_key().as_ref()).unwrap();
    assert_eq!(open(&AwsLc, &envelope, &PAIR, &header, &opener), Ok((claims, CONTENT.to_vec())));
    let of_another = Ed25519KeyPair::from_seed_unchecked(&[6; 32]).unwrap();
    let envelope = sealed(&claims, of_another.public_key().as_ref()).unwrap();
    assert_eq!(open(&AwsLc, &envelope, &PAIR, &header, &opener), Err(SealError::Signature));
    for wrong in [Claims { kind: 5, ..claims }, Claims { content: Content::Report, ..claims }] {
        assert_eq!(sealed(&wrong, &DEVICE.0), Err(SealError::Mark), "a test is known by its mark: {wrong:?}");
    }
}

#[test]
fn es256_signs_as_well() {
    let (claims, header) = (claims(), Header::of(DEVICE, &claims()));
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let sign = |message: &[u8]| pair.sign(&SystemRandom::new(), message).ok()?.as_ref().try_into().ok();
    let signer = Signer { algorithm: Algorithm::Es256, kid: &DEVICE.0, sign: &sign };
    let secret = P256Secret::of(&SECRET).unwrap();
    let key = secret.public().unwrap();
    let recipient = Recipient { kid: b"one", key: &key };
    let envelope = seal(&AwsLc, &claims, CONTENT, &PAIR, &header, &recipient, &signer).unwrap();
    let verify = |algorithm: Algorithm, _: &[u8], message: &[u8], signature: &[u8]| {
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, pair.public_key().as_ref());
        algorithm == Algorithm::Es256 && key.verify(message, signature).is_ok()
    };
    let unseal = |_: &[u8], peer: &[u8; 65]| secret.agree(peer);
    let opener = Opener { unseal: &unseal, verify: &verify, now_ms: NOW, limits: Limits::default() };
    assert_eq!(open(&AwsLc, &envelope, &PAIR, &header, &opener), Ok((claims, CONTENT.to_vec())));
}

#[test]
fn every_flipped_bit_and_every_cut_is_seen() {
    let (claims, header) = (claims(), Header::of(DEVICE, &claims()));
    let envelope = sealed(&claims, &PAIR, &SECRET, 2);
    for at in 0..envelope.len() * 8 {
        let mut bad = envelope.clone();
        bad[at / 8] ^= 1 << (at % 8);
        assert!(opened(&bad, &PAIR, &header, NOW).is_err(), "bit {at}");
    }
    for length in 0..envelope.len() {
        assert!(opened(&envelope[..length], &PAIR, &header, NOW).is_err(), "length {length}");
    }
    assert!(opened(&[&envelope[..], &[0]].concat(), &PAIR, &header, NOW).is_err());
    assert_eq!(opened(&vec![0; 4 << 20], &PAIR, &header, NOW), Err(SealError::TooLarge));
}

proptest! {
    #[test]
    fn any_bytes_are_refused_without_a_fault(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let header = Header::of(DEVICE, &claims());
        prop_assert!(opened(&bytes, &PAIR, &header, NOW).is_err());
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len() / 2).map(|at| u8::from_str_radix(&text[at * 2..at * 2 + 2], 16).unwrap()).collect()
}

/// Python with the library, if somebody installed it: `PLATEN_PYTHON`, what CI put into `target/python`, the system's own.
fn peer() -> Option<String> {
    let own = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/python/bin/python3").to_owned();
    let candidates = std::env::var("PLATEN_PYTHON").into_iter().chain([own, "python3".to_owned()]);
    let found = candidates.into_iter().find(|python| {
        let probe = Command::new(python).args(["-c", "import cwt, zstandard"]).stderr(Stdio::null()).status();
        probe.is_ok_and(|status| status.success())
    });
    if found.is_none() {
        println!("skipped: cwt not found (pip install cwt==3.3.0 zstandard==0.25.0)");
    }
    found
}

fn ask(python: &str, words: &Value) -> Value {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cose_peer.py");
    let mut child =
        Command::new(python).arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("python starts");
    child.stdin.take().unwrap().write_all(words.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "the peer failed; its words stand above");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The external data as the standard's reader would write it, without our code.
fn bound(header: &Header) -> Vec<u8> {
    let mut bytes = vec![0x84];
    for text in ["platen-mail-v1", PAIR.from, PAIR.to, &header.to_string()] {
        match text.len() {
            length @ 0..24 => bytes.push(0x60 + u8::try_from(length).unwrap()),
            length => bytes.extend([0x78, u8::try_from(length).unwrap()]),
        }
        bytes.extend(text.as_bytes());
    }
    bytes
}

fn words(header: &Header) -> Value {
    let pair = Ed25519KeyPair::from_seed_unchecked(&SEED).unwrap();
    let point = P256Secret::of(&SECRET).unwrap().public().unwrap();
    json!({
        "bound": hex(&bound(header)),
        "recipient": { "kid": "00000002", "public": hex(&point), "secret": hex(&SECRET) },
        "signer": { "kid": hex(&DEVICE.0), "public": hex(pair.public_key().as_ref()), "secret": hex(&SEED) },
    })
}

#[test]
fn an_independent_cose_library_opens_our_envelopes() {
    let Some(python) = peer() else { return };
    let (claims, header) = (claims(), Header::of(DEVICE, &claims()));
    let mut words = words(&header);
    words["envelope"] = hex(&sealed(&claims, &PAIR, &SECRET, 2)).into();
    let told = ask(&python, &words);
    assert_eq!(told["algorithms"], json!([3, -8]));
    assert_eq!(told["type"], Content::Report.media_type());
    assert_eq!(told["claims"], json!([hex(&DEVICE.0), 3, 41, 5, claims.issued_ms, claims.expires_ms]));
    assert_eq!(told["content"], hex(CONTENT));
}

#[test]
fn we_open_envelopes_of_an_independent_cose_library() {
    let Some(python) = peer() else { return };
    let (claims, header) = (claims(), Header::of(DEVICE, &claims()));
    let mut words = words(&header);
    words["claims"] = json!([hex(&DEVICE.0), 3, 41, 5, claims.issued_ms, claims.expires_ms]);
    words["type"] = Content::Report.media_type().into();
    words["content"] = hex(CONTENT).into();
    let made = unhex(ask(&python, &words)["envelope"].as_str().unwrap());
    assert_eq!(opened(&made, &PAIR, &header, NOW), Ok((claims, CONTENT.to_vec())));
}
