//! Reads BER from a slice. Every length is compared with what is there before it is used.

use super::tag;
use crate::oid::OidRef;
use crate::value::ValueRef;

/// Where and why bytes are not what they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} at byte {offset}")]
pub struct Malformed {
    /// Bytes from the start of the message.
    pub offset: usize,
    /// What was found or missed.
    pub what: &'static str,
}

/// What to do with a length that points beyond the end of the datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tail {
    /// Refuse it.
    Whole,
    /// Read what is there: some devices cut long answers, and the part before the cut is good.
    MayBeCut,
}

/// A cursor over BER. Copying it is cheap and marks a place to return to.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
    /// Offset of `rest` in the message.
    at: usize,
    tail: Tail,
    cut: bool,
}

impl<'a> Reader<'a> {
    /// Begins at the start of a message.
    pub fn new(message: &'a [u8], tail: Tail) -> Self {
        Self { rest: message, at: 0, tail, cut: false }
    }

    /// Whether everything was read.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Bytes from the start of the message.
    pub fn offset(&self) -> usize {
        self.at
    }

    /// Whether some length pointed beyond the end ([`Tail::MayBeCut`] only).
    pub fn was_cut(&self) -> bool {
        self.cut
    }

    /// What is left.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The tag of the next element, if there is one.
    #[inline]
    pub fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// An error at this place.
    #[cold]
    pub fn malformed(&self, what: &'static str) -> Malformed {
        Malformed { offset: self.at, what }
    }

    /// A reader over a slice that stands at `at` in the same message.
    #[inline]
    pub(crate) fn within(&self, at: usize, contents: &'a [u8]) -> Self {
        Self { rest: contents, at, tail: Tail::Whole, cut: false }
    }

    #[inline]
    fn skip(&mut self, bytes: usize) {
        self.rest = &self.rest[bytes..];
        self.at += bytes;
    }

    /// Reads tag and length, and checks the length against what is left.
    #[inline]
    fn header(&mut self) -> Result<(u8, usize), Malformed> {
        let &[tag, first, ..] = self.rest else { return Err(self.malformed("an element is cut off")) };
        if tag & 0x1f == 0x1f {
            return Err(self.malformed("a tag of several bytes"));
        }
        if first < 0x80 {
            self.skip(2);
            return Ok((tag, usize::from(first)));
        }
        let count = usize::from(first & 0x7f);
        // Four bytes hold any length of a datagram; more than that is padding some agents use, up to eight.
        if count == 0 || count > 8 {
            return Err(self.malformed("an indefinite or oversized length"));
        }
        let Some(digits) = self.rest.get(2..2 + count) else { return Err(self.malformed("a length is cut off")) };
        let mut length = 0u64;
        for digit in digits {
            length = (length << 8) | u64::from(*digit);
        }
        let Ok(length) = usize::try_from(length) else { return Err(self.malformed("an oversized length")) };
        self.skip(2 + count);
        Ok((tag, length))
    }

    /// Reads one element: its tag and contents.
    #[inline]
    pub fn element(&mut self) -> Result<(u8, &'a [u8]), Malformed> {
        let (tag, length) = self.header()?;
        let Some(contents) = self.rest.get(..length) else {
            return Err(self.malformed("a length beyond the end"));
        };
        self.skip(length);
        Ok((tag, contents))
    }

