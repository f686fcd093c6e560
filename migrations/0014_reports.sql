-- Reports: the raw log comes first and the answer follows its commit; the window that makes repeats harmless.
create table inbox (
  tenant text not null,
  recv_day bigint not null,
  id text not null,
  recv_at bigint not null,
  sender text not null,
  epoch bigint not null,
  first_seq bigint not null,
  last_seq bigint not null,
  messages bigint not null,
  invalid bigint not null,
  unknown_kinds bigint not null,
  clock_offset_ms bigint not null,
  size_bytes bigint not null,
  body bytea not null,
  primary key (tenant, recv_day, id)
);
create index inbox_sender on inbox (tenant, sender, recv_at);

create table streams (
  tenant text not null,
  sender text not null,
  epoch bigint not null,
  high_seq bigint not null,
  taken bytea not null,
  touched_at bigint not null,
  primary key (tenant, sender)
);
