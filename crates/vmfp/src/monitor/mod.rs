//! Devices that report by themselves: a monitor a device, as a maker would link it, in a host that lends it clock, keys,
//! memory and the line. Tour: `drive` (one task for all) → `reporter` (one device) → `line` (HTTPS), `post` (mail),
//! `listener` (where the server calls); `status`,
//! `counters`, `parts` and `event` say what a device is asked for.

mod counters;
mod drive;
mod event;
mod keep;
mod keys;
mod line;
mod listener;
mod parts;
mod post;
mod reporter;
mod status;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::device::Kind;
use crate::fleet::{FleetError, Shared};
use line::Line;
use post::Post;
use reporter::Reporter;
use wire::Activation;
use wire::hello::Road;

/// Who reports by itself, and where to.
#[derive(Debug, Clone)]
pub struct Reports {
    /// The gateway, `https://host[:port]`; its host is the only one that is ever called.
    pub server: String,
    /// The CA that the server's certificate must come from, PEM; no other is trusted.
    pub ca_pem: Vec<u8>,
    /// Which devices, and what their technicians typed.
    pub claims: Vec<Claim>,
    /// Which devices, and the documents that installers carried to them; these never call `server`.
    pub documents: Vec<Activation>,
    /// Folder in which devices keep what is not sent, so that it outlives this program; none: in memory.
    pub keep: Option<PathBuf>,
    /// HTTP proxy that calls go through, `http://host:port`; none: straight to the server.
    pub proxy: Option<String>,
}

/// What the technician typed at a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Serial number of a device of this fleet.
    pub serial: String,
    /// Claim code that the provider got with the registration.
    pub code: String,
    /// The road that the device is set to.
    pub road: Road,
}

impl Reports {
    /// How many devices report.
    fn devices(&self) -> usize {
        self.claims.len() + self.documents.len()
    }
}

/// Why devices cannot report.
#[derive(Debug, thiserror::Error)]
pub enum ReportsError {
    /// No such device.
    #[error("no device of this fleet has the serial number {0}")]
    Nobody(String),
    /// Not an https address, or a certificate that cannot be read.
    #[error("devices cannot report to {0}: {1}")]
    Server(String, String),
    /// The listener of a device that the server calls.
    #[error("a device's own listener cannot be opened: {0}")]
    Listener(io::Error),
    /// The folder for what is not sent.
    #[error("what devices keep cannot be opened: {0}")]
    Keep(io::Error),
}

impl Claim {
    /// Reads lines of `serial,claim` or `serial,claim,road`; empty ones and those that begin with `#` are passed over.
    ///
    /// # Errors
    /// The first line that is neither.
    pub fn read_all(text: &str, usual: Road) -> Result<Vec<Self>, String> {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let read = |line: &str| {
            let words: Vec<_> = line.split(',').map(str::trim).collect();
            let (serial, code, road) = match words[..] {
                [serial, code] => (serial, code, Some(usual)),
                [serial, code, road] => (serial, code, road_of(road)),
                _ => ("", "", None),
            };
            match road {
                Some(road) if !serial.is_empty() && !code.is_empty() => {
                    Ok(Self { serial: serial.to_owned(), code: code.to_owned(), road })
                }
                _ => Err(format!(
                    "`{line}` is not SERIAL,CLAIM or SERIAL,CLAIM,ROAD with one of {}",
                    ROADS.map(|(name, _)| name).join(", ")
                )),
            }
        };
        lines.map(read).collect()
    }
}

/// What a device begins with.
#[derive(Clone, Copy)]
enum Entry<'a> {
    /// What its technician typed.
    Typed(&'a Claim),
    /// What an installer carried to it.
    Carried(&'a Activation),
}

impl Entry<'_> {
    fn serial(&self) -> &str {
        match self {
            Self::Typed(claim) => &claim.serial,
            Self::Carried(document) => &document.serial,
        }
    }

    fn road(&self) -> Road {
        match self {
            Self::Typed(claim) => claim.road,
            Self::Carried(document) => document.road,
        }
    }
}

/// Reads an activation document in either twin.
///
/// # Errors
/// What it is not.
pub fn activation(bytes: &[u8]) -> Result<Activation, String> {
    let read = if bytes.trim_ascii_start().starts_with(b"{") {
        serde_json::from_slice(bytes).map_err(|error| error.to_string())
    } else {
        wire::cbor::decode(bytes).map_err(|error| error.to_string())
    };
    read.map_err(|why| format!("this is no activation document: {why}"))
}

/// The four roads by name.
pub const ROADS: [(&str, Road); 4] = [
    ("https", Road::Https),
    ("https-both-ways", Road::HttpsBothWays),
    ("mail", Road::Mail),
    ("mail-both-ways", Road::MailBothWays),
];

/// The road of a name.
#[must_use]
pub fn road_of(name: &str) -> Option<Road> {
    ROADS.iter().find(|(of, _)| *of == name).map(|(_, road)| *road)
}

