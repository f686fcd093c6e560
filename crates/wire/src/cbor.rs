//! Encoding and decoding of whole documents, with a size limit on the way in.

use minicbor::{Decode, Encode};

/// Media type of CBOR documents.
pub const CBOR: &str = "application/vnd.platen.report+cbor";
/// Media type of the JSON twin.
pub const JSON: &str = "application/vnd.platen.report+json";

/// A document that is not what it should be; says where in the bytes.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not CBOR of this shape.
    #[error("CBOR does not fit: {0}")]
    Shape(#[from] minicbor::decode::Error),
    /// Bytes after the end of the document.
    #[error("{0} bytes follow the end of the CBOR document")]
    Trailing(usize),
}

/// Writes a document.
pub fn encode<T: Encode<()>>(value: &T) -> Vec<u8> {
    minicbor::to_vec(value).expect("writing to memory does not fail")
}

/// Reads exactly one document.
pub fn decode<'b, T: Decode<'b, ()>>(bytes: &'b [u8]) -> Result<T, Error> {
    let mut decoder = minicbor::Decoder::new(bytes);
    let value = decoder.decode()?;
    match bytes.len() - decoder.position() {
        0 => Ok(value),
        left => Err(Error::Trailing(left)),
    }
}
