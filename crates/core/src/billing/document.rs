//! Documents of closes: issued once, mailed to whom the contract names, read with their bytes. A correction is a document
//! of its own; what it says is billed in the next period.

use serde::Serialize;
use serde_json::json;
use store::{Row, Sha256, Tx, params};

use super::close::{self, CloseRow, CloseState, Total};
use super::render::render;
use super::rules::money;
use super::{CloseId, DocumentId, contracts, sql};
use crate::ctx::{Ctx, Role};
use crate::error::{Error, Kind, Result};
use crate::events;
use crate::notifications::{self, Attachment, NewNotification, To};
use crate::time::Micros;

/// Largest document that is mailed, bytes.
const MOST_MAILED: i64 = 8 << 20;

/// A document of a close.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Document {
    /// Its id; made of close and number.
    pub id: DocumentId,
    /// The close.
    pub close: CloseId,
    /// From 1; those after the first are corrections.
    pub no: i64,
    /// `csv` or `correction-csv`.
    pub format: String,
    /// SHA-256 of its bytes, hex.
    pub sha256: String,
    /// Its size.
    pub size_bytes: i64,
    /// Its lines without the head.
    pub line_count: i64,
    /// The document that it corrects.
    pub corrects: Option<DocumentId>,
    /// Why it was corrected.
    pub note: Option<String>,
    /// When it was made.
    pub made_at: Micros,
    /// By whom.
    pub made_by: String,
    /// When it was handed over to be mailed.
    pub mailed_at: Option<Micros>,
}

pub(super) fn id(close: CloseId, no: i64) -> DocumentId {
    DocumentId(contracts::named("platen-document", &[&close.to_string(), &no.to_string()]))
}

/// A document that lies among the blobs.
pub(super) struct Stored {
    pub(super) hash: String,
    pub(super) size: i64,
    pub(super) lines: i64,
    pub(super) input: String,
}

/// The end of a close: sums, document and state in one transaction; the bytes are stored before.
pub(super) async fn conclude(ctx: &Ctx, close: &CloseRow) -> Result<()> {
    let (org, id_of_close) = (close.org, close.id);
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let mut totals = close::stored_totals(&mut tx, org, id_of_close).await?;
    if close::find(&mut tx, org, id_of_close).await?.state == CloseState::Closed {
        return Ok(());
    }
    drop(tx);
    totals.iter_mut().for_each(Total::settle);
    let made = render(ctx, close, &totals).await?;
    let mut tx = ctx.db().write(&ctx.scope.view()).await?;
    let values = params![org, id_of_close, ctx.now, ctx.actor.name(), &made.input];
    if tx.execute(&sql::FINISH, &values).await? == 0 {
        // Another server was faster, with the same bytes.
        return Ok(());
    }
    for total in &totals {
        let values = params![org, id_of_close, total.line.no, total.credit_micro, total.amount_micro];
        tx.execute(&sql::SET_TOTAL, &values).await?;
    }
    let document = issue(ctx, &mut tx, close, 1, "csv", &made, None, None).await?;
    let amount: i64 = totals.iter().map(|total| total.amount_micro).sum();
    let said = format!("It comes to {} {}.", money(amount), close.currency);
    hand_over(ctx, &mut tx, close, (document, &made), &said).await?;
    let data = json!({
        "contract": close.contract, "number": close.number, "period": close.period, "missing": close.gaps,
        "hash": made.input, "amount_micro": amount, "currency": close.currency,
    });
    events::emit(&mut tx, ctx, org, "close.closed", ("close", id_of_close.to_string()), data).await?;
    Ok(tx.commit().await?)
}

#[expect(clippy::too_many_arguments, reason = "a document is what all of these say, once")]
pub(super) async fn issue(
    ctx: &Ctx,
    tx: &mut Tx,
    close: &CloseRow,
    no: i64,
    format: &str,
    made: &Stored,
    corrects: Option<DocumentId>,
    note: Option<&str>,
) -> Result<DocumentId> {
    let document = id(close.id, no);
    let values = params![
        close.org,
        document,
        close.id,
        no,
        format,
        &made.hash,
        made.size,
        made.lines,
        corrects,
        note,
        ctx.now,
        ctx.actor.name()
    ];
    tx.execute(&sql::DOCUMENT, &values).await?;
    let data = json!({
        "document": document, "close": close.id, "format": format, "sha256": made.hash, "corrects": corrects,
    });
    events::emit(tx, ctx, close.org, "close.document.issued", ("document", document.to_string()), data).await?;
    Ok(document)
}

