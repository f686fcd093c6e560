//! What the documentation and the help texts tell people to type is what the command tree takes.

use std::path::{Path, PathBuf};

use clap::error::ErrorKind;
use clap::{Command, CommandFactory, Parser};

use super::Cli;
use crate::config::Config;

/// Every page of the documentation.
fn pages() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut found = Vec::new();
    let mut folders = vec![root.join("docs")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                found.push(path);
            }
        }
    }
    let others = ["README.md", "API.md", "LOGGING.md", "ARCHITECTURE.md", "CONTRIBUTING.md"];
    found.extend(others.map(|name| root.join(name)));
    found.into_iter().map(|path| (path.clone(), std::fs::read_to_string(path).unwrap())).collect()
}

/// Blocks of code as lines, and what stands between backquotes elsewhere.
fn code(page: &str) -> Vec<&str> {
    let (mut found, mut fenced) = (Vec::new(), false);
    for line in page.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if fenced || line.starts_with("    ") {
            found.push(line.trim());
        } else {
            found.extend(line.split('`').skip(1).step_by(2));
        }
    }
    found
}

/// The call of ours in a line of shell, without what is written beside it.
fn call(line: &str) -> Option<&str> {
    let start = if line.starts_with("platen ") { 0 } else { line.find("| platen ")? + 2 };
    let rest = &line[start..];
    let end = ["  ", " #", " |", " >", " (", "`"].iter().filter_map(|mark| rest.find(mark)).min().unwrap_or(rest.len());
    Some(&rest[..end])
}

/// What is wrong with a call. A page may name a command and leave its arguments to the reader.
fn wrong(call: &str) -> Option<String> {
    let error = Cli::try_parse_from(call.split_whitespace()).err()?;
    match error.kind() {
        ErrorKind::MissingRequiredArgument
        | ErrorKind::MissingSubcommand
        | ErrorKind::DisplayHelp
        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => None,
        _ => Some(format!("`{call}`: {}", error.to_string().lines().next().unwrap_or_default())),
    }
}

#[test]
fn each_command_of_the_documentation_is_understood() {
    let mut calls = 0;
    let mut faults = Vec::new();
    for (path, page) in pages() {
        for call in code(&page).into_iter().filter_map(call) {
            calls += 1;
            faults.extend(wrong(call).map(|fault| format!("{}: {fault}", path.display())));
        }
    }
    assert!(calls > 30, "the pages name {calls} commands");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(wrong("platen serve --portal x").is_some(), "an option that is not there would be found");
}

#[test]
fn each_example_of_the_help_is_understood() {
    fn examples(command: &Command, found: &mut Vec<String>) {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let lines = help.lines().filter_map(|line| line.find("platen ").and_then(|at| call(&line[at..])));
        found.extend(lines.map(str::to_owned));
        command.get_subcommands().for_each(|below| examples(below, found));
    }
    let mut found = Vec::new();
    examples(&Cli::command(), &mut found);
    assert!(found.len() > 20, "{found:?}");
    let faults: Vec<String> = found.iter().filter_map(|call| wrong(call)).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn each_configuration_of_the_documentation_is_valid() {
    let mut blocks = 0;
    for (path, page) in pages() {
        for block in page.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()) {
            blocks += 1;
            let read = toml::from_str::<Config>(block);
            assert!(read.is_ok(), "{}: {}\n{block}", path.display(), read.unwrap_err());
        }
    }
    assert!(blocks >= 3, "the pages show {blocks} configurations");
}
