//! The ways into a device: versions by credentials, in the order of the tries, and the context that they ask in.

use std::sync::Arc;
use std::time::Duration;

use snmp::{AuthProtocol, PrivProtocol, Security, UsmUser};
use wire::SnmpVersion;
use wire::plan::SnmpCredential;

use super::access::{Access, Known};
use super::error::{ReadError, Tried};

/// One way in.
pub(super) struct Way {
    /// Place of its credential.
    pub credential: usize,
    /// What it proves itself with.
    pub security: Security,
}

/// All ways in, what worked before first. Versions outside, credentials inside: v2c is tried with each community
/// before v1 is tried with any.
pub(super) fn ways(access: &Access, known: &Known) -> Result<Vec<Way>, ReadError> {
    let versions: &[SnmpVersion] = match access.version {
        None => &[SnmpVersion::V2c, SnmpVersion::V3, SnmpVersion::V1],
        Some(SnmpVersion::V1) => &[SnmpVersion::V1],
        Some(SnmpVersion::V2c) => &[SnmpVersion::V2c],
        Some(SnmpVersion::V3) => &[SnmpVersion::V3],
    };
    let mut ways = Vec::new();
    for version in versions {
        for (place, credential) in access.credentials.iter().enumerate() {
            if let Some(security) = security(credential, *version, place)? {
                let before = known.version == Some(*version) && known.credential == place;
                let at = if before { 0 } else { ways.len() };
                ways.insert(at, Way { credential: place, security });
            }
        }
    }
    match ways.is_empty() {
        true => Err(ReadError::NothingToTry(access.version.map_or("", SnmpVersion::as_str))),
        false => Ok(ways),
    }
}

/// What a sweep tries, in order, each with the place of its credential: a community in v2c (the sweep itself asks in v1
/// where that stays without an answer), a user in v3. The second part tells of credentials that cannot be used.
pub fn ways_in(credentials: &[SnmpCredential]) -> (Vec<(usize, Arc<Security>)>, Vec<ReadError>) {
    let (mut ways, mut wrong) = (Vec::new(), Vec::new());
    for (place, credential) in credentials.iter().enumerate() {
        for version in [SnmpVersion::V2c, SnmpVersion::V3] {
            match security(credential, version, place) {
                Ok(way) => ways.extend(way.map(|security| (place, Arc::new(security)))),
                Err(error) => wrong.push(error),
            }
        }
    }
    (ways, wrong)
}

fn security(credential: &SnmpCredential, version: SnmpVersion, place: usize) -> Result<Option<Security>, ReadError> {
    Ok(match (credential, version) {
        (SnmpCredential::Community { community }, SnmpVersion::V2c) => Some(Security::v2c(community.as_bytes())),
        (SnmpCredential::Community { community }, SnmpVersion::V1) => Some(Security::v1(community.as_bytes())),
        (SnmpCredential::Usm { .. }, SnmpVersion::V3) => {
            let user = user(credential).map_err(|reason| ReadError::Credential { place: place + 1, reason })?;
            user.map(|user| Security::v3(Arc::new(user)))
        }
        _ => None,
    })
}

/// The user of a v3 credential.
fn user(credential: &SnmpCredential) -> Result<Option<UsmUser>, String> {
    let SnmpCredential::Usm { user, auth, auth_pass, privacy, privacy_pass } = credential else { return Ok(None) };
    let mut usm = UsmUser::new(user);
    if let Some(protocol) = auth {
        let pass = auth_pass.as_deref().ok_or("an authentication protocol needs its pass phrase")?;
        usm = usm.auth(protocol.parse::<AuthProtocol>().map_err(|error| error.to_string())?, pass);
    }
    if let Some(protocol) = privacy {
        let pass = privacy_pass.as_deref().ok_or("a privacy protocol needs its pass phrase")?;
        usm = usm.privacy(protocol.parse::<PrivProtocol>().map_err(|error| error.to_string())?, pass);
    }
    Ok(Some(usm))
}

/// The same way in, in a context: a suffix of the community, or the context name of v3.
pub(super) fn in_context(security: &Security, context: Option<&str>) -> Security {
    let Some(context) = context else { return security.clone() };
    match security {
        Security::Community { version, community } => {
            let name = [community.expose(), b"@", context.as_bytes()].concat();
            Security::Community { version: *version, community: snmp::Secret::new(name) }
        }
        Security::Usm { user, .. } => Security::Usm { user: Arc::clone(user), context: context.as_bytes().to_vec() },
    }
}

pub(super) fn tried(access: &Access, ways: &[Way], spent: Duration) -> Tried {
    let mut versions = Vec::new();
    for way in ways {
        let version = way.security.version().as_str();
        if !versions.contains(&version) {
            versions.push(version);
        }
    }
    let mut places: Vec<usize> = ways.iter().map(|way| way.credential).collect();
    places.sort_unstable();
    places.dedup();
    let community = |place: &&usize| matches!(access.credentials.get(**place), Some(SnmpCredential::Community { .. }));
    let communities = places.iter().filter(community).count();
    let users = places.len() - communities;
    Tried { address: access.address, versions, communities, users, spent }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(access: &Access, known: &Known) -> Vec<(usize, &'static str)> {
        ways(access, known).unwrap().iter().map(|way| (way.credential, way.security.version().as_str())).collect()
    }

    #[test]
    fn what_worked_before_is_tried_first() {
        let mut access = Access::new("127.0.0.1:161".parse().unwrap());
        access.credentials.push(SnmpCredential::community("other"));
        assert_eq!(order(&access, &Known::default()), [(0, "v2c"), (1, "v2c"), (0, "v1"), (1, "v1")]);
        let known = Known { version: Some(SnmpVersion::V1), credential: 1, ..Known::default() };
        assert_eq!(order(&access, &known), [(1, "v1"), (0, "v2c"), (1, "v2c"), (0, "v1")]);
        access.version = Some(SnmpVersion::V3);
        assert!(matches!(ways(&access, &known), Err(ReadError::NothingToTry("v3"))));
    }

    #[test]
    fn contexts_of_communities_are_a_suffix() {
        let Security::Community { community, .. } = in_context(&Security::v2c("public"), Some("Jetdirect")) else {
            panic!("a community stays one");
        };
        assert_eq!(community.expose(), b"public@Jetdirect");
    }

    #[test]
    fn a_user_needs_pass_phrases_for_its_protocols() {
        let usm = |auth: Option<&str>, pass: Option<&str>| SnmpCredential::Usm {
            user: "platen".to_owned(),
            auth: auth.map(str::to_owned),
            auth_pass: pass.map(str::to_owned),
            privacy: None,
            privacy_pass: None,
        };
        assert!(user(&usm(Some("sha256"), Some("long enough"))).unwrap().is_some());
        assert!(user(&usm(Some("sha256"), None)).is_err());
        assert!(user(&usm(Some("rot13"), Some("long enough"))).unwrap_err().contains("sha256"));
    }
}
