//! `platen serve`: opens the database, opens the doors, drains on SIGTERM.

use anyhow::Result;

use crate::cli::ServeArgs;
use crate::config::Config;
use crate::doors::Doors;
use crate::exit::Exit;
use crate::printer::Printer;
use crate::ready::{self, ServeReady};
use crate::{shutdown, site};

/// Serves until it is asked to stop.
pub async fn run(args: ServeArgs, printer: Printer) -> Result<Exit> {
    let config = Config::resolve(&args)?;
    let platform = site::open(&config.data, &config.database, &config.blobs).await?;
    let stop = shutdown::on_signal();
    let doors = Doors::open(platform.clone(), &config, false, stop.clone()).await?;
    let ready = doors.ready(&platform).await?;
    announce(&ready, printer)?;
    if let Some(path) = &args.ready_file {
        ready::write(path, &ready)?;
    }
    stop.cancelled().await;
    doors.closed().await;
    Ok(Exit::Success)
}

fn announce(ready: &ServeReady, printer: Printer) -> Result<()> {
    if printer.is_json() {
        return printer.line(ready);
    }
    printer.text(&format!("pages    {}", ready.web.as_deref().unwrap_or("off")));
    printer.text(&format!("gateway  {}", ready.gateway.as_deref().unwrap_or("off")));
    if let Some(setup) = &ready.setup {
        printer.text(&format!("set up   {setup}   (works once)"));
    }
    Ok(())
}
