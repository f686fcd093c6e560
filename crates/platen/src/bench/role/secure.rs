//! SNMPv3 of the benchmarks: one user, and a load of many engines that each hold the eight objects of a poll.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use anyhow::{Context, Result};
use snmp::responder::{Agent, Asked, Mib, Responder, ResponderConfig, answer_v3};
use snmp::usm::{Authority, Users};
use snmp::{AuthProtocol, Oid, PrivProtocol, UsmUser, Value};

use super::load::{LoadArgs, Loaded};
use super::poll::EIGHT;
use super::{leave, until_closed};
use crate::exit::Exit;

/// Name of the user.
pub(in crate::bench) const USER: &str = "poller";
/// Pass phrases that are no secret.
pub(in crate::bench) const AUTH_PASS: &str = "benchmark-auth";
pub(in crate::bench) const PRIV_PASS: &str = "benchmark-priv";

/// The user, with SHA-256 and AES-256.
pub(super) fn user() -> UsmUser {
    UsmUser::new(USER).auth(AuthProtocol::Sha256, AUTH_PASS).privacy(PrivProtocol::Aes256, PRIV_PASS)
}

/// The eight objects of every engine.
struct Objects(BTreeMap<Oid, Value>);

impl Objects {
    fn new() -> Result<Self> {
        let row = |(number, text): (i32, &&str)| Ok((text.parse()?, Value::Integer(number)));
        Ok(Self((1_000..).zip(&EIGHT).map(row).collect::<Result<_>>()?))
    }
}

impl Mib for Objects {
    fn get(&self, oid: &Oid) -> Value {
        self.0.get(oid).cloned().unwrap_or(Value::NoSuchInstance)
    }

    fn next(&self, oid: &Oid) -> Option<(Oid, Value)> {
        let mut after = self.0.range((std::ops::Bound::Excluded(oid), std::ops::Bound::Unbounded));
        after.next().map(|(oid, value)| (oid.clone(), value.clone()))
    }
}

/// Engines at successive addresses until standard input closes.
pub(super) async fn load(args: &LoadArgs) -> Result<Exit> {
    let users = Users::new(&[user()]).context("the user of the benchmark cannot be used")?;
    let engines: Vec<Authority> = (0..args.devices)
        .map(|place| {
            let address = Ipv4Addr::from(u32::from(args.base) + place);
            Authority::new(&[&[0x80, 0, 0, 0, 1], &address.octets()[..]].concat(), 1, Arc::clone(&users))
        })
        .collect();
    let objects = Objects::new()?;
    let bind = SocketAddr::from((Ipv4Addr::UNSPECIFIED, args.port));
    let responder = Responder::bind(ResponderConfig { bind, loopback_only: true }).context("cannot listen")?;
    leave(&args.ready_file, &Loaded { port: responder.local_addr().port() })?;
    let base = u32::from(args.base);
    let serve = responder.serve(move |datagram, out| {
        let IpAddr::V4(to) = datagram.to.ip() else { return false };
        let place = u32::from(to).checked_sub(base).map(|place| place as usize);
        let Some(engine) = place.and_then(|place| engines.get(place)) else { return false };
        let known = |asked: &Asked<'_>| (asked.name == USER.as_bytes()).then(|| Agent::new(&objects));
        answer_v3(datagram.bytes, engine, known, out).is_ok()
    });
    let mut closed = tokio::task::spawn_blocking(until_closed);
    tokio::select! {
        failed = serve => failed.context("receiving failed")?,
        _ = &mut closed => {}
    }
    Ok(Exit::Success)
}