/// Mails a document to whom the contract names, in the transaction that issues it; one that is too large for a mail is
/// named by its address and hash.
pub(super) async fn hand_over(
    ctx: &Ctx,
    tx: &mut Tx,
    close: &CloseRow,
    (document, made): (DocumentId, &Stored),
    said: &str,
) -> Result<()> {
    let contract = contracts::find(tx, close.org, close.contract).await?;
    if contract.mail_to.is_empty() {
        return Ok(());
    }
    let hash: Sha256 = made.hash.parse().map_err(|_| Error::internal("a document is stored under what is no hash"))?;
    let small = made.size <= MOST_MAILED;
    let bytes = if small { ctx.platform.blobs().get(hash).await? } else { Vec::new() };
    let text = format!(
        "Period {} of contract {} ({}). {said}\n\n{}\nSHA-256 {}\n\n{{base}}/closes/{}\n",
        close.period,
        close.number,
        close.contract_name,
        if small {
            "The document goes along."
        } else {
            "The document is too large for a mail; it lies at the address below."
        },
        made.hash,
        close.id
    );
    for address in contract.mail_to.split(", ") {
        let name = format!("{}-{}.csv", close.number, close.period);
        let file = Attachment { name, media_type: "text/csv; charset=utf-8".to_owned(), bytes: bytes.clone() };
        let new = NewNotification {
            tenant: close.org,
            to: To::Mail(address.to_owned()),
            kind: "close",
            subject: ("close", close.id.to_string()),
            critical: false,
            title: format!("{} {}: meters closed", close.number, close.period),
            text: text.clone(),
            attachment: small.then_some(file),
            key: format!("document:{document}:{address}"),
        };
        match notifications::post(tx, ctx, new).await {
            // An address that is none must not hold up a close; the document lies where it lies.
            Err(error) if error.kind == Kind::Invalid => {
                tracing::warn!(close.id = %close.id, %error, "a document could not be handed over to be mailed");
            }
            other => drop(other?),
        }
    }
    tx.execute(&sql::MAILED, &params![close.org, document, ctx.now]).await?;
    Ok(())
}

/// The hash of the first document of a close, made again of what was written.
#[cfg(test)]
pub(super) async fn again(ctx: &Ctx, id: CloseId) -> Result<String> {
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let close = close::find_visible(ctx, &mut tx, id).await?;
    let totals = close::stored_totals(&mut tx, close.org, id).await?;
    drop(tx);
    Ok(render(ctx, &close, &totals).await?.hash)
}

/// The documents of a close, oldest first.
///
/// # Errors
/// `NotFound` outside the scope.
pub async fn documents(ctx: &Ctx, id: CloseId) -> Result<Vec<Document>> {
    ctx.require(Role::User, "see documents")?;
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let close = close::find_visible(ctx, &mut tx, id).await?;
    tx.query(&sql::DOCUMENTS, &params![close.org, id]).await?.iter().map(read).collect()
}

/// A document with its bytes, compared with their hash.
///
/// # Errors
/// `NotFound` outside the scope or for a number that there is not.
pub async fn document(ctx: &Ctx, id: CloseId, no: i64) -> Result<(Document, Vec<u8>)> {
    let all = documents(ctx, id).await?;
    let found = all.into_iter().find(|document| document.no == no).ok_or_else(DocumentId::missing)?;
    let hash: Sha256 =
        found.sha256.parse().map_err(|_| Error::internal("a document is stored under what is no hash"))?;
    let bytes = ctx.platform.blobs().get(hash).await?;
    Ok((found, bytes))
}

pub(super) fn read(row: &Row) -> Result<Document> {
    Ok(Document {
        id: row.get(0)?,
        close: row.get(1)?,
        no: row.get(2)?,
        format: row.get(3)?,
        sha256: row.get(4)?,
        size_bytes: row.get(5)?,
        line_count: row.get(6)?,
        corrects: row.get(7)?,
        note: row.get(8)?,
        made_at: row.get(9)?,
        made_by: row.get(10)?,
        mailed_at: row.get(11)?,
    })
}
