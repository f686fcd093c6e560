//! `cargo xtask test`: the whole truth about a clone, with a summary of what was skipped and why.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::command::{cargo, present, run as run_command, target};
use crate::postgres::Postgres;
use crate::{assets, layers, screenshots, tidy};

/// Runs every step in order; the first failure ends the run.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let fast = arguments.iter().any(|argument| argument == "--fast");
    let mut skips = BTreeSet::new();
    step("format", || run_command(cargo().args(["fmt", "--all", "--check"])))?;
    step("layers", layers::run)?;
    step("tidy", tidy::run)?;
    step("assets", assets::run)?;
    step("lints", || {
        let lint = ["clippy", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"];
        run_command(cargo().args(lint))
    })?;
    step("tests", || tests(&mut skips))?;
    if fast {
        skips.insert("skipped: journeys in the browser (--fast)".to_owned());
    } else if let Some(reason) = screenshots::lacking() {
        skips.insert(format!("skipped: {reason}"));
    } else {
        step("journeys", || screenshots::visit(None, &[]))?;
    }
    println!("\n{} skipped", skips.len());
    for skip in &skips {
        println!("  {skip}");
    }
    if std::env::var_os("CI").is_some()
        && skips.iter().any(|skip| skip.contains("apt install") || skip.contains("pip install cwt"))
    {
        bail!("a peer that .ci/run should have installed is missing");
    }
    Ok(())
}

fn step(name: &str, work: impl FnOnce() -> Result<()>) -> Result<()> {
    println!("── {name}");
    let start = Instant::now();
    work().with_context(|| format!("{name} failed"))?;
    println!("── {name}: good, {:.0} s", start.elapsed().as_secs_f64());
    Ok(())
}

fn tests(skips: &mut BTreeSet<String>) -> Result<()> {
    let postgres = Postgres::start()?;
    if postgres.is_none() {
        skips.insert("skipped: PostgreSQL not found (apt install postgresql)".to_owned());
    }
    run_command(cargo().args(["build", "--locked", "--package", "platen"]))?;
    let nextest = present("cargo-nextest");
    let mut command = cargo();
    if nextest {
        command.args(["nextest", "run", "--locked", "--workspace", "--failure-output", "final"]);
        command.args(["--status-level", "fail", "--final-status-level", "slow"]);
    } else {
        command.args(["test", "--locked", "--workspace", "--", "--show-output"]);
    }
    if let Some(postgres) = &postgres {
        command.env("PLATEN_TEST_PG", &postgres.url);
    }
    if nextest {
        run_command(&mut command)?;
        collect_from_report(skips);
        return Ok(());
    }
    collect_while_running(&mut command, skips)
}

/// nextest keeps the output of passing tests in its report (.config/nextest.toml).
fn collect_from_report(skips: &mut BTreeSet<String>) {
    let report = std::fs::read_to_string(target().join("nextest/default/junit.xml")).unwrap_or_default();
    skips.extend(report.lines().filter_map(skip_line));
}

fn collect_while_running(command: &mut Command, skips: &mut BTreeSet<String>) -> Result<()> {
    let mut child = command.stdout(Stdio::piped()).spawn()?;
    let output = child.stdout.take().context("cargo test without output")?;
    for line in BufReader::new(output).lines() {
        let line = line?;
        skips.extend(skip_line(&line));
        println!("{line}");
    }
    let status = child.wait()?;
    if !status.success() {
        bail!("cargo test ended with {status}");
    }
    Ok(())
}

fn skip_line(line: &str) -> Option<String> {
    let start = line.find("skipped: ")?;
    Some(line[start..].trim_end_matches("</system-out>").trim_end_matches("</system-err>").to_owned())
}
