//! Documents of closes: CSV with every line, border, gap and sum, made of what was written and of nothing else, so that the
//! same close always gives the same bytes. A correction is a document of its own; what it says is billed in the next period.

use std::collections::BTreeMap;

use aws_lc_rs::digest::{Context, SHA256};
use serde::Serialize;
use serde_json::json;
use store::{Row, Sha256, Tx, params};
use tokio::io::AsyncWriteExt as _;

use super::close::{self, CloseRow, CloseState, Total};
use super::gaps::{self, Gap};
use super::reckon::{self, LineRow};
use super::rules::money;
use super::{CloseId, DocumentId, contracts, sql};
use crate::ctx::{Ctx, Role};
use crate::error::{Error, Kind, Result};
use crate::events;
use crate::ids::Hex;
use crate::notifications::{self, Attachment, NewNotification, To};
use crate::time::Micros;

/// Lines read at once.
const STEP: i64 = 2_000;
/// Largest document, bytes.
const MOST: u64 = 4 << 30;
/// Largest document that is mailed, bytes.
const MOST_MAILED: i64 = 8 << 20;

const HEAD: [&str; 42] = [
    "kind",
    "contract",
    "period",
    "from",
    "to",
    "line",
    "name",
    "code",
    "meter",
    "device",
    "serial",
    "asset_no",
    "vendor",
    "model",
    "device_name",
    "place",
    "opening",
    "opening_at",
    "opening_quality",
    "closing",
    "closing_at",
    "closing_quality",
    "quality",
    "reason",
    "usage",
    "estimate_in",
    "estimate",
    "carry_in",
    "carry_out",
    "billed",
    "factor",
    "units",
    "price",
    "gross",
    "included",
    "credit",
    "amount",
    "currency",
    "clock_offset_s",
    "waived_by",
    "waived_at",
    "note",
];

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

/// Text that a spreadsheet would take for a formula gets an apostrophe.
pub(super) fn plain(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() }
}

fn milli(value: i64) -> String {
    match value % 1_000 {
        0 => (value / 1_000).to_string(),
        part => format!("{}.{part:03}", value / 1_000).trim_end_matches('0').to_owned(),
    }
}

/// The CSV text of rows of columns by name.
pub(super) struct Sheet {
    head: &'static [&'static str],
    writer: csv::Writer<Vec<u8>>,
    pub(super) count: i64,
}

impl Sheet {
    pub(super) fn new(head: &'static [&'static str]) -> Result<Self> {
        let mut sheet = Self { head, writer: csv::Writer::from_writer(Vec::new()), count: 0 };
        sheet.writer.write_record(head).map_err(|error| broken(&error))?;
        Ok(sheet)
    }

    pub(super) fn row(&mut self, cells: &[(&str, String)]) -> Result<()> {
        let mut record = vec![""; self.head.len()];
        for (name, value) in cells {
            let place = self.head.iter().position(|head| head == name);
            record[place.ok_or_else(|| Error::internal(format!("a document has no column {name}")))?] = value;
        }
        self.writer.write_record(record).map_err(|error| broken(&error))?;
        self.count += 1;
        Ok(())
    }

    /// What was written since the last time.
    pub(super) fn take(&mut self) -> Result<Vec<u8>> {
        let writer = std::mem::replace(&mut self.writer, csv::Writer::from_writer(Vec::new()));
        writer.into_inner().map_err(|error| broken(&error))
    }
}

fn broken(error: &dyn std::fmt::Display) -> Error {
    Error::internal(format!("a line of a document could not be written: {error}"))
}

pub(super) fn opt(value: Option<impl ToString>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

struct Terms<'c> {
    close: &'c CloseRow,
    totals: BTreeMap<i64, Total>,
}

