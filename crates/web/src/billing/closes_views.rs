//! Periods, their lines, gaps, sums and documents as the API tells them.

use platen_core::{
    Micros,
    billing::{CloseRow, Document, Gap, LineRow, Total, Unbilled, money},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::listing::Row;

/// One period of one contract.
#[derive(Serialize, ToSchema)]
#[schema(as = Close)]
pub(crate) struct CloseView {
    id: String,
    organisation: String,
    contract: String,
    number: String,
    name: String,
    /// `2026-03` or `2026-Q1`.
    period: String,
    #[schema(value_type = String, format = DateTime)]
    from_at: Micros,
    #[schema(value_type = String, format = DateTime)]
    to_at: Micros,
    /// `scheduled`, `gathering`, `review` or `closed`.
    state: &'static str,
    devices: i64,
    /// What is listed as missing.
    gaps: i64,
    /// Of these, what waits for a person.
    open_gaps: i64,
    #[schema(value_type = Option<String>, format = DateTime)]
    looked_at: Option<Micros>,
    #[schema(value_type = Option<String>, format = DateTime)]
    closed_at: Option<Micros>,
    closed_by: Option<String>,
    currency: String,
    /// SHA-256 over all that its lines were made of.
    input_hash: Option<String>,
}

impl Row for CloseView {
    const COLUMNS: &'static [&'static str] = &[
        "number",
        "name",
        "period",
        "from_at",
        "to_at",
        "state",
        "devices",
        "gaps",
        "open_gaps",
        "looked_at",
        "closed_at",
        "closed_by",
        "currency",
        "input_hash",
        "organisation",
        "contract",
        "id",
    ];
}

impl From<CloseRow> for CloseView {
    fn from(close: CloseRow) -> Self {
        Self {
            id: close.id.to_string(),
            organisation: close.org.to_string(),
            contract: close.contract.to_string(),
            number: close.number,
            name: close.contract_name,
            period: close.period,
            from_at: close.from_at,
            to_at: close.to_at,
            state: close.state.as_str(),
            devices: close.devices,
            gaps: close.gaps,
            open_gaps: close.open_gaps,
            looked_at: close.looked_at,
            closed_at: close.closed_at,
            closed_by: close.closed_by,
            currency: close.currency,
            input_hash: close.input_hash,
        }
    }
}

/// A close with its sums.
#[derive(Serialize, ToSchema)]
#[schema(as = CloseSheet)]
pub(crate) struct CloseSheetView {
    #[serde(flatten)]
    close: CloseView,
    /// As billed, or, before it is closed, as they were at `looked_at`.
    totals: Vec<TotalView>,
}

impl CloseSheetView {
    pub(super) fn of(close: CloseRow, totals: &[Total]) -> Self {
        Self { close: close.into(), totals: totals.iter().map(Into::into).collect() }
    }
}

/// One line of a contract over all devices of a close.
#[derive(Serialize, ToSchema)]
#[schema(as = CloseTotal)]
pub(crate) struct TotalView {
    line: i64,
    name: String,
    meter: String,
    erp_code: Option<String>,
    devices: i64,
    units: i64,
    price: String,
    /// Before what is included.
    gross: String,
    included: i64,
    /// What is included takes off.
    credit: String,
    amount: String,
}

impl From<&Total> for TotalView {
    fn from(total: &Total) -> Self {
        Self {
            line: total.line.no,
            name: total.line.name.clone(),
            meter: total.line.words.to_string(),
            erp_code: total.line.erp_code.clone(),
            devices: total.devices,
            units: total.units,
            price: money(total.line.price_micro),
            gross: money(total.gross_micro),
            included: total.line.included,
            credit: money(total.credit_micro),
            amount: money(total.amount_micro),
        }
    }
}

/// One counter of one device in one close.
#[derive(Serialize, ToSchema)]
#[schema(as = CloseLine)]
pub(crate) struct CloseLineView {
    device: String,
    device_name: String,
    serial: Option<String>,
    asset_no: Option<String>,
    vendor: String,
    model: Option<String>,
    place: String,
    line: i64,
    name: String,
    erp_code: Option<String>,
    opening: Option<i64>,
    #[schema(value_type = Option<String>, format = DateTime)]
    opening_at: Option<Micros>,
    opening_quality: Option<String>,
    closing: Option<i64>,
    #[schema(value_type = Option<String>, format = DateTime)]
    closing_at: Option<Micros>,
    closing_quality: Option<String>,
    /// `actual`, `manual`, `reset-adjusted`, `estimated`, `suspect` or `missing`.
    quality: String,
    /// Used by readings.
    usage: i64,
    /// The estimate of the period before, taken back.
    estimate_in: i64,
    estimate: i64,
    /// Billed too much before.
    carry_in: i64,
    carry_out: i64,
    billed: i64,
    /// Before what is included.
    gross: String,
    /// 0 unless the clock of whoever read was wrong by more than five minutes.
    clock_offset_ms: i64,
    /// Why the counter began anew within the period, joined by `; `.
    breaks: String,
}

