//! `courtesy`: few packets for the dead, two at once for the living, nothing believed from strangers.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use snmp::{Engine, EngineConfig, Error, Oid, Security, SubnetBudget, Subnets, Target, Value, VarBind, WalkLimits};

use crate::agents::{ALL, Table, calmly, decode, engine, honest, hostile, oid, response, reticent, target};

fn one() -> Vec<Oid> {
    vec![oid("1.3.6.1.4.1.9.1.1.1")]
}

#[tokio::test]
async fn a_silent_device_costs_at_most_three_packets() {
    let agent = hostile(|_| None);
    let error = engine().get(&target(agent.address).patience(Duration::from_millis(40), 2), &one()).await.unwrap_err();
    assert!(matches!(error, Error::Timeout { tries: 3, .. }), "{error}");
    assert_eq!(agent.all_requests().await, 3);
    let target = target(agent.address).patience(Duration::from_millis(300), 1);
    let error = engine().walk(&target, &one()[0], &WalkLimits::default()).await.unwrap_err();
    assert!(error.is_silence());
    assert_eq!(agent.all_requests().await, 6);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_closed_port_is_a_fast_no() {
    let closed = crate::netsnmp::free_port();
    let start = Instant::now();
    let error = engine().get(&target(closed).patience(Duration::from_secs(60), 3), &one()).await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error}");
    assert!(start.elapsed() < Duration::from_secs(60), "not even its first try was waited out");
}

