//! Judges a profile that somebody wrote, and says in plain words what is wrong with it.

use std::fmt;
use std::path::Path;

use super::{CounterTable, LoadError, Profile, RowKey, catalogue};

/// Something wrong in a profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The key it is about.
    pub key: String,
    /// What is wrong, and what to write instead.
    pub text: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.text)
    }
}

/// Reads a profile and judges it; no findings means that it can be used.
pub fn check(path: &Path) -> Result<Vec<Finding>, LoadError> {
    Ok(judge(&catalogue::read(path)?))
}

/// Judges the text of a profile.
pub fn check_text(text: &str) -> Vec<Finding> {
    match toml::from_str(text) {
        Ok(profile) => judge(&profile),
        Err(error) => vec![Finding { key: "file".to_owned(), text: error.to_string() }],
    }
}

fn judge(profile: &Profile) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut say = |key: &str, text: &str| findings.push(Finding { key: key.to_owned(), text: text.to_owned() });
    let slug = |text: &str| {
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    if !slug(&profile.vendor) {
        say("vendor", "write a slug of lower-case letters, digits and `-`, such as `konica-minolta`");
    }
    if profile.names.is_empty() && profile.arcs.is_empty() {
        say("names", "without names or arcs no device is ever recognised: give one of them");
    }
    if profile.names.iter().any(|name| name.trim().len() < 2) {
        say("names", "a name of one letter stands in too many texts");
    }
    if profile.made_by.as_deref() == Some(&profile.vendor) {
        say("made_by", "names the profile itself: leave it out");
    }
    if profile.arcs.iter().any(|arc| arc.0.len() < 7) {
        say("arcs", "an arc has at least the seven numbers 1.3.6.1.4.1.N");
    }
    if profile.model.only_after && profile.model.after.is_empty() {
        say("model.only_after", "needs `after`");
    }
    judge_rows(profile, &mut say);
    for table in &profile.counter_tables {
        judge_table(table, &mut say);
    }
    findings
}

/// The lists of small rules.
fn judge_rows(profile: &Profile, say: &mut impl FnMut(&str, &str)) {
    for rule in &profile.firmware {
        if rule.oid.is_some() == rule.after.is_some() {
            say("firmware", &format!("`{}` needs either `oid` or `after`", rule.name));
        }
    }
    for staged in &profile.staged {
        if staged.steps.len() < 2 {
            say("staged", "give the raw values of at least two steps, from empty to full");
        }
    }
    let keyword = |text: &str| text.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
    for condition in &profile.conditions {
        if !keyword(&condition.reason) || condition.reason.is_empty() {
            say("conditions.reason", "write an IPP keyword without suffix, such as `toner-low`");
        }
    }
}

fn judge_table(table: &CounterTable, say: &mut impl FnMut(&str, &str)) {
    match table.key {
        RowKey::Code if table.code.is_none() => say("counter_tables", "key = \"code\" needs the column `code`"),
        RowKey::Label if table.label.is_none() => say("counter_tables", "key = \"label\" needs the column `label`"),
        _ => {}
    }
    for row in &table.rows {
        let fits = match table.key {
            RowKey::Label => row.label.is_some() && row.code.is_none(),
            RowKey::Code | RowKey::Index => row.code.is_some() && row.label.is_none(),
        };
        if !fits {
            say(
                "counter_tables.rows",
                &format!("each row of {} needs exactly the kind of key that `key` names", table.value.0),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_name_the_key() {
        let keys = |text: &str| check_text(text).into_iter().map(|finding| finding.key).collect::<Vec<_>>();
        assert_eq!(keys("vendor = \"Ricoh Co\"\nnames = [\"RICOH\"]"), ["vendor"]);
        assert_eq!(keys("vendor = \"acme\""), ["names"]);
        assert_eq!(keys("vendor = \"acme\"\nnames = [\"ACME\"]\ntypo = 1"), ["file"]);
        let table = "vendor = \"acme\"\nnames = [\"ACME\"]\n[[counter_tables]]\nvalue = \"1.3.6.1\"\nkey = \"code\"\nrows = [{ label = \"Total\" }]";
        assert_eq!(keys(table), ["counter_tables", "counter_tables.rows"]);
        assert_eq!(keys("vendor = \"acme\"\nnames = [\"ACME\"]\narcs = [\"1.3.6.1.4.1.99999\"]"), [""; 0]);
    }
}
