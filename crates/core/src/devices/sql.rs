//! Statements of the devices' projection: what a report reads and writes. Lists are built in `list.rs`.
//! `in` lists hold [`CHUNK`] values; shorter ones repeat their last value.

/// Values of an `in` list.
pub(crate) const CHUNK: usize = 64;

/// Placeholders `$2` to `$65`.
macro_rules! in64 {
    () => {
        "$2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22,
         $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36, $37, $38, $39, $40, $41, $42,
         $43, $44, $45, $46, $47, $48, $49, $50, $51, $52, $53, $54, $55, $56, $57, $58, $59, $60, $61, $62,
         $63, $64, $65"
    };
}
pub(crate) use in64;

macro_rules! known {
    () => {
        "d.id, d.version, d.lifecycle, d.agent, d.vendor, d.model, d.serial_no, d.serial_fold, d.name,
         d.hostname, d.own_name, d.address, d.mac, d.location, d.own_location, d.asset_no, d.contact,
         d.label, d.place, d.firmware, d.comm, d.comm_at, d.state, d.reasons, d.console, d.state_at,
         d.status_at, d.word, d.why, d.supplies, d.pages_life, d.identity_hash, d.supplies_hash,
         d.parts_hash, d.alerts_hash,
         (select s.seen_at from device_presence s where s.tenant = d.tenant and s.device = d.id),
         d.bill_source, d.engine_id,
         (select s.heard_by from device_presence s where s.tenant = d.tenant and s.device = d.id),
         (select s.source_at from device_presence s where s.tenant = d.tenant and s.device = d.id),
         d.port"
    };
}

