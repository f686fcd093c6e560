//! Kinds 5 to 8 as small numbers: ids in place of names, and only what changed since a set that the server has.

use std::collections::BTreeMap;

use minicbor::data::Type;
use minicbor::{Decode, Decoder, Encode, decode};
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
    #[cbor(decode_with = "ascending")]
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
            for _ in 0..count {
                pairs.push((d.u32()?, d.i64()?));
            }
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

#[cfg(test)]
mod tests {
    use super::*;

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