/// Gives devices their monitors; the task reports until it is aborted.
pub(crate) fn begin(
    shared: &Arc<Shared>,
    reports: &Reports,
) -> Result<impl Future<Output = ()> + Send + use<>, FleetError> {
    let wrong = |why| ReportsError::Server(reports.server.clone(), why);
    let line = Line::new(reports, None).map_err(wrong)?;
    let post = Post::new(line::trust_only(&reports.ca_pem).map_err(wrong)?);
    let roots = line::roots(&reports.ca_pem).map_err(wrong)?;
    let mut doorsteps = Vec::new();
    let places: std::collections::HashMap<_, _> = (0..shared.slots.len() as u32)
        .filter_map(|place| match shared.kind(place) {
            Kind::Profile { profile, .. } => Some((shared.identity(place).serial(profile).to_ascii_lowercase(), place)),
            Kind::Walk(_) => None,
        })
        .collect();
    let mut reporters = Vec::with_capacity(reports.devices());
    let typed = reports.claims.iter().map(Entry::Typed);
    for entry in typed.chain(reports.documents.iter().map(Entry::Carried)) {
        let serial = entry.serial();
        let place = places.get(&serial.to_ascii_lowercase()).ok_or_else(|| ReportsError::Nobody(serial.to_owned()))?;
        let mut reporter = Reporter::new(shared, *place, reports, entry, &line.host).map_err(ReportsError::Keep)?;
        if entry.road() == Road::HttpsBothWays {
            // The server calls back nobody but who called it from there.
            let address = shared.address_of(*place);
            let own = Line::new(reports, Some(address.into())).map_err(wrong)?;
            let listener = reporter.listen(address, own, roots.clone()).map_err(ReportsError::Listener)?;
            doorsteps.push((reporters.len(), listener));
        }
        reporters.push(reporter);
    }
    Ok(drive::drive(Arc::clone(shared), drive::Ways { line, post }, reporters, doorsteps))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Instant;
    use crate::config::Mood;
    use crate::identity::Identity;
    use crate::life::Life;
    use crate::table::View;
    use wire::hello::MailPair;
    use wire::monitor::Kind as Told;
    use wire::{ColorMode, Function, PaperSize, Sides, Unit};

    #[test]
    fn every_kind_of_device_tells_its_kinds_in_words_of_the_vocabulary() {
        let keys = keys::Keys::new(1, 0, 1).unwrap();
        for profile in crate::profile::embedded().unwrap() {
            let life = Life::begin_at(profile, 1, 0, Mood::Calm);
            let who = Identity { seed: 1, place: 0, board: 0, unit: 0 };
            let view = View { profile, who, life: &life, now: Instant::START, faults: &[] };
            let told = |kind| counters::counters(&view, &keys, kind).or_else(|| parts::part(&view, 1, kind, 0));
            for kind in Told::ALL {
                let silent = matches!(
                    kind,
                    Told::Error | Told::Jam | Told::Alarm | Told::Status | Told::DebugLog | Told::Inquiry
                );
                let body = told(kind);
                assert_eq!(body.as_ref().map(wire::Body::kind), (!silent).then(|| u64::from(kind.number())));
                let size = body.map_or(0, |body| wire::cbor::encode(&body_message(body)).len());
                assert!(size < 8_192, "{} {kind:?}: {size} bytes", profile.name);
            }
            for name in counters::dictionary(&view).names.values().filter(|name| name.contains('/')) {
                let words: Vec<_> = name.split('/').collect();
                let [function, color, size, sides, unit] = words[..] else { panic!("{name}") };
                assert!(Function::from_word(function).is_some() && ColorMode::from_word(color).is_some(), "{name}");
                assert!(PaperSize::from_word(size).is_some() && Sides::from_word(sides).is_some(), "{name}");
                assert!(Unit::from_word(unit).is_some(), "{name}");
            }
        }
    }

    fn body_message(body: wire::Body) -> wire::Message {
        wire::Message { seq: 1, taken_ms: 0, subject: None, body }
    }

    #[test]
    fn an_activation_document_is_read_in_either_twin() {
        let pair = MailPair { device: "d@m".into(), server: "r@m".into(), secret: None, smtp: None, pop3: None };
        let document = Activation {
            version: 1,
            vendor: "canon".to_owned(),
            serial: "QMA1".to_owned(),
            road: Road::Mail,
            claim: "plc_a".to_owned(),
            server_ms: 1,
            sender: wire::Subject([1; 16]),
            epoch_floor: 1,
            schedule: wire::schedule::Schedule::default(),
            keys: Vec::new(),
            mail: pair,
        };
        let twins = [wire::cbor::encode(&document), serde_json::to_vec_pretty(&document).unwrap()];
        for twin in &twins {
            assert_eq!(activation(twin), Ok(document.clone()));
            assert!(activation(&twin[..twin.len() - 1]).is_err());
        }
    }

    #[test]
    fn claims_are_read_line_by_line() {
        let text = "# made today\nQMA1, plc_a\n\nQMA2,plc_b,mail-both-ways\n";
        let all = Claim::read_all(text, Road::Https).unwrap();
        assert_eq!(all[0].road, Road::Https);
        let (serial, code) = ("QMA2".to_owned(), "plc_b".to_owned());
        assert_eq!(all[1], Claim { serial, code, road: Road::MailBothWays });
        for wrong in ["QMA1", "QMA1,", "QMA1,plc_a,pigeon", "QMA1,plc_a,mail,x"] {
            assert!(Claim::read_all(wrong, Road::Https).is_err(), "{wrong}");
        }
    }
}
