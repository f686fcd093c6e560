//! Rows to bill from: per device and meter an opening and a closing reading with time and quality, and the usage between.

use std::collections::BTreeMap;

use serde::Serialize;
use store::{Row, Sql, Tx, Value};

use super::calendar::Grain;
use super::intake::zone_of;
use crate::devices::{DeviceId, DeviceQuery, DeviceRow};
use crate::error::{Error, Result};
use crate::page::Page;
use crate::{Ctx, Micros, OrgId};

/// What is to be billed.
#[derive(Clone, Debug, Default)]
pub struct BillingQuery {
    /// Which devices, page by page; one page of devices gives one page of rows.
    pub devices: DeviceQuery,
    /// Local month as yyyymm; `None`: the present one, as of now.
    pub month: Option<i64>,
}

/// One meter of one device in one month.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BillingRow {
    /// Organisation.
    pub org: OrgId,
    /// Its name.
    pub customer: String,
    /// Device.
    pub device: DeviceId,
    /// Serial number.
    pub serial: Option<String>,
    /// Asset number.
    pub asset_no: Option<String>,
    /// Brand slug.
    pub vendor: String,
    /// Model.
    pub model: Option<String>,
    /// What people call it.
    pub name: String,
    /// Where it stands.
    pub place: String,
    /// total, print, copy, fax, scan, other.
    pub function: String,
    /// all, mono, full, …
    pub color: String,
    /// all, small, large, unknown.
    pub size: String,
    /// all, two.
    pub sides: String,
    /// impressions, sheets, other.
    pub unit: String,
    /// The object it is read from.
    pub source: String,
    /// As the vendor calls it, where it has a name.
    pub own_name: Option<String>,
    /// Local month, yyyymm.
    pub month: i64,
    /// Value at the beginning; `None`: the device was met within the month, usage counts from its first reading.
    pub opening: Option<i64>,
    /// When that was read.
    pub opening_at: Option<Micros>,
    /// Its quality.
    pub opening_quality: Option<String>,
    /// Value at the end.
    pub closing: Option<i64>,
    /// When that was read.
    pub closing_at: Option<Micros>,
    /// Its quality.
    pub closing_quality: Option<String>,
    /// Usage, resets and wraps reckoned in: not always closing less opening.
    pub usage: Option<i64>,
    /// Segments that began within the month: a reset or a swap of a board.
    pub breaks: i64,
    /// What nobody has settled yet about this figure: kinds of open doubts, and `held_back` while the newest value
    /// waits for another that agrees; joined by `; `.
    pub doubt: Option<String>,
}

impl BillingRow {
    /// `print, full colour`: what it counts.
    #[must_use]
    pub fn title(&self) -> String {
        super::title(&self.function, &self.color, &self.size, &self.sides, &self.unit)
    }
}

/// One page of rows. Its cursor is that of the devices.
///
/// # Errors
/// `Invalid` for a month, filter or cursor that does not fit.
pub async fn billing_rows(ctx: &Ctx, query: &BillingQuery) -> Result<Page<BillingRow>> {
    if let Some(month) =
        query.month.filter(|month| !(1..=12).contains(&(month % 100)) || !(197_001..=999_912).contains(month))
    {
        return Err(Error::invalid("month", format!("{month} is no month as 202601 is")));
    }
    let page = crate::devices::list(ctx, &query.devices).await?;
    let mut orgs: BTreeMap<OrgId, Vec<DeviceId>> = BTreeMap::new();
    for device in &page.items {
        orgs.entry(device.org).or_default().push(device.id);
    }
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let mut rows: BTreeMap<DeviceId, Vec<BillingRow>> = BTreeMap::new();
    for (org, devices) in &orgs {
        for row in of_org(ctx, &mut tx, *org, devices, query.month, &page.items).await? {
            rows.entry(row.device).or_default().push(row);
        }
    }
    let items = page.items.iter().flat_map(|device| rows.remove(&device.id).unwrap_or_default()).collect();
    Ok(Page { items, next: page.next, count: page.count })
}

