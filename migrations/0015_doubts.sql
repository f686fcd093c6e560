-- Doubts: what Platen could not know about a counter or an identity, what it assumed, and what a person decided.
-- A counter doubt is one fault of one device; doubt_meters holds what each of its counters did there.
create table doubts (
  tenant text not null,
  id text not null,
  version bigint not null,
  family text not null,
  kind text not null,
  state text not null,
  device text not null,
  other text not null,
  at bigint not null,
  until_at bigint not null,
  opened_at bigint not null,
  data jsonb not null,
  pages bigint,
  decision text,
  note text,
  settled_at bigint,
  settled_by text,
  primary key (tenant, id)
);
create unique index doubts_one on doubts (tenant, device, family, kind, other, at) where state <> 'withdrawn';
create index doubts_device on doubts (tenant, device, state);
create index doubts_by_time on doubts (tenant, state, at, id);

-- verdict: null as assumed, bridge (count so many pages over the border), ignore (the readings until then were false).
create table doubt_meters (
  tenant text not null,
  doubt text not null,
  device text not null,
  meter bigint not null,
  border_at bigint not null,
  until_at bigint not null,
  before_at bigint not null,
  before_value bigint not null,
  after_value bigint not null,
  until_value bigint not null,
  assumed bigint not null,
  cause text not null,
  verdict text,
  bridge bigint,
  primary key (tenant, doubt, meter)
);
create index doubt_meters_meter on doubt_meters (tenant, device, meter, border_at);

-- Which of two total counters is billed, where a person chose one: the object it is read from.
alter table devices add column bill_source text;
-- snmpEngineID in hex: third evidence of an identity, after serial number and hardware address.
alter table devices add column engine_id text;
-- The source that a device is read from ("agent/subject") and when that was heard last: two that speak at once are told
-- from a move by it.
alter table device_presence add column heard_by text;
alter table device_presence add column source_at bigint;
