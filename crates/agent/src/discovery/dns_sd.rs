//! Asks a link by multicast DNS who prints (RFC 6762, 6763): one-shot questions from a port of our own, answered to us
//! alone, so no port 5353 is needed and no cache is kept. What answers is a place to ask, and nothing more.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

use simple_dns::rdata::RData;
use simple_dns::{CLASS, Name, Packet, PacketFlag, QCLASS, QTYPE, Question, TYPE};
use tokio::net::UdpSocket;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// What printers call their services.
const SERVICES: [&str; 4] =
    ["_ipp._tcp.local", "_ipps._tcp.local", "_printer._tcp.local", "_pdl-datastream._tcp.local"];
const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);
const PORT: u16 = 5353;
/// Pauses before each question (RFC 6762 §5.2: a second apart at first, then doubled).
const ROUNDS: [Duration; 3] = [Duration::ZERO, Duration::from_secs(1), Duration::from_secs(2)];
/// Answers to the last one are waited for so long.
const LAST: Duration = Duration::from_millis(1_500);
/// Longest packet (RFC 6762 §17).
const LONGEST: usize = 9_000;
/// Most services of one browse: a link has hundreds at most.
const MOST: usize = 4_096;
/// Most questions of one packet.
const QUESTIONS: usize = 64;

/// Whom to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// Everybody on every link of this machine.
    Local,
    /// A reflector, or one device.
    At(SocketAddr),
}

impl FromStr for Link {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "local" {
            return Ok(Self::Local);
        }
        let at =
            wire::places::part_port(text).and_then(|(address, port)| Some((address.parse::<IpAddr>().ok()?, port)));
        at.map(|(address, port)| Self::At(SocketAddr::new(address, port.unwrap_or(PORT))))
            .ok_or_else(|| format!("`{text}` is no place to ask by DNS-SD; write local, or the address of a reflector"))
    }
}

/// A host that says it prints.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Advertised {
    /// Name of its first service, as people see it.
    pub name: String,
    /// Its addresses, IPv4 first.
    pub addresses: Vec<IpAddr>,
    /// `ipp`, `ipps`, `printer`, `pdl-datastream`.
    pub services: Vec<String>,
    /// Model as it tells it.
    pub model: Option<String>,
}

/// Asks, and gathers what answers until [`LAST`] after the last question.
///
/// # Errors
/// When no socket can be opened. A link that cannot be asked is left out.
pub async fn browse(links: &[Link]) -> io::Result<Vec<Advertised>> {
    let mut doors = Vec::new();
    for link in links {
        match link {
            Link::Local => doors.extend(local()?),
            Link::At(to) => {
                let any: IpAddr =
                    if to.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
                doors.push((UdpSocket::bind((any, 0)).await?, *to));
            }
        }
    }
    if doors.is_empty() {
        return Ok(Vec::new());
    }
    let mut asked: JoinSet<Heard> = doors.into_iter().map(|(socket, to)| one_link(socket, to)).collect();
    let mut heard = Heard::default();
    while let Some(link) = asked.join_next().await {
        heard.join(link.unwrap_or_default());
    }
    Ok(heard.hosts())
}

/// A socket for each IPv4 link that speaks multicast.
fn local() -> io::Result<Vec<(UdpSocket, SocketAddr)>> {
    use nix::net::if_::InterfaceFlags;
    let mut doors = Vec::new();
    for interface in nix::ifaddrs::getifaddrs()? {
        let wanted = InterfaceFlags::IFF_UP | InterfaceFlags::IFF_MULTICAST;
        let address = interface.address.as_ref().and_then(|address| address.as_sockaddr_in()).map(|v4| v4.ip());
        let Some(address) = address.filter(|_| interface.flags.contains(wanted)) else { continue };
        match door(address) {
            Ok(socket) => doors.push((socket, SocketAddr::from((GROUP, PORT)))),
            Err(error) => tracing::debug!(%error, %address, "a link cannot be asked by DNS-SD"),
        }
    }
    Ok(doors)
}

fn door(address: Ipv4Addr) -> io::Result<UdpSocket> {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, None)?;
    socket.bind(&SocketAddr::from((address, 0)).into())?;
    socket.set_multicast_if_v4(&address)?;
    socket.set_multicast_ttl_v4(255)?;
    socket.set_nonblocking(true)?;
    UdpSocket::from_std(socket.into())
}

