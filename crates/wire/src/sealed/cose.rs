//! The bytes of RFC 9052 in one profile: COSE_Encrypt (96) with one direct recipient over COSE_Sign1 (18), both tagged.
//! Headers are small maps of known labels; an unknown one is passed over where it is not protected, refused where it is.

use minicbor::data::{Tag, Type};
use minicbor::{Decoder, Encoder};

use super::claims::Said;
use super::{Algorithm, Claims, Content, POINT, SealError};

/// A256GCM.
const A256GCM: i64 = 3;
/// ECDH-ES + HKDF-256.
const ECDH_ES_HKDF_256: i64 = -25;
/// What is inside the encryption.
const INNER_TYPE: &str = "application/cose; cose-type=\"cose-sign1\"";
/// Our claims; labels below -65,536 are for private use (RFC 9052 §11.1).
const CLAIMS: i64 = -65_537;
/// Longest name of a key.
const MAX_KID: usize = 64;
/// Most entries of a header.
const MAX_ENTRIES: u64 = 16;
/// Tags of the two forms.
const ENCRYPT: u64 = 96;
const SIGN1: u64 = 18;

type Writer = Encoder<Vec<u8>>;
type Shaped<T> = Result<T, SealError>;

const fn shape(what: &'static str) -> SealError {
    SealError::Shape(what)
}

/// Writes to memory, which cannot fail.
fn write(make: impl FnOnce(&mut Writer) -> Result<(), minicbor::encode::Error<std::convert::Infallible>>) -> Vec<u8> {
    write_with(128, make)
}

/// With room for so many bytes at once.
fn write_with(
    room: usize,
    make: impl FnOnce(&mut Writer) -> Result<(), minicbor::encode::Error<std::convert::Infallible>>,
) -> Vec<u8> {
    let mut writer = Encoder::new(Vec::with_capacity(room));
    make(&mut writer).expect("writing to memory does not fail");
    writer.into_writer()
}

/// The protected header of the outer layer, as we write it.
pub(super) fn outer_protected() -> Vec<u8> {
    write(|e| e.map(2)?.i64(1)?.i64(A256GCM)?.i64(3)?.str(INNER_TYPE)?.ok())
}

/// The protected header of the recipient, as we write it.
pub(super) fn recipient_protected() -> Vec<u8> {
    write(|e| e.map(1)?.i64(1)?.i64(ECDH_ES_HKDF_256)?.ok())
}

/// COSE_KDF_Context of RFC 9053 §5.2, for a key of A256GCM and parties without names.
pub(super) fn kdf_context(protected: &[u8]) -> Vec<u8> {
    write(|e| {
        e.array(4)?.i64(A256GCM)?;
        e.array(3)?.null()?.null()?.null()?;
        e.array(3)?.null()?.null()?.null()?;
        e.array(2)?.u16(256)?.bytes(protected)?.ok()
    })
}

/// Enc_structure of RFC 9052 §5.3.
pub(super) fn encrypted_bytes(protected: &[u8], bound: &[u8]) -> Vec<u8> {
    write_with(protected.len() + bound.len() + 32, |e| e.array(3)?.str("Encrypt")?.bytes(protected)?.bytes(bound)?.ok())
}

/// Sig_structure of RFC 9052 §4.4.
pub(super) fn signed_bytes(protected: &[u8], bound: &[u8], payload: &[u8]) -> Vec<u8> {
    let room = protected.len() + bound.len() + payload.len() + 32;
    write_with(room, |e| e.array(4)?.str("Signature1")?.bytes(protected)?.bytes(bound)?.bytes(payload)?.ok())
}

/// COSE_Sign1.
pub(super) fn sign1(protected: &[u8], payload: &[u8], signature: &[u8]) -> Vec<u8> {
    let room = protected.len() + payload.len() + signature.len() + 32;
    write_with(room, |e| {
        e.tag(Tag::new(SIGN1))?.array(4)?.bytes(protected)?.map(0)?.bytes(payload)?.bytes(signature)?.ok()
    })
}

/// The protected header of the inner layer.
#[derive(Debug)]
pub(super) struct SignedHead {
    pub(super) algorithm: Algorithm,
    pub(super) kid: Vec<u8>,
    pub(super) claims: Claims,
}

impl SignedHead {
    /// Labels in the order of deterministic encoding (RFC 8949 §4.2.1).
    pub(super) fn encode(&self) -> Vec<u8> {
        write(|e| {
            e.map(4)?.i64(1)?.i64(self.algorithm.number())?;
            e.i64(3)?.str(self.claims.content.media_type())?.i64(4)?.bytes(&self.kid)?;
            e.i64(CLAIMS)?.encode(self.claims.said())?.ok()
        })
    }

