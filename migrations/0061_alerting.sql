-- Rules: which incidents are told to whom, when, and who is told next while nobody takes care.
alter table incidents add column why text;
create index incidents_standing on incidents (tenant, opened_at) where resolved_at is null;

create table alert_rules (
  tenant text not null,
  id text not null,
  version bigint not null,
  name text not null,
  active boolean not null,
  filter text not null,
  hold_s bigint not null,
  severity text,
  from_minute bigint,
  until_minute bigint,
  weekdays bigint not null,
  zone text not null,
  tell_end boolean not null,
  since bigint not null,
  created_at bigint not null,
  primary key (tenant, id)
);

-- Step 0 is told at once, each further one when nobody has taken care for so long since the step before.
create table alert_rule_steps (
  tenant text not null,
  rule text not null,
  step bigint not null,
  after_s bigint not null,
  recipient text not null,
  primary key (tenant, rule, step, recipient)
);
create index alert_rule_steps_recipient on alert_rule_steps (tenant, recipient);

-- A rule that has told an incident. The tenant is the one of the rule, the incident may be of an organisation that it serves.
create table alert_firings (
  tenant text not null,
  rule text not null,
  incident text not null,
  owner_org text not null,
  step bigint not null,
  severity text not null,
  fired_at bigint not null,
  next_at bigint,
  ended_at bigint,
  primary key (tenant, rule, incident)
);
create index alert_firings_due on alert_firings (tenant, rule, next_at) where ended_at is null;
create index alert_firings_incident on alert_firings (tenant, incident);
