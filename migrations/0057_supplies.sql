-- Supplies ahead of time: when each slot will be empty, how past forecasts came true, limits that call people,
-- shipments, and the life of parts.

-- When a device's supplies are looked at next; a report brings it forward.
create table supply_looks (
  tenant text not null,
  device text not null,
  due_at bigint not null,
  primary key (tenant, device)
);
create index supply_looks_due on supply_looks (due_at);

alter table supply_replacements add column kind text;
alter table supply_replacements add column color text;
alter table supply_replacements add column part_number text;
alter table supply_replacements add column premature bigint not null default 0;

create table supply_forecasts (
  tenant text not null,
  device text not null,
  idx text not null,
  made_at bigint not null,
  fitted_at bigint not null,
  p5_at bigint not null,
  p50_at bigint not null,
  p95_at bigint not null,
  plain_at bigint not null,
  doubt double precision not null,
  left_value double precision not null,
  daily double precision not null,
  kept_left double precision not null,
  primary key (tenant, device, idx)
);
create index supply_forecasts_soonest on supply_forecasts (tenant, p50_at, device, idx);

-- Forecasts as they were made, to be held against what happened.
create table supply_promises (
  tenant text not null,
  device text not null,
  idx text not null,
  made_at bigint not null,
  fitted_at bigint not null,
  p5_at bigint not null,
  p50_at bigint not null,
  p95_at bigint not null,
  plain_at bigint not null,
  doubt double precision not null,
  ended_at bigint,
  outcome text,
  score double precision,
  primary key (tenant, device, idx, made_at)
);
create index supply_promises_ended on supply_promises (tenant, ended_at);

-- How busy the weeks of the year are, learnt from the devices of an organisation; 53 factors with commas between.
-- low_score to high_score: the twentieth parts and the middle of the scores of forecasts that are over.
create table supply_habits (
  tenant text not null,
  season text not null,
  season_weeks bigint not null,
  season_at bigint not null,
  low_score double precision not null,
  mid_score double precision not null,
  high_score double precision not null,
  scored bigint not null,
  scored_at bigint not null,
  primary key (tenant)
);

-- Limits: for one model or all (''), for one colorant or kind or all (''); null: what the wider rule says.
create table supply_limits (
  tenant text not null,
  model text not null,
  what text not null,
  almost_empty double precision,
  empty double precision,
  almost_full double precision,
  full_at double precision,
  soon_days double precision,
  version bigint not null,
  changed_at bigint not null,
  primary key (tenant, model, what)
);

create table shipment_terms (
  tenant text not null,
  proposes bigint not null,
  delivery_days bigint not null,
  margin_days bigint not null,
  together_days bigint not null,
  interval_days bigint not null,
  expiry_days bigint not null,
  version bigint not null,
  changed_at bigint not null,
  primary key (tenant)
);

create table shipments (
  tenant text not null,
  id text not null,
  device text not null,
  state text not null,
  place text not null,
  made_at bigint not null,
  needed_at bigint not null,
  ordered_at bigint,
  shipped_at bigint,
  arrived_at bigint,
  ended_at bigint,
  expires_at bigint not null,
  changed_by text,
  note text,
  version bigint not null,
  primary key (tenant, id),
  check (state in ('proposed', 'ordered', 'shipped', 'arrived', 'done', 'cancelled', 'expired'))
);
-- One proposal a device, and one open item a slot: nothing is ordered twice, whoever asks at the same time.
create unique index shipments_proposed on shipments (tenant, device) where state = 'proposed';
create index shipments_by_need on shipments (tenant, needed_at, id);
create index shipments_device on shipments (tenant, device, made_at);

create table shipment_items (
  tenant text not null,
  shipment text not null,
  idx text not null,
  device text not null,
  name text not null,
  kind text not null,
  color text,
  part_number text,
  why text not null,
  needed_at bigint not null,
  made_at bigint not null,
  is_open bigint not null,
  ended text,
  primary key (tenant, shipment, idx)
);
create unique index shipment_items_open on shipment_items (tenant, device, idx) where is_open = 1;

-- Parts that wear, as told by the standard tables (supply) or by parts counters (told).
create table part_lives (
  tenant text not null,
  device text not null,
  part text not null,
  kind text not null,
  color text,
  source text not null,
  unit text not null,
  used double precision not null,
  rated double precision,
  rated_by text,
  read_at bigint not null,
  fitted_at bigint not null,
  first_used double precision not null,
  first_pages bigint,
  p5_at bigint,
  end_at bigint,
  p95_at bigint,
  sort_at bigint not null,
  primary key (tenant, device, part)
);
create index part_lives_soonest on part_lives (tenant, sort_at, device, part);

create table part_replacements (
  tenant text not null,
  device text not null,
  part text not null,
  at bigint not null,
  kind text not null,
  lived double precision not null,
  primary key (tenant, device, part, at)
);

create table part_ratings (
  tenant text not null,
  model text not null,
  kind text not null,
  rated double precision not null,
  version bigint not null,
  changed_at bigint not null,
  primary key (tenant, model, kind)
);
