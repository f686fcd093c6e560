-- Meters: one counter each, its present segment beside it; closed segments, readings and sums made from readings.
create table meters (
  tenant text not null,
  device text not null,
  id bigint not null,
  function text not null,
  color text not null,
  size text not null,
  sides text not null,
  unit text not null,
  source text not null,
  department text not null,
  name text,
  role text,
  segment bigint not null,
  segment_reason text not null,
  segment_at bigint not null,
  first_value bigint not null,
  last_value bigint not null,
  last_at bigint not null,
  read_at bigint not null,
  quality text not null,
  before_value bigint,
  suspect_value bigint,
  suspect_at bigint,
  primary key (tenant, device, id)
);
create unique index meters_words on meters (tenant, device, function, color, size, sides, unit, source, department);

-- Segments that have ended; the present one stands in meters.
create table meter_segments (
  tenant text not null,
  device text not null,
  meter bigint not null,
  no bigint not null,
  reason text not null,
  from_at bigint not null,
  first_value bigint not null,
  last_at bigint not null,
  last_value bigint not null,
  primary key (tenant, device, meter, no)
);

create table readings (
  tenant text not null,
  month bigint not null,
  meter bigint not null,
  taken_at bigint not null,
  value bigint not null,
  quality text not null,
  segment bigint not null,
  received_at bigint not null,
  clock_offset_ms bigint not null,
  primary key (tenant, meter, taken_at, month)
);

-- Sums by hour (grain 1, hours since 1970), local day (2, yyyymmdd) and local month (3, yyyymm).
create table usages (
  tenant text not null,
  device text not null,
  grain bigint not null,
  bucket bigint not null,
  meter bigint not null,
  delta bigint not null,
  readings bigint not null,
  primary key (tenant, device, grain, bucket, meter)
);
