//! A v3 message as USM sees it: sealed before it is sent, checked and opened in place when it comes.

use std::ops::Range;

use smallvec::SmallVec;

use super::cipher::Nonce;
use super::digest::Mac;
use super::keys::LocalKeys;
use super::params::Params;
use crate::ber::{Malformed, Tail, Writer, tag};
use crate::message::{Flags, Header, MessageRef, Scoped, ScopedData, V3Message, write_scoped, write_v3_with};

/// Longest message we take, in bytes: a UDP datagram.
const MAX_SIZE: i32 = 65_507;

/// An engine id or a user name.
pub(crate) type Name = SmallVec<[u8; 32]>;

/// What a message is sealed with.
pub(crate) struct Seal<'a> {
    pub(crate) msg_id: i32,
    /// The authoritative engine and its clock.
    pub(crate) engine_id: &'a [u8],
    pub(crate) boots: u32,
    pub(crate) time: u32,
    pub(crate) user: &'a [u8],
    pub(crate) keys: &'a LocalKeys,
    /// Whether the text is encrypted; needs a key that does it.
    pub(crate) private: bool,
    pub(crate) reportable: bool,
    /// Number of the message, never used twice with the same keys.
    pub(crate) number: u64,
}

impl Seal<'_> {
    /// Writes a message over the contents of `out`.
    pub(crate) fn write(
        &self,
        context_engine: &[u8],
        context: &[u8],
        out: &mut Vec<u8>,
        pdu: impl FnOnce(&mut Writer<'_>),
    ) {
        out.clear();
        let (auth, cipher) = (self.keys.auth.as_ref(), self.keys.privacy.as_ref().filter(|_| self.private));
        let flags = Flags { auth: auth.is_some(), privacy: cipher.is_some(), reportable: self.reportable };
        let header = Header { msg_id: self.msg_id, max_size: MAX_SIZE, flags };
        let blank = [0; 48];
        let salt = cipher.map(|cipher| cipher.salt(self.boots, self.number));
        let params = Params {
            engine_id: self.engine_id,
            boots: self.boots,
            time: self.time,
            user: self.user,
            mac: &blank[..auth.map_or(0, |(protocol, _)| protocol.mac_len())],
            mac_at: 0,
            salt: salt.as_ref().map_or(&[], |salt| salt),
        };
        write_v3_with(
            &mut Writer::new(out),
            header,
            |writer| params.write(writer),
            |writer| {
                let Some(cipher) = cipher else { return write_scoped(writer, context_engine, context, pdu) };
                let text = writer.open(tag::OCTET_STRING);
                let before = writer.len();
                write_scoped(writer, context_engine, context, pdu);
                let length = writer.len() - before;
                writer.raw(&blank[..length.next_multiple_of(cipher.block()) - length]);
                writer.close(text);
            },
        );
        self.protect(out, salt);
    }

    /// Encrypts and signs what was written.
    fn protect(&self, out: &mut [u8], salt: Option<[u8; 8]>) {
        let Ok(envelope) = Envelope::parse(out) else { return };
        if let (Some(cipher), Some(salt)) = (&self.keys.privacy, salt) {
            let nonce = Nonce { boots: self.boots, time: self.time, salt };
            let fits = cipher.encrypt(nonce, &mut out[envelope.data.clone()]);
            debug_assert!(fits, "the text was padded to the block");
        }
        if let Some((_, mac)) = &self.keys.auth {
            let mut digest = [0; 48];
            let length = mac.sign(out, &mut digest);
            out[envelope.mac].copy_from_slice(&digest[..length]);
        }
    }
}

/// Where the parts of a message are; it holds no reference, so that the message can be changed in place.
#[derive(Clone, Debug)]
pub(crate) struct Envelope {
    pub(crate) header: Header,
    pub(crate) engine_id: Name,
    pub(crate) user: Name,
    pub(crate) boots: u32,
    pub(crate) time: u32,
    pub(crate) encrypted: bool,
    mac: Range<usize>,
    salt: SmallVec<[u8; 8]>,
    data: Range<usize>,
    length: usize,
}

impl Envelope {
    /// Finds the parts of a v3 message.
    pub(crate) fn parse(datagram: &[u8]) -> Result<Self, Malformed> {
        match MessageRef::parse(datagram, Tail::Whole)? {
            MessageRef::V3(message) => Self::of(&message),
            MessageRef::Community(_) => Err(Malformed { offset: 0, what: "a message of another version" }),
        }
    }

    fn of(message: &V3Message<'_>) -> Result<Self, Malformed> {
        let params = Params::parse(message.security)?;
        let (encrypted, length) = match message.data {
            ScopedData::Plain(bytes) => (false, bytes.len()),
            ScopedData::Encrypted(bytes) => (true, bytes.len()),
        };
        let mac_at = message.security_at + params.mac_at;
        Ok(Self {
            header: message.header,
            engine_id: Name::from_slice(params.engine_id),
            user: Name::from_slice(params.user),
            boots: params.boots,
            time: params.time,
            encrypted,
            mac: mac_at..mac_at + params.mac.len(),
            salt: SmallVec::from_slice(params.salt),
            data: message.data_at..message.data_at + length,
            length: message.length,
        })
    }

    /// Whether the digest is right. It is blank afterwards.
    pub(super) fn is_authentic(&self, datagram: &mut [u8], mac: &Mac) -> bool {
        let mut given = [0; 48];
        let Some(given) = given.get_mut(..self.mac.len()) else { return false };
        given.copy_from_slice(&datagram[self.mac.clone()]);
        datagram[self.mac.clone()].fill(0);
        mac.verify(&datagram[..self.length], given)
    }

    /// Decrypts in place; false if that cannot be. A wrong key shows only when the text is read.
    pub(super) fn decrypt(&self, datagram: &mut [u8], keys: &LocalKeys) -> bool {
        let (Some(cipher), Ok(salt)) = (&keys.privacy, <[u8; 8]>::try_from(self.salt.as_slice())) else {
            return false;
        };
        cipher.decrypt(Nonce { boots: self.boots, time: self.time, salt }, &mut datagram[self.data.clone()])
    }

    /// The scoped PDU, once it is in the clear.
    pub(crate) fn scoped<'d>(&self, datagram: &'d [u8]) -> Result<Scoped<'d>, Malformed> {
        Scoped::parse(self.data(datagram), Tail::Whole)
    }

    /// Its bytes.
    pub(crate) fn data<'d>(&self, datagram: &'d [u8]) -> &'d [u8] {
        &datagram[self.data.clone()]
    }
}
