//! Documents that activate devices by mail, and what becomes of the tests that they make, on both engines.

use std::time::Duration;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use wire::hello::{Hello, Road};
use wire::monitor::Kind as Told;
use wire::sealed::{self, Addresses, Algorithm, AwsLc, Claims, Content, Header, P256Secret, Recipient, Signer};
use wire::{Activation, cbor};

use super::mail::{by_mailbox, login};
use super::mail_tests::with_doors;
use super::*;
use crate::audit::{self, AuditQuery};
use crate::page::PageQuery;
use crate::testing::TestPlatform;
use crate::{Ctx, Kind, Role};

const DAY: i64 = 86_400_000;

async fn registered(root: &Ctx, serial: &str) -> MonitorId {
    let new = NewMonitor { vendor: "canon".to_owned(), serial: serial.to_owned(), model: None };
    register(root, root.home, &new).await.unwrap().monitor.id
}

fn hello_of(document: &Activation, key: u8) -> Hello {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[key; 32]).unwrap();
    let seal = P256Secret::of(&[key; 32]).unwrap().public().map(|key| key.to_vec());
    Hello {
        version: 1,
        vendor: document.vendor.clone(),
        serial: document.serial.to_ascii_lowercase(),
        model: "iR-ADV C5850".to_owned(),
        key: pair.public_key().as_ref().to_vec(),
        claim: Some(document.claim.clone()),
        road: document.road,
        kinds: Told::ALL.to_vec(),
        clock_ms: 0,
        mono_ms: 0,
        firmware: "12.04".to_owned(),
        mac: None,
        listener: None,
        seal: seal.filter(|_| document.road == Road::MailBothWays),
    }
}

/// A test as a device with this key would mail it now.
struct Mailed {
    from: String,
    to: String,
    header: Header,
    sealed: Vec<u8>,
}

impl Mailed {
    fn of(test: &TestPlatform, document: &Activation, key: u8, epoch: u64) -> Self {
        Self::saying(test, document, key, epoch, &hello_of(document, key))
    }

    fn saying(test: &TestPlatform, document: &Activation, key: u8, epoch: u64, hello: &Hello) -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[key; 32]).unwrap();
        let (from, to) = (document.mail.device.clone(), document.mail.server.clone());
        let (sender, issued_ms) = (document.sender, test.platform.now().as_millis());
        let (kind, content) = (Content::HELLO, Content::Hello);
        let claims = Claims { sender, epoch, seq: 0, kind, issued_ms, expires_ms: issued_ms + 7 * DAY, content };
        let header = Header::of(sender, &claims);
        let newest = &document.keys[0];
        let recipient = Recipient { kid: &newest.id.to_be_bytes(), key: newest.seal.as_slice().try_into().unwrap() };
        let sign = |message: &[u8]| pair.sign(message).as_ref().try_into().ok();
        let signer = Signer { algorithm: Algorithm::EdDsa, kid: pair.public_key().as_ref(), sign: &sign };
        let addresses = Addresses { from: &from, to: &to };
        let document = cbor::encode(hello);
        let sealed = sealed::seal(&AwsLc, &claims, &document, &addresses, &header, &recipient, &signer).unwrap();
        Self { from, to, header, sealed }
    }

    async fn comes(&self, test: &TestPlatform) -> crate::Result<Posted> {
        hello_by_mail(&test.platform, (&self.from, &self.to), &self.header, &self.sealed, "192.0.2.25").await
    }
}

async fn lines(root: &Ctx) -> Vec<String> {
    let all = strangers(root, &PageQuery::default()).await.unwrap().items;
    all.into_iter().map(|stranger| stranger.why).collect()
}

#[tokio::test]
async fn a_test_by_mail_makes_a_device_active_as_one_by_https_does_and_keeps_its_epoch() {
    for test in TestPlatform::each().await {
        let root = test.root().await;
        with_doors(&test);
        let id = registered(&root, "QMA00123").await;
        let document = activation(&root, id, Road::MailBothWays).await.unwrap();
        assert_eq!((MonitorId::from(document.sender), document.epoch_floor), (id, 1));
        let (address, secret) = (document.mail.device.clone(), document.mail.secret.clone().unwrap());
        let awaits = || awaited(&test.platform, &address);
        assert_eq!(awaits().await.unwrap().as_deref(), Some(document.mail.server.as_str()));
        assert!(by_mailbox(&test.platform, &address).await.unwrap().is_none(), "not heard before its test");
        let mail = Mailed::of(&test, &document, 1, 7);
        test.clock.advance(Duration::from_secs(3_600));
        assert_eq!(mail.comes(&test).await.unwrap(), Posted::Active);
        let now = get(&root, id).await.unwrap();
        assert_eq!((now.state, now.road, now.claim_until), (MonitorState::Active, Some(Road::MailBothWays), None));
        assert_eq!((now.model.as_str(), now.firmware.as_deref()), ("iR-ADV C5850", Some("12.04")));
        assert!(by_mailbox(&test.platform, &address).await.unwrap().is_some());
        assert!(login(&test.platform, &address, &secret).await.unwrap().is_some(), "the password of the document");
        assert_eq!(awaits().await.unwrap(), None);
        assert!(lines(&root).await.is_empty());
        let next = activation(&test.again(&root).await, id, Road::MailBothWays).await.unwrap();
        assert_eq!((next.epoch_floor, &next.mail.device), (8, &address), "its own epoch, and the pair stays");
    }
}