    /// Reads an element that must have this tag; returns its contents.
    #[inline]
    pub fn expect(&mut self, tag: u8, what: &'static str) -> Result<&'a [u8], Malformed> {
        let before = *self;
        let (found, contents) = self.element()?;
        if found == tag { Ok(contents) } else { Err(before.malformed(what)) }
    }

    /// Enters a constructed element with this tag and moves behind it. With [`Tail::MayBeCut`] it may be shorter
    /// than it says.
    #[inline]
    pub fn enter(&mut self, tag: u8, what: &'static str) -> Result<Self, Malformed> {
        let before = *self;
        let (found, inner) = self.enter_any()?;
        if found == tag { Ok(inner) } else { Err(before.malformed(what)) }
    }

    /// As [`Reader::enter`] with any tag, which it returns.
    #[inline]
    pub fn enter_any(&mut self) -> Result<(u8, Self), Malformed> {
        let (tag, length) = self.header()?;
        let mut cut = self.cut;
        if length > self.rest.len() {
            if self.tail == Tail::Whole {
                return Err(self.malformed("a length beyond the end"));
            }
            cut = true;
        }
        let length = length.min(self.rest.len());
        let inner = Self { rest: &self.rest[..length], at: self.at, tail: self.tail, cut };
        self.skip(length);
        self.cut = cut;
        Ok((tag, inner))
    }

    /// Reads an INTEGER of 32 bits. Longer encodings are accepted as long as the number fits; a number between
    /// 2^31 and 2^32 (an unsigned one in disguise) keeps its bits.
    #[inline]
    pub fn int32(&mut self, what: &'static str) -> Result<i32, Malformed> {
        let before = *self;
        let contents = self.expect(tag::INTEGER, what)?;
        let number = signed(contents).ok_or_else(|| before.malformed(what))?;
        if (i64::from(i32::MIN)..=i64::from(u32::MAX)).contains(&number) {
            Ok(number as i32)
        } else {
            Err(before.malformed(what))
        }
    }

    /// Reads an OBJECT IDENTIFIER.
    #[inline]
    pub fn oid(&mut self) -> Result<OidRef<'a>, Malformed> {
        let before = *self;
        let contents = self.expect(tag::OBJECT_ID, "no object identifier")?;
        OidRef::new(contents).ok_or_else(|| before.malformed("an invalid object identifier"))
    }

    /// Reads the value of a variable binding.
    #[inline]
    pub fn value(&mut self) -> Result<ValueRef<'a>, Malformed> {
        let before = *self;
        let (tag, contents) = self.element()?;
        value(tag, contents).map_err(|what| before.malformed(what))
    }
}

/// Contents of an INTEGER of any length that fits 64 bits.
#[inline]
fn signed(contents: &[u8]) -> Option<i64> {
    let mut contents = contents;
    while let [pad @ (0x00 | 0xff), next, ..] = contents {
        // Padding of more than the sign bit carries nothing.
        if contents.len() > 8 && (*pad == 0xff) == (next & 0x80 != 0) {
            contents = &contents[1..];
        } else {
            break;
        }
    }
    let (&first, rest) = contents.split_first()?;
    if contents.len() > 8 {
        return None;
    }
    Some(rest.iter().fold(i64::from(first as i8), |number, byte| (number << 8) | i64::from(*byte)))
}

/// Contents of an unsigned application type of at most 64 bits. A set sign bit without a leading zero is the
/// usual mistake of agents, so the bytes are taken as they stand (as net-snmp does); only a 32-bit number that was
/// sign-extended to five to eight bytes loses those of the sign.
#[inline]
fn unsigned(contents: &[u8]) -> Option<u64> {
    let number = wide(contents)?;
    let extended = contents.len() > 4 && contents.len() <= 8 && contents[0] == 0xff;
    match signed(contents) {
        Some(negative) if extended && negative >= i64::from(i32::MIN) => Some(u64::from(negative as u32)),
        _ => Some(number),
    }
}

#[inline]
fn bits(contents: &[u8]) -> u64 {
    contents.iter().fold(0, |number, byte| (number << 8) | u64::from(*byte))
}

#[inline]
fn narrow<'a>(contents: &[u8], make: fn(u32) -> ValueRef<'a>) -> Result<ValueRef<'a>, &'static str> {
    let number = unsigned(contents).ok_or("a number of no or too many bytes")?;
    Ok(u32::try_from(number).map_or(ValueRef::Counter64(number), make))
}

#[inline]
fn value(tag: u8, contents: &[u8]) -> Result<ValueRef<'_>, &'static str> {
    Ok(match tag {
        tag::INTEGER => integer(signed(contents).ok_or("a number of no or too many bytes")?)?,
        tag::OCTET_STRING => ValueRef::OctetString(contents),
        tag::NULL => ValueRef::Null,
        tag::OBJECT_ID => ValueRef::ObjectId(OidRef::new(contents).ok_or("an invalid object identifier")?),
        tag::IP_ADDRESS => match contents {
            [] => ValueRef::IpAddress([0; 4]),
            &[a, b, c, d] => ValueRef::IpAddress([a, b, c, d]),
            _ => ValueRef::OctetString(contents),
        },
        tag::COUNTER32 => narrow(contents, ValueRef::Counter32)?,
        tag::GAUGE32 | tag::UINTEGER32 => narrow(contents, ValueRef::Gauge32)?,
        tag::TIME_TICKS => narrow(contents, ValueRef::TimeTicks)?,
        tag::OPAQUE | tag::NSAP | tag::BIT_STRING => ValueRef::Opaque(contents),
        tag::COUNTER64 => ValueRef::Counter64(wide(contents).ok_or("a number of no or too many bytes")?),
        tag::NO_SUCH_OBJECT => ValueRef::NoSuchObject,
        tag::NO_SUCH_INSTANCE => ValueRef::NoSuchInstance,
        tag::END_OF_MIB_VIEW => ValueRef::EndOfMibView,
        _ => return Err("a value of unknown type"),
    })
}

