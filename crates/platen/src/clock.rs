//! The one file that reads the wall clock and the system's randomness for `core`.

use std::time::{SystemTime, UNIX_EPOCH};

use platen_core::{Clock, Ids, Micros};
use uuid::Uuid;

/// The machine's wall clock.
pub struct WallClock;

impl Clock for WallClock {
    fn now(&self) -> Micros {
        // A clock before 1970 is broken; zero keeps everything in order until it is set.
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }
}

/// The system's randomness.
pub struct SystemIds;

impl Ids for SystemIds {
    fn uuid7(&self) -> Uuid {
        Uuid::now_v7()
    }

    fn random(&self, bytes: &mut [u8]) {
        aws_lc_rs::rand::fill(bytes).expect("the system's random generator works, or nothing here may go on");
    }
}
