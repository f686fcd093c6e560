-- Who did what: a hash chain per organisation and month; texts lie apart, so that they can be erased and the chain holds.
create table audit_records (
  tenant text not null,
  month bigint not null,
  no bigint not null,
  at bigint not null,
  actor_kind text not null,
  actor_id text not null,
  verb text not null,
  object_kind text not null,
  object_id text not null,
  request text not null,
  payload_hash bytea not null,
  leaf_hash bytea not null,
  primary key (tenant, month, no)
);
create index audit_records_at on audit_records (tenant, at, no);
create index audit_records_object on audit_records (tenant, object_kind, object_id);

create table audit_payloads (
  tenant text not null,
  month bigint not null,
  no bigint not null,
  salt bytea not null,
  content text not null,
  primary key (tenant, month, no)
);

create table audit_checkpoints (
  tenant text not null,
  month bigint not null,
  size bigint not null,
  root_hash bytea not null,
  mac bytea not null,
  primary key (tenant, month)
);