#[tokio::test]
async fn replay_of_a_test_by_mail_has_no_second_effect_8() {
    for test in TestPlatform::each().await {
        let root = test.root().await;
        with_doors(&test);
        let id = registered(&root, "QMA00123").await;
        let document = activation(&root, id, Road::Mail).await.unwrap();
        let mail = Mailed::of(&test, &document, 1, 1);
        assert_eq!(mail.comes(&test).await.unwrap(), Posted::Active);
        let tested = get(&root, id).await.unwrap();
        test.clock.advance(Duration::from_secs(60));
        assert_eq!(mail.comes(&test).await.unwrap(), Posted::Active, "taken, so that nobody sends it again");
        assert_eq!(get(&root, id).await.unwrap(), tested);
        // Another test came in between: the device is not what it was.
        let hello = Hello { road: Road::Https, ..hello_of(&document, 1) };
        super::hello(&test.platform, &hello, "x").await.unwrap();
        let tested = get(&root, id).await.unwrap();
        assert_eq!(mail.comes(&test).await.unwrap(), Posted::Refused);
        assert_eq!(get(&root, id).await.unwrap(), tested);
        assert_eq!(lines(&root).await, ["an old activation document: make a new one"]);
        suspend(&root, id).await.unwrap();
        assert_eq!(mail.comes(&test).await.unwrap(), Posted::Refused);
        assert_eq!(lines(&root).await, ["suspended"]);
    }
}

#[tokio::test]
async fn spoofing_of_a_test_by_mail_is_refused_7() {
    for test in TestPlatform::each().await {
        let root = test.root().await;
        with_doors(&test);
        let (one, two) = (registered(&root, "QMA00001").await, registered(&root, "QMA00002").await);
        let document = activation(&root, one, Road::Mail).await.unwrap();
        let of_another = activation(&root, two, Road::Mail).await.unwrap();
        // What does not open, or is not of one device.
        let good = Mailed::of(&test, &document, 1, 1);
        let swapped = Mailed { from: of_another.mail.device.clone(), ..Mailed::of(&test, &document, 1, 1) };
        let marked = Mailed { header: Header { device: of_another.sender, ..good.header }, ..good };
        let nobody = Mailed { from: "x@mail.example.org".to_owned(), ..Mailed::of(&test, &document, 1, 1) };
        let other_key = Hello { key: vec![9; 32], ..hello_of(&document, 1) };
        let other_key = Mailed::saying(&test, &document, 1, 1, &other_key);
        for (number, mail) in [swapped, marked, nobody, other_key].iter().enumerate() {
            assert_eq!(mail.comes(&test).await.unwrap_err().kind, Kind::Forbidden, "{number}");
        }
        for hello in
            [Hello { road: Road::Https, ..hello_of(&document, 1) }, Hello { claim: None, ..hello_of(&document, 1) }]
        {
            let mail = Mailed::saying(&test, &document, 1, 1, &hello);
            assert_eq!(mail.comes(&test).await.unwrap_err().kind, Kind::Invalid);
        }
        assert!(lines(&root).await.is_empty(), "the door notes these");
        // What opens and proves nothing.
        let serial = Hello { serial: "QMA00002".to_owned(), ..hello_of(&document, 1) };
        let serial = Mailed::saying(&test, &document, 1, 1, &serial).comes(&test).await.unwrap();
        assert_eq!(serial, Posted::OfAnother);
        let claim = Hello { claim: Some(of_another.claim.clone()), ..hello_of(&document, 1) };
        let claim = Mailed::saying(&test, &document, 1, 1, &claim).comes(&test).await.unwrap();
        assert_eq!((claim, lines(&root).await), (Posted::Refused, vec!["wrong claim".to_owned()]));
        for id in [one, two] {
            assert_eq!(get(&root, id).await.unwrap().state, MonitorState::Registered);
        }
        // Once it is known, the same code lets no other key in.
        assert_eq!(Mailed::of(&test, &document, 1, 1).comes(&test).await.unwrap(), Posted::Active);
        assert_eq!(Mailed::of(&test, &document, 2, 2).comes(&test).await.unwrap(), Posted::Refused);
    }
}

