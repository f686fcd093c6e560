//! Hard behaviours of the gateway as black boxes: duplicates and disorder (4), swaps (6), spoofing (7), replay over
//! HTTPS (8), mutants of sealed and signed content at the live doors (21). Numbers as in docs/behaviours.md.

use std::time::{Duration, Instant};

use aws_lc_rs::signature::Ed25519KeyPair;
use platen_core::devices::{self, DeviceQuery};
use platen_core::monitors::{self, NewMonitor};
use platen_core::orgs::{self, NewOrg};
use platen_core::page::PageQuery;
use platen_core::{Ctx, diagnostics, meters};
use reqwest::StatusCode;
use wire::monitor::EventBody;
use wire::report::{CountersBody, StatusBody};
use wire::signature::CLOCK_TOLERANCE_MS;
use wire::{Body, Message, Meter, Outcome, Report, Subject, cbor};

use crate::door::{Door, Sender, reply_of, status};
use crate::mutator::{Dice, count, mutant};
use crate::post::{self, Postal, SERIAL, doors, say};

const JAMS: u64 = 40;

/// Message `seq`: the first says what the device is, all others are jams, each with a code of its own.
fn told(device: &Postal, door: &Door, seq: u64) -> Message {
    let jam = EventBody { code: format!("J{seq}"), total: Some(seq), ..EventBody::default() };
    match seq {
        1 => device.status(1, SERIAL),
        _ => Message { seq, taken_ms: door.now_ms() - 1_000, subject: Some(device.sender.id), body: Body::Jam(jam) },
    }
}

