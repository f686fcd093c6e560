-- Programs on customers' networks: first contact, identity, plan, signs of life.
create table agents (
  tenant text not null,
  id text not null,
  name text not null,
  host text not null,
  version_text text not null,
  state text not null,
  public_key bytea not null,
  key_thumbprint text not null,
  plan_sealed bytea not null,
  plan_revision bigint not null,
  plan_followed bigint not null,
  made_by text not null,
  enrolled_at bigint not null,
  last_seen_at bigint not null,
  devices bigint not null,
  unreachable bigint not null,
  outbox_depth bigint not null,
  discovery_probed bigint not null,
  discovery_total bigint not null,
  version bigint not null,
  primary key (tenant, id),
  check (state in ('online', 'offline', 'revoked'))
);
create unique index agents_id on agents (id);
create unique index agents_key on agents (key_thumbprint);
create index agents_seen on agents (state, last_seen_at);

create table enrolment_tokens (
  tenant text not null,
  token_hash text not null,
  made_by text not null,
  created_at bigint not null,
  expires_at bigint not null,
  used_at bigint,
  used_by text,
  primary key (tenant, token_hash)
);
create unique index enrolment_tokens_hash on enrolment_tokens (token_hash);
