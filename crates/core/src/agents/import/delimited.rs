//! Tables with separators: a person's own CSV, Kea's lease file, the export of Windows.

use csv::{ReaderBuilder, StringRecord, Trim};
use wire::places::Mac;

use super::{Facts, Format, Sink};

/// Columns by their names, folded ([`fold`]). What stands first in a list wins.
const ADDRESS: &[&str] = &["address", "ipaddress", "ip", "ipv4address", "ipv6address", "addr", "adresse", "ipadresse"];
const HOST: &[&str] = &["host", "hostname", "fqdn", "dnsname", "dns"];
const NAME: &[&str] = &["name", "label", "displayname", "description", "bezeichnung"];
const SITE: &[&str] = &["site", "location", "place", "room", "standort", "ort"];
const ASSET: &[&str] =
    &["asset", "assetno", "assetnumber", "assettag", "inventory", "inventorynumber", "inventarnummer"];
const MAC: &[&str] = &["mac", "macaddress", "hwaddr", "clientid", "hardwareaddress", "physicaladdress"];
const STATE: &[&str] = &["state", "addressstate"];
const LIFETIME: &[&str] = &["validlifetime"];

/// Most lines of one row with a quotation over several.
const MOST_JOINED: usize = 20;

/// Where the columns are.
#[derive(Debug, Default)]
struct Columns {
    host: Option<usize>,
    name: Option<usize>,
    site: Option<usize>,
    asset: Option<usize>,
    mac: Option<usize>,
    label: Option<usize>,
    state: Option<usize>,
    lifetime: Option<usize>,
}

/// Without a heading: address, name, site, asset, MAC.
const PLAIN: Columns = Columns {
    host: Some(0),
    name: Some(1),
    site: Some(2),
    asset: Some(3),
    mac: Some(4),
    label: None,
    state: None,
    lifetime: None,
};

impl Columns {
    fn of(heading: &[String]) -> Self {
        let place = |names: &[&str]| names.iter().find_map(|name| heading.iter().position(|column| column == name));
        let (address, host) = (place(ADDRESS), place(HOST));
        Self {
            host: address.or(host),
            name: place(NAME),
            site: place(SITE),
            asset: place(ASSET),
            mac: place(MAC),
            label: address.and(host),
            state: place(STATE),
            lifetime: place(LIFETIME),
        }
    }
}

/// Reads a table. A heading is one when it names a column and holds no address.
pub(super) fn read(text: &str, format: Format, sink: &mut Sink) {
    let separator = separator(text);
    let mut columns: Option<Columns> = None;
    for (line, words) in rows(text) {
        let Some(record) = record(&words, separator) else {
            sink.fault(line, &words, "the line cannot be read; look at its quotation marks");
            continue;
        };
        let Some(known) = &columns else {
            let heading: Vec<String> = record.iter().map(fold).collect();
            if !is_heading(&record, &heading) {
                row(&record, line, &PLAIN, format, sink);
                columns = Some(PLAIN);
                continue;
            }
            let found = Columns::of(&heading);
            if found.host.is_none() {
                return sink.fault(line, &words, "no column is called address or host; name one so");
            }
            columns = Some(found);
            continue;
        };
        row(&record, line, known, format, sink);
    }
}

/// Rows with the number of their first line: blank lines and comments left out, lines joined whose quotation goes on.
fn rows(text: &str) -> Vec<(usize, String)> {
    let mut rows: Vec<(usize, String)> = Vec::new();
    let mut is_open = false;
    for (line, words) in (1..).zip(text.lines()) {
        let is_odd = words.bytes().filter(|byte| *byte == b'"').count() % 2 == 1;
        match rows.last_mut().filter(|(first, _)| is_open && line - first < MOST_JOINED) {
            Some((_, row)) => {
                row.push('\n');
                row.push_str(words);
                is_open = !is_odd;
            }
            None if words.trim().is_empty() || words.starts_with('#') => {}
            None => {
                rows.push((line, words.to_owned()));
                is_open = is_odd;
            }
        }
    }
    rows
}

fn record(row: &str, separator: u8) -> Option<StringRecord> {
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(separator)
        .trim(Trim::All)
        .buffer_capacity(row.len().max(1))
        .from_reader(row.as_bytes());
    reader.records().next()?.ok()
}

fn row(record: &StringRecord, line: usize, columns: &Columns, format: Format, sink: &mut Sink) {
    let cell = |column: Option<usize>| column.and_then(|at| record.get(at)).filter(|text| !text.is_empty());
    let Some(host) = cell(columns.host) else {
        let words = record.iter().collect::<Vec<_>>().join(" ");
        return sink.fault(line, &words, "the line has no address; give one, or take the line out");
    };
    let ended = match format {
        Format::Kea => cell(columns.state).is_some_and(|state| state != "0") || cell(columns.lifetime) == Some("0"),
        Format::Windows => cell(columns.state).is_some_and(|state| {
            let state = state.to_ascii_lowercase();
            state.contains("expired") || state.contains("declined")
        }),
        _ => false,
    };
    if ended {
        sink.forget(host);
        return sink.pass_over();
    }
    let mac = cell(columns.mac).map(str::parse::<Mac>);
    if format == Format::Csv {
        if mac.as_ref().is_some_and(Result::is_err) {
            let text = cell(columns.mac).unwrap_or_default();
            return sink.fault(line, text, "this is no MAC address; write 00:26:73:aa:bb:cc, or leave it empty");
        }
        if let Some(before) = sink.line_of(host) {
            return sink.fault(line, host, &format!("line {before} names this place already; take one of them out"));
        }
    }
    let facts = Facts {
        name: cell(columns.name),
        site: cell(columns.site),
        asset: cell(columns.asset),
        mac: mac.and_then(Result::ok),
        label: cell(columns.label),
    };
    sink.take(line, host, &facts);
}

/// The columns of a first line.
pub(super) fn heading_of(line: &str) -> Vec<String> {
    let separator = char::from(separator(line));
    line.split(separator).map(|column| fold(column.trim().trim_matches('"'))).collect()
}

fn is_heading(record: &StringRecord, folded: &[String]) -> bool {
    let known =
        |name: &String| [ADDRESS, HOST, NAME, SITE, ASSET, MAC].iter().any(|names| names.contains(&name.as_str()));
    let is_address = |text: &str| text.parse::<wire::places::Span>().is_ok();
    folded.iter().any(known) && !record.iter().any(is_address)
}

/// A name of a column without case, spaces and signs.
fn fold(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// The separator that the first line holds most often.
fn separator(text: &str) -> u8 {
    let told = |line: &&str| !line.trim().is_empty() && !line.starts_with('#');
    let first = text.lines().find(told).unwrap_or_default();
    let count = |separator: u8| first.bytes().filter(|byte| *byte == separator).count();
    [b';', b'\t']
        .into_iter()
        .filter(|separator| count(*separator) > count(b','))
        .max_by_key(|s| count(*s))
        .unwrap_or(b',')
}
