//! The asker of `vmfp`: the same request to one device, as fast as it answers, for some seconds. It shares nothing
//! with the engine, so that the simulators are measured and not we.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};
use snmp::ber::Writer;
use snmp::message::write_community;
use snmp::pdu::{PduKind, write_pdu};
use snmp::{Oid, ValueRef, Version};

use super::poll::EIGHT;
use super::print;
use crate::exit::Exit;

/// Requests on the way.
const WINDOW: usize = 64;

/// `platen bench-run blast`
#[derive(Args, Debug)]
pub struct BlastArgs {
    /// Address and port of the device
    #[arg(long)]
    pub to: SocketAddr,
    /// Community
    #[arg(long, default_value = "public")]
    pub community: String,
    /// What is asked
    #[arg(long)]
    pub kind: Kind,
    /// Seconds
    #[arg(long)]
    pub seconds: f64,
}

/// What is asked.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// GET of 8 objects
    Get,
    /// GETBULK of 20 rows
    Bulk,
}

/// What it prints.
#[derive(Serialize, Deserialize, Debug, Clone, Copy)]
pub(in crate::bench) struct Blasted {
    pub(in crate::bench) answers: u64,
    pub(in crate::bench) bytes: u64,
    pub(in crate::bench) seconds: f64,
}

pub(super) fn run(args: &BlastArgs) -> Result<Exit> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).context("no UDP port is free")?;
    socket.connect(args.to).with_context(|| format!("cannot reach {}", args.to))?;
    socket.set_read_timeout(Some(Duration::from_millis(100)))?;
    let request = request(args)?;
    let (start, limit) = (Instant::now(), Duration::try_from_secs_f64(args.seconds)?);
    let (mut open, mut answer) = (0, vec![0; 65_536]);
    let mut blasted = Blasted { answers: 0, bytes: 0, seconds: 0.0 };
    while start.elapsed() < limit {
        while open < WINDOW && socket.send(&request).is_ok() {
            open += 1;
        }
        match socket.recv(&mut answer) {
            Ok(length) => {
                open = open.saturating_sub(1);
                blasted.answers += 1;
                blasted.bytes += length as u64;
            }
            // Lost on the way: fill the window again.
            Err(_) => open = 0,
        }
    }
    blasted.seconds = start.elapsed().as_secs_f64();
    print(&blasted)
}

fn request(args: &BlastArgs) -> Result<Vec<u8>> {
    let (kind, numbers, oids) = match args.kind {
        Kind::Get => (PduKind::Get, [1, 0, 0], &EIGHT[..]),
        Kind::Bulk => (PduKind::GetBulk, [1, 0, 20], &["1.3.6.1.2.1.43.11"][..]),
    };
    let oids = oids.iter().map(|text| text.parse()).collect::<Result<Vec<Oid>, _>>()?;
    let mut packet = Vec::new();
    write_community(&mut Writer::new(&mut packet), Version::V2c, args.community.as_bytes(), |writer| {
        write_pdu(writer, kind, numbers, oids.iter().map(|oid| (oid.as_ref(), ValueRef::Null)));
    });
    Ok(packet)
}