#[tokio::test]
async fn a_device_never_sees_more_than_two_requests_at_once() {
    let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let (engine, most) = (engine(), Arc::new(AtomicUsize::new(0)));
    let peak = Arc::clone(&most);
    tokio::spawn(async move {
        let (mut waiting, mut buffer) = (Vec::new(), [0; 2_000]);
        loop {
            // Answers only when nothing more comes for a while: what has come by then was in flight together.
            match tokio::time::timeout(Duration::from_millis(15), socket.recv_from(&mut buffer)).await {
                Ok(received) => {
                    let (length, from) = received.unwrap();
                    waiting.push((buffer[..length].to_vec(), from));
                    peak.fetch_max(waiting.len(), Ordering::SeqCst);
                }
                Err(_) => {
                    for (request, from) in waiting.drain(..) {
                        let values = decode(&request).1.varbinds;
                        socket.send_to(&response(&request, 0, 0, values), from).await.unwrap();
                    }
                }
            }
        }
    });
    let target = target(address);
    let tasks: Vec<_> = (0..20)
        .map(|_| {
            let (engine, target) = (engine.clone(), target.clone());
            tokio::spawn(async move { engine.get(&target, &one()).await.unwrap() })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(most.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn answers_with_a_wrong_id_from_a_stranger_or_twice_are_dropped() {
    let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
    let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 2_000];
        loop {
            let (length, from) = socket.recv_from(&mut buffer).await.unwrap();
            let (_, pdu) = decode(&buffer[..length]);
            let lie = response(&buffer[..length], 0, 0, vec![VarBind::new(one().remove(0), Value::Integer(666))]);
            let truth = response(&buffer[..length], 0, 0, vec![VarBind::new(one().remove(0), Value::Integer(42))]);
            stranger.send_to(&lie, from).unwrap();
            // The id stands in four bytes.
            let id = pdu.request_id.to_be_bytes();
            let at = lie.windows(4).position(|window| window == id).unwrap();
            for wrong in [pdu.request_id ^ 1, pdu.request_id ^ 0x4000_0000, pdu.request_id - 1, -1, 0] {
                let mut lie = lie.clone();
                lie[at..at + 4].copy_from_slice(&wrong.to_be_bytes());
                socket.send_to(&lie, from).await.unwrap();
            }
            for bytes in
                [&b"\x30\x84\xff\xff\xff\xff"[..], b"", b"\x30\x00", &buffer[..length], &truth[..9], &truth, &truth]
            {
                socket.send_to(bytes, from).await.unwrap();
            }
        }
    });
    let engine = engine();
    for _ in 0..50 {
        let values = engine.get(&target(address), &one()).await.unwrap();
        assert_eq!(values[0].value, Value::Integer(42));
    }
}

#[tokio::test]
async fn a_device_that_speaks_nonsense_is_named_so() {
    let agent = hostile(|_| Some(b"HTTP/1.1 400 Bad Request".to_vec()));
    let error = engine().get(&reticent(agent.address), &one()).await.unwrap_err();
    assert!(matches!(error, Error::Malformed { .. }), "{error}");
    assert!(error.to_string().starts_with(&agent.address.to_string()));
}

#[tokio::test]
async fn a_lost_packet_is_sent_again_and_its_late_answer_is_good() {
    let mut count = 0;
    let agent = hostile(move |request| {
        count += 1;
        (count > 2).then(|| response(request, 0, 0, vec![VarBind::new(one().remove(0), Value::Integer(1))]))
    });
    // Many tries, so that no stall takes the last of them.
    let values = engine().get(&target(agent.address).patience(Duration::from_millis(100), 50), &one()).await.unwrap();
    assert_eq!(values[0].value, Value::Integer(1));
}

#[tokio::test]
async fn dropped_requests_leave_nothing_behind() {
    let silent = hostile(|_| None);
    let alive = honest(Table::grid(1, 1), ALL, 1_472);
    let bind = SocketAddr::from(([127, 0, 0, 1], 0));
    let config = EngineConfig { shards: 1, bind, max_in_flight: 8, ..EngineConfig::default() };
    let engine = Engine::start(config).unwrap();
    let patient = target(silent.address).patience(Duration::from_secs(60), 0);
    for _ in 0..50 {
        let request = one();
        let asks = (0..4).map(|_| engine.get(&patient, &request));
        let mut all: Vec<_> = asks.map(Box::pin).collect();
        for ask in &mut all {
            let _ = tokio::time::timeout(Duration::from_millis(1), ask).await;
        }
        drop(all);
        assert_eq!(engine.get(&target(alive.address), &one()).await.unwrap()[0].value, Value::Integer(1_001));
    }
}

#[tokio::test]
async fn a_full_engine_says_so() {
    let silent = hostile(|_| None);
    let bind = SocketAddr::from(([127, 0, 0, 1], 0));
    let engine = Engine::start(EngineConfig { shards: 1, bind, max_in_flight: 2, ..EngineConfig::default() }).unwrap();
    let patient = target(silent.address).patience(Duration::from_secs(60), 0);
    let request = one();
    let (mut a, mut b) = (Box::pin(engine.get(&patient, &request)), Box::pin(engine.get(&patient, &request)));
    for ask in [&mut a, &mut b] {
        assert!(tokio::time::timeout(Duration::from_millis(5), ask).await.is_err());
    }
    assert!(matches!(engine.get(&patient, &request).await, Err(Error::Busy { .. })));
}

#[tokio::test]
async fn the_budget_of_packets_holds_in_any_second() {
    // To the packet by a clock of its own in `engine::pacer`; here what a receiver sees.
    calmly(budget_of_packets).await;
}

async fn budget_of_packets() -> Result<(), String> {
    let times = Arc::new(parking_lot::Mutex::new(Vec::new()));
    let seen = Arc::clone(&times);
    let agent = hostile(move |request| {
        seen.lock().push(Instant::now());
        Some(response(request, 0, 0, decode(request).1.varbinds))
    });
    let bind = SocketAddr::from(([127, 0, 0, 1], 0));
    let config = EngineConfig { shards: 1, bind, rate_pps: Some(200), per_device: 200, ..EngineConfig::default() };
    let engine = Engine::start(config).unwrap();
    let target = Target::new(agent.address, Security::v2c("public")).patience(Duration::from_secs(60), 0);
    let tasks: Vec<_> = (0..500)
        .map(|_| {
            let (engine, target) = (engine.clone(), target.clone());
            tokio::spawn(async move { engine.get(&target, &one()).await.unwrap() })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let times = times.lock();
    let (worst, took) = (busiest(&times), *times.last().unwrap() - times[0]);
    if worst > 220 || took > Duration::from_secs(6) {
        return Err(format!("{worst} packets in one second of a budget of 200, {took:?} for 500"));
    }
    Ok(())
}

/// Most of these within one second.
pub fn busiest(times: &[Instant]) -> usize {
    let within =
        |from: usize| times[from..].iter().take_while(|at| **at < times[from] + Duration::from_secs(1)).count();
    (0..times.len()).map(within).max().unwrap_or(0)
}

#[tokio::test]
async fn courtesy_polls_and_sweeps_share_the_budget_of_a_subnet() {
    // To the packet by a clock of its own in `engine::subnets`; here what a receiver sees.
    calmly(budget_of_a_subnet).await;
}

async fn budget_of_a_subnet() -> Result<(), String> {
    let times = Arc::new(parking_lot::Mutex::new(Vec::new()));
    let seen = Arc::clone(&times);
    let agent = hostile(move |request| {
        seen.lock().push(Instant::now());
        Some(response(request, 0, 0, decode(request).1.varbinds))
    });
    let bind = SocketAddr::from(([127, 0, 0, 1], 0));
    let config = EngineConfig { shards: 1, bind, per_device: 200, ..EngineConfig::default() };
    let subnets = Subnets::new(SubnetBudget { prefix: 24, rate_pps: 100 });
    let engines = [0, 1].map(|_| Engine::start_with(config, &subnets).unwrap());
    let target = Target::new(agent.address, Security::v2c("public")).patience(Duration::from_secs(60), 0);
    let ask = |number: usize| {
        let (engine, target) = (engines[number % 2].clone(), target.clone());
        tokio::spawn(async move { engine.get(&target, &one()).await })
    };
    let mut tasks: Vec<_> = (0..250).map(ask).collect();
    // Who gives up while it waits leaves its turn to the others.
    for task in tasks.split_off(200) {
        task.abort();
    }
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    let times = times.lock();
    assert!(times.len() <= 250, "{} packets", times.len());
    let (worst, took) = (busiest(&times), *times.last().unwrap() - times[0]);
    if worst > 112 || took > Duration::from_secs(5) {
        return Err(format!("{worst} packets in one second of a budget of 100, {took:?} for {}", times.len()));
    }
    Ok(())
}

#[tokio::test]
async fn the_engine_speaks_ipv6() {
    let Ok(socket) = tokio::net::UdpSocket::bind("[::1]:0").await else {
        println!("skipped: IPv6 loopback not found");
        return;
    };
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 2_000];
        let (length, from) = socket.recv_from(&mut buffer).await.unwrap();
        let values = vec![VarBind::new(one().remove(0), Value::Integer(6))];
        socket.send_to(&response(&buffer[..length], 0, 0, values), from).await.unwrap();
    });
    let engine = Engine::start(EngineConfig::default()).unwrap();
    let values = engine.get(&target(address), &one()).await.unwrap();
    assert_eq!(values[0].value, Value::Integer(6));
}
