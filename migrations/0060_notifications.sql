-- Recipients: people, mail addresses without account, webhooks, log hosts; and what is to be told to them.
-- No address lies open: sealed, with a hash by which it is found again. Times are µs, minutes are those of a day.
create table recipients (
  tenant text not null,
  id text not null,
  version bigint not null,
  name text not null,
  kind text not null,
  address_sealed bytea,
  address_hash text,
  user_id text,
  webhook text,
  fallback text,
  state text not null,
  state_why text,
  state_at bigint not null,
  bounces bigint not null,
  zone text not null,
  quiet_from bigint,
  quiet_until bigint,
  critical_passes boolean not null,
  cap_per_hour bigint not null,
  digest text not null,
  digest_minute bigint not null,
  digest_weekday bigint not null,
  digest_at bigint,
  created_at bigint not null,
  primary key (tenant, id),
  check (kind in ('user', 'mail', 'webhook', 'syslog')),
  check (state in ('ok', 'suspended'))
);
create unique index recipients_address on recipients (tenant, address_hash) where address_hash is not null;
create index recipients_name on recipients (tenant, name, id);
create index recipients_digest on recipients (digest_at) where digest_at is not null;

-- One message to one recipient. Of a recipient's lane (0 critical, 1 the rest) the lowest id that is queued goes first.
create table notifications (
  tenant text not null,
  id text not null,
  month bigint not null,
  recipient text not null,
  channel text not null,
  lane bigint not null,
  kind text not null,
  subject_kind text not null,
  subject_id text not null,
  unique_key text not null,
  title text not null,
  text text not null,
  state text not null,
  held text,
  tries bigint not null,
  next_at bigint not null,
  locked_until bigint,
  worker text,
  status bigint,
  error text,
  went_into text,
  first_recipient text,
  created_at bigint not null,
  ended_at bigint,
  primary key (tenant, id),
  check (state in ('queued', 'sent', 'handed', 'folded', 'dead'))
);
create unique index notifications_key on notifications (tenant, unique_key);
create index notifications_due on notifications (state, next_at);
create index notifications_order on notifications (tenant, recipient, state, lane, id);
create index notifications_sent on notifications (tenant, recipient, ended_at);
create index notifications_subject on notifications (tenant, subject_kind, subject_id, id);

-- What goes along with a message.
create table notification_files (
  tenant text not null,
  notification text not null,
  name text not null,
  media_type text not null,
  body bytea not null,
  created_at bigint not null,
  primary key (tenant, notification)
);
