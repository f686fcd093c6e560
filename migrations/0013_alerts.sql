-- Alerts: one standing condition on one device; incidents: one cause, which people own, snooze and close.
create table alerts (
  tenant text not null,
  id text not null,
  device text not null,
  grp text not null,
  part text not null,
  reason text not null,
  severity text not null,
  rank bigint not null,
  code bigint,
  text text,
  source text not null,
  since_at bigint,
  raised_at bigint not null,
  cleared_at bigint,
  flaps bigint not null,
  incident text not null,
  primary key (tenant, id)
);
create unique index alerts_open on alerts (tenant, device, grp, part, reason) where cleared_at is null;
create index alerts_device on alerts (tenant, device, raised_at);
create index alerts_by_rank on alerts (tenant, rank, raised_at, id) where cleared_at is null;
create index alerts_by_time on alerts (tenant, raised_at, id);
create index alerts_incident on alerts (tenant, incident);

create table incidents (
  tenant text not null,
  id text not null,
  version bigint not null,
  state text not null,
  device text,
  agent text,
  reason text not null,
  severity text not null,
  cause text not null,
  owner text,
  acked_at bigint,
  snoozed_until bigint,
  note text,
  opened_at bigint not null,
  resolved_at bigint,
  primary key (tenant, id)
);
create unique index incidents_open_device on incidents (tenant, device, reason) where resolved_at is null and device is not null;
create unique index incidents_open_agent on incidents (tenant, agent, reason) where resolved_at is null and agent is not null;
create index incidents_by_time on incidents (tenant, opened_at, id);
