//! `ingest-events` and `ingest-counters` (M1, M2): reports of devices over 64 TLS connections into a whole server, answered
//! once they are on the disk; beside nginx that answers 204 to the same requests, and COPY of the same samples.

use std::cell::{Cell, RefCell};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use tokio::runtime::Handle;

use super::contest::{Contender, Title, hold};
use super::copy;
use super::outcome::{Better, Outcome, Sample, median, round};
use super::peer;
use super::process::{Core, Running, await_file, command, line, measure, role, spent};
use super::role::{Delivered, LARGE, Standing, Taken, children};
use super::scene::Scene;
use super::serving::Server;

/// Longest delivery.
const LIMIT: Duration = Duration::from_secs(300);
/// Longest wait until all effects are drawn.
const DRAWN: Duration = Duration::from_secs(900);

/// A server under test and its devices.
pub(super) struct Site {
    running: Running,
    data: PathBuf,
    standing_file: PathBuf,
    state_file: PathBuf,
    pub(super) standing: Standing,
}

impl Site {
    /// With so many registered devices.
    pub(super) fn start(scene: &Scene, core: Core, devices: u32) -> Result<Self> {
        let (data, standing_file, state_file) =
            (scene.path("site"), scene.path("site.ready"), scene.path("site.state"));
        let mut words = role(["ingest-site", "--devices", &devices.to_string(), "--data"])?;
        words.push(data.clone().into_os_string());
        words.extend([
            "--ready-file".into(),
            standing_file.clone().into(),
            "--state-file".into(),
            state_file.clone().into(),
        ]);
        let child = command(scene, core, &words)?.stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?;
        let mut running = Running(child);
        let standing = await_file(&mut running.0, &standing_file)?;
        Ok(Self { running, data, standing_file, state_file, standing })
    }

    pub(super) fn pid(&self) -> u32 {
        self.running.0.id()
    }

    pub(super) fn standing_file(&self) -> &std::path::Path {
        &self.standing_file
    }

    pub(super) fn taken(&self) -> Result<Taken> {
        // Written beside and renamed: never half.
        Ok(serde_json::from_slice(&std::fs::read(&self.state_file).context("the site tells nothing")?)?)
    }

