-- Orders that were begun, so that none is executed twice: taken 0 is under way, others are answers (wire::command::Taken).
create table orders (
    id bytea primary key,
    expires_ms bigint not null,
    taken bigint not null,
    detail text,
    told integer not null
);

-- How often a device is looked at, where an order set it.
create table periods (
    subject bytea primary key,
    revision bigint not null,
    status_s bigint,
    meters_s bigint
);
