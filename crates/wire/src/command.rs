//! Orders to one device or agent: signed by the gateway, of one use, soon over; and the answers to them.

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::{Subject, hello::GatewayKey, monitor::Kind, schedule::Schedule};

/// Longest life of an order, milliseconds: seven days.
pub const MAX_LIFE_MS: i64 = 7 * 24 * 3_600 * 1_000;

/// A signed order. Whoever it names checks the signature, the name and the time, and executes an id at most once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[cbor(map)]
pub struct Command {
    /// The order itself, as the bytes that were signed: CBOR of [`Order`].
    #[n(1)]
    #[cbor(with = "minicbor::bytes")]
    #[serde(with = "crate::base64url")]
    pub order: Vec<u8>,
    /// Which key of the gateway signed.
    #[n(2)]
    pub key: u32,
    /// Ed25519 over [`Command::signing_input`], 64 bytes.
    #[n(3)]
    #[cbor(with = "minicbor::bytes")]
    #[serde(with = "crate::base64url")]
    pub signature: Vec<u8>,
}

impl Command {
    /// What is signed: a word that no other signature of ours begins with, then the order's bytes.
    pub fn signing_input(order: &[u8]) -> Vec<u8> {
        [b"platen-command-v1\n".as_slice(), order].concat()
    }

    /// The order, if it is one for `me` to execute at `now_ms` of the server's clock. `verify` checks an Ed25519 signature
    /// by public key, message and signature. Whether the id was executed before is for the caller to know.
    ///
    /// # Errors
    /// [`Unfit`], which also names the order where that can be read.
    pub fn open(
        &self,
        me: Subject,
        keys: &[GatewayKey],
        now_ms: i64,
        verify: impl FnOnce(&[u8], &[u8], &[u8]) -> bool,
    ) -> Result<Order, Unfit> {
        let order: Order = crate::cbor::decode(&self.order).map_err(|_| Unfit { id: None, why: "it does not read" })?;
        let unfit = |why| Err(Unfit { id: Some(order.id), why });
        let key = keys.iter().find(|key| key.id == self.key);
        if !key.is_some_and(|key| verify(&key.verify, &Self::signing_input(&self.order), &self.signature)) {
            return unfit("it is not genuine: no key of the gateway that is known signed it");
        }
        if order.target != me {
            return unfit("it is for somebody else");
        }
        if order.expires_ms <= now_ms || order.expires_ms.saturating_sub(order.issued_ms) > MAX_LIFE_MS {
            return unfit("its time is over");
        }
        Ok(order)
    }
}

/// Why an order is not executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unfit {
    /// Its name, if it has one.
    pub id: Option<Subject>,
    /// For people.
    pub why: &'static str,
}

/// What one device or agent shall do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[cbor(map)]
pub struct Order {
    /// Name of this order, for ever.
    #[n(1)]
    pub id: Subject,
    /// The only one who may execute it.
    #[n(2)]
    pub target: Subject,
    /// When it was signed, milliseconds since 1970.
    #[n(3)]
    pub issued_ms: i64,
    /// From then on it is refused; at most [`MAX_LIFE_MS`] after `issued_ms`.
    #[n(4)]
    pub expires_ms: i64,
    /// The device that an agent shall do it for; `None`: the target itself.
    #[n(5)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Subject>,
    /// What is to be done.
    #[n(6)]
    pub what: What,
}

/// Things that can be ordered. A word that a device does not know is answered with [`Taken::Refused`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// Tell these kinds now; an empty list: all that are told regularly.
    #[n(1)]
    ReportNow(#[n(0)] Vec<Kind>),
    /// Follow this schedule.
    #[n(2)]
    Schedule(#[n(0)] Schedule),
    /// Upload the debug log now.
    #[n(3)]
    SendLog,
    /// Know these keys of the gateway from now on, and no others; newest first.
    #[n(4)]
    Keys(#[n(0)] Vec<GatewayKey>),
    /// Look for devices now, whatever the hours; for agents.
    #[n(5)]
    Discover,
}

/// `POST /d/v1/ack`: what became of orders.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[cbor(map)]
pub struct Acks {
    /// 1 to 64 answers.
    #[n(1)]
    pub acks: Vec<Ack>,
}

/// The answer to one order; saying it again changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[cbor(map)]
pub struct Ack {
    /// The order's id.
    #[n(1)]
    pub id: Subject,
    /// What became of it.
    #[n(2)]
    pub taken: Taken,
    /// For people, at most 500 bytes.
    #[n(3)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// What became of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[serde(rename_all = "snake_case")]
#[cbor(index_only)]
pub enum Taken {
    /// Done.
    #[n(1)]
    Done,
    /// Tried, and it did not work.
    #[n(2)]
    Failed,
    /// Not tried: not mine, over, a wrong signature, or nothing I can do.
    #[n(3)]
    Refused,
    /// Not now, ask again: a job is running, a person is at the panel.
    #[n(4)]
    NotNow,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(order: &Order) -> Command {
        Command { order: crate::cbor::encode(order), key: 7, signature: vec![9; 64] }
    }

    #[test]
    fn an_order_is_opened_only_when_genuine_mine_and_in_time() {
        let me = Subject([1; 16]);
        let order = Order {
            id: Subject([2; 16]),
            target: me,
            issued_ms: 1_000,
            expires_ms: 2_000,
            subject: None,
            what: What::Discover,
        };
        let keys = [GatewayKey { id: 7, verify: vec![3; 32], seal: vec![4; 65] }];
        let why = |order: &Order, keys: &[GatewayKey], now, genuine| {
            command(order).open(me, keys, now, |_, _, _| genuine).err().map(|unfit| (unfit.id.is_some(), unfit.why))
        };
        assert_eq!(why(&order, &keys, 1_999, true), None);
        assert_eq!(why(&order, &keys, 2_000, true), Some((true, "its time is over")));
        assert!(why(&order, &keys, 1_500, false).is_some_and(|(_, why)| why.contains("not genuine")));
        assert!(why(&order, &[], 1_500, true).is_some_and(|(_, why)| why.contains("not genuine")), "an unknown key");
        let of_another = Order { target: Subject([5; 16]), ..order.clone() };
        assert_eq!(why(&of_another, &keys, 1_500, true), Some((true, "it is for somebody else")));
        let eternal = Order { expires_ms: 1_000 + MAX_LIFE_MS + 1, ..order };
        assert_eq!(why(&eternal, &keys, 1_500, true), Some((true, "its time is over")), "no order lives for ever");
        let rubbish = Command { order: vec![0xff], key: 7, signature: Vec::new() };
        assert_eq!(rubbish.open(me, &keys, 0, |_, _, _| true).unwrap_err().id, None);
    }
}
