//! The write-ahead log of SQLite is copied into the file by a thread of its own, beside the writer: copied within a commit, as
//! SQLite does by itself, it holds up everybody who waits for that commit.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, sync_channel};

use rusqlite::hooks::Wal;
use rusqlite::{Connection, OpenFlags};

use crate::sqlite::{Room, connect, run};

/// Pages that the log grows by before they are copied: later, and a page that was written ten times is copied once.
const PAGES: i64 = 4_000;
/// The log begins anew once all of it is copied, which it never is while transactions follow each other without pause.
/// At so many pages the writer copies what is left itself.
const MOST: i64 = 24_000;

/// Lets a thread copy what `writer` writes. It ends with the writer.
pub(crate) fn beside(writer: &mut Connection, path: PathBuf) -> rusqlite::Result<()> {
    let (wake, woken) = sync_channel(1);
    let copying = move || copy(&path, &woken);
    if let Err(error) = std::thread::Builder::new().name("checkpoint".to_owned()).spawn(copying) {
        tracing::warn!(%error, "no thread copies the log of the database; the writer does");
        return Ok(());
    }
    let mut growth = Growth::default();
    writer.wal_hook(Some(move |wal: &mut Wal, pages: std::ffi::c_int| {
        match growth.told(i64::from(pages)) {
            Due::Nothing => {}
            // While it still copies it needs no second word: it is asked again when the log has grown further.
            Due::Beside => drop(wake.try_send(())),
            // The commit stands whatever comes of this, and an error here would say that it does not.
            Due::Here => drop(wal.checkpoint()),
        }
        Ok(())
    }))
}

/// How far the log had grown when the thread was woken last, pages.
#[derive(Default)]
struct Growth(i64);

/// What a commit leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    Nothing,
    Beside,
    Here,
}

impl Growth {
    /// So many pages are in the log now.
    fn told(&mut self, pages: i64) -> Due {
        if pages < self.0 {
            // It began anew.
            self.0 = 0;
        }
        let grown = pages - self.0 >= PAGES;
        if grown {
            self.0 = pages;
        }
        match (pages >= MOST, grown) {
            (true, _) => Due::Here,
            (false, true) => Due::Beside,
            (false, false) => Due::Nothing,
        }
    }
}

/// The connection is opened for each copy, so that the last one of the program to close is one that others wait for.
fn copy(path: &Path, woken: &Receiver<()>) {
    while woken.recv().is_ok() {
        let flags = OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_READ_WRITE;
        // Who reads an old moment keeps what follows it from being copied; the next time does that.
        let copied =
            connect(path, flags, Room::Small).and_then(|connection| run(&connection, "pragma wal_checkpoint(passive)"));
        if let Err(error) = copied {
            tracing::warn!(%error, "the log of the database could not be copied into it; tried again when it has grown");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_is_copied_beside_as_it_grows_and_here_before_it_is_too_large() {
        let mut growth = Growth::default();
        let told: Vec<Due> =
            [100, PAGES, PAGES + 9, 2 * PAGES, MOST - 1, MOST, MOST + 1].map(|at| growth.told(at)).into();
        use Due::{Beside, Here, Nothing};
        assert_eq!(told, [Nothing, Beside, Nothing, Beside, Beside, Here, Here]);
        assert_eq!([5, PAGES].map(|at| growth.told(at)), [Nothing, Beside], "it began anew");
    }

    #[test]
    fn a_log_that_grows_is_copied_and_begins_anew_while_others_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.db");
        let mut writer = Connection::open(&path)
            .and_then(|c| c.execute_batch("pragma journal_mode = wal; pragma synchronous = off").map(|()| c))
            .unwrap();
        beside(&mut writer, path.clone()).unwrap();
        writer.execute_batch("create table t (id integer primary key, body blob)").unwrap();
        let reader = Connection::open(&path).unwrap();
        let log = || std::fs::metadata(folder.path().join("t.db-wal")).unwrap().len();
        let (began, mut rows) = (std::time::Instant::now(), 0_i64);
        // Thrice what the log may hold: it was copied and used again.
        while rows < 3 * MOST {
            assert!(began.elapsed().as_secs() < 120, "{rows} rows");
            writer.execute_batch("begin").unwrap();
            for _ in 0..400 {
                writer.execute("insert into t (body) values (zeroblob(4000))", []).unwrap();
            }
            writer.execute_batch("commit").unwrap();
            rows += 400;
            let seen: i64 = reader.query_row("select max(id) from t", [], |row| row.get(0)).unwrap();
            assert_eq!(seen, rows);
            assert!(log() < 2 * 4_120 * u64::try_from(MOST).unwrap(), "{} bytes after {rows} rows", log());
        }
    }
}
