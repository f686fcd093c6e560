//! `vmfp` (M10): answers of a virtual device a CPU-second, beside snmpsim on the same recording.

use std::cell::RefCell;
use std::net::{Ipv4Addr, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::json;

use super::contest::{Contender, Title, hold};
use super::outcome::{Better, Outcome, Sample, median, round};
use super::peer;
use super::process::{Core, line, measure, role, spent};
use super::role::{Blasted, Swept};
use super::scene::Scene;
use super::serving::{Load, LoadPlan, Model, Server};

const BASE: Ipv4Addr = Ipv4Addr::new(127, 104, 0, 1);
const LIMIT: Duration = Duration::from_secs(60);

/// What a simulator did in one run.
struct Answered {
    cpu_s: f64,
    rss_mb: f64,
    answers: u64,
}

pub(super) fn run(scene: &Scene) -> Result<Outcome> {
    let seconds = f64::from(scene.effort.size(3_000, 1_500, 300)) / 1_000.0;
    let model = Model::large();
    let load = Load::start(scene, &LoadPlan { core: Core::Tested, ..LoadPlan::of(&model, 1, BASE) })?;
    let mut notes =
        vec![format!("the device is {}; one core answers, another asks, 64 requests on the way", model.name())];
    let address = format!("{BASE}:{}", load.port);
    let (bulk, their_bulk) = (RefCell::new(Vec::new()), RefCell::new(Vec::new()));
    let ours = || {
        bulk.borrow_mut().push(ask(scene, load.pid(), &address, "public", "bulk", seconds)?);
        ask(scene, load.pid(), &address, "public", "get", seconds).map(|done| sample(&done))
    };
    let mut all = vec![Contender { name: "platen vmfp".to_owned(), run: Box::new(ours) }];
    match snmpsim(scene, &model) {
        Ok((server, port)) => {
            let address = format!("127.0.0.1:{port}");
            let theirs = &their_bulk;
            let run = move || {
                theirs.borrow_mut().push(ask(scene, server.pid(), &address, "device", "bulk", seconds)?);
                ask(scene, server.pid(), &address, "device", "get", seconds).map(|done| sample(&done))
            };
            all.push(Contender { name: "snmpsim".to_owned(), run: Box::new(run) });
        }
        Err(missing) => notes.push(missing.to_string()),
    }
    let title = Title { name: "vmfp", unit: "8-object GETs answered a CPU-second", better: Better::More };
    let mut outcome = hold(scene, &title, all)?;
    outcome.notes.extend(notes);
    let rate = |all: &RefCell<Vec<Answered>>| {
        let mut rates: Vec<f64> = all.borrow().iter().map(|done| sample(done).value).collect();
        rates.sort_by(f64::total_cmp);
        (!rates.is_empty()).then(|| round(median(&rates)))
    };
    outcome.detail("getbulk_of_20_rows_a_cpu_second", json!({ "ours": rate(&bulk), "snmpsim": rate(&their_bulk) }));
    drop(load);
    many(scene, &mut outcome)?;
    Ok(outcome)
}

fn sample(done: &Answered) -> Sample {
    Sample { value: done.answers as f64 / done.cpu_s.max(0.01), cpu_s: done.cpu_s, rss_mb: done.rss_mb }
}

/// Asks for a while and says what that cost the simulator.
fn ask(scene: &Scene, pid: u32, address: &str, community: &str, kind: &str, seconds: f64) -> Result<Answered> {
    let seconds = seconds.to_string();
    let words = ["blast", "--to", address, "--community", community, "--kind", kind, "--seconds", &seconds];
    let before = spent(pid).context("the simulator is gone")?;
    let blasted: Blasted = measure(scene, Core::Load, &role(words)?, LIMIT)?.json()?;
    let after = spent(pid).context("the simulator is gone")?;
    ensure!(blasted.answers > 0, "no answers came from {address}");
    Ok(Answered { cpu_s: after.0 - before.0, rss_mb: after.1, answers: blasted.answers })
}

/// Memory of a full network of virtual devices, after each has been asked.
fn many(scene: &Scene, outcome: &mut Outcome) -> Result<()> {
    let bits = if scene.effort.size(2, 2, 1) < 2 { 22 } else { 16 };
    let devices = (1u32 << (32 - bits)) - 2;
    scene.say(&format!("vmfp: memory of {devices} devices"));
    let network = Ipv4Addr::new(127, 105, 0, 0);
    let plan = LoadPlan::of(&Model::Profile("sharp-colour-a3"), devices, Ipv4Addr::new(127, 105, 0, 1));
    let load = Load::start(scene, &plan)?;
    let (port, range) = (load.port.to_string(), format!("{network}/{bits}"));
    let words = role(["sweep", "--range", &range, "--port", &port, "--rate", "50000"])?;
    let swept: Swept = measure(scene, Core::Tested, &words, LIMIT)?.json()?;
    let (_, rss_mb) = spent(load.pid()).context("the load is gone")?;
    outcome.detail("fleet", json!({ "devices": devices, "answered": swept.found, "rss_mb": round(rss_mb) }));
    Ok(())
}

/// Starts snmpsim on the recording.
fn snmpsim(scene: &Scene, model: &Model) -> Result<(Server, u16)> {
    let program = peer::installed("snmpsim-command-responder", "pip install snmpsim \"pyasn1<0.6\"");
    let program = program.map_err(|missing| anyhow::anyhow!(missing))?;
    let Model::Recording(file) = model else {
        bail!("snmpsim not measured: it needs a recording (set PLATEN_SHARED)");
    };
    let (data, cache) = (scene.path("snmpsim"), scene.path("snmpsim-cache"));
    for folder in [&data, &cache] {
        std::fs::create_dir_all(folder)?;
    }
    let mut lines: Vec<(snmp::Oid, String)> = std::fs::read_to_string(file)?
        .lines()
        .filter_map(|line| Some((line.split('|').next()?.trim_start_matches('.').parse().ok()?, line.to_owned())))
        .collect();
    lines.sort_by(|a, b| a.0.cmp(&b.0));
    lines.dedup_by(|a, b| a.0 == b.0);
    let text: String = lines.iter().flat_map(|(_, line)| [line.trim_start_matches('.'), "\n"]).collect();
    std::fs::write(data.join("device.snmprec"), text)?;
    let port = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
    let folder = |name: &str, path: &std::path::Path| format!("--{name}={}", path.display());
    let mut words = vec![program];
    words.extend(line([folder("data-dir", &data), folder("cache-dir", &cache)]));
    words.push(format!("--agent-udpv4-endpoint=127.0.0.1:{port}").into());
    if is_root() {
        words.extend(line(["--process-user=root", "--process-group=root"]));
    }
    let server = Server::start(scene, Core::Tested, &words)?;
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(20) {
        if ask(scene, server.pid(), &format!("127.0.0.1:{port}"), "device", "get", 0.3).is_ok() {
            return Ok((server, port));
        }
    }
    bail!("snmpsim not measured: it does not answer")
}

/// snmpsim refuses to run as root unless it is told so.
fn is_root() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status.lines().any(|line| line.starts_with("Uid:\t0\t"))
}
