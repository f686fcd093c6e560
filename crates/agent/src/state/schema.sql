-- The agent's own file: devices that it keeps read, messages that wait, facts about itself.
create table devices (
    subject bytea primary key,
    identity_key text not null unique,
    vendor text,
    model text,
    serial text,
    mac text,
    address text,
    port integer not null,
    known text not null,
    vitals_hash bigint not null,
    status_hash bigint not null,
    meters_hash bigint not null,
    full_at bigint not null,
    meters_at bigint not null
);

create table outbox (
    seq bigint primary key,
    kind bigint not null,
    taken_at bigint not null,
    subject bytea,
    message bytea not null,
    due_at bigint not null,
    resent integer not null
);

create index outbox_by_subject on outbox (subject, kind, seq);

create table facts (
    name text primary key,
    value text not null
);
