//! Behaviours of the SNMP crate as its users meet them: against our own agents, hostile ones, and net-snmp.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop where it stands")]

mod agents;
mod bulk_bugs;
mod codec;
mod counting;
mod courtesy;
mod fuzz;
mod hostile;
mod netsnmp;
mod partial_replies;
mod poll_rate;
mod rates;
mod recordings;
mod sweep;
mod trap;
mod v3;
mod walk_safety;
