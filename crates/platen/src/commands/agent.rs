//! `platen agent`: enrols once, then keeps a network's printers read until SIGTERM; `export` and `restore` carry it to
//! another machine.

use std::io::Read as _;
use std::net::SocketAddr;
use std::path::Path;

use agent::carry;
use anyhow::{Context, Result, bail};
use serde::Serialize;

use crate::cli::{AgentAction, AgentArgs, CarryArgs};
use crate::exit::Exit;
use crate::printer::Printer;
use crate::{ready, shutdown, site};

/// What the ready file says.
#[derive(Serialize)]
struct AgentReady {
    agent: String,
    gateway: String,
    /// Where it listens for traps.
    traps: Option<SocketAddr>,
    /// Where devices reach the gateway through it.
    relay: Option<SocketAddr>,
}

/// The first line of a file, or of standard input: `what` is its name for people.
fn secret(path: &Path, what: &str) -> Result<String> {
    let mut text = String::new();
    if path == Path::new("-") {
        std::io::stdin()
            .take(4_096)
            .read_to_string(&mut text)
            .with_context(|| format!("cannot read the {what} from standard input"))?;
    } else {
        text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    }
    match text.lines().next() {
        Some(line) if !line.is_empty() => Ok(line.to_owned()),
        _ => bail!("there is no {what}: the first line of {} is empty", path.display()),
    }
}

/// Writes an export, or takes one over.
async fn carry(action: AgentAction, data: &Path, printer: &Printer) -> Result<Exit> {
    let (args, moved, done) = match action {
        AgentAction::Export(args) => {
            let CarryArgs { file, passphrase_file } = &args;
            let moved = carry::export(data, file, &secret(passphrase_file, "passphrase")?).await?;
            (args, moved, "exported to")
        }
        AgentAction::Restore(args) => {
            let CarryArgs { file, passphrase_file } = &args;
            let moved = carry::restore(file, data, &secret(passphrase_file, "passphrase")?).await?;
            (args, moved, "restored from")
        }
    };
    printer.note(&format!(
        "agent {} with {} devices and {} waiting messages {done} {}",
        moved.agent.to_text(),
        moved.devices,
        moved.messages,
        args.file.display()
    ));
    if done.starts_with("restored") {
        printer.note("stop the agent on the old machine for good: two of one name refuse each other's reports");
    }
    Ok(Exit::Success)
}

/// Runs until it is asked to stop.
pub async fn run(args: AgentArgs, printer: Printer, log: Option<agent::LogTail>) -> Result<Exit> {
    if let Some(action) = args.action {
        return carry(action, &args.data, &printer).await;
    }
    site::make_folder(&args.data)?;
    let account = args.proxy_account_file.as_deref().map(|file| secret(file, "proxy account")).transpose()?;
    let proxy = args.proxy.map(|address| agent::Proxy::parse(&address, account.as_deref())).transpose()?;
    let config = agent::AgentConfig {
        data: args.data,
        server: args.server,
        enrol: args.enrol,
        name: args.name,
        trap_listen: args.trap_listen,
        log,
        proxy,
        relay_listen: args.relay_listen,
    };
    let (send, receive) = tokio::sync::oneshot::channel();
    let on_ready = move |running| drop(send.send(running));
    let work = agent::run(config, on_ready, shutdown::on_signal());
    tokio::pin!(work);
    tokio::select! {
        outcome = &mut work => outcome?,
        running = receive => {
            if let Ok(running) = running {
                let ready = AgentReady {
                    agent: running.agent.to_text(),
                    gateway: running.gateway,
                    traps: running.traps,
                    relay: running.relay,
                };
                if let Some(path) = &args.ready_file {
                    ready::write(path, &ready)?;
                }
                printer.note(&format!("agent {} reports to {}", ready.agent, ready.gateway));
                if let Some(address) = ready.traps {
                    printer.note(&format!("it listens for traps at {address}"));
                }
                if let Some(address) = ready.relay {
                    printer.note(&format!("devices reach the server through it by the HTTP proxy http://{address}"));
                }
            }
            work.await?;
        }
    }
    Ok(Exit::Success)
}
