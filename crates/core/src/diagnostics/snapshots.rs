//! How sets of counters are kept: a full one, then what changed against it, at most thirty to a chain; numbers in as few
//! bytes as they need, then zstd. Reading one back takes its own row and that of the full one.

use store::{Row, Tx, Value, params};
use wire::monitor::CounterSet;

use super::intake::{pack, unpack};
use super::{rules, sql};
use crate::OrgId;
use crate::devices::DeviceId;
use crate::error::{Error, Result};

/// Sets of a chain, the full one among them.
pub(super) const CHAIN: i64 = 30;
/// A set in which one of so many counters fell was reset: the next chain begins.
const FELL: usize = 4;

/// How the body of a row is to be read.
const CBOR: i64 = 0;
const FULL: i64 = 1;
const CHANGE: i64 = 2;

/// The chain that the next set of a device and kind continues.
pub(super) struct Chain {
    full_ms: i64,
    length: i64,
    dictionary: u64,
    /// Of the full set, by rising ids.
    values: Vec<(u32, i64)>,
    changed: bool,
}

/// A set as it goes into its row: how to read it, the time of its full one, its bytes.
pub(super) struct Kept {
    pub(super) form: i64,
    pub(super) full_ms: i64,
    pub(super) body: Vec<u8>,
}

impl Chain {
    /// From full time, length and the row of the full set.
    pub(super) fn read(row: &Row) -> Result<Option<Self>> {
        let (full_ms, length): (i64, i64) = (row.get(0)?, row.get(1)?);
        let (hash, form): (String, i64) = (row.get(2)?, row.get(3)?);
        let bytes = unpack(&row.get::<Vec<u8>>(5)?)?;
        let dictionary = u64::from_str_radix(&hash, 16).unwrap_or(0);
        let values = match form {
            CBOR => {
                let set: CounterSet = wire::cbor::decode(&bytes).map_err(|_| unread())?;
                set.values.into_iter().collect()
            }
            FULL => read_values(&bytes).ok_or_else(unread)?,
            _ => return Ok(None),
        };
        Ok(Some(Self { full_ms, length, dictionary, values, changed: false }))
    }

    /// The row that remembers it; `None` when nothing changed.
    pub(super) fn row(&self, tenant: OrgId, device: DeviceId, kind: i64) -> Option<Vec<Value>> {
        self.changed.then(|| params![tenant, device, kind, self.full_ms, self.length].into())
    }
}

/// Keeps a set: as a change where a chain goes on, else in full, which begins the next chain unless it comes late.
pub(super) fn keep(chain: &mut Option<Chain>, set: &CounterSet, taken_ms: i64) -> Result<Kept> {
    if let Some(chain) = chain.as_mut().filter(|chain| goes_on(chain, set, taken_ms)) {
        chain.length += 1;
        chain.changed = true;
        return Ok(Kept { form: CHANGE, full_ms: chain.full_ms, body: pack(&change(&chain.values, set))? });
    }
    if chain.as_ref().is_none_or(|chain| chain.full_ms < taken_ms) {
        let values = set.values.iter().map(|(id, value)| (*id, *value)).collect();
        *chain = Some(Chain { full_ms: taken_ms, length: 1, dictionary: set.dictionary, values, changed: true });
    }
    Ok(Kept { form: FULL, full_ms: taken_ms, body: pack(&full(set))? })
}

fn goes_on(chain: &Chain, set: &CounterSet, taken_ms: i64) -> bool {
    let fell = || {
        let pairs = Pairs::of(&chain.values, set);
        pairs.filter(|pair| matches!(pair, (_, Some(before), Some(now)) if now < before)).count()
    };
    chain.length < CHAIN
        && chain.full_ms < taken_ms
        && chain.dictionary == set.dictionary
        && fell() * FELL <= set.values.len()
}

/// Two sets side by side: each id with what it was and is.
struct Pairs<'a> {
    before: std::iter::Peekable<std::slice::Iter<'a, (u32, i64)>>,
    now: std::iter::Peekable<std::collections::btree_map::Iter<'a, u32, i64>>,
}

impl<'a> Pairs<'a> {
    fn of(before: &'a [(u32, i64)], now: &'a CounterSet) -> Self {
        Self { before: before.iter().peekable(), now: now.values.iter().peekable() }
    }
}

impl Iterator for Pairs<'_> {
    type Item = (u32, Option<i64>, Option<i64>);

    fn next(&mut self) -> Option<Self::Item> {
        let (before, now) = (self.before.peek().map(|(id, _)| *id), self.now.peek().map(|(id, _)| **id));
        let id = before.into_iter().chain(now).min()?;
        let was = (before == Some(id)).then(|| self.before.next()).flatten().map(|(_, value)| *value);
        let is = (now == Some(id)).then(|| self.now.next()).flatten().map(|(_, value)| *value);
        Some((id, was, is))
    }
}

