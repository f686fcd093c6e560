//! Statements of contracts, closes, their lines, gaps and documents.

/// How much a counter had done at a reading `r` of meter `m`, over all segments since its first reading.
macro_rules! counted {
    ($r:literal, $meter:literal, $device:literal) => {
        concat!(
            $r,
            ".value - (case when ",
            $r,
            ".segment = m.segment then m.first_value else (select s.first_value from meter_segments s
              where s.tenant = $1 and s.device = ",
            $device,
            " and s.meter = ",
            $meter,
            " and s.no = ",
            $r,
            ".segment) end)
            + (case when ",
            $r,
            ".segment > 1 then (select cast(coalesce(sum(s.last_value - s.first_value), 0) as bigint)
              from meter_segments s
              where s.tenant = $1 and s.device = ",
            $device,
            " and s.meter = ",
            $meter,
            " and s.no < ",
            $r,
            ".segment) else 0 end)"
        )
    };
}

macro_rules! contract {
    () => {
        "c.tenant, c.id, c.version, c.number, c.name, c.state, c.device_filter, c.period, c.due_day, c.close_minute, c.zone, c.currency,
          c.max_age_d, c.estimate, c.review_d, c.mail_to, c.first_at, c.ended_at, c.made_at"
    };
}

macro_rules! close {
    () => {
        "k.tenant, k.id, k.contract, c.number, c.name, k.period, k.from_at, k.to_at, k.state, k.gathered_at, k.reviewed_at, k.looked_at,
          k.frozen_at, k.done_device, k.closed_at, k.closed_by, k.devices, k.gaps, k.open_gaps, k.input_hash, k.version, c.currency, c.zone"
    };
}

macro_rules! words {
    () => {
        "name, function, color, size, sides, unit, erp_code, price_micro, included, factor_milli"
    };
}

store::sql! {
    pub(super) TENANT = "select c.tenant from contracts c where c.id = $1";
    pub(super) GET = concat!("select ", contract!(), " from contracts c where c.tenant = $1 and c.id = $2");
    pub(super) INSERT = "insert into contracts (tenant, id, version, number, name, state, device_filter, period, due_day, close_minute, zone,
          currency, max_age_d, estimate, review_d, mail_to, first_at, made_at)
        values ($1, $2, 1, $3, $4, 'active', $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
        on conflict (tenant, number) do nothing";
    pub(super) UPDATE = "update contracts
        set name = $4, device_filter = $5, max_age_d = $6, estimate = $7, review_d = $8, mail_to = $9, version = version + 1
        where tenant = $1 and id = $2 and version = $3";
    pub(super) END = "update contracts set state = 'ended', ended_at = $3, version = version + 1
        where tenant = $1 and id = $2 and state = 'active'";
    pub(super) BUMP = "update contracts set version = version + 1 where tenant = $1 and id = $2";
    pub(super) ORG = "select o.zone, o.currency from organisations o where o.tenant = $1 and o.id = $1";

    pub(super) LINES = concat!("select no, ", words!(), " from contract_lines where tenant = $1 and contract = $2 order by no");
    pub(super) LINE = "insert into contract_lines (tenant, contract, no, name, function, color, size, sides, unit, erp_code, price_micro,
          included, factor_milli)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";
    pub(super) DROP_LINES = "delete from contract_lines where tenant = $1 and contract = $2";

    pub(super) ASSIGNED = "select a.device, a.from_at, a.until_at, d.label, d.serial_no
        from device_assignments a
        join devices d on d.tenant = a.tenant and d.id = a.device
        where a.tenant = $1 and a.contract = $2 and (a.device, a.from_at) > ($3, $4)
        order by a.device, a.from_at
        limit $5";
    pub(super) OVERLAPS = "select c.number
        from device_assignments a
        join contracts c on c.tenant = a.tenant and c.id = a.contract
        where a.tenant = $1 and a.device = $2 and (a.until_at is null or a.until_at > $3)
        limit 1";
    pub(super) ASSIGN = "insert into device_assignments (tenant, device, from_at, contract) values ($1, $2, $3, $4)";
    pub(super) UNASSIGN = "update device_assignments set until_at = $4
        where tenant = $1 and contract = $2 and device = $3 and until_at is null and from_at < $4";

    pub(super) MAPS = "select id, vendor, model, device, function, color, size, sides, unit, erp_code
        from meter_maps
        where tenant = $1
        order by vendor, model, device, function, color, size, sides, unit
        limit 2000";
    pub(super) MAP_TENANT = "select m.tenant from meter_maps m where m.id = $1";
    pub(super) MAP = "insert into meter_maps (tenant, id, vendor, model, device, function, color, size, sides, unit, erp_code)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        on conflict (tenant, vendor, model, device, function, color, size, sides, unit) do update
        set erp_code = excluded.erp_code
        returning id";
    pub(super) UNMAP = "delete from meter_maps where tenant = $1 and id = $2";

    pub(super) SCHEDULE = "insert into closes (tenant, id, contract, period, from_at, to_at, state, devices, gaps, open_gaps, version)
        values ($1, $2, $3, $4, $5, $6, 'scheduled', 0, 0, 0, 1)
        on conflict (tenant, contract, to_at) do nothing";
    pub(super) CLOSE_TENANT = "select k.tenant from closes k where k.id = $1";
    pub(super) CLOSE = concat!("select ", close!(), " from closes k
        join contracts c on c.tenant = k.tenant and c.id = k.contract
        where k.tenant = $1 and k.id = $2");
    pub(super) DUE = "select k.tenant, k.id
        from closes k
        where k.state <> 'closed' and k.to_at <= $1
        order by k.to_at, k.id";
    pub(super) EARLIER_OPEN = "select count(*) from closes k
        where k.tenant = $1 and k.contract = $2 and k.to_at < $3 and k.state <> 'closed'";
    pub(super) NEWEST_CLOSED = "select coalesce(max(k.to_at), 0) from closes k
        where k.tenant = $1 and k.contract = $2 and k.frozen_at is not null";
    pub(super) SET_STATE = "update closes
        set state = $3, looked_at = null, gathered_at = coalesce(gathered_at, $4), reviewed_at = case when $3 = 'review' then $4 else reviewed_at end,
          version = version + 1
        where tenant = $1 and id = $2 and state = $5 and frozen_at is null";
    /// $3 when; the counts are made anew.
    pub(super) LOOKED = "update closes
        set looked_at = $3, devices = (select count(*) from close_devices d where d.tenant = $1 and d.close = $2),
          gaps = (select count(*) from close_gaps g where g.tenant = $1 and g.close = $2),
          open_gaps = (select count(*) from close_gaps g where g.tenant = $1 and g.close = $2 and g.waived_at is null
            and (g.estimate is null or g.kind = 'suspect' or g.kind = 'unmapped')),
          version = version + 1
        where tenant = $1 and id = $2 and frozen_at is null";
    pub(super) FREEZE = "update closes set frozen_at = $3, done_device = '', version = version + 1
        where tenant = $1 and id = $2 and state = 'review' and frozen_at is null and version = $4";
    pub(super) DONE_TO = "update closes set done_device = $4 where tenant = $1 and id = $2 and done_device = $3 and state = 'review'";
    pub(super) FINISH = "update closes
        set state = 'closed', closed_at = $3, closed_by = $4, input_hash = $5, version = version + 1
        where tenant = $1 and id = $2 and state = 'review' and done_device = '~'";

    /// The last device of the next stretch of an organisation, and the one behind it: $2 behind this one, $3 one less than so many.
    pub(super) STRETCH_END = "select d.id from devices d where d.tenant = $1 and d.id > $2 order by d.id limit 2 offset $3";
    pub(super) DROP_DEVICES = "delete from close_devices where tenant = $1 and close = $2 and device > $3 and device <= $4";
    pub(super) TAKE_ASSIGNED = "insert into close_devices (tenant, close, device, from_at, until_at, serial_no, asset_no, vendor, model, name,
          place)
        select $1, $2, d.id, case when min(a.from_at) > $4 then min(a.from_at) else $4 end,
          case when max(coalesce(a.until_at, $5)) < $5 then max(coalesce(a.until_at, $5)) else $5 end,
          d.serial_no, d.asset_no, d.vendor, d.model, d.label, d.place
        from device_assignments a
        join devices d on d.tenant = a.tenant and d.id = a.device
        where a.tenant = $1 and a.contract = $3 and a.device > $6 and a.device <= $7 and a.from_at < $5
          and (a.until_at is null or a.until_at > $4)
        group by d.id, d.serial_no, d.asset_no, d.vendor, d.model, d.label, d.place";
    /// Lines of one organisation are written by one transaction at a time, so that the next sees them.
    pub(super) ONE_CLOSER = sqlite "select o.id from organisations o where o.tenant = $1 and o.id = $1"
        postgres "select o.id from organisations o where o.tenant = $1 and o.id = $1 for update";
    /// Devices of a stretch, taken by a filter, that another contract has billed for some of the time.
    pub(super) BILLED_ELSEWHERE = "select distinct l.device
        from close_lines l
        join close_devices x on x.tenant = $1 and x.close = $2 and x.device = l.device
        where l.tenant = $1 and l.device > $4 and l.device <= $5 and l.to_at > x.from_at and l.from_at < x.until_at
          and l.close in (select k.id from closes k where k.tenant = $1 and k.contract <> $3 and k.to_at > $6 and k.from_at < $7)
          and not exists (select 1 from device_assignments a where a.tenant = $1 and a.device = l.device and a.contract = $3
            and a.from_at < $7 and (a.until_at is null or a.until_at > $6))";
    pub(super) LEAVE = "delete from close_devices where tenant = $1 and close = $2 and device = $3";
    pub(super) FEWER = "update closes set devices = devices - $3 where tenant = $1 and id = $2";
    pub(super) DROP_LINES_GONE = "delete from close_totals where tenant = $1 and close = $2
          and no not in (select n.no from contract_lines n where n.tenant = $1 and n.contract = $3)";
    pub(super) TAKE_LINES = concat!("insert into close_totals (tenant, close, no, ", words!(), ", devices, units, units_milli, gross_micro,
          credit_micro, amount_micro)
        select tenant, $2, no, ", words!(), ", 0, 0, 0, 0, 0, 0
        from contract_lines
        where tenant = $1 and contract = $3
        on conflict (tenant, close, no) do update
        set name = excluded.name, function = excluded.function, color = excluded.color, size = excluded.size, sides = excluded.sides,
          unit = excluded.unit, erp_code = excluded.erp_code, price_micro = excluded.price_micro, included = excluded.included,
          factor_milli = excluded.factor_milli");
    pub(super) TOTALS = concat!("select no, ", words!(), ", devices, units, units_milli, gross_micro, credit_micro, amount_micro
        from close_totals
        where tenant = $1 and close = $2
        order by no");
    pub(super) NO_TOTALS = "update close_totals set devices = 0, units = 0, units_milli = 0, gross_micro = 0
        where tenant = $1 and close = $2";
    pub(super) ADD_TOTAL = "update close_totals
        set devices = devices + $4, units = units + $5, units_milli = units_milli + $6, gross_micro = gross_micro + $7
        where tenant = $1 and close = $2 and no = $3";
    pub(super) SET_TOTAL = "update close_totals set credit_micro = $4, amount_micro = $5 where tenant = $1 and close = $2 and no = $3";

    /// One pass in the order of the devices, each row found by a key: no sorting, no table in between. $1 tenant, $2 close, $3
    /// what came in later does not count, $4 behind this device, $5 until this one, $6 the close before. `+ 0` keeps SQLite
    /// from an index that grows with each period.
    pub(super) FACTS = concat!("select d.device, t.no, m.id, d.from_at, d.until_at, d.vendor, d.model,
          e.taken_at, e.value, e.quality, e.clock_offset_ms, ", counted!("e", "m.id", "m.device"), ",
          b.taken_at, b.value, b.quality, b.clock_offset_ms, ", counted!("b", "m.id", "m.device"), ",
          m.segment, m.read_at, m.quality,
          v.closing, v.closing_at, v.closing_quality, v.base, v.base_at, v.actual_total, v.billed_total, v.estimate, v.carry_out, v.usage,
          v.to_at - v.from_at, case when m.role is null then 1 else 0 end,
          case when substr(m.source, 1, 12) = '1.3.6.1.2.1.' then 0 else 1 end, m.source
        from close_devices d
        cross join close_totals t
        left join meters m on m.tenant = $1 and m.device = d.device and m.function = t.function and m.color = t.color and m.size = t.size
          and m.sides = t.sides and m.unit = t.unit and m.department = ''
        left join close_lines v on v.tenant = $1 and v.close = $6 and v.device = d.device and v.meter + 0 = m.id and v.to_at = d.from_at
        left join readings e on e.tenant = $1 and e.meter = m.id and e.taken_at = (
          select r.taken_at from readings r
          where r.tenant = $1 and r.meter = m.id and r.taken_at <= d.until_at and r.quality <> 'suspect' and r.received_at <= $3
          order by r.taken_at desc limit 1)
        left join readings b on b.tenant = $1 and b.meter = m.id and b.taken_at = coalesce(
          v.base_at,
          (select r.taken_at from readings r
            where r.tenant = $1 and r.meter = m.id and r.taken_at <= d.from_at and r.quality <> 'suspect' and r.received_at <= $3
            order by r.taken_at desc limit 1),
          (select r.taken_at from readings r
            where r.tenant = $1 and r.meter = m.id and r.taken_at > d.from_at and r.taken_at <= d.until_at
              and r.quality <> 'suspect' and r.received_at <= $3
            order by r.taken_at limit 1))
        where d.tenant = $1 and d.close = $2 and d.device > $4 and d.device <= $5 and t.tenant = $1 and t.close = $2
        order by d.device, t.no");
    /// The last device of the next stretch of a close, and the one behind it: $3 behind this one, $4 one less than so many.
    pub(super) LAST_OF = "select x.device from close_devices x
        where x.tenant = $1 and x.close = $2 and x.device > $3
        order by x.device
        limit 2 offset $4";
    pub(super) HAS_GAPS = "select count(*) from close_gaps g
        where g.tenant = $1 and g.close = $2 and g.device > $3 and g.device <= $4 and g.waived_at is null";
    /// The oldest believed reading of a meter since a moment: when, and how much it had done by then.
    pub(super) SINCE = concat!("select r.taken_at, ", counted!("r", "r.meter", "$2"), "
        from readings r
        join meters m on m.tenant = $1 and m.device = $2 and m.id = r.meter
        where r.tenant = $1 and r.meter = $3 and r.taken_at >= $4 and r.quality <> 'suspect' and r.received_at <= $5
        order by r.taken_at
        limit 1");
    /// Devices of a stretch that are in trouble: `error` where they answer and stand still, else why nobody reads them.
    pub(super) TROUBLED = "select d.id, d.comm, d.word
        from devices d
        where d.tenant = $1
          and d.id > $3
          and d.id <= $4
          and d.id in (select x.device from close_devices x where x.tenant = $1 and x.close = $2)";
    pub(super) BORDERS = "select z.device, z.meter, z.from_at, z.reason, p.last_value, r.value, r.value - z.first_value
        from (
          select s.device, s.meter, s.no, s.reason, s.from_at, s.first_value
          from meter_segments s
          where s.tenant = $1 and s.device > $3 and s.device <= $4 and s.no > 1
          union all
          select m.device, m.id, m.segment, m.segment_reason, m.segment_at, m.first_value
          from meters m
          where m.tenant = $1 and m.device > $3 and m.device <= $4 and m.segment > 1) z
        join close_devices c on c.tenant = $1 and c.close = $2 and c.device = z.device and z.from_at <= c.until_at
        join meter_segments p on p.tenant = $1 and p.device = z.device and p.meter = z.meter and p.no = z.no - 1
        join readings r on r.tenant = $1 and r.meter = z.meter and r.taken_at = z.from_at
        order by z.device, z.meter, z.from_at";

    pub(super) WRITE_LINE = "insert into close_lines (tenant, close, device, no, meter, contract, erp_code, from_at, to_at, opening, opening_at,
          opening_quality, closing, closing_at, closing_quality, quality, clock_offset_ms, base, base_at, actual_total, billed_total,
          usage, estimate_in, estimate, carry_in, carry_out, billed, amount_micro)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26,
          $27, $28)";
    pub(super) WRITE_BORDER = "insert into close_adjustments (tenant, close, device, no, at, reason, before_value, after_value, bridged)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    pub(super) WRITE_GAP = "insert into close_gaps (tenant, close, device, no, kind, meter, read_at, value, estimate, why, found_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        on conflict (tenant, close, device, no, kind) do update
        set meter = excluded.meter, read_at = excluded.read_at, value = excluded.value, estimate = excluded.estimate, why = excluded.why";
    pub(super) DROP_GAPS = "delete from close_gaps
        where tenant = $1 and close = $2 and device > $3 and device <= $4 and waived_at is null";
    pub(super) GAPS = "select g.device, g.no, g.kind, g.meter, g.read_at, g.value, g.estimate, g.why, g.waived_at, g.waived_by, g.note,
          coalesce(c.name, d.label), coalesce(c.serial_no, d.serial_no), t.name
        from close_gaps g
        join devices d on d.tenant = g.tenant and d.id = g.device
        left join close_devices c on c.tenant = g.tenant and c.close = g.close and c.device = g.device
        left join close_totals t on t.tenant = g.tenant and t.close = g.close and t.no = g.no
        where g.tenant = $1 and g.close = $2 and (g.device, g.no, g.kind) > ($3, $4, $5)
        order by g.device, g.no, g.kind
        limit $6";
    pub(super) WAIVE = "update close_gaps set waived_at = $6, waived_by = $7, note = $8
        where tenant = $1 and close = $2 and device = $3 and no = $4 and kind = $5 and waived_at is null";
    pub(super) METER_OF_GAP = "select g.meter from close_gaps g
        where g.tenant = $1 and g.close = $2 and g.device = $3 and g.no = $4 and g.meter is not null
        limit 1";

    /// Devices that report by themselves and were not read.
    pub(super) ASKED = "select m.id from monitors m
        where m.tenant = $1
          and m.state = 'active'
          and m.road <> 'mail'
          and m.device in (select g.device from close_gaps g
            where g.tenant = $1 and g.close = $2 and g.kind in ('silent', 'error') and g.waived_at is null)
        order by m.id
        limit 10000";

    /// Lines as written, behind (device, line).
    pub(super) WRITTEN = "select l.device, l.no, l.meter, l.erp_code, l.from_at, l.to_at, l.opening, l.opening_at, l.opening_quality, l.closing,
          l.closing_at, l.closing_quality, l.quality, l.clock_offset_ms, l.actual_total, l.billed_total, l.usage, l.estimate_in, l.estimate,
          l.carry_in, l.carry_out, l.billed, l.amount_micro, d.serial_no, d.asset_no, d.vendor, d.model, d.name, d.place
        from close_lines l
        join close_devices d on d.tenant = $1 and d.close = $2 and d.device = l.device
        where l.tenant = $1 and l.close = $2 and (l.device, l.no) > ($3, $4)
        order by l.device, l.no
        limit $5";
    pub(super) ADJUSTED = "select device, no, at, reason, before_value, after_value, bridged
        from close_adjustments
        where tenant = $1 and close = $2
        order by device, no, at";
    pub(super) BRIEFS = "select device, serial_no, asset_no, vendor, model, name, place
        from close_devices
        where tenant = $1 and close = $2 and device > $3
        order by device
        limit $4";

    pub(super) DOCUMENT = "insert into billing_documents (tenant, id, close, no, format, sha256, size_bytes, line_count, corrects, note, made_at,
          made_by)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
        on conflict (tenant, id) do nothing";
    pub(super) DOCUMENTS = "select id, close, no, format, sha256, size_bytes, line_count, corrects, note, made_at, made_by, mailed_at
        from billing_documents
        where tenant = $1 and close = $2
        order by no";
    pub(super) MAILED = "update billing_documents set mailed_at = $3 where tenant = $1 and id = $2";

    pub(super) UNBILLED = "select x.vendor, x.model, m.function, m.color, m.size, m.sides, m.unit, count(distinct m.device),
          cast(coalesce(sum(case when m.role is null then 0 else 1 end), 0) as bigint)
        from (select c.device, c.vendor, c.model from close_devices c where c.tenant = $1 and c.close = $2 order by c.device limit $3) x
        join meters m on m.tenant = $1 and m.device = x.device and m.department = ''
        where not exists (select 1 from close_totals t where t.tenant = $1 and t.close = $2 and t.function = m.function
            and t.color = m.color and t.size = m.size and t.sides = m.sides and t.unit = m.unit)
        group by x.vendor, x.model, m.function, m.color, m.size, m.sides, m.unit
        order by 1, 2, 3, 4, 5, 6, 7
        limit 500";
}

/// Columns of the list of contracts; the sort keys follow.
pub(super) const CONTRACTS: &str = concat!("select ", contract!(), ", c.number, c.id from contracts c");
/// Columns of the list of closes; the sort keys follow.
pub(super) const CLOSES: &str = concat!(
    "select ",
    close!(),
    ", k.to_at, k.id from closes k join contracts c on c.tenant = k.tenant and c.id = k.contract"
);