async fn of_org(
    ctx: &Ctx,
    tx: &mut Tx,
    org: OrgId,
    devices: &[DeviceId],
    month: Option<i64>,
    list: &[DeviceRow],
) -> Result<Vec<BillingRow>> {
    let zone = zone_of(tx, org).await?;
    let month = month.unwrap_or_else(|| Grain::Month.bucket(ctx.now.0, &zone));
    let (from, to) =
        (Grain::Month.start(month, &zone), Grain::Month.start(Grain::Month.next(month), &zone).min(ctx.now.0));
    let mut params: Vec<Value> = store::params![org, from, to, month].into();
    let marks: Vec<String> = devices
        .iter()
        .map(|device| {
            params.push(device.into());
            format!("${}", params.len())
        })
        .collect();
    let text = statement(&marks.join(", "));
    let rows = tx.query(&Sql::built_as("meters::billing", text), &params).await?;
    let flags = crate::doubts::flags(tx, org).await?;
    rows.iter()
        .map(|row| {
            let mut bill = read(row, org, month, to, list)?;
            let (meter, read_at, quality): (i64, i64, String) = (row.get(20)?, row.get(17)?, row.get(18)?);
            let open = flags.get(&bill.device).into_iter().flatten().filter(|flag| flag.concerns(meter, from, to));
            let mut kinds: Vec<&str> = open.map(|flag| flag.kind.as_str()).collect();
            kinds.extend((quality == "suspect" && read_at > from && read_at <= to).then_some("held_back"));
            kinds.sort_unstable();
            kinds.dedup();
            bill.doubt = (!kinds.is_empty()).then(|| kinds.join("; "));
            Ok(bill)
        })
        .collect()
}

fn statement(marks: &str) -> String {
    let reading = |column: &str, bound: &str| {
        format!(
            "(select r.{column} from readings r where r.tenant = m.tenant and r.meter = m.id and r.taken_at <= {bound} \
             and r.quality <> 'suspect' order by r.taken_at desc limit 1)"
        )
    };
    let [opening, opening_at, opening_quality] = ["value", "taken_at", "quality"].map(|column| reading(column, "$2"));
    let [closing, closing_at, closing_quality] = ["value", "taken_at", "quality"].map(|column| reading(column, "$3"));
    format!(
        "select m.device, o.name, d.asset_no, m.function, m.color, m.size, m.sides, m.unit, m.source,
          {opening}, {opening_at}, {opening_quality}, {closing}, {closing_at}, {closing_quality},
          u.delta, m.last_value, m.read_at, m.quality,
          (select count(*) from meter_segments s where s.tenant = m.tenant and s.device = m.device and s.meter = m.id
            and s.no > 1 and s.from_at > $2 and s.from_at <= $3)
          + case when m.segment > 1 and m.segment_at > $2 and m.segment_at <= $3 then 1 else 0 end,
          m.id, m.name
        from meters m
        join devices d on d.tenant = m.tenant and d.id = m.device
        join organisations o on o.tenant = m.tenant and o.id = m.tenant
        left join usages u on u.tenant = m.tenant and u.device = m.device and u.grain = 3 and u.bucket = $4 and u.meter = m.id
        where m.tenant = $1
          and m.device in ({marks})
        order by m.device, case m.function when 'total' then 0 when 'print' then 1 when 'copy' then 2 when 'fax' then 3
          when 'scan' then 4 else 5 end, m.color, m.size, m.sides, m.unit, m.source"
    )
}

fn read(row: &Row, org: OrgId, month: i64, to: i64, list: &[DeviceRow]) -> Result<BillingRow> {
    let device: DeviceId = row.get(0)?;
    let head = list.iter().find(|head| head.id == device).ok_or_else(DeviceId::missing)?;
    let read_at: i64 = row.get(17)?;
    // The newest look at the meter may be younger than the newest kept reading: the value had not changed.
    let newest = row.get::<Option<i64>>(12)?.is_some() && read_at <= to && row.get::<String>(18)? == "actual";
    Ok(BillingRow {
        org,
        customer: row.get(1)?,
        device,
        serial: head.serial.clone(),
        asset_no: row.get(2)?,
        vendor: head.vendor.clone(),
        model: head.model.clone(),
        name: head.name.clone(),
        place: head.place.clone(),
        function: row.get(3)?,
        color: row.get(4)?,
        size: row.get(5)?,
        sides: row.get(6)?,
        unit: row.get(7)?,
        source: row.get(8)?,
        own_name: row.get(21)?,
        month,
        opening: row.get(9)?,
        opening_at: row.get(10)?,
        opening_quality: row.get(11)?,
        closing: if newest { row.get(16)? } else { row.get(12)? },
        closing_at: if newest { Some(Micros(read_at)) } else { row.get(13)? },
        closing_quality: if newest { Some("actual".to_owned()) } else { row.get(14)? },
        usage: row.get(15)?,
        breaks: row.get(19)?,
        doubt: None,
    })
}
