//! One connection as bytes: in the clear, or inside TLS; from the one to the other by STARTTLS and STLS.

use std::{io, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

/// What a client still sends behind our last words is read for so long, so that they reach it.
const LINGER: Duration = Duration::from_secs(1);
/// And so many bytes of it.
const LINGER_BYTES: usize = 64 * 1024;

/// A connection.
#[derive(Debug)]
pub(super) enum Line {
    Clear(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Line {
    /// Does the handshake as server.
    pub(super) async fn secure(self, acceptor: &TlsAcceptor, within: Duration) -> io::Result<Self> {
        let Self::Clear(stream) = self else { return Err(io::Error::other("TLS within TLS")) };
        let stream = timeout(within, acceptor.accept(stream)).await??;
        Ok(Self::Tls(Box::new(stream)))
    }

    /// 0 at the end of the stream.
    pub(super) async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Clear(stream) => stream.read(buffer).await,
            Self::Tls(stream) => stream.read(buffer).await,
        }
    }

    /// Sends all of it within `within`, for a client that does not read must not hold a place for ever.
    pub(super) async fn write(&mut self, bytes: &[u8], within: Duration) -> io::Result<()> {
        let sent = async {
            match self {
                Self::Clear(stream) => stream.write_all(bytes).await,
                Self::Tls(stream) => {
                    stream.write_all(bytes).await?;
                    stream.flush().await
                }
            }
        };
        timeout(within, sent).await?
    }

    /// Ends it such that what was said last arrives.
    pub(super) async fn close(mut self) {
        let end = async {
            match &mut self {
                Self::Clear(stream) => stream.shutdown().await?,
                Self::Tls(stream) => stream.shutdown().await?,
            }
            let (mut rest, mut left) = ([0; 4096], LINGER_BYTES);
            while left > 0 {
                match self.read(&mut rest).await? {
                    0 => break,
                    count => left = left.saturating_sub(count),
                }
            }
            io::Result::Ok(())
        };
        let _ = timeout(LINGER, end).await;
    }
}
