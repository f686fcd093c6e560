//! The roads to a printer beside ranges: lists, announcements, IPv6; and what holds for all of them: exclusions, hours,
//! and going on after a death.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use agent::dns_sd::{Link, browse};
use simple_dns::rdata::{A, PTR, RData, SRV, TXT};
use simple_dns::{CLASS, Name, Packet, PacketFlag, ResourceRecord};
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;
use vmfp::{Devices, Fleet, FleetConfig};
use wire::plan::Target;
use wire::report::DiscoveryBody;
use wire::{AgentPlan, Body};

use crate::gateway::{Agent, Gateway, Kept, now_ms, subjects};
use crate::kill::{Told, killed_at};

async fn fleet(base: [u8; 4], count: u32) -> Fleet {
    let devices = Devices::Fleet { count, base: Ipv4Addr::from(base) };
    let config =
        FleetConfig { devices, snmp_port: 0, http_port: 0, ipp_port: 0, seed: 7, speed: 0.0, ..FleetConfig::default() };
    vmfp::start(config).await.unwrap()
}

fn plan() -> AgentPlan {
    AgentPlan { revision: 1, status_s: 1, discovery_s: 3_600, discovery_pps: 2_000, ..AgentPlan::default() }
}

fn target(host: String) -> Target {
    Target { host, ..Target::default() }
}

/// What was told of discoveries.
fn discoveries(kept: &Kept) -> Vec<DiscoveryBody> {
    let body = |message: &wire::Message| match &message.body {
        Body::Discovery(body) => Some((**body).clone()),
        _ => None,
    };
    kept.messages.iter().filter_map(|(_, message)| body(message)).collect()
}

