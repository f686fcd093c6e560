-- Devices that report by themselves: registered by serial number beforehand, proved once by a claim, then by their key.
create table monitors (
  tenant text not null,
  id text not null,
  vendor text not null,
  serial_no text not null,
  serial_fold text not null,
  model text not null,
  state text not null,
  road text,
  public_key bytea,
  claim_hash text,
  claim_until bigint,
  firmware text,
  mac text,
  listener text,
  epoch bigint not null,
  schedule_revision bigint not null,
  clock_offset_ms bigint not null,
  registered_at bigint not null,
  registered_by text not null,
  hello_at bigint,
  said_at bigint,
  said_road text,
  device text,
  version bigint not null,
  primary key (tenant, id),
  check (state in ('registered', 'active', 'suspended'))
);
create unique index monitors_id on monitors (id);
-- A serial number has one holder in all the world; who sells the device on releases it.
create unique index monitors_unit on monitors (vendor, serial_fold);
create index monitors_list on monitors (tenant, serial_fold, id);

-- What a monitor last told of each kind, and the period that it follows where it differs from the usual.
create table monitor_kinds (
  tenant text not null,
  monitor text not null,
  kind bigint not null,
  period_s bigint,
  said_at bigint,
  taken_at bigint,
  size_bytes bigint not null,
  messages bigint not null,
  primary key (tenant, monitor, kind)
);

-- Who asked to be heard and was refused: serials that nobody registered belong to the root, others to their holder.
create table strangers (
  tenant text not null,
  vendor text not null,
  serial_fold text not null,
  serial_no text not null,
  model text not null,
  why text not null,
  peer text not null,
  tries bigint not null,
  first_at bigint not null,
  last_at bigint not null,
  primary key (tenant, vendor, serial_fold)
);

-- Orders to one device or agent: signed, of one use, soon over.
create table commands (
  tenant text not null,
  id text not null,
  target text not null,
  what text not null,
  order_bytes bytea not null,
  state text not null,
  issued_at bigint not null,
  issued_by text not null,
  expires_at bigint not null,
  taken_at bigint,
  ended_at bigint,
  detail text,
  primary key (tenant, id),
  check (state in ('queued', 'taken', 'done', 'failed', 'refused', 'expired', 'cancelled'))
);
create index commands_target on commands (tenant, target, state, issued_at);
create index commands_open on commands (state, expires_at);