/// As many as eight bytes behind any leading zeros, taken as they stand.
#[inline]
fn wide(contents: &[u8]) -> Option<u64> {
    let zeros = contents.iter().take_while(|byte| **byte == 0).count();
    let digits = &contents[zeros..];
    (!contents.is_empty() && digits.len() <= 8).then(|| bits(digits))
}

#[inline]
fn integer<'a>(number: i64) -> Result<ValueRef<'a>, &'static str> {
    if let Ok(number) = i32::try_from(number) {
        Ok(ValueRef::Integer(number))
    } else if let Ok(number) = u32::try_from(number) {
        Ok(ValueRef::Gauge32(number))
    } else {
        u64::try_from(number).map(ValueRef::Counter64).map_err(|_| "a negative number of more than 32 bits")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<ValueRef<'_>, Malformed> {
        Reader::new(bytes, Tail::Whole).value()
    }

    #[test]
    fn counters_of_careless_agents_keep_their_numbers() {
        let cases: [(&[u8], ValueRef<'_>); 12] = [
            (&[0x41, 4, 0xff, 0xff, 0xff, 0xfe], ValueRef::Counter32(0xffff_fffe)),
            (&[0x41, 5, 0, 0xff, 0xff, 0xff, 0xfe], ValueRef::Counter32(0xffff_fffe)),
            (&[0x41, 1, 0xff], ValueRef::Counter32(255)),
            (&[0x41, 2, 0x00, 0xff], ValueRef::Counter32(255)),
            (&[0x41, 5, 0x01, 0, 0, 0, 0], ValueRef::Counter64(1 << 32)),
            (&[0x41, 8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], ValueRef::Counter32(u32::MAX)),
            (&[0x42, 6, 0, 0, 0, 0, 0, 7], ValueRef::Gauge32(7)),
            (&[0x02, 5, 0, 0xff, 0xff, 0xff, 0xff], ValueRef::Gauge32(u32::MAX)),
            (&[0x02, 10, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfd], ValueRef::Integer(-3)),
            (&[0x46, 8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], ValueRef::Counter64(u64::MAX)),
            (&[0x46, 9, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], ValueRef::Counter64(u64::MAX)),
            (&[0x40, 0], ValueRef::IpAddress([0; 4])),
        ];
        for (bytes, expected) in cases {
            assert_eq!(read(bytes), Ok(expected), "{bytes:02x?}");
        }
    }

    #[test]
    fn lengths_are_checked_before_use() {
        for bytes in [
            &[0x04][..],
            &[0x04, 5, 1],
            &[0x04, 0x80, 0, 0],
            &[0x04, 0x84, 0xff, 0xff, 0xff, 0xff, 1],
            &[0x04, 0x88, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1],
            &[0x04, 0x89, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1],
            &[0x1f, 0x81, 1, 0],
            &[0x02, 0],
            &[0x41, 0],
        ] {
            assert!(read(bytes).is_err(), "{bytes:02x?}");
        }
        assert_eq!(read(&[0x04, 0x84, 0, 0, 0, 1, 9]), Ok(ValueRef::OctetString(&[9])));
    }

    #[test]
    fn a_cut_sequence_is_read_as_far_as_it_goes() {
        let bytes = [0x30, 0x20, 0x02, 1, 5];
        assert!(Reader::new(&bytes, Tail::Whole).enter(tag::SEQUENCE, "").is_err());
        let mut inner = Reader::new(&bytes, Tail::MayBeCut).enter(tag::SEQUENCE, "").unwrap();
        assert!(inner.was_cut());
        assert_eq!(inner.int32("").unwrap(), 5);
        assert!(inner.is_empty());
    }
}
