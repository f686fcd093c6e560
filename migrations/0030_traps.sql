-- Traps: what an agent's trap door heard and from whom; what alerts need so that flaps and full tables do no harm.
alter table alerts add column quiet_at bigint;
alter table alerts add column evicted bigint not null default 0;
alter table alerts add column audience text not null default '';
alter table incidents add column audience text not null default '';
create index alerts_quiet on alerts (quiet_at) where quiet_at is not null and cleared_at is null;

create table trap_doors (
  tenant text not null,
  agent text not null,
  door text not null,
  received bigint not null,
  known bigint not null,
  shed bigint not null,
  refused bigint not null,
  since_at bigint not null,
  said_at bigint not null,
  primary key (tenant, agent)
);

create table trap_senders (
  tenant text not null,
  agent text not null,
  address text not null,
  total bigint not null,
  first_at bigint not null,
  last_at bigint not null,
  trap text,
  snmp text,
  speaks_for text,
  primary key (tenant, agent, address)
);
create index trap_senders_last on trap_senders (tenant, agent, last_at, address);
