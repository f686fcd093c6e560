//! A third opinion: walks along the grammar of SNMP and notes everything that is not as the standards say. It judges
//! nothing; the classes of disagreement refer to what it found. Shares no code with the codec.

use std::ops::Range;

/// Which part of the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    Message,
    Version,
    Community,
    /// msgGlobalData, and its parts.
    Header,
    MsgId,
    MaxSize,
    Flags,
    Model,
    /// msgSecurityParameters as a string, and what is in it.
    Security,
    Usm,
    Scoped,
    Pdu,
    /// Request id, status, index; generic and specific number.
    Field,
    Enterprise,
    Address,
    Uptime,
    List,
    Item,
    Name,
    Value,
}

/// What is odd about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Oddity {
    Missing,
    LongTag,
    WrongTag(u8),
    Indefinite,
    /// More octets of length than eight, or than are there.
    NoLength,
    PaddedLength,
    /// The length goes beyond what holds the element.
    Beyond,
    /// Something follows that should not be there.
    Extra,
    EmptyNumber,
    PaddedNumber,
    /// More than eight octets.
    LongNumber,
    /// An unsigned number whose first bit is set.
    TopBit,
    Negative,
    /// More than the type holds.
    TooLarge,
    EmptyId,
    PaddedId,
    WideId,
    OpenId,
    /// More than 128 arcs.
    LongId,
    /// Not UTF-8.
    NoText,
    /// Not the length that the type has.
    WrongSize,
    /// Bits or numbers that contradict each other, or the range.
    Contradiction,
    /// A type that SMIv2 has no more.
    Obsolete,
    /// A PDU that this version does not have.
    ForeignKind,
}

/// All that is odd in a packet.
pub fn of(bytes: &[u8]) -> Vec<(Place, Oddity)> {
    let mut scan = Scan { bytes, found: Vec::new() };
    scan.message();
    scan.found.sort();
    scan.found.dedup();
    scan.found
}

struct Scan<'a> {
    bytes: &'a [u8],
    found: Vec<(Place, Oddity)>,
}

/// A tag and where the contents are.
type Element = (u8, Range<usize>);

