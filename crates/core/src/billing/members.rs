//! Who belongs to a close, and what its lines are: noted as of now, a stretch of devices a transaction, so that other
//! writers get their turn however many devices a contract has.

use store::{Row, Sql, Tx, Value, params};

use super::close::CloseRow;
use super::contracts::{Contract, DEVICE_FIELDS, EVERY};
use super::sql;
use crate::devices::DeviceId;
use crate::error::Result;
use crate::filter::Filter;

/// Devices of an organisation that one transaction looks at.
const STRETCH: i64 = if cfg!(test) { 2 } else { 1_000 };
/// Behind all ids: they are written in hexadecimal digits.
pub(super) const BEHIND_ALL: &str = "g";

/// Where a stretch ends, of its last device and the one behind it, if there is one.
pub(super) fn end(rows: &[Row]) -> Result<String> {
    Ok(match rows {
        [last, _] => last.get(0)?,
        _ => BEHIND_ALL.to_owned(),
    })
}

/// The lines of the contract as they hold now; sums of lines that stay are kept until they are reckoned anew.
pub(super) async fn begin(tx: &mut Tx, close: &CloseRow, contract: &Contract) -> Result<()> {
    for statement in [&sql::DROP_LINES_GONE, &sql::TAKE_LINES] {
        tx.execute(statement, &params![close.org, close.id, contract.id]).await?;
    }
    Ok(())
}

/// Notes the next devices behind `after`; up to which it came.
pub(super) async fn stretch(tx: &mut Tx, close: &CloseRow, contract: &Contract, after: &str) -> Result<String> {
    let (org, id, from, to) = (close.org, close.id, close.from_at, close.to_at);
    let last = end(&tx.query(&sql::STRETCH_END, &params![org, after, STRETCH - 1]).await?)?;
    tx.execute(&sql::DROP_DEVICES, &params![org, id, after, &last]).await?;
    let mut values: Vec<Value> = params![org, id, contract.id, from, to, after, &last].into();
    tx.execute(&sql::TAKE_ASSIGNED, &values).await?;
    let Some(wanted) = &contract.device_filter else { return Ok(last) };
    let condition =
        if wanted == EVERY { "1 = 1".to_owned() } else { Filter::parse(wanted)?.to_sql(DEVICE_FIELDS, &mut values)? };
    // Who is assigned by name, or was billed by another contract for some of this time, is not taken by a filter.
    let text = format!(
        "insert into close_devices (tenant, close, device, from_at, until_at, serial_no, asset_no, vendor, model, name, place)
        select $1, $2, d.id, $4, case when d.retired_at is not null and d.retired_at < $5 then d.retired_at else $5 end,
          d.serial_no, d.asset_no, d.vendor, d.model, d.label, d.place
        from devices d
        where d.tenant = $1 and d.id > $6 and d.id <= $7 and d.first_at < $5 and (d.retired_at is null or d.retired_at > $4)
          and not exists (select 1 from device_assignments a where a.tenant = $1 and a.device = d.id and a.from_at < $5
            and (a.until_at is null or a.until_at > $4))
          and not exists (select 1 from close_lines l where l.tenant = $1 and l.device = d.id and l.to_at > $4 and l.from_at < $5
            and l.close in (select k.id from closes k where k.tenant = $1 and k.contract <> $3 and k.to_at > $4 and k.from_at < $5))
          and ({condition})
        order by d.id"
    );
    tx.execute(&Sql::built_as("billing::members", text), &values).await?;
    Ok(last)
}

/// Takes out of a close what another contract billed since its members were noted: two servers may close two contracts
/// over the same device at the same moment. In the transaction that writes lines; which are out.
pub(super) async fn yield_to_others(tx: &mut Tx, close: &CloseRow, after: &str, last: &str) -> Result<Vec<DeviceId>> {
    tx.query(&sql::ONE_CLOSER, &params![close.org]).await?;
    let values = params![close.org, close.id, close.contract, after, last, close.from_at, close.to_at];
    let rows = tx.query(&sql::BILLED_ELSEWHERE, &values).await?;
    let devices = rows.iter().map(|row| Ok(row.get(0)?)).collect::<Result<Vec<DeviceId>>>()?;
    for device in &devices {
        tx.execute(&sql::LEAVE, &params![close.org, close.id, *device]).await?;
    }
    if !devices.is_empty() {
        let count = i64::try_from(devices.len()).unwrap_or(i64::MAX);
        tx.execute(&sql::FEWER, &params![close.org, close.id, count]).await?;
    }
    Ok(devices)
}
