//! Judges a profile that somebody wrote, and says in plain words on which line what is wrong with it.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;

use super::places::{Places, Step};
use super::{CounterTable, Labelled, LoadError, Profile, RowKey, catalogue};

/// Something wrong in a profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Line in the file, from 1.
    pub line: usize,
    /// The key it is about.
    pub key: String,
    /// What is wrong, and what to write instead.
    pub text: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}: {}", self.line, self.key, self.text)
    }
}

/// Reads a profile and judges it; no findings means that it can be used.
///
/// # Errors
/// When the file cannot be read.
pub fn check(path: &Path) -> Result<Vec<Finding>, LoadError> {
    Ok(check_text(&catalogue::text(path)?))
}

/// Judges the text of a profile.
pub fn check_text(text: &str) -> Vec<Finding> {
    let places = Places::of(text);
    match toml::from_str(text) {
        Ok(profile) => judge(&profile, &places),
        Err(error) => {
            let line = error.span().map_or(1, |span| places.line_of(span.start));
            vec![Finding { line, key: "file".to_owned(), text: advice(error.message()) }]
        }
    }
}

/// The parser's words, with what to do.
fn advice(message: &str) -> String {
    let message = message.trim_end();
    let more = match message {
        text if text.starts_with("unknown field") => "; a key is misspelt, or stands under the wrong heading",
        text if text.starts_with("missing field") => "; write it under the same heading",
        text if text.starts_with("duplicate") => "; write it once",
        _ => "; docs/guides/add-a-printer.md shows each key",
    };
    format!("{message}{more}")
}

/// Collects findings with their places.
struct Judge<'a> {
    places: &'a Places<'a>,
    findings: Vec<Finding>,
}

impl Judge<'_> {
    fn say(&mut self, path: &[Step], text: impl Into<String>) {
        let keys = path.iter().filter_map(|step| match step {
            Step::Key(key) => Some(*key),
            Step::At(_) => None,
        });
        let key = keys.collect::<Vec<_>>().join(".");
        self.findings.push(Finding { line: self.places.line(path), key, text: text.into() });
    }
}

fn judge(profile: &Profile, places: &Places<'_>) -> Vec<Finding> {
    let mut judge = Judge { places, findings: Vec::new() };
    judge_names(profile, &mut judge);
    judge_rows(profile, &mut judge);
    for (at, table) in profile.counter_tables.iter().enumerate() {
        judge_table(table, at, &mut judge);
    }
    for (at, records) in profile.counter_records.iter().enumerate() {
        for (row, labelled) in records.rows.iter().enumerate() {
            if labelled.code.is_none_or(|code| !(0..=254).contains(&code)) {
                let path = [Step::Key("counter_records"), Step::At(at), Step::Key("rows"), Step::At(row)];
                judge.say(&path, "each row needs `code`, from 0 to 254");
            }
        }
    }
    judge_repeats(profile, &mut judge);
    for (line, key) in places.strange_keys() {
        let text = "nobody reads this key: a counter knows function, color, size, sides, unit and name".to_owned();
        judge.findings.push(Finding { line, key, text });
    }
    let mut findings = judge.findings;
    findings.sort_by_key(|finding| finding.line);
    findings
}

