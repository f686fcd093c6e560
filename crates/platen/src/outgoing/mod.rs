//! What leaves the server for people and programs: mail, webhooks, syslog. Core decides who is told; this carries it.
//! Anything may die half-way: what was lent and not settled is lent again.

mod egress;
mod mail;
#[cfg(test)]
mod submission_tests;
mod syslog;
#[cfg(test)]
mod tests;
mod tls;
mod webhook;

use std::sync::Arc;
use std::time::Duration;

use platen_core::notifications::{self, Channel, Due, Outcome};
use platen_core::{Platform, alerting, events, webhooks};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub use egress::Egress;
pub use mail::{Submission, Told};

/// How often rules are compared with what stands.
const RULES: Duration = Duration::from_secs(5);
/// How often the queues are looked at when nothing wakes.
const LOOK: Duration = Duration::from_secs(1);
/// Messages and deliveries that are under way at once, each.
const AT_ONCE: usize = 8;

/// How the server reaches the outside.
#[derive(Clone, Debug, Default)]
pub struct Outgoing {
    /// Where mail is handed in; `None`: no mail is sent.
    pub mail: Option<Arc<Submission>>,
    /// Where webhooks and log hosts may be.
    pub egress: Arc<Egress>,
    /// Address of the pages, for links.
    pub base: String,
}

/// Works until `stop`.
pub async fn keep(platform: Platform, outgoing: Outgoing, stop: CancellationToken) {
    let outgoing = Arc::new(outgoing);
    tokio::join!(decide(&platform, &stop), send(&platform, &outgoing, &stop), deliver(&platform, &outgoing, &stop));
}

fn tell<T>(job: &str, outcome: platen_core::Result<T>) {
    if let Err(error) = outcome {
        tracing::warn!(job.kind = job, %error, "a job failed; it runs again soon");
    }
}

/// Compares what stands with what was told, and the outbox with what webhooks have seen.
async fn decide(platform: &Platform, stop: &CancellationToken) {
    let mut committed = events::watch(platform);
    let mut rules_at = tokio::time::Instant::now();
    while !stop.is_cancelled() {
        tell("webhooks", webhooks::fan_out(platform).await);
        if tokio::time::Instant::now() >= rules_at {
            tell("rules", alerting::run(platform).await);
            tell("digests", notifications::run_digests(platform).await);
            rules_at = tokio::time::Instant::now() + RULES;
        }
        let news = async {
            if committed.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep_until(rules_at) => {}
            () = news => {}
        }
        // Many commits make one round.
        tokio::time::sleep(LOOK / 2).await;
    }
}

fn worker() -> String {
    format!("{}/{:08x}", std::process::id(), rand::random::<u32>())
}

async fn send(platform: &Platform, outgoing: &Arc<Outgoing>, stop: &CancellationToken) {
    let (worker, mut under_way) = (worker(), JoinSet::new());
    while !stop.is_cancelled() {
        while under_way.len() >= AT_ONCE {
            under_way.join_next().await;
        }
        match notifications::claim(platform, &worker, outgoing.mail.is_some()).await {
            Ok(Some(due)) => {
                let (platform, outgoing) = (platform.clone(), outgoing.clone());
                under_way.spawn(async move { send_one(&platform, &outgoing, due).await });
                continue;
            }
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "cannot look for messages; tried again in a second"),
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(LOOK) => {}
            Some(_) = under_way.join_next() => {}
        }
    }
    while under_way.join_next().await.is_some() {}
}

async fn send_one(platform: &Platform, outgoing: &Outgoing, mut due: Due) {
    due.text = due.text.replace("{base}", &outgoing.base);
    let outcome = match (&due.channel, &outgoing.mail) {
        (Channel::Mail(address), Some(submission)) => submission.send(&due, address).await,
        (Channel::Mail(_), None) => Outcome::Later { status: None, why: "no outgoing mail is configured".to_owned() },
        (Channel::Syslog(target), _) => syslog::send(&outgoing.egress, &due, target).await,
    };
    let (notification, tries) = (due.id, due.tries);
    match &outcome {
        Outcome::Sent { .. } => tracing::info!(%notification, kind = due.kind, "a message was sent"),
        failed => tracing::info!(%notification, tries, outcome = ?failed, "a message was not sent"),
    }
    tell("what became of a message", notifications::settle(platform, &due, &outcome).await);
}

async fn deliver(platform: &Platform, outgoing: &Arc<Outgoing>, stop: &CancellationToken) {
    let (worker, mut under_way) = (worker(), JoinSet::new());
    while !stop.is_cancelled() {
        while under_way.len() >= AT_ONCE {
            under_way.join_next().await;
        }
        match webhooks::claim(platform, &worker).await {
            Ok(Some(due)) => {
                let (platform, outgoing) = (platform.clone(), outgoing.clone());
                under_way.spawn(async move {
                    let answer = webhook::post(&outgoing.egress, &due).await;
                    tell("what became of a delivery", webhooks::settle(&platform, &due, &answer).await);
                });
                continue;
            }
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "cannot look for deliveries; tried again in a second"),
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(LOOK) => {}
            Some(_) = under_way.join_next() => {}
        }
    }
    while under_way.join_next().await.is_some() {}
}