async fn one_link(socket: UdpSocket, to: SocketAddr) -> Heard {
    // Each pause counts from the question before it: a machine that was asleep listens as long as any other.
    let (mut heard, mut asked) = (Heard::default(), Instant::now());
    let id = rand::random::<u16>().max(1);
    let mut rounds = ROUNDS.iter().peekable();
    let mut buffer = vec![0; LONGEST];
    loop {
        let next = rounds.peek().map_or(LAST, |pause| **pause);
        tokio::select! {
            received = socket.recv_from(&mut buffer) => match received {
                Ok((length, from)) => heard.take(&buffer[..length], from.ip(), id),
                // Nobody listens at a reflector: that is no answer.
                Err(error) => tracing::debug!(%error, %to, "an answer by DNS-SD could not be received"),
            },
            () = tokio::time::sleep_until(asked + next) => {
                if rounds.next().is_none() {
                    return heard;
                }
                asked = Instant::now();
                for question in heard.questions(id) {
                    if let Err(error) = socket.send_to(&question, to).await {
                        tracing::debug!(%error, %to, "a link could not be asked by DNS-SD");
                    }
                }
            }
        }
    }
}

/// One service of one host.
#[derive(Debug, Default)]
struct Service {
    /// As people see it.
    name: String,
    kind: &'static str,
    host: Option<String>,
    model: Option<String>,
}

/// What a link said. Names are compared in lower case.
#[derive(Debug, Default)]
struct Heard {
    services: HashMap<String, Service>,
    hosts: HashMap<String, BTreeSet<IpAddr>>,
}

impl Heard {
    /// The questions of the next round: all services, and what is not known yet of those that were heard of.
    fn questions(&self, id: u16) -> Vec<Vec<u8>> {
        let mut asked: Vec<(String, TYPE)> = SERVICES.iter().map(|name| ((*name).to_owned(), TYPE::PTR)).collect();
        for (name, service) in &self.services {
            match &service.host {
                None => asked.extend([(name.clone(), TYPE::SRV), (name.clone(), TYPE::TXT)]),
                Some(host) if !self.hosts.contains_key(host) => {
                    asked.extend([(host.clone(), TYPE::A), (host.clone(), TYPE::AAAA)]);
                }
                Some(_) => {}
            }
        }
        asked.chunks(QUESTIONS).filter_map(|questions| packet(id, questions)).collect()
    }

    /// Takes a packet; what is no answer to us, or no service of ours, is left out.
    fn take(&mut self, bytes: &[u8], from: IpAddr, id: u16) {
        let Ok(packet) = Packet::parse(bytes) else { return };
        if !packet.has_flags(PacketFlag::RESPONSE) || (packet.id() != id && packet.id() != 0) {
            return;
        }
        let records = || packet.answers.iter().chain(&packet.additional_records);
        for record in records() {
            if let RData::PTR(to) = &record.rdata {
                self.take_service(&record.name, &to.0);
            }
        }
        for record in records() {
            let name = folded(&record.name);
            match &record.rdata {
                RData::SRV(to) => {
                    if let Some(service) = self.services.get_mut(&name) {
                        service.host = Some(folded(&to.target));
                    }
                }
                RData::TXT(text) => {
                    let model = text.attributes().remove("ty").flatten();
                    if let Some(service) = self.services.get_mut(&name) {
                        service.model = model.map(|model| clean(&model)).filter(|model| !model.is_empty());
                    }
                }
                RData::A(address) => self.take_address(name, Ipv4Addr::from_bits(address.address).into(), from),
                RData::AAAA(address) => self.take_address(name, Ipv6Addr::from_bits(address.address).into(), from),
                _ => {}
            }
        }
    }

    fn take_service(&mut self, kind: &Name<'_>, instance: &Name<'_>) {
        let kind = folded(kind);
        let Some(service) = SERVICES.into_iter().find(|service| *service == kind) else { return };
        let full = folded(instance);
        let is_ours = full.strip_suffix(service).is_some_and(|start| start.ends_with('.'));
        if !is_ours || self.services.len() >= MOST {
            return;
        }
        let label = instance.get_labels().first().map(|label| String::from_utf8_lossy(label.as_ref()).into_owned());
        let word = service.trim_start_matches('_').split('.').next().unwrap_or_default();
        let name = clean(&label.unwrap_or_default());
        self.services.entry(full).or_insert(Service { name, kind: word, ..Service::default() });
    }