/// What a row holds.
pub(super) enum Kind {
    /// All of it.
    Whole(CounterSet),
    /// What changed against the full set of that time.
    Change(i64, Vec<u8>),
}

/// Reads dictionary, form, time of the full set and body, from that column on.
pub(super) fn read(row: &Row, at: usize) -> Result<Kind> {
    let (hash, form, full_ms): (String, i64, Option<i64>) = (row.get(at)?, row.get(at + 1)?, row.get(at + 2)?);
    let bytes = unpack(&row.get::<Vec<u8>>(at + 3)?)?;
    let dictionary = u64::from_str_radix(&hash, 16).unwrap_or(0);
    match (form, full_ms) {
        (CBOR, _) => Ok(Kind::Whole(wire::cbor::decode(&bytes).map_err(|_| unread())?)),
        (FULL, _) => Ok(Kind::Whole(read_full(&bytes, dictionary).ok_or_else(unread)?)),
        (CHANGE, Some(full_ms)) => Ok(Kind::Change(full_ms, bytes)),
        _ => Err(unread()),
    }
}

/// One set as a whole, whatever its row holds; `None` when it or the full one is gone.
pub(crate) async fn whole(
    tx: &mut Tx,
    tenant: OrgId,
    device: DeviceId,
    kind: i64,
    taken_ms: i64,
) -> Result<Option<CounterSet>> {
    Ok(wholes(tx, tenant, &[(device, kind, taken_ms)]).await?.pop().flatten())
}

/// As [`whole`] for many: device, kind and time of each.
pub(super) async fn wholes(
    tx: &mut Tx,
    tenant: OrgId,
    places: &[(DeviceId, i64, i64)],
) -> Result<Vec<Option<CounterSet>>> {
    let find = |(device, kind, taken_ms): &(DeviceId, i64, i64)| params![tenant, *device, *kind, *taken_ms].into();
    let values: Vec<Vec<Value>> = places.iter().map(find).collect();
    let (mut all, mut changes, mut fulls) = (vec![None; places.len()], Vec::new(), Vec::new());
    for (at, rows) in tx.queries(&sql::SNAPSHOT_BODY, &values).await?.into_iter().enumerate() {
        match rows.first().map(|row| read(row, 0)).transpose()? {
            Some(Kind::Whole(set)) => all[at] = Some(set),
            Some(Kind::Change(full_ms, bytes)) => {
                changes.push((at, bytes));
                fulls.push(find(&(places[at].0, places[at].1, full_ms)));
            }
            None => {}
        }
    }
    for ((at, bytes), rows) in changes.into_iter().zip(tx.queries(&sql::SNAPSHOT_BODY, &fulls).await?) {
        match rows.first().map(|row| read(row, 0)).transpose()? {
            Some(Kind::Whole(full)) => all[at] = Some(read_change(&full, &bytes).ok_or_else(unread)?),
            Some(Kind::Change(..)) => return Err(unread()),
            None => {}
        }
    }
    Ok(all)
}

fn unread() -> Error {
    Error::internal("a kept set of counters does not read")
}

fn put(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Small numbers of either sign become small numbers.
fn fold(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)) as u64
}

fn unfold(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}

fn take(bytes: &mut &[u8]) -> Option<u64> {
    let (mut number, mut shift) = (0_u64, 0);
    loop {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(number);
        }
        shift += 7;
    }
}

fn put_ids<'i>(out: &mut Vec<u8>, ids: impl ExactSizeIterator<Item = &'i u32>) {
    put(out, ids.len() as u64);
    let mut last = 0;
    for id in ids {
        put(out, u64::from(id - last));
        last = *id;
    }
}

fn take_ids(bytes: &mut &[u8]) -> Option<Vec<u32>> {
    let count = usize::try_from(take(bytes)?).ok().filter(|count| *count <= bytes.len())?;
    let mut last = 0_u32;
    let mut next = || {
        last = last.checked_add(u32::try_from(take(bytes)?).ok()?)?;
        Some(last)
    };
    (0..count).map(|_| next()).collect()
}

fn full(set: &CounterSet) -> Vec<u8> {
    let mut out = Vec::with_capacity(4 + 5 * set.values.len());
    put_ids(&mut out, set.values.keys());
    for value in set.values.values() {
        put(&mut out, fold(*value));
    }
    out
}

fn read_full(bytes: &[u8], dictionary: u64) -> Option<CounterSet> {
    // Sorted already: the map is built at once.
    Some(CounterSet { base_seq: None, values: read_values(bytes)?.into_iter().collect(), dictionary })
}