/// The numbers 2 to `JAMS`, each `times` times, in an order of their own.
fn disorder(seed: u64, times: usize) -> Vec<u64> {
    let mut numbers: Vec<u64> = (0..times).flat_map(|_| 2..=JAMS).collect();
    let mut dice = Dice::new(seed);
    for place in (1..numbers.len()).rev() {
        numbers.swap(place, dice.below(place + 1));
    }
    numbers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn duplicates_disorder_and_retries_by_mail_and_https_at_once_have_one_effect_each_4() {
    let door = post::open(doors()).await;
    let device = post::device(&door, SERIAL).await;
    reply_of(door.report(&device.sender, vec![told(&device, &door, 1)]).await).await;
    let by_https = async {
        for numbers in disorder(1, 2).chunks(3) {
            let messages = numbers.iter().map(|seq| told(&device, &door, *seq)).collect();
            for result in reply_of(door.report(&device.sender, messages).await).await.results {
                assert!(matches!(result.outcome, Outcome::Stored | Outcome::Duplicate), "{result:?}");
            }
        }
    };
    let again = async {
        for seq in disorder(2, 1) {
            reply_of(door.report(&device.sender, vec![told(&device, &door, seq)]).await).await;
        }
    };
    let by_mail = async {
        for seq in disorder(3, 2) {
            let letter = device.letter(&door, told(&device, &door, seq));
            let answer = say(door.gateway.mail.smtp, &device.session(&letter)).await;
            assert!(answer.contains("250 2.0.0 stored"), "{answer}");
        }
    };
    tokio::join!(by_https, again, by_mail);
    let known = monitors::get(&door.root, device.sender.id.into()).await.unwrap().device.unwrap();
    let events = diagnostics::events(&door.root, known, 1_000).await.unwrap();
    let mut codes: Vec<String> = events.into_iter().map(|row| row.event.code).collect();
    codes.sort();
    let mut wanted: Vec<String> = (2..=JAMS).map(|seq| format!("J{seq}")).collect();
    wanted.sort();
    assert_eq!(codes, wanted, "each jam once, whatever road it took first");
    let kinds = monitors::kinds(&door.root, device.sender.id.into()).await.unwrap();
    assert_eq!(kinds.iter().map(|kind| kind.messages).sum::<i64>(), JAMS as i64);
}

/// A unit at an address with a network card and a count.
fn unit(seq: u64, subject: u8, serial: &str, address: &str, mac: &str) -> Message {
    let mut message = status(seq, serial);
    if let Body::Status(body) = &mut message.body {
        let StatusBody { address: at, identity, .. } = &mut **body;
        address.clone_into(at);
        identity.mac = Some(mac.to_owned());
    }
    Message { subject: Some(Subject([subject; 16])), ..message }
}

fn pages(door: &Door, seq: u64, subject: u8, value: u64) -> Message {
    let meter = Meter {
        function: wire::Function::Total,
        color: wire::ColorMode::All,
        size: wire::PaperSize::All,
        sides: wire::Sides::All,
        unit: wire::Unit::Impressions,
        value,
        name: None,
        source: "1.3.6.1.2.1.43.10.2.1.4.1.1".to_owned(),
    };
    let body = Body::Counters(CountersBody { meters: vec![meter] });
    Message { seq, taken_ms: door.now_ms(), subject: Some(Subject([subject; 16])), body }
}

/// Serial number, address, card and counted pages of every device, by serial number.
async fn units(door: &Door) -> Vec<(String, String, i64)> {
    let mut all = Vec::new();
    for row in devices::list(&door.root, &DeviceQuery::default()).await.unwrap().items {
        let counted: i64 = meters::current(&door.root, row.id).await.unwrap().iter().map(|meter| meter.month).sum();
        all.push((row.serial.unwrap_or_default(), row.address.unwrap_or_default(), counted));
    }
    all.sort();
    all
}

#[tokio::test]
async fn swap_of_unit_or_card_leaves_history_with_the_serial_6() {
    let door = Door::open().await;
    let agent = door.enrol(&door.root).await;
    let tell = async |messages: Vec<Message>| {
        for result in reply_of(door.report(&agent, messages).await).await.results {
            assert_eq!(result.outcome, Outcome::Stored, "{result:?}");
        }
        door.test.clock.advance(Duration::from_secs(600));
    };
    let (first, second) = ("3000000001", "3000000002");
    let (old_card, new_card) = ("00:26:73:00:00:01", "00:26:73:00:00:99");
    tell(vec![unit(1, 1, first, "10.0.0.9", old_card), pages(&door, 2, 1, 1_000)]).await;
    tell(vec![pages(&door, 3, 1, 1_100)]).await;
    // The same place on the net, another unit, which has printed less.
    tell(vec![unit(4, 2, second, "10.0.0.9", "00:26:73:00:00:02"), pages(&door, 5, 2, 50)]).await;
    tell(vec![pages(&door, 6, 2, 75)]).await;
    let row = |serial: &str, address: &str, pages| (serial.to_owned(), address.to_owned(), pages);
    let [one, other] = &units(&door).await[..] else { panic!("two units") };
    assert_eq!(((&*one.0, one.2), other), ((first, 100), &row(second, "10.0.0.9", 25)));
    // The first one with a new card, and then elsewhere: still itself.
    tell(vec![unit(7, 1, first, "10.0.0.77", new_card), pages(&door, 8, 1, 1_150)]).await;
    tell(vec![unit(9, 1, first, "10.0.5.5", new_card), pages(&door, 10, 1, 1_160)]).await;
    assert_eq!(units(&door).await, [row(first, "10.0.5.5", 160), row(second, "10.0.0.9", 25)]);
}

fn test_of(door: &Door, sender: &Sender, serial: &str, claim: Option<String>) -> Vec<u8> {
    cbor::encode(&sender.hello(door, serial, claim))
}

async fn registered(ctx: &Ctx, serial: &str) -> String {
    let new = NewMonitor { vendor: "ricoh".to_owned(), serial: serial.to_owned(), model: None };
    monitors::register(ctx, ctx.home, &new).await.unwrap().claim.expose().to_owned()
}

/// Whether nobody can tell causes apart by the quickest answer to each.
fn alike(quickest: &[(Duration, &str)]) -> bool {
    let times = || quickest.iter().map(|(time, _)| *time);
    times().max().zip(times().min()).is_some_and(|(slowest, fastest)| slowest < fastest * 2 + Duration::from_millis(60))
}

#[tokio::test]
async fn spoofing_of_foreign_serials_and_wrong_keys_reads_and_takes_alike_7() {
    let door = Door::open().await;
    let customer = NewOrg { name: "Harbour Office".into(), kind: "customer".into(), ..NewOrg::default() };
    let customer = orgs::create(&door.root, &customer).await.unwrap();
    let root = door.test.again(&door.root).await;
    let other = root.focused(customer.id).await.unwrap();
    let theirs = NewMonitor { vendor: "ricoh".to_owned(), serial: "E216R770001".to_owned(), model: None };
    monitors::register(&other, customer.id, &theirs).await.unwrap();
    let own_claim = registered(&door.root, "E216R770002").await;
    let (active, reply) = crate::monitors::active(&door, "E216R770003").await;
    let posing = Sender { id: active.id, key: Ed25519KeyPair::generate().unwrap(), epoch: active.epoch };
    let stranger = Sender::nobody();
    let report = |by: &Sender| cbor::encode(&by.report(vec![status(1, "E216R770003")]));
    let causes: [(&str, &Sender, &str, Vec<u8>); 6] = [
        ("unknown serial", &stranger, "/d/v1/hello", test_of(&door, &stranger, "NOBODY770009", None)),
        (
            "another tenant's serial with our claim",
            &stranger,
            "/d/v1/hello",
            test_of(&door, &stranger, "E216R770001", Some(own_claim)),
        ),
        ("right serial, wrong key", &stranger, "/d/v1/hello", test_of(&door, &stranger, "E216R770003", None)),
        (
            "right serial, wrong key and claim",
            &stranger,
            "/d/v1/hello",
            test_of(&door, &stranger, "E216R770003", Some("plc_x".into())),
        ),
        ("right sender, wrong key", &posing, "/d/v1/report", report(&posing)),
        ("unknown sender", &stranger, "/d/v1/report", report(&stranger)),
    ];
    let (mut bodies, mut quickest) = (Vec::new(), causes.each_ref().map(|(cause, ..)| (Duration::MAX, *cause)));
    let mut rounds = 0;
    // A machine that stalls keeps one of them for longer in some rounds; what tells causes apart is there in all of them.
    while rounds < 7 || (rounds < 100 && !alike(&quickest)) {
        rounds += 1;
        for ((cause, sender, path, body), quickest) in causes.iter().zip(&mut quickest) {
            let began = Instant::now();
            let answer =
                door.request(sender, "POST", path, body.clone()).header("content-type", cbor::CBOR).send().await;
            let answer = answer.unwrap();
            assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{cause}");
            let mut names: Vec<String> = answer.headers().keys().map(ToString::to_string).collect();
            names.sort();
            bodies.push((names, answer.bytes().await.unwrap()));
            quickest.0 = quickest.0.min(began.elapsed());
        }
    }
    assert!(bodies.windows(2).all(|pair| pair[0] == pair[1]), "one and the same answer, headers too: {bodies:?}");
    let text = String::from_utf8_lossy(&bodies[0].1).into_owned();
    let revision = reply.schedule.revision.to_string();
    assert!(!text.contains("slots") && !text.contains("schedule") && !text.contains(&revision), "{text}");
    println!("refusals take {quickest:?} at best, in {rounds} rounds");
    assert!(alike(&quickest), "{quickest:?} can be told apart");
    let tries = async |ctx: &Ctx, serial: &str| {
        let seen = monitors::strangers(ctx, &PageQuery::default()).await.unwrap().items;
        seen.iter().filter(|row| row.serial == serial).map(|row| row.tries).sum::<i64>()
    };
    assert_eq!(tries(&root, "NOBODY770009").await, rounds, "listed for whoever runs the server");
    assert!(tries(&root, "E216R770001").await >= rounds && tries(&root, "E216R770003").await >= 2 * rounds);
    assert_eq!(tries(&other, "NOBODY770009").await, 0, "a customer does not see who called elsewhere");
    let known = monitors::get(&door.root, active.id.into()).await.unwrap();
    assert_eq!(known.state.as_str(), "active", "and nobody can lock it out");
}

#[tokio::test]
async fn replay_over_https_has_no_second_effect_and_does_not_move_to_others_8() {
    let door = Door::open().await;
    let (device, _) = crate::monitors::active(&door, SERIAL).await;
    let (other, _) = crate::monitors::active(&door, "E216R220017").await;
    let message = Message { subject: Some(device.id), ..status(1, SERIAL) };
    let body = cbor::encode(&device.report(vec![message]));
    let headers = device.headers("POST", "/d/v1/report", door.now_ms(), &body);
    let send = |headers: &[(&'static str, String); 3], path: &str, body: &[u8]| {
        let request = door.client.post(format!("{}{path}", door.gateway.url)).header("content-type", cbor::CBOR);
        headers.iter().fold(request, |request, (name, value)| request.header(*name, value)).body(body.to_vec()).send()
    };
    // The same bytes again and again: known, and without effect.
    for expected in [Outcome::Stored, Outcome::Duplicate, Outcome::Duplicate] {
        let reply = reply_of(send(&headers, "/d/v1/report", &body).await.unwrap()).await;
        assert_eq!(reply.results[0].outcome, expected);
    }
    let told = async || {
        let kinds = monitors::kinds(&door.root, device.id.into()).await.unwrap();
        kinds.iter().map(|kind| kind.messages).sum::<i64>()
    };
    assert_eq!(told().await, 1);
    // Under other heads, at another path, in the name of another device, signed anew by that one: refused.
    let elsewhere = device.headers("POST", "/d/v1/ack", door.now_ms(), &body);
    let mut renamed = headers.clone();
    renamed[0].1 = other.id.to_text();
    let mut later = headers.clone();
    later[1].1 = (door.now_ms() + 1).to_string();
    let by_other = other.headers("POST", "/d/v1/report", door.now_ms(), &body);
    let swaps = [
        ("headers of another call", &elsewhere, "/d/v1/report"),
        ("the same at another path", &headers, "/d/v1/ack"),
        ("another name over the same signature", &renamed, "/d/v1/report"),
        ("another time over the same signature", &later, "/d/v1/report"),
        ("the report of one signed by another", &by_other, "/d/v1/report"),
    ];
    for (what, headers, path) in swaps {
        assert_eq!(send(headers, path, &body).await.unwrap().status(), StatusCode::FORBIDDEN, "{what}");
    }
    // A body of an epoch that the server has closed is stale; one that is old is nobody's.
    let ended = Sender { epoch: device.epoch - 1, key: device.key, id: device.id };
    let old = Message { subject: Some(ended.id), ..status(9, SERIAL) };
    assert_eq!(reply_of(door.report(&ended, vec![old]).await).await.results[0].outcome, Outcome::Stale);
    door.test.clock.advance(Duration::from_millis(u64::try_from(CLOCK_TOLERANCE_MS).unwrap() + 1_000));
    assert_eq!(send(&headers, "/d/v1/report", &body).await.unwrap().status(), StatusCode::FORBIDDEN, "too old");
    let kinds = monitors::kinds(&door.root, other.id.into()).await.unwrap();
    assert_eq!(kinds.iter().map(|kind| kind.messages).sum::<i64>(), 0);
}

/// Share of the mutants that also go through the live doors.
const LIVE: u64 = 30;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mutants_of_cose_and_of_signed_cbor_at_the_live_doors_change_nothing_21() {
    let door = post::open(doors()).await;
    let device = post::device(&door, SERIAL).await;
    reply_of(door.report(&device.sender, vec![device.status(1, SERIAL)]).await).await;
    let lawful: Vec<Vec<u8>> =
        (2..6).map(|seq| cbor::encode(&device.sender.report(vec![device.status(seq, SERIAL)]))).collect();
    let envelopes: Vec<Vec<u8>> = (2..6).map(|seq| device.envelope(&door, device.status(seq, SERIAL)).1).collect();
    let (mut readable, mut stored) = (0, 0);
    for number in 0..count() / LIVE {
        let mut dice = Dice::new(number);
        let body = mutant(&mut dice, &lawful);
        let is_report = cbor::decode::<Report>(&body).is_ok();
        let request = door.request(&device.sender, "POST", "/d/v1/report", body);
        let answer = request.header("content-type", cbor::CBOR).timeout(post::HANG).send().await.expect("an answer");
        assert!(!answer.status().is_server_error(), "{}", answer.status());
        assert!(is_report || !answer.status().is_success(), "2xx for what cannot be read");
        readable += u64::from(is_report);
        // The header names a message that is lawful; only the seal is broken.
        let sealed = mutant(&mut dice, &envelopes);
        let whole = envelopes.contains(&sealed);
        let (stamp, _) = device.envelope(&door, device.status(2, SERIAL));
        let answer = say(door.gateway.mail.smtp, &device.session(&device.wrap(&door, &stamp, &sealed))).await;
        let taken = answer.contains("250 2.0.0 stored");
        assert!(whole || !taken || answer.contains("bye"), "{answer}");
        stored += u64::from(taken && !whole);
    }
    println!("{} mutants live, {readable} reports readable, {stored} envelopes opened all the same", count() / LIVE);
    assert_eq!(stored, 0, "an envelope that was changed is refused");
    let probe = reply_of(door.report(&device.sender, vec![device.status(900, SERIAL)]).await).await;
    assert_eq!(probe.results[0].outcome, Outcome::Stored, "the doors go on serving");
}
