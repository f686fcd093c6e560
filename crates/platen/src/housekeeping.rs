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
    keep_each(EACH_MINUTE, platform, stop).await;
}

async fn keep_each(pause: Duration, platform: Platform, stop: CancellationToken) {
    tokio::select! {
        () = stop.cancelled() => {}
        () = work(pause, &platform) => {}
    }
}

async fn work(pause: Duration, platform: &Platform) {
    let mut minutes = 0u32;
    tell("supplies that nobody has looked at", supplies::begin(platform).await);
    loop {
        tokio::time::sleep(pause).await;
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

#[cfg(test)]
mod tests {
    use platen_core::store::{Sql, View};
    use platen_core::testing::TestPlatform;

    use super::*;

    const ALL: View = View::All("a test holds the store still");
    /// Longer than any machine stalls.
    const PATIENCE: Duration = Duration::from_secs(240);

    async fn told(platform: &Platform) -> i64 {
        let count = Sql::built("select count(*) from events where type = 'agent.offline'".into());
        let mut tx = platform.db().read(&ALL).await.unwrap();
        tx.query_one(&count, &[]).await.unwrap().get(0).unwrap()
    }

    #[tokio::test]
    async fn a_job_at_work_ends_where_it_is_when_the_server_stops_and_its_next_run_does_it() {
        let test = TestPlatform::sqlite().await;
        let root = test.root().await;
        let secret = agents::invite(&root, root.home).await.unwrap().secret;
        let request = wire::enrol::EnrolRequest {
            token: secret.expose().to_owned(),
            public_key: vec![1; 32],
            name: "host".to_owned(),
            version: "0".to_owned(),
        };
        agents::enrol(&test.platform, &request).await.unwrap();
        let mut tx = test.platform.db().write(&ALL).await.unwrap();
        let silent = Sql::built("update agents set state = 'online', last_seen_at = 0".into());
        tx.execute(&silent, &[]).await.unwrap();
        tx.commit().await.unwrap();
        // Nobody can write, so that a job which has begun does not end by itself.
        let held = test.platform.db().write(&ALL).await.unwrap();
        let stop = CancellationToken::new();
        let mut keeping = tokio::spawn(keep_each(Duration::from_millis(1), test.platform.clone(), stop.clone()));
        let at_work = tokio::time::timeout(Duration::from_millis(300), &mut keeping).await;
        assert!(at_work.is_err(), "it works until it is told to stop");
        stop.cancel();
        tokio::time::timeout(PATIENCE, keeping).await.expect("a job that waits for the store ends as well").unwrap();
        drop(held);
        assert_eq!(told(&test.platform).await, 0, "nothing of it was kept");
        agents::run(&test.platform).await.unwrap();
        assert_eq!(told(&test.platform).await, 1);
    }
}
