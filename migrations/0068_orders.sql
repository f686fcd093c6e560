-- Orders to agents: whom it concerns (monitor: a registered device, agent: an agent itself, device: one that the target reads),
-- about which device, and for people by whom.
alter table commands add column whom text not null default 'monitor';
alter table commands add column device text;
alter table commands add column given_by text not null default '';
create index commands_device on commands (tenant, device, issued_at);

-- The newest key of the gateway that an agent says it knows; 0: it takes no orders yet.
alter table agents add column key_told bigint not null default 0;

-- How often an agent looks at one device, where a person set it; null: as in its plan.
create table device_periods (
  tenant text not null,
  device text not null,
  status_s bigint,
  meters_s bigint,
  revision bigint not null,
  set_at bigint not null,
  set_by text not null,
  primary key (tenant, device)
);

-- The share of a device that an agent reads is named by the device itself, that of another by its registration.
alter table subtasks rename column monitor to unit;
alter table subtasks add column road text not null default '';
