//! Runs programs in turn, A B A B, and sums each of them up.

use std::ffi::OsString;
use std::time::Duration;

use anyhow::{Context, Result};

use super::outcome::{Better, Outcome, Sample, Side};
use super::process::{Core, Measured, measure};
use super::scene::Scene;

/// One program in a contest.
pub(super) struct Contender<'a> {
    /// As the outcome names it.
    pub(super) name: String,
    /// One run.
    pub(super) run: Box<dyn FnMut() -> Result<Sample> + 'a>,
}

impl<'a> Contender<'a> {
    /// A program whose process is measured; `value` reads its figure.
    pub(super) fn program(
        scene: &'a Scene,
        name: &str,
        words: Vec<OsString>,
        limit: Duration,
        mut value: impl FnMut(&Measured) -> Result<f64> + 'a,
    ) -> Self {
        let run = move || {
            let measured = measure(scene, Core::Tested, &words, limit)?;
            let (cpu_s, rss_mb) = (measured.usage.cpu_s, measured.usage.rss_mb);
            Ok(Sample { value: value(&measured)?, cpu_s, rss_mb })
        };
        Self { name: name.to_owned(), run: Box::new(run) }
    }
}

/// What the outcome is called.
pub(super) struct Title {
    pub(super) name: &'static str,
    pub(super) unit: &'static str,
    pub(super) better: Better,
}

/// Runs all in turn. The first is ours and must succeed; a peer that fails is left out and named.
pub(super) fn hold(scene: &Scene, title: &Title, mut all: Vec<Contender<'_>>) -> Result<Outcome> {
    let runs = scene.effort.runs();
    let mut samples = vec![Vec::new(); all.len()];
    let mut failed: Vec<Option<String>> = vec![None; all.len()];
    for round in 1..=runs {
        for (place, contender) in
            all.iter_mut().enumerate().filter(|(place, _)| failed[*place].is_none()).collect::<Vec<_>>()
        {
            scene.say(&format!("{}: {} {round}/{runs}", title.name, contender.name));
            match (contender.run)() {
                Ok(sample) => samples[place].push(sample),
                Err(error) if place == 0 => return Err(error.context(format!("{} failed", title.name))),
                Err(error) => failed[place] = Some(format!("{} left out: {error:#}", contender.name)),
            }
        }
    }
    let ours = Side::of(None, &samples[0]).context("no run of ours")?;
    let peers = all.iter().zip(&samples).zip(&failed).skip(1);
    let peers = peers.filter(|(_, failed)| failed.is_none());
    let peers = peers.filter_map(|((contender, samples), _)| Side::of(Some(&contender.name), samples)).collect();
    let mut outcome = Outcome::new(title.name, title.unit, title.better, ours, peers);
    outcome.runs = runs;
    outcome.notes = scene.notes();
    outcome.notes.extend(failed.into_iter().flatten());
    Ok(outcome)
}
