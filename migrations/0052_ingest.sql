-- Devices that report by themselves are answered once their report is in the raw log; what follows from it comes straight after.
alter table inbox add column road text;
-- What the next message of a stream is held against: whether its device is known, and its last full sets of counters.
alter table streams add column heads bytea;

-- Reports in the raw log whose effect is still to come.
create table inbox_open (
  tenant text not null,
  id text not null,
  recv_day bigint not null,
  sender text not null,
  tries bigint not null,
  ready_at bigint not null,
  primary key (tenant, id)
);
create index inbox_open_order on inbox_open (ready_at, id);

-- Reports that were tried in vain; they stay in the raw log.
create table inbox_quarantine (
  tenant text not null,
  id text not null,
  recv_day bigint not null,
  sender text not null,
  why text not null,
  at bigint not null,
  primary key (tenant, id)
);
create index inbox_quarantine_time on inbox_quarantine (tenant, at);

-- Who holds this row draws from the raw log; one server at a time, so that what one device said keeps its order.
create table inbox_turn (
  id bigint not null primary key,
  turns bigint not null
);
insert into inbox_turn (id, turns) values (1, 0);
