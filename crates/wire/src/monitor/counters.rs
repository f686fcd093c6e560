//! Kinds 5 to 8 as small numbers: ids in place of names, and only what changed since a set that the server has.

use std::collections::BTreeMap;

use minicbor::data::Type;
use minicbor::{Decode, Decoder, Encode, Encoder, decode, encode};
use serde::{Deserialize, Serialize};

/// A full set of counters, or what changed since an earlier one (gateway.md §4.2, `counters`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[cbor(map)]
pub struct CounterSet {
    /// Number of the message that holds the set which this one changes; `None`: this is a full set.
    #[n(1)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_seq: Option<u64>,
    /// Id in the dictionary and value.
    #[n(2)]
    #[cbor(encode_with = "pairs", decode_with = "ascending")]
    #[serde(with = "crate::numbered")]
    pub values: BTreeMap<u32, i64>,
    /// First 8 bytes of the SHA-256 of the dictionary's CBOR, big-endian.
    #[n(3)]
    pub dictionary: u64,
}

/// What the ids of a model mean; sent once, when the server asks for it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[cbor(map)]
pub struct Dictionary {
    /// Vendor slug and model that it belongs to, for people.
    #[n(1)]
    pub model: String,
    /// Id and meaning. Names of billing counters are the five words of the meter vocabulary, `function/color/size/sides/unit`,
    /// all others the device's own (`parts.fuser`, `mode.copy.2in1`).
    #[n(2)]
    #[serde(with = "crate::numbered")]
    pub names: BTreeMap<u32, String>,
}

impl CounterSet {
    /// What changed since `base`, which the message `base_seq` holds. An id that went is not told: a full set says so.
    #[must_use]
    pub fn since(&self, base: &Self, base_seq: u64) -> Self {
        let changed = |(id, value): &(&u32, &i64)| base.values.get(id) != Some(value);
        Self {
            base_seq: Some(base_seq),
            values: self.values.iter().filter(changed).map(|(id, value)| (*id, *value)).collect(),
            dictionary: self.dictionary,
        }
    }

    /// The full set that this change makes of `base`.
    #[must_use]
    pub fn onto(&self, base: &Self) -> Self {
        let mut values = base.values.clone();
        values.extend(&self.values);
        Self { base_seq: None, values, dictionary: self.dictionary }
    }
}

/// Thousands of pairs in the order of their ids, as a rule: a tree is built of them at once, not by so many insertions.
/// Of an id that is told twice the last value counts.
fn ascending<'b, C>(d: &mut Decoder<'b>, _: &mut C) -> Result<BTreeMap<u32, i64>, decode::Error> {
    let most = (d.input().len() - d.position()) / 2;
    let mut pairs = Vec::new();
    match d.map()? {
        Some(count) => {
            pairs.reserve(usize::try_from(count).map_or(most, |count| count.min(most)));
            let (bytes, mut at) = (d.input(), d.position());
            for _ in 0..count {
                pairs.push(match pair(bytes, at) {
                    Some((pair, end)) => {
                        at = end;
                        pair
                    }
                    None => {
                        // The decoder says what is wrong with it.
                        d.set_position(at);
                        let pair = (d.u32()?, d.i64()?);
                        at = d.position();
                        pair
                    }
                });
            }
            d.set_position(at);
        }
        None => {
            while d.datatype()? != Type::Break {
                pairs.push((d.u32()?, d.i64()?));
            }
            d.skip()?;
        }
    }
    Ok(pairs.into_iter().collect())
}

/// An id and a value as they stand at this place, and where the next pair begins; `None`: not two such numbers.
fn pair(bytes: &[u8], at: usize) -> Option<((u32, i64), usize)> {
    let (id, at) = match number(bytes, at)? {
        (0, id, at) => (u32::try_from(id).ok()?, at),
        _ => return None,
    };
    let (sign, value, at) = number(bytes, at)?;
    let value = i64::try_from(value).ok()?;
    Some(((id, if sign == 0 { value } else { -1 - value }), at))
}

/// Sign (0: not negative, 1: negative), argument and end of an integer (RFC 8949 §3, major types 0 and 1).
#[inline]
fn number(bytes: &[u8], at: usize) -> Option<(u8, u64, usize)> {
    let first = *bytes.get(at)?;
    let (sign, short, at) = (first >> 5, first & 31, at + 1);
    if sign > 1 {
        return None;
    }
    let (value, length) = match short {
        0..=23 => return Some((sign, short.into(), at)),
        24 => ((*bytes.get(at)?).into(), 1),
        25 => (u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?).into(), 2),
        26 => (u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?).into(), 4),
        27 => (u64::from_be_bytes(*bytes.get(at..)?.first_chunk()?), 8),
        _ => return None,
    };
    Some((sign, value, at + length))
}

