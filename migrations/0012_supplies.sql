-- Supplies: a slot each with its present level, levels on change, and changes of cartridges.
-- level_value is null unless the device stated a figure (kinds percent and staged).
create table supplies (
  tenant text not null,
  device text not null,
  idx text not null,
  description text,
  kind text not null,
  color text,
  class text not null,
  part_number text,
  serial_no text,
  level_kind text not null,
  level_value double precision,
  level_steps bigint,
  raw_unit bigint,
  raw_max bigint,
  raw_level bigint,
  level_at bigint not null,
  fitted_at bigint not null,
  fitted_pages bigint,
  read_at bigint not null,
  primary key (tenant, device, idx)
);

create table supply_levels (
  tenant text not null,
  month bigint not null,
  device text not null,
  idx text not null,
  at bigint not null,
  kind text not null,
  value double precision,
  steps bigint,
  raw_unit bigint,
  raw_max bigint,
  raw_level bigint,
  pages_life bigint,
  primary key (tenant, month, device, idx, at)
);
create index supply_levels_device on supply_levels (tenant, device, idx, at);

create table supply_replacements (
  tenant text not null,
  device text not null,
  idx text not null,
  at bigint not null,
  old_serial text,
  new_serial text,
  before_value double precision,
  after_value double precision,
  lived_pages bigint,
  fitted_at bigint not null,
  evidence text not null,
  primary key (tenant, device, idx, at)
);
