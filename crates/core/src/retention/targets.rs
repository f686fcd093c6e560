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
) }
submit! { Target::at(Class::Inbox, "inbox_quarantine", "at") }

// What people did with a device stays with it; what it said of itself fades.
submit! { Target::at(Class::Status, "device_history", "at").monthly().only("kind = 'state'") }
submit! { Target::at(Class::Status, "supply_levels", "at").monthly() }

submit! { Target::at(Class::Meter, "readings", "taken_at").monthly() }
submit! { Target::at(Class::Meter, "supply_replacements", "at") }
submit! { Target::at(Class::Meter, "doubts", "settled_at") }
submit! { Target::at(Class::Meter, "doubt_meters", "border_at").only(
    "not exists (select 1 from doubts d where d.tenant = doubt_meters.tenant and d.id = doubt_meters.doubt)"
) }

submit! { Target::at(Class::Meter, "counter_snapshots", "at") }

submit! { Target::at(Class::Service, "device_events", "at") }
submit! { Target::at(Class::Service, "diagnostics", "at") }
submit! { Target::at(Class::Service, "alerts", "cleared_at") }
submit! { Target::at(Class::Service, "incidents", "resolved_at").only(
    "not exists (select 1 from alerts a where a.tenant = incidents.tenant and a.incident = incidents.id)"
) }

submit! { Target::months(Class::Audit, "audit_payloads") }
submit! { Target::months(Class::Audit, "audit_records") }
submit! { Target::months(Class::Audit, "audit_checkpoints") }
