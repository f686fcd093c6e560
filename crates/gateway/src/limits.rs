//! What one connection, request or sender may cost (gateway.md §1, §4.5, hard behaviours 10 and 21).

use std::time::Duration;

/// Limits of the listener. The defaults are for production; tests make them small.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Open connections; further ones wait in the kernel's queue.
    pub connections: usize,
    /// Time for the TLS handshake.
    pub handshake: Duration,
    /// Time for the head of a request, and the longest silence between requests of a connection.
    pub head: Duration,
    /// Time for the body of a request as a whole.
    pub body: Duration,
    /// Bytes of a body as sent.
    pub body_bytes: usize,
    /// Bytes of all bodies together that are being received or wait to be read.
    pub memory: usize,
    /// Bytes of a body after decompression.
    pub content_bytes: usize,
    /// Bytes of an enrolment request.
    pub enrol_bytes: usize,
    /// Largest decompression ratio, once more than [`Limits::RATIO_FREE`] bytes came out.
    pub ratio: usize,
    /// Requests of one sender at the same time.
    pub per_sender: usize,
    /// Requests that are worked on at the same time.
    pub working: usize,
    /// Requests that may wait for their turn; the rest is told when to come back.
    pub waiting: usize,
    /// How long a shutdown waits for requests that have begun.
    pub drain: Duration,
}

impl Limits {
    /// Small outputs may have any ratio: a few hundred equal bytes compress without bound.
    pub const RATIO_FREE: usize = 64 * 1024;
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 4_096,
            handshake: Duration::from_secs(10),
            head: Duration::from_secs(30),
            body: Duration::from_secs(30),
            body_bytes: 2 << 20,
            memory: 256 << 20,
            content_bytes: 8 << 20,
            enrol_bytes: 16 << 10,
            ratio: 200,
            per_sender: 2,
            working: 64,
            waiting: 256,
            drain: Duration::from_secs(8),
        }
    }
}