    /// Somebody who lies on the link must not send our questions into the world: only addresses of the teller, or of
    /// private networks.
    fn take_address(&mut self, host: String, address: IpAddr, from: IpAddr) {
        let is_near = match address {
            IpAddr::V4(v4) => v4.is_private() || v4.is_link_local(),
            IpAddr::V6(v6) => v6.is_unique_local(),
        };
        let reaches_self = address.is_loopback() && from.is_loopback();
        if (is_near || reaches_self || address == from) && self.hosts.len() < MOST {
            self.hosts.entry(host).or_default().insert(address);
        }
    }

    fn join(&mut self, other: Self) {
        for (name, service) in other.services {
            self.services.entry(name).or_insert(service);
        }
        for (host, addresses) in other.hosts {
            self.hosts.entry(host).or_default().extend(addresses);
        }
    }

    /// The services by the hosts that have them.
    fn hosts(mut self) -> Vec<Advertised> {
        let mut found: BTreeMap<String, Advertised> = BTreeMap::new();
        let mut services: Vec<Service> = self.services.into_values().collect();
        services.sort_by(|a, b| (a.kind, &a.name).cmp(&(b.kind, &b.name)));
        for service in services {
            let Some(host) = service.host else { continue };
            let Some(addresses) = self.hosts.get(&host).filter(|addresses| !addresses.is_empty()) else { continue };
            let entry = found.entry(host).or_insert_with(|| Advertised {
                name: service.name,
                addresses: addresses.iter().copied().collect(),
                ..Advertised::default()
            });
            if !entry.services.iter().any(|known| known == service.kind) {
                entry.services.push(service.kind.to_owned());
            }
            entry.model = entry.model.take().or(service.model);
        }
        self.hosts.clear();
        found.into_values().collect()
    }
}

/// A packet with these questions, whose answers are wanted by us alone.
fn packet(id: u16, questions: &[(String, TYPE)]) -> Option<Vec<u8>> {
    let mut packet = Packet::new_query(id);
    for (name, kind) in questions {
        let question = Question::new(Name::new_unchecked(name), QTYPE::TYPE(*kind), QCLASS::CLASS(CLASS::IN), true);
        packet.questions.push(question);
    }
    packet.build_bytes_vec_compressed().ok()
}

fn folded(name: &Name<'_>) -> String {
    name.to_string().to_lowercase()
}

/// Words for people: short, without control characters.
fn clean(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(120).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A whole announcement with compression, as a printer sends it.
    const ANNOUNCEMENT: &[u8] = b"\x00\x07\x84\x00\x00\x00\x00\x01\x00\x00\x00\x03\x04_ipp\x04_tcp\x05local\x00\x00\x0c\x00\x01\
        \x00\x00\x00\x0a\x00\x04\x01A\xc0\x0c\xc0\x27\x00\x21\x00\x01\x00\x00\x00\x0a\x00\x0a\x00\x00\x00\x00\x02\x77\x01h\xc0\x16\
        \x01h\xc0\x16\x00\x01\x00\x01\x00\x00\x00\x0a\x00\x04\x0a\x00\x00\x05\xc0\x27\x00\x10\x00\x01\x00\x00\x00\x0a\x00\x05\x04ty=X";

    fn heard(bytes: &[u8]) -> Vec<Advertised> {
        let mut heard = Heard::default();
        heard.take(bytes, IpAddr::V4(Ipv4Addr::new(10, 0, 0, 5)), 7);
        heard.hosts()
    }

    #[test]
    fn an_announcement_is_read_and_answers_to_others_are_not() {
        let found = heard(ANNOUNCEMENT);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!((found[0].name.as_str(), found[0].model.as_deref()), ("A", Some("X")));
        assert_eq!(found[0].addresses, [IpAddr::V4(Ipv4Addr::new(10, 0, 0, 5))]);
        let mut question = ANNOUNCEMENT.to_vec();
        question[2] = 0;
        let mut to_another = ANNOUNCEMENT.to_vec();
        to_another[1] = 8;
        assert!(heard(&question).is_empty() && heard(&to_another).is_empty());
    }

    #[test]
    fn no_bytes_on_the_wire_break_it() {
        let mut seed = 11_u64;
        let mut random = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) as usize
        };
        for _ in 0..200_000 {
            let mut bytes = ANNOUNCEMENT.to_vec();
            for _ in 0..random() % 6 {
                let at = random() % bytes.len();
                bytes[at] = random() as u8;
            }
            bytes.truncate(bytes.len() - random() % 4);
            drop(heard(&bytes));
        }
    }
}
