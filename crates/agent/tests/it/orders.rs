//! Orders that ride on the answers to reports: executed once whatever happens, refused when not genuine, not ours or too late.

use std::{
    io::Write as _,
    net::Ipv4Addr,
    sync::atomic::{AtomicU8, Ordering::Relaxed},
};

use agent::{AgentConfig, LogTail};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use vmfp::{Devices, Fault, Fleet, FleetConfig};
use wire::{
    AgentPlan, Subject, cbor,
    command::{Ack, Command, Order, Taken, What},
    hello::GatewayKey,
    monitor::Kind,
    schedule::{Schedule, Slot},
};

use crate::gateway::{AGENT, Agent, Gateway, Kept, now_ms, of_kind, subjects};

/// Signs as the gateway does.
struct Signer {
    pair: Ed25519KeyPair,
    next: AtomicU8,
}

impl Signer {
    fn new(seed: u8) -> Self {
        Self { pair: Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap(), next: AtomicU8::new(1) }
    }

    fn key(&self, id: u32) -> GatewayKey {
        GatewayKey { id, verify: self.pair.public_key().as_ref().to_vec(), seal: vec![4; 65] }
    }

    fn order(&self, subject: Option<Subject>, what: What) -> Order {
        let id = Subject([self.next.fetch_add(1, Relaxed); 16]);
        let issued_ms = now_ms();
        Order { id, target: AGENT, issued_ms, expires_ms: issued_ms + 3_600_000, subject, what }
    }

    fn sign(&self, order: &Order) -> Command {
        let order = cbor::encode(order);
        let signature = self.pair.sign(&Command::signing_input(&order)).as_ref().to_vec();
        Command { order, key: 1, signature }
    }

    /// Hands an order to the gateway; its name.
    fn give(&self, gateway: &Gateway, subject: Option<Subject>, what: What) -> Subject {
        let order = self.order(subject, what);
        gateway.kept.lock().orders.push(self.sign(&order));
        order.id
    }
}

async fn fleet(base: [u8; 4], count: u32) -> Fleet {
    let devices = Devices::Fleet { count, base: Ipv4Addr::from(base) };
    let config =
        FleetConfig { devices, snmp_port: 0, http_port: 0, ipp_port: 0, seed: 7, speed: 0.0, ..FleetConfig::default() };
    vmfp::start(config).await.unwrap()
}

/// Looks at devices in full so seldom that only an order makes it tell what it told before.
fn plan(base: [u8; 4], count: u8, port: u16) -> AgentPlan {
    let [a, b, c, first] = base;
    AgentPlan {
        revision: 1,
        ranges: vec![format!("{a}.{b}.{c}.{first}-{a}.{b}.{c}.{}:{port}", first + count - 1)],
        status_s: 2,
        meters_s: 86_400,
        full_s: 86_400,
        discovery_s: 86_400,
        discovery_pps: 2_000,
        ..AgentPlan::default()
    }
}

fn answer(kept: &Kept, id: Subject) -> Option<Ack> {
    kept.acks.iter().rev().find(|ack| ack.id == id).cloned()
}

/// What came of an order.
async fn ended(gateway: &Gateway, id: Subject) -> Ack {
    gateway.until("the order is answered", |kept| answer(kept, id).is_some()).await;
    answer(&gateway.kept.lock(), id).unwrap()
}

/// A gateway that signs, an agent that knows its key, and two devices that the agent has read.
async fn site(base: [u8; 4]) -> (Fleet, Gateway, Agent, Signer) {
    let fleet = fleet(base, 2).await;
    let gateway = Gateway::start(plan(base, 2, fleet.snmp_port())).await;
    let signer = Signer::new(1);
    gateway.kept.lock().keys = vec![signer.key(1)];
    let agent = gateway.agent().await;
    gateway.until("both devices are reported", |kept| subjects(kept).len() == 2).await;
    gateway.until("the agent says which key it knows", |kept| kept.gateway_key == 1).await;
    (fleet, gateway, agent, signer)
}

fn first_subject(gateway: &Gateway) -> Subject {
    *subjects(&gateway.kept.lock()).first().unwrap()
}

/// Status messages about a device.
fn statuses(kept: &Kept, subject: Subject) -> usize {
    kept.messages.iter().filter(|(_, m)| m.subject == Some(subject) && m.body.kind() == 4).count()
}

