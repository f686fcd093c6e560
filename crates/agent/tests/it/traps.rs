//! The trap door: net-snmp and virtual devices call, and what they tell is on its way to the server.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Instant;

use tokio::process::Command;
use vmfp::{Devices, Fault, Fleet, FleetConfig, Mood, TrapForm, TrapTarget};
use wire::plan::SnmpCredential;
use wire::traps::{TrapBody, TrapSender};
use wire::{AgentPlan, Alert, Body, SnmpVersion, Subject};

use crate::gateway::{Agent, Gateway, Kept, of_kind, subjects};

const ALERT: &str = "1.3.6.1.2.1.43.18.2.0.1";
const COLUMNS: &str = "1.3.6.1.2.1.43.18.1.1";

fn program(name: &str) -> Option<String> {
    let path = format!("/usr/bin/{name}");
    if Path::new(&path).exists() {
        return Some(path);
    }
    println!("skipped: {name} not found (apt install snmp)");
    None
}

/// One device that stands still, known to an agent with a door.
struct Scene {
    fleet: Fleet,
    gateway: Gateway,
    agent: Agent,
    device: Ipv4Addr,
}

impl Scene {
    async fn set(third: u8, status_s: u32) -> Self {
        let device = Ipv4Addr::new(127, 43, third, 1);
        let devices = Devices::Profile { name: "sharp-colour-a3".into(), count: 1, base: device };
        let config = FleetConfig { devices, mood: Mood::Calm, speed: 0.0, ..FleetConfig::default() };
        let fleet = vmfp::start(FleetConfig { snmp_port: 0, http_port: 0, ipp_port: 0, ..config }).await.unwrap();
        let ann = SnmpCredential::Usm {
            user: "ann".to_owned(),
            auth: Some("sha256".to_owned()),
            auth_pass: Some("auth-secret".to_owned()),
            privacy: Some("aes128".to_owned()),
            privacy_pass: Some("priv-secret".to_owned()),
        };
        let plan = AgentPlan {
            revision: 1,
            ranges: vec![format!("{device}:{}", fleet.snmp_port())],
            credentials: vec![SnmpCredential::community("public"), ann],
            status_s,
            discovery_pps: 2_000,
            ..AgentPlan::default()
        };
        let gateway = Gateway::start(plan).await;
        let agent = gateway.agent_with_door().await;
        gateway.until("the device is reported", |kept| subjects(kept).len() == 1).await;
        Self { fleet, gateway, agent, device }
    }

    fn door(&self) -> SocketAddr {
        self.agent.running.traps.unwrap()
    }

    /// Runs a command of net-snmp as if it stood on the device.
    async fn send(&self, program: &str, from: IpAddr, words: &str) -> String {
        let output = Command::new(program)
            .args(["-m", "", "-r", "3", "-t", "20"])
            .arg(format!("--clientaddr={from}"))
            .args(words.split_whitespace())
            .env("SNMP_PERSISTENT_DIR", self.agent.data.path().join("net-snmp"))
            .output()
            .await
            .unwrap();
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        said.lines().filter(|line| !line.starts_with("Created directory")).collect()
    }

    async fn until_told(&self, what: &str, enough: impl Fn(&TrapBody, &Alert) -> bool) {
        self.gateway
            .until(what, |kept| told(kept).iter().any(|(_, body)| body.alerts.iter().any(|a| enough(body, a))))
            .await;
    }
}

fn told(kept: &Kept) -> Vec<(Subject, TrapBody)> {
    let body = |message: &wire::Message| match &message.body {
        Body::Trap(body) => Some((message.subject?, body.clone())),
        _ => None,
    };
    kept.messages.iter().filter_map(|(_, message)| body(message)).collect()
}

fn strangers(kept: &Kept) -> Vec<TrapSender> {
    let body = |message: &wire::Message| match &message.body {
        Body::Senders(body) => body.senders.clone(),
        _ => Vec::new(),
    };
    kept.messages.iter().flat_map(|(_, message)| body(message)).collect()
}

/// A paper jam in this place of the paper path.
fn jam(place: u32) -> String {
    let cell = |column: u32, value: u32| format!("{COLUMNS}.{column}.1.7 i {value}");
    [cell(1, 7), cell(2, 3), cell(4, 13), cell(5, place), cell(6, 1), cell(7, 8)].join(" ")
}

