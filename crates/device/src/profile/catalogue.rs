//! All profiles that this program knows, and the choice of the one that fits a device.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use include_dir::{Dir, include_dir};
use snmp::Oid;

use super::Profile;
use crate::text::find_words;

static EMBEDDED: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/../../profiles");
static CATALOGUE: OnceLock<Catalogue> = OnceLock::new();

/// A profile that could not be used.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file could not be read.
    #[error("cannot read profile {}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is no profile.
    #[error("{} is not a profile", path.display())]
    Shape {
        /// Which file.
        path: PathBuf,
        /// Where it differs.
        source: Box<toml::de::Error>,
    },
}

/// Profiles, later ones before earlier ones of the same vendor.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    profiles: Vec<Arc<Profile>>,
}

impl Catalogue {
    /// The catalogue in use: the embedded profiles unless [`Catalogue::install`] came first.
    pub fn current() -> &'static Self {
        CATALOGUE.get_or_init(Self::embedded)
    }

    /// Makes this the catalogue in use; `false` if one is in use already.
    pub fn install(self) -> bool {
        CATALOGUE.set(self).is_ok()
    }

    /// The profiles that are part of the program.
    pub fn embedded() -> Self {
        let files = EMBEDDED.files().filter(|file| file.path().extension().is_some_and(|end| end == "toml"));
        let parse = |text: &str| toml::from_str(text).map(Arc::new);
        let profiles = files.filter_map(|file| parse(file.contents_utf8()?).ok()).collect();
        Self { profiles }
    }

    /// These profiles and those of a folder; a profile of the folder replaces ours of the same vendor.
    pub fn with_folder(mut self, folder: &Path) -> Result<Self, LoadError> {
        let failed = |source| LoadError::Read { path: folder.to_owned(), source };
        let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)
            .map_err(failed)?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.extension().is_some_and(|end| end == "toml"))
            .collect();
        paths.sort();
        for path in paths {
            self.add(read(&path)?);
        }
        Ok(self)
    }

    /// These profiles and one from a file, which replaces ours of the same vendor.
    ///
    /// # Errors
    /// When the file cannot be read, or is no profile.
    pub fn with_file(mut self, path: &Path) -> Result<Self, LoadError> {
        self.add(read(path)?);
        Ok(self)
    }

    /// Adds one profile; it replaces ours of the same vendor.
    pub fn add(&mut self, profile: Profile) {
        self.profiles.retain(|known| known.vendor != profile.vendor);
        self.profiles.push(Arc::new(profile));
    }

    /// All profiles.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Profile>> {
        self.profiles.iter()
    }

    /// The profile of a vendor.
    pub fn of_vendor(&self, vendor: &str) -> Option<&Arc<Profile>> {
        self.profiles.iter().find(|profile| profile.vendor == vendor)
    }

    /// The profile whose longest name begins a text or stands in it as words of its own. A name at the start wins,
    /// then the longer name: `FUJI XEROX` is not Xerox.
    pub fn by_name(&self, text: &str) -> Option<&Arc<Profile>> {
        let text = text.to_lowercase();
        let mut best: Option<(bool, usize, &Arc<Profile>)> = None;
        for profile in &self.profiles {
            for name in &profile.names {
                let Some(at) = find_words(&text, &name.to_lowercase()) else { continue };
                let found = (at == 0, name.len(), profile);
                if best.is_none_or(|(start, length, _)| (found.0, found.1) > (start, length)) {
                    best = Some(found);
                }
            }
        }
        best.map(|(_, _, profile)| profile)
    }

    /// The profile with a product line that stands in a text; the longest line counts.
    pub fn by_line(&self, text: &str) -> Option<&Arc<Profile>> {
        let text = text.to_lowercase();
        let stands = |line: &&String| find_words(&text, &line.to_lowercase()).is_some();
        let longest = |profile: &&Arc<Profile>| profile.lines.iter().filter(stands).map(String::len).max();
        self.profiles.iter().filter(|profile| longest(profile).is_some()).max_by_key(longest)
    }

    /// The profile with the longest arc above a sysObjectID.
    pub fn by_arc(&self, object: &Oid) -> Option<&Arc<Profile>> {
        let arc = |profile: &&Arc<Profile>| {
            profile.arcs.iter().filter(|arc| object.starts_with(&arc.0)).map(|arc| arc.0.len()).max()
        };
        self.profiles.iter().filter(|profile| arc(profile).is_some()).max_by_key(arc)
    }
}

/// The text of a profile.
pub(super) fn text(path: &Path) -> Result<String, LoadError> {
    std::fs::read_to_string(path).map_err(|source| LoadError::Read { path: path.to_owned(), source })
}

/// Reads one profile from a file.
pub(super) fn read(path: &Path) -> Result<Profile, LoadError> {
    toml::from_str(&text(path)?).map_err(|source| LoadError::Shape { path: path.to_owned(), source: Box::new(source) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vendor_of(text: &str) -> Option<&'static str> {
        Catalogue::current().by_name(text).map(|profile| profile.vendor.as_str())
    }

    #[test]
    fn every_embedded_profile_loads() {
        let files = EMBEDDED.files().filter(|file| file.path().extension().is_some_and(|end| end == "toml"));
        let names: Vec<_> = files.map(|file| file.path().display().to_string()).collect();
        for file in &names {
            let text = EMBEDDED.get_file(file).unwrap().contents_utf8().unwrap();
            let findings = super::super::check_text(text);
            assert!(findings.is_empty(), "{file}: {findings:?}");
        }
        assert_eq!(Catalogue::embedded().iter().count(), names.len());
        assert!(names.len() >= 25);
    }

    #[test]
    fn brand_beats_maker() {
        assert_eq!(vendor_of("FUJI XEROX ApeosPort-VI C4471;ESS1.0.217"), Some("fuji-xerox"));
        assert_eq!(vendor_of("Xerox WorkCentre 6605DN; Network 90.66"), Some("xerox"));
        assert_eq!(vendor_of("Gestetner MPC2500/DSc525 1.71 / Gestetner Network Printer C model"), Some("gestetner"));
        assert_eq!(vendor_of("HP ETHERNET MULTI-ENVIRONMENT,SN:A"), Some("hp"));
        assert_eq!(vendor_of("Linux shp 5.10"), None, "a name is a word of its own");
        assert_eq!(vendor_of("TOSHIBA TEC B-FV4"), Some("toshiba"));
    }

    #[test]
    fn the_longest_arc_decides() {
        let by_arc = |oid: &str| Catalogue::current().by_arc(&oid.parse().unwrap()).map(|p| p.vendor.clone());
        assert_eq!(by_arc("1.3.6.1.4.1.18334.1.1.1.2.1.181.2.4").as_deref(), Some("konica-minolta"));
        assert_eq!(by_arc("1.3.6.1.4.1.11.2.3.9.1").as_deref(), Some("hp"));
        assert_eq!(by_arc("1.3.6.1.4.1.11.2.3.7.11"), None, "HP makes more than printers");
    }
}
