//! The binary: command tree, configuration, logging, clock; start-up and shutdown as prose.
//! `cli` says what can be asked, `commands/` does it, `printer` says what came of it.

mod bench;
mod cli;
mod clock;
mod commands;
mod config;
mod doors;
mod exit;
mod housekeeping;
mod logging;
mod outgoing;
mod printer;
mod ready;
mod shutdown;
mod site;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command};
use crate::exit::{Exit, UsageError};
use crate::printer::Printer;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let printer = Printer::new(cli.json);
    let quiet = !matches!(cli.command, Command::Serve(_) | Command::Agent(_));
    let tail = matches!(cli.command, Command::Agent(_)).then(agent::LogTail::default);
    logging::start(cli.verbose, if quiet { "error" } else { "info" }, tail.clone());
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    let outcome = runtime(&cli.command).and_then(|runtime| {
        let outcome = runtime.block_on(run(cli.command, printer, tail));
        runtime.shutdown_timeout(std::time::Duration::from_secs(2));
        outcome
    });
    match outcome {
        Ok(exit) => exit.into(),
        Err(error) => {
            printer.note(&format!("platen: {error:#}"));
            let usage = error.downcast_ref::<UsageError>().is_some();
            if usage { Exit::Usage } else { Exit::Failed }.into()
        }
    }
}

fn runtime(command: &Command) -> anyhow::Result<tokio::runtime::Runtime> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    if matches!(command, Command::Agent(_)) {
        // It hardly ever has work for two, and threads that wake each other cost more than the work.
        builder.worker_threads(1);
    }
    Ok(builder.enable_all().build()?)
}

async fn run(command: Command, printer: Printer, tail: Option<agent::LogTail>) -> anyhow::Result<Exit> {
    match command {
        Command::Read(args) => commands::read::run(args, printer).await,
        Command::Record(args) => commands::record::run(args, printer).await,
        Command::Discover(args) => commands::discover::run(args, printer).await,
        Command::Vmfp(args) => commands::vmfp::run(args, printer).await,
        Command::Serve(args) => commands::serve::run(args, printer).await,
        Command::Agent(args) => commands::agent::run(args, printer, tail).await,
        Command::Demo(args) => commands::demo::run(args, printer).await,
        Command::Admin(command) => commands::admin::run(command, printer).await,
        Command::Doctor(args) => commands::doctor::run(args, printer).await,
        Command::Bench(args) => bench::run(args, printer).await,
        Command::BenchRun(role) => bench::role::run(role).await,
        Command::Profile(command) => commands::profile::run(command, printer),
        Command::Config(command) => commands::configuration::run(command, printer),
        Command::Completion { shell } => Ok(commands::completion::run(shell)),
        Command::Man { out } => commands::man::run(&out, printer),
    }
}