impl Scan<'_> {
    fn note(&mut self, place: Place, oddity: Oddity) {
        self.found.push((place, oddity));
    }

    /// The next element in `rest`, which is moved behind it. A length that goes too far is noted and cut.
    fn element(&mut self, rest: &mut Range<usize>, place: Place) -> Option<Element> {
        let at = rest.start;
        let [tag, first, ..] = self.bytes[rest.clone()] else {
            self.note(place, Oddity::Missing);
            return None;
        };
        if tag & 0x1f == 0x1f {
            self.note(place, Oddity::LongTag);
            return None;
        }
        let (length, octets) = if first < 0x80 {
            (usize::from(first), 0)
        } else if first == 0x80 {
            self.note(place, Oddity::Indefinite);
            return None;
        } else {
            let octets = usize::from(first & 0x7f);
            let Some(digits) = self.bytes[rest.clone()].get(2..2 + octets) else {
                self.note(place, Oddity::NoLength);
                return None;
            };
            if octets > 8 {
                self.note(place, Oddity::NoLength);
            }
            let longer = |length: u128, digit: &u8| length.saturating_mul(256).saturating_add(u128::from(*digit));
            let length = digits.iter().fold(0u128, longer);
            if digits.first() == Some(&0) || length < 0x80 {
                self.note(place, Oddity::PaddedLength);
            }
            (usize::try_from(length).unwrap_or(usize::MAX), octets)
        };
        let start = at + 2 + octets;
        if length > rest.end - start {
            self.note(place, Oddity::Beyond);
        }
        let end = start.saturating_add(length).min(rest.end);
        rest.start = end;
        Some((tag, start..end))
    }

    fn expect(&mut self, rest: &mut Range<usize>, tag: u8, place: Place) -> Option<Range<usize>> {
        let (found, contents) = self.element(rest, place)?;
        if found != tag {
            self.note(place, Oddity::WrongTag(found));
            return None;
        }
        Some(contents)
    }

    fn end(&mut self, rest: &Range<usize>, place: Place) {
        if !rest.is_empty() {
            self.note(place, Oddity::Extra);
        }
    }

    /// A number from `low` to `high`.
    fn number(&mut self, contents: &Range<usize>, place: Place, low: i128, high: i128) -> Option<i128> {
        let bytes = &self.bytes[contents.clone()];
        let &[first, ..] = bytes else {
            self.note(place, Oddity::EmptyNumber);
            return None;
        };
        // Four bytes for any number are usual; more than the type needs are not.
        let padded = bytes.len() > 4 && matches!(bytes, [0, 0..=0x7f, ..] | [0xff, 0x80..=0xff, ..]);
        let unsigned = low == 0;
        let long = bytes.len() > if unsigned && first == 0 { 9 } else { 8 };
        let mut number = if first & 0x80 != 0 { -1 } else { 0 };
        for byte in &bytes[bytes.len().saturating_sub(15)..] {
            number = number << 8 | i128::from(*byte);
        }
        if padded {
            self.note(place, Oddity::PaddedNumber);
        }
        if long {
            self.note(place, Oddity::LongNumber);
        }
        if unsigned && first & 0x80 != 0 {
            self.note(place, Oddity::TopBit);
        }
        if number < 0 && place != Place::Value {
            self.note(place, Oddity::Negative);
        }
        if number > high || number < low && !unsigned {
            self.note(place, Oddity::TooLarge);
        }
        Some(number)
    }

    fn integer(&mut self, rest: &mut Range<usize>, place: Place) -> Option<i128> {
        let contents = self.expect(rest, 0x02, place)?;
        self.number(&contents, place, i32::MIN.into(), i32::MAX.into())
    }

    fn text(&mut self, rest: &mut Range<usize>, place: Place) -> Option<Range<usize>> {
        let contents = self.expect(rest, 0x04, place)?;
        if std::str::from_utf8(&self.bytes[contents.clone()]).is_err() {
            self.note(place, Oddity::NoText);
        }
        Some(contents)
    }

    fn message(&mut self) -> Option<()> {
        let mut rest = 0..self.bytes.len();
        let mut body = self.expect(&mut rest, 0x30, Place::Message)?;
        self.end(&rest, Place::Message);
        let version = self.integer(&mut body, Place::Version)?;
        match version {
            0 | 1 => {
                self.text(&mut body, Place::Community)?;
                self.pdu(&mut body, Some(version))?;
            }
            3 => self.v3(&mut body)?,
            _ => self.note(Place::Version, Oddity::Contradiction),
        }
        self.end(&body, Place::Message);
        Some(())
    }

    fn v3(&mut self, body: &mut Range<usize>) -> Option<()> {
        let mut global = self.expect(body, 0x30, Place::Header)?;
        self.integer(&mut global, Place::MsgId)?;
        let size = self.integer(&mut global, Place::MaxSize)?;
        if size < 484 {
            self.note(Place::MaxSize, Oddity::Contradiction);
        }
        let flags = self.expect(&mut global, 0x04, Place::Flags)?;
        if flags.len() != 1 {
            self.note(Place::Flags, Oddity::WrongSize);
        }
        let flags = self.bytes[flags].first().copied().unwrap_or(0);
        if flags & 3 == 2 || flags & 0xf8 != 0 {
            self.note(Place::Flags, Oddity::Contradiction);
        }
        if self.integer(&mut global, Place::Model)? != 3 {
            self.note(Place::Model, Oddity::Contradiction);
        }
        self.end(&global, Place::Header);
        let security = self.expect(body, 0x04, Place::Security)?;
        self.usm(security, flags);
        let sealed = self.bytes.get(body.start) == Some(&0x04);
        if sealed != (flags & 2 != 0) {
            self.note(Place::Scoped, Oddity::Contradiction);
        }
        let (tag, mut scoped) = self.element(body, Place::Scoped)?;
        match tag {
            0x04 => {}
            0x30 => {
                self.expect(&mut scoped, 0x04, Place::Scoped)?;
                self.expect(&mut scoped, 0x04, Place::Scoped)?;
                self.pdu(&mut scoped, None)?;
                self.end(&scoped, Place::Scoped);
            }
            other => self.note(Place::Scoped, Oddity::WrongTag(other)),
        }
        Some(())
    }

    fn usm(&mut self, mut rest: Range<usize>, flags: u8) -> Option<()> {
        let mut body = self.expect(&mut rest, 0x30, Place::Usm)?;
        self.end(&rest, Place::Usm);
        let engine = self.expect(&mut body, 0x04, Place::Usm)?.len();
        let clock = [self.integer(&mut body, Place::Usm)?, self.integer(&mut body, Place::Usm)?];
        let user = self.text(&mut body, Place::Usm)?.len();
        let mac = self.expect(&mut body, 0x04, Place::Usm)?.len();
        let salt = self.expect(&mut body, 0x04, Place::Usm)?.len();
        self.end(&body, Place::Usm);
        if !matches!(engine, 0 | 5..=32) || user > 32 {
            self.note(Place::Usm, Oddity::WrongSize);
        }
        let discovery = clock == [0, 0] && user == 0 && mac == 0 && salt == 0;
        if engine == 0 && !discovery || (mac != 0) != (flags & 1 != 0) || (salt != 0) != (flags & 2 != 0) {
            self.note(Place::Usm, Oddity::Contradiction);
        }
        Some(())
    }

    fn pdu(&mut self, rest: &mut Range<usize>, version: Option<i128>) -> Option<()> {
        let (tag, mut body) = self.element(rest, Place::Pdu)?;
        let foreign = match version {
            Some(0) => !matches!(tag, 0xa0..=0xa4),
            Some(_) => matches!(tag, 0xa4 | 0xa8),
            None => tag == 0xa4,
        };
        match tag {
            0xa0..=0xa8 if foreign => self.note(Place::Pdu, Oddity::ForeignKind),
            0xa0..=0xa8 => {}
            other => self.note(Place::Pdu, Oddity::WrongTag(other)),
        }
        if tag & 0x1f == 4 {
            self.trap(&mut body)?;
        } else {
            self.integer(&mut body, Place::Field)?;
            for _ in 0..2 {
                if self.integer(&mut body, Place::Field)? < 0 && tag == 0xa5 {
                    self.note(Place::Field, Oddity::Contradiction);
                }
            }
        }
        let mut list = self.expect(&mut body, 0x30, Place::List)?;
        self.end(&body, Place::Pdu);
        while !list.is_empty() {
            let mut item = self.expect(&mut list, 0x30, Place::Item)?;
            let name = self.expect(&mut item, 0x06, Place::Name)?;
            self.identifier(&name, Place::Name);
            self.value(&mut item)?;
            self.end(&item, Place::Item);
        }
        Some(())
    }

    fn trap(&mut self, body: &mut Range<usize>) -> Option<()> {
        let enterprise = self.expect(body, 0x06, Place::Enterprise)?;
        self.identifier(&enterprise, Place::Enterprise);
        if self.expect(body, 0x40, Place::Address)?.len() != 4 {
            self.note(Place::Address, Oddity::WrongSize);
        }
        if !(0..=6).contains(&self.integer(body, Place::Field)?) {
            self.note(Place::Field, Oddity::Contradiction);
        }
        self.integer(body, Place::Field)?;
        let (tag, uptime) = self.element(body, Place::Uptime)?;
        if tag != 0x43 {
            self.note(Place::Uptime, Oddity::WrongTag(tag));
        }
        self.number(&uptime, Place::Uptime, 0, u32::MAX.into())?;
        Some(())
    }

    fn value(&mut self, rest: &mut Range<usize>) -> Option<()> {
        let (tag, contents) = self.element(rest, Place::Value)?;
        match tag {
            0x02 => {
                self.number(&contents, Place::Value, i32::MIN.into(), i32::MAX.into());
            }
            0x41..=0x43 | 0x47 => {
                self.number(&contents, Place::Value, 0, u32::MAX.into());
            }
            0x46 => {
                self.number(&contents, Place::Value, 0, u64::MAX.into());
            }
            0x06 => self.identifier(&contents, Place::Value),
            0x40 if contents.len() != 4 => self.note(Place::Value, Oddity::WrongSize),
            0x05 | 0x80..=0x82 if !contents.is_empty() => self.note(Place::Value, Oddity::WrongSize),
            0x03 | 0x04 | 0x05 | 0x40 | 0x44 | 0x45 | 0x80..=0x82 => {}
            other => self.note(Place::Value, Oddity::WrongTag(other)),
        }
        if matches!(tag, 0x03 | 0x45 | 0x47) {
            self.note(Place::Value, Oddity::Obsolete);
        }
        Some(())
    }

    fn identifier(&mut self, contents: &Range<usize>, place: Place) {
        let bytes = &self.bytes[contents.clone()];
        if bytes.is_empty() {
            self.note(place, Oddity::EmptyId);
            return;
        }
        let arcs: Vec<&[u8]> = bytes.split_inclusive(|byte| byte & 0x80 == 0).collect();
        let mut found = Vec::new();
        for (number, arc) in arcs.iter().enumerate() {
            let value = arc.iter().fold(0u128, |value, byte| (value << 7 | u128::from(byte & 0x7f)) & (u128::MAX >> 8));
            if arc.last().is_some_and(|byte| byte & 0x80 != 0) {
                found.push(Oddity::OpenId);
            }
            if arc.first() == Some(&0x80) {
                found.push(Oddity::PaddedId);
            }
            if value > u128::from(u32::MAX) + if number == 0 { 80 } else { 0 } {
                found.push(Oddity::WideId);
            }
        }
        if arcs.len() + 1 > 128 {
            found.push(Oddity::LongId);
        }
        found.into_iter().for_each(|oddity| self.note(place, oddity));
    }
}
