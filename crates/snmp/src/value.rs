//! Values of objects, owned and borrowed, and the variable bindings that carry them.

use std::fmt;

use bytes::Bytes;

use crate::oid::{Oid, OidRef};

/// The value of an object. Numbers that exceed the type a device gave them keep their numeric truth in the next
/// wider type: an INTEGER of 3,000,000,000 becomes a `Gauge32`, a Counter32 of 33 bits a `Counter64`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// INTEGER, Integer32 and enumerations.
    Integer(i32),
    /// OCTET STRING: text, bytes or BITS.
    OctetString(Bytes),
    /// No value, as in requests.
    Null,
    /// OBJECT IDENTIFIER.
    ObjectId(Oid),
    /// IpAddress.
    IpAddress([u8; 4]),
    /// Counter32, wraps to 0.
    Counter32(u32),
    /// Gauge32 and Unsigned32.
    Gauge32(u32),
    /// TimeTicks in 1/100 s.
    TimeTicks(u32),
    /// Opaque, the bytes as they are (also the obsolete BIT STRING and NsapAddress).
    Opaque(Bytes),
    /// Counter64.
    Counter64(u64),
    /// v2 exception: the agent does not know the object.
    NoSuchObject,
    /// v2 exception: it knows the object, but not this instance.
    NoSuchInstance,
    /// v2 exception: nothing follows.
    EndOfMibView,
}

/// A value as a slice of the receive buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueRef<'a> {
    /// See [`Value::Integer`].
    Integer(i32),
    /// See [`Value::OctetString`].
    OctetString(&'a [u8]),
    /// See [`Value::Null`].
    Null,
    /// See [`Value::ObjectId`].
    ObjectId(OidRef<'a>),
    /// See [`Value::IpAddress`].
    IpAddress([u8; 4]),
    /// See [`Value::Counter32`].
    Counter32(u32),
    /// See [`Value::Gauge32`].
    Gauge32(u32),
    /// See [`Value::TimeTicks`].
    TimeTicks(u32),
    /// See [`Value::Opaque`].
    Opaque(&'a [u8]),
    /// See [`Value::Counter64`].
    Counter64(u64),
    /// See [`Value::NoSuchObject`].
    NoSuchObject,
    /// See [`Value::NoSuchInstance`].
    NoSuchInstance,
    /// See [`Value::EndOfMibView`].
    EndOfMibView,
}

/// An object and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VarBind {
    /// Which object.
    pub oid: Oid,
    /// Its value.
    pub value: Value,
}

impl VarBind {
    /// An object with a value.
    pub fn new(oid: Oid, value: Value) -> Self {
        Self { oid, value }
    }
}

impl Value {
    /// The number, if it is one and fits.
    pub fn as_i64(&self) -> Option<i64> {
        self.borrowed().as_i64()
    }

    /// The number, if it is one and not negative.
    pub fn as_u64(&self) -> Option<u64> {
        self.borrowed().as_u64()
    }

    /// The bytes of a string or Opaque.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Self::OctetString(bytes) | Self::Opaque(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The identifier, if it is one.
    pub fn as_oid(&self) -> Option<&Oid> {
        match self {
            Self::ObjectId(oid) => Some(oid),
            _ => None,
        }
    }

    /// Whether the agent gave no value: one of the three exceptions, or Null.
    pub fn is_missing(&self) -> bool {
        self.borrowed().is_missing()
    }

    /// A string value.
    pub fn text(text: &str) -> Self {
        Self::OctetString(Bytes::copy_from_slice(text.as_bytes()))
    }

    /// Borrowed form.
    #[inline]
    pub fn borrowed(&self) -> ValueRef<'_> {
        match self {
            Self::Integer(number) => ValueRef::Integer(*number),
            Self::OctetString(bytes) => ValueRef::OctetString(bytes),
            Self::Null => ValueRef::Null,
            Self::ObjectId(oid) => ValueRef::ObjectId(oid.as_ref()),
            Self::IpAddress(address) => ValueRef::IpAddress(*address),
            Self::Counter32(number) => ValueRef::Counter32(*number),
            Self::Gauge32(number) => ValueRef::Gauge32(*number),
            Self::TimeTicks(ticks) => ValueRef::TimeTicks(*ticks),
            Self::Opaque(bytes) => ValueRef::Opaque(bytes),
            Self::Counter64(number) => ValueRef::Counter64(*number),
            Self::NoSuchObject => ValueRef::NoSuchObject,
            Self::NoSuchInstance => ValueRef::NoSuchInstance,
            Self::EndOfMibView => ValueRef::EndOfMibView,
        }
    }
}