    fn decode(bytes: &[u8]) -> Shaped<Self> {
        let (mut algorithm, mut content, mut kid, mut said) = (None, None, None, None);
        let mut d = Decoder::new(bytes);
        for _ in 0..entries(&mut d)? {
            let label = d.i64().map_err(|_| shape("a label of the signed header"))?;
            let again = match label {
                1 => set(&mut algorithm, number(&mut d).and_then(Algorithm::of_number)),
                3 => set(&mut content, d.str().ok().and_then(Content::of_media_type)),
                4 => set(&mut kid, name(&mut d)),
                CLAIMS => set(&mut said, d.decode::<Said>().ok()),
                _ => return Err(shape("a label of the signed header that is not known")),
            };
            again?;
        }
        end(&d)?;
        match (algorithm, content, kid, said) {
            (Some(algorithm), Some(content), Some(kid), Some(said)) => {
                Ok(Self { algorithm, kid, claims: Claims::of(&said, content) })
            }
            _ => Err(shape("algorithm, content type, key and claims in the signed header")),
        }
    }
}

/// A COSE_Sign1 that was read; nothing of it is verified.
pub(super) struct Signed<'a> {
    pub(super) protected: &'a [u8],
    pub(super) head: SignedHead,
    pub(super) payload: &'a [u8],
    pub(super) signature: &'a [u8],
}

impl<'a> Signed<'a> {
    pub(super) fn decode(bytes: &'a [u8]) -> Shaped<Self> {
        let mut d = Decoder::new(bytes);
        tagged(&mut d, SIGN1, 4)?;
        let protected = bstr(&mut d)?;
        pass_unprotected(&mut d)?;
        let (payload, signature) = (bstr(&mut d)?, bstr(&mut d)?);
        end(&d)?;
        if signature.len() != 64 {
            return Err(shape("a signature of 64 bytes"));
        }
        Ok(Self { protected, head: SignedHead::decode(protected)?, payload, signature })
    }
}

/// A COSE_Encrypt of this profile. The protected headers are kept as they came, for they are authenticated so.
pub(super) struct Outer {
    pub(super) protected: Vec<u8>,
    pub(super) nonce: [u8; 12],
    pub(super) cipher: Vec<u8>,
    pub(super) recipient: Vec<u8>,
    pub(super) ephemeral: [u8; POINT],
    pub(super) kid: Vec<u8>,
}

impl Outer {
    pub(super) fn encode(&self) -> Vec<u8> {
        write(|e| {
            e.tag(Tag::new(ENCRYPT))?.array(4)?.bytes(&self.protected)?;
            e.map(1)?.i64(5)?.bytes(&self.nonce)?.bytes(&self.cipher)?;
            e.array(1)?.array(3)?.bytes(&self.recipient)?;
            e.map(2)?.i64(4)?.bytes(&self.kid)?;
            // COSE_Key of RFC 9053 §7.1.1: kty EC2, curve P-256, both coordinates.
            e.i64(-1)?.map(4)?.i64(1)?.u8(2)?.i64(-1)?.u8(1)?;
            e.i64(-2)?.bytes(&self.ephemeral[1..33])?.i64(-3)?.bytes(&self.ephemeral[33..])?;
            e.bytes(&[])?.ok()
        })
    }

    pub(super) fn decode(bytes: &[u8]) -> Shaped<Self> {
        let mut d = Decoder::new(bytes);
        tagged(&mut d, ENCRYPT, 4)?;
        let protected = bstr(&mut d)?.to_vec();
        says(&protected, A256GCM)?;
        let nonce = nonce(&mut d)?;
        let cipher = bstr(&mut d)?.to_vec();
        if !list(&mut d, 1) || !list(&mut d, 3) {
            return Err(shape("one recipient of three parts"));
        }
        let recipient = bstr(&mut d)?.to_vec();
        says(&recipient, ECDH_ES_HKDF_256)?;
        let (kid, ephemeral) = agreement(&mut d)?;
        // RFC 9052 §8.5.4 has no cipher text here: an empty string, or nothing.
        let empty = match d.datatype() {
            Ok(Type::Bytes) => bstr(&mut d)?.is_empty(),
            Ok(Type::Null) => d.null().is_ok(),
            _ => false,
        };
        end(&d)?;
        if !empty {
            return Err(shape("a recipient without cipher text"));
        }
        Ok(Self { protected, nonce, cipher, recipient, ephemeral, kid })
    }
}

