-- One wish for many devices, and its share for each: a signed order of its own. The task is of the organisation whose people
-- wished it; `org` of a share is that of the device, where its order stands.
create table tasks (
  tenant text not null,
  id text not null,
  what text not null,
  wish text not null,
  filter text not null,
  preview_hash text not null,
  devices bigint not null,
  life_ms bigint not null,
  state text not null,
  made_at bigint not null,
  made_by text not null,
  made_by_name text not null,
  expires_at bigint not null,
  ended_at bigint,
  version bigint not null,
  primary key (tenant, id),
  check (state in ('running', 'done', 'partly_done', 'failed', 'cancelled'))
);
create unique index tasks_id on tasks (id);
create index tasks_list on tasks (tenant, made_at, id);
create index tasks_running on tasks (state, tenant, id);

create table subtasks (
  tenant text not null,
  task text not null,
  monitor text not null,
  org text not null,
  serial_no text not null,
  vendor text not null,
  model text not null,
  device text,
  command text,
  state text not null,
  tries bigint not null,
  detail text,
  at bigint not null,
  primary key (tenant, task, monitor),
  check (state in ('waiting', 'assigned', 'running', 'succeeded', 'failed', 'skipped', 'cancelled', 'timed_out'))
);
create index subtasks_state on subtasks (tenant, task, state, monitor);
create index subtasks_time on subtasks (tenant, at);
