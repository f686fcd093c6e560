//! People: accounts, passwords, sessions, tokens for programs, saved filters, and the first set-up.
//! What proves a person is kept as a hash only; an unknown name costs and answers as a known one.

use serde::Serialize;

use crate::ctx::{Ctx, Role};
use crate::ids::{OrgId, UserId};
use crate::secrets::Secret;
use crate::time::Micros;

mod budgets;
mod local;
mod password_change;
mod passwords;
pub(crate) mod rules;
mod saved;
mod service;
mod sessions;
mod setup;
mod sql;
#[cfg(test)]
mod tests;
mod tokens;

pub use local::{LocalUser, create_local, ctx_local, reset_local, token_local};
pub use password_change::{reset_password, set_password};
pub(crate) use passwords::PasswordGate;
pub use rules::{LOCAL_PASSWORD, MIN_PASSWORD};
pub use saved::{NewFilter, SavedFilter, delete_filter, list_filters, save_filter, update_filter};
pub use service::{
    FIELDS, NewUser, UserPatch, UserQuery, create_user, find_by_email, get, list, set_role, set_state, update,
};
pub use sessions::{SessionRow, SignIn, end_session, glance, list_sessions, resume, rotate, sign_in, sign_out};
pub use setup::{FirstUser, setup_first, setup_local, setup_needed, setup_secret};
pub use tokens::{NewToken, TOKEN_PREFIX, Token, bearer, create_token, create_token_for, list_tokens, revoke_token};

/// Whether an account may sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UserState {
    /// May sign in.
    Active,
    /// May not; sessions and tokens are dead.
    Disabled,
}

impl UserState {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Disabled => "disabled",
        }
    }
}

/// An account, as people see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct User {
    /// Its id.
    pub id: UserId,
    /// Its organisation.
    pub org: OrgId,
    /// What it signs in with.
    pub email: String,
    /// Name for people.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// Whether it may sign in.
    pub state: UserState,
    /// BCP 47 language.
    pub locale: String,
    /// For `If-Match`.
    pub version: i64,
    /// When it was made.
    pub created_at: Micros,
    /// When it last signed in.
    pub last_sign_in_at: Option<Micros>,
}

/// A person who has just signed in, or come back.
#[derive(Clone, Debug)]
pub struct Session {
    /// What services take.
    pub ctx: Ctx,
    /// Who it is.
    pub user: User,
    /// What forms and scripts must send back with each change; bound to this session.
    pub csrf: Secret,
    /// The session ends then, if nothing happens before.
    pub idle_until: Micros,
    /// The session ends then in any case.
    pub absolute_until: Micros,
    /// The password was made by another and must be changed first.
    pub must_change: bool,
}

impl Session {
    /// Whether a change came from a page of this session.
    #[must_use]
    pub fn csrf_fits(&self, given: &str) -> bool {
        self.csrf.matches(given)
    }
}
