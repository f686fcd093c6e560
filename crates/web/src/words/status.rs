//! State as a word and a shape; colour comes last (look: the status vocabulary).

use platen_core::devices::Word;

/// How a state shows: class for colour, symbol for shape, the word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    /// Class beside `st`.
    pub(crate) class: &'static str,
    /// Symbol of the sprite.
    pub(crate) shape: &'static str,
    /// The word.
    pub(crate) word: &'static str,
}

/// A mark with its three parts.
pub(crate) const fn mark(class: &'static str, shape: &'static str, word: &'static str) -> Mark {
    Mark { class, shape, word }
}

/// The mark of a device's word.
pub(crate) fn mark_of(word: Word) -> Mark {
    let (class, shape) = match word {
        Word::Stopped => ("stop", "s-stop"),
        Word::NotSeen => ("off", "s-off"),
        Word::Attention => ("warn", "s-warn"),
        Word::Printing | Word::WarmingUp => ("busy", "s-busy"),
        Word::Ready => ("", "s-ready"),
        Word::Asleep => ("sleep", "s-sleep"),
        Word::Unknown => ("unk", "s-unk"),
    };
    mark(class, shape, word.label())
}

/// The mark of an alert, by its severity.
pub(crate) fn alert_mark(severity: &str, reason: &str) -> Mark {
    match severity {
        _ if reason.ends_with("silent") || reason.ends_with("unreachable") => mark("off", "s-off", "Not seen"),
        "critical" => mark("stop", "s-stop", "Stopped"),
        "warning" => mark("warn", "s-warn", "Attention"),
        _ => mark("", "s-info", "Notice"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_differs_in_more_than_colour() {
        let marks: Vec<Mark> = Word::ALL.into_iter().map(mark_of).collect();
        for (i, a) in marks.iter().enumerate() {
            assert!(marks[i + 1..].iter().all(|b| a.word != b.word));
        }
    }

    #[test]
    fn silence_is_not_called_a_stop() {
        assert_eq!(alert_mark("critical", "platen-silent").word, "Not seen");
    }
}
