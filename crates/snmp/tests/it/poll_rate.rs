//! Polling in bulk: nothing allocated, every answer shown once, and the rate a CPU-second printed.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use snmp::engine::{Poller, PollerConfig, Prepared};
use snmp::responder::{Agent, Asked, Responder, ResponderConfig, answer, answer_v3};
use snmp::usm::{Authority, Users};
use snmp::{AuthProtocol, Error, Oid, PrivProtocol, Security, Target, UsmUser, Value};

use crate::agents::{Table, oid};
use crate::counting::allocations;

/// Objects of the cheap poll, and three more.
fn eight() -> Vec<Oid> {
    [
        "1.3.6.1.2.1.43.5.1.1.1.1",
        "1.3.6.1.2.1.43.5.1.1.19.1",
        "1.3.6.1.2.1.25.3.5.1.2.1",
        "1.3.6.1.2.1.43.10.2.1.4.1.1",
        "1.3.6.1.2.1.1.3.0",
        "1.3.6.1.2.1.25.3.5.1.1.1",
        "1.3.6.1.2.1.43.11.1.1.9.1.1",
        "1.3.6.1.2.1.43.11.1.1.9.1.2",
    ]
    .map(oid)
    .to_vec()
}

/// A responder on a thread of its own; `silent` says which last byte never answers.
fn responder(bind: SocketAddr, loopback_only: bool, silent: impl Fn(u8) -> bool + Send + 'static) -> SocketAddr {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let responder = Responder::bind(ResponderConfig { bind, loopback_only }).unwrap();
            sender.send(responder.local_addr()).unwrap();
            let table = Table::of((0..).zip(eight()).map(|(number, oid)| (oid, Value::Integer(number))));
            let serve = responder.serve(move |datagram, out| {
                let std::net::IpAddr::V4(to) = datagram.to.ip() else { return false };
                let known = |asked: &Asked<'_>| (asked.name == b"public").then(|| Agent::new(&table));
                !silent(to.octets()[3]) && answer(datagram.bytes, known, out).is_ok()
            });
            // The thread ends with the process.
            serve.await.unwrap();
        });
    });
    receiver.recv().unwrap()
}

/// Engines of SNMPv3, one an address, with the users given.
fn engines(users: Arc<Users>) -> SocketAddr {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let responder = Responder::bind(ResponderConfig { bind: any(), loopback_only: true }).unwrap();
            sender.send(responder.local_addr()).unwrap();
            let table = Table::of((0..).zip(eight()).map(|(number, oid)| (oid, Value::Integer(number))));
            let mut all = HashMap::new();
            let serve = responder.serve(move |datagram, out| {
                let std::net::IpAddr::V4(to) = datagram.to.ip() else { return false };
                let engine = all.entry(to).or_insert_with(|| {
                    let id = [&[0x80, 0, 0x1f, 0x88, 4][..], &to.octets()].concat();
                    Authority::new(&id, 1, users.clone())
                });
                answer_v3(datagram.bytes, engine, |_| Some(Agent::new(&table)), out).is_ok()
            });
            serve.await.unwrap();
        });
    });
    receiver.recv().unwrap()
}

fn any() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0))
}

/// Time this thread has spent on a processor.
pub fn cpu() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split(' ').next()?.parse().ok().map(Duration::from_nanos)
}

fn prepared(port: u16, count: u32, timeout: Duration, retries: u8) -> Vec<Prepared> {
    prepared_with(Security::v2c("public"), port, count, timeout, retries)
}

fn prepared_with(security: Security, port: u16, count: u32, timeout: Duration, retries: u8) -> Vec<Prepared> {
    let base = u32::from(Ipv4Addr::new(127, 90, 0, 0));
    let security = Arc::new(security);
    (0..count)
        .map(|number| {
            let address = SocketAddr::from((Ipv4Addr::from(base + number), port));
            let target = Target { address, security: security.clone(), timeout, retries };
            Prepared::get(&target, &eight()).unwrap()
        })
        .collect()
}

