//! What agents call: enrolment, reports, plan. Each call is one file.

pub(crate) mod enrol;
pub(crate) mod plan;
pub(crate) mod reports;

use std::time::Duration;

use platen_core::Kind;

use crate::reply::Refusal;

/// What a refusal of core means to a sender. Whatever might tell a stranger something reads as `Forbidden`.
pub(crate) fn refusal(error: &platen_core::Error) -> Refusal {
    match error.kind {
        Kind::NotFound | Kind::Forbidden | Kind::Unauthenticated => Refusal::Forbidden,
        Kind::Invalid => Refusal::Malformed { offset: None, detail: error.message.clone() },
        Kind::TooMany => Refusal::TooMany { wait: Duration::from_secs(5) },
        _ => {
            tracing::error!(error = %error, "a request could not be stored");
            Refusal::Later { least: Duration::from_secs(9) }
        }
    }
}
