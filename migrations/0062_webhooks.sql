-- Webhooks: where events go, signed; and what became of each of them.
create table webhooks (
  tenant text not null,
  id text not null,
  version bigint not null,
  name text not null,
  url text not null,
  types text not null,
  secrets_sealed bytea not null,
  secrets bigint not null,
  rotated_at bigint,
  state text not null,
  state_why text,
  state_at bigint not null,
  failing_since bigint,
  delivered_at bigint,
  seen bigint not null,
  created_at bigint not null,
  primary key (tenant, id),
  check (state in ('active', 'disabled'))
);
create index webhooks_active on webhooks (state, tenant, id);

-- First tries go in order of `seq`; what failed is tried again later, beside what came after it.
create table webhook_deliveries (
  tenant text not null,
  webhook text not null,
  id text not null,
  seq bigint not null,
  type text not null,
  body text not null,
  state text not null,
  tries bigint not null,
  next_at bigint not null,
  locked_until bigint,
  worker text,
  status bigint,
  error text,
  took_ms bigint,
  created_at bigint not null,
  ended_at bigint,
  primary key (tenant, webhook, id),
  check (state in ('queued', 'sent', 'dead'))
);
create index webhook_deliveries_due on webhook_deliveries (state, next_at);
create index webhook_deliveries_order on webhook_deliveries (tenant, webhook, state, tries, seq, id);
create index webhook_deliveries_time on webhook_deliveries (tenant, webhook, created_at, id);
