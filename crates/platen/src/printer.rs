//! All output of the command line goes through here: data on stdout, everything else on stderr.

use std::io::{IsTerminal, Write};

use serde::Serialize;

/// Knows whether programs or people read, and whether colours are welcome.
#[derive(Clone, Copy, Debug)]
pub struct Printer {
    json: bool,
    color: bool,
    progress: bool,
}

impl Printer {
    /// `json`: the global flag. Colours follow the terminal and `NO_COLOR`.
    pub fn new(json: bool) -> Self {
        let terminal = std::io::stdout().is_terminal();
        let color = !json && terminal && std::env::var_os("NO_COLOR").is_none();
        Self { json, color, progress: std::io::stderr().is_terminal() }
    }

    /// Whether machine output was asked for.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// One JSON document on stdout, indented for `--json`.
    pub fn document<T: Serialize>(&self, value: &T) -> anyhow::Result<()> {
        let mut out = std::io::stdout().lock();
        serde_json::to_writer_pretty(&mut out, value)?;
        writeln!(out)?;
        Ok(())
    }

    /// One line of NDJSON on stdout, flushed so that a reader sees it at once.
    pub fn line<T: Serialize>(&self, value: &T) -> anyhow::Result<()> {
        let mut out = std::io::stdout().lock();
        serde_json::to_writer(&mut out, value)?;
        writeln!(out)?;
        out.flush()?;
        Ok(())
    }

    /// Text for people on stdout. A closed pipe (`| head`) is no fault.
    pub fn text(&self, text: &str) {
        drop(writeln!(std::io::stdout().lock(), "{text}"));
    }

    /// A word on stderr: progress, advice, what happened.
    pub fn note(&self, text: &str) {
        drop(writeln!(std::io::stderr().lock(), "{text}"));
    }

    /// A line on stderr that the next one overwrites; only on a terminal.
    pub fn progress(&self, text: &str) {
        if self.progress {
            drop(write!(std::io::stderr().lock(), "\r\x1b[2K{text}"));
        }
    }

    /// Ends the line of [`Printer::progress`].
    pub fn progress_done(&self) {
        if self.progress {
            drop(write!(std::io::stderr().lock(), "\r\x1b[2K"));
        }
    }

    /// Bold on a terminal that welcomes it.
    pub fn bold(&self, text: &str) -> String {
        if self.color { format!("\x1b[1m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// Dim on a terminal that welcomes it.
    pub fn dim(&self, text: &str) -> String {
        if self.color { format!("\x1b[2m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// A table with a heading, columns as wide as their content; columns named in `right` are set to the right.
    pub fn table(&self, heading: &[&str], rows: &[Vec<String>], right: &[usize]) {
        let width = |column: usize| {
            let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
            cells.chain([heading[column].chars().count()]).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..heading.len()).map(width).collect();
        let set = |cells: Vec<&str>| {
            let columns = cells.iter().zip(&widths).enumerate().map(|(column, (cell, width))| {
                let blanks = " ".repeat(width.saturating_sub(cell.chars().count()));
                if right.contains(&column) { format!("{blanks}{cell}") } else { format!("{cell}{blanks}") }
            });
            columns.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        };
        self.text(&self.dim(&set(heading.to_vec())));
        for row in rows {
            self.text(&set(row.iter().map(String::as_str).collect()));
        }
    }
}
