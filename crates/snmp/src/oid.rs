//! Object identifiers, kept as the bytes they have on the wire: comparing, testing for a prefix and encoding
//! need no arithmetic, and identifiers of up to 30 bytes need no allocation.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::sync::Arc;

/// Bytes an identifier may have without an allocation.
const INLINE: usize = 30;
/// Most sub-identifiers of an object identifier (RFC 2578 §3.5).
pub(crate) const MAX_ARCS: usize = 128;

/// An object identifier. Cheap to clone, ordered as agents order their tables (numerically, arc by arc).
#[derive(Clone)]
pub struct Oid(Repr);

#[derive(Clone)]
enum Repr {
    Inline { len: u8, bytes: [u8; INLINE] },
    Static(&'static [u8]),
    Heap(Arc<[u8]>),
}

/// An object identifier borrowed from a receive buffer: the contents of a valid BER encoding.
#[derive(Clone, Copy)]
pub struct OidRef<'a>(&'a [u8]);

/// Why a text is no object identifier.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an object identifier: write numbers joined by dots, such as 1.3.6.1.2.1.1.2.0")]
pub struct ParseOidError(String);

impl Oid {
    /// An identifier over the contents of its BER encoding (without tag and length); `None` if they are not valid.
    pub const fn from_ber(bytes: &'static [u8]) -> Option<Self> {
        if is_valid(bytes) { Some(Self(Repr::Static(bytes))) } else { None }
    }

    /// An identifier written in the source: `const SYS_NAME: Oid = Oid::of("1.3.6.1.2.1.1.5.0");`.
    ///
    /// # Panics
    /// If the text is not an identifier of at most 30 encoded bytes; in a `const` that is an error of compilation.
    pub const fn of(text: &str) -> Self {
        let text = text.as_bytes();
        let (mut bytes, mut len) = ([0u8; INLINE], 0usize);
        let (mut at, mut place, mut first) = (0usize, 0usize, 0u64);
        while at < text.len() {
            let (mut arc, mut digits) = (0u64, 0usize);
            while at < text.len() && text[at] != b'.' {
                assert!(text[at].is_ascii_digit() && digits < 10, "not an object identifier");
                arc = arc * 10 + (text[at] - b'0') as u64;
                digits += 1;
                at += 1;
            }
            assert!(digits > 0 && arc <= u32::MAX as u64, "not an object identifier");
            at += 1;
            match place {
                0 => first = arc,
                1 => {
                    assert!(first < 2 && arc < 40 || first == 2, "no such first arcs");
                    (bytes, len) = put_arc(bytes, len, first * 40 + arc);
                }
                _ => (bytes, len) = put_arc(bytes, len, arc),
            }
            place += 1;
        }
        assert!(place >= 2, "an object identifier has two arcs at least");
        Self(Repr::Inline { len: len as u8, bytes })
    }

    /// An identifier from its arcs. Fewer than two arcs are filled up with zeros; a first arc above 2, a second
    /// above 39 under 0 or 1, and arcs beyond the 128th are not expressible and are clamped or dropped.
    pub fn from_arcs(arcs: &[u32]) -> Self {
        let first = arcs.first().copied().unwrap_or(0).min(2);
        let second = arcs.get(1).copied().unwrap_or(0);
        let second = if first < 2 { second.min(39) } else { second };
        let mut bytes = Scratch::new();
        push_arc(&mut bytes, u64::from(first) * 40 + u64::from(second));
        for arc in arcs.iter().skip(2).take(MAX_ARCS - 2) {
            push_arc(&mut bytes, u64::from(*arc));
        }
        Self::from_valid(&bytes)
    }

    /// Copies bytes already known to be valid.
    fn from_valid(bytes: &[u8]) -> Self {
        if bytes.len() <= INLINE {
            let mut inline = [0; INLINE];
            inline[..bytes.len()].copy_from_slice(bytes);
            Self(Repr::Inline { len: bytes.len() as u8, bytes: inline })
        } else {
            Self(Repr::Heap(bytes.into()))
        }
    }

