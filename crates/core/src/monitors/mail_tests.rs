//! Mail with devices on both engines: whose address, what opens, orders in a mailbox, and keys that change.

use std::time::Duration;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use wire::command::{Ack, Acks, Order, Taken, What};
use wire::hello::{Hello, HelloReply, PollReply, Road};
use wire::monitor::{BrowserBody, Kind as Told};
use wire::sealed::{
    self, Addresses, Algorithm, AwsLc, Claims, Content, Header, Limits, Opener, P256Secret, Recipient, Signer,
};
use wire::{Body, Message, Report, Subject, cbor};

use super::mail::{by_mailbox, login, open, pending_sealed, receives, taken};
use super::*;
use crate::orders::{CommandState, acknowledge};
use crate::testing::TestPlatform;
use crate::{Ctx, Kind, Role};

const DAY: i64 = 86_400_000;

/// A device with its keys, after its communication test.
pub(super) struct Device {
    pair: Ed25519KeyPair,
    seal: P256Secret,
    pub(super) reply: HelloReply,
    pub(super) ctx: Ctx,
}

impl Device {
    pub(super) async fn tested(test: &TestPlatform, root: &Ctx, serial: &str, seed: u8, road: Road) -> Self {
        let new = NewMonitor { vendor: "canon".to_owned(), serial: serial.to_owned(), model: None };
        let claim = register(root, root.home, &new).await.unwrap().claim;
        let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap();
        let seal = P256Secret::of(&[seed; 32]).unwrap();
        let call = Hello {
            version: 1,
            vendor: "canon".to_owned(),
            serial: serial.to_owned(),
            model: "iR-ADV C5850".to_owned(),
            key: pair.public_key().as_ref().to_vec(),
            claim: Some(claim.expose().to_owned()),
            road,
            kinds: Told::ALL.to_vec(),
            clock_ms: 0,
            mono_ms: 0,
            firmware: "12.04".to_owned(),
            mac: None,
            listener: None,
            seal: seal.public().map(|key| key.to_vec()),
        };
        let reply = hello(&test.platform, &call, "192.0.2.1").await.unwrap();
        let ctx = key_of(&test.platform, reply.sender).await.unwrap().unwrap().1;
        Self { pair, seal, reply, ctx }
    }

    pub(super) fn addresses(&self) -> (String, String) {
        let pair = self.reply.mail.as_ref().unwrap();
        (pair.device.clone(), pair.server.clone())
    }

    /// A mail as the device would seal it now.
    fn mail(&self, test: &TestPlatform, seq: u64, content: Content, document: &[u8]) -> (Header, Vec<u8>) {
        let (from, to) = self.addresses();
        let issued_ms = test.platform.now().as_millis();
        let kind = content.kind().unwrap_or(14);
        let (sender, epoch, expires_ms) = (self.reply.sender, self.reply.epoch_floor, issued_ms + DAY);
        let claims = Claims { sender, epoch, seq, kind, issued_ms, expires_ms, content };
        let header = Header::of(sender, &claims);
        let key = &self.reply.keys[0];
        let recipient = Recipient { kid: &key.id.to_be_bytes(), key: key.seal.as_slice().try_into().unwrap() };
        let sign = |message: &[u8]| self.pair.sign(message).as_ref().try_into().ok();
        let signer = Signer { algorithm: Algorithm::EdDsa, kid: &sender.0, sign: &sign };
        let addresses = Addresses { from: &from, to: &to };
        let sealed = sealed::seal(&AwsLc, &claims, document, &addresses, &header, &recipient, &signer).unwrap();
        (header, sealed)
    }

