//! Every description of a virtual device is read right: identity, state, supplies, trays, counters and alerts, by the
//! version that it speaks best. `vmfp` knows the truth; the codec is shared, so net-snmp judges the bytes elsewhere.

use std::net::Ipv4Addr;
use std::time::Duration;

use device::{Access, Known, read, reread};
use snmp::{Engine, EngineConfig};
use vmfp::{Devices, Fleet, FleetConfig, Mood, Truth, V3User};
use wire::plan::SnmpCredential;
use wire::{Class, Level, Reading, SnmpVersion};

const BASE: Ipv4Addr = Ipv4Addr::new(127, 31, 40, 1);

async fn one(name: &str) -> Fleet {
    let devices = Devices::Profile { name: name.into(), count: 1, base: BASE };
    let v3_users = vec!["reader:sha256:auth-secret:aes256:priv-secret".parse::<V3User>().unwrap().0];
    let config = FleetConfig { devices, v3_users, mood: Mood::Calm, speed: 0.0, seed: 5, ..FleetConfig::default() };
    vmfp::start(config).await.unwrap()
}

fn usm() -> SnmpCredential {
    let text = |word: &str| Some(word.to_owned());
    SnmpCredential::Usm {
        user: "reader".into(),
        auth: text("sha256"),
        auth_pass: text("auth-secret"),
        privacy: text("aes256"),
        privacy_pass: text("priv-secret"),
    }
}

/// What of a reading is not as it is.
fn faults(truth: &Truth, reading: &Reading) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut compare = |what: &str, got: String, want: String| {
        if got != want {
            wrong.push(format!("{what}: got {got:?}, want {want:?}"));
        }
    };
    let said = |text: &Option<String>| text.clone().unwrap_or_default();
    let identity = &reading.identity;
    compare("vendor", said(&identity.vendor), truth.vendor.clone());
    compare("model", said(&identity.model), truth.model.trim_start_matches("HP ").to_owned());
    compare("serial", said(&identity.serial), truth.serial.clone());
    compare("name", said(&identity.name), truth.name.clone());
    compare("location", said(&identity.location), truth.location.clone());
    compare("mac", said(&identity.mac), truth.mac.map(|octet| format!("{octet:02x}")).join(":"));
    compare("inputs", reading.inputs.len().to_string(), truth.inputs.len().to_string());
    compare("supplies", reading.supplies.len().to_string(), truth.supplies.len().to_string());
    let receptacles = |supplies: usize| supplies.to_string();
    compare(
        "receptacles",
        receptacles(reading.supplies.iter().filter(|supply| supply.class == Class::Receptacle).count()),
        receptacles(truth.supplies.iter().filter(|supply| supply.class == 4).count()),
    );
    let markers = reading.meters.iter().filter(|meter| meter.source.starts_with("1.3.6.1.2.1.43.10."));
    let counted: u64 = markers.map(|meter| meter.value).sum();
    let counts = [u64::from(truth.life_count), u64::from(truth.sheets)];
    compare("count", (counted == 0 || counts.contains(&counted)).to_string(), "true".into());
    let sensible = |level: &Level| level.percent().is_none_or(|percent| (0.0..=100.0).contains(&percent));
    compare("levels", reading.supplies.iter().all(|supply| sensible(&supply.level)).to_string(), "true".into());
    wrong
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_virtual_profile_is_read_right() {
    let engine = Engine::start(EngineConfig::default()).unwrap();
    let (mut wrong, mut by_v3) = (Vec::new(), 0);
    for name in vmfp::profile_names() {
        let fleet = one(name).await;
        let to = (BASE, fleet.snmp_port()).into();
        // Longer than any machine stalls.
        let access = Access { timeout: Duration::from_secs(60), ..Access::new(to) };
        let truth = fleet.truth(BASE).unwrap();
        let plain = read(&engine, &access).await.unwrap();
        wrong.extend(faults(&truth, &plain.reading).into_iter().map(|text| format!("{name} {text}")));
        // A day later, knowing what was learnt.
        fleet.skip(Duration::from_secs(26 * 3_600));
        let truth = fleet.truth(BASE).unwrap();
        let again = reread(&engine, &access, &plain.known).await.unwrap();
        wrong.extend(faults(&truth, &again.reading).into_iter().map(|text| format!("{name} a day later: {text}")));
        let secure = Access { credentials: vec![usm()], ..access };
        let old = vmfp::find_profile(name).unwrap().manners.no_v3;
        match reread(&engine, &secure, &Known::default()).await {
            Ok(read) => {
                by_v3 += 1;
                assert_eq!((read.reading.snmp, old), (SnmpVersion::V3, false), "{name}");
                wrong.extend(faults(&truth, &read.reading).into_iter().map(|text| format!("{name} by v3: {text}")));
                assert_eq!(read.reading.meters, again.reading.meters, "{name}");
            }
            Err(error) => assert!(old, "{name}: {error}"),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(by_v3 >= 14, "{by_v3}");
}
