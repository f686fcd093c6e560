//! Newtype ids: UUIDv7 inside, lower-case hyphenated text outside.
//! A text that is no id is simply an id that does not exist.

use std::fmt;

use store::{FromValue, Value};
use uuid::Uuid;

use crate::error::{Error, Result};

/// Declares an id type: `id!(/// doc DeviceId, "device");`.
#[macro_export]
macro_rules! id {
    ($(#[$meta:meta])* $name:ident, $noun:literal) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub ::uuid::Uuid);

        impl $name {
            /// What it names, for messages.
            pub const NOUN: &'static str = $noun;

            /// A new one.
            #[must_use]
            pub fn new(ids: &dyn $crate::Ids) -> Self {
                Self(ids.uuid7())
            }

            /// Reads an id as people and programs send it.
            ///
            /// # Errors
            /// `NotFound`, as for any id that does not exist.
            pub fn parse(text: &str) -> $crate::Result<Self> {
                $crate::ids::parse_uuid(text, $noun).map(Self)
            }

            /// `NotFound` for this kind of thing.
            #[must_use]
            pub fn missing() -> $crate::Error {
                $crate::Error::not_found($noun)
            }
        }

        $crate::id_text!($name);
    };
}

/// Text, database and JSON forms of an id type.
#[doc(hidden)]
#[macro_export]
macro_rules! id_text {
    ($name:ident) => {
        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                ::std::fmt::Display::fmt(&self.0.hyphenated(), f)
            }
        }

        impl ::std::fmt::Debug for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                ::std::fmt::Display::fmt(self, f)
            }
        }

        impl ::std::str::FromStr for $name {
            type Err = $crate::Error;
            fn from_str(text: &str) -> ::std::result::Result<Self, Self::Err> {
                Self::parse(text)
            }
        }

        impl From<$name> for ::store::Value {
            fn from(id: $name) -> Self {
                Self::Text(id.to_string())
            }
        }

        impl From<&$name> for ::store::Value {
            fn from(id: &$name) -> Self {
                Self::Text(id.to_string())
            }
        }

        impl ::store::FromValue for $name {
            const NAME: &'static str = stringify!($name);
            fn from_value(value: &::store::Value) -> Option<Self> {
                $crate::ids::uuid_of(value).map(Self)
            }
        }

        impl ::serde::Serialize for $name {
            fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> ::std::result::Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> ::serde::Deserialize<'de> for $name {
            fn deserialize<D: ::serde::Deserializer<'de>>(deserializer: D) -> ::std::result::Result<Self, D::Error> {
                let text = <::std::borrow::Cow<'de, str> as ::serde::Deserialize>::deserialize(deserializer)?;
                Self::parse(&text).map_err(::serde::de::Error::custom)
            }
        }
    };
}

id!(
    /// An organisation; also the tenant of its rows.
    OrgId,
    "organisation"
);
id!(
    /// A person with an account.
    UserId,
    "user"
);
id!(
    /// An API token (its name, never its secret).
    TokenId,
    "token"
);
id!(
    /// A saved filter.
    FilterId,
    "saved filter"
);
id!(
    /// An agent; on the wire the same 16 bytes are its [`wire::Subject`].
    AgentId,
    "agent"
);

impl From<AgentId> for wire::Subject {
    fn from(id: AgentId) -> Self {
        Self(id.0.into_bytes())
    }
}

impl From<wire::Subject> for AgentId {
    fn from(subject: wire::Subject) -> Self {
        Self(Uuid::from_bytes(subject.0))
    }
}

#[doc(hidden)]
pub fn parse_uuid(text: &str, noun: &str) -> Result<Uuid> {
    match text.len() {
        36 => Uuid::try_parse(text).map_err(|_| Error::not_found(noun)),
        _ => Err(Error::not_found(noun)),
    }
}

#[doc(hidden)]
pub fn uuid_of(value: &Value) -> Option<Uuid> {
    Uuid::try_parse(&String::from_value(value)?).ok()
}

/// Shows bytes as lower-case hex, for hashes used as keys.
pub(crate) struct Hex<'a>(pub(crate) &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