/// A protected header that names this algorithm and, if it likes, the type of what is inside; nothing else is understood.
fn says(protected: &[u8], algorithm: i64) -> Shaped<()> {
    let mut d = Decoder::new(protected);
    let (mut found, mut inner) = (None, None);
    for _ in 0..entries(&mut d)? {
        match d.i64() {
            Ok(1) => set(&mut found, d.i64().ok())?,
            Ok(3) => set(&mut inner, d.str().ok())?,
            _ => return Err(shape("a label of a protected header that is not known")),
        }
    }
    end(&d)?;
    let whole = found == Some(algorithm) && inner.is_none_or(|inner| inner == INNER_TYPE);
    if whole { Ok(()) } else { Err(shape("A256GCM for one recipient by ECDH-ES with HKDF-256, over a COSE_Sign1")) }
}

fn nonce(d: &mut Decoder<'_>) -> Shaped<[u8; 12]> {
    let mut nonce = None;
    for _ in 0..entries(d)? {
        match d.i64() {
            Ok(5) => set(&mut nonce, bstr(d)?.try_into().ok())?,
            Ok(_) => d.skip().map_err(|_| shape("a value of the outer header"))?,
            Err(_) => return Err(shape("a label of the outer header")),
        }
    }
    nonce.ok_or(shape("a nonce of 12 bytes"))
}

fn agreement(d: &mut Decoder<'_>) -> Shaped<(Vec<u8>, [u8; POINT])> {
    let (mut kid, mut key) = (None, None);
    for _ in 0..entries(d)? {
        match d.i64() {
            Ok(4) => set(&mut kid, name(d))?,
            Ok(-1) => set(&mut key, Some(ephemeral(d)?))?,
            Ok(_) => d.skip().map_err(|_| shape("a value of the recipient"))?,
            Err(_) => return Err(shape("a label of the recipient")),
        }
    }
    Ok((kid.ok_or(shape("the name of a key"))?, key.ok_or(shape("an ephemeral key"))?))
}

/// A COSE_Key on P-256 with both coordinates.
fn ephemeral(d: &mut Decoder<'_>) -> Shaped<[u8; POINT]> {
    let (mut point, mut seen) = ([4; POINT], 0_u8);
    for _ in 0..entries(d)? {
        let label = d.i64().map_err(|_| shape("a label of the ephemeral key"))?;
        let bit = match label {
            1 if number(d) == Some(2) => 1,
            -1 if number(d) == Some(1) => 2,
            -2 if copy(bstr(d)?, &mut point[1..33]) => 4,
            -3 if copy(bstr(d)?, &mut point[33..]) => 8,
            _ => return Err(shape("an ephemeral key on P-256")),
        };
        if seen & bit != 0 {
            return Err(shape("a label twice"));
        }
        seen |= bit;
    }
    if seen == 15 { Ok(point) } else { Err(shape("an ephemeral key on P-256")) }
}

fn copy(from: &[u8], to: &mut [u8]) -> bool {
    let fits = from.len() == to.len();
    if fits {
        to.copy_from_slice(from);
    }
    fits
}

fn number(d: &mut Decoder<'_>) -> Option<i64> {
    d.i64().ok()
}

fn name(d: &mut Decoder<'_>) -> Option<Vec<u8>> {
    d.bytes().ok().filter(|name| (1..=MAX_KID).contains(&name.len())).map(<[u8]>::to_vec)
}

/// Definite length only; minicbor refuses others for byte strings.
fn bstr<'b>(d: &mut Decoder<'b>) -> Shaped<&'b [u8]> {
    d.bytes().map_err(|_| shape("a byte string"))
}

fn tagged(d: &mut Decoder<'_>, tag: u64, parts: u64) -> Shaped<()> {
    let good = d.tag().is_ok_and(|found| found.as_u64() == tag) && list(d, parts);
    if good { Ok(()) } else { Err(shape("a tagged COSE message of four parts")) }
}

fn list(d: &mut Decoder<'_>, parts: u64) -> bool {
    d.array().is_ok_and(|found| found == Some(parts))
}

fn entries(d: &mut Decoder<'_>) -> Shaped<u64> {
    match d.map() {
        Ok(Some(count)) if count <= MAX_ENTRIES => Ok(count),
        _ => Err(shape("a header of few entries")),
    }
}

fn set<T>(place: &mut Option<T>, value: Option<T>) -> Shaped<()> {
    match (&place, value) {
        (None, Some(value)) => {
            *place = Some(value);
            Ok(())
        }
        (Some(_), _) => Err(shape("a label twice")),
        (None, None) => Err(shape("another value in a header")),
    }
}

fn pass_unprotected(d: &mut Decoder<'_>) -> Shaped<()> {
    for _ in 0..entries(d)? {
        d.i64().map_err(|_| shape("a label of the header"))?;
        d.skip().map_err(|_| shape("a value of the header"))?;
    }
    Ok(())
}

fn end(d: &Decoder<'_>) -> Shaped<()> {
    if d.position() == d.input().len() { Ok(()) } else { Err(shape("nothing behind the end")) }
}
