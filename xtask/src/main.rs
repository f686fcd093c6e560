//! Chores of this repository: `cargo xtask help` lists them.
//! Depends on no crate of ours, so it builds at once even when they do not.

mod assets;
mod behaviours;
mod chaos;
mod command;
mod demo;
mod dist;
mod fuzz;
mod http;
mod layers;
mod links;
mod openapi;
mod postgres;
mod screenshots;
mod soak;
mod test;
mod tidy;

use std::process::ExitCode;

const HELP: &str = "\
usage: cargo xtask CHORE [ARGUMENTS]

  demo [ARGS…]   build and start server, agent and 25 virtual devices; prints URL and sign-in
                 (ARGS go to `platen demo`, for example `cargo xtask demo --devices 100 --port 0`)
  test           the whole truth: format, lints, layers, tidy, tests on both databases, journeys, list of skips
                 (`--fast` leaves the journeys in the browser out)
  layers         hold every crate's imports against ARCHITECTURE.md
  tidy           hold the house rules: file sizes, module docs, names, number of packages
  assets         build scripts and styles of the pages (needs Node; without it pages are plainer)
  openapi        write openapi/platen-v1.json anew from the handlers
  screenshots    photograph every page of a fresh demo into docs/screenshots
  soak [FLAGS]   10,000 virtual devices under one agent and one server for ten minutes, measured
                 (--devices N --minutes M --kill N --status-s S --postgres --keep)
  fuzz [FLAGS]   mutated SNMP packets through our decoder and two others, optimised; every disagreement has a reason
                 or is a defect (--packets N, ten million unless told; --seed S repeats a run)
  fuzz mutants   mutated HTTP, SMTP, POP3, CBOR and COSE, 100,000 of each (--packets N, --seed S)
  chaos [FLAGS]  a fleet that does everything wrong, held against what its devices know of themselves
                 (--devices N --hours H --seed S --release; 200 devices and 24 simulated hours)
  dist           release build with man pages and shell completions in target/dist
";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let chore = arguments.next().unwrap_or_default();
    let rest: Vec<String> = arguments.collect();
    let outcome = match chore.as_str() {
        "demo" => demo::run(&rest),
        "test" => test::run(&rest),
        "layers" => layers::run(),
        "tidy" => tidy::run(),
        "assets" => assets::run(),
        "openapi" => openapi::run(),
        "screenshots" => screenshots::run(&rest),
        "soak" => soak::run(&rest),
        "fuzz" => fuzz::run(&rest),
        "chaos" => chaos::run(&rest),
        "dist" => dist::run(),
        "" | "help" | "--help" | "-h" => {
            print!("{HELP}");
            Ok(())
        }
        other => {
            eprintln!("xtask: no chore is named `{other}`\n\n{HELP}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask {chore}: {error:#}");
            ExitCode::FAILURE
        }
    }
}
