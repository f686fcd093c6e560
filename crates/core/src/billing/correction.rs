//! Corrections: a closed period reckoned again with all that came in since, as a document of what differs.

use std::collections::BTreeMap;

use serde_json::json;
use store::{Tx, params};

use super::close::{self, CloseRow, CloseState};
use super::document::{Document, Stored, documents, hand_over, id, issue, read};
use super::lines::{self, LineRow};
use super::reckon::Reckoner;
use super::sheet::{Sheet, opt, plain, text};
use super::write::STRETCH;
use super::{CloseId, DocumentId, sql};
use crate::audit::{self, Change};
use crate::ctx::{Ctx, Role};
use crate::devices::DeviceId;
use crate::devices::fold::clean;
use crate::error::{Error, Result};
use crate::time::Micros;

const CORRECTION: [&str; 16] = [
    "kind",
    "contract",
    "period",
    "line",
    "name",
    "code",
    "device",
    "serial",
    "billed",
    "would_be",
    "difference",
    "closing",
    "closing_at",
    "closing_now",
    "closing_now_at",
    "note",
];

/// Reckons a closed period again with all that came in since, and issues a document of what differs. Its lines stay as
/// they are: the difference is billed, or carried, in the period that follows.
///
/// # Errors
/// `Forbidden` below manager, `NotFound`, `Conflict` when nothing differs, or when the period that follows is closed too.
pub async fn correct(ctx: &Ctx, id_of_close: CloseId, note: &str) -> Result<Document> {
    ctx.require(Role::Manager, "correct closes")?;
    let note = clean(Some(note)).ok_or_else(|| Error::invalid("note", "say what is corrected"))?;
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let close = close::find_visible(ctx, &mut tx, id_of_close).await?;
    if close.state != CloseState::Closed {
        return Err(Error::conflict("the period is not closed; what comes in counts as it is"));
    }
    let newest: i64 = tx.query_one(&sql::NEWEST_CLOSED, &params![close.org, close.contract]).await?.get(0)?;
    if newest > close.to_at.0 {
        return Err(Error::conflict("the period that follows is closed too: what came in since is billed there"));
    }
    let issued = tx.query(&sql::DOCUMENTS, &params![close.org, id_of_close]).await?;
    let before = issued.last().map(read).transpose()?.ok_or_else(DocumentId::missing)?;
    let (bytes, count) = differences(ctx, &mut tx, &close, &note).await?;
    drop(tx);
    if count == 0 {
        return Err(Error::conflict("nothing came in that changes this period"));
    }
    let stored = ctx.platform.blobs().put(bytes).await?;
    let size = i64::try_from(stored.length).unwrap_or(i64::MAX);
    let made = Stored { hash: stored.hash.to_string(), size, lines: count, input: String::new() };
    if before.sha256 == made.hash {
        return Ok(before);
    }
    let no = before.no + 1;
    let mut tx = ctx.db().write(&ctx.scope.view()).await?;
    let document = issue(ctx, &mut tx, &close, no, "correction-csv", &made, Some(before.id), Some(&note)).await?;
    hand_over(ctx, &mut tx, &close, (document, &made), &format!("A correction: {note}.")).await?;
    let told = json!({ "document": id(id_of_close, no), "note": note, "lines": count });
    audit::record(&mut tx, ctx, Change::new(close.org, "corrected", "close", id_of_close).after(told)).await?;
    tx.commit().await?;
    let all = documents(ctx, id_of_close).await?;
    all.into_iter().find(|document| document.no == no).ok_or_else(DocumentId::missing)
}

async fn differences(ctx: &Ctx, tx: &mut Tx, close: &CloseRow, note: &str) -> Result<(Vec<u8>, i64)> {
    let names = lines::names(tx, close).await?;
    let reckoner = Reckoner::load(tx, close, ctx.now).await?;
    let mut sheet = Sheet::new(&CORRECTION)?;
    let mut bytes = Vec::new();
    let mut after = String::new();
    loop {
        let now = reckoner.stretch(tx, &after, STRETCH).await?;
        let most = i64::try_from(now.lines.len()).unwrap_or(i64::MAX) + 1;
        let mut was: BTreeMap<(DeviceId, i64), LineRow> = BTreeMap::new();
        for row in tx.query(&sql::WRITTEN, &params![close.org, close.id, &after, i64::MAX, most]).await? {
            let line = lines::stored(&row, &names)?;
            was.insert((line.device, line.no), line);
        }
        for line in &now.lines {
            let Some(old) = was.get(&(line.device, line.no)) else { continue };
            let billed = line.owed.billed - line.owed.carry_out;
            let difference = billed - (old.billed - old.carry_out);
            if difference == 0 {
                continue;
            }
            let closing = line.facts.closing.as_ref();
            sheet.row(&[
                ("kind", "correction".into()),
                ("contract", plain(&close.number)),
                ("period", close.period.as_str().into()),
                ("line", old.no.to_string().into()),
                ("name", plain(&old.name)),
                ("code", text(old.erp_code.as_ref())),
                ("device", old.device.to_string().into()),
                ("serial", text(old.serial.as_ref())),
                ("billed", old.billed.to_string().into()),
                ("would_be", line.owed.billed.to_string().into()),
                ("difference", difference.to_string().into()),
                ("closing", opt(old.closing)),
                ("closing_at", opt(old.closing_at)),
                ("closing_now", opt(closing.map(|read| read.value))),
                ("closing_now_at", opt(closing.map(|read| Micros(read.at)))),
                ("note", plain(note)),
            ])?;
        }
        bytes.extend(sheet.take()?);
        if now.is_last() {
            break;
        }
        after = now.last;
    }
    bytes.extend(sheet.take()?);
    Ok((bytes, sheet.count))
}
