-- PostgreSQL alone: the raw log in days by the time of receipt, so that an old day is dropped and not deleted row by row.
-- Days are made ahead while the server runs; what fits none lies in the rest.
alter table inbox disable row level security;
alter table inbox rename to inbox_before;
alter table inbox_before rename constraint inbox_pkey to inbox_before_pkey;
alter index inbox_sender rename to inbox_before_sender;
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
  road text,
  primary key (tenant, recv_day, id)
) partition by range (recv_day);
create index inbox_sender on inbox (tenant, sender, recv_at);
create table inbox_rest partition of inbox default;
insert into inbox select * from inbox_before;
drop table inbox_before;
