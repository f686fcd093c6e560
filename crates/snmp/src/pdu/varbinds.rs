//! The list of variable bindings of a message, decoded one by one from the receive buffer.

use crate::ber::{Malformed, Reader, tag};
use crate::oid::OidRef;
use crate::value::{ValueRef, VarBind};

/// A variable binding in a receive buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VarBindRef<'a> {
    /// Which object.
    pub oid: OidRef<'a>,
    /// Its value.
    pub value: ValueRef<'a>,
}

impl VarBindRef<'_> {
    /// An owned copy.
    pub fn to_owned(&self) -> VarBind {
        VarBind { oid: self.oid.to_oid(), value: self.value.to_value() }
    }
}

/// An iterator over variable bindings; after the first error it ends.
#[derive(Clone, Copy, Debug)]
pub struct VarBinds<'a> {
    rest: Reader<'a>,
    dead: bool,
}

impl<'a> VarBinds<'a> {
    /// Enters the list.
    #[inline]
    pub(super) fn read(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        Ok(Self { rest: reader.enter(tag::SEQUENCE, "no list of variable bindings")?, dead: false })
    }

    /// Whether the message ended before the list did, so that some bindings are lost.
    pub fn was_cut(&self) -> bool {
        self.rest.was_cut()
    }

    /// Whether there are none (left).
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty() || self.dead
    }

    #[inline]
    fn read_one(&mut self) -> Result<VarBindRef<'a>, Malformed> {
        let before = self.rest;
        // One binding must be there as a whole, whatever the message around it may be.
        let (tag, contents) = self.rest.element()?;
        if tag != tag::SEQUENCE {
            return Err(before.malformed("no variable binding"));
        }
        let mut item = before.within(self.rest.offset() - contents.len(), contents);
        let oid = item.oid()?;
        let value = item.value()?;
        Ok(VarBindRef { oid, value })
    }
}

impl<'a> Iterator for VarBinds<'a> {
    type Item = Result<VarBindRef<'a>, Malformed>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.is_empty() {
            return None;
        }
        let item = self.read_one();
        self.dead = item.is_err();
        Some(item)
    }
}
