//! Recorded walks behind addresses: files of our own, and the shared recordings where they are.

use std::path::PathBuf;

use vmfp::{Devices, FleetConfig, Recording};

use crate::ask::Ask;
use crate::fleets::{BUSY, at};

fn folder() -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("vmfp-walks");
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_walk_and_its_context_are_served() {
    let file = folder().join("box.snmprec");
    std::fs::write(&file, "1.3.6.1.2.1.43.5.1.1.17.1|4|S-77\n1.3.6.1.2.1.1.1.0|4|A box\nbad line\n").unwrap();
    std::fs::write(folder().join("box@Jetdirect.snmprec"), "1.3.6.1.2.1.43.11.1.1.9.1.1|2|-3\n").unwrap();
    let config = FleetConfig { devices: Devices::Walks(vec![file]), ..FleetConfig::default() };
    let fleet = vmfp::start(config).await.unwrap();
    let device = fleet.devices().remove(0);
    assert_eq!((device.serial.as_str(), device.model.as_str()), ("S-77", "A box"));
    let mut ask = Ask::new(BUSY);
    let to = at(&fleet, device.address);
    assert_eq!(ask.get(to, "1.3.6.1.2.1.1.1.0"), Some(snmp::Value::text("A box")));
    ask.community = "public@Jetdirect";
    assert_eq!(ask.get(to, "1.3.6.1.2.1.43.11.1.1.9.1.1"), Some(snmp::Value::Integer(-3)));
}

#[test]
fn the_shared_recordings_are_understood() {
    let shared = std::env::var_os("PLATEN_SHARED")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared"), PathBuf::from);
    let Ok(entries) = std::fs::read_dir(shared.join("recordings/walks")) else {
        println!("skipped: recordings not found (set PLATEN_SHARED)");
        return;
    };
    let (mut files, mut rows, mut skipped) = (0, 0, 0);
    for entry in entries {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "snmprec") && !path.to_string_lossy().contains('@') {
            let recording = Recording::open(&path).unwrap();
            assert!(!recording.main.rows().is_empty(), "{path:?}");
            (files, rows, skipped) = (files + 1, rows + recording.main.rows().len(), skipped + recording.main.skipped);
        }
    }
    println!("{files} recordings, {rows} objects, {skipped} lines skipped");
    assert!(skipped <= 1);
}
