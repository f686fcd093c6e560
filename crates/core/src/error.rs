//! One error for all capabilities: a kind that doors turn into a status, and a sentence for people.
//! Secrets never stand in a message; an id of another organisation reads exactly as one that never was.

use std::time::Duration;

/// Result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, as a door needs to know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// There is no such thing, or it is not for these eyes (404).
    NotFound,
    /// Known, and not allowed (403).
    Forbidden,
    /// The input does not fit (400 or 422).
    Invalid,
    /// It contradicts what is stored (409).
    Conflict,
    /// `If-Match` names an older version (412).
    Stale,
    /// `If-Match` is missing (428).
    PreconditionRequired,
    /// Nobody is signed in, or the proof is wrong (401).
    Unauthenticated,
    /// Too often (429).
    TooMany,
    /// Try again later (503).
    Unavailable,
    /// A fault of ours (500).
    Internal,
}

/// Something that a capability could not do.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// What a door decides by.
    pub kind: Kind,
    /// Lower case; says what failed and with which input.
    pub message: String,
    /// The input field at fault, as the API names it.
    pub field: Option<String>,
    /// When to come again, for `TooMany` and `Unavailable`.
    pub retry_after: Option<Duration>,
    /// What lay below.
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error of a kind.
    #[must_use]
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), field: None, retry_after: None, source: None }
    }

    /// No such thing: the same sentence for what never was and for what belongs to others.
    #[must_use]
    pub fn not_found(noun: &str) -> Self {
        Self::new(Kind::NotFound, format!("there is no such {noun}"))
    }

    /// Known, but not allowed; `act` as in "create users".
    #[must_use]
    pub fn forbidden(act: &str) -> Self {
        Self::new(Kind::Forbidden, format!("your role does not allow you to {act}"))
    }

    /// An input field that does not fit.
    #[must_use]
    pub fn invalid(field: &str, message: impl Into<String>) -> Self {
        Self { field: Some(field.to_owned()), ..Self::new(Kind::Invalid, message) }
    }

    /// It contradicts what is stored.
    #[must_use]
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(Kind::Conflict, message)
    }

    /// A fault of ours.
    #[must_use]
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(Kind::Internal, message)
    }

    /// Compares the version that a caller saw with the stored one (`If-Match`).
    ///
    /// # Errors
    /// `PreconditionRequired` without a version, `Stale` with an older one.
    pub fn check_version(if_match: Option<i64>, stored: i64) -> Result<()> {
        match if_match {
            None => Err(Self::new(Kind::PreconditionRequired, "a change needs If-Match with the version that you saw")),
            Some(seen) if seen != stored => Err(Self::new(
                Kind::Stale,
                format!("it was changed meanwhile: you saw version {seen}, now it is {stored}"),
            )),
            Some(_) => Ok(()),
        }
    }

    /// The same error with the moment to come again.
    #[must_use]
    pub fn retry_after(mut self, after: Duration) -> Self {
        self.retry_after = Some(after);
        self
    }

    /// The same error with what lay below.
    #[must_use]
    pub fn with_source(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.source = Some(Box::new(source));
        self
    }
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        use store::ErrorKind as Store;
        let (kind, message) = match error.kind() {
            Store::Busy => (Kind::Unavailable, "the database is busy; try again"),
            Store::Connection => {
                (Kind::Unavailable, "the database cannot be reached; check that it runs, then try again")
            }
            Store::Full => (Kind::Unavailable, "the disk of the database is full; free some space, then try again"),
            Store::Unknown => {
                (Kind::Unavailable, "the database hung up; look whether this was stored before you try again")
            }
            Store::Unique => (Kind::Conflict, "it exists already"),
            Store::Constraint => (Kind::Conflict, "it contradicts what is stored"),
            _ => (Kind::Internal, "the database refused a statement"),
        };
        Self::new(kind, message).with_source(error)
    }
}