/// Printers that announce themselves, on a socket of the test's own.
struct Responder {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Drop for Responder {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Answers each question with two services of each printer, some facts only when they are asked for.
async fn responder(printers: Vec<(&'static str, Ipv4Addr)>) -> Responder {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let task = tokio::spawn(async move {
        let mut buffer = vec![0; 9_000];
        loop {
            let (length, from) = socket.recv_from(&mut buffer).await.unwrap();
            let Ok(query) = Packet::parse(&buffer[..length]) else { continue };
            let late = query.questions.iter().any(|question| question.qname.to_string().ends_with("host.local"));
            let reply = announcement(query.id(), &printers, late);
            socket.send_to(&reply, from).await.unwrap();
            // Rubbish on the same wire must do no harm.
            socket.send_to(&buffer[..length / 2], from).await.unwrap();
        }
    });
    Responder { address, task }
}

fn announcement(id: u16, printers: &[(&'static str, Ipv4Addr)], with_addresses: bool) -> Vec<u8> {
    let mut packet = Packet::new_reply(id);
    packet.set_flags(PacketFlag::RESPONSE | PacketFlag::AUTHORITATIVE_ANSWER);
    let names: Vec<(String, String)> =
        printers.iter().map(|(name, _)| (format!("{name}._ipp._tcp.local"), format!("{name}-host.local"))).collect();
    let record = |name, data| ResourceRecord::new(Name::new_unchecked(name), CLASS::IN, 10, data);
    for ((_, address), (service, host)) in printers.iter().zip(&names) {
        packet.answers.push(record("_ipp._tcp.local", RData::PTR(PTR(Name::new_unchecked(service)))));
        let to = SRV { priority: 0, weight: 0, port: 631, target: Name::new_unchecked(host) };
        packet.additional_records.push(record(service, RData::SRV(to)));
        let text = TXT::new().with_string("txtvers=1").unwrap().with_string("ty=Office Printer 9").unwrap();
        packet.additional_records.push(record(service, RData::TXT(text)));
        if with_addresses {
            packet.additional_records.push(record(host, RData::A(A { address: address.to_bits() })));
        }
    }
    packet.build_bytes_vec_compressed().unwrap()
}

#[tokio::test]
async fn announced_printers_are_found_with_name_model_and_address() {
    let near = Ipv4Addr::new(127, 43, 1, 1);
    let responder = responder(vec![("Reception", near), ("Abroad", Ipv4Addr::new(8, 8, 8, 8))]).await;
    let found = browse(&[Link::At(responder.address)]).await.unwrap();
    assert_eq!(found.len(), 1, "nobody on a link may send our questions into the world: {found:?}");
    let host = &found[0];
    assert_eq!((host.name.as_str(), host.model.as_deref()), ("Reception", Some("Office Printer 9")));
    assert_eq!(
        (host.addresses.as_slice(), host.services.as_slice()),
        (&[IpAddr::V4(near)][..], &["ipp".to_owned()][..])
    );
}

#[tokio::test]
async fn what_announces_itself_is_asked_by_snmp_first_and_what_keeps_silent_is_listed() {
    let base = [127, 43, 2, 1];
    let fleet = fleet(base, 1).await;
    let printers = vec![("Living", Ipv4Addr::from(base)), ("Dead", Ipv4Addr::new(127, 43, 2, 99))];
    let responder = responder(printers).await;
    let plan = AgentPlan {
        // So many addresses that the announced one is met long before its turn would come.
        ranges: vec![format!("127.43.0.0/19:{}", fleet.snmp_port())],
        dns_sd: vec![responder.address.to_string()],
        discovery_pps: 400,
        ..plan()
    };
    let gateway = Gateway::start(plan.clone()).await;
    let agent = gateway.agent().await;
    gateway.until("the announced device is reported", |kept| subjects(kept).len() == 1).await;
    let view = agent.stats().view();
    assert!(view.to_probe > 8_000 && view.probed < 4_000, "it came first: {view:?}");
    gateway.kept.lock().plan = AgentPlan { revision: 2, ranges: Vec::new(), ..plan };
    gateway.until("a discovery of announcements alone has ended", |kept| !discoveries(kept).is_empty()).await;
    agent.stop().await;
    let told = discoveries(&gateway.kept.lock()).remove(0);
    let silent: Vec<_> = told.silent.iter().map(|one| (one.name.as_str(), one.address.as_str())).collect();
    // Without a range that names their port, both are asked at 161, where nobody is.
    assert_eq!(silent, [("Dead", "127.43.2.99"), ("Living", "127.43.2.1")]);
}

#[tokio::test]
async fn places_of_a_list_are_asked_by_address_and_by_name() {
    let base = [127, 43, 3, 1];
    let fleet = fleet(base, 2).await;
    let port = fleet.snmp_port();
    let relay = relay(SocketAddr::from((Ipv4Addr::from([127, 43, 3, 2]), port)), "127.0.0.1:0").await.unwrap();
    let targets = vec![
        target(format!("127.43.3.1:{port}")),
        target(format!("localhost:{}", relay.address.port())),
        target("printer-that-is-not.invalid".to_owned()),
        target(format!("127.43.3.9:{port}")),
    ];
    let exclude = vec!["127.43.3.9".to_owned()];
    let gateway = Gateway::start(AgentPlan { targets, exclude, ..plan() }).await;
    let agent = gateway.agent().await;
    gateway.until("both are reported", |kept| subjects(kept).len() == 2).await;
    gateway.until("the discovery has ended", |kept| !discoveries(kept).is_empty()).await;
    agent.stop().await;
    let told = discoveries(&gateway.kept.lock()).remove(0);
    assert_eq!((told.addresses, told.printers, told.fresh, told.forbidden), (2, 2, 2, 1), "{told:?}");
    assert_eq!(told.unresolved, ["printer-that-is-not.invalid"]);
}

#[tokio::test]
async fn an_ipv6_address_that_is_named_is_found_and_polled() {
    let base = [127, 43, 4, 1];
    let fleet = fleet(base, 1).await;
    let to = SocketAddr::from((Ipv4Addr::from(base), fleet.snmp_port()));
    let Ok(relay) = relay(to, "[::1]:0").await else { return println!("skipped: IPv6 loopback not found") };
    let gateway = Gateway::start(AgentPlan { targets: vec![target(relay.address.to_string())], ..plan() }).await;
    let agent = gateway.agent().await;
    let is_v6 = |message: &wire::Message| matches!(&message.body, Body::Status(status) if status.address == "::1");
    gateway.until("the device is reported", |kept| kept.messages.iter().any(|(_, m)| is_v6(m))).await;
    let lives = |message: &wire::Message| matches!(&message.body, Body::Seen(seen) if !seen.answered.is_empty());
    gateway.until("it is polled", |kept| kept.messages.iter().any(|(_, m)| lives(m))).await;
    agent.stop().await;
}

/// A device at another address: packets go there and back.
async fn relay(to: SocketAddr, at: &str) -> std::io::Result<Responder> {
    let front = Arc::new(UdpSocket::bind(at).await?);
    let address = front.local_addr()?;
    let task = tokio::spawn(async move {
        let mut buffer = vec![0; 65_536];
        loop {
            let (length, from) = front.recv_from(&mut buffer).await.unwrap();
            let (request, front) = (buffer[..length].to_vec(), front.clone());
            tokio::spawn(async move {
                let back = UdpSocket::bind("127.0.0.1:0").await.unwrap();
                back.send_to(&request, to).await.unwrap();
                let mut answer = vec![0; 65_536];
                let received = tokio::time::timeout(Duration::from_secs(60), back.recv_from(&mut answer)).await;
                if let Ok(Ok((length, _))) = received {
                    front.send_to(&answer[..length], from).await.unwrap();
                }
            });
        }
    });
    Ok(Responder { address, task })
}

#[tokio::test]
async fn an_excluded_network_card_is_kept_out_of_discovery_and_polling() {
    let base = [127, 43, 5, 1];
    let fleet = fleet(base, 2).await;
    let ranges = vec![format!("127.43.5.1-127.43.5.2:{}", fleet.snmp_port())];
    let gateway = Gateway::start(AgentPlan { ranges, discovery_s: 10, ..plan() }).await;
    let agent = gateway.agent().await;
    let cards = |kept: &Kept| {
        let card = |message: &wire::Message| match &message.body {
            Body::Status(status) => status.identity.mac.clone().map(|mac| (status.address.clone(), mac)),
            _ => None,
        };
        kept.messages.iter().filter_map(|(_, message)| card(message)).collect::<Vec<_>>()
    };
    gateway.until("both are reported with their cards", |kept| cards(kept).len() == 2).await;
    let (address, card) = cards(&gateway.kept.lock()).remove(0);
    // Known by its card: it is not polled any more.
    let now = gateway.kept.lock().plan.clone();
    gateway.kept.lock().plan = AgentPlan { revision: 2, exclude: vec![card], ..now };
    gateway.until("the new plan is followed", |kept| kept.followed == 2).await;
    let before = gateway.kept.lock().messages.len();
    let lone = |message: &wire::Message| matches!(&message.body, Body::Seen(seen) if seen.answered.len() == 1);
    let both = |message: &wire::Message| matches!(&message.body, Body::Seen(seen) if seen.answered.len() == 2);
    gateway
        .until("signs of life of the other one alone", |kept| {
            kept.messages[before..].iter().filter(|(_, m)| lone(m)).count() >= 2
        })
        .await;
    assert!(!gateway.kept.lock().messages[before..].iter().skip(3).any(|(_, m)| both(m)));
    agent.stop().await;
    // Met for the first time by an agent with this plan: it is not taken in.
    let plan = gateway.kept.lock().plan.clone();
    let fresh = Gateway::start(plan).await;
    let agent = fresh.agent().await;
    fresh.until("a discovery has ended", |kept| !discoveries(kept).is_empty()).await;
    agent.stop().await;
    let kept = fresh.kept.lock();
    let met: Vec<_> = cards(&kept).into_iter().map(|(address, _)| address).collect();
    assert!(met.len() == 1 && !met.contains(&address), "{met:?}");
}

#[tokio::test]
async fn discovery_keeps_its_hours_and_comes_at_once_when_a_person_asks() {
    let base = [127, 43, 6, 1];
    let fleet = fleet(base, 1).await;
    let days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let today = (now_ms() / 86_400_000 + 3) % 7;
    let closed = days[usize::try_from((today + 3) % 7).unwrap()].to_owned();
    let ranges = vec![format!("127.43.6.1:{}", fleet.snmp_port())];
    let gateway = Gateway::start(AgentPlan { ranges, hours: vec![closed], ..plan() }).await;
    let agent = gateway.agent().await;
    let opens = |kept: &Kept| {
        let opens = |message: &wire::Message| match &message.body {
            Body::Agent(agent) => agent.discovery_next_ms > now_ms() + 86_400_000,
            _ => false,
        };
        kept.messages.iter().any(|(_, message)| opens(message))
    };
    gateway.until("it tells when its hours open", opens).await;
    assert_eq!(fleet.traffic().0, 0, "nobody is asked out of hours");
    let now = gateway.kept.lock().plan.clone();
    gateway.kept.lock().plan = AgentPlan { revision: 2, asked: 1, ..now };
    gateway.until("the device is reported", |kept| subjects(kept).len() == 1).await;
    gateway.until("the discovery has ended", |kept| discoveries(kept).len() == 1).await;
    let agent = agent.restart().await;
    gateway
        .until("the agent is back", |kept| {
            kept.messages.iter().filter(|(_, m)| matches!(m.body, Body::Agent(_))).count() > 1
        })
        .await;
    agent.stop().await;
    assert_eq!(discoveries(&gateway.kept.lock()).len(), 1, "a wish is granted once");
}

#[tokio::test]
async fn an_agent_killed_in_discovery_goes_on_where_it_was() {
    // The device stands in the last of three parts.
    let base = [127, 44, 130, 1];
    let fleet = fleet(base, 1).await;
    let plan = AgentPlan {
        ranges: vec![format!("127.44.0.1-127.44.130.9:{}", fleet.snmp_port())],
        discovery_pps: 10_000,
        ..plan()
    };
    let gateway = Gateway::start(AgentPlan { ranges: Vec::new(), ..plan.clone() }).await;
    let data = gateway.agent().await.stop().await;
    gateway.kept.lock().plan = AgentPlan { revision: 2, ..plan };
    killed_at(data.path(), Told { probed: 16_385, ..Told::NEVER }).await;
    assert_eq!(subjects(&gateway.kept.lock()).len(), 0, "it was killed before the device was met");
    let agent = Agent::start(data, None, None).await.unwrap();
    gateway.until("it goes on", |_| agent.stats().view().probed >= 16_384).await;
    let view = agent.stats().view();
    gateway.until("the device is reported", |kept| subjects(kept).len() == 1).await;
    println!("after kill -9 it went on at {} of {} addresses", view.probed, view.to_probe);
    gateway.until("the discovery has ended", |kept| discoveries(kept).len() == 1).await;
    agent.stop().await;
    let told = discoveries(&gateway.kept.lock()).remove(0);
    assert_eq!((told.addresses, told.printers), (33_289, 1), "each address is counted once: {told:?}");
}
