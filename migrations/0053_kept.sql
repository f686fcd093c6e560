-- Sets of counters are kept as a full one (form 1) and what changed against it (form 2, `full_ms` names it); 0: CBOR of old.
alter table counter_snapshots add column form bigint not null default 0;
alter table counter_snapshots add column full_ms bigint;

-- The chain that the next set of a device and kind continues.
create table counter_chains (
  tenant text not null,
  device text not null,
  kind bigint not null,
  full_ms bigint not null,
  length bigint not null,
  primary key (tenant, device, kind)
);

-- Logs on their way up: what has come so far, part by part; whole ones lie among the blobs under their hash.
create table uploads (
  tenant text not null,
  sender text not null,
  sha256 text not null,
  size_bytes bigint not null,
  whole boolean not null,
  began_at bigint not null,
  touched_at bigint not null,
  primary key (tenant, sender, sha256)
);
create index uploads_time on uploads (tenant, touched_at);

create table upload_parts (
  tenant text not null,
  sender text not null,
  sha256 text not null,
  start_at bigint not null,
  body bytea not null,
  primary key (tenant, sender, sha256, start_at)
);
