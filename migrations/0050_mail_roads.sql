-- Keys of the gateway: derived from the root key by their number, so that only numbers and times are kept.
create table gateway_keys (
  id bigint not null,
  made_at bigint not null,
  ends_at bigint,
  primary key (id)
);

-- The key that mail to a device is sealed for, and the newest key of the gateway that it surely knows.
alter table monitors add column seal_key bytea;
alter table monitors add column key_told bigint not null default 1;

-- The pair of addresses of a device; it stays once it was told, whatever domain the server is set to later.
create table monitor_mailboxes (
  tenant text not null,
  monitor text not null,
  device_address text not null,
  server_address text not null,
  made_at bigint not null,
  primary key (tenant, monitor)
);
create unique index monitor_mailboxes_device on monitor_mailboxes (device_address);
create index monitor_mailboxes_server on monitor_mailboxes (server_address);
