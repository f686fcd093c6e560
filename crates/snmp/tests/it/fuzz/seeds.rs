//! Good packets of every kind to begin with: made here, and, when they are at hand, answers from recordings.

use bytes::Bytes;
use snmp::ber::Writer;
use snmp::message::{Flags, Header, write_community, write_discovery, write_scoped, write_v3};
use snmp::pdu::{Pdu, PduKind};
use snmp::trap::{V1, write_inform, write_v1, write_v2};
use snmp::usm::{Authority, Users};
use snmp::{AuthProtocol, Oid, PrivProtocol, UsmUser, Value, VarBind, Version};

const KINDS: [PduKind; 7] = [
    PduKind::Get,
    PduKind::GetNext,
    PduKind::Response,
    PduKind::Set,
    PduKind::GetBulk,
    PduKind::Inform,
    PduKind::TrapV2,
];
const ENGINE: &[u8] = b"\x80\x00\x1f\x88\x04platen";

/// A value of every type.
fn values() -> Vec<VarBind> {
    let base = Oid::of("1.3.6.1.2.1.43.11.1.1");
    let values = [
        Value::Integer(-3),
        Value::Integer(i32::MAX),
        Value::text("Black Toner Cartridge"),
        Value::Null,
        Value::ObjectId(Oid::of("1.3.6.1.4.1.367.1.1")),
        Value::ObjectId(Oid::from_arcs(&[2, 999, u32::MAX, 0, 128])),
        Value::IpAddress([10, 1, 2, 3]),
        Value::Counter32(4_000_000_000),
        Value::Gauge32(70),
        Value::TimeTicks(123_456_789),
        Value::Opaque(Bytes::from_static(&[0x9f, 0x78, 4, 0x42, 0xf6, 0, 0])),
        Value::Counter64(u64::MAX),
        Value::NoSuchObject,
        Value::NoSuchInstance,
        Value::EndOfMibView,
        Value::OctetString(Bytes::from(vec![b'x'; 200])),
        Value::OctetString(Bytes::new()),
    ];
    (1..).zip(values).map(|(index, value)| VarBind::new(base.join(&[index, 1, 300]), value)).collect()
}

/// Values that v1 knows.
fn old_values() -> Vec<VarBind> {
    let new = |value: &Value| matches!(value, Value::Counter64(_)) || value.borrowed().is_exception();
    values().into_iter().filter(|item| !new(&item.value)).collect()
}

fn community(version: Version, pdu: &Pdu) -> Vec<u8> {
    let mut out = Vec::new();
    write_community(&mut Writer::new(&mut out), version, b"public", |writer| pdu.write(writer));
    out
}

fn traps(into: &mut Vec<Vec<u8>>) {
    let trap = Oid::of("1.3.6.1.2.1.43.18.2.0.1");
    for generic in [0, 6] {
        let mut out = Vec::new();
        let enterprise = Oid::of("1.3.6.1.2.1.43.18.2");
        let head = V1 { enterprise, agent_address: [10, 1, 2, 3], generic, specific: 1, uptime: 99 };
        write_v1(&mut out, b"public", &head, &old_values());
        into.push(out);
    }
    for write in [write_v2, write_inform] {
        let mut out = Vec::new();
        write(&mut out, b"public", 0x0102_0304, 4_711, &trap, &values());
        into.push(out);
    }
}

/// usmSecurityParameters.
fn parameters(engine: &[u8], clock: [i32; 2], user: &[u8], mac: &[u8], salt: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut writer = Writer::new(&mut out);
    let all = writer.open(0x30);
    writer.primitive(4, engine);
    writer.int32(clock[0]);
    writer.int32(clock[1]);
    writer.primitive(4, user);
    writer.primitive(4, mac);
    writer.primitive(4, salt);
    writer.close(all);
    out
}

fn v3(into: &mut Vec<Vec<u8>>) {
    let mut discovery = Vec::new();
    write_discovery(&mut Writer::new(&mut discovery), 0x1234_5678);
    into.push(discovery);
    let mut plain = |flags: Flags, security: &[u8], context: &[u8], pdu: &Pdu| {
        let mut out = Vec::new();
        write_v3(&mut Writer::new(&mut out), Header { msg_id: 77, max_size: 65_507, flags }, security, |writer| {
            write_scoped(writer, ENGINE, context, |writer| {
                pdu.write(writer);
            });
        });
        into.push(out);
    };
    let open = parameters(ENGINE, [7, 123_456], b"plain", &[], &[]);
    let signed = parameters(ENGINE, [7, 123_456], b"signed", &[0x55; 12], &[]);
    let reportable = Flags { reportable: true, ..Flags::default() };
    let counter = Oid::of("1.3.6.1.6.3.15.1.1.4.0");
    for kind in KINDS {
        plain(reportable, &open, b"", &Pdu::new(kind, 5, values()));
    }
    plain(Flags { auth: true, ..reportable }, &signed, b"Jetdirect", &Pdu::new(PduKind::Response, 6, values()));
    let report = Pdu::new(PduKind::Report, 7, vec![VarBind::new(counter, Value::Counter32(9))]);
    plain(Flags::default(), &open, b"", &report);
    let user =
        UsmUser::new("secure").auth(AuthProtocol::Sha256, "authpass1").privacy(PrivProtocol::Aes128, "privpass1");
    let Ok(users) = Users::new(&[user]) else { return };
    let authority = Authority::new(ENGINE, 7, users);
    let mut sealed = Vec::new();
    if authority.notify("secure", b"", 77, &mut sealed, &Pdu::new(PduKind::TrapV2, 5, values())).is_ok() {
        into.push(sealed);
    }
}

/// Packets of every message kind, all of them good.
pub fn own() -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for kind in KINDS {
        all.push(community(Version::V2c, &Pdu::new(kind, 0x1234_5678, values())));
    }
    for kind in &KINDS[..4] {
        all.push(community(Version::V1, &Pdu::new(*kind, -2, old_values())));
    }
    for item in values() {
        all.push(community(Version::V2c, &Pdu::new(PduKind::Response, 1, vec![item])));
    }
    let error = Pdu { status: 5, index: 2, ..Pdu::new(PduKind::Response, 0, values()) };
    all.push(community(Version::V2c, &error));
    all.push(community(Version::V2c, &Pdu { index: 20, ..Pdu::new(PduKind::GetBulk, 3, values()) }));
    all.push(community(Version::V2c, &Pdu::new(PduKind::Response, 2, Vec::new())));
    let long = (1..=60).map(|row| VarBind::new(Oid::of("1.3.6.1.4.1.9.1").child(row), Value::Integer(row as i32)));
    all.push(community(Version::V2c, &Pdu::new(PduKind::Response, 4, long.collect())));
    traps(&mut all);
    v3(&mut all);
    all
}

/// Answers that the recorded printers would give; none without the recordings.
pub fn recorded() -> Vec<Vec<u8>> {
    let Some(folder) = crate::recordings::folder() else { return Vec::new() };
    let mut files: Vec<_> = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|file| file.path()).collect();
    files.sort();
    let mut all = Vec::new();
    for file in files {
        let rows: Vec<VarBind> =
            crate::recordings::load(&file).0.into_iter().map(|(o, v)| VarBind::new(o, v)).collect();
        for (number, rows) in (0..).zip(rows.chunks(9).step_by(3)) {
            all.push(community(Version::V2c, &Pdu::new(PduKind::Response, number, rows.to_vec())));
        }
    }
    all
}