/// What the profile is known by.
fn judge_names(profile: &Profile, judge: &mut Judge<'_>) {
    let slug = |text: &str| {
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    if !slug(&profile.vendor) {
        judge.say(
            &[Step::Key("vendor")],
            "write a slug of lower-case letters, digits and `-`, such as `konica-minolta`",
        );
    }
    if profile.names.is_empty() && profile.arcs.is_empty() {
        judge.say(&[Step::Key("names")], "without names or arcs no device is ever recognised: give one of them");
    }
    if profile.names.iter().any(|name| name.trim().len() < 2) {
        judge.say(&[Step::Key("names")], "a name of one letter stands in too many texts");
    }
    if profile.made_by.as_deref() == Some(&profile.vendor) {
        judge.say(&[Step::Key("made_by")], "names the profile itself: leave it out");
    }
    if profile.arcs.iter().any(|arc| arc.0.len() < 7) {
        judge.say(&[Step::Key("arcs")], "an arc has at least the seven numbers 1.3.6.1.4.1.N");
    }
    if profile.model.only_after && profile.model.after.is_empty() {
        judge.say(&[Step::Key("model"), Step::Key("only_after")], "needs `after`");
    }
}

/// The lists of small rules.
fn judge_rows(profile: &Profile, judge: &mut Judge<'_>) {
    for (at, rule) in profile.firmware.iter().enumerate() {
        let ways = [rule.oid.is_some(), rule.after.is_some(), rule.last_word];
        if ways.iter().filter(|way| **way).count() != 1 {
            let advice = format!("`{}` needs one of `oid`, `after` and `last_word`", rule.name);
            judge.say(&[Step::Key("firmware"), Step::At(at)], advice);
        }
    }
    for (at, staged) in profile.staged.iter().enumerate() {
        if staged.steps.len() < 2 {
            judge.say(
                &[Step::Key("staged"), Step::At(at), Step::Key("steps")],
                "give the raw values of at least two steps, from empty to full",
            );
        }
    }
    for (at, table) in profile.supply_tables.iter().enumerate() {
        if table.part_number.is_none() && table.serial.is_none() {
            judge.say(&[Step::Key("supply_tables"), Step::At(at)], "needs `part_number` or `serial`, or both");
        }
    }
    let keyword = |text: &str| text.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
    for (at, condition) in profile.conditions.iter().enumerate() {
        if !keyword(&condition.reason) || condition.reason.is_empty() {
            judge.say(
                &[Step::Key("conditions"), Step::At(at), Step::Key("reason")],
                "write an IPP keyword without suffix, such as `toner-low`",
            );
        }
    }
}

fn judge_table(table: &CounterTable, at: usize, judge: &mut Judge<'_>) {
    let here = [Step::Key("counter_tables"), Step::At(at)];
    match table.key {
        RowKey::Code if table.code.is_none() => judge.say(&here, "key = \"code\" needs the column `code`"),
        RowKey::Label if table.label.is_none() => judge.say(&here, "key = \"label\" needs the column `label`"),
        _ => {}
    }
    for (row, labelled) in table.rows.iter().enumerate() {
        let Labelled { code, label, at: arcs, .. } = labelled;
        let (fits, key) = match table.key {
            RowKey::Label => (label.is_some() && code.is_none() && arcs.is_none(), "label"),
            RowKey::Code | RowKey::Index => (code.is_some() && label.is_none() && arcs.is_none(), "code"),
            RowKey::Suffix => (arcs.is_some() && code.is_none() && label.is_none(), "at"),
        };
        if !fits {
            let path = [here[0], here[1], Step::Key("rows"), Step::At(row)];
            judge.say(&path, format!("a row of this table is told apart by `{key}` alone, as its `key` says"));
        }
    }
}

/// The same object counted twice.
fn judge_repeats(profile: &Profile, judge: &mut Judge<'_>) {
    let mut seen: HashMap<String, usize> = HashMap::new();
    let single = profile
        .counters
        .iter()
        .enumerate()
        .map(|(at, count)| (count.oid.0.to_string(), vec![Step::Key("counters"), Step::At(at)]));
    let rows = profile.counter_tables.iter().enumerate().flat_map(|(table, counters)| {
        counters.objects().enumerate().map(move |(row, (object, _))| {
            (object.to_string(), vec![Step::Key("counter_tables"), Step::At(table), Step::Key("rows"), Step::At(row)])
        })
    });
    for (object, path) in single.chain(rows).collect::<Vec<_>>() {
        let line = judge.places.line(&path);
        match seen.get(&object) {
            Some(first) => {
                judge.say(&path, format!("{object} is counted on line {first} already: keep one of the two"))
            }
            None => drop(seen.insert(object, line)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<(usize, String)> {
        check_text(text).into_iter().map(|finding| (finding.line, finding.key)).collect()
    }

    fn at(line: usize, key: &str) -> (usize, String) {
        (line, key.to_owned())
    }

    #[test]
    fn findings_name_line_and_key() {
        assert_eq!(lines("vendor = \"Ricoh Co\"\nnames = [\"RICOH\"]"), [at(1, "vendor")]);
        assert_eq!(lines("vendor = \"acme\""), [at(1, "names")]);
        assert_eq!(lines("vendor = \"acme\"\nnames = [\"ACME\"]\ntypo = 1"), [at(3, "file")]);
        assert_eq!(lines("vendor = \"acme\"\nnames = [\"ACME\"]\narcs = [\"1.3.6.1.4.1.99999\"]"), []);
    }

    #[test]
    fn findings_stand_at_the_row_that_is_wrong() {
        let text = "vendor = \"acme\"\nnames = [\"ACME\"]\n\n[[counter_tables]]\nvalue = \"1.3.6.1\"\nkey = \"code\"\nrows = [\n  { code = 1 },\n  { label = \"Total\" },\n]\n\n[[staged]]\nsteps = [1]\n";
        assert_eq!(lines(text), [at(4, "counter_tables"), at(9, "counter_tables.rows"), at(13, "staged.steps")]);
    }

    #[test]
    fn misspelt_keys_of_counters_are_found() {
        let text = "vendor = \"acme\"\nnames = [\"ACME\"]\n[[counters]]\noid = \"1.3.6.1.4.1.99999.1\"\ncolour = \"mono\"\n[[counter_tables]]\nvalue = \"1.3.6.1.4.1.99999.2\"\nkey = \"suffix\"\nrows = [\n  { at = \"1.1\", funktion = \"copy\" },\n]\n";
        assert_eq!(lines(text), [at(5, "colour"), at(10, "funktion")]);
        let wrong =
            "vendor = \"acme\"\nnames = [\"ACME\"]\n[[counters]]\noid = \"1.3.6.1.4.1.99999.1\"\ncolor = \"grey\"\n";
        let finding = check_text(wrong).remove(0);
        assert!(finding.to_string().starts_with("line ") && finding.text.contains("grey"), "{finding}");
    }

    #[test]
    fn one_object_is_counted_once() {
        let text = "vendor = \"acme\"\nnames = [\"ACME\"]\n[[counters]]\noid = \"1.3.6.1.4.1.99999.2.1\"\n[[counter_tables]]\nvalue = \"1.3.6.1.4.1.99999.2\"\nkey = \"suffix\"\nrows = [{ at = \"1\" }]\n";
        let findings = check_text(text);
        assert_eq!(findings.len(), 1);
        assert!(findings[0].text.contains("line 3"), "{}", findings[0]);
    }
}
