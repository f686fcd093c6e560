//! Orders by whichever way a device has, on both engines: to one that an agent reads, to an agent, to many on all roads.

use std::time::Duration;

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use wire::command::{Ack, Acks, Command, Order, Taken, What};
use wire::hello::{GatewayKey, Road};
use wire::monitor::Kind as Told;
use wire::report::AgentBody;
use wire::{Body, Reply, Subject};

use super::*;
use crate::devices::{self, DeviceId};
use crate::monitors;
use crate::reports::testing::{Site, monitor, status, subject};
use crate::tasks::{self, NewTask, ShareQuery, ShareState, TaskState};
use crate::{AgentId, Ctx, Filter, Kind, agents, audit};

const DAY: i64 = 86_400_000;

fn now() -> Wish {
    Wish::ReportNow { kinds: Vec::new() }
}

/// The agent speaks of itself and knows a key of that number; what it is answered.
async fn beat(site: &mut Site, gateway_key: u32) -> Reply {
    let body = AgentBody { gateway_key, ..AgentBody::default() };
    let messages = site.messages(vec![(None, Body::Agent(body))]);
    site.deliver_as(site.agent, 1, messages).await.unwrap()
}

async fn as_agent(site: &Site) -> Ctx {
    agents::key_of(&site.test.platform, site.agent).await.unwrap().unwrap().1
}

/// A device that the agent reads, and the agent knows the gateway's key.
async fn read_device(site: &mut Site, serial: &str) -> (DeviceId, Vec<GatewayKey>) {
    let keys = beat(site, 0).await.keys;
    assert!(beat(site, keys[0].id).await.keys.is_empty(), "told once it is known");
    site.status(7, status(serial, |_| {})).await;
    let person = site.person().await;
    let found = devices::list(&person, &devices::DeviceQuery::default()).await.unwrap().items;
    (found.iter().find(|device| device.serial.as_deref() == Some(serial)).unwrap().id, keys)
}

fn opened(command: &Command, me: Subject, keys: &[GatewayKey], now_ms: i64) -> Order {
    let verify = |key: &[u8], message: &[u8], signature: &[u8]| {
        UnparsedPublicKey::new(&ED25519, key).verify(message, signature).is_ok()
    };
    command.open(me, keys, now_ms, verify).unwrap()
}

async fn answer(site: &Site, id: Subject, taken: Taken, detail: &str) {
    let acks = vec![Ack { id, taken, detail: Some(detail.to_owned()) }];
    acknowledge(&as_agent(site).await, &Acks { acks }).await.unwrap();
}

#[tokio::test]
async fn an_order_to_a_device_that_an_agent_reads_rides_on_the_answer_to_its_agent() {
    for mut site in Site::each().await {
        let (device, keys) = read_device(&mut site, "R1").await;
        let person = site.person().await;
        let id = order_device(&person, device, &now(), DAY).await.unwrap();
        let seen = of_device(&person, device).await.unwrap();
        assert_eq!((seen.way.map(Way::word), seen.hindered), (Some("agent"), None));
        assert_eq!((seen.orders[0].state, seen.orders[0].given_by.is_empty()), (CommandState::Queued, false));
        let reply = beat(&mut site, keys[0].id).await;
        let order = opened(&reply.commands[0], site.agent, &keys, reply.server_ms);
        assert_eq!((order.subject, order.what), (Some(subject(7)), What::ReportNow(Vec::new())));
        assert_eq!(order.id.0, id.0.into_bytes());
        assert_eq!(of_device(&person, device).await.unwrap().orders[0].state, CommandState::Taken);
        assert_eq!(beat(&mut site, keys[0].id).await.commands.len(), 1, "given until it is answered");
        answer(&site, order.id, Taken::Done, "read in 0.3 s").await;
        let row = of_device(&person, device).await.unwrap().orders.remove(0);
        assert_eq!((row.state, row.detail.as_deref()), (CommandState::Done, Some("read in 0.3 s")));
        assert!(beat(&mut site, keys[0].id).await.commands.is_empty());
        answer(&site, order.id, Taken::Failed, "again").await;
        assert_eq!(of_device(&person, device).await.unwrap().orders[0].state, CommandState::Done, "it ends once");
        assert!(of_agent(&person, AgentId::from(site.agent)).await.unwrap().is_empty(), "it was not about the agent");
        let entries = audit::list(&person, &audit::AuditQuery::default()).await.unwrap().items;
        assert!(entries.iter().any(|entry| entry.verb == "ordered" && entry.object_id == device.to_string()));
    }
}

