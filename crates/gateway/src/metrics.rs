//! Counts of answers, as Prometheus text. Labels are bounded: the call and the status.

use std::{
    fmt::Write as _,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use axum::http::StatusCode;

/// What senders can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Enrol,
    Report,
    Plan,
    Hello,
    Poll,
    Ack,
    Blob,
}

const CALLS: [&str; 7] = ["enrol", "report", "plan", "hello", "poll", "ack", "blob"];
/// Every status that the door gives; the last counts all others.
const STATUSES: [u16; 13] = [200, 204, 304, 400, 403, 404, 408, 409, 413, 415, 429, 503, 500];

/// What the gateway counts.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    answers: [[AtomicU64; STATUSES.len()]; CALLS.len()],
    time_us: [AtomicU64; CALLS.len()],
}

impl Metrics {
    /// Counts one answered call.
    pub(crate) fn count(&self, call: Call, status: StatusCode, took: Duration) {
        let row = call as usize;
        let column = STATUSES.iter().position(|known| *known == status.as_u16()).unwrap_or(STATUSES.len() - 1);
        self.answers[row][column].fetch_add(1, Relaxed);
        self.time_us[row].fetch_add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX), Relaxed);
    }

    /// Prometheus text, version 0.0.4; counts of zero are left out.
    pub(crate) fn text(&self) -> String {
        let mut out = String::from(
            "# HELP platen_gateway_answers_total Answered calls of devices and agents.\n# TYPE platen_gateway_answers_total counter\n",
        );
        for (call, row) in CALLS.iter().zip(&self.answers) {
            for (status, count) in STATUSES.iter().zip(row) {
                let count = count.load(Relaxed);
                if count > 0 {
                    let _ =
                        writeln!(out, "platen_gateway_answers_total{{call=\"{call}\",status=\"{status}\"}} {count}");
                }
            }
        }
        out.push_str(
            "# HELP platen_gateway_seconds_total Time spent on calls.\n# TYPE platen_gateway_seconds_total counter\n",
        );
        for (call, time) in CALLS.iter().zip(&self.time_us) {
            let seconds = time.load(Relaxed) as f64 / 1e6;
            let _ = writeln!(out, "platen_gateway_seconds_total{{call=\"{call}\"}} {seconds}");
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_counted_by_call_and_status() {
        let metrics = Metrics::default();
        metrics.count(Call::Report, StatusCode::OK, Duration::from_millis(2));
        metrics.count(Call::Report, StatusCode::OK, Duration::from_millis(3));
        metrics.count(Call::Plan, StatusCode::IM_A_TEAPOT, Duration::ZERO);
        metrics.count(Call::Ack, StatusCode::NO_CONTENT, Duration::ZERO);
        metrics.count(Call::Blob, StatusCode::NOT_FOUND, Duration::ZERO);
        metrics.count(Call::Blob, StatusCode::CONFLICT, Duration::ZERO);
        let text = metrics.text();
        assert!(text.contains("platen_gateway_answers_total{call=\"report\",status=\"200\"} 2\n"), "{text}");
        assert!(text.contains("platen_gateway_answers_total{call=\"plan\",status=\"500\"} 1\n"), "{text}");
        assert_eq!(
            text.matches("status=\"500\"").count(),
            1,
            "nothing that the door gives on purpose is a fault: {text}"
        );
        assert!(text.contains("platen_gateway_seconds_total{call=\"report\"} 0.005\n"), "{text}");
    }
}
