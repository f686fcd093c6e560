//! One error for both engines: what failed, in which statement or path, and what to do about it.
//! Cloneable, because all commits of one group share the fate of one fsync.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

/// Result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What kind of failure it was; callers decide by this and never by the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Locked, deadlocked or not serialisable: nothing was stored, the whole transaction may be tried again.
    Busy,
    /// The server cannot be reached or hung up before the commit: nothing was stored.
    Connection,
    /// The server hung up during the commit: whether it is stored is not known.
    Unknown,
    /// No space left (or a size limit): nothing was stored.
    Full,
    /// A unique key exists already.
    Unique,
    /// Another constraint refused: foreign key, check, not null, row security.
    Constraint,
    /// The statement, its parameters or the type asked of a column are wrong: a bug of the caller.
    Usage,
    /// A statement in this transaction failed before, so that it can only be dropped.
    Aborted,
    /// A migration is missing, changed or does not apply.
    Migration,
    /// What was asked for is not there.
    NotFound,
    /// Stored bytes differ from what was stored.
    Corrupt,
    /// The file system or the operating system refused.
    Io,
    /// Anything else the engine said.
    Engine,
}

/// Something the store could not do.
#[derive(Clone)]
pub struct Error(Box<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    subject: String,
    message: String,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, subject: impl Into<String>, message: impl Into<String>) -> Self {
        Self(Box::new(Inner { kind, subject: subject.into(), message: message.into(), source: None }))
    }

    pub(crate) fn usage(subject: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Usage, subject, message)
    }

    pub(crate) fn aborted(subject: impl Into<String>) -> Self {
        Self::new(
            ErrorKind::Aborted,
            subject,
            "a statement of this transaction failed or was cancelled before; drop it and begin anew",
        )
    }

    pub(crate) fn io(subject: impl Into<String>, source: std::io::Error) -> Self {
        use std::io::ErrorKind as Os;
        let kind = match source.kind() {
            Os::StorageFull | Os::QuotaExceeded | Os::FileTooLarge => ErrorKind::Full,
            Os::NotFound => ErrorKind::NotFound,
            _ => ErrorKind::Io,
        };
        Self::new(kind, subject, source.to_string()).with_source(source)
    }

    pub(crate) fn with_kind(mut self, kind: ErrorKind) -> Self {
        self.0.kind = kind;
        self
    }

    pub(crate) fn with_source(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.0.source = Some(Arc::new(source));
        self
    }

    /// What kind of failure it was.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Name of the statement, migration or path that failed.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.0.subject
    }

    /// True when nothing was stored and the same transaction may succeed if run again from its beginning.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self.0.kind, ErrorKind::Busy | ErrorKind::Connection)
    }

    /// True when a unique key stood in the way.
    #[must_use]
    pub fn is_unique_violation(&self) -> bool {
        self.0.kind == ErrorKind::Unique
    }

    fn advice(&self) -> &'static str {
        match self.0.kind {
            ErrorKind::Busy => "; run the transaction again",
            ErrorKind::Connection => "; check that the database server runs and that the address is right",
            ErrorKind::Full => "; nothing was stored: free space, then try again",
            _ => "",
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}{}", self.0.subject, self.0.message, self.advice())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} ({self})", self.0.kind)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}