impl<'a> ValueRef<'a> {
    /// The number, if it is one and fits.
    pub fn as_i64(self) -> Option<i64> {
        match self {
            Self::Integer(number) => Some(i64::from(number)),
            Self::Counter32(number) | Self::Gauge32(number) | Self::TimeTicks(number) => Some(i64::from(number)),
            Self::Counter64(number) => i64::try_from(number).ok(),
            _ => None,
        }
    }

    /// The number, if it is one and not negative.
    pub fn as_u64(self) -> Option<u64> {
        match self {
            Self::Integer(number) => u64::try_from(number).ok(),
            Self::Counter32(number) | Self::Gauge32(number) | Self::TimeTicks(number) => Some(u64::from(number)),
            Self::Counter64(number) => Some(number),
            _ => None,
        }
    }

    /// The bytes of a string or Opaque.
    pub fn as_bytes(self) -> Option<&'a [u8]> {
        match self {
            Self::OctetString(bytes) | Self::Opaque(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// Whether the agent gave no value: one of the three exceptions, or Null.
    pub fn is_missing(self) -> bool {
        matches!(self, Self::Null) || self.is_exception()
    }

    /// Whether this is one of the three exceptions of v2.
    pub fn is_exception(self) -> bool {
        matches!(self, Self::NoSuchObject | Self::NoSuchInstance | Self::EndOfMibView)
    }

    /// An owned copy.
    pub fn to_value(self) -> Value {
        match self {
            Self::Integer(number) => Value::Integer(number),
            Self::OctetString(bytes) => Value::OctetString(Bytes::copy_from_slice(bytes)),
            Self::Null => Value::Null,
            Self::ObjectId(oid) => Value::ObjectId(oid.to_oid()),
            Self::IpAddress(address) => Value::IpAddress(address),
            Self::Counter32(number) => Value::Counter32(number),
            Self::Gauge32(number) => Value::Gauge32(number),
            Self::TimeTicks(ticks) => Value::TimeTicks(ticks),
            Self::Opaque(bytes) => Value::Opaque(Bytes::copy_from_slice(bytes)),
            Self::Counter64(number) => Value::Counter64(number),
            Self::NoSuchObject => Value::NoSuchObject,
            Self::NoSuchInstance => Value::NoSuchInstance,
            Self::EndOfMibView => Value::EndOfMibView,
        }
    }
}

impl fmt::Display for ValueRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(number) => write!(f, "{number}"),
            Self::Counter32(number) | Self::Gauge32(number) | Self::TimeTicks(number) => write!(f, "{number}"),
            Self::Counter64(number) => write!(f, "{number}"),
            Self::OctetString(bytes) | Self::Opaque(bytes) => f.write_str(&String::from_utf8_lossy(bytes)),
            Self::Null => f.write_str("null"),
            Self::ObjectId(oid) => write!(f, "{oid}"),
            Self::IpAddress([a, b, c, d]) => write!(f, "{a}.{b}.{c}.{d}"),
            Self::NoSuchObject => f.write_str("no such object"),
            Self::NoSuchInstance => f.write_str("no such instance"),
            Self::EndOfMibView => f.write_str("end of MIB view"),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.borrowed(), f)
    }
}
