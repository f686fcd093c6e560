//! What a list would change in a plan, line by line; and the plan with it.

use std::collections::HashMap;
use std::net::SocketAddr;

use serde::Serialize;
use wire::AgentPlan;
use wire::places::{Exclusions, Mac, Span, part_port};
use wire::plan::Target;

use super::{Entry, Fault, Format, Imported, maker_of};

/// UDP port of SNMP when none is named.
const SNMP_PORT: u16 = 161;

/// What becomes of a place of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// It will be asked.
    New,
    /// It is in the plan, and the list says something else about it.
    Changed,
    /// It is in the plan just so.
    Known,
    /// The plan forbids to ask it.
    Forbidden,
}

/// A place of a list, and what becomes of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PreviewLine {
    /// Line of the list.
    pub line: usize,
    /// The place.
    pub target: Target,
    /// What it calls itself in the list.
    pub label: Option<String>,
    /// Brand whose printers often have such a network card.
    pub maker: Option<&'static str>,
    /// What becomes of it.
    pub fate: Fate,
    /// A range of the plan holds it already; as a target it is asked first.
    pub in_range: bool,
}

/// What a list would do to a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Preview {
    /// How the list was read.
    pub format: Format,
    /// Its places: likely printers first, then in the order of the list.
    pub lines: Vec<PreviewLine>,
    /// Places that are new.
    pub new: usize,
    /// Places that change.
    pub changed: usize,
    /// Places that are in the plan just so.
    pub known: usize,
    /// Places that the plan forbids to ask.
    pub forbidden: usize,
    /// Lines that speak of no place to ask now.
    pub passed_over: usize,
    /// Lines that cannot be used; at most 100.
    pub faults: Vec<Fault>,
    /// How many lines cannot be used.
    pub fault_count: usize,
}

/// Judges a list by a plan. The second part are the targets that the plan would have.
pub(in crate::agents) fn merge(list: Imported, plan: &AgentPlan) -> (Preview, Vec<Target>) {
    let forbidden = Exclusions::read(&plan.exclude).0;
    let ranges: Vec<Span> = plan.ranges.iter().filter_map(|text| text.parse().ok()).collect();
    let mut targets = plan.targets.clone();
    let places: HashMap<String, usize> = (0..).zip(&targets).map(|(at, target)| (target.host.clone(), at)).collect();
    let mut lines = Vec::with_capacity(list.entries.len());
    for Entry { line, target, label } in list.entries {
        let mac: Option<Mac> = target.mac.as_deref().and_then(|mac| mac.parse().ok());
        let address = address_of(&target.host);
        let fate =
            if address.is_some_and(|at| forbidden.forbid(at)) || mac.is_some_and(|mac| forbidden.forbid_card(mac)) {
                Fate::Forbidden
            } else if let Some(at) = places.get(&target.host) {
                let joined = joined(&targets[*at], &target);
                let fate = if joined == targets[*at] { Fate::Known } else { Fate::Changed };
                targets[*at] = joined;
                fate
            } else {
                targets.push(target.clone());
                Fate::New
            };
        let in_range = address.is_some_and(|at| ranges.iter().any(|range| range.hosts().holds(at.ip())));
        lines.push(PreviewLine { line, target, label, maker: mac.and_then(maker_of), fate, in_range });
    }
    lines.sort_by_key(|line| line.maker.is_none());
    let count = |fate: Fate| lines.iter().filter(|line| line.fate == fate).count();
    let preview = Preview {
        format: list.format,
        new: count(Fate::New),
        changed: count(Fate::Changed),
        known: count(Fate::Known),
        forbidden: count(Fate::Forbidden),
        passed_over: list.passed_over,
        faults: list.faults,
        fault_count: list.fault_count,
        lines,
    };
    (preview, targets)
}

/// What a newer list says stands over what is known; what it leaves open stays.
fn joined(old: &Target, new: &Target) -> Target {
    let either = |new: &Option<String>, old: &Option<String>| new.clone().or_else(|| old.clone());
    Target {
        host: old.host.clone(),
        name: either(&new.name, &old.name),
        site: either(&new.site, &old.site),
        asset: either(&new.asset, &old.asset),
        mac: either(&new.mac, &old.mac),
    }
}

/// The address of a place that is named by one.
fn address_of(host: &str) -> Option<SocketAddr> {
    let (address, port) = part_port(host)?;
    Some(SocketAddr::new(address.parse().ok()?, port.unwrap_or(SNMP_PORT)))
}
