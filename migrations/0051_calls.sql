-- Devices that the server calls by itself: the address that each last called from, for its listener may be there and nowhere
-- else unless the configuration says so; and how the calls go.
create table monitor_calls (
  tenant text not null,
  monitor text not null,
  peer text not null,
  told_at bigint not null,
  failures bigint not null,
  next_at bigint not null,
  called_at bigint,
  fault text,
  primary key (tenant, monitor)
);
