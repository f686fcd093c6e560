//! One line that says what the last form did; a redirect carries its key in a cookie for one page.

/// The words for a key; unknown keys say nothing, so that a cookie cannot put words on a page.
pub(crate) fn note(key: &str) -> Option<&'static str> {
    Some(match key {
        "saved" => "Saved.",
        "carry" => {
            "Saved here. The device only sends mail: it learns this from a new activation document that is carried to it."
        }
        "partly" => "Done where it could be; the others are as they were.",
        "acknowledged" => "Acknowledged; it stays listed until the device clears it.",
        "settled" => "Settled. The figures follow your decision.",
        "reopened" => "Open again; the figures are what they were before.",
        "snoozed" => "Snoozed.",
        "enabled-hook" => "Enabled. What happens from now on is sent.",
        "ended" => "Ended. It stays ended, though its alerts may stand.",
        "sent-test" => "A test is on its way.",
        "resent" => "It is sent again.",
        "deleted" => "Deleted.",
        "revoked" => "Revoked. Nothing it sends is accepted from now on.",
        "discover" => "Asked. The agent begins with its next call.",
        "imported" => "Taken. The agent asks these places first, from its next call.",
        "ordered" => "Ordered. The device fetches its order when it next calls, or its agent does.",
        "plan" => "Plan saved. The agent follows it from its next call.",
        "created" => "Created.",
        "disabled" => "Disabled; open sessions have ended.",
        "enabled" => "Enabled.",
        "password" => "Password changed; other sessions have ended.",
        "token-revoked" => "Token revoked.",
        "filter-saved" => "Filter saved.",
        "filter-deleted" => "Filter deleted.",
        "retired" => "Retired. Its history is kept.",
        "restored" => "In use again.",
        "welcome" => "Welcome. Your session lasts while you use it.",
        "stale" => "Somebody else changed this meanwhile. The page shows the newest state; look and try again.",
        _ => return None,
    })
}
