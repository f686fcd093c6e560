//! SNMPv3: every protocol against net-snmp both ways, and clocks, clones and forgeries (`usm_time`, `usm_variants`).

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use snmp::pdu::{Pdu, PduKind};
use snmp::responder::{Agent, Asked, answer_v3, is_v3};
use snmp::trap::Listener;
use snmp::usm::{AuthFailure, Authority, Users};
use snmp::{
    AuthProtocol, Error, KeyExtension, PrivProtocol, Quirk, Security, Target, UsmUser, Value, VarBind, WalkLimits,
};
use tokio::sync::mpsc;

use crate::agents::{Running, Table, engine, hostile, oid};
use crate::netsnmp::{program, run, snmpd};

const AUTH: [(AuthProtocol, &str); 6] = [
    (AuthProtocol::Md5, "MD5"),
    (AuthProtocol::Sha1, "SHA"),
    (AuthProtocol::Sha224, "SHA-224"),
    (AuthProtocol::Sha256, "SHA-256"),
    (AuthProtocol::Sha384, "SHA-384"),
    (AuthProtocol::Sha512, "SHA-512"),
];
const PRIV: [(PrivProtocol, &str); 4] = [
    (PrivProtocol::Des, "DES"),
    (PrivProtocol::Aes128, "AES"),
    (PrivProtocol::Aes192, "AES-192"),
    (PrivProtocol::Aes256, "AES-256"),
];

/// Users of every kind, with the names net-snmp has for their protocols.
fn users() -> Vec<(UsmUser, Option<&'static str>, Option<&'static str>)> {
    let mut all = vec![(UsmUser::new("plain"), None, None)];
    for (auth, auth_name) in AUTH {
        let base = format!("u-{auth_name}");
        all.push((UsmUser::new(base.clone()).auth(auth, "authpass1"), Some(auth_name), None));
        for (privacy, privacy_name) in PRIV {
            let user =
                UsmUser::new(format!("{base}-{privacy_name}")).auth(auth, "authpass1").privacy(privacy, "privpass1");
            all.push((user, Some(auth_name), Some(privacy_name)));
        }
    }
    all
}

fn authority(users: &[UsmUser]) -> Arc<Authority> {
    Arc::new(Authority::new(b"\x80\x00\x1f\x88\x04platen", 7, Users::new(users).unwrap()))
}

fn table() -> Table {
    Table::grid(2, 100)
}

/// An agent that speaks only v3; a context must be empty or `Jetdirect`.
fn agent(authority: Arc<Authority>) -> Running {
    let table = table();
    hostile(move |request| {
        let mut out = Vec::new();
        let known = |asked: &Asked<'_>| [&b""[..], b"Jetdirect"].contains(&asked.context).then(|| Agent::new(&table));
        answer_v3(request, &authority, known, &mut out).ok().map(|()| out)
    })
}

fn target(address: SocketAddr, user: UsmUser) -> Target {
    // Pass phrases are stretched without optimisation here.
    Target::new(address, Security::v3(Arc::new(user))).patience(Duration::from_secs(60), 0)
}

fn place() -> snmp::Oid {
    oid("1.3.6.1.4.1.9.1.1.1")
}

#[tokio::test(flavor = "multi_thread")]
async fn usm_variants_our_engine_reads_snmpd_with_every_protocol_it_offers() {
    let mut lines = String::from("createUser plain\nrouser plain noauth\n");
    for (user, auth, privacy) in users().iter().skip(1) {
        let (name, auth) = (&user.user, auth.unwrap_or("SHA"));
        let privacy = privacy.map_or(String::new(), |privacy| format!(" {privacy} privpass1"));
        lines += &format!("createUser {name} {auth} authpass1{privacy}\nrouser {name} noauth\n");
    }
    let Some((daemon, engine)) = snmpd(&lines, &Security::v2c("public")).await else { return };
    let log = std::fs::read_to_string(daemon.folder.path().join("log")).unwrap_or_default();
    let (mut read, mut lacking) = (0, Vec::new());
    for (user, _, privacy) in users() {
        let name = user.user.clone();
        if log.contains("Unknown privacy protocol") && privacy.is_some_and(|name| name.len() > 3) {
            lacking.push(name);
            continue;
        }
        let values = engine.get(&target(daemon.address, user), &[oid("1.3.6.1.2.1.1.6.0")]).await;
        assert_eq!(values.expect(&name)[0].value, Value::text("2nd floor"), "{name}");
        read += 1;
    }
    println!("{read} kinds of users read snmpd; it lacks {lacking:?}");
    let secure = users().remove(18).0;
    let walk = engine.walk(&target(daemon.address, secure), &oid("1.3.6.1.2.1.1"), &WalkLimits::default()).await;
    let walk = walk.unwrap();
    assert!(walk.rows.len() > 20 && walk.quirks.is_empty(), "{:?}", walk.quirks);
}