#[tokio::test]
async fn what_a_device_read_by_snmp_cannot_do_is_refused_at_once_and_in_the_dry_run() {
    for mut site in Site::each().await {
        let (device, _) = read_device(&mut site, "R1").await;
        let person = site.person().await;
        let refused = order_device(&person, device, &Wish::SendLog, DAY).await.unwrap_err();
        assert_eq!(refused.kind, Kind::Conflict);
        assert!(refused.message.contains("SNMP"), "{}", refused.message);
        let seen = tasks::preview(&person, &Wish::SendLog, None).await.unwrap();
        assert_eq!((seen.devices, seen.left_out()), (0, 1));
        assert!(seen.refused[0].0.contains("debug log"), "{:?}", seen.refused);
        assert!(of_device(&person, device).await.unwrap().orders.is_empty());
        let reader = site.test.account(&person, person.home, "reader@example.org", crate::Role::User).await;
        assert_eq!(order_device(&reader, device, &now(), DAY).await.unwrap_err().kind, Kind::Forbidden);
        let (_, other) = site.test.customer(&person, "Other").await;
        assert_eq!(order_device(&other, device, &now(), DAY).await.unwrap_err().kind, Kind::NotFound);
        assert_eq!(of_device(&other, device).await.unwrap_err().kind, Kind::NotFound);
    }
}

#[tokio::test]
async fn periods_of_one_device_are_bounded_told_by_order_and_the_last_word_stands() {
    for mut site in Site::each().await {
        let (device, keys) = read_device(&mut site, "R1").await;
        let person = site.person().await;
        let set = |kind, period_s| Wish::SetPeriod { kind, period_s };
        assert_eq!(
            order_device(&person, device, &set(Told::Status, Some(59)), DAY).await.unwrap_err().kind,
            Kind::Invalid
        );
        assert_eq!(
            order_device(&person, device, &set(Told::Rom, Some(90)), DAY).await.unwrap_err().kind,
            Kind::Conflict
        );
        order_device(&person, device, &set(Told::Status, Some(300)), DAY).await.unwrap();
        order_device(&person, device, &set(Told::Billing, Some(900)), DAY).await.unwrap();
        let commands = beat(&mut site, keys[0].id).await.commands;
        assert_eq!(commands.len(), 1, "the older schedule is void");
        let ms = person.now.as_millis();
        let What::Schedule(schedule) = opened(&commands[0], site.agent, &keys, ms).what else { panic!("a schedule") };
        let periods: Vec<_> = schedule.slots.iter().map(|slot| (slot.kind, slot.period_s)).collect();
        assert_eq!((schedule.revision, periods), (2, vec![(Told::Status, 300), (Told::Billing, 900)]));
        let periods = of_device(&person, device).await.unwrap().periods;
        assert_eq!((periods.status_s, periods.meters_s), (Some(300), Some(900)));
    }
}

