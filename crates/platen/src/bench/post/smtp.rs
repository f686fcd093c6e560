//! Messages of 5 KB, each sealed and another one, taken durably: opened, verified and stored before 250. postfix queues them
//! durably and discards them; smtp-sink stores nothing.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::super::contest::{Contender, Title, hold};
use super::super::outcome::{Better, Outcome, Sample, round};
use super::super::process::{Core, line, measure, role, spent};
use super::super::role::Posted;
use super::super::scene::Scene;
use super::Site;
use super::rivals::{Rival, postfix, smtp_sink};

/// Longest run.
const LIMIT: Duration = Duration::from_secs(300);

/// Whether a session brings one message or all of its share.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Connections {
    New,
    Kept,
}

fn send(
    scene: &Scene,
    site: &Site,
    peer: Option<SocketAddr>,
    messages: u32,
    connections: Connections,
    epoch: u64,
) -> Result<Posted> {
    let mut words = role(["smtp-load", "--messages", &messages.to_string(), "--epoch", &epoch.to_string()])?;
    if connections == Connections::Kept {
        words.push("--kept".into());
    }
    if let Some(peer) = peer {
        words.extend(line(["--peer", &peer.to_string()]));
    }
    words.extend(["--standing".into(), site.standing_file.clone().into_os_string()]);
    let posted: Posted = measure(scene, Core::Any, &words, LIMIT)?.json()?;
    ensure!(posted.messages == u64::from(messages), "{} of {messages} messages were taken", posted.messages);
    Ok(posted)
}

pub(in crate::bench) fn run(scene: &Scene) -> Result<Outcome> {
    let (devices, messages) = (scene.effort.size(2_000, 200, 40), scene.effort.size(20_000, 1_000, 60));
    scene.say("smtp: devices are registered");
    let site = Site::start(scene, devices)?;
    let (epoch, sent, told) = (Cell::new(1), Cell::new(0), RefCell::new(Vec::new()));
    let ours = |connections: Connections| -> Result<Sample> {
        epoch.set(epoch.get() + 1);
        let before = spent(site.pid()).context("the site is gone")?;
        let posted = send(scene, &site, None, messages, connections, epoch.get())?;
        let after = spent(site.pid()).context("the site is gone")?;
        sent.set(sent.get() + posted.messages);
        told.borrow_mut().push(shown("platen", connections, &posted));
        Ok(Sample { value: posted.messages as f64 / posted.seconds, cpu_s: after.0 - before.0, rss_mb: after.1 })
    };
    let (mut notes, mut rivals) = (Vec::new(), Vec::new());
    for started in [postfix(scene), smtp_sink(scene)] {
        match started {
            Ok(rival) => rivals.push(rival),
            Err(missing) => notes.push(format!("{missing:#}")),
        }
    }
    let mut all = vec![Contender { name: "platen".to_owned(), run: Box::new(|| ours(Connections::New)) }];
    for rival in &rivals {
        let (site, told) = (&site, &told);
        let run = move || peer(scene, site, rival, messages, Connections::New, told);
        all.push(Contender { name: rival.name.to_owned(), run: Box::new(run) });
    }
    let title = Title { name: "smtp", unit: "durable messages a second", better: Better::More };
    let mut outcome = hold(scene, &title, all)?;
    outcome.notes.extend(notes);
    // Once more with all messages of a session in one connection, as a relay would.
    let mut kept = vec![json!({ "platen": round(ours(Connections::Kept)?.value) })];
    for rival in &rivals {
        match peer(scene, &site, rival, messages, Connections::Kept, &told) {
            Ok(sample) => kept.push(json!({ rival.name: round(sample.value) })),
            Err(error) => outcome.notes.push(format!("{} left out of kept connections: {error:#}", rival.name)),
        }
    }
    let told = told.take();
    let mean = told.first().and_then(|one| one["bytes"].as_f64()).unwrap_or(0.0);
    outcome.notes.push(format!(
        "{messages} messages of {mean:.0} bytes from {devices} devices, 32 sessions at a time, a connection for each message; client, server \
         and peers share all processors. Every message is a sealed report of its own, opened, verified and stored by ours; the peers get \
         the same bytes. smtp-source sends one and the same message again and again, which ours would take as one, so the client is ours"
    ));
    outcome.detail("kept_connections_a_second", Value::Array(kept));
    outcome.detail("runs", told);
    let (log, missing, twice) = {
        drop(rivals);
        site.finish()?
    };
    ensure!(
        log >= sent.get() && missing == 0 && twice == 0,
        "sent {}, stored {log}, missing {missing}, twice {twice}",
        sent.get()
    );
    outcome
        .detail("audit", json!({ "acknowledged": sent.get(), "in_the_log": log, "missing": missing, "twice": twice }));
    Ok(outcome)
}

fn peer(
    scene: &Scene,
    site: &Site,
    rival: &Rival,
    messages: u32,
    connections: Connections,
    told: &RefCell<Vec<Value>>,
) -> Result<Sample> {
    let before = rival.spent();
    let posted = send(scene, site, Some(rival.address), messages, connections, 1)?;
    let after = rival.spent();
    told.borrow_mut().push(shown(rival.name, connections, &posted));
    Ok(Sample { value: posted.messages as f64 / posted.seconds, cpu_s: after.0 - before.0, rss_mb: after.1 })
}

fn shown(name: &str, connections: Connections, posted: &Posted) -> Value {
    json!({
        "of": name, "connections": if connections == Connections::New { "new" } else { "kept" },
        "a_second": round(posted.messages as f64 / posted.seconds), "p50_ms": round(posted.p50_ms), "p99_ms": round(posted.p99_ms),
        "bytes": round(posted.bytes as f64 / posted.messages as f64),
    })
}
