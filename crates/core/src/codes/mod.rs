//! What the numbers mean that devices tell as errors, jams and alarms: a catalogue by maker and model, kept as data in
//! `profiles/codes`. A code that it lacks is no fault; it is kept, counted and listed as unknown.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::OnceLock;

use include_dir::{Dir, include_dir};
use serde::{Deserialize, Serialize};
use wire::AlertSeverity;
use wire::monitor::Kind;

static FILES: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/../../profiles/codes");
static CATALOGUE: OnceLock<Catalogue> = OnceLock::new();
/// Codes that mean the same whoever tells them.
const ANY: &str = "any";

/// Who can mend it (RFC 3805, prtAlertTrainingLevel).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Who {
    /// Whoever stands nearby.
    Untrained,
    /// Somebody who was shown how.
    Trained,
    /// A technician.
    FieldService,
    /// Whoever runs the fleet.
    Management,
}

impl Who {
    /// As people read it.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Untrained => "anybody nearby",
            Self::Trained => "a trained user",
            Self::FieldService => "a technician",
            Self::Management => "whoever runs the fleet",
        }
    }
}

/// Error, jam or alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Told {
    Error,
    Jam,
    Alarm,
}

impl Told {
    fn kind(self) -> Kind {
        match self {
            Self::Error => Kind::Error,
            Self::Jam => Kind::Jam,
            Self::Alarm => Kind::Alarm,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Weight {
    Critical,
    Warning,
    Other,
}

/// What a code means.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Meaning {
    kind: Told,
    /// As the device writes it; a `*` at the end stands for the rest.
    pub code: String,
    /// Its detail number; `None`: any.
    pub sub: Option<String>,
    /// Models that it stands for, with `*` as above; empty: all of the maker.
    #[serde(default)]
    pub models: Vec<String>,
    /// Word of RFC 8011 or PWG 5100.9.
    pub reason: String,
    severity: Weight,
    /// Who mends it.
    pub who: Who,
    /// For people.
    pub text: String,
    /// Known from the maker or a standard; otherwise from hearsay.
    #[serde(default)]
    pub sure: bool,
}

impl Meaning {
    /// How much it matters.
    #[must_use]
    pub fn severity(&self) -> AlertSeverity {
        match self.severity {
            Weight::Critical => AlertSeverity::Critical,
            Weight::Warning => AlertSeverity::Warning,
            Weight::Other => AlertSeverity::Other,
        }
    }

    /// Error, jam or alarm.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind.kind()
    }

    /// How telling it is for these; `None`: it is another's.
    fn fits(&self, model: &str, kind: Kind, code: &str, sub: &str) -> Option<(bool, bool, bool, usize)> {
        let of_model = self.models.iter().any(|pattern| like(pattern, model));
        let mine = self.kind.kind() == kind && (self.models.is_empty() || of_model) && like(&self.code, code);
        let sub_fits = self.sub.as_deref().is_none_or(|pattern| like(pattern, sub));
        (mine && sub_fits).then_some((of_model, self.sub.is_some(), !self.code.ends_with('*'), self.code.len()))
    }
}

/// Whether a text is a pattern: equal without regard to case, or begins with what stands before its last `*`.
fn like(pattern: &str, text: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => text.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start)),
        None => pattern.eq_ignore_ascii_case(text),
    }
}

/// One file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    vendor: String,
    #[serde(rename = "source")]
    _source: String,
    #[serde(rename = "code")]
    codes: Vec<Meaning>,
}

/// All files, by maker.
#[derive(Debug, Default)]
struct Catalogue(HashMap<String, Vec<Meaning>>);

impl Catalogue {
    fn current() -> &'static Self {
        CATALOGUE.get_or_init(|| {
            let files = FILES.files().filter(|file| file.path().extension().is_some_and(|end| end == "toml"));
            let parsed = files.filter_map(|file| toml::from_str::<File>(file.contents_utf8()?).ok());
            Self(parsed.map(|file| (file.vendor, file.codes)).collect())
        })
    }

    fn of<'a>(&'a self, vendor: &str) -> impl Iterator<Item = &'a Meaning> + use<'a> {
        let own = self.0.get(vendor).into_iter().flatten();
        own.chain(self.0.get(ANY).into_iter().flatten())
    }
}

/// Makers whose devices are other makers' under another name tell the same codes.
fn maker(vendor: &str) -> &str {
    match vendor {
        "savin" | "lanier" | "gestetner" | "nashuatec" | "rex-rotary" | "nrg" | "infotec" => "ricoh",
        "utax" | "triumph-adler" | "olivetti" => "kyocera",
        "develop" => "konica-minolta",
        "fuji-xerox" | "fujifilm" => "xerox",
        other => other,
    }
}

/// What a code means that a device of this maker and model told; `None`: nobody wrote it down.
#[must_use]
pub fn of(vendor: &str, model: &str, kind: Kind, code: &str, sub: Option<&str>) -> Option<&'static Meaning> {
    let sub = sub.unwrap_or_default();
    let all = Catalogue::current().of(maker(vendor));
    all.filter_map(|meaning| Some((meaning.fits(model, kind, code, sub)?, meaning)))
        .max_by_key(|(rank, _)| *rank)
        .map(|(_, meaning)| meaning)
}

/// All that is known of a maker's codes, those of a model if one is named; in the order of the file.
#[must_use]
pub fn all(vendor: &str, model: Option<&str>) -> Vec<&'static Meaning> {
    let of_model = |meaning: &&Meaning| {
        model.is_none_or(|model| meaning.models.is_empty() || meaning.models.iter().any(|pattern| like(pattern, model)))
    };
    Catalogue::current().of(maker(vendor)).filter(of_model).collect()
}

/// Makers with a file, sorted.
#[must_use]
pub fn vendors() -> Vec<&'static str> {
    let mut names: Vec<_> = Catalogue::current().0.keys().map(String::as_str).filter(|name| *name != ANY).collect();
    names.sort_unstable();
    names
}
