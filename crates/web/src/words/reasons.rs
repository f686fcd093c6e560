//! IPP reasons in plain words, with what a person does next and what makes the alert go away (model.md §5).

/// `media-jam` → `Paper jam`. `noun` names the supply or part where it is known.
pub(crate) fn reason_words(reason: &str, noun: Option<&str>) -> String {
    let supply = |what: &str| match noun {
        Some(noun) => super::capital(&format!("{noun} {what}")),
        None => super::capital(what),
    };
    match reason {
        "media-jam" => "Paper jam".into(),
        "media-low" => "Paper low".into(),
        "media-empty" => "Paper tray empty".into(),
        "media-needed" => "Waits for paper".into(),
        "input-tray-missing" => "Tray is out".into(),
        "output-tray-missing" => "Output tray is missing".into(),
        "output-area-almost-full" => "Output tray nearly full".into(),
        "output-area-full" => "Output tray full".into(),
        "door-open" | "cover-open" => "Cover open".into(),
        "interlock-open" => "Interlock open".into(),
        "toner-low" | "marker-supply-low" | "marker-ink-almost-empty" => {
            supply(if noun.is_some() { "low" } else { "toner low" })
        }
        "toner-empty" | "marker-supply-empty" | "marker-ink-empty" => {
            supply(if noun.is_some() { "empty" } else { "toner empty" })
        }
        "marker-supply-missing" => supply(if noun.is_some() { "missing" } else { "cartridge missing" }),
        "marker-waste-almost-full" => "Waste toner nearly full".into(),
        "marker-waste-full" => "Waste toner full".into(),
        "opc-near-eol" => "Drum near its end".into(),
        "opc-life-over" => "Drum at its end".into(),
        "developer-low" => "Developer low".into(),
        "developer-empty" => "Developer empty".into(),
        "fuser-under-temp" => "Fuser too cold".into(),
        "fuser-over-temp" => "Fuser too hot".into(),
        "subunit-life-almost-over" => "A part nears its end".into(),
        "subunit-life-over" => "A part is at its end".into(),
        "service-needed" => "Service needed".into(),
        "subunit-unrecoverable-failure" => "A part failed".into(),
        "spool-area-full" => "Spool area full".into(),
        "memory-exhausted" | "subunit-memory-exhausted" => "Out of memory".into(),
        "paused" => "Paused at the panel".into(),
        "offline" => "Off line, as it says itself".into(),
        "shutdown" => "Shut down".into(),
        "stapler-empty" => "Out of staples".into(),
        "platen-identity-mismatch" => "Another device answers at this address".into(),
        "platen-silent" => "Does not answer".into(),
        "platen-meter-decrease" => "A counter went back".into(),
        "platen-meter-jump" => "A counter jumped".into(),
        "platen-supply-soon-empty" => supply(if noun.is_some() { "ends soon" } else { "a supply ends soon" }),
        "other" | "" => "Condition without a name".into(),
        other => super::capital(&other.trim_start_matches("platen-").replace('-', " ")),
    }
}

/// What a person does about it.
pub(crate) fn next_step(reason: &str) -> &'static str {
    match reason {
        "media-jam" => "Clear the paper path; the panel shows where.",
        "media-low" | "media-empty" | "media-needed" => "Fill the tray.",
        "input-tray-missing" => "Push the tray in.",
        "output-area-almost-full" | "output-area-full" => "Take the paper out.",
        "door-open" | "cover-open" | "interlock-open" => "Close the cover.",
        "toner-low"
        | "marker-supply-low"
        | "marker-ink-almost-empty"
        | "platen-supply-soon-empty"
        | "developer-low" => "Have a spare at hand.",
        "toner-empty" | "marker-supply-empty" | "marker-ink-empty" | "marker-supply-missing" | "developer-empty" => {
            "Fit a new cartridge."
        }
        "marker-waste-almost-full" => "Have an empty waste bottle at hand.",
        "marker-waste-full" => "Change the waste bottle.",
        "opc-near-eol" | "subunit-life-almost-over" => "Order the part.",
        "opc-life-over" | "subunit-life-over" => "Change the part.",
        "service-needed" | "fuser-over-temp" | "fuser-under-temp" => "Call service, with the text the device gives.",
        "paused" => "Resume at the panel.",
        "offline" => "Set it on line at the panel.",
        "platen-silent" => "Check power and network.",
        "platen-identity-mismatch" => "Check which device has this address.",
        "platen-meter-decrease" | "platen-meter-jump" => "Confirm an exchange of the board, or correct the reading.",
        "stapler-empty" => "Fit staples.",
        _ => "Look at the device.",
    }
}

/// What will clear the alert by itself.
pub(crate) fn clears_when(reason: &str) -> &'static str {
    match reason {
        "platen-silent" => "The device answers again. Nobody has to close it.",
        "platen-supply-soon-empty" => "The supply is changed, or is used up more slowly than it was.",
        "toner-low" | "toner-empty" | "marker-supply-low" | "marker-supply-empty" => {
            "The supply is changed, or the device reports it as low no more."
        }
        "platen-meter-decrease" | "platen-meter-jump" => "A person confirms the new count.",
        _ => "The device no longer reports it. Nobody has to close it.",
    }
}

/// `media-path` → `paper path`.
pub(crate) fn group_words(group: &str) -> String {
    match group {
        "media-path" => "paper path".into(),
        "marker-supplies" => "supplies".into(),
        "general-printer" => "the device as a whole".into(),
        "input" => "trays".into(),
        "output" => "outputs".into(),
        other => other.replace('-', " "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_supply_is_named_where_it_is_known() {
        assert_eq!(reason_words("toner-low", Some("yellow toner")), "Yellow toner low");
        assert_eq!(reason_words("toner-low", None), "Toner low");
    }

    #[test]
    fn an_unknown_reason_is_still_readable() {
        assert_eq!(reason_words("puncher-almost-full", None), "Puncher almost full");
    }
}
