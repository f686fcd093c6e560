-- Devices: the central noun, the evidence for its identity, its parts, its history and the words it is found by.
-- Times are µs since 1970 UTC in bigint, so that both engines can reckon with them.
create table devices (
  tenant text not null,
  id text not null,
  version bigint not null,
  lifecycle text not null,
  agent text,
  vendor text not null,
  model text,
  serial_no text,
  serial_fold text,
  name text,
  hostname text,
  own_name text,
  address text,
  port bigint,
  mac text,
  snmp text,
  sys_object_id text,
  description text,
  location text,
  own_location text,
  contact text,
  asset_no text,
  label text not null,
  place text not null,
  firmware text,
  comm text not null,
  comm_at bigint not null,
  state text not null,
  reasons text not null,
  console text,
  state_at bigint not null,
  status_at bigint not null,
  word text not null,
  rank bigint not null,
  why text,
  supplies jsonb not null,
  pages_life bigint,
  pages_month bigint not null,
  pages_month_key bigint not null,
  sort_name text not null,
  sort_model text not null,
  sort_place text not null,
  sort_serial text not null,
  sort_address text not null,
  identity_hash bigint not null,
  supplies_hash bigint not null,
  parts_hash bigint not null,
  alerts_hash bigint not null,
  first_at bigint not null,
  retired_at bigint,
  primary key (tenant, id)
);
-- One open device per unit.
create unique index devices_unit on devices (tenant, vendor, serial_fold) where lifecycle <> 'retired' and serial_fold is not null;
create index devices_serial_fold on devices (tenant, serial_fold) where lifecycle <> 'retired';
create index devices_mac on devices (tenant, mac) where lifecycle <> 'retired';
create index devices_agent on devices (tenant, agent, comm) where lifecycle <> 'retired';
create index devices_by_status on devices (tenant, rank, sort_name, id) where lifecycle <> 'retired';
create index devices_by_name on devices (tenant, sort_name, id) where lifecycle <> 'retired';
create index devices_by_model on devices (tenant, sort_model, id) where lifecycle <> 'retired';
create index devices_by_place on devices (tenant, sort_place, id) where lifecycle <> 'retired';
create index devices_by_pages on devices (tenant, pages_month, id) where lifecycle <> 'retired';
create index devices_by_serial on devices (tenant, sort_serial, id) where lifecycle <> 'retired';
create index devices_by_address on devices (tenant, sort_address, id) where lifecycle <> 'retired';
create index devices_month on devices (tenant, pages_month_key) where lifecycle <> 'retired';
create index devices_facets on devices (tenant, word, vendor, place, agent) where lifecycle <> 'retired';

-- When a device was last heard: apart and narrow, because it changes each minute and nothing else does.
create table device_presence (
  tenant text not null,
  device text not null,
  seen_at bigint not null,
  primary key (tenant, device)
);
create index device_presence_seen on device_presence (tenant, seen_at, device);

-- What spoke for an identity and when; kind subject binds what an agent calls the device ("agent/subject").
create table device_evidence (
  tenant text not null,
  kind text not null,
  value text not null,
  device text not null,
  source text,
  first_at bigint not null,
  ended_at bigint,
  primary key (tenant, kind, value, device)
);
create index device_evidence_device on device_evidence (tenant, device, kind);
create unique index device_evidence_subject on device_evidence (tenant, value) where kind = 'subject' and ended_at is null;

-- Trays, bins, covers and quirks as they are now: read and written as a whole.
create table device_parts (
  tenant text not null,
  device text not null,
  inputs jsonb not null,
  outputs jsonb not null,
  covers jsonb not null,
  quirks jsonb not null,
  read_at bigint not null,
  primary key (tenant, device)
);

create table device_components (
  tenant text not null,
  device text not null,
  kind text not null,
  name text not null,
  version text not null,
  first_at bigint not null,
  primary key (tenant, device, kind, name)
);

-- All that ever happened to a device, newest first: states, alerts, replacements, moves, edits.
create table device_history (
  tenant text not null,
  month bigint not null,
  device text not null,
  at bigint not null,
  no bigint not null,
  kind text not null,
  data jsonb not null,
  actor text,
  primary key (tenant, month, device, at, no)
);
create index device_history_device on device_history (tenant, device, at, no);

-- Folded words for search by prefix; serial numbers also by their ends.
create table device_tokens (
  tenant text not null,
  device text not null,
  token text not null,
  primary key (tenant, device, token)
);
create index device_tokens_token on device_tokens (tenant, token, device);