    fn report(&self, test: &TestPlatform, seq: u64) -> (Header, Vec<u8>) {
        let clock_ms = test.platform.now().as_millis();
        let body = Body::Browser(BrowserBody::default());
        let message = Message { seq, taken_ms: clock_ms, subject: None, body };
        let (sender, epoch) = (self.reply.sender, self.reply.epoch_floor);
        let report =
            Report { version: 1, sender, epoch, clock_ms, mono_ms: 0, messages: vec![message], plan_revision: 1 };
        self.mail(test, seq, Content::Report, &cbor::encode(&report))
    }

    /// What the device reads out of a mail of the server.
    fn read(&self, test: &TestPlatform, letter: &mail::Letter) -> PollReply {
        let verify = |_, kid: &[u8], message: &[u8], signature: &[u8]| {
            let key = self.reply.keys.iter().find(|key| key.id.to_be_bytes() == kid).unwrap();
            aws_lc_rs::signature::UnparsedPublicKey::new(&aws_lc_rs::signature::ED25519, &key.verify)
                .verify(message, signature)
                .is_ok()
        };
        let unseal =
            |kid: &[u8], peer: &[u8; 65]| (kid == self.reply.sender.0).then(|| self.seal.agree(peer)).flatten();
        let now_ms = test.platform.now().as_millis();
        let opener = Opener { unseal: &unseal, verify: &verify, now_ms, limits: Limits::default() };
        let addresses = Addresses { from: &letter.from, to: &letter.to };
        let (_, document) = sealed::open(&AwsLc, &letter.sealed, &addresses, &letter.header, &opener).unwrap();
        cbor::decode(&document).unwrap()
    }
}

pub(super) fn with_doors(test: &TestPlatform) {
    let (smtp, pop3) = (Some("smtp://mail.example.org:25".to_owned()), Some("pop3s://mail.example.org:995".to_owned()));
    test.platform.set_mail(MailDoors { domain: "Mail.Example.org".to_owned(), smtp, pop3 });
}

#[tokio::test]
async fn a_device_on_a_mail_road_gets_a_pair_of_addresses_that_stays() {
    for test in TestPlatform::each().await {
        let root = test.root().await;
        let early = Device::tested(&test, &root, "QMA00001", 1, Road::Mail).await;
        assert_eq!(early.reply.mail, None, "without doors there is no pair");
        with_doors(&test);
        let https = Device::tested(&test, &root, "QMA00002", 2, Road::Https).await;
        assert_eq!(https.reply.mail, None);
        let one_way = Device::tested(&test, &root, "QMA00003", 3, Road::Mail).await;
        let device = Device::tested(&test, &root, "QMA00004", 4, Road::MailBothWays).await;
        let (told, pair) = (one_way.reply.mail.clone().unwrap(), device.reply.mail.clone().unwrap());
        assert_eq!((told.pop3, pair.pop3.as_deref()), (None, Some("pop3s://mail.example.org:995")));
        assert_ne!((&told.device, &told.secret), (&pair.device, &pair.secret));
        assert_eq!(pair.server, "reports@mail.example.org");
        let found = by_mailbox(&test.platform, &pair.device.to_uppercase()).await.unwrap().unwrap();
        assert_eq!((found.monitor, found.ctx.home), (device.reply.sender.into(), root.home));
        assert!(by_mailbox(&test.platform, "x@mail.example.org").await.unwrap().is_none());
        assert!(receives(&test.platform, "Reports@mail.example.org").await.unwrap());
        assert!(!receives(&test.platform, &pair.device).await.unwrap(), "nobody writes to devices through this door");
        let secret = pair.secret.unwrap();
        assert!(login(&test.platform, &pair.device, &secret).await.unwrap().is_some());
        for (user, password) in [(&pair.device, "wrong"), (&told.device, &secret), (&"x@y".to_owned(), &secret)] {
            assert!(login(&test.platform, user, password).await.unwrap().is_none());
        }
        suspend(&root, device.reply.sender.into()).await.unwrap();
        test.clock.advance(Duration::from_secs(2));
        assert!(login(&test.platform, &pair.device, &secret).await.unwrap().is_none(), "not heard, not served");
    }
}

