//! Alert rows of a device (prtAlertTable): raised once, cleared once, with rising indices.

use crate::clock::Instant;

/// What is wrong, and where. The row's group, index, code and severity follow from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    Jam,
    Cover(u8),
    /// Tray number (from 0) is nearly empty.
    InputLow(u8),
    InputEmpty {
        input: u8,
        /// No other tray can take its place.
        last: bool,
    },
    OutputNearFull(u8),
    OutputFull(u8),
    SupplyLow(u8),
    SupplyEmpty(u8),
    /// A failure that needs a technician.
    Service,
    PowerUp,
    /// Trace of a cleared row with this index.
    Removal(u32),
}

/// PrtAlertSeverityLevelTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Severity {
    Other = 1,
    Critical = 3,
    Warning = 4,
}

/// One row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Row {
    pub index: u32,
    pub cause: Cause,
    pub severity: Severity,
    pub at: Instant,
}

/// What a device would send a trap for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Notice {
    /// A critical row was added.
    Added(Row),
    /// A critical row went and left this trace.
    Removed(Row),
    /// The power came on.
    Started(Instant),
}

/// Notices kept before the oldest is forgotten.
const MEMORY: usize = 4_096;

/// The table, and what the general group counts about it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Alerts {
    pub rows: Vec<Row>,
    last_index: u32,
    /// prtAlertAllEvents.
    pub all_events: u32,
    /// prtAlertCriticalEvents.
    pub critical_events: u32,
    /// Rows ever cleared; for truth and tests.
    pub cleared: u32,
    /// Notices not sent yet; `None` while nobody wants any.
    pub notices: Option<Vec<Notice>>,
}

impl Alerts {
    pub(crate) fn has(&self, cause: Cause) -> bool {
        self.rows.iter().any(|row| row.cause == cause)
    }

    pub(crate) fn any(&self, wanted: impl Fn(Cause) -> bool) -> bool {
        self.rows.iter().any(|row| wanted(row.cause))
    }

    /// Adds a row unless it stands already. In a full table the oldest of the least severe rows makes room
    /// (RFC 3805: critical rows push others out).
    pub(crate) fn raise(&mut self, cause: Cause, severity: Severity, at: Instant, room: usize) {
        if self.has(cause) {
            return;
        }
        if self.rows.len() >= room {
            let rank = |row: &Row| match row.severity {
                Severity::Other => 0,
                Severity::Warning => 1,
                Severity::Critical => 2,
            };
            let least = self.rows.iter().map(rank).min().unwrap_or(0);
            if let Some(oldest) = self.rows.iter().position(|row| rank(row) == least) {
                self.rows.remove(oldest);
            }
        }
        self.last_index += 1;
        self.all_events += 1;
        self.critical_events += u32::from(severity == Severity::Critical);
        let row = Row { index: self.last_index, cause, severity, at };
        self.rows.push(row);
        if severity == Severity::Critical {
            self.notice(Notice::Added(row));
        }
    }

    fn notice(&mut self, notice: Notice) {
        if let Some(notices) = &mut self.notices {
            if notices.len() >= MEMORY {
                notices.remove(0);
            }
            notices.push(notice);
        }
    }

    /// Takes the rows away; returns whether there was one. `trace` leaves a removal row behind.
    pub(crate) fn clear(&mut self, wanted: impl Fn(Cause) -> bool, at: Instant, trace: Option<usize>) -> bool {
        let gone: Vec<Row> = self.rows.iter().filter(|row| wanted(row.cause)).copied().collect();
        self.rows.retain(|row| !wanted(row.cause));
        self.cleared += gone.len() as u32;
        if let Some(room) = trace {
            for row in gone.iter().filter(|row| row.severity != Severity::Other) {
                self.raise(Cause::Removal(row.index), Severity::Other, at, room);
                if let Some(trace) = self.rows.last().copied().filter(|_| row.severity == Severity::Critical) {
                    self.notice(Notice::Removed(trace));
                }
            }
        }
        !gone.is_empty()
    }

    /// After a power cycle indices begin anew, and only what still holds is told again.
    pub(crate) fn reboot(&mut self, at: Instant, room: usize) {
        let standing = std::mem::take(&mut self.rows);
        self.last_index = 0;
        self.notice(Notice::Started(at));
        for row in standing.into_iter().filter(|row| row.severity != Severity::Other) {
            self.raise(row.cause, row.severity, at, room);
        }
        self.raise(Cause::PowerUp, Severity::Other, at, room);
    }

    /// An index that a walk may meet next: rows are kept in order of their index.
    pub(crate) fn row(&self, index: u32) -> Option<&Row> {
        self.rows.iter().find(|row| row.index == index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn critical_rows_push_others_out() {
        let mut alerts = Alerts::default();
        alerts.raise(Cause::SupplyLow(0), Severity::Warning, Instant::START, 2);
        alerts.raise(Cause::Jam, Severity::Critical, Instant::START, 2);
        alerts.raise(Cause::Cover(0), Severity::Critical, Instant::START, 2);
        let left: Vec<_> = alerts.rows.iter().map(|row| (row.index, row.cause)).collect();
        assert_eq!(left, [(2, Cause::Jam), (3, Cause::Cover(0))]);
        assert_eq!((alerts.all_events, alerts.critical_events), (3, 2));
    }

    #[test]
    fn a_reboot_numbers_rows_anew() {
        let mut alerts = Alerts::default();
        alerts.raise(Cause::Jam, Severity::Critical, Instant::START, 9);
        alerts.clear(|cause| cause == Cause::Jam, Instant::START, Some(9));
        alerts.raise(Cause::SupplyLow(1), Severity::Warning, Instant::START, 9);
        alerts.reboot(Instant::START, 9);
        let left: Vec<_> = alerts.rows.iter().map(|row| (row.index, row.cause)).collect();
        assert_eq!(left, [(1, Cause::SupplyLow(1)), (2, Cause::PowerUp)]);
    }
}
