//! What a plan may say, and how its secrets are shown to people: not at all.

use std::collections::HashSet;
use std::net::IpAddr;

use aws_lc_rs::digest::{SHA256, digest};
use wire::AgentPlan;
use wire::hours::Hours;
use wire::places::{Exclusions, Mac, NoPlace, Span, part_port};
use wire::plan::{SnmpCredential, Target};

use crate::error::{Error, Result};
use crate::ids::Hex;
use crate::orgs;

/// Stands for a secret that is kept; sent back it means "unchanged".
pub const MASK: &str = "********";
const MAX_RANGES: usize = 256;
const MAX_CREDENTIALS: usize = 16;
/// Most addresses of all ranges together.
const MAX_ADDRESSES: u128 = 1 << 20;
/// Most places that are named singly.
pub(super) const MAX_TARGETS: usize = 4_096;
const MAX_HOURS: usize = 32;

/// SHA-256 of a key, hex.
pub(super) fn thumbprint(key: &[u8]) -> String {
    Hex(digest(&SHA256, key).as_ref()).to_string()
}

/// A host name or version as an agent tells it: short, without control characters.
pub(crate) fn told(text: &str, most: usize) -> String {
    text.chars().filter(|c| !c.is_control()).take(most).collect::<String>().trim().to_owned()
}

/// Checks a plan as a person wrote it.
pub(super) fn check(plan: &AgentPlan) -> Result<()> {
    check_places(plan)?;
    check_targets(&plan.targets)?;
    check_times(plan)?;
    if plan.credentials.len() > MAX_CREDENTIALS {
        return Err(Error::invalid("credentials", format!("at most {MAX_CREDENTIALS} credentials")));
    }
    if !(1..=10_000).contains(&plan.discovery_pps) {
        return Err(Error::invalid("discovery_pps", "discovery_pps is 1 to 10000 packets a second"));
    }
    if plan.subnet_pps > 10_000 {
        return Err(Error::invalid("subnet_pps", "subnet_pps is 0 (no budget of its own) to 10000 packets a second"));
    }
    plan.credentials.iter().enumerate().try_for_each(|(at, credential)| check_credential(at, credential))
}

fn check_places(plan: &AgentPlan) -> Result<()> {
    let count = |field: &'static str, texts: &[String]| match texts.len() > MAX_RANGES {
        true => Err(Error::invalid(field, format!("{field} has more than {MAX_RANGES} entries"))),
        false => Ok(()),
    };
    count("ranges", &plan.ranges)?;
    count("exclude", &plan.exclude)?;
    count("dns_sd", &plan.dns_sd)?;
    let mut addresses: u128 = 0;
    for text in &plan.ranges {
        let span: Span = text.parse().map_err(|wrong: NoPlace| Error::invalid("ranges", wrong.to_string()))?;
        if !span.first.is_ipv4() && span.size() > 1 {
            let message = format!("`{text}` is too large to be asked one by one; name IPv6 addresses singly");
            return Err(Error::invalid("ranges", message));
        }
        addresses += span.size();
    }
    if addresses > MAX_ADDRESSES {
        let message = format!("the ranges have {addresses} addresses; at most {MAX_ADDRESSES}");
        return Err(Error::invalid("ranges", message));
    }
    if let [wrong, ..] = Exclusions::read(&plan.exclude).1[..] {
        let forms = "write an address, a network, a span, a MAC address or its first three parts";
        return Err(Error::invalid("exclude", format!("`{wrong}` excludes nothing; {forms}")));
    }
    for text in plan.dns_sd.iter().filter(|text| *text != "local") {
        let known = part_port(text).filter(|(address, _)| address.parse::<IpAddr>().is_ok());
        known.ok_or_else(|| {
            Error::invalid("dns_sd", format!("`{text}` is no place to ask; write local, or the address of a reflector"))
        })?;
    }
    Ok(())
}

fn check_targets(targets: &[Target]) -> Result<()> {
    if targets.len() > MAX_TARGETS {
        let message = format!("{} single places are too many; at most {MAX_TARGETS}: name ranges", targets.len());
        return Err(Error::invalid("targets", message));
    }
    let mut hosts = HashSet::new();
    for (number, target) in (1..).zip(targets) {
        let wrong = |message: String| Error::invalid("targets", format!("place {number}: {message}"));
        let known = host(&target.host).map_err(wrong)?;
        if !hosts.insert(known) {
            return Err(wrong(format!("`{}` is named twice", target.host)));
        }
        let words = [&target.name, &target.site, &target.asset];
        if words.into_iter().flatten().any(|text| text.chars().count() > 200 || text.chars().any(char::is_control)) {
            return Err(wrong("name, site and asset are one line of at most 200 characters".to_owned()));
        }
        if target.mac.as_ref().is_some_and(|mac| mac.parse::<Mac>().is_err()) {
            return Err(wrong("the MAC address is none; write 00:26:73:aa:bb:cc".to_owned()));
        }
    }
    Ok(())
}

