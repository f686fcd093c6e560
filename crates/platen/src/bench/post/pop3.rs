//! Each of 10,000 mailboxes is visited once: login, STAT, RETR, DELE, QUIT. Ours seals the one order that waits when its device
//! logs in, and forgets it durably at QUIT; dovecot has the same message in a Maildir.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::super::contest::{Contender, Title, hold};
use super::super::outcome::{Better, Outcome, Sample, round};
use super::super::process::{Core, line, measure, role, spent};
use super::super::role::Emptied;
use super::super::scene::Scene;
use super::Site;
use super::rivals::Dovecot;

/// Longest run.
const LIMIT: Duration = Duration::from_secs(600);

fn empty(scene: &Scene, address: SocketAddr, mailboxes: &Path, wanted: usize) -> Result<Emptied> {
    let mut words = role(["pop3-load", "--address", &address.to_string(), "--mailboxes"])?;
    words.extend(line([mailboxes]));
    let emptied: Emptied = measure(scene, Core::Any, &words, LIMIT)?.json()?;
    ensure!(emptied.messages == wanted as u64, "{} of {wanted} messages were there", emptied.messages);
    Ok(emptied)
}

pub(in crate::bench) fn run(scene: &Scene) -> Result<Outcome> {
    let devices = scene.effort.size(10_000, 500, 40);
    scene.say("pop3: devices are registered");
    let mut site = Site::start(scene, devices)?;
    let (address, pid) = (site.standing.pop3, site.pid());
    let mailboxes = list(scene, &site)?;
    let told = RefCell::new(Vec::new());
    // What a letter is like, for the peer: fetched once, left where it is.
    site.order()?;
    let letter = Letter::fetch(scene, &site)?;
    let mut first = true;
    let ours = || {
        if !std::mem::take(&mut first) {
            site.order()?;
        }
        let before = spent(pid).context("the site is gone")?;
        let emptied = empty(scene, address, &mailboxes, devices as usize)?;
        let after = spent(pid).context("the site is gone")?;
        told.borrow_mut().push(shown("platen", &emptied));
        Ok(Sample { value: emptied.mailboxes as f64 / emptied.seconds, cpu_s: after.0 - before.0, rss_mb: after.1 })
    };
    let mut all = vec![Contender { name: "platen".to_owned(), run: Box::new(ours) }];
    let mut notes = Vec::new();
    match Dovecot::start(scene, devices) {
        Ok(dovecot) => {
            let (told, letter) = (&told, &letter);
            let run = move || {
                dovecot.fill(&letter.0)?;
                let before = dovecot.rival.spent();
                let emptied = empty(scene, dovecot.rival.address, &dovecot.mailboxes, devices as usize)?;
                let after = dovecot.rival.spent();
                told.borrow_mut().push(shown("dovecot", &emptied));
                let value = emptied.mailboxes as f64 / emptied.seconds;
                Ok(Sample { value, cpu_s: after.0 - before.0, rss_mb: after.1 })
            };
            all.push(Contender { name: "dovecot".to_owned(), run: Box::new(run) });
        }
        Err(missing) => notes.push(format!("{missing:#}")),
    }
    let title = Title { name: "pop3", unit: "mailboxes emptied a second", better: Better::More };
    let mut outcome = hold(scene, &title, all)?;
    outcome.notes.extend(notes);
    outcome.notes.push(format!(
        "{devices} mailboxes with one message of {} bytes, 32 sessions at a time: login, STAT, RETR, DELE, QUIT; passwords in the clear on \
         both sides; client, server and dovecot share all processors. Dovecot: Maildir, password file, processes that serve many \
         sessions",
        letter.0.len()
    ));
    outcome.detail("runs", told.take());
    let (_, missing, twice) = site.finish()?;
    ensure!(missing == 0 && twice == 0, "the log lacks {missing} and has {twice} twice");
    Ok(outcome)
}

/// Names and passwords of our mailboxes.
fn list(scene: &Scene, site: &Site) -> Result<PathBuf> {
    let path = scene.path("mailboxes");
    let devices = site.standing.devices.iter();
    let text: String = devices.map(|device| format!("{} {}\n", device.device, device.secret)).collect();
    std::fs::write(&path, text)?;
    Ok(path)
}

/// One letter as our door gives it.
struct Letter(Vec<u8>);

impl Letter {
    fn fetch(scene: &Scene, site: &Site) -> Result<Self> {
        use std::io::{BufRead as _, BufReader, Write as _};
        scene.say("pop3: a letter is looked at");
        let device = site.standing.devices.first().context("no device")?;
        let mut stream = BufReader::new(std::net::TcpStream::connect(site.standing.pop3)?);
        let commands = format!("USER {}\r\nPASS {}\r\nRETR 1\r\n", device.device, device.secret);
        stream.get_mut().write_all(commands.as_bytes())?;
        let (mut letter, mut lines) = (Vec::new(), 0);
        loop {
            let mut line = Vec::new();
            ensure!(stream.read_until(b'\n', &mut line)? > 0, "the POP3 door hung up");
            if line == b".\r\n" {
                return Ok(Self(letter));
            }
            // Greeting, USER, PASS, RETR.
            lines += 1;
            if lines > 4 {
                letter.extend_from_slice(&line);
            } else {
                ensure!(line.starts_with(b"+OK"), "{}", String::from_utf8_lossy(&line).trim_end());
            }
        }
    }
}

fn shown(name: &str, emptied: &Emptied) -> Value {
    json!({
        "of": name, "a_second": round(emptied.mailboxes as f64 / emptied.seconds), "p50_ms": round(emptied.p50_ms),
        "p99_ms": round(emptied.p99_ms), "bytes": round(emptied.bytes as f64 / emptied.messages.max(1) as f64),
    })
}
