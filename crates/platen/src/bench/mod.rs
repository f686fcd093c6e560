//! `platen bench NAME`: each measures ours beside a peer in one run, alternately. `catalogue` names them, a file of
//! its own says what each does; `contest` alternates and sums up, `process` and `serving` start and end
//! processes, `role` holds the programs that run in processes of their own.

mod catalogue;
mod close;
mod contest;
mod copy;
mod discover;
mod forecast;
mod herd;
mod ingest;
mod outcome;
mod peer;
mod poll;
mod post;
mod process;
pub mod role;
mod scene;
mod secure;
mod serving;
mod simulator;
mod traps;
mod walk;
mod web;

use anyhow::Result;
use serde::Serialize;

use self::scene::{Effort, Scene};
use crate::cli::BenchArgs;
use crate::exit::{Exit, UsageError};
use crate::printer::Printer;
use crate::shutdown;

#[derive(Serialize)]
struct Entry {
    name: &'static str,
    about: &'static str,
}

/// Lists, or runs one.
pub async fn run(args: BenchArgs, printer: Printer) -> Result<Exit> {
    if args.name == "list" {
        return list(printer);
    }
    let Some(benchmark) = catalogue::find(&args.name) else {
        let text = format!("no benchmark is named `{}`; `platen bench list` names them", args.name);
        return Err(UsageError(text).into());
    };
    if !(args.scale > 0.0 && args.scale <= 1.0) {
        return Err(UsageError("--scale is a share of the full size: more than 0, at most 1".to_owned()).into());
    }
    let scene = Scene::set(Effort::new(args.quick, args.scale), printer)?;
    let stop = shutdown::on_signal();
    let folder = scene.folder().to_owned();
    let mut measuring = tokio::task::spawn_blocking(move || (benchmark.run)(&scene));
    tokio::select! {
        outcome = &mut measuring => {
            outcome??.print(printer)?;
            Ok(Exit::Success)
        }
        () = stop.cancelled() => {
            // What was started watches its standard input, which closes with this process.
            drop(std::fs::remove_dir_all(folder));
            std::process::exit(130)
        }
    }
}

fn list(printer: Printer) -> Result<Exit> {
    if printer.is_json() {
        let entries: Vec<Entry> = catalogue::ALL.iter().map(|one| Entry { name: one.name, about: one.about }).collect();
        printer.document(&entries)?;
    } else {
        let rows: Vec<Vec<String>> =
            catalogue::ALL.iter().map(|one| vec![one.name.to_owned(), one.about.to_owned()]).collect();
        printer.table(&["name", "what it measures"], &rows, &[]);
    }
    Ok(Exit::Success)
}