#[tokio::test(flavor = "multi_thread")]
async fn usm_variants_net_snmp_reads_our_responder_with_every_protocol_it_offers() {
    let Some(get) = program("snmpget", "snmp") else { return };
    let all: Vec<UsmUser> = users().into_iter().map(|(user, ..)| user).collect();
    let agent = agent(authority(&all));
    let (mut read, mut lacking) = (0, Vec::new());
    for (user, auth, privacy) in users() {
        let mut words = vec!["-v3".to_owned(), "-u".to_owned(), user.user.clone(), "-l".to_owned()];
        let level = match (auth, privacy) {
            (None, _) => "noAuthNoPriv",
            (_, None) => "authNoPriv",
            _ => "authPriv",
        };
        words.push(level.to_owned());
        for (name, value) in [
            ("-a", auth),
            ("-A", auth.map(|_| "authpass1")),
            ("-x", privacy),
            ("-X", privacy.map(|_| "privpass1")),
            ("-t", Some("60")),
            ("-r", Some("0")),
        ] {
            words.extend(value.map(|value| [name.to_owned(), value.to_owned()]).into_iter().flatten());
        }
        words.extend([agent.address.to_string(), place().to_string()]);
        let output = run(get.clone(), words).await;
        if output.contains("Invalid privacy protocol") {
            lacking.push(user.user.clone());
            continue;
        }
        assert!(output.contains("INTEGER: 1001"), "{}: {output}", user.user);
        read += 1;
    }
    println!("{read} kinds of users of net-snmp read us; it lacks {lacking:?}");
    assert!(read >= 19);
}

#[tokio::test(flavor = "multi_thread")]
async fn usm_variants_both_extensions_of_long_keys_are_spoken_and_not_mixed_up() {
    for cipher in [PrivProtocol::Aes192, PrivProtocol::Aes256] {
        for ours in [KeyExtension::Blumenthal, KeyExtension::Reeder] {
            let user = |extension| {
                UsmUser::new("u")
                    .auth(AuthProtocol::Sha1, "authpass1")
                    .privacy(cipher, "privpass1")
                    .extension(extension)
            };
            let agent = agent(authority(&[user(ours)]));
            let engine = engine();
            let walk = engine
                .walk(&target(agent.address, user(ours)), &oid("1.3.6.1.4.1.9"), &WalkLimits::default())
                .await
                .unwrap();
            assert_eq!(walk.rows.len(), 200);
            let other = [KeyExtension::Blumenthal, KeyExtension::Reeder][usize::from(ours == KeyExtension::Blumenthal)];
            let error = engine.get(&target(agent.address, user(other)), &[place()]).await.unwrap_err();
            assert!(matches!(error, Error::Auth { reason: AuthFailure::Decryption, .. }), "{error}");
        }
    }
}

fn secure() -> UsmUser {
    UsmUser::new("secure").auth(AuthProtocol::Sha256, "authpass1").privacy(PrivProtocol::Aes128, "privpass1")
}