    /// The contents of the BER encoding.
    #[inline]
    pub fn as_ber(&self) -> &[u8] {
        match &self.0 {
            Repr::Inline { len, bytes } => &bytes[..usize::from(*len)],
            Repr::Static(bytes) => bytes,
            Repr::Heap(bytes) => bytes,
        }
    }

    /// Borrowed form.
    #[inline]
    pub fn as_ref(&self) -> OidRef<'_> {
        OidRef(self.as_ber())
    }

    /// The arcs in order, at least two.
    pub fn arcs(&self) -> impl Iterator<Item = u32> + '_ {
        self.as_ref().arcs()
    }

    /// Number of arcs.
    pub fn len(&self) -> usize {
        self.arcs().count()
    }

    /// Never true: an identifier has at least two arcs.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// Whether `prefix` is this identifier or an ancestor of it.
    #[inline]
    pub fn starts_with(&self, prefix: &Self) -> bool {
        self.as_ber().starts_with(prefix.as_ber())
    }

    /// This identifier with one more arc (unchanged at 128 arcs).
    pub fn child(&self, arc: u32) -> Self {
        self.join(&[arc])
    }

    /// This identifier with more arcs, up to 128.
    pub fn join(&self, arcs: &[u32]) -> Self {
        let mut bytes = Scratch::from_slice(self.as_ber());
        for arc in arcs.iter().take(MAX_ARCS.saturating_sub(self.len())) {
            push_arc(&mut bytes, u64::from(*arc));
        }
        Self::from_valid(&bytes)
    }

    /// The identifier without its last arc; `None` at two arcs.
    pub fn parent(&self) -> Option<Self> {
        let bytes = self.as_ber();
        let end = bytes[..bytes.len() - 1].iter().rposition(|byte| byte & 0x80 == 0)? + 1;
        Some(Self::from_valid(&bytes[..end]))
    }

    /// The arcs below `prefix`, for instance the index of a table cell; `None` if this is not below it.
    pub fn suffix_of(&self, prefix: &Self) -> Option<Vec<u32>> {
        let rest = self.as_ber().strip_prefix(prefix.as_ber())?;
        Some(SubIds(rest).map(|arc| arc as u32).collect())
    }
}

impl<'a> OidRef<'a> {
    /// Checks the contents of a BER encoding: at most 128 arcs of 32 bits, each as short as can be.
    /// Empty contents, which some agents send, stand for 0.0.
    #[inline]
    pub fn new(bytes: &'a [u8]) -> Option<Self> {
        if bytes.is_empty() {
            return Some(Self(&[0]));
        }
        is_valid(bytes).then_some(Self(bytes))
    }

    /// The contents of the BER encoding.
    #[inline]
    pub fn as_ber(self) -> &'a [u8] {
        self.0
    }

    /// The arcs in order, at least two.
    pub fn arcs(self) -> impl Iterator<Item = u32> + 'a {
        let mut ids = SubIds(self.0);
        let head = ids.next().unwrap_or(0);
        let first = (head / 40).min(2);
        [first as u32, (head - first * 40) as u32].into_iter().chain(ids.map(|arc| arc as u32))
    }

    /// Whether `prefix` is this identifier or an ancestor of it.
    #[inline]
    pub fn starts_with(self, prefix: OidRef<'_>) -> bool {
        self.0.starts_with(prefix.0)
    }

    /// An owned copy.
    pub fn to_oid(self) -> Oid {
        Oid::from_valid(self.0)
    }
}

/// Room for the longest identifier without an allocation in the usual case.
type Scratch = smallvec::SmallVec<[u8; 64]>;

fn push_arc(bytes: &mut Scratch, arc: u64) {
    let groups = (64 - arc.leading_zeros()).div_ceil(7).max(1);
    for group in (1..groups).rev() {
        bytes.push(0x80 | (arc >> (7 * group)) as u8);
    }
    bytes.push(arc as u8 & 0x7f);
}

const fn put_arc(mut bytes: [u8; INLINE], mut len: usize, arc: u64) -> ([u8; INLINE], usize) {
    let mut group = 5;
    while group > 0 {
        if arc >> (7 * group) != 0 {
            bytes[len] = 0x80 | (arc >> (7 * group)) as u8;
            len += 1;
        }
        group -= 1;
    }
    bytes[len] = arc as u8 & 0x7f;
    (bytes, len + 1)
}

