//! The first document of a close: CSV with every line, border, gap and sum, made of what was written and of nothing else,
//! so that the same close always gives the same bytes.

use std::collections::BTreeMap;

use aws_lc_rs::digest::{Context, SHA256};
use serde_json::json;
use store::params;
use tokio::io::AsyncWriteExt as _;

use super::close::{CloseRow, Total};
use super::document::Stored;
use super::gaps::{self, Gap};
use super::lines::{self, LineRow};
use super::rules::money;
use super::sheet::{Cell, Sheet, milli, opt, plain, text};
use super::sql;
use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::ids::Hex;

/// Lines read at once.
const STEP: i64 = 2_000;
/// Largest document, bytes.
const MOST: u64 = 4 << 30;

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

/// What all rows of a document share.
struct Terms<'c> {
    close: &'c CloseRow,
    from: String,
    to: String,
    totals: BTreeMap<i64, Total>,
}

impl Terms<'_> {
    fn common(&self, kind: &'static str) -> Vec<Cell<'_>> {
        let mut cells = Vec::with_capacity(HEAD.len());
        cells.extend([
            ("kind", kind.into()),
            ("contract", plain(&self.close.number)),
            ("period", self.close.period.as_str().into()),
            ("from", self.from.as_str().into()),
            ("to", self.to.as_str().into()),
        ]);
        cells
    }

    fn line(&self, sheet: &mut Sheet, line: &LineRow) -> Result<()> {
        let mut cells = self.common("line");
        if (line.from_at, line.to_at) != (self.close.from_at, self.close.to_at) {
            cells[3].1 = line.from_at.to_string().into();
            cells[4].1 = line.to_at.to_string().into();
        }
        let of = self.totals.get(&line.no).map(|total| &total.line);
        let factor = of.map_or(1_000, |of| of.factor_milli);
        cells.extend([
            ("line", line.no.to_string().into()),
            ("name", plain(&line.name)),
            ("code", text(line.erp_code.as_ref())),
            ("meter", opt(of.map(|of| &of.words))),
            ("device", line.device.to_string().into()),
            ("serial", text(line.serial.as_ref())),
            ("asset_no", text(line.asset_no.as_ref())),
            ("vendor", plain(&line.vendor)),
            ("model", text(line.model.as_ref())),
            ("device_name", plain(&line.device_name)),
            ("place", plain(&line.place)),
            ("opening", opt(line.opening)),
            ("opening_at", opt(line.opening_at)),
            ("opening_quality", line.opening_quality.as_deref().unwrap_or_default().into()),
            ("closing", opt(line.closing)),
            ("closing_at", opt(line.closing_at)),
            ("closing_quality", line.closing_quality.as_deref().unwrap_or_default().into()),
            ("quality", line.quality.as_str().into()),
            ("usage", line.usage.to_string().into()),
            ("estimate_in", line.estimate_in.to_string().into()),
            ("estimate", line.estimate.to_string().into()),
            ("carry_in", line.carry_in.to_string().into()),
            ("carry_out", line.carry_out.to_string().into()),
            ("billed", line.billed.to_string().into()),
            ("factor", milli(factor).into()),
            ("units", milli(line.billed.saturating_mul(factor)).into()),
            ("price", opt(of.map(|of| money(of.price_micro)))),
            ("gross", money(line.amount_micro).into()),
            ("currency", self.close.currency.as_str().into()),
            ("clock_offset_s", opt(Some(line.clock_offset_ms / 1_000).filter(|offset| *offset != 0))),
        ]);
        sheet.row(&cells)?;
        for border in &line.breaks {
            let mut cells = self.common("adjustment");
            cells.extend([
                ("line", line.no.to_string().into()),
                ("device", line.device.to_string().into()),
                ("serial", text(line.serial.as_ref())),
                ("opening", border.before.to_string().into()),
                ("closing", border.after.to_string().into()),
                ("closing_at", border.at.to_string().into()),
                ("quality", "reset-adjusted".into()),
                ("reason", border.reason.as_str().into()),
                ("usage", border.bridged.to_string().into()),
                ("note", "within the usage of its line".into()),
            ]);
            sheet.row(&cells)?;
        }
        Ok(())
    }

    fn gap(&self, sheet: &mut Sheet, gap: &Gap) -> Result<()> {
        let mut cells = self.common("missing");
        cells.extend([
            ("line", gap.no.to_string().into()),
            ("name", plain(&gap.line)),
            ("device", gap.device.to_string().into()),
            ("serial", text(gap.serial.as_ref())),
            ("closing", opt(gap.value)),
            ("closing_at", opt(gap.read_at)),
            ("quality", gap.kind.as_str().into()),
            ("reason", plain(&gap.why)),
            ("estimate", opt(gap.estimate)),
            ("waived_by", text(gap.waived_by.as_ref())),
            ("waived_at", opt(gap.waived_at)),
            ("note", text(gap.note.as_ref())),
        ]);
        sheet.row(&cells)
    }

    fn total(&self, sheet: &mut Sheet, total: &Total) -> Result<()> {
        let mut cells = self.common("total");
        cells.extend([
            ("line", total.line.no.to_string().into()),
            ("name", plain(&total.line.name)),
            ("code", text(total.line.erp_code.as_ref())),
            ("meter", total.line.words.to_string().into()),
            ("billed", total.units.to_string().into()),
            ("factor", milli(total.line.factor_milli).into()),
            ("units", milli(total.units_milli).into()),
            ("price", money(total.line.price_micro).into()),
            ("gross", money(total.gross_micro).into()),
            ("included", total.line.included.to_string().into()),
            ("credit", money(total.credit_micro).into()),
            ("amount", money(total.amount_micro).into()),
            ("currency", self.close.currency.as_str().into()),
            ("note", format!("{} devices", total.devices).into()),
        ]);
        sheet.row(&cells)
    }
}

/// Makes the document of a close of what was written, and stores its bytes.
pub(super) async fn render(ctx: &Ctx, close: &CloseRow, totals: &[Total]) -> Result<Stored> {
    let totals = totals.iter().map(|total| (total.line.no, total.clone())).collect();
    let terms = Terms { close, from: close.from_at.to_string(), to: close.to_at.to_string(), totals };
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
    let (names, mut borders) = (lines::names(&mut tx, close).await?, lines::adjusted(&mut tx, close).await?);
    let (mut device, mut no) = (String::new(), 0_i64);
    loop {
        let rows = tx.query(&sql::WRITTEN, &params![close.org, close.id, &device, no, STEP]).await?;
        for row in &rows {
            let mut line = lines::stored(row, &names)?;
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
        send(to, &mut sheet).await?;
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