impl Row for CloseLineView {
    const COLUMNS: &'static [&'static str] = &[
        "serial",
        "asset_no",
        "vendor",
        "model",
        "device_name",
        "place",
        "line",
        "name",
        "erp_code",
        "opening",
        "opening_at",
        "opening_quality",
        "closing",
        "closing_at",
        "closing_quality",
        "quality",
        "usage",
        "estimate_in",
        "estimate",
        "carry_in",
        "carry_out",
        "billed",
        "gross",
        "clock_offset_ms",
        "breaks",
        "device",
    ];
}

impl From<LineRow> for CloseLineView {
    fn from(line: LineRow) -> Self {
        let breaks: Vec<&str> = line.breaks.iter().map(|border| border.reason.as_str()).collect();
        Self {
            breaks: breaks.join("; "),
            device: line.device.to_string(),
            device_name: line.device_name,
            serial: line.serial,
            asset_no: line.asset_no,
            vendor: line.vendor,
            model: line.model,
            place: line.place,
            line: line.no,
            name: line.name,
            erp_code: line.erp_code,
            opening: line.opening,
            opening_at: line.opening_at,
            opening_quality: line.opening_quality,
            closing: line.closing,
            closing_at: line.closing_at,
            closing_quality: line.closing_quality,
            quality: line.quality,
            usage: line.usage,
            estimate_in: line.estimate_in,
            estimate: line.estimate,
            carry_in: line.carry_in,
            carry_out: line.carry_out,
            billed: line.billed,
            gross: money(line.amount_micro),
            clock_offset_ms: line.clock_offset_ms,
        }
    }
}

/// What is missing for a close.
#[derive(Serialize, ToSchema)]
#[schema(as = CloseGap)]
pub(crate) struct GapView {
    device: String,
    device_name: String,
    serial: Option<String>,
    line: i64,
    name: String,
    /// `silent`, `error`, `unmapped` or `suspect`.
    kind: &'static str,
    why: String,
    #[schema(value_type = Option<String>, format = DateTime)]
    read_at: Option<Micros>,
    value: Option<i64>,
    /// What is billed instead; `null`: a person must read, map or waive it.
    estimate: Option<i64>,
    #[schema(value_type = Option<String>, format = DateTime)]
    waived_at: Option<Micros>,
    waived_by: Option<String>,
    note: Option<String>,
    /// Whether the close waits for a person.
    open: bool,
}

impl Row for GapView {
    const COLUMNS: &'static [&'static str] = &[
        "serial",
        "device_name",
        "line",
        "name",
        "kind",
        "why",
        "read_at",
        "value",
        "estimate",
        "open",
        "waived_at",
        "waived_by",
        "note",
        "device",
    ];
}

impl From<Gap> for GapView {
    fn from(gap: Gap) -> Self {
        Self {
            open: gap.is_open(),
            device: gap.device.to_string(),
            device_name: gap.device_name,
            serial: gap.serial,
            line: gap.no,
            name: gap.line,
            kind: gap.kind.as_str(),
            why: gap.why,
            read_at: gap.read_at,
            value: gap.value,
            estimate: gap.estimate,
            waived_at: gap.waived_at,
            waived_by: gap.waived_by,
            note: gap.note,
        }
    }
}

/// A document of a close.
#[derive(Serialize, ToSchema)]
#[schema(as = BillingDocument)]
pub(crate) struct DocumentView {
    id: String,
    no: i64,
    /// `csv` or `correction-csv`.
    format: String,
    sha256: String,
    size_bytes: i64,
    line_count: i64,
    corrects: Option<String>,
    note: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    made_at: Micros,
    made_by: String,
    #[schema(value_type = Option<String>, format = DateTime)]
    mailed_at: Option<Micros>,
}

impl From<Document> for DocumentView {
    fn from(document: Document) -> Self {
        Self {
            id: document.id.to_string(),
            no: document.no,
            format: document.format,
            sha256: document.sha256,
            size_bytes: document.size_bytes,
            line_count: document.line_count,
            corrects: document.corrects.map(|id| id.to_string()),
            note: document.note,
            made_at: document.made_at,
            made_by: document.made_by,
            mailed_at: document.mailed_at,
        }
    }
}

/// A counter that the devices of a close have and no line bills.
#[derive(Serialize, ToSchema)]
#[schema(as = UnbilledMeter)]
pub(crate) struct UnbilledView {
    vendor: String,
    model: Option<String>,
    meter: String,
    devices: i64,
    /// Whether it counts towards the pages of some of them.
    counts: bool,
}

impl From<Unbilled> for UnbilledView {
    fn from(one: Unbilled) -> Self {
        Self {
            vendor: one.vendor,
            model: one.model,
            meter: one.words.to_string(),
            devices: one.devices,
            counts: one.counts,
        }
    }
}
