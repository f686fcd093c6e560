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
