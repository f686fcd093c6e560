//! The plan's credentials as the sweep tries them.

use std::{fmt::Display, str::FromStr, sync::Arc};

use snmp::{Security, UsmUser};
use wire::plan::SnmpCredential;

/// Ways in, in the order of trial; the sweep itself asks in v1 where v2c stays without an answer.
/// One that cannot be used is left out and told.
pub(crate) fn securities(credentials: &[SnmpCredential]) -> Vec<Arc<Security>> {
    let mut ways = Vec::new();
    for (place, credential) in credentials.iter().enumerate() {
        match credential {
            SnmpCredential::Community { community } => ways.push(Arc::new(Security::v2c(community.as_str()))),
            SnmpCredential::Usm { user, auth, auth_pass, privacy, privacy_pass } => {
                match usm(user, (auth, auth_pass), (privacy, privacy_pass)) {
                    Ok(user) => ways.push(Arc::new(Security::v3(Arc::new(user)))),
                    Err(reason) => tracing::warn!(place, reason, "a credential of the plan cannot be used"),
                }
            }
        }
    }
    ways
}

type Named<'a> = (&'a Option<String>, &'a Option<String>);

fn usm(user: &str, auth: Named<'_>, privacy: Named<'_>) -> Result<UsmUser, String> {
    let mut made = UsmUser::new(user);
    if let Some(name) = auth.0 {
        let pass = auth.1.as_deref().ok_or("the authentication pass phrase is missing")?;
        made = made.auth(protocol(name)?, pass);
    }
    if let Some(name) = privacy.0 {
        let pass = privacy.1.as_deref().ok_or("the privacy pass phrase is missing")?;
        made = made.privacy(protocol(name)?, pass);
    }
    Ok(made)
}

fn protocol<P: FromStr<Err: Display>>(name: &str) -> Result<P, String> {
    name.parse().map_err(|e: P::Err| e.to_string())
}