/// The pairs in one piece: written one by one they cost more than all else about a set.
fn pairs<C, W: encode::Write>(
    values: &BTreeMap<u32, i64>,
    e: &mut Encoder<W>,
    _: &mut C,
) -> Result<(), encode::Error<W::Error>> {
    let mut bytes = Vec::with_capacity(8 * values.len());
    for (id, value) in values {
        put(&mut bytes, 0, u64::from(*id));
        put(&mut bytes, (*value < 0).into(), if *value < 0 { !*value as u64 } else { *value as u64 });
    }
    e.map(values.len() as u64)?.writer_mut().write_all(&bytes).map_err(encode::Error::write)
}

/// An integer in as few bytes as it needs (RFC 8949 §4.2.1).
fn put(bytes: &mut Vec<u8>, sign: u8, value: u64) {
    let head = |short: u8| sign << 5 | short;
    match value {
        0..=23 => bytes.push(head(value as u8)),
        24..=0xff => bytes.extend([head(24), value as u8]),
        0x100..=0xffff => {
            bytes.push(head(25));
            bytes.extend((value as u16).to_be_bytes());
        }
        0x1_0000..=0xffff_ffff => {
            bytes.push(head(26));
            bytes.extend((value as u32).to_be_bytes());
        }
        _ => {
            bytes.push(head(27));
            bytes.extend(value.to_be_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_set_is_written_as_a_map_of_integers_and_reads_back(
            values in prop::collection::btree_map(any::<u32>(), prop_oneof![-300_i64..300, -70_000_i64..70_000, any::<i64>()], 0..50),
        ) {
            let set = CounterSet { base_seq: None, values: values.clone(), dictionary: 7 };
            let bytes = crate::cbor::encode(&set);
            // The same by the library's own way of writing a map.
            let map = crate::cbor::encode(&values);
            prop_assert_eq!(&bytes[2..2 + map.len()], &map[..]);
            prop_assert_eq!(crate::cbor::decode::<CounterSet>(&bytes).unwrap(), set);
            prop_assert_eq!(crate::cbor::decode::<BTreeMap<u32, i64>>(&map).unwrap(), values);
        }
    }

    #[test]
    fn numbers_in_more_bytes_than_they_need_are_read_and_others_are_not() {
        let whole = |pair: &[u8]| [&[0xa2, 2, 0xa1][..], pair, &[3, 7]].concat();
        let read = |pair: &[u8]| crate::cbor::decode::<CounterSet>(&whole(pair)).map(|set| set.values);
        assert_eq!(read(&[0x1b, 0, 0, 0, 0, 0, 0, 0, 9, 0x39, 0, 1]).unwrap(), [(9, -2)].into());
        let wrong: [&[u8]; 5] = [
            &[0x1b, 0, 0, 0, 1, 0, 0, 0, 0, 1],    // an id beyond 32 bits
            &[1, 0x1b, 0x80, 0, 0, 0, 0, 0, 0, 0], // a value beyond 63
            &[0x20, 1],                            // a negative id
            &[1, 0x61, b'x'],                      // a text
            &[1, 0x1c],                            // a length that is none
        ];
        for pair in wrong {
            assert!(read(pair).is_err(), "{pair:x?}");
        }
        assert_eq!(read(&[1, 0x3b, 0x7f, 255, 255, 255, 255, 255, 255, 255]).unwrap(), [(1, i64::MIN)].into());
    }

    #[test]
    fn pairs_in_any_order_and_of_any_length_read_alike() {
        let set = CounterSet { values: [(1, -1), (2, 20), (300, 3)].into(), dictionary: 7, base_seq: None };
        let pairs: [u8; 10] = [0x19, 0x01, 0x2c, 3, 1, 0x20, 2, 9, 2, 20];
        let whole = |map: &[u8]| [&[0xa2, 2][..], map, &[3, 7]].concat();
        let definite = [&[0xa4][..], &pairs].concat();
        let indefinite = [&[0xbf][..], &pairs, &[0xff]].concat();
        for map in [definite, indefinite] {
            assert_eq!(crate::cbor::decode::<CounterSet>(&whole(&map)).unwrap(), set);
        }
        // A length without pairs behind it is an error and takes no memory.
        let endless = [0xa2, 2, 0xbb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
        assert!(crate::cbor::decode::<CounterSet>(&endless).is_err());
    }

    #[test]
    fn a_change_on_its_base_is_the_full_set() {
        let base = CounterSet { values: [(1, 10), (2, 20), (3, 30)].into(), dictionary: 7, base_seq: None };
        let now = CounterSet { values: [(1, 11), (2, 20), (3, 30), (4, 1)].into(), dictionary: 7, base_seq: None };
        let change = now.since(&base, 5);
        assert_eq!(change.values, [(1, 11), (4, 1)].into());
        assert_eq!(change.onto(&base), now);
    }
}