#[tokio::test]
async fn orders_of_an_agent_that_stays_away_end_by_time_and_can_be_taken_back() {
    for mut site in Site::each().await {
        let (device, _) = read_device(&mut site, "R1").await;
        site.wait(600);
        agents::run(&site.test.platform).await.unwrap();
        let person = site.person().await;
        let one = order_device(&person, device, &now(), 60_000).await.unwrap();
        let two = order_device(&person, device, &now(), DAY).await.unwrap();
        assert!(of_device(&person, device).await.unwrap().away, "it is said at once that they wait");
        cancel_of_device(&person, device, two).await.unwrap();
        assert_eq!(cancel_of_device(&person, device, two).await.unwrap_err().kind, Kind::Conflict);
        site.wait(61);
        assert_eq!(expire(&site.test.platform).await.unwrap(), 1);
        let person = site.person().await;
        let rows = of_device(&person, device).await.unwrap().orders;
        let state = |id| rows.iter().find(|row| row.id == id).unwrap().state;
        assert_eq!((state(one), state(two)), (CommandState::Expired, CommandState::Cancelled));
        let knows = monitors::public_keys(&site.test.platform).await.unwrap()[0].id;
        assert!(beat(&mut site, knows).await.commands.is_empty());
    }
}

#[tokio::test]
async fn an_agent_is_ordered_for_itself_and_only_what_it_can_do() {
    for mut site in Site::each().await {
        let person = site.person().await;
        let agent = AgentId::from(site.agent);
        let early = order_agent(&person, agent, AgentWish::SendLog, DAY).await.unwrap_err();
        assert!(early.message.contains("takes no orders"), "{}", early.message);
        let keys = beat(&mut site, 0).await.keys;
        beat(&mut site, keys[0].id).await;
        let nowhere = order_agent(&person, agent, AgentWish::Discover, DAY).await.unwrap_err();
        assert!(nowhere.message.contains("no place"), "{}", nowhere.message);
        let plan = agents::plan(&person, agent).await.unwrap();
        let plan = wire::AgentPlan { ranges: vec!["192.0.2.0/24".into()], ..plan };
        agents::set_plan(&person, agent, plan).await.unwrap();
        for wish in [AgentWish::Discover, AgentWish::SendLog, AgentWish::ReportNow] {
            order_agent(&person, agent, wish, DAY).await.unwrap();
        }
        let reply = beat(&mut site, keys[0].id).await;
        let whats: Vec<What> =
            reply.commands.iter().map(|command| opened(command, site.agent, &keys, reply.server_ms).what).collect();
        assert_eq!(whats, [What::Discover, What::SendLog, What::ReportNow(Vec::new())]);
        let log = b"2026 agent: at work\n".to_vec();
        let name = store::Sha256::of(&log);
        let ctx = as_agent(&site).await;
        crate::diagnostics::upload(&ctx, name, 0, log.clone(), true).await.unwrap();
        let logs = logs_of_agent(&person, agent).await.unwrap();
        assert_eq!(logs[0].size_bytes, 20);
        assert_eq!(log_of_agent(&person, agent, &name.to_string()).await.unwrap(), log);
        let (_, other) = site.test.customer(&person, "Other").await;
        assert_eq!(log_of_agent(&other, agent, &name.to_string()).await.unwrap_err().kind, Kind::NotFound);
        agents::revoke(&site.person().await, agent).await.unwrap();
        let gone = order_agent(&person, agent, AgentWish::SendLog, DAY).await.unwrap_err();
        assert!(gone.message.contains("revoked"), "{}", gone.message);
    }
}

#[tokio::test]
async fn an_agent_answers_only_its_own_orders() {
    for mut site in Site::each().await {
        let (device, keys) = read_device(&mut site, "R1").await;
        let person = site.person().await;
        order_device(&person, device, &now(), DAY).await.unwrap();
        let reply = beat(&mut site, keys[0].id).await;
        let order = opened(&reply.commands[0], site.agent, &keys, reply.server_ms);
        let other = Site::enrol(&site.test, &person, person.home, 9).await;
        let stranger = agents::key_of(&site.test.platform, other).await.unwrap().unwrap().1;
        let acks = vec![Ack { id: order.id, taken: Taken::Done, detail: None }];
        acknowledge(&stranger, &Acks { acks }).await.unwrap();
        assert!(pending(&stranger).await.unwrap().is_empty());
        assert_eq!(of_device(&person, device).await.unwrap().orders[0].state, CommandState::Taken);
    }
}

