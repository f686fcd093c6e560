//! The sender of `snmp-traps`: printer alerts from many addresses at a steady rate. It shares only the codec with us.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Args;
use serde::{Deserialize, Serialize};
use snmp::trap::write_v2;
use snmp::{Oid, Value, VarBind};

use super::print;
use crate::exit::Exit;

/// printerV2Alert (RFC 3805).
pub(in crate::bench) const ALERT: Oid = Oid::of("1.3.6.1.2.1.43.18.2.0.1");
const ENTRY: Oid = Oid::of("1.3.6.1.2.1.43.18.1.1");

/// `platen bench-run trap-blast`
#[derive(Args, Debug)]
pub struct TrapBlastArgs {
    /// Where they go
    #[arg(long)]
    pub to: SocketAddr,
    /// First address that sends
    #[arg(long)]
    pub base: Ipv4Addr,
    /// How many send
    #[arg(long)]
    pub count: u32,
    /// Different alerts of each
    #[arg(long, default_value_t = 4)]
    pub alerts: u32,
    /// Traps a second, over all
    #[arg(long)]
    pub rate: u32,
    /// Seconds
    #[arg(long)]
    pub seconds: f64,
}

/// What it prints.
#[derive(Serialize, Deserialize, Debug, Clone, Copy)]
pub(in crate::bench) struct TrapsSent {
    pub(in crate::bench) sent: u64,
    pub(in crate::bench) seconds: f64,
}

/// A printer's word that its paper path is jammed at `place`, as RFC 3805 has it.
pub(in crate::bench) fn jam(place: u32) -> Vec<VarBind> {
    let cell = |column: u32, value: u32| {
        VarBind::new(ENTRY.join(&[column, 1, place]), Value::Integer(i32::try_from(value).unwrap_or(1)))
    };
    vec![cell(1, place), cell(2, 3), cell(4, 13), cell(5, place), cell(6, 1), cell(7, 8)]
}

pub(super) fn run(args: &TrapBlastArgs) -> Result<Exit> {
    let open = |place: u32| -> Result<UdpSocket> {
        let address = Ipv4Addr::from(u32::from(args.base) + place);
        let socket = UdpSocket::bind((address, 0)).with_context(|| format!("cannot send from {address}"))?;
        socket.connect(args.to)?;
        Ok(socket)
    };
    let sockets = (0..args.count.max(1)).map(open).collect::<Result<Vec<_>>>()?;
    let packet = |place| {
        let mut packet = Vec::new();
        write_v2(&mut packet, b"public", place as i32, 4_711, &ALERT, &jam(place));
        packet
    };
    let packets: Vec<Vec<u8>> = (1..=args.alerts.max(1)).map(packet).collect();
    let (start, limit) = (Instant::now(), Duration::try_from_secs_f64(args.seconds)?);
    let mut sent = 0_u64;
    while start.elapsed() < limit {
        let due = (start.elapsed().as_secs_f64() * f64::from(args.rate)) as u64;
        while sent < due {
            let turn = sent as usize;
            // A refused datagram is a receiver that went away; it is counted as sent, and as lost.
            let _ = sockets[turn % sockets.len()].send(&packets[turn / sockets.len() % packets.len()]);
            sent += 1;
        }
        std::thread::sleep(Duration::from_micros(500));
    }
    print(&TrapsSent { sent, seconds: start.elapsed().as_secs_f64() })
}
