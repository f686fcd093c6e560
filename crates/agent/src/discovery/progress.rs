//! How far a discovery has come, kept so that an agent that was killed goes on where it was.

use serde::{Deserialize, Serialize};
use wire::AgentPlan;

use crate::error::Result;
use crate::polling::intake::hash_of;
use crate::state::{State, fact, set_fact};

const FACT: &str = "discovery";

/// What is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Progress {
    /// The last wish for a discovery at once that was granted ([`AgentPlan::asked`]).
    pub(crate) asked: u32,
    /// How many discoveries have begun; by it credentials take turns.
    pub(crate) turn: u32,
    /// The one that has begun and not ended.
    pub(crate) open: Option<Open>,
}

/// A discovery that has begun and not ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Open {
    /// What it looks for and where ([`places`]); under another plan it is void.
    pub(crate) places: u64,
    /// When it began, milliseconds since 1970.
    pub(crate) began_ms: i64,
    /// Parts of the ranges that are done.
    pub(crate) parts: usize,
    pub(crate) tally: Tally,
}

/// What a discovery has met so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Tally {
    pub(crate) addresses: u64,
    pub(crate) answered: u64,
    pub(crate) printers: u64,
    pub(crate) fresh: u64,
    pub(crate) packets: u64,
}

impl Progress {
    /// What was kept. An agent without any takes the wishes that it finds for granted.
    pub(crate) async fn load(state: &State, plan: &AgentPlan) -> Self {
        let kept = async { fact(&mut state.read().await?, FACT).await }.await;
        let text = kept.unwrap_or_else(|error| {
            tracing::error!(%error, "the progress of the discovery cannot be read");
            None
        });
        let known = text.and_then(|text| serde_json::from_str(&text).ok());
        known.unwrap_or(Self { asked: plan.asked, ..Self::default() })
    }

    /// Keeps it.
    pub(crate) async fn keep(&self, state: &State) {
        let kept: Result<()> = async {
            let mut tx = state.write().await?;
            set_fact(&mut tx, FACT, &serde_json::to_string(self).unwrap_or_default()).await?;
            Ok(tx.commit().await?)
        }
        .await;
        if let Err(error) = kept {
            tracing::error!(%error, "the progress of the discovery could not be kept");
        }
    }

    /// Whether a discovery under this plan was broken off.
    pub(crate) fn is_open(&self, plan: &AgentPlan) -> bool {
        self.open.as_ref().is_some_and(|open| open.places == places(plan))
    }
}

/// What decides where a discovery looks and what it may find. Hours and pace do not.
pub(crate) fn places(plan: &AgentPlan) -> u64 {
    let places = (&plan.ranges, &plan.exclude, &plan.credentials, &plan.targets, &plan.dns_sd);
    hash_of(&serde_json::to_vec(&places).unwrap_or_default())
}
