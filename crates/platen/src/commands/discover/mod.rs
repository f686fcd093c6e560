//! `platen discover`: NDJSON, a line a device as it is found, the summary last. Asks ranges, the places of a list, and
//! what announces itself by DNS-SD.

mod places;

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use anyhow::{Context, Result};
use platen_core::agents::import::{Entry, Fault, Format, Imported};
use serde::Serialize;
use snmp::sweep::{Found, SweepConfig, SweepSummary, sweep};
use snmp::{SubnetBudget, Subnets};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use wire::SnmpVersion;
use wire::plan::{SnmpCredential, Target};

use crate::cli::DiscoverArgs;
use crate::commands::read::{credentials, seconds};
use crate::exit::{Exit, UsageError};
use crate::printer::Printer;
use places::Places;

/// Devices that are identified at the same time.
const IDENTIFY_AT_ONCE: usize = 64;
/// Longest identification of one device.
const IDENTIFY_TIME: Duration = Duration::from_secs(5);

/// One device, as the contract prints it; `listed` is what a list said of it.
#[derive(Serialize)]
struct Line {
    address: String,
    snmp: &'static str,
    credential: usize,
    sys_object_id: Option<String>,
    description: Option<String>,
    vendor: Option<String>,
    model: Option<String>,
    serial: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    listed: Option<Entry>,
}

/// What stands between the lines of devices and the summary.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Aside {
    /// Announced by DNS-SD, without an answer by SNMP.
    Announced { address: IpAddr, name: String, model: Option<String>, services: Vec<String> },
    /// A name of the list that has no address.
    Unresolved(String),
    /// A place that would be asked.
    Place {
        line: usize,
        label: Option<String>,
        #[serde(flatten)]
        target: Target,
    },
    /// A line of a list that cannot be used.
    Fault(Fault),
}

#[derive(Serialize)]
struct Last<T> {
    summary: T,
}

#[derive(Default, Serialize)]
struct Summary {
    probed: u64,
    answered: u64,
    printers: u64,
    packets_sent: u64,
    seconds: f64,
}

#[derive(Serialize)]
struct ListSummary {
    format: Format,
    places: usize,
    faults: usize,
    passed_over: usize,
}

/// Asks everybody and identifies what answers.
pub async fn run(args: DiscoverArgs, printer: Printer) -> Result<Exit> {
    let list = places::list(&args)?;
    let faults = list.as_ref().map_or(0, |list| list.fault_count);
    match &list {
        Some(list) if args.dry_run => return show_list(list, printer),
        None if args.dry_run => return Err(UsageError("--dry-run shows a list; give --import FILE".to_owned()).into()),
        Some(list) => tell_faults(list, printer),
        None => {}
    }
    let credentials = credentials(&args.snmp, false);
    let (ways, wrong) = device::ways_in(&credentials);
    if let Some(error) = wrong.first() {
        return Err(UsageError(error.to_string()).into());
    }
    let places = Places::gather(&args, list).await?;
    let subnets = Subnets::new(SubnetBudget { prefix: args.subnet_prefix, rate_pps: args.subnet_rate });
    let engine =
        snmp::Engine::start_with(snmp::EngineConfig::default(), &subnets).context("cannot open a UDP socket")?;
    let mut search = Search {
        engine,
        credentials,
        places: ways.iter().map(|(place, _)| *place).collect(),
        listed: places.listed.clone(),
        printer,
        answered: HashSet::new(),
        printers: 0,
        whole: Summary::default(),
    };
    for (port, targets) in &places.sweeps {
        let config = SweepConfig {
            targets: targets.clone(),
            exclude: places.excluded(*port),
            port: *port,
            securities: ways.iter().map(|(_, security)| Arc::clone(security)).collect(),
            rate_pps: args.rate,
            subnets: subnets.clone(),
            retries: args.retries,
            timeout: seconds(args.timeout, "--timeout")?,
            progress: Arc::new(AtomicU64::new(0)),
            // A person who names credentials wants each of them tried now.
            packets_per_address: u8::MAX,
            turn: 0,
        };
        search.sweep(config).await?;
    }
    search.singles(&places.singles).await?;
    search.asides(&places)?;
    search.whole.printers = search.printers;
    printer.line(&Last { summary: search.whole })?;
    Ok(if faults > 0 { Exit::Partly } else { Exit::Success })
}

/// What a list would have asked.
fn show_list(list: &Imported, printer: Printer) -> Result<Exit> {
    for Entry { line, target, label } in &list.entries {
        printer.line(&Aside::Place { line: *line, label: label.clone(), target: target.clone() })?;
    }
    for fault in &list.faults {
        printer.line(&Aside::Fault(fault.clone()))?;
    }
    let (places, faults) = (list.entries.len(), list.fault_count);
    printer
        .line(&Last { summary: ListSummary { format: list.format, places, faults, passed_over: list.passed_over } })?;
    Ok(if faults > 0 { Exit::Partly } else { Exit::Success })
}

fn tell_faults(list: &Imported, printer: Printer) {
    for Fault { line, advice, .. } in &list.faults {
        printer.note(&format!("line {line} of the list is left out: {advice}"));
    }
    if list.fault_count > list.faults.len() {
        printer.note(&format!("{} more lines are left out", list.fault_count - list.faults.len()));
    }
}