#[tokio::test]
async fn an_order_to_report_reads_the_device_and_tells_it_though_nothing_is_new() {
    let (_fleet, gateway, agent, signer) = site([127, 44, 1, 1]).await;
    let device = first_subject(&gateway);
    let counted = |kept: &Kept| (statuses(kept, device), of_kind(kept, 5));
    let before = counted(&gateway.kept.lock());
    let id = signer.give(&gateway, Some(device), What::ReportNow(Vec::new()));
    let ack = ended(&gateway, id).await;
    assert_eq!(ack.taken, Taken::Done, "{ack:?}");
    gateway.until("its condition is told", |kept| statuses(kept, device) == before.0 + 1).await;
    gateway.until("its counters are told", |kept| of_kind(kept, 5) > before.1).await;
    agent.stop().await;
}

#[tokio::test]
async fn an_order_is_executed_once_over_a_restart_though_it_is_given_again() {
    let (_fleet, gateway, agent, signer) = site([127, 44, 2, 1]).await;
    let device = first_subject(&gateway);
    let before = statuses(&gateway.kept.lock(), device);
    // The server never takes the answer, so that it gives the order again and again.
    gateway.kept.lock().deaf = true;
    let id = signer.give(&gateway, Some(device), What::ReportNow(Vec::new()));
    gateway.until("it was done", |kept| statuses(kept, device) == before + 1).await;
    let given = gateway.kept.lock().given;
    gateway.until("it is given again", |kept| kept.given > given).await;
    let agent = agent.restart().await;
    let given = gateway.kept.lock().given;
    gateway.until("and after the restart", |kept| kept.given > given).await;
    gateway.kept.lock().deaf = false;
    let ack = ended(&gateway, id).await;
    assert!(matches!(ack.taken, Taken::Done | Taken::Failed), "{ack:?}");
    assert_eq!(statuses(&gateway.kept.lock(), device), before + 1, "done once");
    agent.stop().await;
}

#[tokio::test]
async fn orders_that_are_over_forged_or_for_another_are_refused_and_change_nothing() {
    let (_fleet, gateway, agent, signer) = site([127, 44, 3, 1]).await;
    let device = first_subject(&gateway);
    let before = statuses(&gateway.kept.lock(), device);
    let order = |change: &dyn Fn(&mut Order)| {
        let mut order = signer.order(Some(device), What::ReportNow(Vec::new()));
        change(&mut order);
        order
    };
    let over = order(&|order| (order.issued_ms, order.expires_ms) = (now_ms() - 7_200_000, now_ms() - 3_600_000));
    let of_another = order(&|order| order.target = Subject([9; 16]));
    let forged = order(&|_| {});
    let changed = order(&|_| {});
    let mut tampered = signer.sign(&changed);
    tampered.order = cbor::encode(&Order { subject: Some(Subject([3; 16])), ..changed.clone() });
    let commands = [signer.sign(&over), signer.sign(&of_another), Signer::new(2).sign(&forged), tampered];
    gateway.kept.lock().orders.extend(commands);
    for (order, why) in
        [(&over, "time is over"), (&of_another, "somebody else"), (&forged, "not genuine"), (&changed, "not genuine")]
    {
        let ack = ended(&gateway, order.id).await;
        assert_eq!(ack.taken, Taken::Refused);
        assert!(ack.detail.as_deref().is_some_and(|detail| detail.contains(why)), "{ack:?}");
    }
    // The genuine order of a name that a forgery used before is still executed.
    gateway.kept.lock().orders.clear();
    gateway.kept.lock().acks.clear();
    gateway.kept.lock().orders.push(signer.sign(&forged));
    assert_eq!(ended(&gateway, forged.id).await.taken, Taken::Done);
    gateway.until("it is told", |kept| statuses(kept, device) == before + 1).await;
    agent.stop().await;
}

