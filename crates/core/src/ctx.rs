//! Who asks, for whom, when: the first argument of every service.

use crate::error::{Error, Result};
use crate::ids::{AgentId, OrgId, TokenId, UserId};
use crate::monitors::MonitorId;
use crate::platform::{Ids, Platform};
use crate::scope::Scope;
use crate::time::Micros;

/// Who acts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// The program itself.
    System,
    /// A person with a session.
    User {
        /// The account.
        id: UserId,
        /// As shown to people.
        name: String,
    },
    /// A program with a person's API token.
    Token {
        /// The token.
        id: TokenId,
        /// Whose it is.
        user: UserId,
        /// The token's name.
        name: String,
    },
    /// An agent, by its signature.
    Agent {
        /// The agent.
        id: AgentId,
    },
    /// A device that reports by itself, by its signature.
    Monitor {
        /// Its registration.
        id: MonitorId,
    },
}

impl Actor {
    /// `system`, `user`, `token`, `agent` or `monitor`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User { .. } => "user",
            Self::Token { .. } => "token",
            Self::Agent { .. } => "agent",
            Self::Monitor { .. } => "monitor",
        }
    }

    /// Id as text; empty for the system.
    #[must_use]
    pub fn id(&self) -> String {
        match self {
            Self::System => String::new(),
            Self::User { id, .. } => id.to_string(),
            Self::Token { id, .. } => id.to_string(),
            Self::Agent { id } => id.to_string(),
            Self::Monitor { id } => id.to_string(),
        }
    }

    /// Name for people.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::System => "Platen",
            Self::User { name, .. } | Self::Token { name, .. } => name,
            Self::Agent { .. } => "agent",
            Self::Monitor { .. } => "device",
        }
    }
}

/// What one may do; each includes those below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// An agent: reports, and nothing else.
    Agent,
    /// Reads the fleet.
    User,
    /// Changes the fleet.
    Manager,
    /// Everything of the own organisation, its users too.
    Admin,
}

impl Role {
    /// As stored and as the API says it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::User => "user",
            Self::Manager => "manager",
            Self::Admin => "admin",
        }
    }

    /// Reads a role that a person may have.
    ///
    /// # Errors
    /// `Invalid`, naming the roles that exist.
    pub fn parse(text: &str) -> Result<Self> {
        match text {
            "user" => Ok(Self::User),
            "manager" => Ok(Self::Manager),
            "admin" => Ok(Self::Admin),
            _ => Err(Error::invalid("role", "a role is admin, manager or user")),
        }
    }
}

/// Who asks, what they may see, and when.
#[derive(Clone, Debug)]
pub struct Ctx {
    /// The process.
    pub platform: Platform,
    /// Who acts.
    pub actor: Actor,
    /// The organisation of the actor.
    pub home: OrgId,
    /// What the actor may do, capped by the scopes of a token.
    pub role: Role,
    /// The organisations that are visible.
    pub scope: Scope,
    /// The moment of the request.
    pub now: Micros,
    /// Id of the request, for audit and logs.
    pub request: String,
}

impl Ctx {
    /// Ids and randomness.
    #[must_use]
    pub fn ids(&self) -> &dyn Ids {
        self.platform.ids()
    }

    /// The database.
    #[must_use]
    pub fn db(&self) -> &store::Db {
        self.platform.db()
    }

    /// The account behind a session or token.
    #[must_use]
    pub fn user(&self) -> Option<UserId> {
        match self.actor {
            Actor::User { id, .. } | Actor::Token { user: id, .. } => Some(id),
            Actor::System | Actor::Agent { .. } | Actor::Monitor { .. } => None,
        }
    }

    /// The agent that asks.
    ///
    /// # Errors
    /// `Forbidden` for anyone else.
    pub fn require_agent(&self) -> Result<AgentId> {
        match self.actor {
            Actor::Agent { id } => Ok(id),
            _ => Err(Error::new(crate::Kind::Forbidden, "only an agent may do this")),
        }
    }

    /// Whoever reports: an agent, or a registered device under its own name.
    ///
    /// # Errors
    /// `Forbidden` for anyone else.
    pub fn require_sender(&self) -> Result<AgentId> {
        match self.actor {
            Actor::Agent { id } => Ok(id),
            Actor::Monitor { id } => Ok(AgentId(id.0)),
            _ => Err(Error::new(crate::Kind::Forbidden, "only an agent or a registered device may report")),
        }
    }

    /// The registered device that asks.
    ///
    /// # Errors
    /// `Forbidden` for anyone else.
    pub fn require_monitor(&self) -> Result<MonitorId> {
        match self.actor {
            Actor::Monitor { id } => Ok(id),
            _ => Err(Error::new(crate::Kind::Forbidden, "only a registered device may do this")),
        }
    }

    /// Asks for at least `role`; `act` as in "create users".
    ///
    /// # Errors
    /// `Forbidden`.
    pub fn require(&self, role: Role, act: &str) -> Result<()> {
        if self.role >= role { Ok(()) } else { Err(Error::forbidden(act)) }
    }

    /// The same request, looking only at `org` and what stands below it.
    ///
    /// # Errors
    /// `NotFound` when `org` is not visible.
    pub async fn focused(&self, org: OrgId) -> Result<Self> {
        let scope = crate::scope::focus(self, org).await?;
        Ok(Self { scope, ..self.clone() })
    }

    /// The same request, numbered.
    #[must_use]
    pub fn with_request(mut self, request: impl Into<String>) -> Self {
        self.request = request.into();
        self
    }
}