impl Terms<'_> {
    fn common(&self, kind: &str) -> Vec<(&'static str, String)> {
        let close = self.close;
        vec![
            ("kind", kind.to_owned()),
            ("contract", plain(&close.number)),
            ("period", close.period.clone()),
            ("from", close.from_at.to_string()),
            ("to", close.to_at.to_string()),
        ]
    }

    fn line(&self, sheet: &mut Sheet, line: &LineRow) -> Result<()> {
        let mut cells = self.common("line");
        cells[3].1 = line.from_at.to_string();
        cells[4].1 = line.to_at.to_string();
        let of = self.totals.get(&line.no).map(|total| &total.line);
        let factor = of.map_or(1_000, |of| of.factor_milli);
        cells.extend([
            ("line", line.no.to_string()),
            ("name", plain(&line.name)),
            ("code", plain(line.erp_code.as_deref().unwrap_or_default())),
            ("meter", opt(of.map(|of| &of.words))),
            ("device", line.device.to_string()),
            ("serial", plain(line.serial.as_deref().unwrap_or_default())),
            ("asset_no", plain(line.asset_no.as_deref().unwrap_or_default())),
            ("vendor", plain(&line.vendor)),
            ("model", plain(line.model.as_deref().unwrap_or_default())),
            ("device_name", plain(&line.device_name)),
            ("place", plain(&line.place)),
            ("opening", opt(line.opening)),
            ("opening_at", opt(line.opening_at)),
            ("opening_quality", opt(line.opening_quality.as_ref())),
            ("closing", opt(line.closing)),
            ("closing_at", opt(line.closing_at)),
            ("closing_quality", opt(line.closing_quality.as_ref())),
            ("quality", line.quality.clone()),
            ("usage", line.usage.to_string()),
            ("estimate_in", line.estimate_in.to_string()),
            ("estimate", line.estimate.to_string()),
            ("carry_in", line.carry_in.to_string()),
            ("carry_out", line.carry_out.to_string()),
            ("billed", line.billed.to_string()),
            ("factor", milli(factor)),
            ("units", milli(line.billed.saturating_mul(factor))),
            ("price", opt(of.map(|of| money(of.price_micro)))),
            ("gross", money(line.amount_micro)),
            ("currency", self.close.currency.clone()),
            ("clock_offset_s", opt(Some(line.clock_offset_ms / 1_000).filter(|offset| *offset != 0))),
        ]);
        sheet.row(&cells)?;
        for border in &line.breaks {
            let mut cells = self.common("adjustment");
            cells.extend([
                ("line", line.no.to_string()),
                ("device", line.device.to_string()),
                ("serial", plain(line.serial.as_deref().unwrap_or_default())),
                ("opening", border.before.to_string()),
                ("closing", border.after.to_string()),
                ("closing_at", border.at.to_string()),
                ("quality", "reset-adjusted".to_owned()),
                ("reason", border.reason.clone()),
                ("usage", border.bridged.to_string()),
                ("note", "within the usage of its line".to_owned()),
            ]);
            sheet.row(&cells)?;
        }
        Ok(())
    }

    fn gap(&self, sheet: &mut Sheet, gap: &Gap) -> Result<()> {
        let mut cells = self.common("missing");
        cells.extend([
            ("line", gap.no.to_string()),
            ("name", plain(&gap.line)),
            ("device", gap.device.to_string()),
            ("serial", plain(gap.serial.as_deref().unwrap_or_default())),
            ("closing", opt(gap.value)),
            ("closing_at", opt(gap.read_at)),
            ("quality", gap.kind.as_str().to_owned()),
            ("reason", plain(&gap.why)),
            ("estimate", opt(gap.estimate)),
            ("waived_by", plain(gap.waived_by.as_deref().unwrap_or_default())),
            ("waived_at", opt(gap.waived_at)),
            ("note", plain(gap.note.as_deref().unwrap_or_default())),
        ]);
        sheet.row(&cells)
    }

    fn total(&self, sheet: &mut Sheet, total: &Total) -> Result<()> {
        let mut cells = self.common("total");
        cells.extend([
            ("line", total.line.no.to_string()),
            ("name", plain(&total.line.name)),
            ("code", plain(total.line.erp_code.as_deref().unwrap_or_default())),
            ("meter", total.line.words.to_string()),
            ("billed", total.units.to_string()),
            ("factor", milli(total.line.factor_milli)),
            ("units", milli(total.units_milli)),
            ("price", money(total.line.price_micro)),
            ("gross", money(total.gross_micro)),
            ("included", total.line.included.to_string()),
            ("credit", money(total.credit_micro)),
            ("amount", money(total.amount_micro)),
            ("currency", self.close.currency.clone()),
            ("note", format!("{} devices", total.devices)),
        ]);
        sheet.row(&cells)
    }
}

