//! `smtp` and `pop3` (M3, M4): a whole server with registered devices on the mail roads, beside the programs that others
//! run for mail. The same client measures all of them; nobody speaks TLS.

mod pop3;
mod rivals;
mod smtp;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tokio::runtime::Handle;

pub(super) use self::pop3::run as pop3;
pub(super) use self::smtp::run as smtp;
use super::process::{Core, Running, await_file, command, role};
use super::role::{MailStanding, Ordered};
use super::scene::Scene;

/// Longest time to give every device an order.
const ORDERS: Duration = Duration::from_secs(300);

/// A server under test.
struct Site {
    running: Running,
    data: PathBuf,
    standing_file: PathBuf,
    orders_file: PathBuf,
    standing: MailStanding,
}

impl Site {
    fn start(scene: &Scene, devices: u32) -> Result<Self> {
        let (data, standing_file, orders_file) =
            (scene.path("site"), scene.path("site.ready"), scene.path("site.orders"));
        let mut words = role(["mail-site", "--devices", &devices.to_string(), "--data"])?;
        words.push(data.clone().into_os_string());
        words.extend(["--ready-file".into(), standing_file.clone().into()]);
        words.extend(["--orders-file".into(), orders_file.clone().into()]);
        let child = command(scene, Core::Any, &words)?.stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?;
        let mut running = Running(child);
        let standing = await_file(&mut running.0, &standing_file)?;
        Ok(Self { running, data, standing_file, orders_file, standing })
    }

    fn pid(&self) -> u32 {
        self.running.0.id()
    }

    /// Gives every device one more order, and waits for that.
    fn order(&mut self) -> Result<()> {
        let ordered = |file: &PathBuf| -> u64 {
            let bytes = std::fs::read(file).unwrap_or_default();
            serde_json::from_slice::<Ordered>(&bytes).unwrap_or_default().times
        };
        let (before, began) = (ordered(&self.orders_file), Instant::now());
        let input = self.running.0.stdin.as_mut().context("the site does not listen to us")?;
        input.write_all(b"orders\n")?;
        input.flush()?;
        while ordered(&self.orders_file) == before {
            ensure!(began.elapsed() < ORDERS, "orders were not given within {} s", ORDERS.as_secs());
            ensure!(self.running.0.try_wait()?.is_none(), "the site ended while it gave orders");
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Ends it and counts what the raw log holds: messages, missing, twice.
    fn finish(mut self) -> Result<(u64, u64, u64)> {
        ensure!(self.running.close()?, "the site did not end");
        Handle::current().block_on(async {
            let platform = crate::site::open_default(&self.data, None).await?;
            let counted = platen_core::reports::verify(&platform).await?;
            Ok((counted.messages, counted.missing, counted.twice))
        })
    }
}