#[tokio::test]
async fn only_genuine_mail_of_the_registered_pair_opens() {
    for test in TestPlatform::each().await {
        let root = test.root().await;
        with_doors(&test);
        let device = Device::tested(&test, &root, "QMA00001", 1, Road::Mail).await;
        let other = Device::tested(&test, &root, "QMA00002", 2, Road::Mail).await;
        let (from, to) = device.addresses();
        let (header, sealed) = device.report(&test, 1);
        let opened = open(&test.platform, &from, &to, &header, &sealed).await.unwrap();
        assert_eq!((opened.ctx.home, opened.ctx.role), (root.home, Role::Agent));
        assert_eq!(opened.report().unwrap().sender, device.reply.sender);
        let (others, swapped) = (other.addresses().0, Header { seq: 2, ..header });
        let stranger = Header { device: other.reply.sender, ..header };
        for (from, to, header) in [
            (others.as_str(), to.as_str(), &header),
            (&from, "x@mail.example.org", &header),
            (&from, &to, &swapped),
            (&from, &to, &stranger),
            ("x@mail.example.org", &to, &header),
        ] {
            let refused = open(&test.platform, from, to, header, &sealed).await.unwrap_err();
            assert_eq!(refused.kind, Kind::Forbidden, "{from} {to} {header}");
        }
        test.clock.advance(Duration::from_secs(86_400));
        assert_eq!(open(&test.platform, &from, &to, &header, &sealed).await.unwrap_err().kind, Kind::Forbidden);
    }
}

#[tokio::test]
async fn the_way_of_a_mail_does_not_count_as_an_error_of_the_clock() {
    let test = TestPlatform::sqlite().await;
    let root = test.root().await;
    with_doors(&test);
    let device = Device::tested(&test, &root, "QMA00001", 1, Road::Mail).await;
    let ((from, to), (header, sealed)) = (device.addresses(), device.report(&test, 1));
    test.clock.advance(Duration::from_secs(7_200));
    let report = open(&test.platform, &from, &to, &header, &sealed).await.unwrap().report().unwrap();
    assert_eq!(report.clock_ms, test.platform.now().as_millis());
}

#[tokio::test]
async fn orders_wait_in_the_mailbox_until_they_are_let_go_and_are_answered_by_mail() {
    for test in TestPlatform::each().await {
        let root = test.root().await;
        with_doors(&test);
        let device = Device::tested(&test, &root, "QMA00001", 1, Road::MailBothWays).await;
        let other = Device::tested(&test, &root, "QMA00002", 2, Road::MailBothWays).await;
        let monitor = MonitorId::from(device.reply.sender);
        let id = order(&root, monitor, What::ReportNow(vec![Told::Rom]), DAY).await.unwrap();
        assert!(pending_sealed(&other.ctx).await.unwrap().is_empty());
        let ctx = Ctx { now: test.platform.now(), ..device.ctx.clone() };
        for _ in 0..2 {
            let letters = pending_sealed(&ctx).await.unwrap();
            let [(known, letter)] = letters.as_slice() else { panic!("{letters:?}") };
            assert_eq!((*known, &letter.to), (id, &device.addresses().0));
            let poll = device.read(&test, letter);
            let told: Order = cbor::decode(&poll.commands[0].order).unwrap();
            assert_eq!(told.target, device.reply.sender);
        }
        taken(&other.ctx, &[id]).await.unwrap();
        assert_eq!(commands(&root, monitor).await.unwrap()[0].state, CommandState::Queued, "none of its business");
        taken(&ctx, &[id]).await.unwrap();
        assert_eq!(commands(&root, monitor).await.unwrap()[0].state, CommandState::Taken);
        assert!(pending_sealed(&ctx).await.unwrap().is_empty());
        let ack = Ack { id: Subject(id.0.into_bytes()), taken: Taken::Done, detail: None };
        let (header, sealed) = device.mail(&test, 0, Content::Acks, &cbor::encode(&Acks { acks: vec![ack] }));
        let (from, to) = device.addresses();
        let opened = open(&test.platform, &from, &to, &header, &sealed).await.unwrap();
        acknowledge(&opened.ctx, &cbor::decode(&opened.content).unwrap()).await.unwrap();
        assert_eq!(commands(&root, monitor).await.unwrap()[0].state, CommandState::Done);
    }
}

