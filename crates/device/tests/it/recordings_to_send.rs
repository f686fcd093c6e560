//! What a recording that is sent in shows, and what it keeps to itself.

use std::path::Path;

use device::{Disguise, Disguised, Origin, Snapshot, assemble, parse_recording, write_recording};
use wire::{Reading, SnmpVersion};

/// A device that speaks of its owner wherever it can. Invented from end to end.
const TALKATIVE: &str = "1.3.6.1.2.1.1.1.0|4|HP ETHERNET MULTI-ENVIRONMENT,SN:VNX7Q12345,FN:1F31B6C,PID:HP LaserJet Pro M404dn\n\
    1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.11.2.3.9.1\n\
    1.3.6.1.2.1.1.4.0|4|Ann Lee, ann.lee@corp.example, +49 30 1234567\n\
    1.3.6.1.2.1.1.5.0|4|prn-berlin-17.corp.example\n\
    1.3.6.1.2.1.1.6.0|4|Berlin, 2nd floor\n\
    1.3.6.1.2.1.2.2.1.3.1|2|6\n\
    1.3.6.1.2.1.2.2.1.6.1|4x|3c2af4aabbcc\n\
    1.3.6.1.2.1.4.20.1.1.10.4.0.21|64|10.4.0.21\n\
    1.3.6.1.2.1.4.22.1.2.1.10.4.0.1|4x|00112233445566\n\
    1.3.6.1.2.1.25.3.2.1.2.1|6|1.3.6.1.2.1.25.3.1.5\n\
    1.3.6.1.2.1.25.3.2.1.3.1|4|HP LaserJet Pro M404dn\n\
    1.3.6.1.2.1.43.5.1.1.5.1|4|Service Ltd, 030-1234-5678\n\
    1.3.6.1.2.1.43.5.1.1.16.1|4|Reception Berlin\n\
    1.3.6.1.2.1.43.5.1.1.17.1|4|VNX7Q12345\n\
    1.3.6.1.2.1.43.10.2.1.4.1.1|65|15232\n\
    1.3.6.1.2.1.43.11.1.1.6.1.1|4|Black Cartridge HP CF259A\n\
    1.3.6.1.2.1.43.11.1.1.8.1.1|2|100\n1.3.6.1.2.1.43.11.1.1.9.1.1|2|28\n\
    1.3.6.1.4.1.11.2.3.9.1.1.7.0|4|MFG:HP;MDL:HP LaserJet Pro M404;SN:VNX7Q12345;\n\
    1.3.6.1.4.1.11.2.3.9.4.2.1.1.3.3.0|4x|0115564e58375131320a3333203334203335\n\
    1.3.6.1.4.1.11.2.3.9.4.2.1.1.6.5.1.0|4|salaries.xlsx by annlee\n\
    1.3.6.1.4.1.11.2.3.9.9.1.0|4|TCP at 10.4.0.21 (3C:2A:F4:AA:BB:CC), mail berlin@corp.example\n\
    1.3.6.1.4.1.11.2.3.9.9.2.0|4|http://prn-berlin-17.corp.example/\n\
    1.3.6.1.4.1.11.2.3.9.9.3.0|4|Energy saver\n\
    1.3.6.1.6.3.15.1.2.2.1.3.5.1.2.3.4.5.3.111.112.115|4|opsuser\n";

fn read(said: &Snapshot) -> Reading {
    assemble(said, Origin::new("127.0.0.1", 161, SnmpVersion::V2c))
}

fn disguised(keep_serial: bool) -> Disguised {
    let said = parse_recording(TALKATIVE.as_bytes());
    Disguise { seed: 42, keep_serial }.apply(&said, &said)
}

