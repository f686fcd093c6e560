//! `platen record ADDRESS`: a walk of one device that can be sent in. What it says of its owner is replaced.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use device::{Disguise, Recording, Replaced, Snapshot, write_recording};
use serde::Serialize;

use super::read::{credentials, resolve, seconds, version};
use crate::cli::RecordArgs;
use crate::exit::Exit;
use crate::printer::Printer;

/// What was written.
#[derive(Serialize)]
struct Written {
    files: Vec<PathBuf>,
    objects: usize,
    left_out: usize,
    incomplete: bool,
    replaced: Vec<Replaced>,
    texts_left: Vec<Text>,
}

/// A private text that nobody judged.
#[derive(Serialize)]
struct Text {
    object: String,
    text: String,
}

/// Walks, disguises, writes, and says what was replaced.
pub async fn run(args: RecordArgs, printer: Printer) -> Result<Exit> {
    let access = device::Access {
        address: resolve(&args.address, args.snmp.port).await?,
        credentials: credentials(&args.snmp, args.v3),
        version: version(args.v1, args.v2c, args.v3),
        context: args.context.clone(),
        timeout: seconds(args.timeout, "--timeout")?,
    };
    let engine = snmp::Engine::start(snmp::EngineConfig::default()).context("cannot open a UDP socket")?;
    printer.progress(&format!("walking {} …", args.address));
    let recording = device::record(&engine, &access).await;
    printer.progress_done();
    let recording = recording?;
    let how = Disguise { seed: args.seed.unwrap_or_else(rand::random), keep_serial: args.keep_serial };
    let file = args.output.clone().unwrap_or_else(|| PathBuf::from(format!("{}.snmprec", name(&recording))));
    let written = write(&recording, how, &file, args.force)?;
    if printer.is_json() {
        printer.document(&written)?;
    } else {
        say(&written, printer);
    }
    Ok(if written.incomplete { Exit::Partly } else { Exit::Success })
}

/// A file name of the model.
fn name(recording: &Recording) -> String {
    let identity = &recording.read.reading.identity;
    let words =
        [identity.vendor.as_deref(), identity.model.as_deref()].into_iter().flatten().collect::<Vec<_>>().join("-");
    let slug: String =
        words.to_lowercase().chars().map(|each| if each.is_ascii_alphanumeric() { each } else { '-' }).collect();
    if slug.is_empty() { "device".to_owned() } else { slug }
}

fn write(recording: &Recording, how: Disguise, file: &Path, force: bool) -> Result<Written> {
    let mut whole = recording.said.clone();
    if let Some((_, more)) = &recording.context {
        whole.extend(more.iter().map(|(oid, value)| snmp::VarBind::new(oid.clone(), value.clone())));
    }
    let made = how.apply(&recording.said, &whole);
    let mut written = Written {
        files: Vec::new(),
        objects: made.said.len(),
        left_out: made.left_out,
        incomplete: recording.incomplete,
        replaced: made.replaced,
        texts_left: Vec::new(),
    };
    let mut texts = made.texts_left;
    save(file, &made.said, force, &mut written)?;
    if let Some((context, said)) = &recording.context {
        let made = how.apply(said, &whole);
        written.objects += made.said.len();
        texts.extend(made.texts_left);
        let stem = file.file_stem().unwrap_or_default().to_string_lossy();
        save(&file.with_file_name(format!("{stem}@{context}.snmprec")), &made.said, force, &mut written)?;
    }
    written.texts_left = texts.into_iter().map(|(object, text)| Text { object: object.to_string(), text }).collect();
    Ok(written)
}

fn save(file: &Path, said: &Snapshot, force: bool, written: &mut Written) -> Result<()> {
    if !force && file.exists() {
        bail!("{} is there already; name another with --output, or write over it with --force", file.display());
    }
    std::fs::write(file, write_recording(said)).with_context(|| format!("cannot write {}", file.display()))?;
    written.files.push(file.to_owned());
    Ok(())
}

fn say(written: &Written, printer: Printer) {
    for file in &written.files {
        printer.text(&file.display().to_string());
    }
    printer.note(&format!(
        "{} objects written, {} left out (addresses of the network, users, jobs)",
        written.objects, written.left_out
    ));
    for Replaced { kind, values, objects } in &written.replaced {
        printer.note(&format!("replaced: {values} {kind} in {objects} objects"));
    }
    if written.incomplete {
        printer.note("the device broke off before its end: what is there is written");
    }
    if !written.texts_left.is_empty() {
        let count = written.texts_left.len();
        printer.note(&format!("read these {count} texts before you send the file, for no rule knows what they say:"));
        for Text { object, text } in &written.texts_left {
            printer.note(&format!("  {object}  {text}"));
        }
    }
}
