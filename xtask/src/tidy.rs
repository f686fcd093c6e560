//! House rules that a machine can hold: file sizes, module docs, names, third-party files, links, number of packages.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::command::root;
use crate::{behaviours, links};

/// No source file is longer.
const MAX_LINES: usize = 600;
/// Packages in Cargo.lock; raise it only with a reason in the commit message.
const MAX_PACKAGES: usize = 520;
/// A file of this name says nothing about its content.
const FORBIDDEN: &[&str] = &["utils", "util", "common", "helpers", "helper", "manager", "handler", "handlers", "misc"];
/// Folders that hold nothing of ours, or nothing to read.
const SKIPPED: &[&str] = &["target", "node_modules", "dist", ".git", "snapshots", "screenshots"];

/// Checks the tree; lists all that is wrong.
pub(crate) fn run() -> Result<()> {
    let mut faults = check(&root())?;
    faults.extend(behaviours::check()?);
    let packages = packages(&root())?;
    println!("tidy: {packages} packages in Cargo.lock, ceiling {MAX_PACKAGES}");
    if faults.is_empty() {
        return Ok(());
    }
    bail!("{} faults\n{}", faults.len(), faults.join("\n"));
}

fn check(root: &Path) -> Result<Vec<String>> {
    let mut files = Vec::new();
    walk(root, &mut files)?;
    let mut faults = Vec::new();
    for file in files {
        let shown = file.strip_prefix(root).unwrap_or(&file).display().to_string();
        check_file(&file, &shown, &mut faults);
        if file.extension().is_some_and(|extension| extension == "md") {
            faults.extend(links::check(root, &file, &shown)?);
        }
    }
    if packages(root)? > MAX_PACKAGES {
        faults.push(format!("Cargo.lock: {} packages, the ceiling is {MAX_PACKAGES}", packages(root)?));
    }
    Ok(faults)
}

fn packages(root: &Path) -> Result<usize> {
    Ok(fs::read_to_string(root.join("Cargo.lock"))?.lines().filter(|line| *line == "[[package]]").count())
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            if !SKIPPED.contains(&name.as_str()) {
                walk(&path, files)?;
            }
        } else {
            files.push(path);
        }
    }
    Ok(())
}

fn check_file(path: &Path, shown: &str, faults: &mut Vec<String>) {
    let extension = path.extension().unwrap_or_default().to_string_lossy().into_owned();
    if !matches!(extension.as_str(), "rs" | "ts" | "mjs" | "js" | "css" | "html" | "sql") {
        return;
    }
    let Ok(text) = fs::read_to_string(path) else {
        faults.push(format!("{shown}: not UTF-8"));
        return;
    };
    let lines = text.lines().count();
    if lines > MAX_LINES && extension != "css" {
        faults.push(format!("{shown}: {lines} lines, the stop is {MAX_LINES}; one file, one reason"));
    }
    if text.lines().any(|line| line.len() > 1_000) {
        faults.push(format!("{shown}: a line over 1,000 characters looks like somebody else's build"));
    }
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    if FORBIDDEN.contains(&stem.as_str()) {
        faults.push(format!("{shown}: `{stem}` names no noun of the trade"));
    }
    if extension == "rs" {
        check_rust(&text, shown, faults);
    }
}

fn check_rust(text: &str, shown: &str, faults: &mut Vec<String>) {
    let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    if !first.starts_with("//!") {
        faults.push(format!("{shown}: opens without `//!`"));
    }
    for (number, line) in text.lines().enumerate() {
        let unfinished = ["TODO", "FIXME"].iter().any(|mark| line.contains(mark) && !line.contains('"'));
        if unfinished && !line.contains('#') {
            faults.push(format!("{shown}:{}: unfinished, and no issue is named", number + 1));
        }
        if line.trim_start().starts_with("#[allow(") {
            faults.push(format!("{shown}:{}: `#[expect(…, reason = …)]` instead of `#[allow]`", number + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_is_tidy() {
        let faults = check(&root()).unwrap();
        assert!(faults.is_empty(), "{}", faults.join("\n"));
    }

    #[test]
    fn a_file_without_module_docs_is_named() {
        let mut faults = Vec::new();
        check_rust("use std::fs;\n", "crates/x/src/y.rs", &mut faults);
        assert_eq!(faults, ["crates/x/src/y.rs: opens without `//!`"]);
    }
}
