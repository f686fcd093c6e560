//! `platen agent`: enrols once, then keeps a network's printers read until SIGTERM.

use std::net::SocketAddr;

use anyhow::Result;
use serde::Serialize;

use crate::cli::AgentArgs;
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
}

/// Runs until it is asked to stop.
pub async fn run(args: AgentArgs, printer: Printer) -> Result<Exit> {
    site::make_folder(&args.data)?;
    let config = agent::AgentConfig {
        data: args.data,
        server: args.server,
        enrol: args.enrol,
        name: args.name,
        trap_listen: args.trap_listen,
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
                };
                if let Some(path) = &args.ready_file {
                    ready::write(path, &ready)?;
                }
                printer.note(&format!("agent {} reports to {}", ready.agent, ready.gateway));
                if let Some(address) = ready.traps {
                    printer.note(&format!("it listens for traps at {address}"));
                }
            }
            work.await?;
        }
    }
    Ok(Exit::Success)
}