#[tokio::test(flavor = "multi_thread")]
async fn alert_lifecycle_net_snmp_calls_in_every_version() {
    let (Some(trap), Some(inform)) = (program("snmptrap"), program("snmpinform")) else { return };
    let scene = Scene::set(1, 3_600).await;
    let (door, device, from) = (scene.door(), scene.device, IpAddr::from(scene.device));
    let ann = "-v3 -u ann -l authPriv -a SHA-256 -A auth-secret -x AES -X priv-secret";
    for (place, version, program, head) in [
        (1, SnmpVersion::V1, &trap, format!("-v1 -c t {door} 1.3.6.1.2.1.43.18.2 {device} 6 1 4711")),
        (2, SnmpVersion::V2c, &trap, format!("-v2c -c t {door} 4711 {ALERT}")),
        (3, SnmpVersion::V2c, &inform, format!("-v2c -c t {door} 4711 {ALERT}")),
        (4, SnmpVersion::V3, &trap, format!("{ann} -e 0x8000000001020304 {door} 4711 {ALERT}")),
        (5, SnmpVersion::V3, &inform, format!("{ann} {door} 4711 {ALERT}")),
    ] {
        // An inform that nobody acknowledges ends with a message.
        assert_eq!(scene.send(program, from, &format!("{head} {}", jam(place))).await, "", "{head}");
        let part = format!("1.{place}");
        scene
            .until_told(&head, |body, alert| {
                (body.snmp, alert.reason.as_str(), alert.part.as_deref()) == (version, "media-jam", Some(&part))
            })
            .await;
    }
    let view = scene.agent.stats().view();
    assert_eq!((view.traps_known, view.traps_shed, view.traps_refused), (5, 0, 0), "{view:?}");
    // Each trap has the device read, and the reading is told though nothing changed: it ends what is not so.
    let statuses = of_kind(&scene.gateway.kept.lock(), 4);
    scene.gateway.until("the reading that settles it", |kept| of_kind(kept, 4) > statuses.max(1)).await;
    scene.agent.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_with_a_wrong_pass_phrase_is_not_believed() {
    let Some(trap) = program("snmptrap") else { return };
    let scene = Scene::set(2, 3_600).await;
    let from = IpAddr::from(scene.device);
    let wrong = "-v3 -u ann -l authPriv -a SHA-256 -A another-secret -x AES -X priv-secret -e 0x8000000001020304";
    let weak = "-v3 -u ann -l noAuthNoPriv -e 0x8000000001020304";
    for head in [wrong, weak] {
        scene.send(&trap, from, &format!("{head} {} 4711 {ALERT} {}", scene.door(), jam(1))).await;
    }
    // What comes after them is taken, so they have been judged.
    scene.send(&trap, from, &format!("-v2c -c t {} 4711 {ALERT} {}", scene.door(), jam(2))).await;
    scene.until_told("the honest one", |_, alert| alert.part.as_deref() == Some("1.2")).await;
    let view = scene.agent.stats().view();
    assert_eq!((view.traps_refused, view.traps_known), (2, 1), "{view:?}");
    assert!(told(&scene.gateway.kept.lock()).iter().all(|(_, body)| body.snmp == SnmpVersion::V2c));
    scene.agent.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn senders_that_are_no_known_devices_are_listed_and_not_trusted() {
    let Some(trap) = program("snmptrap") else { return };
    let scene = Scene::set(3, 3_600).await;
    let stranger = IpAddr::from([127, 43, 3, 77]);
    for place in 1..=3 {
        let head = format!("-v2c -c s3cret {} 4711 {ALERT}", scene.door());
        assert_eq!(scene.send(&trap, stranger, &format!("{head} {}", jam(place))).await, "");
    }
    // This one claims to speak for a device that is known: the device is read, its word is not taken.
    let head = format!("-v1 -c s3cret {} 1.3.6.1.2.1.43.18.2 {} 6 1 4711", scene.door(), scene.device);
    scene.send(&trap, stranger, &format!("{head} {}", jam(4))).await;
    let statuses = of_kind(&scene.gateway.kept.lock(), 4);
    scene.gateway.until("the reading", |kept| of_kind(kept, 4) > statuses.min(1)).await;
    // The rest is told when the agent says good-bye, at the latest, and delivered by its next life if need be.
    let agent = scene.agent.restart().await;
    let count = |kept: &Kept| strangers(kept).iter().map(|sender| sender.count).sum::<u64>();
    scene.gateway.until("all four are listed", |kept| count(kept) >= 4).await;
    agent.stop().await;
    let kept = scene.gateway.kept.lock();
    let listed = strangers(&kept);
    assert!(listed.iter().all(|sender| sender.address == "127.43.3.77"), "{listed:?}");
    assert_eq!(count(&kept), 4);
    assert_eq!(listed.last().unwrap().speaks_for.as_deref(), Some("127.43.3.1"));
    assert!(told(&kept).is_empty(), "no word of a stranger is an alert");
    assert!(!format!("{listed:?}").contains("s3cret"));
}

#[tokio::test(flavor = "multi_thread")]
async fn alert_lifecycle_a_storm_is_told_by_its_first_and_its_last() {
    let scene = Scene::set(4, 3_600).await;
    scene.fleet.send_traps(TrapTarget::new(scene.door()));
    let began = Instant::now();
    scene.fleet.fault(scene.device, Fault::TrapStorm { flips: 600, per_second: 300 }).unwrap();
    let stats = &scene.agent.running.stats;
    // The last of a window is told when the window ends.
    let shed = |kept: &Kept| told(kept).iter().map(|(_, body)| body.shed).sum::<u64>();
    scene.gateway.until("the last ones", |kept| shed(kept) >= 100).await;
    let (view, sent) = (stats.view(), scene.fleet.traps_sent());
    let told: Vec<TrapBody> = told(&scene.gateway.kept.lock()).into_iter().map(|(_, body)| body).collect();
    let shed: u64 = told.iter().map(|body| body.shed).sum();
    println!("{sent} sent, {} received, {} told, {shed} shed, {} readings", view.traps, told.len(), view.trap_reads);
    // A first and a last a window of 5 s; a storm on a machine that stalls takes more of them.
    let most = 4 + 2 * (began.elapsed().as_secs() / 5 + 1);
    assert!(told.len() as u64 <= most && view.trap_reads <= most, "{told:?} {view:?}");
    assert_eq!(told[0].alerts[0].reason, told.last().unwrap().alerts[0].reason);
    scene.agent.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn alert_lifecycle_a_device_that_calls_is_told_at_once() {
    let scene = Scene::set(5, 3_600).await;
    scene.fleet.send_traps(TrapTarget { form: TrapForm::Inform, ..TrapTarget::new(scene.door()) });
    let began = Instant::now();
    scene.fleet.fault(scene.device, Fault::TrapStorm { flips: 1, per_second: 1 }).unwrap();
    scene.until_told("the open cover", |_, alert| alert.group.as_deref() == Some("cover")).await;
    println!("told {} ms after it happened", began.elapsed().as_millis());
    scene
        .gateway
        .until("the reading that confirms it", |kept| {
            let covers = |message: &wire::Message| match &message.body {
                Body::Status(body) => body.alerts.iter().any(|alert| alert.group.as_deref() == Some("cover")),
                _ => false,
            };
            kept.messages.iter().any(|(_, message)| covers(message))
        })
        .await;
    let (called, read) = {
        let kept = scene.gateway.kept.lock();
        let read = kept.messages.iter().rev().find_map(|(_, message)| match &message.body {
            Body::Status(body) => body.alerts.iter().find(|alert| alert.group.as_deref() == Some("cover")).cloned(),
            _ => None,
        });
        (told(&kept)[0].1.alerts[0].clone(), read.unwrap())
    };
    let key =
        |alert: &Alert| (alert.group.clone(), alert.part.clone(), alert.reason.clone(), alert.code, alert.severity);
    assert_eq!(key(&called), key(&read), "trap and poll speak of one alert");
    scene.agent.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn alert_lifecycle_a_missed_trap_is_found_by_the_poll() {
    let scene = Scene::set(6, 1).await;
    scene.fleet.send_traps(TrapTarget::new(scene.door()));
    scene.fleet.fault(scene.device, Fault::TrapsLost(1.0)).unwrap();
    scene.fleet.fault(scene.device, Fault::TrapStorm { flips: 1, per_second: 1 }).unwrap();
    scene
        .gateway
        .until("the poll that finds it", |kept| {
            let covers = |message: &wire::Message| match &message.body {
                Body::Status(body) => body.alerts.iter().any(|alert| alert.group.as_deref() == Some("cover")),
                _ => false,
            };
            kept.messages.iter().any(|(_, message)| covers(message))
        })
        .await;
    assert_eq!(scene.agent.stats().view().traps, 0);
    assert!(told(&scene.gateway.kept.lock()).is_empty());
    scene.agent.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_the_plan_excludes_is_not_heard_either() {
    let Some(trap) = program("snmptrap") else { return };
    let scene = Scene::set(7, 3_600).await;
    let from = IpAddr::from(scene.device);
    let plan = scene.gateway.kept.lock().plan.clone();
    scene.gateway.kept.lock().plan = AgentPlan { revision: 2, exclude: vec![scene.device.to_string()], ..plan };
    // Any report brings the plan; the one about a stranger does.
    let stranger = IpAddr::from([127, 43, 7, 77]);
    let head = format!("-v2c -c t {} 4711 {ALERT}", scene.door());
    scene.send(&trap, stranger, &format!("{head} {}", jam(1))).await;
    scene.gateway.until("the new plan is followed", |kept| kept.followed == 2).await;
    scene.send(&trap, from, &format!("{head} {}", jam(2))).await;
    let stats = scene.agent.running.stats.clone();
    scene.gateway.until("the door has judged it", |_| stats.view().traps_known == 1).await;
    scene.agent.stop().await;
    assert_eq!((stats.view().traps_known, stats.view().trap_reads), (1, 0), "{:?}", stats.view());
    assert!(told(&scene.gateway.kept.lock()).is_empty());
}