#[tokio::test]
async fn a_document_shuts_nobody_out_before_it_is_used_and_the_password_goes_with_the_test() {
    for test in TestPlatform::each().await {
        let root = test.root().await;
        with_doors(&test);
        let id = registered(&root, "QMA00123").await;
        let first = activation(&root, id, Road::MailBothWays).await.unwrap();
        let stale = activation(&root, id, Road::MailBothWays).await.unwrap();
        assert_ne!((&first.claim, &first.mail.secret), (&stale.claim, &stale.mail.secret), "a fresh one each time");
        assert_eq!(Mailed::of(&test, &first, 1, 1).comes(&test).await.unwrap(), Posted::Refused, "the code before");
        assert_eq!(Mailed::of(&test, &stale, 1, 1).comes(&test).await.unwrap(), Posted::Active);
        let address = stale.mail.device.clone();
        let opens = async |secret: &Option<String>| {
            test.clock.advance(Duration::from_secs(2));
            login(&test.platform, &address, secret.as_deref().unwrap()).await.unwrap().is_some()
        };
        let newer = activation(&test.again(&root).await, id, Road::MailBothWays).await.unwrap();
        assert!(opens(&stale.mail.secret).await && !opens(&newer.mail.secret).await, "nothing changed yet");
        assert_eq!(Mailed::of(&test, &newer, 1, 2).comes(&test).await.unwrap(), Posted::Active);
        assert!(!opens(&stale.mail.secret).await && opens(&newer.mail.secret).await);
        let usual = hello(&test.platform, &hello_of(&newer, 1), "x").await.unwrap().mail.unwrap();
        assert!(!opens(&newer.mail.secret).await && opens(&usual.secret).await, "the usual one again");
    }
}

#[tokio::test]
async fn a_relay_that_is_slow_with_the_test_alone_does_no_harm() {
    for test in TestPlatform::each().await {
        let root = test.root().await;
        with_doors(&test);
        let id = registered(&root, "QMA00123").await;
        let first = activation(&root, id, Road::Mail).await.unwrap();
        assert_eq!(Mailed::of(&test, &first, 1, 1).comes(&test).await.unwrap(), Posted::Active);
        let second = activation(&root, id, Road::Mail).await.unwrap();
        // A report in the epoch of the second document came before its test.
        let (at, messages) = (test.platform.now(), Vec::new());
        let said = Heard { id, road: Road::Mail, epoch: 2, offset_ms: 0, at, messages };
        let mut tx = root.db().write(&root.scope.view()).await.unwrap();
        heard(&mut tx, root.home, &[said]).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(Mailed::of(&test, &second, 2, 2).comes(&test).await.unwrap(), Posted::Refused, "not by another key");
        assert_eq!(Mailed::of(&test, &second, 1, 2).comes(&test).await.unwrap(), Posted::Active);
        assert_eq!(activation(&root, id, Road::Mail).await.unwrap().epoch_floor, 3);
        // A new board whose reports come before its test: they are to be brought again.
        assert!(awaited(&test.platform, &second.mail.device).await.unwrap().is_some());
        test.clock.advance(Duration::from_secs(91 * 86_400));
        assert!(awaited(&test.platform, &second.mail.device).await.unwrap().is_none(), "for as long as a code is good");
    }
}

#[tokio::test]
async fn who_may_make_documents_and_where() {
    for test in TestPlatform::each().await {
        let root = test.root().await;
        let id = registered(&root, "QMA00123").await;
        let why = activation(&root, id, Road::Mail).await.unwrap_err();
        assert_eq!(why.kind, Kind::Conflict);
        assert!(why.message.contains("--smtp-listen"), "{why}");
        with_doors(&test);
        assert_eq!(activation(&root, id, Road::Https).await.unwrap_err().kind, Kind::Invalid);
        let user = test.account(&root, root.home, "u@example.org", Role::User).await;
        assert_eq!(activation(&user, id, Road::Mail).await.unwrap_err().kind, Kind::Forbidden);
        let (_, stranger) = test.customer(&root, "customer").await;
        assert_eq!(activation(&stranger, id, Road::Mail).await.unwrap_err().kind, Kind::NotFound);
        let document = activation(&root, id, Road::Mail).await.unwrap();
        let told = serde_json::to_string(&audit::list(&root, &AuditQuery::default()).await.unwrap().items).unwrap();
        assert!(told.contains("made an activation document"), "{told}");
        for secret in [&document.claim, document.mail.secret.as_ref().unwrap()] {
            assert!(!told.contains(secret.as_str()), "a secret stands in the audit log");
        }
        suspend(&root, id).await.unwrap();
        assert_eq!(activation(&root, id, Road::Mail).await.unwrap_err().kind, Kind::Conflict);
    }
}
