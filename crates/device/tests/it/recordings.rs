//! Every recording of a real device, read without a network and compared with its oracle.

use std::path::{Path, PathBuf};

use device::{Origin, assemble, load_recording};
use wire::SnmpVersion;

use crate::oracle::compare;

/// The folder that holds `recordings/`, or a line that says that there is none.
pub fn recordings() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let shared = std::env::var_os("PLATEN_SHARED").map_or(beside, PathBuf::from);
    let folder = shared.join("recordings");
    if !folder.is_dir() {
        println!("skipped: recordings not found (set PLATEN_SHARED)");
        return None;
    }
    Some(folder)
}

/// Oracles with the walks that they judge.
pub fn pairs(folder: &Path) -> Vec<(serde_json::Value, PathBuf)> {
    let mut oracles: Vec<PathBuf> = std::fs::read_dir(folder.join("expected"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().ends_with(".platen.json"))
        .collect();
    oracles.sort();
    let pair = |path: &PathBuf| {
        let oracle: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let walk = folder.join("walks").join(format!("{}.snmprec", oracle["recording"].as_str().unwrap()));
        (oracle, walk)
    };
    oracles.iter().map(pair).collect()
}

#[test]
fn every_recording_reads_as_its_oracle() {
    let Some(folder) = recordings() else { return };
    let (mut checked, mut wrong) = (0, Vec::new());
    for (oracle, walk) in pairs(&folder) {
        let said = load_recording(&walk).unwrap();
        let reading = assemble(&said, Origin::new("127.0.0.1", 161, SnmpVersion::V2c));
        let verdict = compare(&oracle, &reading);
        checked += verdict.checked;
        wrong.extend(verdict.wrong.into_iter().map(|field| format!("{}: {field}", oracle["recording"])));
    }
    println!("{} of {checked} fields right", checked - wrong.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(checked >= 200);
}

#[test]
fn nothing_is_said_that_the_device_did_not_say() {
    let Some(folder) = recordings() else { return };
    for (oracle, walk) in pairs(&folder) {
        let said = load_recording(&walk).unwrap();
        let reading = assemble(&said, Origin::new("127.0.0.1", 161, SnmpVersion::V2c));
        let heard: String = std::fs::read(&walk).map(|bytes| String::from_utf8_lossy(&bytes).to_lowercase()).unwrap();
        for text in [&reading.identity.serial, &reading.identity.model].into_iter().flatten() {
            let first = text.split_whitespace().next().unwrap().to_lowercase();
            assert!(heard.contains(&first), "{}: nobody said {text}", oracle["recording"]);
        }
        for meter in &reading.meters {
            assert!(said.get(&meter.source.parse().unwrap()).is_some(), "{}: {}", oracle["recording"], meter.source);
        }
    }
}

/// A small generator, so that every run tries the same damage.
fn damage(bytes: &mut [u8], seed: u64) {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    for _ in 0..bytes.len() / 100 + 1 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let place = usize::try_from(state % bytes.len() as u64).unwrap();
        bytes[place] = u8::try_from(state >> 32 & 0xff).unwrap();
    }
}

#[test]
fn damaged_recordings_never_panic_and_stay_honest() {
    let Some(folder) = recordings() else { return };
    let mut read = 0;
    for (_, walk) in pairs(&folder) {
        let whole = std::fs::read(&walk).unwrap();
        for seed in 0..100 {
            let mut bytes = whole.clone();
            damage(&mut bytes, seed);
            let said = device::parse_recording(&bytes);
            let reading = assemble(&said, Origin::new("127.0.0.1", 161, SnmpVersion::V1));
            for supply in &reading.supplies {
                let percent = supply.level.percent().unwrap_or(0.0);
                assert!((0.0..=100.0).contains(&percent), "{supply:?}");
                assert!(supply.raw.level.is_some() || supply.level == wire::Level::Unknown, "{supply:?}");
            }
            serde_json::to_string(&reading).unwrap();
            read += 1;
        }
    }
    println!("{read} damaged recordings read");
}

#[test]
fn object_identifiers_of_known_printers_lead_to_their_vendor() {
    let Some(folder) = recordings() else { return };
    let Ok(table) = std::fs::read_to_string(folder.join("sysobjectids.tsv")) else {
        println!("skipped: sysobjectids.tsv not found (set PLATEN_SHARED)");
        return;
    };
    let (mut known, mut wrong) = (0, Vec::new());
    for line in table.lines().skip(1) {
        let mut columns = line.split('\t');
        let (oid, vendor) = (columns.next().unwrap(), columns.next().unwrap());
        // Whole arcs of makers of other things, and makers of print servers alone.
        if oid.split('.').count() < 8 || matches!(vendor, "Axis" | "Wyse") {
            continue;
        }
        let slug = match vendor {
            "Hewlett-Packard" => "hp",
            "Konica" => "konica-minolta",
            "Fuji-Xerox" => "fujifilm",
            "Zebra Technologies" => "zebra",
            other => &other.to_lowercase(),
        };
        let guess = device::identify(oid.parse().ok().as_ref(), None);
        match guess.vendor.as_deref() == Some(slug) && guess.is_printer {
            true => known += 1,
            false => wrong.push(format!("{oid} {vendor}: {guess:?}")),
        }
    }
    println!("{known} of {} known by their arc", known + wrong.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