#[tokio::test]
async fn a_new_period_reaches_a_device_that_fetches_mail_by_order() {
    let test = TestPlatform::sqlite().await;
    let root = test.root().await;
    with_doors(&test);
    let device = Device::tested(&test, &root, "QMA00001", 1, Road::MailBothWays).await;
    let monitor = MonitorId::from(device.reply.sender);
    set_period(&root, monitor, Told::Rom, Some(3_600)).await.unwrap();
    set_period(&root, monitor, Told::Rom, Some(7_200)).await.unwrap();
    let letters = pending_sealed(&device.ctx).await.unwrap();
    assert_eq!(letters.len(), 1, "the newest is enough");
    let poll = device.read(&test, &letters[0].1);
    let told: Order = cbor::decode(&poll.commands[0].order).unwrap();
    let What::Schedule(schedule) = told.what else { panic!("{told:?}") };
    assert_eq!(schedule.revision, 3);
}

#[tokio::test]
async fn two_keys_of_the_gateway_are_good_at_once_and_devices_learn_the_next_by_order() {
    for test in TestPlatform::each().await {
        let root = test.root().await;
        with_doors(&test);
        let mut device = Device::tested(&test, &root, "QMA00001", 1, Road::MailBothWays).await;
        let monitor = MonitorId::from(device.reply.sender);
        let ((from, to), (header, sealed)) = (device.addresses(), device.report(&test, 1));
        assert_eq!(roll(&root).await.unwrap(), 2);
        assert_eq!(roll(&root).await.unwrap_err().kind, Kind::Conflict, "two at once, not three");
        open(&test.platform, &from, &to, &header, &sealed).await.unwrap();
        let late = Device::tested(&test, &root, "QMA00002", 2, Road::Mail).await;
        assert_eq!(late.reply.keys.iter().map(|key| key.id).collect::<Vec<_>>(), [2, 1]);
        assert_eq!((rekey(&test.platform).await.unwrap(), rekey(&test.platform).await.unwrap()), (1, 0));
        let ctx = Ctx { now: test.platform.now(), ..device.ctx.clone() };
        let letters = pending_sealed(&ctx).await.unwrap();
        let poll = device.read(&test, &letters[0].1);
        assert_eq!(poll.commands[0].key, 1, "by the key that it knows");
        let told: Order = cbor::decode(&poll.commands[0].order).unwrap();
        let What::Keys(keys) = told.what else { panic!("{told:?}") };
        device.reply.keys = keys;
        let acks = Acks { acks: vec![Ack { id: told.id, taken: Taken::Done, detail: None }] };
        acknowledge(&ctx, &acks).await.unwrap();
        order(&root, monitor, What::SendLog, DAY).await.unwrap();
        assert_eq!(device.read(&test, &pending_sealed(&ctx).await.unwrap()[0].1).commands[0].key, 2);
        test.clock.advance(Duration::from_secs(14 * 86_400 + 60));
        let (header, sealed) = device.report(&test, 2);
        open(&test.platform, &from, &to, &header, &sealed).await.unwrap();
        device.reply.keys.reverse();
        let (header, sealed) = device.report(&test, 3);
        let refused = open(&test.platform, &from, &to, &header, &sealed).await.unwrap_err();
        assert_eq!(refused.kind, Kind::Forbidden, "the old key has ended");
        assert_eq!(roll(&root).await.unwrap(), 3);
    }
}
