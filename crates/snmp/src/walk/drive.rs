//! Carries the questions of a walker to the engine, and what they taught back to its memory of the device.

use std::sync::Arc;

use smallvec::SmallVec;

use super::report::{Walk, WalkLimits};
use super::walker::{Plan, Walker};
use crate::engine::{Engine, Request};
use crate::error::Error;
use crate::oid::{Oid, OidRef};
use crate::pdu::PduKind;
use crate::target::{Security, Target, Version};
use crate::value::ValueRef;

/// Walks `roots` on `target`.
pub(crate) async fn drive(engine: &Engine, target: &Target, roots: &[Oid], limits: &WalkLimits) -> Result<Walk, Error> {
    let address = target.address;
    let (known, heard) = (engine.learnt(address), engine.has_heard(address));
    let mut walker = Walker::new(roots, limits, target.security.version(), known, heard);
    while let Some(plan) = walker.plan() {
        let target = target_of(target, &plan);
        let answer = {
            let varbinds: SmallVec<[(OidRef<'_>, ValueRef<'_>); 8]> =
                plan.asked.iter().map(|place| (walker.runs[*place].last.as_ref(), ValueRef::Null)).collect();
            let (kind, numbers) = match plan.repetitions {
                Some(repetitions) => (PduKind::GetBulk, [0, repetitions as i32]),
                None => (PduKind::GetNext, [0, 0]),
            };
            engine.exchange(&target, &Request { kind, numbers, varbinds: &varbinds }).await
        };
        match answer {
            Ok(answer) => walker.answered(&plan, answer.len(), answer.pdu()),
            Err(error) => walker.failed(&plan, error)?,
        }
    }
    let learnt = walker.learnt();
    if learnt != known {
        engine.remember(address, learnt);
    }
    walker.finish(address)
}

/// The target in the version of the plan.
fn target_of(target: &Target, plan: &Plan) -> Target {
    let mut target = target.clone();
    if plan.guess {
        target.retries = 0;
    }
    if let Security::Community { version, community } = &*target.security
        && *version != plan.version
        && plan.version == Version::V1
    {
        target.security = Arc::new(Security::Community { version: Version::V1, community: community.clone() });
    }
    target
}
