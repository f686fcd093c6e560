-- How the last discovery of each agent went, and when the next one may begin.
create table agent_discoveries (
  tenant text not null,
  agent text not null,
  began_at bigint not null,
  ended_at bigint not null,
  addresses bigint not null,
  answered bigint not null,
  printers bigint not null,
  fresh bigint not null,
  packets bigint not null,
  forbidden bigint not null,
  silent text not null,
  unresolved text not null,
  primary key (tenant, agent)
);

alter table agents add column discovery_found bigint not null default 0;
alter table agents add column discovery_next_at bigint not null default 0;
