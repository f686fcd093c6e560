//! The road on which the server calls: its request goes in, the answer for it comes out.

use std::io;

use wire::command::Acks;
use wire::hello::PollReply;
use wire::{Subject, cbor};

use crate::{Crypto, Flash, Moment, Monitor, Wish};

/// Where the server calls, behind the address of the device's own listener.
pub const CALL_PATH: &str = "/d/v1/orders";
/// Largest request.
const MOST_BYTES: usize = 256 * 1_024;
/// Most orders of one request.
const MOST_ORDERS: usize = 64;

/// What came of a call of the server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Called {
    /// The body of the 200 that the firmware answers with: CBOR of [`Acks`]. Empty: it answers 204.
    pub answer: Vec<u8>,
    /// What the orders ask for.
    pub wishes: Vec<Wish>,
    pub(crate) ids: Vec<Subject>,
}

/// A request that is none of the protocol: the firmware answers 400.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the request is no list of orders")]
pub struct NotOrders;

impl<F: Flash, C: Crypto> Monitor<F, C> {
    /// Takes a call of the server. Only what is signed by its key counts: the orders; a schedule must come as one.
    ///
    /// # Errors
    /// When the flash cannot keep what must be kept: the firmware answers 503.
    pub fn called(&mut self, now: Moment, body: &[u8]) -> io::Result<Result<Called, NotOrders>> {
        if body.len() > MOST_BYTES || self.state.sender.is_none() {
            return Ok(Err(NotOrders));
        }
        let Ok(request) = cbor::decode::<PollReply>(body) else { return Ok(Err(NotOrders)) };
        if request.commands.len() > MOST_ORDERS {
            return Ok(Err(NotOrders));
        }
        let wishes = self.on_orders(now, None, &request.commands)?;
        let Acks { acks } = self.outbox.acks();
        if acks.is_empty() {
            return Ok(Ok(Called { wishes, ..Called::default() }));
        }
        let ids = acks.iter().map(|ack| ack.id).collect();
        Ok(Ok(Called { answer: cbor::encode(&Acks { acks }), wishes, ids }))
    }

    /// The answer of a call has left whole; what it told is not told again. When it did not, the answers go by the
    /// device's own calls.
    ///
    /// # Errors
    /// When the flash refuses.
    pub fn called_back(&mut self, called: &Called) -> io::Result<()> {
        self.outbox.answered(&mut self.flash, &called.ids)
    }
}
