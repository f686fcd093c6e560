//! The store against both engines: a SQLite file and a throw-away PostgreSQL.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod blobs;
mod durability;
mod events;
mod facade;
mod idempotency;
mod leftovers;
mod migrations;
mod queue;
mod tenants;
mod throughput;

use store::{Migration, STORE_MIGRATION, View};

/// A table of each type, for tests.
const SAMPLES: Migration = Migration::portable(
    "9001_samples",
    "create table samples (
        id bigint primary key,
        label text,
        active boolean,
        share double precision,
        document jsonb,
        raw bytea,
        seen timestamptz
    );
    create table counters (id bigint primary key, value bigint not null);
    create table notes (tenant text not null, id bigint not null, body text not null, primary key (tenant, id));",
);

const ALL: View = View::All("test");

fn migrations() -> [Migration; 2] {
    [STORE_MIGRATION, SAMPLES]
}

store::sql! {
    COUNT_SAMPLES = "select count(*) from samples";
    SAMPLE_IDS = "select id from samples order by id";
    INSERT_SAMPLE = "insert into samples (id, label) values ($1, $2)";
}
