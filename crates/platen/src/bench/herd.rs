//! `herd` (M7): a fleet returns within a minute after an outage. `day` (M8): one day of the seed's schedule, as fast as the
//! server takes it. Both end with a count of the raw log against what was acknowledged.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::json;

use super::contest::{Contender, Title, hold};
use super::ingest::Site;
use super::outcome::{Better, Outcome, Sample, round};
use super::process::{Core, measure, role, spent};
use super::role::{Lived, Returned};
use super::scene::Scene;

/// Longest day, longest return.
const LIMIT: Duration = Duration::from_secs(3_600);

pub(super) fn herd(scene: &Scene) -> Result<Outcome> {
    let devices = scene.effort.size(100_000, 1_000, 100);
    // Of a smaller fleet just as many a second.
    let within = (f64::from(devices) / 100_000.0 * 60.0).max(1.0);
    scene.say(&format!("herd: {devices} devices are registered"));
    let site = Site::start(scene, Core::Any, devices)?;
    let mut words = role(["herd-load", "--within", &within.to_string(), "--standing"])?;
    words.push(site.standing_file().into());
    scene.say(&format!("herd: {devices} devices return within {within} s"));
    let before = spent(site.pid()).unwrap_or_default();
    let told: Returned = measure(scene, Core::Any, &words, LIMIT)?.json()?;
    let after = spent(site.pid()).unwrap_or_default();
    let (drawn_s, waited) = site.settle()?;
    ensure!(told.lost == 0, "{} devices gave up", told.lost);
    ensure!(told.refused_without_time == 0, "{} refusals without a time to come again", told.refused_without_time);
    let sample = Sample { value: told.seconds, cpu_s: after.0 - before.0, rss_mb: after.1 };
    let title = Title { name: "herd", unit: "s until the last report was stored", better: Better::Less };
    let mut outcome = once(scene, &title, sample)?;
    outcome.notes.push(format!("{devices} devices return within {within:.0} s, each on a connection of its own; client and server share all processors"));
    outcome.notes.push("no peer measured: ThingsBoard publishes 6.5 GB for 100,000 connections".to_owned());
    outcome.detail("refused", told.refused);
    outcome.detail("nobody_answered", told.unheard);
    outcome.detail("effects", json!({ "s_after_the_last": round(drawn_s), "waited_at_most": waited }));
    outcome.detail("next_period_peak_by_mean", round(told.next_period_peak_by_mean));
    outcome.detail("registration_s", round(site.standing.seconds));
    let first = u64::from(devices) + 1;
    outcome.detail("audit", site.finish()?.told(told.stored + first)?);
    Ok(outcome)
}

pub(super) fn day(scene: &Scene) -> Result<Outcome> {
    let devices = scene.effort.size(100_000, 1_000, 100);
    scene.say(&format!("day: {devices} devices are registered"));
    let site = Site::start(scene, Core::Any, devices)?;
    let mut words = role(["day-load", "--standing"])?;
    words.push(site.standing_file().into());
    scene.say(&format!("day: {devices} devices live through a day"));
    let before = spent(site.pid()).unwrap_or_default();
    let told: Lived = measure(scene, Core::Any, &words, LIMIT)?.json()?;
    let (drawn_s, waited) = site.settle()?;
    let after = spent(site.pid()).unwrap_or_default();
    let seconds = told.seconds + drawn_s;
    let sample = Sample { value: seconds, cpu_s: after.0 - before.0, rss_mb: after.1 };
    let title = Title { name: "day", unit: "s for one day of the schedule, all effects drawn", better: Better::Less };
    let mut outcome = once(scene, &title, sample)?;
    outcome.notes.push(format!(
        "{devices} devices, {} messages in {} reports and {} inquiries, {:.1} MB; each kind in its slots, and about 2 events a device; \
         64 connections",
        told.stored,
        told.reports,
        told.inquiries,
        told.bytes as f64 / 1e6
    ));
    outcome.notes.push("no peer measured: published figures name 1M devices on 36 processors".to_owned());
    outcome.detail("messages_a_second", round(told.stored as f64 / seconds));
    outcome.detail("kinds", serde_json::to_value(&told.kinds)?);
    outcome.detail("effects", json!({ "s_after_the_last": round(drawn_s), "waited_at_most": waited }));
    outcome.detail("database_mb", round(site.bytes() as f64 / 1e6));
    let first = u64::from(devices) + 1;
    outcome.detail("audit", site.finish()?.told(told.stored + first)?);
    Ok(outcome)
}

/// An outcome of one run: a fleet returns once, a day is lived once.
fn once(scene: &Scene, title: &Title, sample: Sample) -> Result<Outcome> {
    let ours = Contender { name: "platen".to_owned(), run: Box::new(move || Ok(sample)) };
    let mut outcome = hold(scene, title, vec![ours])?;
    outcome.runs = 1;
    Ok(outcome)
}
