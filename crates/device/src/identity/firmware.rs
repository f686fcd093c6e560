//! Firmware versions: the parts that a profile names, then the tables in which the device names them itself.

use wire::Component;

use super::Makers;
use super::model::is_version;
use crate::profile::{FirmwareRule, FirmwareTable};
use crate::snapshot::{Snapshot, text};
use crate::text::Charset;

/// All parts; the first version told of a part counts.
pub(super) fn read(
    said: &Snapshot,
    charset: Charset,
    makers: &Makers,
    description: Option<&str>,
    serial: Option<&str>,
) -> Vec<Component> {
    let mut parts: Vec<Component> = Vec::new();
    let mut add = |part: Component| {
        let said_before = parts.iter().any(|known| known.name == part.name);
        if !said_before && Some(part.version.as_str()) != serial {
            parts.push(part);
        }
    };
    for rule in makers.iter().flat_map(|profile| &profile.firmware) {
        let by_object = rule.oid.as_ref().and_then(|object| said.text(&object.0, charset));
        if let Some(version) = by_object.or_else(|| of_description(rule, description?)) {
            add(Component { name: rule.name.clone(), version });
        }
    }
    for table in makers.iter().flat_map(|profile| &profile.firmware_tables) {
        rows(said, charset, table).for_each(&mut add);
    }
    parts
}

/// The version that sysDescr holds by a rule.
fn of_description(rule: &FirmwareRule, description: &str) -> Option<String> {
    let lower = description.to_ascii_lowercase();
    let from = match &rule.beyond {
        Some(mark) => lower.find(&mark.to_ascii_lowercase())? + mark.len(),
        None => 0,
    };
    let (text, lower) = (description.get(from..)?, lower.get(from..)?);
    if rule.last_word {
        let first = text.split([';', '/', ',']).next()?.trim_end();
        let (_, last) = first.rsplit_once(' ')?;
        return is_version(last).then(|| last.to_owned());
    }
    let mark = rule.after.as_ref()?.to_ascii_lowercase();
    // A mark that begins with a letter is no part of another word: `ESS` is not in `process`.
    let apart = |at: &usize| {
        let before = text[..*at].chars().next_back();
        !mark.starts_with(char::is_alphanumeric) || before.is_none_or(|letter| !letter.is_alphanumeric())
    };
    let places = lower.match_indices(&mark).map(|(at, _)| at).filter(apart);
    places.filter_map(|at| first_word(text.get(at + mark.len()..)?)).next()
}

fn first_word(text: &str) -> Option<String> {
    let word = text.trim_start_matches([' ', ':']).split([',', ';', ' ']).next()?;
    word.bytes().any(|byte| byte.is_ascii_digit()).then(|| word.to_owned())
}

fn rows<'a>(said: &'a Snapshot, charset: Charset, table: &'a FirmwareTable) -> impl Iterator<Item = Component> + 'a {
    said.column(&table.version.0).filter_map(move |(index, value)| {
        let version = text(value, charset).filter(|version| !table.not.contains(version))?;
        let mut name = said.text(&table.name.0.join(&index), charset)?;
        for ending in &table.drop_endings {
            let lower = name.to_ascii_lowercase();
            if lower.ends_with(&ending.to_ascii_lowercase()) {
                name.truncate(name.len() - ending.len());
            }
        }
        Some(Component { name: name.trim().to_owned(), version })
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use snmp::Value;

    use super::*;

    #[test]
    fn firmware_versions_in_sys_descr() {
        let of = |rule: &str, descr: &str| {
            let rule: FirmwareRule = toml::from_str(&format!("name = \"system\"\n{rule}")).unwrap();
            of_description(&rule, descr)
        };
        let ricoh = "RICOH MP 3053 1.09 / RICOH Network Printer C model";
        assert_eq!(of("last_word = true", ricoh).as_deref(), Some("1.09"));
        assert_eq!(of("last_word = true", "RICOH MP 3053 / RICOH Network Printer C model"), None);
        let oki = "OKI OkiLAN 8500e Rev.01.23 PrintServer: Attached to MC342 Rev.02.70 : Copyright";
        assert_eq!(of("beyond = \"Attached to \"\nafter = \" Rev.\"", oki).as_deref(), Some("02.70"));
        let xerox = "Acme process 9; Net 16.41,ESS1.0.217,NIC ;S/N ";
        assert_eq!(of("after = \"ESS\"", xerox).as_deref(), Some("1.0.217"));
        assert_eq!(of("after = \"NIC \"", xerox), None, "an empty place is no version");
    }

    #[test]
    fn firmware_parts_that_name_themselves() {
        let profile = toml::from_str(
            "vendor = \"acme\"\n[[firmware_tables]]\nname = \"1.3.6.1.4.1.99999.2\"\nversion = \"1.3.6.1.4.1.99999.3\"\n\
             not = [\"-\"]\ndrop_endings = [\" version\"]",
        );
        let makers = Makers { brand: Some(Arc::new(profile.unwrap())), maker: None };
        let mut said = Snapshot::new();
        let mut put = |oid: &str, text: &'static str| said.insert(oid.parse().unwrap(), Value::text(text));
        put("1.3.6.1.4.1.99999.2.1", "Controller Version");
        put("1.3.6.1.4.1.99999.3.1", "A1.20");
        put("1.3.6.1.4.1.99999.2.2", "Fax board");
        put("1.3.6.1.4.1.99999.3.2", "-");
        put("1.3.6.1.4.1.99999.2.3", "Serial number");
        put("1.3.6.1.4.1.99999.3.3", "X1234567");
        let parts = read(&said, Charset::default(), &makers, None, Some("X1234567"));
        let words: Vec<_> = parts.iter().map(|part| (part.name.as_str(), part.version.as_str())).collect();
        assert_eq!(words, [("Controller", "A1.20")]);
    }
}
