//! What a plan may say, and how its secrets are shown to people: not at all.

use std::net::Ipv4Addr;

use aws_lc_rs::digest::{SHA256, digest};
use wire::AgentPlan;
use wire::plan::SnmpCredential;

use crate::error::{Error, Result};
use crate::ids::Hex;

/// Stands for a secret that is kept; sent back it means "unchanged".
pub const MASK: &str = "********";
const MAX_RANGES: usize = 256;
const MAX_CREDENTIALS: usize = 16;
/// Most addresses of all ranges together.
const MAX_ADDRESSES: u64 = 1 << 20;

/// SHA-256 of a key, hex.
pub(super) fn thumbprint(key: &[u8]) -> String {
    Hex(digest(&SHA256, key).as_ref()).to_string()
}

/// A host name or version as an agent tells it: short, without control characters.
pub(super) fn told(text: &str, most: usize) -> String {
    text.chars().filter(|c| !c.is_control()).take(most).collect::<String>().trim().to_owned()
}

/// Checks a plan as a person wrote it.
pub(super) fn check(plan: &AgentPlan) -> Result<()> {
    let mut addresses = 0;
    for (field, ranges) in [("ranges", &plan.ranges), ("exclude", &plan.exclude)] {
        if ranges.len() > MAX_RANGES {
            return Err(Error::invalid(field, format!("{field} has more than {MAX_RANGES} entries")));
        }
        for range in ranges {
            let size = range_size(range).ok_or_else(|| {
                let forms = "10.0.0.0/24, 10.0.0.1-10.0.0.99 or 10.0.0.1, each with :port if not 161";
                Error::invalid(field, format!("{range:?} is no range; write {forms}"))
            })?;
            addresses += if field == "ranges" { size } else { 0 };
        }
    }
    if addresses > MAX_ADDRESSES {
        return Err(Error::invalid(
            "ranges",
            format!("the ranges have {addresses} addresses; at most {MAX_ADDRESSES}"),
        ));
    }
    if plan.credentials.len() > MAX_CREDENTIALS {
        return Err(Error::invalid("credentials", format!("at most {MAX_CREDENTIALS} credentials")));
    }
    for (number, seconds, least) in [
        ("status_s", plan.status_s, 1),
        ("meters_s", plan.meters_s, 5),
        ("full_s", plan.full_s, 5),
        ("discovery_s", plan.discovery_s, 5),
    ] {
        if !(least..=7 * 86_400).contains(&seconds) {
            return Err(Error::invalid(number, format!("{number} is {least} s to 7 days")));
        }
    }
    if !(1..=10_000).contains(&plan.discovery_pps) {
        return Err(Error::invalid("discovery_pps", "discovery_pps is 1 to 10000 packets a second"));
    }
    plan.credentials.iter().enumerate().try_for_each(|(at, credential)| check_credential(at, credential))
}

fn check_credential(at: usize, credential: &SnmpCredential) -> Result<()> {
    let wrong = |what: String| Err(Error::invalid("credentials", format!("credential {}: {what}", at + 1)));
    match credential {
        SnmpCredential::Community { community } if community.is_empty() || community.len() > 255 => {
            wrong("a community has 1 to 255 bytes".to_owned())
        }
        SnmpCredential::Community { .. } => Ok(()),
        SnmpCredential::Usm { user, auth, auth_pass, privacy, privacy_pass } => {
            if user.is_empty() || user.len() > 32 {
                return wrong("a user name has 1 to 32 bytes".to_owned());
            }
            const AUTH: [&str; 6] = ["md5", "sha1", "sha224", "sha256", "sha384", "sha512"];
            const PRIVACY: [&str; 4] = ["des", "aes128", "aes192", "aes256"];
            for (name, word, known, pass) in
                [("auth", auth, AUTH.as_slice(), auth_pass), ("privacy", privacy, PRIVACY.as_slice(), privacy_pass)]
            {
                let Some(word) = word else { continue };
                if !known.contains(&word.as_str()) {
                    return wrong(format!("{name} is one of {}", known.join(", ")));
                }
                if pass.as_ref().is_none_or(|pass| !(8..=255).contains(&pass.len())) {
                    return wrong(format!("the {name} pass phrase has 8 to 255 bytes (RFC 3414)"));
                }
            }
            if privacy.is_some() && auth.is_none() { wrong("privacy needs auth".to_owned()) } else { Ok(()) }
        }
    }
}