/// A document that lies among the blobs.
pub(super) struct Stored {
    pub(super) hash: String,
    pub(super) size: i64,
    pub(super) lines: i64,
    pub(super) input: String,
}

/// Makes the document of a close of what was written, and stores its bytes.
async fn render(ctx: &Ctx, close: &CloseRow, totals: &[Total]) -> Result<Stored> {
    let terms = Terms { close, totals: totals.iter().map(|total| (total.line.no, total.clone())).collect() };
    let (mut to, from) = tokio::io::duplex(1 << 20);
    let writing = async {
        let made = write(ctx, &terms, &mut to).await;
        drop(to);
        made
    };
    let (made, stored) = tokio::join!(writing, ctx.platform.blobs().put_stream(from, MOST));
    let (lines, input) = made?;
    let stored = stored?;
    Ok(Stored { hash: stored.hash.to_string(), size: i64::try_from(stored.length).unwrap_or(i64::MAX), lines, input })
}

async fn write(ctx: &Ctx, terms: &Terms<'_>, to: &mut tokio::io::DuplexStream) -> Result<(i64, String)> {
    let close = terms.close;
    let mut sheet = Sheet::new(&HEAD)?;
    let mut input = Context::new(&SHA256);
    for total in terms.totals.values() {
        input.update(json!(total.line).to_string().as_bytes());
    }
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let (names, mut borders) = (reckon::names(&mut tx, close).await?, reckon::adjusted(&mut tx, close).await?);
    let (mut device, mut no) = (String::new(), 0_i64);
    loop {
        let rows = tx.query(&sql::WRITTEN, &params![close.org, close.id, &device, no, STEP]).await?;
        for row in &rows {
            let mut line = reckon::stored(row, &names)?;
            line.breaks = borders.remove(&(line.device, line.no)).unwrap_or_default();
            input.update(made_of(&line).as_bytes());
            terms.line(&mut sheet, &line)?;
            (device, no) = (line.device.to_string(), line.no);
        }
        send(to, &mut sheet).await?;
        if rows.is_empty() {
            break;
        }
    }
    let mut after = (String::new(), 0_i64, String::new());
    loop {
        let rows = tx.query(&sql::GAPS, &params![close.org, close.id, &after.0, after.1, &after.2, STEP]).await?;
        for row in &rows {
            let gap = gaps::read(row)?;
            terms.gap(&mut sheet, &gap)?;
            after = (gap.device.to_string(), gap.no, gap.kind.as_str().to_owned());
        }
        if rows.is_empty() {
            break;
        }
    }
    for total in terms.totals.values() {
        terms.total(&mut sheet, total)?;
    }
    send(to, &mut sheet).await?;
    Ok((sheet.count, Hex(input.finish().as_ref()).to_string()))
}

/// What a line was made of, for the hash over all input.
fn made_of(line: &LineRow) -> String {
    format!(
        "{}/{}/{:?}/{:?}/{:?}/{:?}/{:?}/{}/{}/{}\n",
        line.device,
        line.no,
        line.meter,
        line.opening,
        line.opening_at,
        line.closing,
        line.closing_at,
        line.estimate,
        line.estimate_in,
        line.carry_in
    )
}

async fn send(to: &mut tokio::io::DuplexStream, sheet: &mut Sheet) -> Result<()> {
    let bytes = sheet.take()?;
    to.write_all(&bytes).await.map_err(|error| Error::internal("a document could not be stored").with_source(error))
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
