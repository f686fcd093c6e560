//! Statements of supplies: slots, levels on change, changes of cartridges.

use crate::devices::in64;

store::sql! {
    pub(super) LOAD = concat!("select device, idx, description, kind, color, class, part_number, serial_no, level_kind, level_value,
          level_steps, raw_unit, raw_max, raw_level, level_at, fitted_at, fitted_pages
        from supplies
        where tenant = $1
          and device in (", in64!(), ")");
    pub(super) UPSERT = "insert into supplies (tenant, device, idx, description, kind, color, class, part_number, serial_no,
          level_kind, level_value, level_steps, raw_unit, raw_max, raw_level, level_at, fitted_at, fitted_pages, read_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)
        on conflict (tenant, device, idx) do update
        set description = excluded.description,
          kind = excluded.kind,
          color = excluded.color,
          class = excluded.class,
          part_number = excluded.part_number,
          serial_no = excluded.serial_no,
          level_kind = excluded.level_kind,
          level_value = excluded.level_value,
          level_steps = excluded.level_steps,
          raw_unit = excluded.raw_unit,
          raw_max = excluded.raw_max,
          raw_level = excluded.raw_level,
          level_at = excluded.level_at,
          fitted_at = excluded.fitted_at,
          fitted_pages = excluded.fitted_pages,
          read_at = excluded.read_at";
    pub(super) DROP = "delete from supplies
        where tenant = $1
          and device = $2
          and idx = $3";
    pub(super) LEVEL = "insert into supply_levels (tenant, month, device, idx, at, kind, value, steps, raw_unit, raw_max, raw_level,
          pages_life)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
        on conflict (tenant, month, device, idx, at) do nothing";
    pub(super) REPLACEMENT = "insert into supply_replacements (tenant, device, idx, at, old_serial, new_serial, before_value,
          after_value, lived_pages, fitted_at, evidence, kind, color, part_number, premature)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
        on conflict (tenant, device, idx, at) do nothing";
    pub(super) CURRENT = "select s.idx, s.description, s.kind, s.color, s.class, s.part_number, s.serial_no, s.level_kind, s.level_value,
          s.level_steps, s.raw_unit, s.raw_max, s.raw_level, s.level_at, s.fitted_at, s.fitted_pages, d.status_at, r.rising,
          r.falling, f.p5_at, f.p50_at, f.p95_at, f.made_at
        from supplies s
        join devices d on d.tenant = s.tenant and d.id = s.device
        left join supply_forecasts f on f.tenant = s.tenant
          and f.device = s.device
          and f.idx = s.idx
          and f.fitted_at = s.fitted_at
        left join receptacles r on r.tenant = s.tenant
          and r.vendor = d.vendor
          and r.model = coalesce(d.model, '')
          and r.kind = s.kind
        where s.tenant = $1
          and s.device = $2
        order by s.idx";
    pub(super) RECEPTACLES = "select vendor, model, kind, rising, falling
        from receptacles
        where tenant = $1";
    pub(super) RECEPTACLE = "insert into receptacles (tenant, vendor, model, kind, rising, falling)
        values ($1, $2, $3, $4, $5, $6)
        on conflict (tenant, vendor, model, kind) do update
        set rising = receptacles.rising + excluded.rising,
          falling = receptacles.falling + excluded.falling";
    /// A device is looked at soon: now, unless it is due already.
    pub(super) LOOK = "insert into supply_looks (tenant, device, due_at)
        values ($1, $2, $3)
        on conflict (tenant, device) do update
        set due_at = case when supply_looks.due_at < excluded.due_at then supply_looks.due_at else excluded.due_at end";
    pub(super) LEVELS = "select idx, at, kind, value, steps, pages_life
        from supply_levels
        where tenant = $1
          and device = $2
          and at >= $3
          and at < $4
        order by idx, at";
    pub(super) REPLACEMENTS = "select idx, at, old_serial, new_serial, before_value, after_value, lived_pages, fitted_at, evidence, premature
        from supply_replacements
        where tenant = $1
          and device = $2
        order by at desc, idx";
}
