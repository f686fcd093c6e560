//! Lists of places from elsewhere: a table that a person keeps, neighbour tables, leases of DHCP servers.
//! [`read`] turns bytes into targets, line by line; `delimited`, `neighbours` and `leases` know the forms. Nothing here
//! asks a device: what a list says is a place to look at, and no more.

mod delimited;
mod format;
mod leases;
mod makers;
mod merge;
mod neighbours;

use std::collections::HashMap;

use serde::Serialize;
use wire::places::Mac;
use wire::plan::Target;

use super::rules;
use crate::error::{Error, Result};

pub use format::Format;
pub use makers::maker_of;
pub(super) use merge::merge;
pub use merge::{Fate, Preview, PreviewLine};

/// Most bytes of a list.
pub const MAX_BYTES: usize = 4 << 20;
/// Most lines of a list.
const MAX_LINES: usize = 200_000;
/// Most places of a list.
const MAX_ENTRIES: usize = 65_536;
/// Faults that are told one by one; the rest are counted.
const MAX_FAULTS: usize = 100;

/// One place of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Line that it stands on, from 1.
    pub line: usize,
    /// The place.
    pub target: Target,
    /// What the place calls itself in the list; shown, not kept.
    pub label: Option<String>,
}

/// One line that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// Line, from 1.
    pub line: usize,
    /// Its beginning.
    pub text: String,
    /// What is wrong, and what to write.
    pub advice: String,
}

/// A list as it was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Imported {
    /// How it was read.
    pub format: Format,
    /// Its places, each once, in the order of the list.
    pub entries: Vec<Entry>,
    /// Lines that cannot be used; at most 100 of them.
    pub faults: Vec<Fault>,
    /// How many lines cannot be used.
    pub fault_count: usize,
    /// Lines that speak of no place to ask now: incomplete neighbours, leases that have ended.
    pub passed_over: usize,
}

/// Reads a list; without a format, the one that it looks like.
///
/// # Errors
/// `Invalid` for a list that is too large, that is no text, or that holds no places at all.
pub fn read(bytes: &[u8], format: Option<Format>) -> Result<Imported> {
    let wrong = |message: String| Error::invalid("list", message);
    if bytes.len() > MAX_BYTES {
        return Err(wrong(format!("the list has {} bytes; at most {MAX_BYTES}, so cut it in parts", bytes.len())));
    }
    let text = format::decode(bytes).ok_or_else(|| wrong("the list is no text; save it as text or CSV".to_owned()))?;
    if text.lines().count() > MAX_LINES {
        return Err(wrong(format!("the list has more than {MAX_LINES} lines; cut it in parts")));
    }
    let format = format.unwrap_or_else(|| Format::of(&text));
    let mut sink = Sink::default();
    match format {
        Format::Csv | Format::Kea | Format::Windows => delimited::read(&text, format, &mut sink),
        Format::Neighbours => neighbours::read(&text, &mut sink),
        Format::Isc => leases::isc(&text, &mut sink),
        Format::Dnsmasq => leases::dnsmasq(&text, &mut sink),
    }
    if sink.entries.len() > MAX_ENTRIES {
        return Err(wrong(format!("the list names more than {MAX_ENTRIES} places; cut it in parts")));
    }
    Ok(sink.finish(format))
}

/// What a line says of a place.
#[derive(Clone, Debug, Default)]
struct Facts<'t> {
    name: Option<&'t str>,
    site: Option<&'t str>,
    asset: Option<&'t str>,
    mac: Option<Mac>,
    label: Option<&'t str>,
}

/// Gathers what the readers find.
#[derive(Debug, Default)]
struct Sink {
    entries: Vec<Option<Entry>>,
    places: HashMap<String, usize>,
    faults: Vec<Fault>,
    fault_count: usize,
    passed_over: usize,
}

impl Sink {
    /// Takes a place; a later line about the same place stands over an earlier one.
    fn take(&mut self, line: usize, host: &str, facts: &Facts<'_>) {
        let host = match rules::host(host) {
            Ok(host) => host,
            Err(advice) => return self.fault(line, host, &advice),
        };
        let words = |text: Option<&str>| text.map(|text| rules::told(text, 200)).filter(|text| !text.is_empty());
        let target = Target {
            host: host.clone(),
            name: words(facts.name),
            site: words(facts.site),
            asset: words(facts.asset),
            mac: facts.mac.filter(|mac| mac.is_one_card()).map(|mac| mac.to_string()),
        };
        let entry = Some(Entry { line, target, label: words(facts.label) });
        self.forget(&host);
        self.places.insert(host, self.entries.len());
        self.entries.push(entry);
    }

    /// A later line says that nobody has this address any more.
    fn forget(&mut self, host: &str) {
        if let Some(at) = self.places.remove(host) {
            self.entries[at] = None;
        }
    }

    /// The line of a place that was taken before.
    fn line_of(&self, host: &str) -> Option<usize> {
        let at = *self.places.get(&rules::host(host).ok()?)?;
        self.entries[at].as_ref().map(|entry| entry.line)
    }

    fn fault(&mut self, line: usize, text: &str, advice: &str) {
        self.fault_count += 1;
        if self.faults.len() < MAX_FAULTS {
            self.faults.push(Fault { line, text: rules::told(text, 80), advice: advice.to_owned() });
        }
    }

    fn pass_over(&mut self) {
        self.passed_over += 1;
    }

    fn finish(self, format: Format) -> Imported {
        Imported {
            format,
            entries: self.entries.into_iter().flatten().collect(),
            faults: self.faults,
            fault_count: self.fault_count,
            passed_over: self.passed_over,
        }
    }
}

#[cfg(test)]
mod tests;
