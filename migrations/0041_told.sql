-- What devices tell of themselves: errors, jams and alarms; whole sets of counters with the words for their ids; measurements.
-- `taken_ms` is the device's own clock as told, part of the natural key: a repeat under another number is the same thing.
create table device_events (
  tenant text not null,
  device text not null,
  kind bigint not null,
  code text not null,
  taken_ms bigint not null,
  total bigint not null,
  standing bigint not null,
  sub_code text,
  level bigint,
  tray text,
  media text,
  at bigint not null,
  recv_at bigint not null,
  primary key (tenant, device, kind, code, taken_ms, total, standing)
);
create index device_events_time on device_events (tenant, at);
create index device_events_device on device_events (tenant, device, at);

-- One a content: `hash` is the first 8 bytes of the SHA-256 of the dictionary, `meters` its part that bills are made from.
create table counter_dictionaries (
  tenant text not null,
  hash text not null,
  model text not null,
  names bigint not null,
  meters bytea not null,
  body bytea not null,
  first_at bigint not null,
  primary key (tenant, hash)
);

create table counter_snapshots (
  tenant text not null,
  device text not null,
  kind bigint not null,
  taken_ms bigint not null,
  at bigint not null,
  dictionary text not null,
  counters bigint not null,
  size_bytes bigint not null,
  body bytea not null,
  primary key (tenant, device, kind, taken_ms)
);
create index counter_snapshots_time on counter_snapshots (tenant, at);

-- The last set that was told in full: what changes are told against.
create table counter_heads (
  tenant text not null,
  device text not null,
  kind bigint not null,
  sender text not null,
  epoch bigint not null,
  seq bigint not null,
  taken_ms bigint not null,
  primary key (tenant, device, kind)
);

create table diagnostics (
  tenant text not null,
  device text not null,
  kind bigint not null,
  taken_ms bigint not null,
  at bigint not null,
  size_bytes bigint not null,
  body bytea not null,
  primary key (tenant, device, kind, taken_ms)
);
create index diagnostics_time on diagnostics (tenant, at);
