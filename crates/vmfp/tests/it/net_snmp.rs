//! net-snmp is the judge: it shares no line with our codec.

use std::process::Command;

use vmfp::{Devices, FleetConfig};

use crate::fleets::at;

fn tool(name: &str, args: &[&str]) -> Option<String> {
    match Command::new(name).args(args).output() {
        Ok(output) => Some(String::from_utf8_lossy(&output.stdout).into_owned()),
        Err(_) => {
            println!("skipped: {name} not found (apt install snmp)");
            None
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn net_snmp_reads_every_kind_of_device() {
    let count = vmfp::profile_names().len() as u32;
    let devices = Devices::Fleet { count, base: vmfp::BASE };
    let fleet = vmfp::start(FleetConfig { devices, speed: 0.0, ..FleetConfig::default() }).await.unwrap();
    for device in fleet.devices() {
        let to = at(&fleet, device.address).to_string();
        let get = ["-v2c", "-c", "public", "-On", "-Oqv", &to, "1.3.6.1.2.1.43.10.2.1.4.1.1"];
        let Some(life) = tool("snmpget", &get) else { return };
        assert!(life.trim().parse::<u32>().is_ok(), "{}: {life}", device.model);
        let args = ["-v2c", "-c", "public", "-On", "-m", "", &to, "1.3.6.1"];
        let bulk = tool("snmpbulkwalk", &args).unwrap_or_default();
        let walk = tool("snmpwalk", &args).unwrap_or_default();
        assert!(bulk.lines().count() > 150, "{}: {}", device.model, bulk.lines().count());
        assert!(!bulk.contains("not increasing"), "{}", device.model);
        assert_eq!(bulk, walk, "{}", device.model);
        let old = ["-v1", "-c", "public", "-On", "-m", "", &to, "1.3.6.1"];
        assert_eq!(tool("snmpwalk", &old).unwrap_or_default().lines().count(), walk.lines().count());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn supplies_hide_in_a_context() {
    let devices = Devices::Profile { name: "hp-mono-a4".into(), count: 1, base: vmfp::BASE };
    let fleet = vmfp::start(FleetConfig { devices, ..FleetConfig::default() }).await.unwrap();
    let to = at(&fleet, vmfp::BASE).to_string();
    let supplies =
        |community: &str| tool("snmpwalk", &["-v2c", "-c", community, "-On", "-m", "", &to, "1.3.6.1.2.1.43.11.1.1.6"]);
    let Some(plain) = supplies("public") else { return };
    assert!(!plain.contains("Cartridge"), "{plain}");
    assert!(supplies("public@Jetdirect").is_some_and(|text| text.contains("Cartridge")));
}
