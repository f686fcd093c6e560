//! The end of the agent's own log, kept in memory so that it can be sent when somebody asks.

use std::{collections::VecDeque, io, sync::Arc};

use parking_lot::Mutex;

/// Most bytes that are kept: 192 KiB, one part of an upload.
pub const TAIL_BYTES: usize = 192 * 1_024;

/// What was logged last; clones share it. Whoever starts the logs writes into it.
#[derive(Clone, Default)]
pub struct LogTail(Arc<Mutex<VecDeque<u8>>>);

impl std::fmt::Debug for LogTail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LogTail({} bytes)", self.0.lock().len())
    }
}

impl LogTail {
    /// The last lines, whole.
    #[must_use]
    pub fn lines(&self) -> Vec<u8> {
        let kept = self.0.lock();
        let cut =
            if kept.len() < TAIL_BYTES { 0 } else { kept.iter().position(|b| *b == b'\n').map_or(0, |at| at + 1) };
        kept.iter().skip(cut).copied().collect()
    }
}

impl io::Write for LogTail {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut kept = self.0.lock();
        kept.extend(bytes);
        let over = kept.len().saturating_sub(TAIL_BYTES);
        kept.drain(..over);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn the_tail_is_bounded_and_begins_with_a_whole_line() {
        let mut tail = LogTail::default();
        writeln!(tail, "first").unwrap();
        assert_eq!(tail.lines(), b"first\n");
        for n in 0..40_000 {
            writeln!(tail, "line {n:06}").unwrap();
        }
        let lines = tail.lines();
        assert!(lines.len() <= TAIL_BYTES && lines.starts_with(b"line ") && lines.ends_with(b"line 039999\n"));
    }
}
