//! Benchmarks as scripts call them. Figures of a build for debugging mean nothing; their shape does.

use crate::process::platen;

#[test]
fn the_list_names_what_this_build_can_measure() {
    let output = platen(&["bench", "list", "--json"]);
    assert!(output.status.success());
    let list: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let names: Vec<&str> = list.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert!(names.contains(&"snmp-poll") && names.contains(&"vmfp"), "{names:?}");
    let text = String::from_utf8(platen(&["bench", "list"]).stdout).unwrap();
    assert!(names.iter().all(|name| text.contains(name)), "{text}");
}

#[test]
fn a_benchmark_prints_both_sides_or_says_which_peer_is_missing() {
    let output = platen(&["bench", "snmp-walk", "--quick", "--scale", "0.02", "--json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let outcome: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(outcome["name"], "snmp-walk");
    assert!(outcome["unit"].is_string());
    assert_eq!(outcome["runs"], 1);
    for key in ["median", "min", "max", "cpu_s", "rss_mb"] {
        assert!(outcome["ours"][key].is_number(), "{key}: {outcome}");
    }
    let notes: Vec<&str> = outcome["notes"].as_array().unwrap().iter().map(|note| note.as_str().unwrap()).collect();
    assert!(notes.iter().any(|note| note.contains("60 s")), "{notes:?}");
    match outcome.get("peer").unwrap() {
        serde_json::Value::Null => {
            assert!(outcome["ratio"].is_null());
            assert!(notes.iter().any(|note| note.contains("not measured") || note.contains("left out")), "{notes:?}");
        }
        peer => {
            assert!(peer["name"].is_string() && peer["median"].is_number(), "{peer}");
            assert!(outcome["ratio"].is_number());
        }
    }
}

#[test]
fn alert_lifecycle_each_trap_within_a_storm_becomes_an_incident_on_the_server() {
    let output = platen(&["bench", "snmp-traps", "--quick", "--scale", "0.02", "--json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let outcome: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let details = &outcome["details"];
    for probes in ["trap_to_incident_quiet", "trap_to_incident_within_the_storm"] {
        assert!(details[probes]["traps"].as_u64().unwrap() > 0, "{details}");
        assert_eq!(details[probes]["lost"], 0, "{details}");
    }
    let (received, shed) = (&details["merged"]["received"], &details["merged"]["shed"]);
    assert!(shed.as_u64().unwrap() > received.as_u64().unwrap() / 2, "storms are shed: {details}");
}