#[test]
fn a_recording_gives_nobody_away() {
    let shown = write_recording(&disguised(false).said);
    let mut readable = shown.clone();
    for (_, value) in disguised(false).said.iter() {
        readable
            .push_str(&value.as_bytes().map(|octets| String::from_utf8_lossy(octets).into_owned()).unwrap_or_default());
    }
    let readable = readable.to_lowercase();
    for secret in [
        "vnx7q12345",
        "ann",
        "lee",
        "corp",
        "berlin",
        "1234567",
        "5678",
        "reception",
        "10.4.0",
        "f4aabbcc",
        "f4:aa:bb",
        "salaries",
        "opsuser",
        "112233445566",
    ] {
        assert!(!readable.contains(secret), "{secret} is still there:\n{readable}");
    }
    assert!(readable.contains("3c2af4"), "the maker's half of the hardware address stays");
    assert!(readable.contains("energy saver"), "what speaks of nobody stays");
}

#[test]
fn a_recording_says_what_was_replaced() {
    let made = disguised(false);
    let kinds: Vec<&str> = made.replaced.iter().map(|replaced| replaced.kind).collect();
    assert_eq!(kinds, ["address", "contact", "location", "mac", "mail", "name", "person", "serial"]);
    let serial = made.replaced.iter().find(|replaced| replaced.kind == "serial").unwrap();
    assert_eq!((serial.values, serial.objects), (1, 4), "sysDescr, prtGeneralSerialNumber, device id, HP's own object");
    assert_eq!(made.left_out, 4, "addresses, neighbours, a job, a user");
    let left: Vec<&str> = made.texts_left.iter().map(|(_, text)| text.as_str()).collect();
    assert_eq!(left, ["Energy saver"], "what nobody judged is named, so that somebody reads it");
}

#[test]
fn a_recording_reads_back_as_the_device_up_to_what_was_replaced() {
    let said = parse_recording(TALKATIVE.as_bytes());
    let again = parse_recording(write_recording(&disguised(false).said).as_bytes());
    let (was, mut is) = (read(&said), read(&again));
    assert_ne!(is.identity.serial, was.identity.serial);
    assert_eq!(is.identity.serial.as_ref().map(String::len), was.identity.serial.as_ref().map(String::len));
    let description = is.identity.description.clone().unwrap();
    assert!(description.contains(is.identity.serial.as_deref().unwrap()), "one stand-in everywhere: {description}");
    let (own, theirs) = (&mut is.identity, was.identity.clone());
    (own.serial, own.name, own.location) = (theirs.serial, theirs.name, theirs.location);
    (own.contact, own.mac, own.description) = (theirs.contact, theirs.mac, theirs.description);
    assert_eq!(is, was);
    let kept = read(&disguised(true).said);
    assert_eq!(kept.identity.serial, was.identity.serial, "--keep-serial");
    assert_ne!(kept.identity.name, was.identity.name);
}

#[test]
fn stand_ins_follow_the_seed() {
    let said = parse_recording(TALKATIVE.as_bytes());
    let made = |seed| write_recording(&Disguise { seed, keep_serial: false }.apply(&said, &said).said);
    assert_eq!(made(1), made(1));
    assert_ne!(made(1), made(2));
}

#[test]
fn real_recordings_read_the_same_when_disguised() {
    let Some(folder) = crate::recordings::recordings() else { return };
    let mut compared = 0;
    for (oracle, walk) in crate::recordings::pairs(Path::new(&folder)) {
        let said = device::load_recording(&walk).unwrap();
        let made = Disguise { seed: 9, keep_serial: true }.apply(&said, &said).said;
        let (was, is) = (read(&said), read(&parse_recording(write_recording(&made).as_bytes())));
        let facts = |reading: &Reading| {
            let identity = &reading.identity;
            (identity.vendor.clone(), identity.model.clone(), identity.serial.clone(), identity.firmware.clone())
        };
        assert_eq!(facts(&is), facts(&was), "{}", oracle["recording"]);
        assert_eq!(
            (&is.meters, &is.status, &is.inputs),
            (&was.meters, &was.status, &was.inputs),
            "{}",
            oracle["recording"]
        );
        let levels = |reading: &Reading| {
            reading.supplies.iter().map(|supply| (supply.index.clone(), supply.level)).collect::<Vec<_>>()
        };
        assert_eq!(levels(&is), levels(&was), "{}", oracle["recording"]);
        compared += 1;
    }
    assert!(compared > 20);
}