#[tokio::test]
async fn agents_learn_the_gateways_next_key_by_an_order_that_the_one_they_know_signs() {
    for mut site in Site::each().await {
        let (_, keys) = read_device(&mut site, "R1").await;
        let person = site.person().await;
        let next = monitors::roll(&person).await.unwrap();
        assert_eq!(monitors::rekey(&site.test.platform).await.unwrap(), 1);
        assert_eq!(monitors::rekey(&site.test.platform).await.unwrap(), 0, "once");
        let reply = beat(&mut site, keys[0].id).await;
        let order = opened(&reply.commands[0], site.agent, &keys, reply.server_ms);
        let What::Keys(taught) = order.what else { panic!("keys") };
        assert_eq!(taught[0].id, next);
        answer(&site, order.id, Taken::Done, "known").await;
        beat(&mut site, next).await;
        order_agent(&person, AgentId::from(site.agent), AgentWish::SendLog, DAY).await.unwrap();
        let reply = beat(&mut site, next).await;
        assert_eq!(reply.commands[0].key, next, "from now on by the new one");
    }
}

/// A device that passed its communication test on this road.
async fn own(site: &Site, serial: &str, road: Road) {
    let by = site.person().await;
    monitor(&site.test, &by, ("canon", serial, "iR"), |hello| {
        (hello.road, hello.key) = (road, vec![serial.as_bytes()[0]; 32]);
    })
    .await;
}

#[tokio::test]
async fn one_wish_goes_by_every_road_and_says_before_who_cannot() {
    for mut site in Site::each().await {
        let (device, keys) = read_device(&mut site, "R1").await;
        own(&site, "AAA1", Road::Https).await;
        own(&site, "BBB1", Road::Mail).await;
        let person = site.person().await;
        let seen = tasks::preview(&person, &now(), None).await.unwrap();
        assert_eq!((seen.devices, seen.roads), (2, vec![("agent", 1), ("https", 1)]));
        assert_eq!((seen.refused.len(), seen.refused[0].1), (1, 1));
        assert!(seen.refused[0].0.contains("only sends mail"), "{:?}", seen.refused);
        let agents_only = Filter::parse(r#"road eq "agent" and serial eq "r1""#).unwrap();
        let narrowed = tasks::preview(&person, &now(), Some(&agents_only)).await.unwrap();
        assert_eq!((narrowed.devices, narrowed.sample[0].device), (1, Some(device)));
        let mail = Filter::parse(r#"road eq "mail""#).unwrap();
        let nobody = tasks::preview(&person, &now(), Some(&mail)).await.unwrap();
        let new = NewTask { wish: now(), filter: Some(mail), life_ms: DAY, preview_hash: nobody.hash };
        let refused = tasks::create(&person, &new).await.unwrap_err();
        assert!(refused.message.contains("only sends mail"), "{}", refused.message);
        let new = NewTask { wish: now(), filter: None, life_ms: DAY, preview_hash: seen.hash };
        let task = tasks::create(&person, &new).await.unwrap();
        assert_eq!(task.counts.assigned, 2);
        let reply = beat(&mut site, keys[0].id).await;
        let order = opened(&reply.commands[0], site.agent, &keys, reply.server_ms);
        answer(&site, order.id, Taken::Failed, "it does not answer").await;
        let shares = tasks::shares(&person, task.id, &ShareQuery::default()).await.unwrap().items;
        let of = |road: &str| shares.iter().find(|share| share.road == road).unwrap();
        assert_eq!((of("agent").state, of("agent").device), (ShareState::Failed, Some(device)));
        assert_eq!(of("https").state, ShareState::Assigned);
        let back = tasks::cancel(&person, task.id).await.unwrap();
        assert_eq!((back.state, back.counts.cancelled), (TaskState::Cancelled, 1));
        site.test.clock.advance(Duration::from_secs(1));
        assert!(beat(&mut site, keys[0].id).await.commands.is_empty());
    }
}
