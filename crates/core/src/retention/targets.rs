//! The growing tables of the product with their classes (model.md §2, column "ret"), on one page.
//! A capability may also register a table of its own beside its statements.

use inventory::submit;

use super::{Class, Target};

submit! { Target::at(Class::Short, "sessions", "idle_until") }
submit! { Target::at(Class::Short, "enrolment_tokens", "expires_at") }
submit! { Target::at(Class::Short, "login_budgets", "last_at").shared() }
submit! { Target::at(Class::Short, "idempotency_keys", "until_at") }

submit! { Target::at(Class::Event, "events", "at").monthly() }

// What still has an effect to come stays.
submit! { Target::at(Class::Inbox, "inbox", "recv_at").only(
    "not exists (select 1 from inbox_open o where o.tenant = inbox.tenant and o.id = inbox.id)"
).batched("id") }
submit! { Target::at(Class::Inbox, "inbox_quarantine", "at") }

// What people did with a device stays with it; what it said of itself fades.
submit! { Target::at(Class::Status, "device_history", "at").monthly().only("kind = 'state'") }
submit! { Target::at(Class::Status, "supply_levels", "at").monthly() }

submit! { Target::at(Class::Meter, "readings", "taken_at").monthly() }
submit! { Target::at(Class::Meter, "supply_replacements", "at") }
submit! { Target::at(Class::Meter, "supply_promises", "made_at") }
submit! { Target::at(Class::Meter, "part_replacements", "at") }
// Things go before their shipment does.
submit! { Target::at(Class::Service, "shipment_items", "made_at").only(
    "exists (select 1 from shipments s where s.tenant = shipment_items.tenant and s.id = shipment_items.shipment and s.ended_at is not null)"
) }
submit! { Target::at(Class::Service, "shipments", "ended_at").only(
    "not exists (select 1 from shipment_items i where i.tenant = shipments.tenant and i.shipment = shipments.id)"
) }
submit! { Target::at(Class::Meter, "doubts", "settled_at") }
submit! { Target::at(Class::Meter, "doubt_meters", "border_at").only(
    "not exists (select 1 from doubts d where d.tenant = doubt_meters.tenant and d.id = doubt_meters.doubt)"
) }

// A full set goes once nothing that changes it is left.
submit! { Target::at(Class::Meter, "counter_snapshots", "at").only(
    "form <> 1 or not exists (select 1 from counter_snapshots c where c.tenant = counter_snapshots.tenant
        and c.device = counter_snapshots.device and c.kind = counter_snapshots.kind and c.form = 2
        and c.full_ms = counter_snapshots.taken_ms)"
).batched("device, kind, taken_ms") }

// A closed period goes as a whole: what hangs on it once it is gone itself.
submit! { Target::at(Class::Close, "closes", "closed_at") }
submit! { Target::at(Class::Close, "close_devices", "until_at").only(
    "not exists (select 1 from closes k where k.tenant = close_devices.tenant and k.id = close_devices.close)"
) }
submit! { Target::at(Class::Close, "close_lines", "to_at").only(
    "not exists (select 1 from closes k where k.tenant = close_lines.tenant and k.id = close_lines.close)"
) }
submit! { Target::at(Class::Close, "close_adjustments", "at").only(
    "not exists (select 1 from closes k where k.tenant = close_adjustments.tenant and k.id = close_adjustments.close)"
) }
submit! { Target::at(Class::Close, "close_gaps", "found_at").only(
    "not exists (select 1 from closes k where k.tenant = close_gaps.tenant and k.id = close_gaps.close)"
) }
submit! { Target::at(Class::Close, "billing_documents", "made_at").only(
    "not exists (select 1 from closes k where k.tenant = billing_documents.tenant and k.id = billing_documents.close)"
) }

submit! { Target::at(Class::Service, "device_events", "at") }
submit! { Target::at(Class::Service, "diagnostics", "at") }
submit! { Target::at(Class::Service, "alerts", "cleared_at") }
submit! { Target::at(Class::Service, "incidents", "resolved_at").only(
    "not exists (select 1 from alerts a where a.tenant = incidents.tenant and a.incident = incidents.id)"
) }

submit! { Target::months(Class::Audit, "audit_payloads") }
submit! { Target::months(Class::Audit, "audit_records") }
submit! { Target::months(Class::Audit, "audit_checkpoints") }

submit! { Target::at(Class::Delivery, "notifications", "ended_at") }
submit! { Target::at(Class::Delivery, "notification_files", "created_at").only(
    "not exists (select 1 from notifications n where n.tenant = notification_files.tenant and n.id = notification_files.notification)"
) }
submit! { Target::at(Class::Delivery, "webhook_deliveries", "ended_at") }
submit! { Target::at(Class::Service, "alert_firings", "ended_at").only(
    "not exists (select 1 from incidents i where i.tenant = alert_firings.owner_org and i.id = alert_firings.incident)"
) }
