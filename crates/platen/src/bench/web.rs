//! `web-lists`: pages of the device list through the API of a real server. The fleet comes there as fleets do: agents
//! find and read virtual devices; then the server alone is started on that database and asked.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use tokio::runtime::Handle;

use super::contest::{Contender, Title, hold};
use super::outcome::{Better, Outcome, Sample, median, round};
use super::process::{Core, line, spent};
use super::scene::Scene;
use super::serving::Server;

/// Time that a fleet may take to come in.
const FILL: Duration = Duration::from_secs(600);
const FILL_QUICK: Duration = Duration::from_secs(30);

/// Pages and the names of their figures.
const PAGES: [(&str, &str); 5] = [
    ("first_page", "/api/v1/devices?limit=50"),
    ("counted", "/api/v1/devices?limit=50&count=true"),
    ("by_name", "/api/v1/devices?limit=50&sort=name"),
    ("one_vendor", "/api/v1/devices?limit=50&filter=vendor%20eq%20%22hp%22"),
    ("facets", "/api/v1/devices/facets"),
];

pub(super) fn run(scene: &Scene) -> Result<Outcome> {
    let wanted = scene.effort.size(10_000, 500, 10);
    let data = scene.path("web");
    let (token, devices) = fill(scene, &data, wanted)?;
    let ready = scene.path("serve.ready");
    let exe = std::env::current_exe()?.into_os_string();
    let mut words = vec![exe, "serve".into(), "--data".into(), data.into_os_string()];
    words.extend(line(["--listen", "127.0.0.1:0", "--ready-file"]));
    words.push(ready.clone().into_os_string());
    let mut server = Server::start(scene, Core::Tested, &words)?;
    let doors: Value = server.ready(&ready)?;
    let site = Site::new(doors["web"].as_str().context("the server has no web door")?, &token)?;
    let requests = scene.effort.size(100, 50, 3);
    let mut first = Vec::new();
    let run = || {
        let before = spent(server.pid()).context("the server is gone")?;
        let times = site.times(PAGES[0].1, requests)?;
        let after = spent(server.pid()).context("the server is gone")?;
        first.extend_from_slice(&times);
        Ok(Sample { value: median(&times), cpu_s: after.0 - before.0, rss_mb: after.1 })
    };
    let ours = Contender { name: "platen".to_owned(), run: Box::new(run) };
    let title = Title { name: "web-lists", unit: "ms a page of 50 devices", better: Better::Less };
    let mut outcome = hold(scene, &title, vec![ours])?;
    outcome.notes.push(format!("{devices} devices; one client, one request at a time; embedded database"));
    outcome.notes.push("no peer: no open program joins meters, tenancy and device lists in one server".to_owned());
    outcome.detail("devices", devices);
    first.sort_by(f64::total_cmp);
    outcome.detail(PAGES[0].0, spread(&first));
    for (name, path) in &PAGES[1..] {
        let times = site.times(path, requests)?;
        outcome.detail(name, spread(&times));
    }
    Ok(outcome)
}

fn spread(sorted: &[f64]) -> Value {
    let p99 = sorted.get((sorted.len() * 99 / 100).min(sorted.len().saturating_sub(1))).copied().unwrap_or(0.0);
    json!({ "p50_ms": round(median(sorted)), "p99_ms": round(p99) })
}

/// Lets agents bring a fleet into a data folder; the API token and how many devices came.
fn fill(scene: &Scene, data: &std::path::Path, wanted: u32) -> Result<(String, u64)> {
    let ready = scene.path("demo.ready");
    let exe = std::env::current_exe()?.into_os_string();
    let mut words = vec![exe, "demo".into(), "--data".into(), data.as_os_str().to_owned()];
    words.extend(line(["--port", "0", "--speed", "1", "--devices", &wanted.to_string(), "--ready-file"]));
    words.push(ready.clone().into_os_string());
    let mut demo = Server::start(scene, Core::Load, &words)?;
    let doors: Value = demo.ready(&ready)?;
    let token = doors["admin"]["token"].as_str().context("the demo told no token")?.to_owned();
    let site = Site::new(doors["web"].as_str().context("the demo has no web door")?, &token)?;
    let (start, most) = (Instant::now(), if scene.effort.is_quick() { FILL_QUICK } else { FILL });
    let mut devices = 0;
    // A few are switched off or asleep by their nature.
    while devices < u64::from(wanted) * 97 / 100 && start.elapsed() < most {
        std::thread::sleep(Duration::from_millis(500));
        devices = site.count()?;
        scene.say(&format!("web-lists: {devices} of {wanted} devices have come"));
    }
    ensure!(devices > 0, "no device came within {} s", most.as_secs());
    Ok((token, devices))
}

/// A client of the API.
struct Site {
    client: reqwest::Client,
    base: String,
    token: String,
    handle: Handle,
}

impl Site {
    fn new(base: &str, token: &str) -> Result<Self> {
        let client = reqwest::Client::builder().timeout(Duration::from_secs(30)).build()?;
        let base = base.trim_end_matches('/').to_owned();
        Ok(Self { client, base, token: token.to_owned(), handle: Handle::current() })
    }

    fn get(&self, path: &str) -> Result<Vec<u8>> {
        self.handle.block_on(async {
            let request = self.client.get(format!("{}{path}", self.base)).bearer_auth(&self.token);
            let answer = request.send().await?;
            if !answer.status().is_success() {
                bail!("GET {path} gave {}", answer.status());
            }
            Ok(answer.bytes().await?.to_vec())
        })
    }

    fn count(&self) -> Result<u64> {
        let page: Value = serde_json::from_slice(&self.get("/api/v1/devices?limit=1&count=true")?)?;
        page["count"].as_u64().context("the list of devices tells no count")
    }

    /// Milliseconds of so many requests, ascending; the first ones warm up.
    fn times(&self, path: &str, requests: u32) -> Result<Vec<f64>> {
        for _ in 0..3 {
            self.get(path)?;
        }
        let mut times = Vec::new();
        for _ in 0..requests {
            let start = Instant::now();
            self.get(path)?;
            times.push(start.elapsed().as_secs_f64() * 1e3);
        }
        times.sort_by(f64::total_cmp);
        Ok(times)
    }
}