    /// Waits until the effect of all reports is drawn; how long that took, and how many waited at first.
    pub(super) fn settle(&self) -> Result<(f64, u64)> {
        let (began, mut most) = (Instant::now(), 0);
        // What it tells may be a moment old.
        std::thread::sleep(Duration::from_millis(250));
        loop {
            let taken = self.taken()?;
            most = most.max(taken.open);
            if taken.open == 0 {
                return Ok((began.elapsed().as_secs_f64(), most));
            }
            ensure!(began.elapsed() < DRAWN, "{} reports still wait after {} s", taken.open, DRAWN.as_secs());
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Ends it and counts what the raw log holds against its own numbers.
    pub(super) fn finish(mut self) -> Result<Audit> {
        ensure!(self.running.close()?, "the site did not end");
        Handle::current().block_on(async {
            let platform = crate::site::open_default(&self.data, None).await?;
            let counted = platen_core::reports::verify(&platform).await?;
            Ok(Audit { messages: counted.messages, missing: counted.missing, twice: counted.twice })
        })
    }

    /// Bytes of the database, its log too.
    pub(super) fn bytes(&self) -> u64 {
        let files = std::fs::read_dir(&self.data).into_iter().flatten().flatten();
        files
            .filter(|file| file.file_name().to_string_lossy().contains(".db"))
            .filter_map(|file| file.metadata().ok())
            .map(|meta| meta.len())
            .sum()
    }
}

/// What the raw log holds at the end.
pub(super) struct Audit {
    pub(super) messages: u64,
    missing: u64,
    twice: u64,
}

impl Audit {
    /// Everything that was acknowledged must be there, once.
    pub(super) fn told(&self, acknowledged: u64) -> Result<Value> {
        ensure!(
            self.messages >= acknowledged && self.missing == 0 && self.twice == 0,
            "acknowledged {acknowledged}, in the log {}, missing {}, twice {}",
            self.messages,
            self.missing,
            self.twice
        );
        Ok(
            json!({ "acknowledged": acknowledged, "in_the_log": self.messages, "missing": self.missing, "twice": self.twice }),
        )
    }
}

/// One delivery.
fn deliver(
    scene: &Scene,
    site: &Site,
    what: &str,
    requests: u32,
    epoch: u64,
    peer: Option<&Nginx>,
) -> Result<Delivered> {
    let mut words = role([
        "ingest-load",
        "--what",
        what,
        "--requests",
        &requests.to_string(),
        "--epoch",
        &epoch.to_string(),
        "--standing",
    ])?;
    words.push(site.standing_file().into());
    if let Some(nginx) = peer {
        words.extend(line(["--peer", &nginx.address.to_string(), "--peer-ca"]));
        words.push(nginx.certificate.clone().into_os_string());
    }
    measure(scene, Core::Any, &words, LIMIT)?.json()
}

pub(super) fn events(scene: &Scene) -> Result<Outcome> {
    let (devices, requests) = (scene.effort.size(2_000, 200, 64), scene.effort.size(80_000, 4_000, 200));
    scene.say("ingest-events: devices are registered");
    let site = Site::start(scene, Core::Any, devices)?;
    let (epoch, stored, ours_told) = (Cell::new(1), Cell::new(0), RefCell::new(Vec::new()));
    let (drawn, bytes) = (RefCell::new(Vec::new()), Cell::new(0.0));
    let ours = || {
        epoch.set(epoch.get() + 1);
        let before = spent(site.pid()).context("the site is gone")?;
        let told = deliver(scene, &site, "events", requests, epoch.get(), None)?;
        let after = spent(site.pid()).context("the site is gone")?;
        let (seconds, waited) = site.settle()?;
        drawn.borrow_mut().push(round(f64::from(requests) / (told.seconds + seconds)));
        stored.set(stored.get() + told.stored);
        bytes.set(told.bytes as f64 / f64::from(requests));
        let value = told.reports as f64 / told.seconds;
        ours_told.borrow_mut().push(json!({
            "a_second": round(value), "p50_ms": round(told.p50_ms), "p99_ms": round(told.p99_ms), "waited_at_most": waited,
        }));
        Ok(Sample { value, cpu_s: after.0 - before.0, rss_mb: after.1 })
    };
    let mut all = vec![Contender { name: "platen".to_owned(), run: Box::new(ours) }];
    let mut notes = Vec::new();
    match Nginx::start(scene) {
        Ok(nginx) => {
            let site = &site;
            let run = move || {
                let before = nginx.spent().context("nginx is gone")?;
                let told = deliver(scene, site, "events", requests, 1, Some(&nginx))?;
                let after = nginx.spent().context("nginx is gone")?;
                Ok(Sample { value: told.reports as f64 / told.seconds, cpu_s: after - before, rss_mb: 0.0 })
            };
            all.push(Contender { name: "nginx 204".to_owned(), run: Box::new(run) });
        }
        Err(missing) => notes.push(format!("{missing:#}")),
    }
    let title = Title { name: "ingest-events", unit: "durable reports a second", better: Better::More };
    let mut outcome = hold(scene, &title, all)?;
    outcome.notes.extend(notes);
    outcome.notes.push(format!(
        "{requests} reports of {:.0} bytes on average (an error and the service values that go with it) from {devices} devices over 64 \
         TLS connections; client, server and nginx share all processors; nginx reads the same requests and stores nothing",
        bytes.get()
    ));
    outcome.detail("runs_of_ours", ours_told.into_inner());
    let mut drawn = drawn.into_inner();
    drawn.sort_by(f64::total_cmp);
    outcome.detail("a_second_with_all_effects", round(median(&drawn)));
    let first = u64::from(devices) + 1;
    outcome.detail("audit", site.finish()?.told(stored.get() + first)?);
    Ok(outcome)
}

pub(super) fn counters(scene: &Scene) -> Result<Outcome> {
    let (devices, requests) = (scene.effort.size(500, 64, 64), scene.effort.size(6_000, 400, 64));
    scene.say("ingest-counters: devices are registered");
    let site = Site::start(scene, Core::Any, devices)?;
    let (epoch, stored) = (Cell::new(1), Cell::new(0));
    let (told_all, sizes, copied) = (RefCell::new(Vec::new()), RefCell::new(Vec::new()), RefCell::new(Vec::new()));
    let mut samples = f64::from(requests) * f64::from(LARGE);
    let ours = || {
        epoch.set(epoch.get() + 1);
        let bytes = site.bytes();
        let before = spent(site.pid()).context("the site is gone")?;
        let told = deliver(scene, &site, "counters", requests, epoch.get(), None)?;
        let after = spent(site.pid()).context("the site is gone")?;
        let (seconds, waited) = site.settle()?;
        stored.set(stored.get() + told.stored);
        sizes.borrow_mut().push((site.bytes() - bytes) as f64);
        told_all.borrow_mut().push(json!({
            "a_second": round(told.reports as f64 / told.seconds), "a_second_with_all_effects": round(f64::from(requests) / (told.seconds + seconds)),
            "waited_at_most": waited, "p99_ms": round(told.p99_ms), "request_bytes": round(told.bytes as f64 / f64::from(requests)),
        }));
        Ok(Sample { value: told.reports as f64 / told.seconds, cpu_s: after.0 - before.0, rss_mb: after.1 })
    };
    let mut all = vec![Contender { name: "platen".to_owned(), run: Box::new(ours) }];
    let mut notes = Vec::new();
    // COPY takes minutes for what we take in seconds: a tenth of the samples say as much.
    let sets = (requests / 10).max(8);
    match copy::Postgres::start(scene) {
        Ok(postgres) => {
            let postgres = std::rc::Rc::new(postgres);
            let file = postgres.samples(scene, devices, sets)?;
            for indexed in [false, true] {
                let (postgres, file, copied) = (postgres.clone(), file.clone(), &copied);
                let name = if indexed { "COPY binary, indexed" } else { "COPY binary, no index" };
                let run = move || {
                    let done = postgres.copy(&file, indexed)?;
                    copied.borrow_mut().push(json!({ "indexed": indexed, "rows": done.rows, "seconds": round(done.seconds), "bytes_a_row": round(done.bytes / done.rows) }));
                    Ok(Sample { value: done.rows / f64::from(LARGE) / done.seconds, cpu_s: 0.0, rss_mb: 0.0 })
                };
                all.push(Contender { name: name.to_owned(), run: Box::new(run) });
            }
        }
        Err(missing) => notes.push(format!("{missing:#}")),
    }
    let title =
        Title { name: "ingest-counters", unit: "durable sets of 4,500 counters a second", better: Better::More };
    let mut outcome = hold(scene, &title, all)?;
    outcome.notes.extend(notes);
    outcome.notes.push(format!(
        "{requests} full sets (450 KB as JSON, sent as compressed CBOR) from {devices} devices over 64 TLS connections; a tenth of the \
         counters grow from set to set; COPY takes {sets} of the same sets from a file, without network, keys or signatures"
    ));
    let (kept, raw) = kept(&site)?;
    samples *= outcome.runs as f64;
    outcome.detail("runs_of_ours", told_all.into_inner());
    outcome.detail("copies", copied.into_inner());
    outcome.detail(
        "bytes_a_sample",
        json!({
            "snapshots": round(kept / samples), "raw_log": round(raw / samples),
            "database_grew": round(sizes.into_inner().iter().sum::<f64>() / samples),
        }),
    );
    outcome.detail("usage_of_a_device", usage(&site)?);
    let first = u64::from(devices) + 1;
    outcome.detail("audit", site.finish()?.told(stored.get() + first)?);
    Ok(outcome)
}

store::sql! {
    KEPT = "select coalesce(sum(s.size_bytes), 0), count(*) from counter_snapshots s";
    RAW = "select coalesce(sum(length(i.body)), 0) from inbox i";
}

/// Bytes of snapshots and of the raw log.
fn kept(site: &Site) -> Result<(f64, f64)> {
    Handle::current().block_on(async {
        let platform = crate::site::open_default(&site.data, None).await?;
        let mut tx = platform.db().read(&store::View::All("a benchmark weighs what is kept")).await?;
        let kept: i64 = tx.query_one(&KEPT, &[]).await?.get(0)?;
        let raw: i64 = tx.query_one(&RAW, &[]).await?.get(0)?;
        Ok((kept as f64, raw as f64))
    })
}

/// Milliseconds that the usage of one device takes, of many.
fn usage(site: &Site) -> Result<Value> {
    use platen_core::devices::{DeviceQuery, list};
    Handle::current().block_on(async {
        let platform = crate::site::open_default(&site.data, None).await?;
        let ctx = platform.system("a benchmark reads usage");
        let devices = list(&ctx, &DeviceQuery::default()).await?.items;
        let mut times = Vec::new();
        for device in devices {
            let began = Instant::now();
            platen_core::meters::current(&ctx, device.id).await?;
            times.push(began.elapsed().as_secs_f64() * 1e3);
        }
        times.sort_by(f64::total_cmp);
        let p99 = times.get(times.len() * 99 / 100).copied().unwrap_or(0.0);
        Ok(json!({ "p50_ms": round(median(&times)), "p99_ms": round(p99), "devices": times.len() }))
    })
}

/// What the certificate of nginx says.
const LEAF: &str = "[req]\nprompt = no\ndistinguished_name = name\nx509_extensions = leaf\n[name]\nCN = bench\n[leaf]\n\
                    basicConstraints = critical, CA:FALSE\nsubjectAltName = IP:127.0.0.1\n";

/// nginx that answers 204 over TLS.
struct Nginx {
    server: Server,
    address: SocketAddr,
    certificate: PathBuf,
}

impl Nginx {
    fn start(scene: &Scene) -> Result<Self> {
        let wanted = |missing| anyhow::anyhow!("{missing}");
        let nginx = peer::installed("nginx", "apt install nginx-light").map_err(wanted)?;
        let openssl = peer::installed("openssl", "apt install openssl").map_err(wanted)?;
        let (certificate, key) = (scene.path("nginx.pem"), scene.path("nginx.key"));
        let mut make = Command::new(openssl);
        make.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]);
        // A leaf that says so: what is a CA is refused as a server's.
        let wishes = scene.path("nginx-leaf.conf");
        std::fs::write(&wishes, LEAF)?;
        make.arg("-config").arg(&wishes).arg("-keyout").arg(&key).arg("-out").arg(&certificate);
        let made = make.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
        ensure!(made.success(), "nginx not measured: openssl made no certificate");
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let folder = scene.folder().display();
        let text = format!(
            "daemon off;\nworker_processes auto;\npid {folder}/nginx.pid;\nerror_log {folder}/nginx.log;\n\
             events {{ worker_connections 1024; }}\n\
             http {{\n  access_log off;\n  client_body_temp_path {folder}/body;\n  proxy_temp_path {folder}/proxy;\n  \
             fastcgi_temp_path {folder}/fastcgi;\n  uwsgi_temp_path {folder}/uwsgi;\n  scgi_temp_path {folder}/scgi;\n  \
             keepalive_requests 1000000000;\n  client_body_buffer_size 128k;\n  server {{\n    listen {address} ssl;\n    \
             ssl_certificate {};\n    ssl_certificate_key {};\n    location / {{ return 204; }}\n  }}\n}}\n",
            certificate.display(),
            key.display()
        );
        let config = scene.path("nginx.conf");
        std::fs::write(&config, text)?;
        let words = vec![nginx, "-c".into(), config.into_os_string(), "-p".into(), scene.folder().into()];
        let server = Server::start(scene, Core::Any, &words)?;
        let began = Instant::now();
        while std::net::TcpStream::connect(address).is_err() {
            if began.elapsed() > Duration::from_secs(10) {
                bail!("nginx not measured: it does not listen");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(Self { server, address, certificate })
    }

    /// Processor time of its master and workers.
    fn spent(&self) -> Option<f64> {
        let pid = self.server.pid();
        let workers = children(pid).into_iter().filter_map(spent).map(|(cpu, _)| cpu);
        Some(spent(pid)?.0 + workers.sum::<f64>())
    }
}
