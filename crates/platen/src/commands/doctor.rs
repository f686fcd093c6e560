//! `platen doctor`: what `/health/ready` checks and more, with advice.

use std::path::Path;

use anyhow::Result;
use platen_core::Platform;
use serde::Serialize;

use crate::cli::DoctorArgs;
use crate::exit::Exit;
use crate::printer::Printer;
use crate::site;

/// One thing that was looked at.
#[derive(Serialize)]
struct Check {
    name: &'static str,
    good: bool,
    detail: String,
    advice: Option<String>,
}

#[derive(Serialize)]
struct Diagnosis {
    good: bool,
    checks: Vec<Check>,
}

impl Check {
    fn of(name: &'static str, outcome: Result<String>, advice: &str) -> Self {
        match outcome {
            Ok(detail) => Self { name, good: true, detail, advice: None },
            Err(error) => Self { name, good: false, detail: format!("{error:#}"), advice: Some(advice.to_owned()) },
        }
    }
}

/// Checks everything, also after a fault.
pub async fn run(args: DoctorArgs, printer: Printer) -> Result<Exit> {
    let mut checks = vec![Check::of("data folder", data_folder(&args.data), "name a folder that you own with --data")];
    match site::open_default(&args.data, args.database.as_deref()).await {
        Err(error) => checks.push(Check::of(
            "database",
            Err(error),
            "is the server running and the URL right? for SQLite: is the disk full, is the folder yours?",
        )),
        Ok(platform) => examine(&platform, &mut checks).await,
    }
    let good = checks.iter().all(|check| check.good);
    if printer.is_json() {
        printer.document(&Diagnosis { good, checks })?;
    } else {
        show(&checks, printer);
    }
    Ok(if good { Exit::Success } else { Exit::Failed })
}

fn show(checks: &[Check], printer: Printer) {
    for check in checks {
        let word = if check.good { "good " } else { "WRONG" };
        printer.text(&format!("{word}  {:<12} {}", check.name, check.detail));
        if let Some(advice) = &check.advice {
            printer.text(&format!("                    {advice}"));
        }
    }
}

fn data_folder(data: &Path) -> Result<String> {
    site::make_folder(data)?;
    let probe = data.join(".doctor");
    std::fs::write(&probe, b"x")?;
    std::fs::remove_file(&probe)?;
    Ok(data.display().to_string())
}

async fn examine(platform: &Platform, checks: &mut Vec<Check>) {
    let ready = platform.ready().await.map(|()| "writes, blobs and migrations".to_owned()).map_err(Into::into);
    checks.push(Check::of("database", ready, "read the message; `df` shows a full disk"));
    let reports = platen_core::reports::verify(platform).await;
    let reports = reports.map_err(Into::into).and_then(|found| {
        let line = format!(
            "{} messages of {} senders, {} missing, {} twice",
            found.messages, found.senders, found.missing, found.twice
        );
        if found.missing == 0 && found.twice == 0 { Ok(line) } else { Err(anyhow::anyhow!(line)) }
    });
    checks.push(Check::of("reports", reports, "tell us: what was acknowledged must be there once"));
    checks.push(Check::of(
        "audit",
        audit(platform).await,
        "someone changed the database by hand; compare with a backup",
    ));
}

/// Every organisation's chain of records, link by link.
async fn audit(platform: &Platform) -> Result<String> {
    let ctx = platform.system("doctor");
    let mut records = 0;
    for org in platen_core::orgs::tree(&ctx).await? {
        let verdict = platen_core::audit::verify(&ctx, org.id).await?;
        if let Some(fault) = verdict.fault {
            anyhow::bail!("record {} of {}: {}", fault.no, fault.month, fault.why);
        }
        records += verdict.records;
    }
    Ok(format!("{records} records, chain unbroken"))
}
