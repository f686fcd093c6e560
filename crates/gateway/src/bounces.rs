//! Failure reports of our own mail, taken at the SMTP door: read here, and what they say is told to core.

use mail::Address;
use mail::bounce::{self, Verdict};
use platen_core::Platform;
use platen_core::notifications::{self, Returned};

/// The name before the `@`, if it is one that failure reports come to.
pub(crate) fn local(address: &Address) -> Option<&str> {
    notifications::is_bounce_address(address.local()).then_some(address.local())
}

/// Takes a mail that came to a return address (the name before the `@`); true when it suspended a recipient.
/// Whatever else comes is dropped without an answer.
///
/// # Errors
/// When the database refuses: the sender shall try again.
pub async fn take(platform: &Platform, local: &str, mail: &[u8]) -> platen_core::Result<bool> {
    let said = match bounce::read(mail) {
        Verdict::Failed { status, why } => Returned::Failed { status, why },
        Verdict::Otherwise => Returned::Otherwise,
        Verdict::Answer => Returned::Answer,
    };
    notifications::returned(platform, local, &said).await
}
