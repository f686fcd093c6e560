//! Bytes from one connection to another and back, until both have said their last or nobody has said anything for long.

use std::{io, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    time::timeout,
};

/// A way that carries nothing for so long is closed: longer than a gateway holds an idle connection.
const IDLE: Duration = Duration::from_secs(300);
/// Room for bytes on their way, one each direction.
const ROOM: usize = 8 << 10;

/// Bytes that went through.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Carried {
    pub(super) up: u64,
    pub(super) down: u64,
}

/// Carries until both directions have ended or one has failed.
pub(super) async fn carry(device: TcpStream, gateway: TcpStream) -> Carried {
    let (from_device, to_device) = device.into_split();
    let (from_gateway, to_gateway) = gateway.into_split();
    let mut carried = Carried::default();
    let (up, down) =
        (one_way(from_device, to_gateway, &mut carried.up), one_way(from_gateway, to_device, &mut carried.down));
    // A failure of one way ends the other: half a TLS connection is of use to nobody.
    let _ = tokio::try_join!(up, down);
    carried
}

async fn one_way(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, carried: &mut u64) -> io::Result<()> {
    let mut room = vec![0; ROOM];
    loop {
        let read = timeout(IDLE, from.read(&mut room)).await.map_err(io::Error::from)??;
        if read == 0 {
            return to.shutdown().await;
        }
        timeout(IDLE, to.write_all(&room[..read])).await.map_err(io::Error::from)??;
        *carried += read as u64;
    }
}
