//! `cargo xtask soak`: many virtual devices under one agent and one server, measured; with `--kill N` also killed.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::command::{Guarded, cargo, run as run_command, target};
use crate::http::Http;
use crate::postgres::Postgres;

/// The program that is soaked, unless it is the one that cargo builds.
static BINARY: OnceLock<PathBuf> = OnceLock::new();

/// What the flags say.
struct Wish {
    devices: u32,
    minutes: f64,
    kills: u32,
    status_s: u32,
    postgres: bool,
    /// How much faster than life the devices print; 0: 60, or 1 if the period is ten minutes or more.
    speed: f64,
    /// A program built before; else it is built for release.
    binary: Option<PathBuf>,
    /// Leave the folder with data and logs where it is.
    keep: bool,
}

impl Wish {
    fn parse(arguments: &[String]) -> Result<Self> {
        let mut wish = Self {
            devices: 10_000,
            minutes: 10.0,
            kills: 0,
            status_s: 60,
            postgres: false,
            speed: 0.0,
            binary: None,
            keep: false,
        };
        let mut rest = arguments.iter();
        while let Some(flag) = rest.next() {
            let mut value = || rest.next().with_context(|| format!("{flag} wants a value"));
            match flag.as_str() {
                "--devices" => wish.devices = value()?.parse()?,
                "--minutes" => wish.minutes = value()?.parse()?,
                "--kill" => wish.kills = value()?.parse()?,
                "--status-s" => wish.status_s = value()?.parse()?,
                "--postgres" => wish.postgres = true,
                "--speed" => wish.speed = value()?.parse()?,
                "--binary" => wish.binary = Some(value()?.into()),
                "--keep" => wish.keep = true,
                other => {
                    bail!(
                        "soak knows --devices --minutes --kill --status-s --speed --postgres --binary --keep, not {other}"
                    )
                }
            }
        }
        if wish.speed == 0.0 {
            wish.speed = if wish.status_s < 600 { 60.0 } else { 1.0 };
        }
        Ok(wish)
    }

