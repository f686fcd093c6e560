//! How many refused senders are noted: a flood of them must not fill the database.

use std::time::Instant;

use parking_lot::Mutex;

/// Notes at once after quiet.
const BURST: f64 = 60.0;
/// Notes a second.
const RATE: f64 = 1.0;

/// Tokens for notes.
#[derive(Debug)]
pub(super) struct Notes(Mutex<(f64, Instant)>);

impl Default for Notes {
    fn default() -> Self {
        Self(Mutex::new((BURST, Instant::now())))
    }
}

impl Notes {
    /// Whether one more may be noted now.
    pub(super) fn take(&self) -> bool {
        let (mut state, now) = (self.0.lock(), Instant::now());
        let tokens = (state.0 + now.saturating_duration_since(state.1).as_secs_f64() * RATE).min(BURST);
        let granted = tokens >= 1.0;
        *state = (if granted { tokens - 1.0 } else { tokens }, now);
        granted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_strangers_is_noted_in_part() {
        let notes = Notes::default();
        let noted = (0..1_000).filter(|_| notes.take()).count();
        assert!((60..=62).contains(&noted), "{noted}");
    }
}
