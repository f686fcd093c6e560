//! Polling in bulk: nothing allocated, every answer shown once, and the rate a CPU-second printed.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::mpsc;
use std::time::Duration;

use snmp::engine::{Poller, PollerConfig, Prepared};
use snmp::responder::{Agent, Asked, Responder, ResponderConfig, answer};
use snmp::{Error, Oid, Security, Target, Value};

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

fn any() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0))
}

/// Time this thread has spent on a processor.
fn cpu() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split(' ').next()?.parse().ok().map(Duration::from_nanos)
}

fn prepared(port: u16, count: u32, timeout: Duration, retries: u8) -> Vec<Prepared> {
    let base = u32::from(Ipv4Addr::new(127, 90, 0, 0));
    let security = std::sync::Arc::new(Security::v2c("public"));
    (0..count)
        .map(|number| {
            let address = SocketAddr::from((Ipv4Addr::from(base + number), port));
            let target = Target { address, security: security.clone(), timeout, retries };
            Prepared::get(&target, &eight()).unwrap()
        })
        .collect()
}

#[cfg(target_os = "linux")]
#[test]
fn a_poll_allocates_nothing_a_reply() {
    let port = responder(any(), true, |_| false).port();
    let requests = prepared(port, 2_000, Duration::from_secs(5), 2);
    let mut poller = Poller::open(PollerConfig { in_flight: 256, ..PollerConfig::default() }).unwrap();
    let mut seen = vec![0u8; requests.len()];
    let mut round = |poller: &mut Poller| {
        let mut sum = 0;
        poller
            .poll(&requests, |place, answer| {
                seen[place] += 1;
                for item in answer.unwrap().varbinds {
                    sum += item.unwrap().value.as_i64().unwrap();
                }
            })
            .unwrap();
        sum
    };
    // The first rounds find their memory.
    let first = round(&mut poller);
    round(&mut poller);
    let (start, mut polls) = (cpu(), 0);
    let before = allocations();
    for _ in 0..10 {
        assert_eq!(round(&mut poller), first);
        polls += requests.len();
    }
    let allocated = allocations() - before;
    assert_eq!(first, 2_000 * 28);
    assert!(seen.iter().all(|count| *count == 12));
    if let (Some(start), Some(end)) = (start, cpu()) {
        let spent = end - start;
        println!(
            "{polls} polls, {allocated} allocations, {:.0} polls a CPU-second",
            polls as f64 / spent.as_secs_f64()
        );
    }
    assert_eq!(allocated, 0);
}

#[cfg(target_os = "linux")]
#[test]
fn the_dead_and_the_closed_are_told_from_the_living() {
    let port = responder(any(), true, |last| last % 10 == 3).port();
    let mut requests = prepared(port, 200, Duration::from_millis(200), 1);
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
