//! `cargo xtask test`: the whole truth about a clone, with a summary of what was skipped and why, of what needed a
//! second run, and of where the time went.

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
    let (mut found, mut times) = (Findings::default(), Times::default());
    let outcome = steps(fast, &mut found, &mut times);
    // A run that failed tells as much as it knows, too.
    found.print();
    times.print();
    outcome?;
    let lacking: Vec<&str> = found.skipped.iter().map(String::as_str).filter(|skip| !is_excused(skip)).collect();
    if std::env::var_os("CI").is_some() && !lacking.is_empty() {
        bail!("nothing may be skipped here that .ci/run can bring: {}", lacking.join("; "));
    }
    Ok(())
}

/// What no clone can bring: recordings that are not ours to give away, and what a machine or its owner does not allow.
const EXCUSED: [&str; 4] = ["(set PLATEN_SHARED)", "(run as root)", "IPv6 loopback not found", "(--fast)"];

fn is_excused(skip: &str) -> bool {
    EXCUSED.iter().any(|excuse| skip.contains(excuse))
}

fn steps(fast: bool, found: &mut Findings, times: &mut Times) -> Result<()> {
    times.step("format", || run_command(cargo().args(["fmt", "--all", "--check"])))?;
    times.step("layers", layers::run)?;
    times.step("tidy", tidy::run)?;
    times.step("assets", assets::run)?;
    times.step("lints", || {
        let lint = ["clippy", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"];
        run_command(cargo().args(lint))
    })?;
    times.step("tests", || tests(found))?;
    if fast {
        found.skipped.insert("skipped: journeys in the browser (--fast)".to_owned());
    } else if let Some(reason) = screenshots::lacking() {
        found.skipped.insert(format!("skipped: {reason}"));
    } else {
        times.step("journeys", || screenshots::visit(None, &[]))?;
    }
    Ok(())
}

/// How long each step took.
#[derive(Default)]
struct Times(Vec<(String, f64)>);

impl Times {
    fn step(&mut self, name: &str, work: impl FnOnce() -> Result<()>) -> Result<()> {
        println!("── {name}");
        let start = Instant::now();
        let outcome = work().with_context(|| format!("{name} failed"));
        let seconds = start.elapsed().as_secs_f64();
        let word = if outcome.is_ok() { "good" } else { "FAILED" };
        println!("── {name}: {word}, {seconds:.0} s");
        self.0.push((format!("{name}: {word}"), seconds));
        outcome
    }

    fn print(&self) {
        println!("\n{:.0} s in all", self.0.iter().map(|(_, seconds)| seconds).sum::<f64>());
        for (name, seconds) in &self.0 {
            println!("  {seconds:6.0} s  {name}");
        }
    }
}

/// What a run found beside failures.
#[derive(Default)]
struct Findings {
    /// Lines `skipped: …`.
    skipped: BTreeSet<String>,
    /// Tests that failed once and passed when they were run again: they depend on speed.
    run_twice: BTreeSet<String>,
}

impl Findings {
    fn print(&self) {
        println!("\n{} skipped", self.skipped.len());
        for skip in &self.skipped {
            println!("  {skip}");
        }
        if !self.run_twice.is_empty() {
            println!("\n{} passed only when run again; each of them depends on speed, mend it:", self.run_twice.len());
            for name in &self.run_twice {
                println!("  {name}");
            }
        }
    }

    /// nextest keeps the output of passing tests in its report (.config/nextest.toml).
    fn read(&mut self, report: &str) {
        let mut test = String::new();
        for line in report.lines() {
            self.skipped.extend(skip_line(line));
            if let Some((_, rest)) = line.split_once("<testcase ") {
                let attribute = |name: &str| rest.split_once(&format!("{name}=\""))?.1.split('"').next();
                test = ["classname", "name"].into_iter().filter_map(attribute).collect::<Vec<_>>().join(" ");
            }
            if line.contains("<flakyFailure") {
                self.run_twice.insert(test.clone());
            }
        }
    }
}

fn tests(found: &mut Findings) -> Result<()> {
    let postgres = Postgres::start()?;
    if postgres.is_none() {
        found.skipped.insert("skipped: PostgreSQL not found (apt install postgresql)".to_owned());
    }
    run_command(cargo().args(["build", "--locked", "--package", "platen"]))?;
    let nextest = present("cargo-nextest");
    let mut command = cargo();
    if nextest {
        command.args(["nextest", "run", "--profile", "ci", "--locked", "--workspace"]);
        command.args(["--status-level", "slow", "--final-status-level", "flaky"]);
    } else {
        command.args(["test", "--locked", "--workspace", "--", "--show-output"]);
    }
    if let Some(postgres) = &postgres {
        command.env("PLATEN_TEST_PG", &postgres.url);
    }
    if nextest {
        let file = target().join("nextest/ci/junit.xml");
        // An old one would speak for a run that did not come so far.
        drop(std::fs::remove_file(&file));
        let outcome = run_command(&mut command);
        found.read(&std::fs::read_to_string(&file).unwrap_or_default());
        return outcome;
    }
    collect_while_running(&mut command, &mut found.skipped)
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

#[cfg(test)]
mod tests {
    use super::{Findings, is_excused};

    #[test]
    fn skips_and_tests_that_were_run_again_are_found_in_the_report() {
        let mut found = Findings::default();
        found.read(
            r#"<testcase name="a::good" classname="platen-x::it" time="1.0">
                <system-out>skipped: swaks not found (apt install swaks)</system-out>
            </testcase>
            <testcase name="a::hasty" classname="platen-x::it" time="1.0">
                <flakyFailure timestamp="t" type="test failure with exit code 101"/>
            </testcase>"#,
        );
        assert!(found.skipped.contains("skipped: swaks not found (apt install swaks)"));
        assert_eq!(found.run_twice.into_iter().collect::<Vec<_>>(), ["platen-x::it a::hasty"]);
    }

    #[test]
    fn only_what_no_clone_can_bring_may_be_skipped_where_everything_is_installed() {
        assert!(is_excused("skipped: recordings not found (set PLATEN_SHARED)"));
        assert!(is_excused("skipped: the right to mount a small tmpfs not found (run as root)"));
        for lacking in
            ["postgres not found (apt install postgresql)", "zcbor not found (pip install zcbor==0.9.1)", "no mood"]
        {
            assert!(!is_excused(&format!("skipped: {lacking}")), "{lacking}");
        }
    }

    /// Every test that leaves something out says so in words that the summary finds.
    #[test]
    fn tests_say_what_they_skip_and_how_to_bring_it() {
        let root = crate::command::root().join("crates");
        let mut left: Vec<_> = vec![root];
        let mut said = 0;
        while let Some(path) = left.pop() {
            if path.is_dir() {
                left.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
                continue;
            }
            if path.extension().is_none_or(|extension| extension != "rs") {
                continue;
            }
            for line in std::fs::read_to_string(&path).unwrap().lines() {
                let Some((_, words)) = line.split_once("println!(\"skipped: ") else { continue };
                said += 1;
                let how = ["(apt install ", "(pip install "].iter().any(|how| words.contains(how));
                assert!(how || is_excused(words), "{}: {line}", path.display());
            }
        }
        assert!(said > 10, "{said} places");
    }
}
