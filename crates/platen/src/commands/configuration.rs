//! `platen config check | show`

use anyhow::Result;

use crate::cli::ConfigCommand;
use crate::config::Config;
use crate::exit::Exit;
use crate::printer::Printer;

const REFERENCE: [&str; 3] =
    [include_str!("../config.rs"), include_str!("../config/mail.rs"), include_str!("../config/outgoing.rs")];

/// What stands behind the last key of a file begins so.
const END: &str = "/// Every value decided";

/// Checks a file, or shows every key with its meaning.
pub fn run(command: ConfigCommand, printer: Printer) -> Result<Exit> {
    match command {
        ConfigCommand::Check { file } => {
            Config::load(&file)?;
            printer.note(&format!("{} is good", file.display()));
        }
        ConfigCommand::Show { file } => {
            let config = file.as_deref().map(Config::load).transpose()?.unwrap_or_default();
            if printer.is_json() {
                printer.document(&config)?;
            } else {
                printer.text(&shown(&config)?);
            }
        }
    }
    Ok(Exit::Success)
}

/// The lines of the reference.
fn reference() -> impl Iterator<Item = &'static str> {
    REFERENCE.iter().flat_map(|file| file.lines().map(str::trim).take_while(|line| !line.starts_with(END)))
}

/// The reference is the doc comments of config.rs, so that the two cannot differ.
fn shown(config: &Config) -> Result<String> {
    let values: toml::Table = toml::Table::try_from(config)?;
    let mut out = String::new();
    let mut section = "";
    let mut words = Vec::new();
    for line in reference() {
        if let Some(heading) = line.strip_prefix("/// `[").and_then(|rest| rest.strip_suffix("]`")) {
            section = heading;
            out.push_str(&format!("\n[{heading}]\n"));
            words.clear();
        } else if let Some(word) = line.strip_prefix("/// ") {
            words.push(word);
        } else if let Some(key) = line.strip_prefix("pub ").and_then(|rest| rest.split_once(": Option<")) {
            let table =
                if section.is_empty() { Some(&values) } else { values.get(section).and_then(toml::Value::as_table) };
            let value = table.and_then(|table| table.get(key.0));
            out.push_str(&words.iter().map(|word| format!("# {word}\n")).collect::<String>());
            out.push_str(&value.map_or_else(|| format!("# {} =\n", key.0), |value| format!("{} = {value}\n", key.0)));
            words.clear();
        } else {
            words.clear();
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_shown_with_its_meaning() {
        let shown = shown(&Config::default()).unwrap();
        let keys = reference().filter_map(|line| line.strip_prefix("pub ")?.split_once(": Option<"));
        for (key, _) in keys {
            assert!(shown.contains(&format!("# {key} =")), "{key} is not shown");
        }
        for section in ["web", "gateway", "mail", "egress", "store"] {
            assert!(shown.contains(&format!("\n[{section}]\n# ")), "[{section}] is not shown");
        }
        let lines: Vec<&str> = shown.lines().collect();
        let bare = lines.windows(2).find(|pair| pair[1].ends_with(" =") && !pair[0].starts_with("# "));
        assert_eq!(bare, None, "each key has its meaning above it");
    }
}
