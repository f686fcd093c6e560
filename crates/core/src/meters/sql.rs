//! Statements of meters: tracks, segments, readings and their sums.

use crate::devices::in64;

store::sql! {
    pub(super) ZONE = "select zone
        from organisations
        where tenant = $1
          and id = $1";
    pub(super) LOAD = concat!("select device, id, function, color, size, sides, unit, source, name, role, segment, segment_reason,
          segment_at, first_value, last_value, last_at, read_at, quality, before_value, suspect_value, suspect_at
        from meters
        where tenant = $1
          and device in (", in64!(), ")");
    pub(super) UPSERT = "insert into meters (tenant, device, id, function, color, size, sides, unit, source, department, name, role,
          segment, segment_reason, segment_at, first_value, last_value, last_at, read_at, quality, before_value,
          suspect_value, suspect_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, '', $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)
        on conflict (tenant, device, id) do update
        set name = excluded.name,
          role = excluded.role,
          segment = excluded.segment,
          segment_reason = excluded.segment_reason,
          segment_at = excluded.segment_at,
          first_value = excluded.first_value,
          last_value = excluded.last_value,
          last_at = excluded.last_at,
          read_at = excluded.read_at,
          quality = excluded.quality,
          before_value = excluded.before_value,
          suspect_value = excluded.suspect_value,
          suspect_at = excluded.suspect_at";
    pub(super) SEGMENT = "insert into meter_segments (tenant, device, meter, no, reason, from_at, first_value, last_at, last_value)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        on conflict (tenant, device, meter, no) do update
        set last_at = excluded.last_at,
          last_value = excluded.last_value";
    pub(super) READING = "insert into readings (tenant, month, meter, taken_at, value, quality, segment, received_at, clock_offset_ms)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        on conflict (tenant, meter, taken_at, month) do nothing";
    pub(super) USAGE = "insert into usages (tenant, device, grain, bucket, meter, delta, readings)
        values ($1, $2, $3, $4, $5, $6, $7)
        on conflict (tenant, device, grain, bucket, meter) do update
        set delta = usages.delta + excluded.delta,
          readings = usages.readings + excluded.readings";
    pub(super) PAGES = "update devices
        set pages_life = coalesce(
            (select cast(sum(m.last_value) as bigint) from meters m where m.tenant = $1 and m.device = $2 and m.role = 'total'),
            (select cast(sum(m.last_value) as bigint) from meters m where m.tenant = $1 and m.device = $2
              and m.role in ('mono', 'color'))),
          pages_month = coalesce(
            (select cast(sum(u.delta) as bigint) from usages u
              join meters m on m.tenant = u.tenant and m.device = u.device and m.id = u.meter
              where u.tenant = $1 and u.device = $2 and u.grain = 3 and u.bucket = $3 and m.role = 'total'),
            (select cast(sum(u.delta) as bigint) from usages u
              join meters m on m.tenant = u.tenant and m.device = u.device and m.id = u.meter
              where u.tenant = $1 and u.device = $2 and u.grain = 3 and u.bucket = $3 and m.role in ('mono', 'color')),
            0),
          pages_month_key = $3
        where tenant = $1
          and id = $2";
    pub(super) BEFORE = "select taken_at, value, segment, quality
        from readings
        where tenant = $1
          and meter = $2
          and taken_at < $3
          and quality <> 'suspect'
        order by taken_at desc
        limit 1";
    pub(super) READINGS_AFTER = "select taken_at, value, segment, quality
        from readings
        where tenant = $1
          and meter = $2
          and taken_at > $3
        order by taken_at";
    pub(super) PROMOTE = "update readings
        set quality = 'actual',
          segment = $4
        where tenant = $1
          and meter = $2
          and taken_at = $3";
    pub(super) MARK = "update readings
        set segment = $4,
          quality = case when quality = 'manual' and $5 = 'actual' then quality else $5 end
        where tenant = $1
          and meter = $2
          and taken_at = $3";
    pub(super) BY_HAND = "update readings
        set quality = 'manual'
        where tenant = $1
          and meter = $2
          and taken_at = $3
          and quality = 'actual'";
    pub(super) DROP_SEGMENTS = "delete from meter_segments
        where tenant = $1
          and device = $2
          and meter = $3
          and no >= $4";
    pub(super) RETRACK = "update meters
        set segment = $4,
          segment_reason = $5,
          segment_at = $6,
          first_value = $7,
          last_value = $8,
          last_at = $9,
          read_at = case when read_at < $10 then $10 else read_at end,
          quality = $11,
          before_value = $12,
          suspect_value = $13,
          suspect_at = $14
        where tenant = $1
          and device = $2
          and id = $3";
    pub(super) DROP_EMPTY_USAGE = "delete from usages
        where tenant = $1
          and device = $2
          and meter = $3
          and delta = 0
          and readings = 0";
    pub(super) ROLE = "select role
        from meters
        where tenant = $1
          and device = $2
          and id = $3";
    pub(super) SET_ROLE = "update meters
        set role = $4
        where tenant = $1
          and device = $2
          and id = $3";
    pub(super) READINGS_AROUND = "select taken_at, value, segment, quality
        from readings
        where tenant = $1
          and meter = $2
          and taken_at >= $3
          and taken_at <= $4
        order by taken_at
        limit 400";
    pub(super) ADOPT_METER = "update meters
        set device = $3
        where tenant = $1
          and device = $2
          and id = $4";
    pub(super) ADOPT_SEGMENTS = "update meter_segments
        set device = $3
        where tenant = $1
          and device = $2
          and meter = $4";
    pub(super) ADOPT_USAGE = "update usages
        set device = $3
        where tenant = $1
          and device = $2
          and meter = $4";
    pub(super) MOVE_READINGS = "update readings
        set meter = $3,
          quality = 'suspect',
          segment = 0
        where tenant = $1
          and meter = $2
          and not exists (select 1 from readings k
            where k.tenant = $1
              and k.meter = $3
              and k.taken_at = readings.taken_at)";
    pub(super) DROP_READINGS = "delete from readings
        where tenant = $1
          and meter = $2";
    pub(super) DROP_METER = "delete from meters
        where tenant = $1
          and device = $2
          and id = $3";
    pub(super) DROP_METER_USAGE = "delete from usages
        where tenant = $1
          and device = $2
          and meter = $3";
    pub(super) FIRST_OF = "select min(taken_at)
        from readings
        where tenant = $1
          and meter = $2";
    pub(super) SEGMENTS = "select meter, no, reason, from_at, first_value, last_at, last_value
        from meter_segments
        where tenant = $1
          and device = $2
        union all
        select id, segment, segment_reason, segment_at, first_value, last_at, last_value
        from meters
        where tenant = $1
          and device = $2
        order by 1, 2";
    pub(super) ALL_READINGS = "select r.meter, r.taken_at, r.value, r.segment
        from readings r
        where r.tenant = $1
          and r.meter in (select m.id from meters m where m.tenant = $1 and m.device = $2)
          and r.quality <> 'suspect'
        order by r.meter, r.taken_at";
    pub(super) DROP_USAGE = "delete from usages
        where tenant = $1
          and device = $2";
    pub(super) USAGE_OF = "select grain, bucket, meter, delta, readings
        from usages
        where tenant = $1
          and device = $2
        order by grain, bucket, meter";
    pub(super) SERIES_READINGS = "select r.meter, r.taken_at, r.value, r.segment
        from readings r
        where r.tenant = $1
          and r.meter in (select m.id from meters m where m.tenant = $1 and m.device = $2 and m.role is not null)
          and r.taken_at >= $3
          and r.taken_at < $4
          and r.quality <> 'suspect'
        order by r.meter, r.taken_at";
    pub(super) SERIES_BUCKETS = "select u.bucket, m.role, cast(sum(u.delta) as bigint)
        from usages u
        join meters m on m.tenant = u.tenant and m.device = u.device and m.id = u.meter
        where u.tenant = $1
          and u.device = $2
          and u.grain = $3
          and u.bucket >= $4
          and u.bucket <= $5
          and m.role is not null
        group by u.bucket, m.role
        order by u.bucket";
    pub(super) FIRST_READING = "select min(taken_at)
        from readings
        where tenant = $1
          and meter in (select m.id from meters m where m.tenant = $1 and m.device = $2 and m.role is not null)";
    pub(super) CURRENT = "select id, function, color, size, sides, unit, source, name, role, segment, segment_reason, segment_at,
          first_value, last_value, last_at, read_at, quality, suspect_value, suspect_at
        from meters
        where tenant = $1
          and device = $2
        order by case function when 'total' then 0 when 'print' then 1 when 'copy' then 2 when 'fax' then 3 when 'scan' then 4
          else 5 end, color, size, sides, unit, source";
    pub(super) MONTH_USAGE = "select meter, delta
        from usages
        where tenant = $1
          and device = $2
          and grain = 3
          and bucket = $3";
    pub(super) NEW_MONTH = "update devices
        set pages_month = 0,
          pages_month_key = $2
        where tenant = $1
          and pages_month_key < $2
          and lifecycle <> 'retired'";
    pub(super) OLD_MONTH = "select count(*)
        from devices
        where tenant = $1
          and pages_month_key < $2
          and lifecycle <> 'retired'";
}
