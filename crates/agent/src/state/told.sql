-- What was told of a device beside its condition, so that it is told once.
create table told (
    subject bytea primary key,
    alerts text not null,
    firmware_hash bigint not null,
    firmware_at bigint not null,
    mismatch text
);
