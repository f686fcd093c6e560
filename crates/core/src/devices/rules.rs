//! How a device stands, in one word with its reason: the status vocabulary of lists and sheets.
//! Only facts go in: the device's own state and reasons, its stated levels, and whether we hear it.

use wire::{Class, Level, State};

use super::words::{Comm, SupplyBrief, Word};

/// At or below this many per cent a supply asks for a person even if the device gives no reason.
const NEARLY_EMPTY: f64 = 5.0;

/// What the word is made from.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The device's own state.
    pub state: State,
    /// Its reasons, with severity suffix.
    pub reasons: &'a [String],
    /// Its supplies as a list shows them.
    pub supplies: &'a [SupplyBrief],
    /// Whether we hear it.
    pub comm: Comm,
}

/// The word of the vocabulary and the reason that follows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The word.
    pub word: Word,
    /// A few lower-case words: why; `None` where nothing needs saying.
    pub why: Option<String>,
}

/// Judges how a device stands.
pub fn judge(facts: &Facts<'_>) -> Standing {
    let standing = |word, why: Option<&str>| Standing { word, why: why.map(str::to_owned) };
    match facts.comm {
        Comm::UnknownPath => return standing(Word::Unknown, Some("its agent is off line")),
        Comm::Unreachable => return standing(Word::NotSeen, Some("does not answer its agent")),
        Comm::Silent => return standing(Word::NotSeen, Some("silent, its agent is up")),
        Comm::Reporting | Comm::Late => {}
    }
    let why = wanting(facts);
    match facts.state {
        State::Stopped => Standing { word: Word::Stopped, why },
        State::Offline => standing(Word::Stopped, Some("off line, says the device")),
        _ if why.is_some() => Standing { word: Word::Attention, why },
        State::Processing => standing(Word::Printing, None),
        State::WarmingUp => standing(Word::WarmingUp, None),
        State::Idle => standing(Word::Ready, None),
        State::Asleep => standing(Word::Asleep, None),
        State::Unknown => standing(Word::Unknown, Some("the device does not state it")),
    }
}

/// What a person is wanted for, the two worst causes first.
fn wanting(facts: &Facts<'_>) -> Option<String> {
    let mut causes: Vec<(u8, String)> = Vec::new();
    for full in facts.reasons {
        let (reason, weight) = split(full);
        if weight < 2 && !matches!(reason, "none" | "other" | "unknown" | "") {
            causes.push((weight * 16 + urgency(reason), phrase(reason, facts.supplies)));
        }
    }
    let low = facts.supplies.iter().filter(|s| s.class == Class::Consumed && s.letter != 'W');
    for supply in low {
        if let Some(percent) = supply.level.percent().filter(|percent| *percent <= NEARLY_EMPTY) {
            let named = causes.iter().any(|(_, words)| words.contains(supply_name(supply)) || words.contains(" toner"));
            if !named {
                causes.push((20, format!("{} {percent:.0} %", supply_name(supply))));
            }
        }
    }
    causes.sort();
    causes.dedup_by(|a, b| a.1 == b.1);
    let words: Vec<String> = causes.into_iter().take(2).map(|(_, words)| words).collect();
    (!words.is_empty()).then(|| words.join(", "))
}

/// Bare reason and weight: 0 error, 1 warning, 2 report.
pub fn split(full: &str) -> (&str, u8) {
    for (suffix, weight) in [("-error", 0), ("-warning", 1), ("-report", 2)] {
        if let Some(bare) = full.strip_suffix(suffix) {
            return (bare, weight);
        }
    }
    (full, 0)
}

/// What stops paper first comes first.
fn urgency(reason: &str) -> u8 {
    match reason {
        r if r.contains("jam") => 0,
        r if r.ends_with("-open") => 1,
        r if r.contains("failure") || r == "service-needed" => 2,
        r if r.contains("missing") => 3,
        r if r.ends_with("-empty") || r.ends_with("-full") || r == "media-needed" => 4,
        "paused" | "offline" => 5,
        _ => 6,
    }
}

/// A reason in plain words; toner reasons name the colour that the levels point at.
pub fn phrase(reason: &str, supplies: &[SupplyBrief]) -> String {
    match reason {
        "media-jam" => "paper jam".into(),
        "media-low" => "paper low".into(),
        "media-empty" => "paper empty".into(),
        "media-needed" => "paper wanted".into(),
        "input-tray-missing" => "tray missing".into(),
        "opc-near-eol" => "drum near its end".into(),
        "opc-life-over" => "drum at its end".into(),
        "subunit-life-almost-over" => "a part near its end".into(),
        "subunit-life-over" => "a part at its end".into(),
        "marker-waste-almost-full" => "waste nearly full".into(),
        "marker-waste-full" => "waste full".into(),
        "service-needed" => "service wanted".into(),
        "platen-supply-soon-empty" => "a supply soon empty".into(),
        "toner-low" | "marker-supply-low" => format!("{} low", lowest(supplies, reason)),
        "toner-empty" | "marker-supply-empty" => format!("{} empty", lowest(supplies, reason)),
        "platen-meter-decrease" => "a counter went back".into(),
        "platen-meter-jump" => "a counter jumped".into(),
        "platen-silent" => "does not answer".into(),
        "platen-identity-mismatch" => "another device answers there".into(),
        "subunit-unrecoverable-failure" => "a part failed".into(),
        other => other.trim_start_matches("platen-").replace('-', " "),
    }
}

