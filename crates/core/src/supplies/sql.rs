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

    /// Pages of whole days: by the counter of all, and by those of black and colour together.
    pub(super) DAYS = "select u.bucket,
          cast(sum(case when m.role = 'total' then u.delta else 0 end) as bigint),
          cast(sum(case when m.role = 'total' then 0 else u.delta end) as bigint)
        from usages u
        join meters m on m.tenant = u.tenant and m.device = u.device and m.id = u.meter
        where u.tenant = $1
          and u.device = $2
          and u.grain = 2
          and u.bucket >= $3
          and u.bucket <= $4
          and m.role in ('total', 'mono', 'color')
        group by u.bucket
        order by u.bucket";
    pub(super) SLOTS = "select s.idx, s.description, s.kind, s.color, s.class, s.part_number, s.serial_no, s.level_kind, s.level_value,
          s.level_steps, s.raw_unit, s.raw_max, s.raw_level, r.rising, r.falling, s.fitted_at, d.status_at,
          (select p.seen_at from device_presence p where p.tenant = d.tenant and p.device = d.id)
        from supplies s
        join devices d on d.tenant = s.tenant and d.id = s.device
        left join receptacles r on r.tenant = s.tenant
          and r.vendor = d.vendor
          and r.model = coalesce(d.model, '')
          and r.kind = s.kind
        where s.tenant = $1
          and s.device = $2
        order by s.idx";
    pub(super) DUE = "select tenant, device
        from supply_looks
        where due_at <= $1
        order by due_at
        limit $2";
    pub(super) LOOKED = "update supply_looks
        set due_at = $4
        where tenant = $1
          and device = $2
          and due_at <= $3";
    pub(super) LOOK_ALL = "update supply_looks
        set due_at = $2
        where tenant in (select below.id
            from organisations below, organisations top
            where top.tenant = $1
              and top.id = $1
              and substr(below.path, 1, length(top.path)) = top.path)
          and due_at > $2";
    pub(super) LOOK_UNSEEN = "insert into supply_looks (tenant, device, due_at)
        select distinct s.tenant, s.device, 0
        from supplies s
        where not exists (select 1 from supply_looks l where l.tenant = s.tenant and l.device = s.device)
        on conflict (tenant, device) do nothing";
    pub(super) FORGET_LOOK = "delete from supply_looks
        where tenant = $1
          and device = $2";
    pub(super) FORGET_FORECASTS = "delete from supply_forecasts
        where tenant = $1
          and device = $2";
    pub(super) FORGET_PARTS = "delete from part_lives
        where tenant = $1
          and device = $2";
    pub(super) FORECASTS = "select idx, fitted_at, p50_at, kept_left
        from supply_forecasts
        where tenant = $1
          and device = $2";
    pub(super) OUTLINE = "select p5_at, p50_at, p95_at, left_value, doubt, daily
        from supply_forecasts
        where tenant = $1
          and device = $2
          and idx = $3
          and fitted_at = $4";
    pub(super) FORECAST = "insert into supply_forecasts (tenant, device, idx, made_at, fitted_at, p5_at, p50_at, p95_at, plain_at,
          doubt, left_value, daily, kept_left)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
        on conflict (tenant, device, idx) do update
        set made_at = excluded.made_at,
          fitted_at = excluded.fitted_at,
          p5_at = excluded.p5_at,
          p50_at = excluded.p50_at,
          p95_at = excluded.p95_at,
          plain_at = excluded.plain_at,
          doubt = excluded.doubt,
          left_value = excluded.left_value,
          daily = excluded.daily,
          kept_left = excluded.kept_left";
    pub(super) FORECAST_DROP = "delete from supply_forecasts
        where tenant = $1
          and device = $2
          and idx = $3";
    pub(super) PROMISE = "insert into supply_promises (tenant, device, idx, made_at, fitted_at, p5_at, p50_at, p95_at, plain_at, doubt)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        on conflict (tenant, device, idx, made_at) do nothing";
    pub(super) PROMISES_OPEN = "select idx, made_at, fitted_at, plain_at, doubt
        from supply_promises
        where tenant = $1
          and device = $2
          and ended_at is null";
    pub(super) PROMISE_END = "update supply_promises
        set ended_at = $5,
          outcome = $6,
          score = $7
        where tenant = $1
          and device = $2
          and idx = $3
          and made_at = $4";
    pub(super) HABITS = "select season, season_at, low_score, mid_score, high_score, scored_at
        from supply_habits
        where tenant = $1";
    pub(super) HABITS_SET = "insert into supply_habits (tenant, season, season_weeks, season_at, low_score, mid_score, high_score, scored,
          scored_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        on conflict (tenant) do update
        set season = excluded.season,
          season_weeks = case when excluded.season_weeks < 0 then supply_habits.season_weeks else excluded.season_weeks end,
          season_at = excluded.season_at,
          low_score = excluded.low_score,
          mid_score = excluded.mid_score,
          high_score = excluded.high_score,
          scored = excluded.scored,
          scored_at = excluded.scored_at";
    pub(super) OLDEST = "select id
        from devices
        where tenant = $1
          and lifecycle <> 'retired'
          and first_at <= $2
        order by first_at, id
        limit $3";
    pub(super) SCORES = "select score
        from supply_promises
        where tenant = $1
          and ended_at >= $2
          and score is not null
        order by ended_at desc
        limit $3";
    pub(super) YIELDS = "select r.lived_pages, r.premature
        from supply_replacements r
        join devices d on d.tenant = r.tenant and d.id = r.device
        join devices own on own.tenant = $1 and own.id = $2
        where r.tenant = $1
          and d.vendor = own.vendor
          and coalesce(d.model, '') = coalesce(own.model, '')
          and r.kind = $3
          and coalesce(r.color, '') = coalesce($4, '')
        order by r.at desc
        limit 500";
    pub(super) LIMIT = "select l.tenant, l.model, l.what, l.almost_empty, l.empty, l.almost_full, l.full_at, l.soon_days, l.version
        from supply_limits l
        where l.tenant = $1
          and l.model = $2
          and l.what = $3";
    pub(super) LIMIT_SET = "insert into supply_limits (tenant, model, what, almost_empty, empty, almost_full, full_at, soon_days, version,
          changed_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        on conflict (tenant, model, what) do update
        set almost_empty = excluded.almost_empty,
          empty = excluded.empty,
          almost_full = excluded.almost_full,
          full_at = excluded.full_at,
          soon_days = excluded.soon_days,
          version = excluded.version,
          changed_at = excluded.changed_at";
    pub(super) LIMIT_DROP = "delete from supply_limits
        where tenant = $1
          and model = $2
          and what = $3";
    pub(super) LIMITS_ABOVE = "select l.tenant, l.model, l.what, l.almost_empty, l.empty, l.almost_full, l.full_at, l.soon_days, l.version
        from supply_limits l
        join organisations o on o.tenant = l.tenant and o.id = l.tenant
        join organisations own on own.tenant = $1 and own.id = $1
        where substr(own.path, 1, length(o.path)) = o.path
        order by length(o.path) desc, l.model, l.what";
    pub(super) TERMS = "select proposes, delivery_days, margin_days, together_days, interval_days, expiry_days, version
        from shipment_terms
        where tenant = $1";
    pub(super) TERMS_SET = "insert into shipment_terms (tenant, proposes, delivery_days, margin_days, together_days, interval_days,
          expiry_days, version, changed_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        on conflict (tenant) do update
        set proposes = excluded.proposes,
          delivery_days = excluded.delivery_days,
          margin_days = excluded.margin_days,
          together_days = excluded.together_days,
          interval_days = excluded.interval_days,
          expiry_days = excluded.expiry_days,
          version = excluded.version,
          changed_at = excluded.changed_at";
    pub(super) ITEMS = "select idx, name, kind, color, part_number, why, needed_at, is_open, ended
        from shipment_items
        where tenant = $1
          and shipment = $2
        order by idx";
    pub(super) ITEMS_OPEN = "select i.idx, i.shipment, s.state, i.made_at, s.ordered_at, s.expires_at
        from shipment_items i
        join shipments s on s.tenant = i.tenant and s.id = i.shipment
        where i.tenant = $1
          and i.device = $2
          and i.is_open = 1";
    pub(super) LAST_ORDERS = "select i.idx, max(s.ordered_at)
        from shipment_items i
        join shipments s on s.tenant = i.tenant and s.id = i.shipment
        where i.tenant = $1
          and i.device = $2
          and s.ordered_at is not null
          and s.state <> 'cancelled'
        group by i.idx";
    pub(super) PROPOSED = "select id
        from shipments
        where tenant = $1
          and device = $2
          and state = 'proposed'";
    pub(super) SHIPMENT = "insert into shipments (tenant, id, device, state, place, made_at, needed_at, expires_at, version)
        values ($1, $2, $3, 'proposed', $4, $5, $6, $7, 1)";
    /// A proposal takes one more thing.
    pub(super) SHIPMENT_GROWS = "update shipments
        set place = $4,
          needed_at = case when needed_at < $6 then needed_at else $6 end,
          expires_at = case when expires_at < $7 then $7 else expires_at end,
          version = version + 1
        where tenant = $1
          and id = $2
          and device = $3
          and made_at <= $5";
    pub(super) ITEM = "insert into shipment_items (tenant, shipment, idx, device, name, kind, color, part_number, why, needed_at, made_at,
          is_open)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 1)
        on conflict (tenant, shipment, idx) do update
        set is_open = 1,
          ended = null,
          why = excluded.why,
          needed_at = excluded.needed_at,
          made_at = excluded.made_at";
    pub(super) ITEM_END = "update shipment_items
        set is_open = 0,
          ended = $4
        where tenant = $1
          and shipment = $2
          and idx = $3
          and is_open = 1";
    pub(super) ITEMS_END = "update shipment_items
        set is_open = 0,
          ended = $3
        where tenant = $1
          and shipment = $2
          and is_open = 1";
    pub(super) SHIPMENT_STATE = "update shipments
        set state = $4,
          ordered_at = coalesce($5, ordered_at),
          shipped_at = coalesce($6, shipped_at),
          arrived_at = coalesce($7, arrived_at),
          ended_at = $8,
          expires_at = $9,
          changed_by = $10,
          note = coalesce($11, note),
          version = version + 1
        where tenant = $1
          and id = $2
          and version = $3";
    pub(super) SHIPMENT_END = "update shipments
        set state = $3,
          ended_at = $4,
          changed_by = null,
          version = version + 1
        where tenant = $1
          and id = $2
          and ended_at is null";
    pub(super) PARTS_OF = "select part, used, fitted_at, first_used, first_pages
        from part_lives
        where tenant = $1
          and device = $2";
    pub(super) PART = "insert into part_lives (tenant, device, part, kind, color, source, unit, used, rated, rated_by, read_at, fitted_at,
          first_used, first_pages, p5_at, end_at, p95_at, sort_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
        on conflict (tenant, device, part) do update
        set kind = excluded.kind,
          color = excluded.color,
          source = excluded.source,
          unit = excluded.unit,
          used = excluded.used,
          rated = excluded.rated,
          rated_by = excluded.rated_by,
          read_at = excluded.read_at,
          fitted_at = excluded.fitted_at,
          first_used = excluded.first_used,
          first_pages = excluded.first_pages,
          p5_at = excluded.p5_at,
          end_at = excluded.end_at,
          p95_at = excluded.p95_at,
          sort_at = excluded.sort_at";
    pub(super) PART_DROP = "delete from part_lives
        where tenant = $1
          and device = $2
          and part = $3";
    pub(super) PART_REPLACED = "insert into part_replacements (tenant, device, part, at, kind, lived)
        values ($1, $2, $3, $4, $5, $6)
        on conflict (tenant, device, part, at) do nothing";
    /// Lives of parts of a kind in devices of a model, `vendor model` in lower case.
    pub(super) PART_LIVES = "select r.lived
        from part_replacements r
        join devices d on d.tenant = r.tenant and d.id = r.device
        where r.tenant = $1
          and r.kind = $2
          and lower(d.vendor || ' ' || coalesce(d.model, '')) = $3
          and r.at >= $4
        order by r.at desc
        limit 200";
    pub(super) RATING = "select rated, version
        from part_ratings
        where tenant = $1
          and model = $2
          and kind = $3";
    pub(super) RATING_SET = "insert into part_ratings (tenant, model, kind, rated, version, changed_at)
        values ($1, $2, $3, $4, $5, $6)
        on conflict (tenant, model, kind) do update
        set rated = excluded.rated,
          version = excluded.version,
          changed_at = excluded.changed_at";
    pub(super) RATING_DROP = "delete from part_ratings
        where tenant = $1
          and model = $2
          and kind = $3";
    pub(super) RATINGS_ABOVE = "select r.model, r.kind, r.rated
        from part_ratings r
        join organisations o on o.tenant = r.tenant and o.id = r.tenant
        join organisations own on own.tenant = $1 and own.id = $1
        where substr(own.path, 1, length(o.path)) = o.path
        order by length(o.path) desc, r.model, r.kind";
}
