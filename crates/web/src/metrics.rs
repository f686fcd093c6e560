//! Counts and durations of requests, as Prometheus text. Labels are bounded: door, method and status class.

use std::{
    fmt::Write as _,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use platen_core::{
    agents, alerts,
    devices::{self, DeviceQuery, Word},
};

use crate::app::App;

/// Upper bounds of the duration buckets, milliseconds.
const BOUNDS_MS: [u64; 9] = [5, 10, 25, 50, 100, 250, 500, 1_000, 5_000];
const DOORS: [&str; 3] = ["pages", "api", "assets"];

#[derive(Default)]
struct Door {
    classes: [AtomicU64; 5],
    buckets: [AtomicU64; BOUNDS_MS.len() + 1],
    total_us: AtomicU64,
}

/// What the web door counts.
#[derive(Default)]
pub(crate) struct Metrics {
    doors: [Door; 3],
    /// Pages and programs that listen to events now.
    pub(crate) listeners: AtomicU64,
}

impl Metrics {
    /// Counts one answered request.
    pub(crate) fn count(&self, path: &str, status: u16, took: Duration) {
        let door = &self.doors[match path {
            p if p.starts_with("/api/") => 1,
            p if p.starts_with("/assets/") => 2,
            _ => 0,
        }];
        let class = usize::from(status / 100).clamp(1, 5) - 1;
        door.classes[class].fetch_add(1, Relaxed);
        let ms = took.as_millis();
        let bucket = BOUNDS_MS.iter().position(|bound| ms <= u128::from(*bound)).unwrap_or(BOUNDS_MS.len());
        door.buckets[bucket].fetch_add(1, Relaxed);
        door.total_us.fetch_add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX), Relaxed);
    }

    /// Prometheus text, version 0.0.4.
    pub(crate) fn text(&self) -> String {
        let mut out = String::from(
            "# HELP platen_http_requests_total Answered requests.\n# TYPE platen_http_requests_total counter\n",
        );
        for (door, name) in self.doors.iter().zip(DOORS) {
            for (class, count) in door.classes.iter().enumerate() {
                let _ = writeln!(
                    out,
                    "platen_http_requests_total{{door=\"{name}\",status=\"{}xx\"}} {}",
                    class + 1,
                    count.load(Relaxed)
                );
            }
        }
        out.push_str("# HELP platen_http_request_seconds Time to the first byte of the answer.\n# TYPE platen_http_request_seconds histogram\n");
        for (door, name) in self.doors.iter().zip(DOORS) {
            let mut sum = 0;
            for (i, bucket) in door.buckets.iter().enumerate() {
                sum += bucket.load(Relaxed);
                let bound = BOUNDS_MS.get(i).map_or("+Inf".to_owned(), |ms| format!("{}", *ms as f64 / 1e3));
                let _ = writeln!(out, "platen_http_request_seconds_bucket{{door=\"{name}\",le=\"{bound}\"}} {sum}");
            }
            let seconds = door.total_us.load(Relaxed) as f64 / 1e6;
            let _ = writeln!(out, "platen_http_request_seconds_sum{{door=\"{name}\"}} {seconds}");
            let _ = writeln!(out, "platen_http_request_seconds_count{{door=\"{name}\"}} {sum}");
        }
        let _ = writeln!(
            out,
            "# HELP platen_event_listeners Open event streams.\n# TYPE platen_event_listeners gauge\nplaten_event_listeners {}",
            self.listeners.load(Relaxed)
        );
        out
    }
}

/// What the product knows of the fleet, in a few sums.
pub(crate) async fn fleet(app: &App) -> platen_core::Result<String> {
    let ctx = app.platform.system("metrics");
    let facets = devices::facets(&ctx, &DeviceQuery::default()).await?;
    let agents = agents::counts(&ctx).await?;
    let causes = alerts::counts(&ctx).await?;
    let mut out = String::from("# HELP platen_devices Devices in use, by status.\n# TYPE platen_devices gauge\n");
    for word in Word::ALL {
        let n = facets.status.iter().find(|facet| facet.key == word.key()).map_or(0, |facet| facet.count);
        let _ = writeln!(out, "platen_devices{{status=\"{}\"}} {n}", word.key());
    }
    out.push_str("# HELP platen_agents Agents, by state.\n# TYPE platen_agents gauge\n");
    for (state, n) in [("online", agents.online), ("offline", agents.offline), ("revoked", agents.revoked)] {
        let _ = writeln!(out, "platen_agents{{state=\"{state}\"}} {n}");
    }
    out.push_str("# HELP platen_incidents Causes that stand, by state.\n# TYPE platen_incidents gauge\n");
    for (state, n) in [("open", causes.open), ("acknowledged", causes.acknowledged), ("snoozed", causes.snoozed)] {
        let _ = writeln!(out, "platen_incidents{{state=\"{state}\"}} {n}");
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_counted_once_in_its_door_and_bucket() {
        let metrics = Metrics::default();
        metrics.count("/api/v1/devices", 200, Duration::from_millis(7));
        let text = metrics.text();
        assert!(text.contains("platen_http_requests_total{door=\"api\",status=\"2xx\"} 1"));
        assert!(text.contains("platen_http_request_seconds_bucket{door=\"api\",le=\"0.005\"} 0"));
        assert!(text.contains("platen_http_request_seconds_bucket{door=\"api\",le=\"0.01\"} 1"));
        assert!(text.contains("platen_http_request_seconds_count{door=\"pages\"} 0"));
    }
}
