//! What a server does by the clock. Each job compares what is with what should be, so that two servers may both do it.

use std::time::Duration;

use platen_core::{
    Platform, agents, billing, devices, doubts, monitors, notifications, orders, retention, supplies, tasks,
};
use tokio_util::sync::CancellationToken;

const EACH_MINUTE: Duration = Duration::from_secs(60);
/// Retention runs each this many minutes.
const RETENTION: u32 = 60;

/// Works until `stop`; a failure is told and tried again the next minute. A job that is at work then ends where it is: what
/// it has not committed is rolled back, and done by its next run.
pub async fn keep(platform: Platform, stop: CancellationToken) {
    tokio::select! {
        () = stop.cancelled() => {}
        () = work(&platform) => {}
    }
}

async fn work(platform: &Platform) {
    let mut minutes = 0u32;
    tell("supplies that nobody has looked at", supplies::begin(platform).await);
    loop {
        tokio::time::sleep(EACH_MINUTE).await;
        minutes = minutes.wrapping_add(1);
        tell("agents", agents::run(platform).await);
        tell("silence", devices::reconcile(platform).await);
        tell("silence of monitors", devices::reconcile_monitors(platform).await);
        tell("orders", orders::expire(platform).await);
        tell("messages that nobody could send", notifications::expire(platform).await);
        tell("keys that devices learn", monitors::rekey(platform).await);
        tell("uploads", platen_core::diagnostics::expire_uploads(platform).await);
        tell("doubted counters", doubts::alarm(platform).await);
        tell("periods that are due", billing::run(platform).await);
        tell("tasks", tasks::run(platform).await);
        tell("supplies", supplies::run(platform).await);
        if minutes % RETENTION == 1 {
            tell("retention", retention::run(platform).await);
        }
    }
}

fn tell<T>(job: &str, outcome: platen_core::Result<T>) {
    if let Err(error) = outcome {
        tracing::warn!(job.kind = job, %error, "a job failed; it runs again in a minute");
    }
}
