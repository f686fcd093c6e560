//! What a walk, an answer and a trap cost, printed for people; the bounds only catch a mistake of an order of
//! magnitude, because these tests run unoptimised and beside others.
#![cfg(target_os = "linux")]

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::mpsc;
use std::time::Duration;

use snmp::engine::{Poller, PollerConfig, Prepared};
use snmp::responder::{Agent, Responder, ResponderConfig, answer};
use snmp::trap::{Listener, write_v2};
use snmp::{Engine, EngineConfig, Oid, Security, Target, Value, VarBind, WalkLimits};

use crate::agents::{Table, oid, target};
use crate::poll_rate::cpu;
use crate::recordings::{folder, load};

/// Serves a table on a thread of its own; the second receiver tells the time it has spent a request, every 10,000.
fn serve(table: Table) -> (SocketAddr, mpsc::Receiver<Duration>) {
    let (sender, receiver) = mpsc::channel();
    let (report, reports) = mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let bind = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
            let responder = Responder::bind(ResponderConfig { bind, loopback_only: true }).unwrap();
            sender.send(responder.local_addr()).unwrap();
            let (mut count, mut start) = (0u32, cpu());
            let serve = responder.serve(move |datagram, out| {
                count += 1;
                if count.is_multiple_of(10_000) {
                    if let (Some(from), Some(to)) = (start, cpu()) {
                        let _ = report.send((to - from) / 10_000);
                    }
                    start = cpu();
                }
                answer(datagram.bytes, |_| Some(Agent::new(&table)), out).is_ok()
            });
            serve.await.unwrap();
        });
    });
    (receiver.recv().unwrap(), reports)
}

#[test]
fn an_answer_costs_little() {
    let oids: Vec<Oid> = (1..=8).map(|row| oid("1.3.6.1.4.1.9.1.1").child(row)).collect();
    let (address, reports) = serve(Table::grid(2, 200));
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, address.port()));
    let target = Target::new(address, Security::v2c("public")).patience(Duration::from_secs(60), 2);
    let request = || Prepared::get(&target, &oids).unwrap();
    let requests: Vec<Prepared> = (0..10_000).map(|_| request()).collect();
    let config = PollerConfig { per_device: 200, in_flight: 256, ..PollerConfig::default() };
    let mut poller = Poller::open(config).unwrap();
    for _ in 0..3 {
        poller.poll(&requests, |_, answer| assert_eq!(answer.unwrap().varbinds.count(), 8)).unwrap();
    }
    let cost = reports.try_iter().min().unwrap();
    println!("an answer of 8 objects: {cost:?} CPU, {:.0} PDUs a second and core", 1.0 / cost.as_secs_f64());
    assert!(cost < Duration::from_micros(500));
}

#[test]
fn a_walk_costs_little() {
    let Some(folder) = folder() else { return };
    let table = load(&folder.join("sharp.snmprec"));
    let rows = table.0.len();
    let (address, _reports) = serve(table);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for (devices, rounds) in [(1, 100), (200, 2)] {
        let spent = runtime.block_on(async {
            let bind = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
            let engine = Engine::start(EngineConfig { shards: 1, bind, ..EngineConfig::default() }).unwrap();
            let round = async || {
                let mut walks = tokio::task::JoinSet::new();
                for device in 0..devices {
                    let device = SocketAddr::from((Ipv4Addr::new(127, 91, 0, device), address.port()));
                    let (engine, target) = (engine.clone(), target(device).patience(Duration::from_secs(60), 2));
                    walks
                        .spawn(async move { engine.walk(&target, &oid("1.3"), &WalkLimits::default()).await.unwrap() });
                }
                for walk in walks.join_all().await {
                    assert_eq!(walk.rows.len(), rows);
                }
            };
            round().await;
            let start = cpu();
            for _ in 0..rounds {
                round().await;
            }
            start.zip(cpu()).map_or(Duration::ZERO, |(start, end)| (end - start) / rounds / u32::from(devices))
        });
        println!("a walk of {rows} objects, {devices} at a time: {spent:?} CPU of the client");
        assert!(spent < Duration::from_millis(20));
    }
}

#[test]
fn a_trap_costs_little() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = Listener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
        let address = listener.local_addr();
        let total = 20_000;
        std::thread::spawn(move || {
            let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
            let mut out = Vec::new();
            let alert = VarBind::new(oid("1.3.6.1.2.1.43.18.1.1.8.1.5"), Value::text("Paper jam in tray 2"));
            // Sends until the listener has what it wants and the test ends.
            for number in 0.. {
                write_v2(
                    &mut out,
                    b"public",
                    number,
                    4_711,
                    &oid("1.3.6.1.2.1.43.18.2.0.1"),
                    std::slice::from_ref(&alert),
                );
                if socket.send_to(&out, address).is_err() {
                    return;
                }
            }
        });
        let (mut seen, start) = (0, cpu());
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let mut sender = Some(sender);
        let serve = listener.serve(move |received| {
            assert_eq!(received.notification.varbinds().count(), 1);
            seen += 1;
            if seen == total
                && let Some(sender) = sender.take()
            {
                let _ = sender.send(cpu());
            }
            false
        });
        let end = tokio::select! {
            result = serve => panic!("{result:?}"),
            end = receiver => end.unwrap(),
        };
        let cost = start.zip(end).map_or(Duration::ZERO, |(start, end)| (end - start) / total);
        println!("a trap: {cost:?} CPU, {:.0} a second and core", 1.0 / cost.as_secs_f64());
        assert!(cost < Duration::from_micros(500));
    });
}