/// Arcs of 32 bits (the first of them joined with the second), no needless 0x80, a last byte that ends an arc.
const fn is_valid(bytes: &[u8]) -> bool {
    if bytes.is_empty() || bytes[bytes.len() - 1] & 0x80 != 0 {
        return false;
    }
    // Nearly all identifiers are of small arcs, one byte each.
    let (mut all, mut place) = (0u8, 0);
    while place < bytes.len() {
        all |= bytes[place];
        place += 1;
    }
    if all & 0x80 == 0 {
        return bytes.len() < MAX_ARCS;
    }
    let (mut at, mut arcs) = (0, 1);
    while at < bytes.len() {
        let start = at;
        let limit = if at == 0 { u32::MAX as u64 + 80 } else { u32::MAX as u64 };
        if bytes[at] == 0x80 {
            return false;
        }
        let mut arc = 0u64;
        while bytes[at] & 0x80 != 0 {
            arc = (arc << 7) | (bytes[at] & 0x7f) as u64;
            at += 1;
            if at - start > 4 {
                return false;
            }
        }
        arc = (arc << 7) | bytes[at] as u64;
        if arc > limit {
            return false;
        }
        at += 1;
        arcs += 1;
    }
    arcs <= MAX_ARCS
}

/// Sub-identifiers of valid contents, the first two arcs still joined.
struct SubIds<'a>(&'a [u8]);

impl Iterator for SubIds<'_> {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        let mut arc = 0u64;
        while let Some((&byte, rest)) = self.0.split_first() {
            self.0 = rest;
            arc = (arc << 7) | u64::from(byte & 0x7f);
            if byte & 0x80 == 0 {
                return Some(arc);
            }
        }
        None
    }
}

/// Numeric order arc by arc: at the first differing byte, the arc with more bytes is the larger one.
fn compare(a: &[u8], b: &[u8]) -> Ordering {
    let common = common_prefix(a, b);
    if common == a.len() || common == b.len() {
        return a.len().cmp(&b.len());
    }
    let start = a[..common].iter().rposition(|byte| byte & 0x80 == 0).map_or(0, |last| last + 1);
    let width = |bytes: &[u8]| bytes[start..].iter().take_while(|byte| **byte & 0x80 != 0).count();
    width(a).cmp(&width(b)).then(a[common].cmp(&b[common]))
}

/// Bytes both begin with, found eight at a time: neighbours in a table differ only near their ends.
#[inline]
fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    let mut common = 0;
    for (x, y) in a.chunks_exact(8).zip(b.chunks_exact(8)) {
        let word = |bytes: &[u8]| bytes.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        let difference = word(x) ^ word(y);
        if difference != 0 {
            return common + difference.trailing_zeros() as usize / 8;
        }
        common += 8;
    }
    common + a[common..].iter().zip(&b[common..]).take_while(|(x, y)| x == y).count()
}

impl PartialEq for Oid {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        self.as_ber() == other.as_ber()
    }
}

impl Eq for Oid {}

impl Hash for Oid {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_ber().hash(state);
    }
}

impl Ord for Oid {
    fn cmp(&self, other: &Self) -> Ordering {
        compare(self.as_ber(), other.as_ber())
    }
}

impl PartialOrd for Oid {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for OidRef<'_> {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for OidRef<'_> {}

impl Ord for OidRef<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        compare(self.0, other.0)
    }
}

impl PartialOrd for OidRef<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq<Oid> for OidRef<'_> {
    #[inline]
    fn eq(&self, other: &Oid) -> bool {
        self.0 == other.as_ber()
    }
}

impl FromStr for Oid {
    type Err = ParseOidError;

