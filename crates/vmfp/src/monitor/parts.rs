//! Kinds 9, 11 to 14 and 16 of a virtual device: plausible, and the same for the same seed, unit and moment.

use wire::Body;
use wire::monitor::{
    BrowserBody, EnvironmentBody, EnvironmentSample, Kind, RomBody, RomVersion, ServiceBody, ServiceValue,
    SmartAttribute, SmartBody,
};

use crate::random::mix;
use crate::table::View;

/// The message of a kind; `None` for kinds that say something else.
pub(super) fn part(view: &View<'_>, seed: u64, kind: Kind, wall_ms: i64) -> Option<Body> {
    let word = |salt: u64| mix(mix(seed ^ salt) ^ u64::from(view.who.stream()) << 20);
    Some(match kind {
        Kind::Rom => Body::Rom(rom(view, word(31))),
        Kind::Environment => Body::Environment(EnvironmentBody { samples: vec![sample(view, word(32), wall_ms)] }),
        Kind::ServiceAll => Body::ServiceAll(ServiceBody { values: service(view, &word, true) }),
        Kind::ServiceDisplay => Body::ServiceDisplay(ServiceBody { values: service(view, &word, false) }),
        Kind::Browser => Body::Browser(BrowserBody { service: false, option: word(34).is_multiple_of(4) }),
        Kind::Smart => Body::Smart(smart(view, word(35))),
        _ => return None,
    })
}

fn rom(view: &View<'_>, word: u64) -> RomBody {
    let version = |part: &str, shift: u32| {
        let word = word >> shift;
        RomVersion { part: part.to_owned(), version: format!("{:02}.{:02}", 1 + word % 9, word / 16 % 100) }
    };
    let main = RomVersion { part: "main".to_owned(), version: view.profile.identity.firmware.clone() };
    let mut parts = vec![main, version("print", 4), version("scan", 12), version("feeder", 20), version("pdl", 28)];
    if !view.profile.finishers.is_empty() {
        parts.push(version("finisher", 36));
    }
    RomBody { parts }
}

/// A room that is warm in the afternoon, and a fuser that is hot when it was used.
fn sample(view: &View<'_>, word: u64, at_ms: i64) -> EnvironmentSample {
    let hour = (view.now.millis() as f64 / 3_600_000.0).rem_euclid(24.0);
    let day = (std::f64::consts::TAU * (hour - 9.0) / 24.0).sin();
    let fuser = if view.life.asleep(view.profile, view.now) { 450 } else { 1_650 + (word >> 8 & 63) as i32 };
    EnvironmentSample {
        at_ms,
        temperature_dc: 215 + (word % 20) as i32 + (day * 18.0) as i32,
        humidity_pm: (430 + (word >> 16) % 80) as u32 - (day * 40.0 + 40.0) as u32,
        fuser_dc: Some(fuser),
    }
}

const MEASURED: [(&str, u64, u64); 10] = [
    ("COPIER/DISPLAY/FIXING/FIX-C", 150, 40),
    ("COPIER/DISPLAY/FIXING/FIX-E", 145, 40),
    ("COPIER/DISPLAY/HV-STS/PRIMARY", 500, 200),
    ("COPIER/DISPLAY/HV-STS/BIAS", 200, 300),
    ("COPIER/DISPLAY/DENS/DENS-Y", 380, 60),
    ("COPIER/DISPLAY/DENS/DENS-M", 380, 60),
    ("COPIER/DISPLAY/DENS/DENS-C", 380, 60),
    ("COPIER/DISPLAY/DENS/DENS-K", 400, 60),
    ("COPIER/DISPLAY/ANALOG/TEMP", 18, 9),
    ("COPIER/DISPLAY/ANALOG/HUM", 35, 25),
];
const ADJUSTED: [(&str, u64, u64); 10] = [
    ("COPIER/ADJUST/AE/AE-TBL", 3, 5),
    ("COPIER/ADJUST/ADJ-XY/ADJ-X", 40, 60),
    ("COPIER/ADJUST/ADJ-XY/ADJ-Y", 40, 60),
    ("COPIER/ADJUST/BLANK/BLANK-T", 70, 20),
    ("COPIER/ADJUST/BLANK/BLANK-L", 40, 20),
    ("COPIER/ADJUST/FEED-ADJ/REGIST", 1, 100),
    ("FEEDER/ADJUST/DOCST", 1, 50),
    ("COPIER/OPTION/BODY/FIX-TEMP", 0, 3),
    ("COPIER/OPTION/BODY/SCANSLCT", 0, 2),
    ("COPIER/OPTION/USER/SIZE-DET", 0, 2),
];

/// Values in the menu's order; without `all` those that were measured alone.
fn service(view: &View<'_>, word: &impl Fn(u64) -> u64, all: bool) -> Vec<ServiceValue> {
    let value = |(number, (path, least, width)): (usize, &(&str, u64, u64)), adjusted| ServiceValue {
        path: (*path).to_owned(),
        value: (least + word(100 + number as u64 + u64::from(adjusted) * 50) % width).to_string(),
        adjusted,
    };
    let total = view.life.meters.total().to_string();
    let mut values = vec![ServiceValue { path: "COPIER/COUNTER/TOTAL".to_owned(), value: total, adjusted: false }];
    values.extend(MEASURED.iter().enumerate().map(|row| value(row, false)));
    if all {
        values.extend(ADJUSTED.iter().enumerate().map(|row| value(row, true)));
    }
    values
}

fn smart(view: &View<'_>, word: u64) -> SmartBody {
    let hours = 2_000 + word % 30_000 + u64::try_from(view.now.millis() / 3_600_000).unwrap_or(0);
    let moved = if word.is_multiple_of(16) { 1 + (word >> 8) % 40 } else { 0 };
    let attribute = |id, raw: u64, worn: u64| {
        let value = 100 - u8::try_from(worn.min(90)).unwrap_or(90);
        SmartAttribute { id, value, worst: value, threshold: 10, raw }
    };
    SmartBody {
        disk: format!("VD-{}G", 160 << (word >> 40 & 1)),
        hours,
        passed: true,
        attributes: vec![
            attribute(5, moved, moved),
            attribute(9, hours, hours / 1_000),
            attribute(12, hours / 300, 1),
            attribute(194, 38 + (word >> 16) % 9, 0),
            attribute(197, 0, 0),
        ],
    }
}
