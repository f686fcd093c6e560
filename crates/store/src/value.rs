//! A value as a statement takes it and a row gives it: the little that both engines share.
//! Time is `Int`, µs since 1970 UTC; JSON is `Text`; money is `Int`, micro-units.

/// One parameter or one column. NULL carries no type, so that no engine has to guess one.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// SQL NULL, of whatever type the server expects.
    Null,
    /// bigint, integer, boolean (0, 1) and timestamptz (µs).
    Int(i64),
    /// double precision.
    Real(f64),
    /// text and jsonb.
    Text(String),
    /// bytea.
    Bytes(Vec<u8>),
    /// boolean; SQLite stores 0 or 1.
    Bool(bool),
}

impl Value {
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Int(_) => "an integer",
            Self::Real(_) => "a real number",
            Self::Text(_) => "text",
            Self::Bytes(_) => "bytes",
            Self::Bool(_) => "a boolean",
        }
    }

    /// A JSON document as a parameter.
    #[must_use]
    pub fn json(document: &serde_json::Value) -> Self {
        Self::Text(document.to_string())
    }
}

macro_rules! from {
    ($($variant:ident: $($kind:ty),+;)+) => {$($(
        impl From<$kind> for Value {
            fn from(value: $kind) -> Self {
                Self::$variant(value.into())
            }
        }
    )+)+};
}

from! {
    Int: i64, i32, i16, i8, u32, u16, u8;
    Real: f64, f32;
    Text: &str, String, &String, Box<str>, std::borrow::Cow<'_, str>;
    Bytes: Vec<u8>, &[u8];
    Bool: bool;
}

impl<const N: usize> From<[u8; N]> for Value {
    fn from(value: [u8; N]) -> Self {
        Self::Bytes(value.to_vec())
    }
}

impl<const N: usize> From<&[u8; N]> for Value {
    fn from(value: &[u8; N]) -> Self {
        Self::Bytes(value.to_vec())
    }
}

impl From<&serde_json::Value> for Value {
    fn from(value: &serde_json::Value) -> Self {
        Self::json(value)
    }
}

impl From<&Self> for Value {
    fn from(value: &Self) -> Self {
        value.clone()
    }
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// Parameters of a statement, in the order of `$1`, `$2`, …: `params![tenant, 5, None::<&str>]`.
#[macro_export]
macro_rules! params {
    () => { [] as [$crate::Value; 0] };
    ($($value:expr),+ $(,)?) => { [$($crate::Value::from($value)),+] };
}