/// Polls a dozen times, checks every answer, and returns allocations and polls a CPU-second of the last ten rounds.
fn measure(requests: &[Prepared], in_flight: usize) -> (u64, f64) {
    let mut poller = Poller::open(PollerConfig { in_flight, ..PollerConfig::default() }).unwrap();
    let mut seen = vec![0u8; requests.len()];
    let mut round = |poller: &mut Poller| {
        let mut sum = 0;
        poller
            .poll(requests, |place, answer| {
                seen[place] += 1;
                for item in answer.unwrap().varbinds {
                    sum += item.unwrap().value.as_i64().unwrap();
                }
            })
            .unwrap();
        assert_eq!(sum, requests.len() as i64 * 28);
    };
    // The first rounds find their memory.
    round(&mut poller);
    round(&mut poller);
    let start = cpu();
    let before = allocations();
    for _ in 0..10 {
        round(&mut poller);
    }
    let allocated = allocations() - before;
    assert!(seen.iter().all(|count| *count == 12));
    let spent = start.zip(cpu()).map_or(f64::NAN, |(start, end)| (end - start).as_secs_f64());
    (allocated, requests.len() as f64 * 10.0 / spent)
}

#[cfg(target_os = "linux")]
#[test]
fn a_poll_allocates_nothing_a_reply() {
    let port = responder(any(), true, |_| false).port();
    let (allocated, rate) = measure(&prepared(port, 5_000, Duration::from_secs(60), 2), 256);
    println!("v2c: {rate:.0} polls a CPU-second, {allocated} allocations in 50,000 polls");
    assert!(allocated < 10, "a packet sent again on a busy machine may find a list too short, a reply may not");
}

#[cfg(target_os = "linux")]
#[test]
fn a_sealed_poll_allocates_nothing_a_reply_either() {
    for (auth, privacy) in [
        (AuthProtocol::Sha256, Some(PrivProtocol::Aes256)),
        (AuthProtocol::Sha1, Some(PrivProtocol::Aes128)),
        (AuthProtocol::Md5, Some(PrivProtocol::Des)),
        (AuthProtocol::Sha512, None),
    ] {
        let mut user = UsmUser::new("poller").auth(auth, "authpass1");
        if let Some(privacy) = privacy {
            user = user.privacy(privacy, "privpass1");
        }
        let port = engines(Users::new(&[user.clone()]).unwrap()).port();
        let requests = prepared_with(Security::v3(Arc::new(user)), port, 1_000, Duration::from_secs(60), 2);
        let (allocated, rate) = measure(&requests, 128);
        println!("v3 {auth:?} {privacy:?}: {rate:.0} polls a CPU-second, {allocated} allocations in 10,000 polls");
        assert!(allocated < 10);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn the_dead_and_the_closed_are_told_from_the_living() {
    let port = responder(any(), true, |last| last % 10 == 3).port();
    // The living have 20 s for each of two tries, the silent ones half a second.
    let (patient, hasty) =
        (prepared(port, 200, Duration::from_secs(20), 1), prepared(port, 200, Duration::from_millis(500), 1));
    let silent =
        |request: &Prepared| matches!(request.address().ip(), std::net::IpAddr::V4(to) if to.octets()[3] % 10 == 3);
    let mut requests: Vec<Prepared> =
        patient.into_iter().zip(hasty).map(|(patient, hasty)| if silent(&hasty) { hasty } else { patient }).collect();
    let closed = Target::new(crate::netsnmp::free_port(), Security::v2c("public")).patience(Duration::from_secs(30), 3);
    requests.push(Prepared::get(&closed, &eight()).unwrap());
    let mut poller = Poller::open(PollerConfig { rate_pps: Some(5_000), ..PollerConfig::default() }).unwrap();
    let (mut alive, mut dead, mut refused) = (0, 0, 0);
    poller
        .poll(&requests, |place, answer| match answer {
            Ok(pdu) => {
                assert_eq!(pdu.varbinds.count(), 8);
                alive += 1;
            }
            Err(Error::Timeout { target, tries: 2 }) => {
                assert_eq!(target, requests[place].address());
                dead += 1;
            }
            Err(Error::Unreachable { target }) => {
                assert_eq!(target, closed.address);
                refused += 1;
            }
            Err(error) => panic!("{error}"),
        })
        .unwrap();
    assert_eq!((alive, dead, refused), (180, 20, 1));
}
