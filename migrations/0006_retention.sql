-- How long what is kept, what waits for a person's word, and what went.
create table retention_rules (
  tenant text not null,
  class text not null,
  days bigint not null,
  version bigint not null,
  changed_at bigint not null,
  primary key (tenant, class)
);

create table retention_holds (
  tenant text not null,
  class text not null,
  table_name text not null,
  due_rows bigint not null,
  all_rows bigint not null,
  found_at bigint not null,
  confirmed_at bigint,
  confirmed_by text,
  primary key (tenant, table_name)
);

create table deletion_proofs (
  tenant text not null,
  id text not null,
  class text not null,
  table_name text not null,
  before_at bigint not null,
  rows_gone bigint not null,
  first_at bigint not null,
  last_at bigint not null,
  hash text not null,
  made_at bigint not null,
  primary key (tenant, id)
);
create index deletion_proofs_at on deletion_proofs (tenant, made_at);