    /// A look at the counters for each six or ten at the condition, all of it once an hour, or once a day where the
    /// fleet is large.
    fn periods(&self) -> [(&'static str, u32); 4] {
        let (meters, full) = if self.status_s < 600 { (600, 3_600) } else { (3_600, 86_400) };
        [("meters_s", meters), ("full_s", full), ("discovery_s", 14_400), ("discovery_pps", 5_000)]
    }
}

/// Builds for release, starts everything, watches, judges.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let wish = Wish::parse(arguments)?;
    match &wish.binary {
        Some(binary) => drop(BINARY.set(binary.clone())),
        None => run_command(cargo().args(["build", "--locked", "--release", "--package", "platen"]))?,
    }
    let folder = target().join("xtask").join(format!("soak-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let outcome = Soak::start(&wish, &folder).and_then(|mut soak| soak.watch(&wish));
    if wish.keep {
        println!("soak: data and logs are in {}", folder.display());
    } else {
        drop(std::fs::remove_dir_all(&folder));
    }
    outcome
}

struct Soak {
    folder: PathBuf,
    _vmfp: Guarded,
    server: Option<Guarded>,
    agent: Option<Guarded>,
    http: Http,
    web: String,
    postgres: Option<Postgres>,
}

impl Soak {
    fn start(wish: &Wish, folder: &Path) -> Result<Self> {
        let postgres = if wish.postgres { Postgres::start()? } else { None };
        let devices = wish.devices.to_string();
        let speed = wish.speed.to_string();
        let vmfp = start(folder, "vmfp", &["vmfp", "--fleet", &devices, "--snmp-port", "16161", "--speed", &speed])?;
        let data = folder.join("server");
        let data = data.to_string_lossy().into_owned();
        let database =
            postgres.as_ref().map_or_else(|| format!("sqlite:{data}/platen.db"), |server| server.url.clone());
        let account = ["--data", &data, "--database", &database, "--email", "soak@example.com"];
        input(
            &[&["admin", "create-user"], &account[..], &["--role", "admin", "--password-stdin"]].concat(),
            "a long pass phrase",
        )?;
        let token = input(&[&["admin", "token"], &account[..], &["--scope", "admin", "--json"]].concat(), "")?;
        let token: Value = serde_json::from_str(&token)?;
        let token = token["token"].as_str().context("no token")?.to_owned();
        let (server, ready) = serve(folder, &data, &database, "127.0.0.1:0")?;
        let web = ready["web"].as_str().context("no web door")?.to_owned();
        let http = Http::new(&web, &token)?;
        let mut soak =
            Self { folder: folder.to_owned(), _vmfp: vmfp.0, server: Some(server), agent: None, http, web, postgres };
        soak.enrol(wish)?;
        Ok(soak)
    }

    fn enrol(&mut self, wish: &Wish) -> Result<()> {
        let invitation = self.http.send("POST", "/api/v1/agents/invitations", &json!({}))?;
        let token = invitation["token"].as_str().context("no token in the invitation")?.to_owned();
        self.start_agent(&["--server", &self.web.clone(), "--enrol", &token])?;
        let agents = self.http.json("/api/v1/agents")?;
        let id = agents["items"][0]["id"].as_str().context("the agent is not listed")?.to_owned();
        let last = 0x7f14_0001u32 + wish.devices - 1;
        let range = format!("127.20.0.1-{}:16161", std::net::Ipv4Addr::from(last));
        let path = format!("/api/v1/agents/{id}/plan");
        let mut plan = self.http.json(&path)?;
        plan["ranges"] = json!([range]);
        plan["status_s"] = json!(wish.status_s);
        for (key, value) in wish.periods() {
            plan[key] = json!(value);
        }
        self.http.send("PUT", &path, &plan)?;
        Ok(())
    }

    fn start_agent(&mut self, more: &[&str]) -> Result<()> {
        let data = self.folder.join("agent").to_string_lossy().into_owned();
        let arguments = [&["agent", "--data", &data], more].concat();
        self.agent = Some(start(&self.folder, "agent", &arguments)?.0);
        Ok(())
    }

    fn restart_server(&mut self) -> Result<()> {
        let data = self.folder.join("server").to_string_lossy().into_owned();
        let database = self.postgres.as_ref().map_or_else(|| format!("sqlite:{data}/platen.db"), |pg| pg.url.clone());
        let listen = self.web.trim_start_matches("http://").to_owned();
        self.server = Some(serve(&self.folder, &data, &database, &listen)?.0);
        Ok(())
    }

    fn watch(&mut self, wish: &Wish) -> Result<()> {
        let start = Instant::now();
        self.wait_for_devices(u64::from(wish.devices) * 97 / 100)?;
        println!("soak: fleet known after {:.0} s", start.elapsed().as_secs_f64());
        self.rest(wish)?;
        let span = Duration::from_secs_f64(wish.minutes * 60.0);
        let before = self.usage();
        let start = Instant::now();
        let (mut pages, mut kills) = (Vec::new(), 0);
        while start.elapsed() < span || kills < wish.kills {
            if kills < wish.kills {
                self.kill_one(kills)?;
                kills += 1;
            }
            pages.extend(self.page_times());
            std::thread::sleep(Duration::from_millis(if wish.kills > 0 { 500 } else { 2_000 }));
        }
        let wall = start.elapsed().as_secs_f64();
        self.report(&before, wall, &mut pages, wish)
    }

    /// Ends server and agent in turn, as a power cut does, and starts them again.
    fn kill_one(&mut self, round: u32) -> Result<()> {
        // The moment of death moves through the cycle, so that no phase of a report is spared.
        std::thread::sleep(Duration::from_millis(u64::from(round * 37 % 400)));
        let victim = if round.is_multiple_of(2) { &mut self.server } else { &mut self.agent };
        if let Some(mut victim) = victim.take() {
            victim.0.kill()?;
            victim.0.wait()?;
        }
        if round.is_multiple_of(2) { self.restart_server() } else { self.start_agent(&[]) }
    }

    fn wait_for_devices(&self, wanted: u64) -> Result<()> {
        let start = Instant::now();
        let mut count = 0;
        let patience = Duration::from_secs(600 + wanted / 50);
        while start.elapsed() < patience {
            count = self.http.json("/api/v1/devices?limit=1&count=true")?["count"].as_u64().unwrap_or(0);
            if count >= wanted {
                return Ok(());
            }
            std::thread::sleep(Duration::from_secs(1));
        }
        bail!("only {count} of {wanted} devices were found within {} s", patience.as_secs())
    }

    /// What the discovery left to do is done, so that only the steady state is measured; where the fleet is large the
    /// agent starts anew as well.
    fn rest(&mut self, wish: &Wish) -> Result<()> {
        let start = Instant::now();
        let before = self.usage();
        loop {
            let agents = self.http.json("/api/v1/agents")?;
            let waiting = agents["items"][0]["outbox_depth"].as_u64().unwrap_or(0);
            if waiting < 50 || start.elapsed() > Duration::from_secs(600) {
                break;
            }
            std::thread::sleep(Duration::from_secs(1));
        }
        let spent = self.usage();
        let peak = self.agent.as_ref().map_or(0, |agent| peak_mb(agent.0.id()));
        println!(
            "soak: outbox empty after {:.0} s more; the agent has spent {:.0} s of a core since ({:.0} before) and had {peak} MB at most",
            start.elapsed().as_secs_f64(),
            spent[1] - before[1],
            before[1]
        );
        if wish.devices >= 50_000
            && let Some(mut agent) = self.agent.take()
        {
            agent.0.kill()?;
            agent.0.wait()?;
            let start = Instant::now();
            self.start_agent(&[])?;
            println!("soak: the agent began again within {:.1} s", start.elapsed().as_secs_f64());
            std::thread::sleep(Duration::from_secs(10));
        }
        Ok(())
    }

    fn page_times(&self) -> Vec<(&'static str, Duration)> {
        let lists = [
            ("fleet by status", "/api/v1/devices?limit=50"),
            ("fleet filtered", "/api/v1/devices?limit=50&filter=vendor%20eq%20%22ricoh%22&sort=name"),
            ("alerts", "/api/v1/alerts?limit=50"),
            ("search", "/api/v1/devices?limit=50&q=ward"),
        ];
        lists.iter().filter_map(|(name, path)| Some((*name, self.http.get(path, "application/json").ok()?.1))).collect()
    }

    fn usage(&self) -> [f64; 2] {
        [&self.server, &self.agent].map(|role| role.as_ref().map_or(0.0, |role| cpu_seconds(role.0.id())))
    }

    fn report(&self, before: &[f64; 2], wall: f64, pages: &mut [(&'static str, Duration)], wish: &Wish) -> Result<()> {
        let after = self.usage();
        for (name, role, index) in [("server", &self.server, 0), ("agent", &self.agent, 1)] {
            let memory = role.as_ref().map_or(0, |role| resident_mb(role.0.id()));
            let cpu = (after[index] - before[index]) / wall * 100.0;
            let peak = role.as_ref().map_or(0, |role| peak_mb(role.0.id()));
            println!("soak: {name}: {cpu:.1} % of one core, {memory} MB resident, {peak} MB at most");
        }
        for name in ["fleet by status", "fleet filtered", "alerts", "search"] {
            let mut times: Vec<f64> =
                pages.iter().filter(|page| page.0 == name).map(|page| page.1.as_secs_f64() * 1_000.0).collect();
            times.sort_by(f64::total_cmp);
            let at = |share: f64| times.get(((times.len() as f64 - 1.0) * share) as usize).copied().unwrap_or(f64::NAN);
            println!("soak: {name}: p50 {:.1} ms, p99 {:.1} ms of {} calls", at(0.5), at(0.99), times.len());
        }
        self.judge(wish)
    }

    /// Every device polled on time; every acknowledged message there once.
    fn judge(&self, wish: &Wish) -> Result<()> {
        std::thread::sleep(Duration::from_secs(u64::from(wish.status_s) / 2 + 15));
        let late = format!("seen lt \"{}\" and comm eq \"reporting\"", ago(wish.status_s * 2)?);
        let path = format!("/api/v1/devices?limit=1&count=true&filter={}", encode(&late));
        let late = self.http.json(&path)?["count"].as_u64().unwrap_or(u64::MAX);
        println!("soak: {late} devices that should be heard were not heard for two periods");
        let log = std::fs::read_to_string(self.folder.join("agent.log")).unwrap_or_default();
        let figure = |name: &str| {
            let values =
                log.lines().filter_map(|line| line.split(&format!("{name}=")).nth(1)?.split_whitespace().next());
            values.filter_map(|value| value.parse::<u64>().ok()).collect::<Vec<_>>()
        };
        let worst = figure("worst_delay_ms").into_iter().max().unwrap_or(0);
        let rate = figure("polls_per_s").into_iter().max().unwrap_or(0);
        println!(
            "soak: {} late polls, worst delay {worst} ms, {rate} polls a second",
            figure("late_polls").iter().sum::<u64>()
        );
        let data = self.folder.join("server").to_string_lossy().into_owned();
        let database = self.postgres.as_ref().map_or_else(|| format!("sqlite:{data}/platen.db"), |pg| pg.url.clone());
        let doctor = input(&["doctor", "--data", &data, "--database", &database, "--json"], "")?;
        let doctor: Value = serde_json::from_str(&doctor)?;
        let checks = doctor["checks"].as_array().context("doctor without checks")?;
        let reports = checks.iter().find(|check| check["name"] == "reports").context("doctor without `reports`")?;
        println!("soak: {}", reports["detail"].as_str().unwrap_or_default());
        if reports["good"] != true {
            bail!("an acknowledged report is missing or stored twice");
        }
        Ok(())
    }
}

/// A time as filters take it; `date` knows the calendar.
fn ago(seconds: u32) -> Result<String> {
    let output =
        Command::new("date").args(["-u", "-d", &format!("-{seconds} seconds"), "+%Y-%m-%dT%H:%M:%SZ"]).output()?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

fn binary() -> PathBuf {
    BINARY.get().cloned().unwrap_or_else(|| target().join("release/platen"))
}

fn serve(folder: &Path, data: &str, database: &str, listen: &str) -> Result<(Guarded, Value)> {
    start(folder, "serve", &["serve", "--data", data, "--database", database, "--listen", listen])
}

fn start(folder: &Path, name: &str, arguments: &[&str]) -> Result<(Guarded, Value)> {
    let ready_file = folder.join(format!("{name}.ready.json"));
    drop(std::fs::remove_file(&ready_file));
    let log = std::fs::OpenOptions::new().create(true).append(true).open(folder.join(format!("{name}.log")))?;
    let mut command = Command::new(binary());
    command.args(arguments).arg("--ready-file").arg(&ready_file).stdin(Stdio::null());
    let mut child = Guarded(command.stdout(log.try_clone()?).stderr(log).spawn()?);
    for _ in 0..600 {
        if let Ok(bytes) = std::fs::read(&ready_file) {
            return Ok((child, serde_json::from_slice(&bytes)?));
        }
        if let Some(status) = child.0.try_wait()? {
            let log = std::fs::read_to_string(folder.join(format!("{name}.log"))).unwrap_or_default();
            bail!("{name} ended with {status} before it was ready:\n{log}");
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    bail!("{name} was not ready within 60 s")
}

/// Runs a command to its end with something on its standard input; what it printed.
fn input(arguments: &[&str], text: &str) -> Result<String> {
    use std::io::Write;
    let mut child = Command::new(binary()).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    child.stdin.take().context("no stdin")?.write_all(text.as_bytes())?;
    let output = child.wait_with_output()?;
    if !output.status.success() && arguments.first() != Some(&"doctor") {
        bail!("platen {} ended with {}", arguments.join(" "), output.status);
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// User and system time of a process, from /proc.
fn cpu_seconds(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields: Vec<&str> =
        stat.rsplit_once(')').map(|(_, rest)| rest.split_whitespace().collect()).unwrap_or_default();
    let ticks = |index: usize| fields.get(index).and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / 100.0
}

fn resident_mb(pid: u32) -> u64 {
    memory_mb(pid, "VmRSS:")
}

fn peak_mb(pid: u32) -> u64 {
    memory_mb(pid, "VmHWM:")
}

fn memory_mb(pid: u32, field: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap_or(0) / 1_024
}

fn encode(text: &str) -> String {
    let safe = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    text.bytes().map(|byte| if safe(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}
