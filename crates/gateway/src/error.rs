//! Why the gateway cannot open its door.

use std::{io, net::SocketAddr, path::PathBuf};

/// Failure at start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file under the data folder could not be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file under the data folder holds something else.
    #[error("{} is damaged: {reason}", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What was wrong.
        reason: String,
    },
    /// The port is taken, or the address is not this machine's.
    #[error("cannot listen on {address}: {source}; choose another with --gateway-listen")]
    Listen {
        /// Which address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// Certificates or TLS could not be set up.
    #[error("cannot set up TLS: {0}")]
    Tls(String),
}
