//! `docs/behaviours.md` says which test proves what of the hard behaviours; here every test that it names is looked for.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::command::root;

/// The hard behaviours, in their order.
const BEHAVIOURS: [&str; 17] = [
    "level_sentinels",
    "receptacles",
    "units",
    "counter_regression",
    "identity",
    "usm_time",
    "usm_variants",
    "bulk_bugs",
    "walk_safety",
    "text",
    "error_state_shapes",
    "contexts",
    "sleep",
    "courtesy",
    "alert_lifecycle",
    "partial_replies",
    "conflicting_truth",
];
/// The hard behaviours of the gateway with their numbers; words that a test bears.
const AT_THE_GATEWAY: [(&str, u8); 15] = [
    ("herd", 1),
    ("clocks", 3),
    ("duplicates", 4),
    ("rollover", 5),
    ("swap", 6),
    ("spoofing", 7),
    ("replay", 8),
    ("disk_full", 9),
    ("poison", 10),
    ("cut", 11),
    ("drop", 12),
    ("close", 13),
    ("alert_storm", 14),
    ("bounces", 15),
    ("mutants", 21),
];
/// A claim without a test says why in these words, and is counted as open.
const OPEN: &str = "open:";

/// Prints how many claims are proved; returns what is wrong with the table.
pub(crate) fn check() -> Result<Vec<String>> {
    let page = fs::read_to_string(root().join("docs/behaviours.md")).context("docs/behaviours.md")?;
    let tests = tests(&root())?;
    let (claims, faults) = judge(&page, &tests);
    let open = claims.iter().filter(|claim| claim.tests.is_empty()).count();
    println!("behaviours: {} claims, {open} of them open", claims.len());
    Ok(faults)
}

#[derive(Debug)]
struct Claim {
    behaviour: String,
    tests: Vec<String>,
}

/// Rows `| behaviour | claim | tests |`, each test as `crate::place::name` in backticks.
fn judge(page: &str, tests: &BTreeMap<String, BTreeSet<String>>) -> (Vec<Claim>, Vec<String>) {
    let (mut claims, mut faults) = (Vec::new(), Vec::new());
    for line in page.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let [behaviour, claim, proof] = cells[..] else {
            faults.push(format!("docs/behaviours.md: three columns are wanted: {line}"));
            continue;
        };
        let behaviour = behaviour.replace('`', "");
        let named: Vec<String> = proof.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        for name in &named {
            let (home, test) = name
                .split_once("::")
                .map_or(("", name.as_str()), |(home, rest)| (home, rest.rsplit("::").next().unwrap_or(rest)));
            if !tests.get(home).is_some_and(|tests| tests.contains(test)) {
                faults.push(format!("docs/behaviours.md: `{name}` ({behaviour}: {claim}) is no test of crates/{home}"));
            }
        }
        if named.is_empty() && !proof.starts_with(OPEN) {
            faults.push(format!(
                "docs/behaviours.md: `{claim}` ({behaviour}) has neither test nor `{OPEN}` and a reason"
            ));
        }
        claims.push(Claim { behaviour, tests: named });
    }
    for behaviour in BEHAVIOURS {
        let mut named = claims.iter().filter(|claim| claim.behaviour == behaviour).flat_map(|claim| &claim.tests);
        if !named.any(|test| test.contains(behaviour)) {
            faults.push(format!("docs/behaviours.md: no test bears the name of `{behaviour}`"));
        }
    }
    for (word, number) in AT_THE_GATEWAY {
        let name = format!("{word} ({number})");
        if !claims.iter().any(|claim| claim.behaviour == name && !claim.tests.is_empty()) {
            faults.push(format!("docs/behaviours.md: nothing proves `{word}` ({number})"));
        }
    }
    (claims, faults)
}

/// Names of all functions below `crates/NAME`, by NAME, and of `xtask`.
fn tests(root: &Path) -> Result<BTreeMap<String, BTreeSet<String>>> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(root.join("crates"))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut found = BTreeSet::new();
        collect(&path, &mut found)?;
        all.insert(name, found);
    }
    Ok(all)
}

/// Functions marked as tests, the attribute a few lines above, or inside `proptest!`.
fn collect(folder: &PathBuf, found: &mut BTreeSet<String>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path)?;
            let mut marked = false;
            for line in text.lines().map(str::trim_start) {
                if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
                    marked = true;
                } else if let Some(rest) = line.strip_prefix("async fn ").or_else(|| line.strip_prefix("fn ")) {
                    if marked {
                        found.extend(rest.split(['(', '<']).next().map(str::to_owned));
                    }
                    marked = false;
                } else if !line.starts_with("#[") && !line.starts_with("//") && !line.is_empty() {
                    marked = false;
                }
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_test_that_the_table_of_behaviours_names_exists() {
        let faults = check().unwrap();
        assert!(faults.is_empty(), "{}", faults.join("\n"));
    }

    #[test]
    fn a_claim_without_a_test_is_told() {
        let tests = BTreeMap::from([("snmp".to_owned(), BTreeSet::from(["halves".to_owned()]))]);
        let page = "| `bulk_bugs` | tooBig | `snmp::bulk_bugs::halves` |\n| `bulk_bugs` | hangs | `snmp::gone` |\n\
                    | `sleep` | wakes nobody | open: not built |\n| `sleep` | knocks | |\n";
        let (claims, faults) = judge(page, &tests);
        assert_eq!(claims.len(), 4);
        let told = |words: &str| faults.iter().any(|fault| fault.contains(words));
        assert!(told("`snmp::gone`") && told("`knocks`") && !told("wakes") && !told("halves"), "{faults:?}");
        assert!(told("no test bears the name of `units`") && !told("name of `bulk_bugs`"), "{faults:?}");
    }
}