fn lowest(supplies: &[SupplyBrief], reason: &str) -> String {
    let noun = if reason.starts_with("toner") { "toner" } else { "supply" };
    let stated = supplies.iter().filter(|s| s.class == Class::Consumed && matches!(s.letter, 'C' | 'M' | 'Y' | 'K'));
    let lowest = stated
        .filter_map(|s| match s.level {
            Level::Percent { value } => Some((value, s)),
            Level::Staged { value, steps } if steps > 0 => Some((100.0 * f64::from(value) / f64::from(steps), s)),
            _ => None,
        })
        .filter(|(value, _)| *value <= 30.0)
        .min_by(|a, b| a.0.total_cmp(&b.0));
    lowest.map_or_else(|| noun.to_owned(), |(_, supply)| format!("{} {noun}", supply_name(supply)))
}

/// `yellow`, or what it is when it has no colour.
pub fn supply_name(supply: &SupplyBrief) -> &str {
    supply.color.as_deref().unwrap_or(supply.kind.as_str())
}

/// The letter under which a supply stands in lists. That of a colour is for what prints it: a cyan drum is a drum.
pub fn letter(kind: &str, color: Option<&str>, class: Class) -> char {
    if class == Class::Receptacle || kind.contains("waste") {
        return 'W';
    }
    let colorant = ["toner", "ink", "wax"].iter().any(|what| kind.contains(what)) || kind == "other";
    match color.filter(|_| colorant).map(str::to_ascii_lowercase).as_deref() {
        Some("cyan") => 'C',
        Some("magenta") => 'M',
        Some("yellow") => 'Y',
        Some("black") => 'K',
        _ if kind == "opc" => 'd',
        _ => kind.chars().next().map_or('?', |c| c.to_ascii_lowercase()),
    }
}

/// Whether a list row has room for this supply: colorants and waste.
pub fn in_lists(letter: char) -> bool {
    matches!(letter, 'C' | 'M' | 'Y' | 'K' | 'W')
}

/// `3 minutes`, `2 hours`, `5 days`: a length of time in µs as a sentence says it.
pub fn span(micros: i64) -> String {
    let seconds = (micros / 1_000_000).max(0);
    let (count, unit) = match seconds {
        0..=119 => (seconds, "second"),
        120..=7_199 => (seconds / 60, "minute"),
        7_200..=172_799 => (seconds / 3_600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

/// Figures in groups of three: `9,914`.
pub fn grouped(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    if number < 0 { format!("-{out}") } else { out }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn toner(color: &str, level: Level) -> SupplyBrief {
        let letter = letter("toner", Some(color), Class::Consumed);
        let (kind, color) = ("toner".into(), Some(color.into()));
        SupplyBrief { index: "1.1".into(), letter, kind, color, class: Class::Consumed, level, filled: None }
    }

    fn stand(state: State, reasons: &[&str], supplies: &[SupplyBrief], comm: Comm) -> (Word, Option<String>) {
        let reasons: Vec<String> = reasons.iter().map(|r| (*r).to_owned()).collect();
        let standing = judge(&Facts { state, reasons: &reasons, supplies, comm });
        (standing.word, standing.why)
    }

    #[test]
    fn the_letter_of_a_colour_is_for_what_prints_it() {
        let of = |kind, color| letter(kind, Some(color), Class::Consumed);
        assert_eq!([of("toner", "Cyan"), of("ink-cartridge", "magenta"), of("solid-wax", "black")], ['C', 'M', 'K']);
        assert_eq!(
            [of("opc", "cyan"), of("opc", "black"), of("developer", "yellow"), of("fuser", "")],
            ['d', 'd', 'd', 'f']
        );
        assert_eq!(letter("waste-toner", Some("black"), Class::Other), 'W');
    }

    #[test]
    fn the_worst_fact_gives_the_word() {
        let reporting = Comm::Reporting;
        assert_eq!(stand(State::Idle, &[], &[], reporting), (Word::Ready, None));
        assert_eq!(stand(State::Processing, &[], &[], Comm::Late), (Word::Printing, None));
        let jam = stand(State::Stopped, &["toner-low-warning", "media-jam-error"], &[], reporting);
        assert_eq!(jam, (Word::Stopped, Some("paper jam, toner low".into())));
        assert_eq!(stand(State::Idle, &[], &[], Comm::Silent).0, Word::NotSeen);
        assert_eq!(stand(State::Stopped, &[], &[], Comm::UnknownPath).0, Word::Unknown);
        assert_eq!(stand(State::Idle, &["sleep-report"], &[], reporting).0, Word::Ready);
    }

    #[test]
    fn a_low_toner_is_named_by_its_colour_only_when_the_levels_say_so() {
        let supplies = [toner("yellow", Level::Percent { value: 4.0 }), toner("black", Level::Percent { value: 80.0 })];
        assert_eq!(
            stand(State::Idle, &["toner-low-warning"], &supplies, Comm::Reporting).1,
            Some("yellow toner low".into())
        );
        let vague = [toner("yellow", Level::SomeRemaining), toner("black", Level::Unknown)];
        assert_eq!(stand(State::Idle, &["toner-low-warning"], &vague, Comm::Reporting).1, Some("toner low".into()));
        assert_eq!(stand(State::Idle, &[], &vague, Comm::Reporting), (Word::Ready, None));
        assert_eq!(stand(State::Idle, &[], &supplies, Comm::Reporting), (Word::Attention, Some("yellow 4 %".into())));
    }

    #[test]
    fn figures_and_spans_read_well() {
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(grouped(999), "999");
        assert_eq!(span(90 * 1_000_000), "90 seconds");
        assert_eq!(span(3 * 86_400 * 1_000_000), "3 days");
    }
}
