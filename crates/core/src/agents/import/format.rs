//! Which form a list has, by its name or by its first lines.

use serde::{Deserialize, Serialize};
use wire::places::Mac;

use super::delimited;

/// Lines that are looked at to tell the form.
const LOOK_AT: usize = 40;

/// A form of list that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// A table with columns address, name, site, asset, mac; `,` `;` or tab between them, the heading optional.
    Csv,
    /// Who is whose neighbour: `ip neigh`, `arp -an`, `arp -n`, `arp -a` of Windows, `/proc/net/arp`, `netsh interface ip
    /// show neighbors`, `Get-NetNeighbor`, `netsh dhcp … show clients`.
    Neighbours,
    /// `dhcpd.leases` and `dhcpd6.leases` of ISC.
    Isc,
    /// The lease file of Kea.
    Kea,
    /// `dnsmasq.leases`.
    Dnsmasq,
    /// `Get-DhcpServerv4Lease | Export-Csv` of Windows.
    Windows,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Csv, Self::Neighbours, Self::Isc, Self::Kea, Self::Dnsmasq, Self::Windows];

    /// As commands, forms and the API call it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Neighbours => "neighbours",
            Self::Isc => "isc",
            Self::Kea => "kea",
            Self::Dnsmasq => "dnsmasq",
            Self::Windows => "windows",
        }
    }

    /// As people know it.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Csv => "table (CSV)",
            Self::Neighbours => "neighbour table (ip neigh, arp)",
            Self::Isc => "leases of ISC dhcpd",
            Self::Kea => "leases of Kea",
            Self::Dnsmasq => "leases of dnsmasq",
            Self::Windows => "leases of Windows (PowerShell)",
        }
    }

    /// The format of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.as_str() == name)
    }

    /// The form that a text looks like; a table when nothing else fits.
    pub(super) fn of(text: &str) -> Self {
        let told = |line: &&str| !line.is_empty() && !line.starts_with('#');
        let lines: Vec<&str> = text.lines().map(str::trim).filter(told).take(LOOK_AT).collect();
        let any = |fits: fn(&str) -> bool| lines.iter().any(|line| fits(line));
        let heading = lines.first().map(|line| delimited::heading_of(line)).unwrap_or_default();
        let has = |name: &str| heading.iter().any(|column| column == name);
        if any(|line| (line.starts_with("lease ") || line.starts_with("ia-na ")) && line.ends_with('{')) {
            Self::Isc
        } else if has("address") && (has("hwaddr") || has("duid")) {
            Self::Kea
        } else if has("ipaddress") && has("clientid") {
            Self::Windows
        } else if any(is_dnsmasq) {
            Self::Dnsmasq
        } else if any(is_neighbour) {
            Self::Neighbours
        } else {
            Self::Csv
        }
    }
}

/// `1700000000 00:26:73:aa:bb:cc 10.0.0.5 name client`.
fn is_dnsmasq(line: &str) -> bool {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [time, mac, address, _, ..] = words[..] else { return false };
    let is_time = time.bytes().all(|byte| byte.is_ascii_digit());
    is_time && mac.parse::<Mac>().is_ok() && address.parse::<std::net::IpAddr>().is_ok()
}

/// An address and a card on one line without separators of a table.
fn is_neighbour(line: &str) -> bool {
    let is_table = line.contains([',', ';', '\t']) && !line.contains(" at ");
    !is_table && super::neighbours::parts(line).is_some_and(|parts| parts.mac.is_some())
}

/// Bytes as text: UTF-8, UTF-16 with its mark, else Latin-1; `None` for what is no text.
pub(super) fn decode(bytes: &[u8]) -> Option<String> {
    let wide = |bytes: &[u8], unit: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]])).collect();
        String::from_utf16_lossy(&units)
    };
    let text = match bytes {
        [0xff, 0xfe, rest @ ..] => wide(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => wide(rest, u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8_lossy(rest).into_owned(),
        _ => match std::str::from_utf8(bytes) {
            Ok(text) => text.to_owned(),
            Err(_) => bytes.iter().copied().map(char::from).collect(),
        },
    };
    (!text.contains('\0')).then_some(text)
}