    fn from_str(text: &str) -> Result<Self, ParseOidError> {
        let wrong = || ParseOidError(text.chars().take(200).collect());
        let mut arcs = smallvec::SmallVec::<[u32; 32]>::new();
        for arc in text.strip_prefix('.').unwrap_or(text).split('.') {
            let plain = arc.bytes().all(|byte| byte.is_ascii_digit());
            arcs.push(arc.parse().ok().filter(|_| plain).ok_or_else(wrong)?);
        }
        let fits = (2..=MAX_ARCS).contains(&arcs.len()) && (arcs[0] < 2 && arcs[1] < 40 || arcs[0] == 2);
        if fits { Ok(Self::from_arcs(&arcs)) } else { Err(wrong()) }
    }
}

impl fmt::Display for OidRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, arc) in self.arcs().enumerate() {
            if place > 0 {
                f.write_str(".")?;
            }
            write!(f, "{arc}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for OidRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.as_ref(), f)
    }
}

impl fmt::Debug for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn text_goes_both_ways() {
        for text in ["1.3.6.1.2.1.43.11.1.1.9.1.1", "0.0", "2.999.3", "2.4294967295.4294967295", "1.3.128.16384.0"] {
            let oid: Oid = text.parse().unwrap();
            assert_eq!(oid.to_string(), text);
            assert!(OidRef::new(oid.as_ber()).is_some());
        }
        assert_eq!(".1.3.6".parse::<Oid>().unwrap().to_string(), "1.3.6");
        for text in ["", "1", "1.", "1..3", "3.1", "1.40", "1.3.4294967296", "1.3.+6", "1.3.-6", "public"] {
            assert!(text.parse::<Oid>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_literal_equals_its_parsed_form() {
        const NAME: Oid = Oid::of("1.3.6.1.2.1.1.5.0");
        const LARGE: Oid = Oid::of("1.3.6.1.4.1.18334.4294967295");
        assert_eq!(NAME, "1.3.6.1.2.1.1.5.0".parse().unwrap());
        assert_eq!(LARGE, "1.3.6.1.4.1.18334.4294967295".parse().unwrap());
    }

    #[test]
    fn relations_follow_the_tree() {
        let table = Oid::of("1.3.6.1.2.1.43.11.1.1");
        let cell = table.join(&[9, 1, 300]);
        assert!(cell.starts_with(&table) && !table.starts_with(&cell));
        assert_eq!(cell.suffix_of(&table), Some(vec![9, 1, 300]));
        assert_eq!(cell.suffix_of(&Oid::of("1.3.6.2")), None);
        assert_eq!(cell.parent(), Some(table.join(&[9, 1])));
        assert_eq!(Oid::of("1.3").parent(), None);
    }

    #[test]
    fn invalid_bytes_are_refused() {
        for bytes in [&[0x2b, 0x80][..], &[0x2b, 0x80, 1], &[0x2b, 0x90, 0x80, 0x80, 0x80, 0], &[0x2b; 128]] {
            assert!(OidRef::new(bytes).is_none(), "{bytes:x?}");
        }
        assert!(OidRef::new(&[0x2b; 127]).is_some());
    }

    fn arcs() -> impl Strategy<Value = Vec<u32>> {
        let arc = prop_oneof![0u32..300, any::<u32>(), Just(127), Just(128), Just(16_383), Just(16_384)];
        (0u32..3, 0u32..40, prop::collection::vec(arc, 0..20)).prop_map(|(a, b, rest)| {
            let mut arcs = vec![a, b];
            arcs.extend(rest);
            arcs
        })
    }

    proptest! {
        #[test]
        fn arcs_survive_and_order_is_numeric(a in arcs(), b in arcs()) {
            let (x, y) = (Oid::from_arcs(&a), Oid::from_arcs(&b));
            prop_assert_eq!(x.arcs().collect::<Vec<_>>(), a.clone());
            prop_assert_eq!(x.cmp(&y), a.cmp(&b));
            prop_assert_eq!(x.starts_with(&y), a.starts_with(&b));
            prop_assert_eq!(&x, &x.to_string().parse::<Oid>().unwrap());
        }

        #[test]
        fn any_bytes_are_judged_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Some(oid) = OidRef::new(&bytes) {
                let arcs: Vec<u32> = oid.arcs().collect();
                prop_assert_eq!(Oid::from_arcs(&arcs), oid.to_oid());
            }
        }
    }
}