fn check_times(plan: &AgentPlan) -> Result<()> {
    for (number, seconds, least) in [
        ("status_s", plan.status_s, 1),
        ("meters_s", plan.meters_s, 5),
        ("full_s", plan.full_s, 5),
        ("discovery_s", plan.discovery_s, 5),
    ] {
        let most = if number == "discovery_s" { 30 } else { 7 };
        if !(least..=most * 86_400).contains(&seconds) {
            return Err(Error::invalid(number, format!("{number} is {least} s to {most} days")));
        }
    }
    if plan.hours.len() > MAX_HOURS {
        return Err(Error::invalid("hours", format!("at most {MAX_HOURS} lines of hours")));
    }
    for text in &plan.hours {
        text.parse::<Hours>().map_err(|wrong| Error::invalid("hours", wrong.to_string()))?;
    }
    if !plan.zone.is_empty() {
        orgs::rules::zone(&plan.zone)?;
    }
    Ok(())
}

/// A place that can be asked, as it is kept: an address in its shortest form or a host name in lower case, with its port
/// unless that is 161. What is wrong is said to the one who wrote it.
pub(super) fn host(text: &str) -> std::result::Result<String, String> {
    let shown: String = text.chars().take(80).collect();
    let (name, port) = part_port(text.trim())
        .ok_or_else(|| format!("`{shown}` has no port behind its colon; write 10.0.0.7:1161 or [2001:db8::7]:1161"))?;
    let port = port.filter(|port| *port != 161);
    if let Ok(address) = name.parse::<IpAddr>() {
        if address.is_unspecified() || address.is_multicast() || name == "255.255.255.255" {
            return Err(format!("`{shown}` is the address of no single device"));
        }
        if matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local()) {
            return Err(format!("`{shown}` holds on one link alone; give the device's other address"));
        }
        return Ok(match (address, port) {
            (_, None) => address.to_string(),
            (IpAddr::V4(_), Some(port)) => format!("{address}:{port}"),
            (IpAddr::V6(_), Some(port)) => format!("[{address}]:{port}"),
        });
    }
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
            && !label.starts_with('-')
    };
    let is_name =
        name.len() <= 253 && name.split('.').all(is_label) && name.bytes().any(|byte| byte.is_ascii_alphabetic());
    if !is_name {
        return Err(format!("`{shown}` is neither an address nor a host name"));
    }
    Ok(port.map_or(name.clone(), |port| format!("{name}:{port}")))
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
        assert_eq!(field(AgentPlan { subnet_pps: 10_001, ..base() }), "subnet_pps");
        assert_eq!(field(AgentPlan { ranges: vec!["10.0.0.0/8".to_owned()], ..base() }), "ranges");
        assert_eq!(field(AgentPlan { credentials: vec![usm("ann", "short")], ..base() }), "credentials");
        assert_eq!(field(AgentPlan { ranges: vec!["2001:db8::/64".to_owned()], ..base() }), "ranges");
        assert_eq!(field(AgentPlan { exclude: vec!["somebody".to_owned()], ..base() }), "exclude");
        assert_eq!(field(AgentPlan { dns_sd: vec!["everywhere".to_owned()], ..base() }), "dns_sd");
        assert_eq!(field(AgentPlan { hours: vec!["at night".to_owned()], ..base() }), "hours");
        assert_eq!(field(AgentPlan { zone: "Mars/Base".to_owned(), ..base() }), "zone");
        let target = |host: &str| Target { host: host.to_owned(), ..Target::default() };
        assert_eq!(field(AgentPlan { targets: vec![target("10.0.0.999")], ..base() }), "targets");
        assert_eq!(field(AgentPlan { targets: vec![target("10.0.0.9"), target("10.0.0.9:161")], ..base() }), "targets");
        assert!(check(&base()).is_ok());
    }

    #[test]
    fn a_plan_may_name_places_of_every_kind() {
        let own = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let plan = AgentPlan {
            ranges: own(&["10.0.0.0/24:1161", "10.1.0.1-10.1.0.9", "2001:db8::7"]),
            exclude: own(&["10.0.0.7", "2001:db8::/64", "00:26:73", "00:17:c8:01:02:03"]),
            dns_sd: own(&["local", "10.0.0.2", "[2001:db8::2]:5353"]),
            hours: own(&["mon-fri 18:00-06:00", "sat,sun"]),
            zone: "Europe/Berlin".to_owned(),
            targets: vec![Target { host: "printer-7.example.org".to_owned(), ..Target::default() }],
            ..AgentPlan::default()
        };
        check(&plan).unwrap();
    }

    #[test]
    fn a_place_is_kept_in_its_shortest_form() {
        let kept = |text: &str| host(text).unwrap();
        assert_eq!(kept(" 10.0.0.7:161 "), "10.0.0.7");
        assert_eq!(kept("[2001:DB8:0::7]:1161"), "[2001:db8::7]:1161");
        assert_eq!(kept("2001:db8::0007"), "2001:db8::7");
        assert_eq!(kept("Printer-7.Example.ORG.:1161"), "printer-7.example.org:1161");
        for wrong in
            ["", "10.0.0", "10.0.0.999", "224.0.0.1", "0.0.0.0", "fe80::1", "a b", "-x", "10.0.0.1:0", "x:99999"]
        {
            assert!(host(wrong).is_err(), "{wrong}");
        }
    }
}
