-- People: accounts, what proves them, sessions, tokens of programs, and searches they keep.
create table installation (
  id bigint not null primary key,
  setup_hash text,
  setup_done_at bigint,
  check (id = 1)
);

create table users (
  tenant text not null,
  id text not null,
  email text not null,
  email_fold text not null,
  name text not null,
  name_fold text not null,
  state text not null,
  role text not null,
  locale text not null,
  version bigint not null,
  created_at bigint not null,
  last_sign_in_at bigint,
  primary key (tenant, id),
  check (state in ('active', 'disabled')),
  check (role in ('admin', 'manager', 'user'))
);
create unique index users_email on users (tenant, email_fold);
create index users_sign_in on users (email_fold);

create table identities (
  tenant text not null,
  id text not null,
  user_id text not null,
  kind text not null,
  verifier text not null,
  temporary boolean not null,
  issued_at bigint not null,
  revoked_at bigint,
  primary key (tenant, id)
);
create index identities_user on identities (tenant, user_id, kind);

create table sessions (
  tenant text not null,
  token_hash text not null,
  user_id text not null,
  client text not null,
  address text not null,
  created_at bigint not null,
  seen_at bigint not null,
  idle_until bigint not null,
  absolute_until bigint not null,
  primary key (tenant, token_hash)
);
create unique index sessions_token on sessions (token_hash);
create index sessions_user on sessions (tenant, user_id);

-- No tenant: failures are counted before anybody is known, under hashes of what was typed.
create table login_budgets (
  kind text not null,
  subject text not null,
  failures bigint not null,
  last_at bigint not null,
  locked_until bigint not null,
  primary key (kind, subject)
);

create table tokens (
  tenant text not null,
  id text not null,
  user_id text not null,
  name text not null,
  token_hash text not null,
  scope text not null,
  created_at bigint not null,
  expires_at bigint,
  last_used_at bigint,
  revoked_at bigint,
  primary key (tenant, id),
  check (scope in ('read', 'write', 'admin'))
);
create unique index tokens_hash on tokens (token_hash);
create index tokens_user on tokens (tenant, user_id);

create table saved_filters (
  tenant text not null,
  id text not null,
  owner text not null,
  list text not null,
  name text not null,
  filter text not null,
  shared_role text,
  version bigint not null,
  created_at bigint not null,
  primary key (tenant, id)
);
create index saved_filters_owner on saved_filters (tenant, owner);