store::sql! {
    // No joins where a report looks up what it speaks of: without statistics PostgreSQL may join the wrong way round.
    pub(super) SUBJECTS = concat!(
        "select e.device, e.value
        from device_evidence e
        where e.tenant = $1
          and e.kind = 'subject'
          and e.ended_at is null
          and e.value in (",
        in64!(),
        ")"
    );
    pub(super) SUBJECTS_OF = concat!(
        "select e.device, e.value
        from device_evidence e
        where e.tenant = $1
          and e.kind = 'subject'
          and e.ended_at is null
          and e.device in (",
        in64!(),
        ")"
    );
    pub(super) BY_SERIAL = concat!("select ", known!(), "
        from devices d
        where d.tenant = $1
          and d.lifecycle <> 'retired'
          and d.serial_fold in (", in64!(), ")");
    pub(super) BY_MAC = concat!("select ", known!(), "
        from devices d
        where d.tenant = $1
          and d.lifecycle <> 'retired'
          and d.mac in (", in64!(), ")");
    pub(super) BY_ADDRESS = concat!("select ", known!(), "
        from devices d
        where d.tenant = $1
          and d.lifecycle <> 'retired'
          and d.sort_address in (", in64!(), ")");
    pub(super) BY_ENGINE = concat!("select ", known!(), "
        from devices d
        where d.tenant = $1
          and d.lifecycle <> 'retired'
          and d.engine_id in (", in64!(), ")");
    /// What three devices or more have shown is evidence of none.
    pub(super) WORTHLESS = concat!("select e.value
        from device_evidence e
        where e.tenant = $1
          and e.kind in ('mac', 'engine_id')
          and e.value in (", in64!(), ")
        group by e.value
        having count(distinct e.device) >= 3");
    pub(super) BY_ID = concat!("select ", known!(), "
        from devices d
        where d.tenant = $1
          and d.id in (", in64!(), ")");
    pub(super) NOT_HEARD = concat!(
        "select ",
        known!(),
        "
        from devices d
        where d.tenant = $1
          and d.agent = $2
          and d.lifecycle <> 'retired'
          and d.comm <> 'reporting'"
    );
    pub(super) INSERT = "insert into devices (
          tenant, id, version, lifecycle, agent, vendor, model, serial_no, serial_fold, name, hostname,
          own_name, address, port, mac, snmp, sys_object_id, description, location, own_location, contact,
          asset_no, label, place, firmware, comm, comm_at, state, reasons, console, state_at, status_at,
          word, rank, why, supplies, pages_life, pages_month, pages_month_key, sort_name, sort_model,
          sort_place, sort_serial, sort_address, identity_hash, supplies_hash, parts_hash, alerts_hash,
          first_at, retired_at, engine_id)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21,
          $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36, $37, $38, $39, $40, $41,
          $42, $43, $44, $45, $46, $47, $48, $49, $50, $51)";
    pub(super) UPDATE_IDENTITY = "update devices
        set agent = $3, vendor = $4, model = $5, serial_no = $6, serial_fold = $7, name = $8, hostname = $9,
          address = $10, port = $11, mac = $12, snmp = $13, sys_object_id = $14, description = $15,
          location = $16, contact = $17, label = $18, place = $19, firmware = $20, sort_name = $21,
          sort_model = $22, sort_place = $23, sort_serial = $24, sort_address = $25, identity_hash = $26, engine_id = $27
        where tenant = $1
          and id = $2";
    pub(super) UPDATE_STATUS = "update devices
        set comm = $3, comm_at = $4, state = $5, reasons = $6, console = $7, state_at = $8, status_at = $9,
          word = $10, rank = $11, why = $12, supplies = $13, supplies_hash = $14, parts_hash = $15,
          alerts_hash = $16
        where tenant = $1
          and id = $2";
    pub(super) PRESENCE_NEW = "insert into device_presence (tenant, device, seen_at, heard_by, source_at)
        values ($1, $2, $3, $4, $3)
        on conflict (tenant, device) do nothing";
    pub(super) PRESENCE = "update device_presence
        set seen_at = $3,
          heard_by = coalesce($4, heard_by),
          source_at = coalesce($5, source_at)
        where tenant = $1
          and device = $2
          and seen_at <= $3";
    pub(super) SEEN = "update device_presence
        set seen_at = $3,
          source_at = case when heard_by = $2 then $3 else source_at end
        where tenant = $1
          and device = (select e.device
            from device_evidence e
            where e.tenant = $1
              and e.kind = 'subject'
              and e.value = $2
              and e.ended_at is null)
          and seen_at <= $3";
    pub(super) EVIDENCE = "insert into device_evidence (tenant, kind, value, device, source, first_at)
        values ($1, $2, $3, $4, $5, $6)
        on conflict (tenant, kind, value, device) do update set ended_at = null";
    pub(super) EVIDENCE_END = "update device_evidence
        set ended_at = $5
        where tenant = $1
          and kind = $2
          and value = $3
          and device <> $4
          and ended_at is null";
    pub(super) EVIDENCE_END_OF = "update device_evidence
        set ended_at = $4
        where tenant = $1
          and device = $2
          and kind = $3
          and value <> $5
          and ended_at is null";
    pub(super) TOKENS_DROP = "delete from device_tokens
        where tenant = $1
          and device = $2";
    pub(super) TOKEN = "insert into device_tokens (tenant, device, token)
        values ($1, $2, $3)
        on conflict (tenant, device, token) do nothing";
    pub(super) PARTS = "insert into device_parts (tenant, device, inputs, outputs, covers, quirks, read_at)
        values ($1, $2, $3, $4, $5, $6, $7)
        on conflict (tenant, device) do update
        set inputs = excluded.inputs,
          outputs = excluded.outputs,
          covers = excluded.covers,
          quirks = excluded.quirks,
          read_at = excluded.read_at";
    pub(super) COMPONENT = "insert into device_components (tenant, device, kind, name, version, first_at)
        values ($1, $2, $3, $4, $5, $6)
        on conflict (tenant, device, kind, name) do update
        set version = excluded.version,
          first_at = excluded.first_at
        where device_components.version <> excluded.version";
    pub(super) HISTORY = "insert into device_history (tenant, month, device, at, no, kind, data, actor)
        values ($1, $2, $3, $4, $5, $6, $7, $8)
        on conflict (tenant, month, device, at, no) do nothing";
    pub(super) UPDATE_OWN = "update devices
        set own_name = $3,
          own_location = $4,
          asset_no = $5,
          label = $6,
          place = $7,
          sort_name = $8,
          sort_place = $9,
          version = version + 1
        where tenant = $1
          and id = $2
          and version = $10";
    pub(super) CHANGES = "select at, data
        from device_history
        where tenant = $1
          and device = $2
          and at >= $3
          and at <= $4
          and kind in ('identity', 'firmware', 'address')
        order by at, no
        limit 20";
    pub(super) RETIRE_JOINED = "update devices
        set lifecycle = 'retired',
          retired_at = $3,
          serial_fold = null,
          version = version + 1
        where tenant = $1
          and id = $2";
    pub(super) EVIDENCE_JOIN = "update device_evidence
        set device = $3
        where tenant = $1
          and device = $2
          and not exists (select 1 from device_evidence k
            where k.tenant = $1
              and k.kind = device_evidence.kind
              and k.value = device_evidence.value
              and k.device = $3)";
    pub(super) EVIDENCE_LEFT = "update device_evidence
        set ended_at = $3
        where tenant = $1
          and device = $2
          and ended_at is null";
    pub(super) HISTORY_JOIN = "update device_history
        set device = $3
        where tenant = $1
          and device = $2";
    pub(super) TAKE_OVER = "update devices
        set vendor = $3, serial_no = $4, serial_fold = $5, mac = $6, model = $7, sort_serial = $8,
          identity_hash = 0, version = version + 1
        where tenant = $1
          and id = $2";
    pub(super) GIVE_TO = "update devices
        set agent = $3,
          identity_hash = 0,
          version = version + 1
        where tenant = $1
          and id = $2";
    pub(super) SOURCE = "update device_presence
        set heard_by = $3,
          source_at = $4
        where tenant = $1
          and device = $2";
    pub(super) BILL_BY = "update devices
        set bill_source = $3,
          version = version + 1
        where tenant = $1
          and id = $2";
    pub(super) RETIRE = "update devices
        set lifecycle = 'retired',
          retired_at = $3,
          version = version + 1
        where tenant = $1
          and id = $2";
    pub(super) SHEET = "select d.id, d.tenant, d.word, d.why, d.label, d.vendor, d.model, d.serial_no, d.address, d.mac, d.place,
          d.supplies, d.pages_month, d.pages_life, p.seen_at, d.agent, d.comm, d.state, d.reasons, d.version,
          d.lifecycle, d.own_name, d.own_location, d.asset_no, d.name, d.location, d.hostname, d.contact, d.description,
          d.sys_object_id, d.snmp, d.port, d.console, d.state_at, d.status_at, d.comm_at, d.first_at, a.name as agent_name,
          q.inputs, q.outputs, q.covers, q.quirks
        from devices d
        join device_presence p on p.tenant = d.tenant and p.device = d.id
        left join agents a on a.tenant = d.tenant and a.id = d.agent
        left join device_parts q on q.tenant = d.tenant and q.device = d.id
        where d.tenant = $1
          and d.id = $2";
    pub(super) COMPONENTS = "select kind, name, version, first_at
        from device_components
        where tenant = $1
          and device = $2
        order by kind, name";
    /// Devices whose communication state is no longer what the clock and their agent say.
    pub(super) UNHEARD = concat!("select ", known!(), ", d.tenant, coalesce(a.state, 'online')
        from device_presence p
        join devices d on d.tenant = p.tenant and d.id = p.device
        left join agents a on a.tenant = d.tenant and a.id = d.agent
        where p.seen_at < $1
          and d.lifecycle <> 'retired'
          and not exists (select 1 from monitors m where m.tenant = d.tenant and m.id = d.agent)
          and case when coalesce(a.state, 'online') <> 'online' then d.comm <> 'unknown_path'
            when d.comm = 'reporting' then true
            when d.comm = 'late' then p.seen_at < $2
            when d.comm = 'unknown_path' then p.seen_at < $2 and d.comm_at < $2
            when d.comm = 'unreachable' then p.seen_at < $2 and not exists (select 1 from alerts x
              where x.tenant = d.tenant and x.device = d.id and x.reason = 'platen-silent' and x.cleared_at is null)
            else false end
        order by d.tenant, d.id
        limit $3");
    /// Devices that report by themselves and are overdue. Their period is the shortest of the kinds that they have told (the
    /// usual ones are those of `Kind::of_device`), a day when none of these has one; the settings inquiry tells nothing.
    pub(super) OVERDUE = concat!("select ", known!(), ", d.tenant, q.period
        from (select m.tenant, m.id, coalesce((select min(coalesce(k.period_s, case k.kind when 5 then 57600 when 6 then 57600
              when 7 then 57600 when 8 then 2160000 when 9 then 604800 when 11 then 43200 when 16 then 2592000 end))
            from monitor_kinds k
            where k.tenant = m.tenant and k.monitor = m.id and k.said_at is not null and k.kind <> 15), 86400) as period
          from monitors m
          where m.state = 'active' and m.said_at < $1) q
        join devices d on d.tenant = q.tenant and d.agent = q.id
        join device_presence p on p.tenant = d.tenant and p.device = d.id
        where d.lifecycle <> 'retired'
          and case when d.comm = 'silent' then false
            when p.seen_at < $2 - 3000000 * q.period and p.seen_at < $3 then true
            when d.comm = 'late' then false
            else p.seen_at < $2 - 2000000 * q.period end
        order by d.tenant, d.id
        limit $4");
    pub(super) MONTHS = "select id, zone
        from organisations";
}