/// A search that is under way.
struct Search {
    engine: snmp::Engine,
    credentials: Vec<SnmpCredential>,
    /// Place of the credential of each way in.
    places: Vec<usize>,
    listed: HashMap<SocketAddr, Entry>,
    printer: Printer,
    answered: HashSet<IpAddr>,
    printers: u64,
    whole: Summary,
}

impl Search {
    async fn sweep(&mut self, config: SweepConfig) -> Result<()> {
        let progress = show_progress(&config.progress, self.printer);
        let (send, mut receive) = mpsc::channel(1_024);
        let sweeping = tokio::spawn(sweep(config, send));
        let mut identifying = JoinSet::new();
        loop {
            tokio::select! {
                found = receive.recv(), if identifying.len() < IDENTIFY_AT_ONCE => match found {
                    Some(found) => {
                        identifying.spawn(self.identify(found));
                    }
                    None => break,
                },
                Some(line) = identifying.join_next() => self.print(line?)?,
            }
        }
        while let Some(line) = identifying.join_next().await {
            self.print(line?)?;
        }
        progress.abort();
        self.printer.progress_done();
        self.add(&sweeping.await?.context("the sweep failed")?);
        Ok(())
    }

    fn add(&mut self, summary: &SweepSummary) {
        self.whole.probed += summary.probed;
        self.whole.answered += summary.answered;
        self.whole.packets_sent += summary.packets_sent;
        self.whole.seconds += summary.seconds;
    }

    /// Asks IPv6 addresses, which no sweep asks, one after another.
    async fn singles(&mut self, singles: &[SocketAddr]) -> Result<()> {
        let began = std::time::Instant::now();
        for address in singles {
            self.whole.probed += 1;
            let access = device::Access {
                credentials: self.credentials.clone(),
                timeout: IDENTIFY_TIME,
                ..device::Access::new(*address)
            };
            let Ok(who) = device::introduce(&self.engine, &access, &device::Known::default()).await else { continue };
            let guess = who.guess;
            self.whole.answered += 1;
            let line = Line {
                address: address.ip().to_string(),
                snmp: who.known.version.unwrap_or(SnmpVersion::V2c).as_str(),
                credential: who.known.credential,
                sys_object_id: who.sys_object_id.as_ref().map(ToString::to_string),
                description: who.sys_descr.as_deref().map(description),
                vendor: guess.vendor,
                model: guess.model,
                serial: guess.serial,
                listed: self.listed.get(address).cloned(),
            };
            self.print((address.ip(), line, guess.is_printer))?;
        }
        self.whole.seconds += began.elapsed().as_secs_f64();
        Ok(())
    }

    /// What announced itself and kept silent, and names that have no address.
    fn asides(&self, places: &Places) -> Result<()> {
        for host in &places.advertised {
            let Some(address) =
                host.addresses.first().filter(|_| !host.addresses.iter().any(|at| self.answered.contains(at)))
            else {
                continue;
            };
            let host = host.clone();
            let (name, model, services) = (host.name, host.model, host.services);
            self.printer.line(&Aside::Announced { address: *address, name, model, services })?;
        }
        for name in &places.unresolved {
            self.printer.line(&Aside::Unresolved(name.clone()))?;
        }
        Ok(())
    }

    fn print(&mut self, (address, line, is_printer): (IpAddr, Line, bool)) -> Result<()> {
        self.answered.insert(address);
        self.printers += u64::from(is_printer);
        self.printer.progress_done();
        self.printer.line(&line)
    }

    /// What a found address is. A device that answers no more questions is still listed, by what its first answer said.
    fn identify(&self, found: Found) -> impl Future<Output = (IpAddr, Line, bool)> + use<> {
        let place = self.places.get(found.credential).copied().unwrap_or(0);
        let access = device::Access {
            credentials: self.credentials.clone(),
            timeout: IDENTIFY_TIME,
            ..device::Access::new(found.address)
        };
        let (engine, listed) = (self.engine.clone(), self.listed.get(&found.address).cloned());
        async move {
            let known =
                device::Known { version: Some(version(found.version)), credential: place, ..device::Known::default() };
            let first = device::identify(found.sys_object_id.as_ref(), found.sys_descr.as_deref());
            let guess = device::introduce(&engine, &access, &known).await.map(|who| who.guess).unwrap_or_default();
            let line = Line {
                address: found.address.ip().to_string(),
                snmp: version(found.version).as_str(),
                credential: place,
                sys_object_id: found.sys_object_id.as_ref().map(ToString::to_string),
                description: found.sys_descr.as_deref().map(description),
                vendor: guess.vendor.or(first.vendor),
                model: guess.model.or(first.model),
                serial: guess.serial.or(first.serial),
                listed,
            };
            (found.address.ip(), line, first.is_printer || guess.is_printer)
        }
    }
}

fn description(text: &[u8]) -> String {
    String::from_utf8_lossy(text).trim().to_owned()
}

fn version(version: snmp::Version) -> SnmpVersion {
    match version {
        snmp::Version::V1 => SnmpVersion::V1,
        snmp::Version::V2c => SnmpVersion::V2c,
        snmp::Version::V3 => SnmpVersion::V3,
    }
}

fn show_progress(sent: &Arc<AtomicU64>, printer: Printer) -> tokio::task::JoinHandle<()> {
    let sent = Arc::clone(sent);
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_millis(250)).await;
            printer.progress(&format!("{} packets sent", sent.load(std::sync::atomic::Ordering::Relaxed)));
        }
    })
}