#[tokio::test(flavor = "multi_thread")]
async fn usm_variants_wrong_users_are_told_why_after_one_try() {
    let agent = agent(authority(&[secure(), UsmUser::new("weak")]));
    let engine = engine();
    let secret = |pass: &str| Some((AuthProtocol::Sha256, snmp::Secret::from(pass)));
    for (user, reason) in [
        (UsmUser { user: "nobody".to_owned(), ..secure() }, AuthFailure::UnknownUser),
        (UsmUser { auth: secret("wrongpass"), ..secure() }, AuthFailure::WrongDigest),
        (secure().privacy(PrivProtocol::Aes128, "wrongpass"), AuthFailure::Decryption),
        (secure().auth(AuthProtocol::Sha512, "authpass1"), AuthFailure::WrongDigest),
        (UsmUser { user: "weak".to_owned(), ..secure() }, AuthFailure::UnsupportedLevel),
        (UsmUser::new("u").auth(AuthProtocol::Md5, "short"), AuthFailure::ShortPassPhrase),
    ] {
        let before = agent.requests();
        let error = engine.get(&target(agent.address, user), &[place()]).await.unwrap_err();
        assert!(matches!(&error, Error::Auth { reason: found, .. } if *found == reason), "{error}");
        // One discovery at first, then one request each.
        assert!(agent.requests() - before <= 1 + usize::from(before == 0), "{error}");
        assert!(!format!("{error} {error:?}").contains("pass1"));
    }
    // Less protection than the user has reaches no object.
    let error = engine.get(&target(agent.address, UsmUser::new("secure")), &[place()]).await.unwrap_err();
    assert!(error.to_string().contains("authorizationError"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn contexts_reach_the_agent() {
    let agent = agent(authority(&[secure()]));
    let engine = engine();
    for (context, known) in [(&b""[..], true), (b"Jetdirect", true), (b"elsewhere", false)] {
        let mut target = target(agent.address, secure());
        target.security = Arc::new(Security::Usm { user: Arc::new(secure()), context: context.to_vec() });
        match engine.get(&target, &[place()]).await {
            Ok(values) => assert!(known && values[0].value == Value::Integer(1_001)),
            Err(error) => {
                assert!(!known);
                assert!(matches!(error, Error::Auth { reason: AuthFailure::UnknownContext, .. }), "{error}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn usm_time_clocks_that_jump_or_lose_their_boots_are_followed_once() {
    let authority = authority(&[secure()]);
    let agent = agent(Arc::clone(&authority));
    let (engine, target) = (engine(), target(agent.address, secure()));
    engine.get(&target, &[place()]).await.unwrap();
    // Discovery and request.
    assert_eq!(agent.requests(), 2);
    // Rebooted; its clock forgot everything; its clock runs far ahead; it went back to boots 0.
    for (boots, time) in [(8, 0), (8, 4_000), (8, 3), (0, 0), (0, 100_000), (9_999, 12)] {
        authority.restart(boots, time);
        let before = agent.requests();
        engine.get(&target, &[place()]).await.unwrap();
        assert_eq!(agent.requests() - before, 2, "{boots} {time}");
        engine.get(&target, &[place()]).await.unwrap();
        assert_eq!(agent.requests() - before, 3, "{boots} {time}");
    }
    // Within the window nothing is asked twice.
    authority.restart(9_999, 100);
    let before = agent.requests();
    engine.get(&target, &[place()]).await.unwrap();
    assert_eq!(agent.requests() - before, 1);
}

/// RFC 3414 §3.2: a clock that differs by 150 s or less is right; a second or two are left for the test itself.
#[tokio::test(flavor = "multi_thread")]
async fn usm_time_window_is_150_seconds_to_both_sides() {
    crate::agents::calmly(async || {
        let authority = authority(&[secure()]);
        let agent = agent(Arc::clone(&authority));
        let (engine, target) = (engine(), target(agent.address, secure()));
        authority.restart(7, 10_000);
        engine.get(&target, &[place()]).await.unwrap();
        // The clock of the agent now, and the exchanges that it takes: our own notion follows only forwards.
        for (time, exchanges) in [(10_145, 1), (10_000, 1), (9_985, 2), (10_150, 2), (10_290, 1), (10_460, 2)] {
            authority.restart(7, time);
            let before = agent.requests();
            engine.get(&target, &[place()]).await.unwrap();
            let took = agent.requests() - before;
            if took != exchanges {
                return Err(format!("{took} exchanges instead of {exchanges} at {time}"));
            }
        }
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn usm_time_a_clock_that_never_agrees_ends_the_request() {
    let authority = authority(&[secure()]);
    let shared = Arc::clone(&authority);
    let table = table();
    let mut boots = 1;
    let agent = hostile(move |request| {
        boots += 1;
        shared.restart(boots, 0);
        let mut out = Vec::new();
        answer_v3(request, &shared, |_| Some(Agent::new(&table)), &mut out).ok().map(|()| out)
    });
    let error = engine().get(&target(agent.address, secure()), &[place()]).await.unwrap_err();
    assert!(matches!(error, Error::Auth { reason: AuthFailure::NotInTimeWindow, .. }), "{error}");
    assert_eq!(agent.requests(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn usm_time_cloned_engine_ids_do_not_share_a_clock() {
    let (one, two) = (authority(&[secure()]), authority(&[secure()]));
    two.restart(4_000, 9_000_000);
    let (first, second) = (agent(one), agent(two));
    let engine = engine();
    for _ in 0..5 {
        for agent in [&first, &second] {
            engine.get(&target(agent.address, secure()), &[place()]).await.unwrap();
        }
    }
    assert_eq!((first.requests(), second.requests()), (6, 6));
}

#[tokio::test(flavor = "multi_thread")]
async fn usm_time_a_device_replaced_by_another_is_discovered_anew() {
    let device = Arc::new(Mutex::new(authority(&[secure()])));
    let shared = Arc::clone(&device);
    let table = table();
    let agent = hostile(move |request| {
        let mut out = Vec::new();
        answer_v3(request, &shared.lock(), |_| Some(Agent::new(&table)), &mut out).ok().map(|()| out)
    });
    let (engine, target) = (engine(), target(agent.address, secure()));
    engine.get(&target, &[place()]).await.unwrap();
    *device.lock() = Arc::new(Authority::new(b"\x80\x00\x1f\x88\x04other", 1, Users::new(&[secure()]).unwrap()));
    engine.get(&target, &[place()]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_were_touched_are_refused() {
    let authority = authority(&[secure(), UsmUser::new("plain")]);
    let table = table();
    // Which byte, counted from the end, is spoilt; what the user says of the answer.
    for spoilt in [1, 5, 20, 60] {
        let (shared, table) = (Arc::clone(&authority), table.clone());
        let mut count = 0;
        let agent = hostile(move |request| {
            let mut out = Vec::new();
            answer_v3(request, &shared, |_| Some(Agent::new(&table)), &mut out).ok()?;
            count += 1;
            if count > 1 {
                let at = out.len() - spoilt;
                out[at] ^= 0x40;
            }
            Some(out)
        });
        let patient = target(agent.address, secure()).patience(Duration::from_millis(300), 0);
        let error = engine().get(&patient, &[place()]).await.unwrap_err();
        assert!(
            matches!(
                error,
                Error::Auth { reason: AuthFailure::AnswerNotAuthentic, .. }
                    | Error::Malformed { .. }
                    | Error::Timeout { .. }
            ),
            "{spoilt}: {error}"
        );
    }
    // An answer in the clear to a secret question.
    let agent = hostile(move |request| {
        let mut out = Vec::new();
        answer_v3(request, &authority, |_| Some(Agent::new(&table)), &mut out).ok()?;
        if matches!(snmp::message::MessageRef::parse(request, snmp::ber::Tail::Whole),
            Ok(snmp::message::MessageRef::V3(message)) if message.header.flags.privacy)
        {
            out = in_the_clear(&out);
        }
        Some(out)
    });
    let error = engine().get(&target(agent.address, secure()), &[place()]).await.unwrap_err();
    assert!(matches!(error, Error::Auth { reason: AuthFailure::AnswerUnprotected, .. }), "{error}");
}

/// The same message id and engine, without any protection, and a lie as value.
fn in_the_clear(sealed: &[u8]) -> Vec<u8> {
    use snmp::ber::{Tail, Writer};
    use snmp::message::{Flags, Header, MessageRef, write_scoped, write_v3};
    let Ok(MessageRef::V3(message)) = MessageRef::parse(sealed, Tail::Whole) else { panic!("no v3") };
    // The security parameters begin with the engine id; a blank digest and salt follow the user.
    let header = Header { flags: Flags::default(), ..message.header };
    let engine_id = b"\x80\x00\x1f\x88\x04platen";
    let mut security = Vec::new();
    let mut writer = Writer::new(&mut security);
    let all = writer.open(0x30);
    writer.primitive(4, engine_id);
    writer.int32(7);
    writer.int32(0);
    writer.primitive(4, b"secure");
    writer.primitive(4, &[]);
    writer.primitive(4, &[]);
    writer.close(all);
    let mut out = Vec::new();
    write_v3(&mut Writer::new(&mut out), header, &security, |writer| {
        write_scoped(writer, engine_id, &[], |writer| {
            let lie = VarBind::new(place(), Value::Integer(666));
            Pdu::new(PduKind::Response, message.header.msg_id, vec![lie]).write(writer);
        });
    });
    out
}

#[test]
fn mutated_v3_requests_never_panic_and_reach_no_object_unsealed() {
    let authority = authority(&[secure()]);
    let table = table();
    let other = Authority::new(authority.engine_id(), 7, Users::new(&[secure()]).unwrap());
    let mut good = Vec::new();
    let asked = Pdu::new(PduKind::Get, 5, vec![VarBind::new(place(), Value::Null)]);
    other.notify("secure", b"", 77, &mut good, &asked).unwrap();
    assert!(is_v3(&good));
    let (mut state, mut through, mut out) = (7u64, 0, Vec::new());
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let reach = |bytes: &[u8], out: &mut Vec<u8>| {
        let mut reached = false;
        let _ = answer_v3(
            bytes,
            &authority,
            |_| {
                reached = true;
                Some(Agent::new(&table))
            },
            out,
        );
        reached
    };
    assert!(reach(&good, &mut out), "the message itself is good");
    let total = 20_000;
    for _ in 0..total {
        let mut bytes = good.clone();
        for _ in 0..1 + random(3) {
            let at = random(bytes.len());
            match random(4) {
                0 => bytes[at] ^= 1 << random(8),
                1 => bytes[at] = random(256) as u8,
                2 => bytes.truncate(at.max(1)),
                _ => bytes.insert(at, random(256) as u8),
            }
        }
        // Bytes behind the message are no part of it.
        through += usize::from(reach(&bytes, &mut out) && bytes[..good.len().min(bytes.len())] != good[..]);
    }
    println!("{total} mutations of a sealed request, {through} let in");
    assert_eq!(through, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn net_snmp_sends_us_sealed_traps_and_informs() {
    let Some(snmptrap) = program("snmptrap", "snmp") else { return };
    let Some(inform) = program("snmpinform", "snmp") else { return };
    let authority = authority(&[secure()]);
    let listener = Listener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap().with_authority(authority);
    let (address, (sender, mut received)) = (listener.local_addr(), mpsc::unbounded_channel());
    tokio::spawn(async move {
        listener.serve(move |received| sender.send(received.notification.to_owned()).is_ok()).await.unwrap();
    });
    let user = "-v3 -u secure -l authPriv -a SHA-256 -A authpass1 -x AES -X privpass1";
    let rest = format!("{address} 4711 1.3.6.1.2.1.43.18.2.0.1 1.3.6.1.2.1.43.18.1.1.8.1.5 s jam");
    for (program, head) in
        [(snmptrap, format!("{user} -e 0x80001f880474657374 {rest}")), (inform, format!("{user} -t 60 -r 1 {rest}"))]
    {
        let output = run(program.clone(), head.split(' ').map(str::to_owned).collect()).await;
        assert_eq!(output, "", "{head}");
        let notification = received.recv().await.unwrap();
        assert_eq!(notification.user.as_deref(), Some(&b"secure"[..]));
        assert_eq!(notification.trap, oid("1.3.6.1.2.1.43.18.2.0.1"));
        assert_eq!(notification.varbinds[0].value, Value::text("jam"));
        assert_eq!(notification.inform, program.ends_with("inform"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bulk_faults_are_worked_around_in_v3_too() {
    let authority = authority(&[secure()]);
    let table = table();
    let agent = hostile(move |request| {
        let mut out = Vec::new();
        let agent = Agent { limit: 900, ..Agent::new(&table) };
        answer_v3(request, &authority, |_| Some(agent), &mut out).ok()?;
        // Long answers do not get through.
        (out.len() < 500).then_some(out)
    });
    let engine = engine();
    let target = target(agent.address, secure()).patience(Duration::from_millis(500), 2);
    engine.get(&target, &[place()]).await.unwrap();
    let walk = engine.walk(&target, &oid("1.3.6.1.4.1.9"), &WalkLimits::default()).await.unwrap();
    assert_eq!(walk.rows.len(), 200);
    assert!(walk.quirks.contains(&Quirk::BulkTimeout));
}
