//! `close` (M11): the month of a million devices is closed: lines, sums and documents of a thousand customers, on the
//! embedded database. Filling it is not measured; each run closes another month.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::contest::{Contender, Title, hold};
use super::outcome::{Better, Outcome, round};
use super::process::{Core, measure, role};
use super::role::{Closed, Filled};
use super::scene::Scene;

/// Devices of one customer.
const EACH: u32 = 1_000;
const LIMIT: Duration = Duration::from_secs(3_600);

pub(super) fn run(scene: &Scene) -> Result<Outcome> {
    let devices = scene.effort.size(1_000_000, 2_000, 20);
    let each = devices.clamp(10, EACH);
    let customers = devices.div_ceil(each);
    let data = scene.path("close").into_os_string();
    // The first month begins all accounts and is not measured.
    let months = scene.effort.runs() as u32 + 1;
    let numbers = [customers, each, months].map(|number| number.to_string());
    let mut words = role(["close-fill", "--customers", &numbers[0], "--each", &numbers[1], "--months", &numbers[2]])?;
    words.extend(["--data".into(), data.clone()]);
    scene.say(&format!("close: {customers} customers with {each} devices each are written"));
    let filled: Filled = measure(scene, Core::Any, &words, LIMIT)?.json()?;
    let of_month = |month: u32| -> Result<Vec<std::ffi::OsString>> {
        let mut words = role(["close-run", "--month", &month.to_string()])?;
        words.extend(["--data".into(), data.clone()]);
        Ok(words)
    };
    scene.say("close: the first month");
    let first: Closed = measure(scene, Core::Any, &of_month(1)?, LIMIT)?.json()?;
    ensure!(first.closed == u64::from(customers), "{} of {customers} periods were closed", first.closed);
    let (mut month, mut last) = (1, first);
    let ours = || {
        month += 1;
        let measured = measure(scene, Core::Any, &of_month(month)?, LIMIT)?;
        let closed: Closed = measured.json()?;
        ensure!(closed.closed == u64::from(customers), "{} of {customers} periods were closed", closed.closed);
        last = closed;
        let (cpu_s, rss_mb) = (measured.usage.cpu_s, measured.usage.rss_mb);
        Ok(super::outcome::Sample { value: closed.seconds, cpu_s, rss_mb })
    };
    let title = Title { name: "close", unit: "seconds for a month", better: Better::Less };
    let contender = Contender { name: "platen".to_owned(), run: Box::new(ours) };
    let mut outcome = hold(scene, &title, vec![contender])?;
    outcome.notes.push("no peer: no open program closes meters by contract".to_owned());
    outcome.notes.push(format!(
        "{customers} customers, {each} devices each, half of them with a colour counter; {} readings of {} meters in the \
         database; from the scheduled period to document and sums; on all processors; meanwhile another writer asks for a \
         small transaction each 10 ms",
        filled.readings, filled.meters
    ));
    outcome.detail("devices", customers * each);
    outcome.detail("lines", last.lines);
    outcome.detail("document_bytes", last.bytes);
    outcome.detail("longest_wait_ms", round(last.longest_wait_ms));
    outcome.detail("first_month_s", round(first.seconds));
    outcome.detail("fill_s", round(filled.seconds));
    Ok(outcome)
}