fn read_values(mut bytes: &[u8]) -> Option<Vec<(u32, i64)>> {
    let ids = take_ids(&mut bytes)?;
    let mut values = Vec::with_capacity(ids.len());
    for id in ids {
        values.push((id, unfold(take(&mut bytes)?)));
    }
    bytes.is_empty().then_some(values)
}

/// Ids that went, ids that changed or came, and by how much (those that came: from 0).
fn change(before: &[(u32, i64)], now: &CounterSet) -> Vec<u8> {
    let (mut gone, mut moved) = (Vec::new(), Vec::new());
    for (id, was, is) in Pairs::of(before, now) {
        match (was, is) {
            (Some(_), None) => gone.push(id),
            (was, Some(is)) if was != Some(is) => moved.push((id, is.wrapping_sub(was.unwrap_or(0)))),
            _ => {}
        }
    }
    let mut out = Vec::with_capacity(8 + 4 * moved.len());
    put_ids(&mut out, gone.iter());
    put_ids(&mut out, moved.iter().map(|(id, _)| id));
    for (_, by) in moved {
        put(&mut out, fold(by));
    }
    out
}

fn read_change(before: &CounterSet, mut bytes: &[u8]) -> Option<CounterSet> {
    let mut set = before.clone();
    for id in take_ids(&mut bytes)? {
        set.values.remove(&id)?;
    }
    for id in take_ids(&mut bytes)? {
        let by = unfold(take(&mut bytes)?);
        let value = set.values.entry(id).or_insert(0);
        *value = value.wrapping_add(by);
    }
    bytes.is_empty().then_some(set)
}

/// As rows name a dictionary.
pub(super) fn name(set: &CounterSet) -> String {
    rules::key(set.dictionary)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn set(values: BTreeMap<u32, i64>) -> CounterSet {
        CounterSet { base_seq: None, values, dictionary: 7 }
    }

    fn any_set() -> impl Strategy<Value = CounterSet> {
        let value = prop_oneof![0_i64..5_000_000, any::<i64>()];
        prop::collection::btree_map(prop_oneof![0_u32..400, any::<u32>()], value, 0..200).prop_map(set)
    }

    fn reread(kept: &Kept, full: Option<&CounterSet>) -> CounterSet {
        let bytes = unpack(&kept.body).unwrap();
        match kept.form {
            FULL => read_full(&bytes, 7).unwrap(),
            _ => read_change(full.unwrap(), &bytes).unwrap(),
        }
    }

    proptest! {
        #[test]
        fn what_is_kept_reads_back_as_it_was(sets in prop::collection::vec(any_set(), 1..40)) {
            let (mut chain, mut fulls) = (None, BTreeMap::new());
            for (at, set) in sets.iter().enumerate() {
                let taken_ms = at as i64;
                let kept = keep(&mut chain, set, taken_ms).unwrap();
                if kept.form == FULL {
                    fulls.insert(taken_ms, set.clone());
                }
                prop_assert_eq!(&reread(&kept, fulls.get(&kept.full_ms)), set);
            }
        }

        #[test]
        fn rubbish_is_refused_and_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200), before in any_set()) {
            let _ = read_full(&bytes, 7);
            let _ = read_change(&before, &bytes);
        }
    }

    #[test]
    fn a_sample_takes_less_than_five_bytes() {
        let (mut chain, mut bytes, rounds) = (None, 0, 60_i64);
        for round in 0..rounds {
            // A tenth of the counters grow, as on a device at work.
            let value = |id: u32| {
                i64::from(id.wrapping_mul(2_654_435_761) % 2_000_000)
                    + if id.is_multiple_of(10) { round * 37 } else { 0 }
            };
            bytes += keep(&mut chain, &set((0..4_500).map(|id| (id, value(id))).collect()), round).unwrap().body.len();
        }
        let each = bytes as f64 / (4_500 * rounds) as f64;
        assert!(each < 1.0, "{each} bytes a sample");
    }

    #[test]
    fn a_chain_ends_after_thirty_sets_and_at_a_reset() {
        let all = |value: i64| set((0..100).map(|id| (id, value)).collect());
        let mut chain = None;
        let forms: Vec<i64> = (0..31).map(|at| keep(&mut chain, &all(1_000 + at), at).unwrap().form).collect();
        assert_eq!(forms.iter().filter(|form| **form == FULL).count(), 2);
        assert_eq!((forms[0], forms[29], forms[30]), (FULL, CHANGE, FULL));
        assert_eq!(keep(&mut chain, &all(5), 40).unwrap().form, FULL, "all counters fell");
        let late = keep(&mut chain, &all(4), 35).unwrap();
        assert_eq!((late.form, late.full_ms), (FULL, 35), "one that comes late stands alone");
        assert_eq!(keep(&mut chain, &all(6), 41).unwrap().full_ms, 40, "and the chain goes on");
    }
}
