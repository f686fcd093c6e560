//! Writes BER to the end of a buffer. Constructed elements are opened, filled and closed; closing finds the
//! shortest form of the length.

use super::tag;
use crate::value::ValueRef;

/// A writer onto a buffer that the caller may use again, so that writing need not allocate.
#[derive(Debug)]
pub struct Writer<'b> {
    out: &'b mut Vec<u8>,
}

/// An opened element, to be given back to [`Writer::close`].
#[derive(Debug)]
#[must_use]
pub struct Open(usize);

impl<'b> Writer<'b> {
    /// Appends to `out`.
    pub fn new(out: &'b mut Vec<u8>) -> Self {
        Self { out }
    }

    /// Bytes in the buffer.
    pub fn len(&self) -> usize {
        self.out.len()
    }

    /// Whether nothing is in the buffer.
    pub fn is_empty(&self) -> bool {
        self.out.is_empty()
    }

    /// Begins a constructed element.
    pub fn open(&mut self, tag: u8) -> Open {
        self.out.extend_from_slice(&[tag, 0]);
        Open(self.out.len())
    }

    /// Ends it: sets the length, moving the contents when it needs more than one byte.
    #[expect(clippy::needless_pass_by_value, reason = "an opened element is closed once")]
    pub fn close(&mut self, open: Open) {
        let length = self.out.len() - open.0;
        if length < 0x80 {
            self.out[open.0 - 1] = length as u8;
            return;
        }
        let digits = length.to_be_bytes();
        let zeros = digits.iter().take_while(|digit| **digit == 0).count();
        let digits = &digits[zeros..];
        self.out[open.0 - 1] = 0x80 | digits.len() as u8;
        self.out.extend_from_slice(digits);
        self.out[open.0..].rotate_right(digits.len());
    }

    /// Forgets everything written after a mark taken with [`Writer::len`].
    pub fn truncate(&mut self, len: usize) {
        self.out.truncate(len);
    }

    /// Writes a primitive element.
    #[inline]
    pub fn primitive(&mut self, tag: u8, contents: &[u8]) {
        if contents.len() < 0x80 {
            self.out.extend_from_slice(&[tag, contents.len() as u8]);
            self.out.extend_from_slice(contents);
        } else {
            let open = self.open(tag);
            self.out.extend_from_slice(contents);
            self.close(open);
        }
    }

    /// Writes bytes that are BER already.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// Replaces bytes written before.
    pub(crate) fn patch(&mut self, at: usize, bytes: &[u8]) {
        self.out[at..at + bytes.len()].copy_from_slice(bytes);
    }

    /// Writes an INTEGER.
    #[inline]
    pub fn int32(&mut self, number: i32) {
        let bytes = number.to_be_bytes();
        let mut from = 0;
        while from < 3 && (bytes[from] == 0 && bytes[from + 1] < 0x80 || bytes[from] == 0xff && bytes[from + 1] >= 0x80)
        {
            from += 1;
        }
        self.primitive(tag::INTEGER, &bytes[from..]);
    }

    /// Writes an INTEGER in four bytes always, so that it may be changed in place later; returns where they are.
    pub fn int32_fixed(&mut self, number: i32) -> usize {
        self.primitive(tag::INTEGER, &number.to_be_bytes());
        self.out.len() - 4
    }

    /// Writes an unsigned number under `tag`.
    #[inline]
    pub fn unsigned(&mut self, tag: u8, number: u64) {
        let mut bytes = [0; 9];
        bytes[1..].copy_from_slice(&number.to_be_bytes());
        let mut from = 0;
        while from < 8 && bytes[from] == 0 && bytes[from + 1] < 0x80 {
            from += 1;
        }
        self.primitive(tag, &bytes[from..]);
    }

    /// Writes a value.
    #[inline]
    pub fn value(&mut self, value: ValueRef<'_>) {
        match value {
            ValueRef::Integer(number) => self.int32(number),
            ValueRef::OctetString(bytes) => self.primitive(tag::OCTET_STRING, bytes),
            ValueRef::Null => self.primitive(tag::NULL, &[]),
            ValueRef::ObjectId(oid) => self.primitive(tag::OBJECT_ID, oid.as_ber()),
            ValueRef::IpAddress(address) => self.primitive(tag::IP_ADDRESS, &address),
            ValueRef::Counter32(number) => self.unsigned(tag::COUNTER32, u64::from(number)),
            ValueRef::Gauge32(number) => self.unsigned(tag::GAUGE32, u64::from(number)),
            ValueRef::TimeTicks(ticks) => self.unsigned(tag::TIME_TICKS, u64::from(ticks)),
            ValueRef::Opaque(bytes) => self.primitive(tag::OPAQUE, bytes),
            ValueRef::Counter64(number) => self.unsigned(tag::COUNTER64, number),
            ValueRef::NoSuchObject => self.primitive(tag::NO_SUCH_OBJECT, &[]),
            ValueRef::NoSuchInstance => self.primitive(tag::NO_SUCH_INSTANCE, &[]),
            ValueRef::EndOfMibView => self.primitive(tag::END_OF_MIB_VIEW, &[]),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Reader, Tail};
    use super::*;

    proptest! {
        #[test]
        fn numbers_are_short_and_survive(number: i32, wide: u64, narrow: u32) {
            let mut out = Vec::new();
            let mut writer = Writer::new(&mut out);
            writer.int32(number);
            writer.unsigned(tag::COUNTER64, wide);
            writer.unsigned(tag::COUNTER32, u64::from(narrow));
            let mut reader = Reader::new(&out, Tail::Whole);
            prop_assert_eq!(reader.value(), Ok(ValueRef::Integer(number)));
            prop_assert_eq!(reader.value(), Ok(ValueRef::Counter64(wide)));
            prop_assert_eq!(reader.value(), Ok(ValueRef::Counter32(narrow)));
        }

        #[test]
        fn nested_elements_close_with_right_lengths(inner in 0usize..700, outer in 0usize..700) {
            let mut out = Vec::new();
            let mut writer = Writer::new(&mut out);
            let sequence = writer.open(tag::SEQUENCE);
            writer.primitive(tag::OCTET_STRING, &vec![7; outer]);
            let second = writer.open(tag::SEQUENCE);
            writer.primitive(tag::OCTET_STRING, &vec![9; inner]);
            writer.close(second);
            writer.close(sequence);
            let mut reader = Reader::new(&out, Tail::Whole);
            let mut body = reader.enter(tag::SEQUENCE, "").unwrap();
            prop_assert!(reader.is_empty());
            prop_assert_eq!(body.value(), Ok(ValueRef::OctetString(&vec![7; outer][..])));
            let mut second = body.enter(tag::SEQUENCE, "").unwrap();
            prop_assert!(body.is_empty());
            prop_assert_eq!(second.value(), Ok(ValueRef::OctetString(&vec![9; inner][..])));
        }
    }
}
