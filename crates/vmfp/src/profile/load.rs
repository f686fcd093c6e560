//! Reads the descriptions that are built into the program, and checks them: a mistake in data is found by the tests.

use std::sync::{Arc, OnceLock};

use include_dir::{Dir, include_dir};

use super::Profile;

static FILES: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/../../profiles/virtual");

/// A description that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// No such description.
    #[error("no virtual profile is named {0}: try one of {1}")]
    Unknown(String, String),
    /// Not the TOML that is expected.
    #[error("virtual profile {0} is not understood: {1}")]
    Syntax(String, #[source] Box<toml::de::Error>),
    /// Understood, but it makes no sense.
    #[error("virtual profile {0}: {1}")]
    Sense(String, String),
}

/// Names of all built-in descriptions, sorted.
pub fn names() -> Vec<&'static str> {
    let mut names: Vec<_> = FILES.files().filter_map(|file| file.path().file_stem()?.to_str()).collect();
    names.sort_unstable();
    names
}

/// The built-in description of this name.
pub fn find(name: &str) -> Result<Arc<Profile>, ProfileError> {
    let found = embedded()?.iter().find(|profile| profile.name == name);
    found.cloned().ok_or_else(|| ProfileError::Unknown(name.to_owned(), names().join(", ")))
}

/// All built-in descriptions, read once, sorted by name.
pub(crate) fn embedded() -> Result<&'static [Arc<Profile>], ProfileError> {
    static READ: OnceLock<Vec<Arc<Profile>>> = OnceLock::new();
    if let Some(read) = READ.get() {
        return Ok(read);
    }
    let mut profiles = Vec::new();
    for file in FILES.files() {
        let name = file.path().file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        profiles.push(Arc::new(parse(name, file.contents_utf8().unwrap_or_default())?));
    }
    profiles.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(READ.get_or_init(|| profiles))
}

/// Chooses by share: `point` in `0.0..1.0`.
pub(crate) fn by_share(profiles: &[Arc<Profile>], point: f64) -> usize {
    let total: f64 = profiles.iter().map(|profile| profile.share).sum();
    let mut rest = point * total;
    for (index, profile) in profiles.iter().enumerate() {
        rest -= profile.share;
        if rest < 0.0 {
            return index;
        }
    }
    profiles.len().saturating_sub(1)
}

/// Reads one description.
pub(crate) fn parse(name: &str, text: &str) -> Result<Profile, ProfileError> {
    let mut profile: Profile =
        toml::from_str(text).map_err(|error| ProfileError::Syntax(name.to_owned(), Box::new(error)))?;
    name.clone_into(&mut profile.name);
    number(profile.inputs.iter_mut().map(|input| &mut input.index));
    number(profile.supplies.iter_mut().filter(|supply| supply.finisher == 0).map(|supply| &mut supply.index));
    number(profile.supplies.iter_mut().filter(|supply| supply.finisher > 0).map(|supply| &mut supply.index));
    check(&profile).map_err(|text| ProfileError::Sense(name.to_owned(), text))?;
    Ok(profile)
}

/// Gives rows without an index the number after their neighbour's.
fn number<'a>(indices: impl Iterator<Item = &'a mut u32>) {
    let mut last = 0;
    for index in indices {
        if *index == 0 {
            *index = last + 1;
        }
        last = *index;
    }
}

fn check(profile: &Profile) -> Result<(), String> {
    if profile.inputs.iter().all(super::InputPlan::manual) {
        return Err("no tray that keeps paper".into());
    }
    if profile.outputs.is_empty() || profile.covers.is_empty() {
        return Err("a device needs a bin and a cover".into());
    }
    if profile.life.large > 0.0 && !profile.inputs.iter().any(super::InputPlan::large) {
        return Err("large jobs, but no tray for large paper".into());
    }
    if !profile.supplies.iter().any(|supply| supply.kind.marks()) && profile.engine.technology != 17 {
        return Err("nothing to mark paper with".into());
    }
    if profile.manners.no_v3 && !profile.users.is_empty() {
        return Err("users of SNMPv3, which it does not speak".into());
    }
    profile.users.iter().try_for_each(|plan| plan.user().map(drop))?;
    if let Some(supply) = profile.supplies.iter().find(|supply| usize::from(supply.finisher) > profile.finishers.len())
    {
        return Err(format!("{} belongs to a finisher that is not there", supply.description));
    }
    Ok(())
}