#[tokio::test]
async fn an_order_that_cannot_be_done_says_why() {
    let (fleet, gateway, agent, signer) = site([127, 44, 4, 1]).await;
    let device = first_subject(&gateway);
    let unknown = ended(&gateway, signer.give(&gateway, Some(Subject([8; 16])), What::ReportNow(Vec::new()))).await;
    assert_eq!(unknown.taken, Taken::Failed);
    let log = ended(&gateway, signer.give(&gateway, Some(device), What::SendLog)).await;
    assert_eq!((log.taken, log.detail.is_some_and(|why| why.contains("SNMP"))), (Taken::Refused, true));
    let own = ended(&gateway, signer.give(&gateway, None, What::SendLog)).await;
    assert_eq!(own.taken, Taken::Refused, "nobody keeps its log");
    for last in 1..=2 {
        fleet.fault(Ipv4Addr::new(127, 44, 4, last), Fault::Silent).unwrap();
    }
    let silent = ended(&gateway, signer.give(&gateway, Some(device), What::ReportNow(Vec::new()))).await;
    assert_eq!(silent.taken, Taken::Failed);
    assert!(silent.detail.as_deref().is_some_and(|why| why.starts_with("it does not answer")), "{silent:?}");
    agent.stop().await;
}

#[tokio::test]
async fn an_agent_reads_all_looks_for_devices_and_sends_its_log_when_it_is_ordered() {
    let base = [127, 44, 5, 1];
    let fleet = fleet(base, 3).await;
    let gateway = Gateway::start(plan(base, 2, fleet.snmp_port())).await;
    let signer = Signer::new(1);
    gateway.kept.lock().keys = vec![signer.key(1)];
    let data = tempfile::tempdir().unwrap();
    let mut log = LogTail::default();
    writeln!(log, "a line of the log").unwrap();
    let config = AgentConfig {
        data: data.path().to_owned(),
        server: Some(gateway.url()),
        enrol: Some(gateway.token()),
        log: Some(log),
        ..AgentConfig::default()
    };
    let agent = Agent::begin(data, config).await.unwrap();
    gateway.until("both devices are reported", |kept| subjects(kept).len() == 2).await;
    gateway.until("its discovery has ended", |kept| of_kind(kept, 68) == 1).await;
    gateway.until("the agent says which key it knows", |kept| kept.gateway_key == 1).await;
    let statuses_before = of_kind(&gateway.kept.lock(), 4);
    let all = ended(&gateway, signer.give(&gateway, None, What::ReportNow(Vec::new()))).await;
    assert_eq!((all.taken, all.detail.as_deref()), (Taken::Done, Some("2 of 2 devices were read")));
    gateway.until("both are told again", |kept| of_kind(kept, 4) == statuses_before + 2).await;
    let sent = ended(&gateway, signer.give(&gateway, None, What::SendLog)).await;
    assert_eq!(sent.taken, Taken::Done, "{sent:?}");
    assert_eq!(gateway.kept.lock().logs, [b"a line of the log\n".to_vec()]);
    let sweep = ended(&gateway, signer.give(&gateway, None, What::Discover)).await;
    assert_eq!(sweep.taken, Taken::Done);
    gateway.until("another discovery has ended", |kept| of_kind(kept, 68) == 2).await;
    agent.stop().await;
}

#[tokio::test]
async fn periods_of_a_device_and_new_keys_are_kept_over_a_restart() {
    let (_fleet, gateway, agent, signer) = site([127, 44, 6, 1]).await;
    let device = first_subject(&gateway);
    let slot = Slot { kind: Kind::Status, period_s: 300, start_s: 0 };
    let schedule = |revision, slots| What::Schedule(Schedule { revision, slots });
    let set = ended(&gateway, signer.give(&gateway, Some(device), schedule(2, vec![slot]))).await;
    assert_eq!((set.taken, set.detail.as_deref()), (Taken::Done, Some("status every 300 s, meters as planned")));
    let older = ended(&gateway, signer.give(&gateway, Some(device), schedule(1, Vec::new()))).await;
    assert!(older.detail.is_some_and(|detail| detail.contains("later schedule")));
    let next = Signer::new(3);
    let taught = ended(&gateway, signer.give(&gateway, None, What::Keys(vec![next.key(2)]))).await;
    assert_eq!(taught.taken, Taken::Done);
    gateway.until("it says so", |kept| kept.gateway_key == 2).await;
    let agent = agent.restart().await;
    let by_the_old = ended(&gateway, signer.give(&gateway, Some(device), What::ReportNow(Vec::new()))).await;
    assert_eq!(by_the_old.taken, Taken::Refused, "only the new key counts");
    let older = next.order(Some(device), schedule(1, Vec::new()));
    let older = Order { id: Subject([200; 16]), ..older };
    gateway.kept.lock().orders.push(Command { key: 2, ..next.sign(&older) });
    assert!(ended(&gateway, older.id).await.detail.is_some_and(|detail| detail.contains("later schedule")));
    agent.stop().await;
}
