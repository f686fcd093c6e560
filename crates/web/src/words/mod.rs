//! Every word that people read and that is not in a template: figures, ages, states, reasons, notes.
//! English now; one place to put a Fluent bundle behind.

mod figures;
mod history;
mod notes;
mod reasons;
mod status;
mod times;

pub(crate) use figures::{count, grouped, short};
pub(crate) use history::{history_source, history_words};
pub(crate) use notes::note;
pub(crate) use reasons::{clears_when, group_words, next_step, reason_words};
pub(crate) use status::{Mark, alert_mark, mark, mark_of};
pub(crate) use times::{Zone, age, age_long};

/// `konica-minolta` as the maker writes it.
pub(crate) fn vendor_name(slug: &str) -> String {
    let known = match slug {
        "hp" => "HP",
        "oki" => "OKI",
        "utax" => "UTAX",
        "konica-minolta" => "Konica Minolta",
        "fujifilm" => "Fujifilm",
        "triumph-adler" => "Triumph-Adler",
        _ => "",
    };
    if known.is_empty() { capital(slug) } else { known.to_owned() }
}

/// First letter large.
pub(crate) fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|c| c.to_uppercase().collect::<String>() + chars.as_str()).unwrap_or_default()
}

/// Vendor and model, without saying the vendor twice.
pub(crate) fn model_name(vendor: Option<&str>, model: Option<&str>) -> String {
    match (vendor, model) {
        (Some(vendor), Some(model)) => {
            let name = vendor_name(vendor);
            let first = model.split([' ', '-']).next().unwrap_or_default();
            if first.eq_ignore_ascii_case(name.split(' ').next().unwrap_or_default()) {
                model.to_owned()
            } else {
                format!("{name} {model}")
            }
        }
        (Some(vendor), None) => vendor_name(vendor),
        (None, Some(model)) => model.to_owned(),
        (None, None) => "unknown model".to_owned(),
    }
}

/// A message of the core as a sentence: large first letter, full stop.
pub(crate) fn sentence(message: &str) -> String {
    let text = capital(message.trim());
    if text.is_empty() || text.ends_with(['.', '!', '?', '…']) { text } else { text + "." }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vendor_is_said_once() {
        assert_eq!(model_name(Some("ricoh"), Some("IM C3000")), "Ricoh IM C3000");
        assert_eq!(model_name(Some("hp"), Some("HP LaserJet M609")), "HP LaserJet M609");
        assert_eq!(model_name(Some("konica-minolta"), None), "Konica Minolta");
        assert_eq!(model_name(None, None), "unknown model");
    }

    #[test]
    fn errors_read_as_sentences() {
        assert_eq!(sentence("there is no such device"), "There is no such device.");
    }
}
