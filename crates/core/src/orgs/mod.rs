//! Organisations: a tree of providers with customers as leaves, and the grants by which one sees another's fleet.
//! An organisation is the tenant of its rows; its path is a run of fixed-width steps, so that "below" is a prefix.

use serde::Serialize;

use crate::error::{Error, Result};
use crate::ids::OrgId;
use crate::time::Micros;

pub(crate) mod rules;
mod service;
pub(crate) mod sql;
#[cfg(test)]
mod tests;

pub(crate) use service::create_root;
pub use service::{NewOrg, OrgPatch, create, get, grants, tree, update};

/// What an organisation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrgKind {
    /// The top of the tree; there is one.
    Root,
    /// Serves others.
    Provider,
    /// Is served; has none below it.
    Customer,
}

impl OrgKind {
    /// As stored and as the API says it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Provider => "provider",
            Self::Customer => "customer",
        }
    }

    pub(crate) fn parse(text: &str) -> Result<Self> {
        match text {
            "root" => Ok(Self::Root),
            "provider" => Ok(Self::Provider),
            "customer" => Ok(Self::Customer),
            _ => Err(Error::invalid("kind", "an organisation is a provider or a customer")),
        }
    }
}

/// How much of an organisation the reader sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// It is the reader's own.
    Own,
    /// It gave leave to see its fleet.
    Fleet,
    /// It stands below the reader, who sees that it is there.
    Licence,
}

/// An organisation, as the reader may see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Org {
    /// Its id, also the tenant of its rows.
    pub id: OrgId,
    /// The one above; `None` at the top, or where the one above is not visible.
    pub parent: Option<OrgId>,
    /// Short name, unique among its siblings; what `under "…"` in filters means.
    pub slug: String,
    /// Steps below the first organisation of the list.
    pub depth: u32,
    /// What it is.
    pub kind: OrgKind,
    /// Name; `None` when the reader is no more than an ancestor that did not create it.
    pub name: Option<String>,
    /// IANA time zone.
    pub zone: String,
    /// BCP 47 language.
    pub locale: String,
    /// ISO 4217 currency.
    pub currency: String,
    /// How much of it the reader sees.
    pub access: Access,
    /// For `If-Match`.
    pub version: i64,
    /// When it was created.
    pub created_at: Micros,
}

/// Leave to see a class of data of an organisation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Grant {
    /// Whose data.
    pub tenant: OrgId,
    /// Who may see them.
    pub grantee: OrgId,
    /// `fleet`.
    pub class: String,
    /// From when.
    pub from_at: Micros,
    /// Until when; `None`: until it is ended.
    pub until_at: Option<Micros>,
}
