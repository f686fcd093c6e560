//! Every migration of the product in order; the texts lie in `/migrations`.

use store::Migration;

macro_rules! migration {
    ($name:literal) => {
        Migration::portable($name, include_str!(concat!("../../../migrations/", $name, ".sql")))
    };
}

/// All migrations, oldest first.
#[must_use]
pub fn migrations() -> Vec<Migration> {
    vec![
        store::STORE_MIGRATION,
        migration!("0002_orgs"),
        migration!("0003_users"),
        migration!("0004_agents"),
        migration!("0005_audit"),
        migration!("0006_retention"),
        migration!("0010_devices"),
        migration!("0011_meters"),
        migration!("0012_supplies"),
        migration!("0013_alerts"),
        migration!("0014_reports"),
        migration!("0015_doubts"),
        migration!("0030_traps"),
        migration!("0031_discovery"),
        migration!("0032_receptacles"),
        migration!("0040_monitors"),
        migration!("0041_told"),
        migration!("0050_mail_roads"),
        migration!("0051_calls"),
        migration!("0052_ingest"),
        migration!("0053_kept"),
        Migration { sqlite: Some("-- One table: rows go in batches."), ..migration!("0054_days") },
        migration!("0055_billing"),
        migration!("0057_supplies"),
        migration!("0060_notifications"),
        migration!("0061_alerting"),
        migration!("0062_webhooks"),
        migration!("0064_tasks"),
        migration!("0068_orders"),
        migration!("0069_activation"),
    ]
}
