//! What `platen discover` asks: ranges of the call, places of a list, what announces itself; without what is excluded.

use std::collections::{BTreeMap, HashMap};
use std::io::Read as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use agent::dns_sd::{Advertised, browse};
use anyhow::{Context, Result};
use platen_core::agents::import::{Entry, Format, Imported, MAX_BYTES, read};
use snmp::sweep::Ipv4Range;
use wire::places::{Exclusions, Mac, Span, part_port};

use crate::cli::DiscoverArgs;
use crate::exit::UsageError;

/// Everything to ask.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// IPv4 ranges by port.
    pub(super) sweeps: BTreeMap<u16, Vec<Ipv4Range>>,
    /// IPv6 addresses, asked one by one.
    pub(super) singles: Vec<SocketAddr>,
    /// What must not be asked, by port.
    pub(super) exclude: Exclusions,
    /// What a list said of a place.
    pub(super) listed: HashMap<SocketAddr, Entry>,
    /// What announced itself.
    pub(super) advertised: Vec<Advertised>,
    /// Names of the list that have no address.
    pub(super) unresolved: Vec<String>,
}

/// The list of a call, as it is read; `None` without one.
pub(super) fn list(args: &DiscoverArgs) -> Result<Option<Imported>> {
    let Some(path) = &args.import else { return Ok(None) };
    let wrong = |error: platen_core::Error| UsageError(format!("{}: {error}", path.display()));
    let format = match args.format.as_deref() {
        None => None,
        Some(name) => Some(Format::from_name(name).ok_or_else(|| {
            let known: Vec<&str> = Format::ALL.iter().map(|format| format.as_str()).collect();
            UsageError(format!("`{name}` is no format of a list; it is one of {}", known.join(", ")))
        })?),
    };
    let mut bytes = Vec::new();
    // One byte more than may be, so that a longer list is told from one that just fits.
    let most = MAX_BYTES as u64 + 1;
    if path.as_os_str() == "-" {
        std::io::stdin().take(most).read_to_end(&mut bytes).context("the list on standard input cannot be read")?;
    } else {
        let file =
            std::fs::File::open(path).with_context(|| format!("the list {} cannot be opened", path.display()))?;
        file.take(most).read_to_end(&mut bytes).with_context(|| format!("{} cannot be read", path.display()))?;
    }
    Ok(Some(read(&bytes, format).map_err(wrong)?))
}

impl Places {
    /// Gathers them: reads texts, looks names up, listens to announcements.
    pub(super) async fn gather(args: &DiscoverArgs, list: Option<Imported>) -> Result<Self> {
        let (exclude, unreadable) = Exclusions::read(&args.exclude);
        if let Some(text) = unreadable.first() {
            let forms = "give an address, a network, a span or a MAC address";
            return Err(UsageError(format!("`{text}` excludes nothing; {forms}")).into());
        }
        let mut places = Self { exclude, ..Self::default() };
        for text in &args.ranges {
            places.add_range(text, args.snmp.port)?;
        }
        for entry in list.map(|list| list.entries).unwrap_or_default() {
            places.add_entry(entry, args.snmp.port).await;
        }
        if !args.dns_sd.is_empty() {
            let links =
                args.dns_sd.iter().map(|text| text.parse().map_err(UsageError)).collect::<Result<Vec<_>, _>>()?;
            places.advertised = browse(&links).await.context("nobody can be asked by DNS-SD")?;
            let found: Vec<IpAddr> =
                places.advertised.iter().filter_map(|host| host.addresses.first().copied()).collect();
            for address in found {
                places.add(SocketAddr::new(address, args.snmp.port));
            }
        }
        Ok(places)
    }

    fn add_range(&mut self, text: &str, port: u16) -> Result<()> {
        let span: Span = text.parse().map_err(|wrong: wire::places::NoPlace| UsageError(wrong.to_string()))?;
        let port = span.port.unwrap_or(port);
        match (span.first, span.last) {
            (IpAddr::V4(first), IpAddr::V4(last)) => {
                self.sweeps.entry(port).or_default().push(Ipv4Range { first, last })
            }
            (first, _) if span.size() == 1 => self.add(SocketAddr::new(first, port)),
            _ => return Err(UsageError(format!("`{text}` is too large; name IPv6 addresses one by one")).into()),
        }
        Ok(())
    }

    async fn add_entry(&mut self, entry: Entry, port: u16) {
        let Some((host, own)) = part_port(&entry.target.host) else { return };
        let port = own.unwrap_or(port);
        let address = match host.parse::<IpAddr>() {
            Ok(address) => Some(address),
            Err(_) => {
                let found = tokio::net::lookup_host((host, port)).await;
                let mut found: Vec<IpAddr> = found.into_iter().flatten().map(|at| at.ip()).collect();
                found.sort_by_key(|address| address.is_ipv6());
                found.first().copied()
            }
        };
        let Some(address) = address else { return self.unresolved.push(entry.target.host) };
        let mac = entry.target.mac.as_deref().and_then(|mac| mac.parse::<Mac>().ok());
        if mac.is_some_and(|mac| self.exclude.forbid_card(mac)) {
            return;
        }
        let place = SocketAddr::new(address, port);
        self.add(place);
        self.listed.insert(place, entry);
    }

    fn add(&mut self, place: SocketAddr) {
        match place.ip() {
            IpAddr::V4(only) => {
                self.sweeps.entry(place.port()).or_default().push(Ipv4Range { first: only, last: only });
            }
            IpAddr::V6(_) if !self.singles.contains(&place) && !self.exclude.forbid(place) => self.singles.push(place),
            IpAddr::V6(_) => {}
        }
    }

    /// The excluded addresses of a port, as a sweep takes them.
    pub(super) fn excluded(&self, port: u16) -> Vec<Ipv4Range> {
        let v4 = |address: IpAddr| if let IpAddr::V4(v4) = address { Some(v4) } else { None::<Ipv4Addr> };
        let at_port = |span: &&Span| span.port.is_none_or(|own| own == port);
        let spans = self.exclude.spans().iter().filter(at_port);
        spans.filter_map(|span| Some(Ipv4Range { first: v4(span.first)?, last: v4(span.last)? })).collect()
    }
}
