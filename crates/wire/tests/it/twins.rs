//! CBOR and JSON say the same.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fmt::Debug;

use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use wire::cbor;
use wire::enrol::EnrolToken;
use wire::plan::SnmpCredential;
use wire::{AgentPlan, Body, Level, Message, Subject};

use crate::fixtures::{Documents, documents, level, report};

/// Whether a document comes back the same from either twin, and from one by way of the other.
fn survives<T>(document: &T) -> Result<(), TestCaseError>
where
    T: minicbor::Encode<()> + for<'b> minicbor::Decode<'b, ()> + Serialize + DeserializeOwned + PartialEq + Debug,
{
    let by_cbor = cbor::decode::<T>(&cbor::encode(document)).unwrap();
    let by_json = serde_json::from_str::<T>(&serde_json::to_string(&by_cbor).unwrap()).unwrap();
    prop_assert_eq!(&by_cbor, document);
    prop_assert_eq!(&by_json, document);
    prop_assert_eq!(cbor::encode(&by_json), cbor::encode(document), "the same bytes");
    Ok(())
}

proptest! {
    #[test]
    fn every_document_is_the_same_in_both_twins(all in documents()) {
        let Documents { report, reply, hello, hello_reply, activation, .. } = &all;
        let Documents { poll_reply, order, acks, enrol_request, enrol_reply, .. } = &all;
        survives(report)?;
        survives(reply)?;
        survives(hello)?;
        survives(hello_reply)?;
        survives(activation)?;
        survives(poll_reply)?;
        survives(order)?;
        survives(acks)?;
        survives(enrol_request)?;
        survives(enrol_reply)?;
    }

    #[test]
    fn a_report_survives_both_twins(report in report()) {
        survives(&report)?;
    }

    #[test]
    fn a_level_keeps_its_kind(level in level()) {
        let value = serde_json::to_value(level).unwrap();
        prop_assert_eq!(&value["kind"], level.kind());
        prop_assert_eq!(value.get("value").is_some(), matches!(level, Level::Percent { .. } | Level::Staged { .. }));
    }
}

#[test]
fn an_unknown_kind_is_kept_raw_and_written_back() {
    let body = Body::Unknown(99, cbor::encode(&vec![1u8, 2, 3]));
    let message = Message { seq: 1, taken_ms: 2, subject: None, body };
    let bytes = cbor::encode(&message);
    assert_eq!(cbor::decode::<Message>(&bytes).unwrap(), message);
}

#[test]
fn unknown_keys_are_ignored() {
    let mut bytes = vec![0xa5, 1, 1, 2, 0x18, 64, 3, 0, 5, 0xa2, 0, 0x80, 1, 0x80];
    bytes.extend([0x18, 77, 0x63, b'n', b'e', b'w']);
    let message = cbor::decode::<Message>(&bytes).unwrap();
    assert_eq!(message.body.kind(), 64);
}

#[test]
fn a_plan_shows_no_secret_when_debugged() {
    let plan = AgentPlan { credentials: vec![SnmpCredential::community("s3cret")], ..AgentPlan::default() };
    assert!(!format!("{plan:?}").contains("s3cret"));
}

#[test]
fn an_enrolment_token_survives_copy_and_paste() {
    let token = EnrolToken { secret: "LQ7K-2M9F-XT4D".into(), ca_pin: Some([7; 16]) };
    assert_eq!(EnrolToken::parse(&format!("  {}\n", token.to_text())), Some(token));
    assert_eq!(EnrolToken::parse("secret.nothex"), None);
    assert_eq!(EnrolToken::parse("  "), None);
}

#[test]
fn a_subject_is_22_characters_of_text() {
    let subject = Subject([0xab; 16]);
    assert_eq!(subject.to_text().len(), 22);
    assert_eq!(Subject::from_text(&subject.to_text()), Some(subject));
    assert_eq!(Subject::from_text("short"), None);
}

#[test]
fn a_percentage_that_is_no_number_is_refused() {
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert!(cbor::decode::<Level>(&cbor::encode(&Level::Percent { value })).is_err(), "{value}");
    }
}