/// Addresses of a range; `None` if it is none.
fn range_size(range: &str) -> Option<u64> {
    let (range, port) = match range.split_once(':') {
        Some((range, port)) => (range, Some(port)),
        None => (range, None),
    };
    if port.is_some_and(|port| port.parse::<u16>().map_or(true, |port| port == 0)) {
        return None;
    }
    if let Some((net, bits)) = range.split_once('/') {
        net.parse::<Ipv4Addr>().ok()?;
        let bits: u32 = bits.parse().ok().filter(|bits| (8..=32).contains(bits))?;
        return Some(1 << (32 - bits));
    }
    if let Some((first, last)) = range.split_once('-') {
        let (first, last) = (first.trim().parse::<Ipv4Addr>().ok()?, last.trim().parse::<Ipv4Addr>().ok()?);
        return u64::from(u32::from(last)).checked_sub(u64::from(u32::from(first))).map(|size| size + 1);
    }
    range.parse::<Ipv4Addr>().ok().map(|_| 1)
}

/// The plan for eyes: secrets become [`MASK`]; `public` is no secret.
pub(super) fn masked(mut plan: AgentPlan) -> AgentPlan {
    let hide = |secret: &mut String| MASK.clone_into(secret);
    for credential in &mut plan.credentials {
        match credential {
            SnmpCredential::Community { community } if community != "public" => hide(community),
            SnmpCredential::Community { .. } => {}
            SnmpCredential::Usm { auth_pass, privacy_pass, .. } => {
                auth_pass.iter_mut().chain(privacy_pass).for_each(hide);
            }
        }
    }
    plan
}

/// Puts back the secrets that came back as [`MASK`]: those of the same place, or of the only one of that name; or of
/// credential `N` (counted from 0) of the plan that was seen, for `********@N`.
pub(super) fn unmasked(mut new: AgentPlan, old: &AgentPlan) -> Result<AgentPlan> {
    for (at, credential) in new.credentials.iter_mut().enumerate() {
        let lost = || {
            let message = format!("credential {}: write its secret again, it is not known which one is meant", at + 1);
            Error::invalid("credentials", message)
        };
        let alike = like(credential, &old.credentials, at);
        let meant = |mark: &str| match mark.strip_prefix(MASK) {
            Some("") => alike.map(Some),
            Some(place) => place.strip_prefix('@').and_then(|n| n.parse().ok()).map(|n: usize| old.credentials.get(n)),
            None => None,
        };
        match credential {
            SnmpCredential::Community { community } => match meant(community) {
                Some(Some(SnmpCredential::Community { community: known })) => known.clone_into(community),
                None if !community.starts_with(MASK) => {}
                _ => return Err(lost()),
            },
            SnmpCredential::Usm { auth_pass, privacy_pass, .. } => {
                let known = |known: &SnmpCredential, privacy: bool| match known {
                    SnmpCredential::Usm { privacy_pass, .. } if privacy => privacy_pass.clone(),
                    SnmpCredential::Usm { auth_pass, .. } => auth_pass.clone(),
                    SnmpCredential::Community { .. } => None,
                };
                for (pass, privacy) in [(auth_pass, false), (privacy_pass, true)] {
                    let Some(mark) = pass.as_deref().filter(|pass| pass.starts_with(MASK)) else { continue };
                    let kept = meant(mark).flatten().and_then(|kept| known(kept, privacy));
                    *pass = Some(kept.ok_or_else(lost)?);
                }
            }
        }
    }
    Ok(new)
}

/// The old credential of the same place if it is of the same name, else the only one of that name.
fn like<'a>(new: &SnmpCredential, old: &'a [SnmpCredential], at: usize) -> Option<&'a SnmpCredential> {
    let same = |old: &&SnmpCredential| match (new, old) {
        (SnmpCredential::Community { .. }, SnmpCredential::Community { .. }) => true,
        (SnmpCredential::Usm { user, .. }, SnmpCredential::Usm { user: known, .. }) => user == known,
        _ => false,
    };
    if let Some(kept) = old.get(at).filter(same) {
        return Some(kept);
    }
    let mut alike = old.iter().filter(same);
    alike.next().filter(|_| alike.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usm(user: &str, pass: &str) -> SnmpCredential {
        SnmpCredential::Usm {
            user: user.to_owned(),
            auth: Some("sha256".to_owned()),
            auth_pass: Some(pass.to_owned()),
            privacy: Some("aes128".to_owned()),
            privacy_pass: Some(format!("{pass}-p")),
        }
    }

    #[test]
    fn ranges_are_read_as_the_agent_reads_them() {
        for (range, size) in
            [("10.0.0.0/24", 256), ("10.0.0.1-10.0.0.99", 99), ("10.0.0.1:1161", 1), ("10.0.0.0/30:161", 4)]
        {
            assert_eq!(range_size(range), Some(size), "{range}");
        }
        for bad in
            ["", "10.0.0", "10.0.0.9-10.0.0.1", "10.0.0.0/33", "10.0.0.0/4", "10.0.0.1:0", "10.0.0.1:x", "printer"]
        {
            assert_eq!(range_size(bad), None, "{bad}");
        }
    }

    #[test]
    fn secrets_are_masked_and_come_back_unchanged() {
        let plan = AgentPlan {
            credentials: vec![
                SnmpCredential::community("public"),
                SnmpCredential::community("s3cret"),
                usm("ann", "passphrase-1"),
                usm("bob", "passphrase-2"),
            ],
            ..AgentPlan::default()
        };
        let shown = masked(plan.clone());
        let text = serde_json::to_string(&shown).unwrap();
        assert!(!text.contains("s3cret") && !text.contains("passphrase"), "{text}");
        assert_eq!(unmasked(shown.clone(), &plan).unwrap(), plan);
        let mut turned = shown;
        turned.credentials.swap(2, 3);
        assert_eq!(unmasked(turned.clone(), &plan).unwrap().credentials[2], usm("bob", "passphrase-2"));
        turned.credentials[2] = usm("carl", MASK);
        assert_eq!(unmasked(turned, &plan).unwrap_err().field.as_deref(), Some("credentials"));
    }

    #[test]
    fn a_secret_is_kept_by_the_place_it_was_seen_at() {
        let plan = AgentPlan {
            credentials: ["one", "two", "three"].map(SnmpCredential::community).to_vec(),
            ..AgentPlan::default()
        };
        let kept = |marks: &[&str]| {
            let credentials = marks.iter().map(|mark| SnmpCredential::community(mark)).collect();
            unmasked(AgentPlan { credentials, ..AgentPlan::default() }, &plan).map(|plan| plan.credentials)
        };
        assert_eq!(kept(&["********@1", "********@2"]).unwrap(), plan.credentials[1..]);
        assert_eq!(kept(&["********@2", "new"]).unwrap()[1], SnmpCredential::community("new"));
        assert!(kept(&["********@3"]).is_err() && kept(&["********@x"]).is_err() && kept(&["********1"]).is_err());
        let user = SnmpCredential::Usm {
            user: "ann".to_owned(),
            auth: None,
            auth_pass: Some("********@0".to_owned()),
            privacy: None,
            privacy_pass: None,
        };
        assert!(unmasked(AgentPlan { credentials: vec![user], ..AgentPlan::default() }, &plan).is_err());
    }

    #[test]
    fn a_plan_out_of_bounds_is_refused_with_its_field() {
        let field = |plan: AgentPlan| check(&plan).unwrap_err().field.unwrap();
        let base = AgentPlan::default;
        assert_eq!(field(AgentPlan { status_s: 0, ..base() }), "status_s");
        assert_eq!(field(AgentPlan { discovery_pps: 0, ..base() }), "discovery_pps");
        assert_eq!(field(AgentPlan { ranges: vec!["10.0.0.0/8".to_owned()], ..base() }), "ranges");
        assert_eq!(field(AgentPlan { credentials: vec![usm("ann", "short")], ..base() }), "credentials");
        assert!(check(&base()).is_ok());
    }
}
