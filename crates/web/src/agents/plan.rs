//! The plan's form: fields to a plan and back. Secrets go in and never out.

use platen_core::{
    Error, Result,
    agents::{MASK, import},
};
use wire::{
    AgentPlan,
    plan::{SnmpCredential, Target},
};

use crate::fields::Fields;

/// Zones that the form suggests; any other IANA zone may be written.
pub(super) const ZONES: &[&str] = &[
    "UTC",
    "Europe/London",
    "Europe/Berlin",
    "Europe/Paris",
    "Europe/Madrid",
    "Europe/Rome",
    "Europe/Vienna",
    "Europe/Zurich",
    "Europe/Warsaw",
    "Europe/Athens",
    "America/New_York",
    "America/Chicago",
    "America/Denver",
    "America/Los_Angeles",
    "America/Sao_Paulo",
    "Asia/Dubai",
    "Asia/Kolkata",
    "Asia/Singapore",
    "Asia/Shanghai",
    "Asia/Tokyo",
    "Australia/Sydney",
    "Pacific/Auckland",
];

/// A credential as the form shows it.
pub(super) struct CredentialView {
    pub(super) index: usize,
    pub(super) words: String,
}

/// What each credential is, without its secret.
pub(super) fn credentials(plan: &AgentPlan) -> Vec<CredentialView> {
    plan.credentials
        .iter()
        .enumerate()
        .map(|(index, credential)| CredentialView { index, words: words(credential) })
        .collect()
}

fn words(credential: &SnmpCredential) -> String {
    match credential {
        SnmpCredential::Community { community } if community == MASK => "Community, kept secret (v2c, v1)".to_owned(),
        SnmpCredential::Community { community } => format!("Community “{community}” (v2c, v1)"),
        SnmpCredential::Usm { user, auth, privacy, .. } => {
            let named =
                |word: &Option<String>, none: &str| word.as_deref().map_or_else(|| none.to_owned(), str::to_uppercase);
            format!("SNMPv3 user “{user}”, {} and {}", named(auth, "no authentication"), named(privacy, "no privacy"))
        }
    }
}

/// Names the secret of a credential of the plan that the form was made from, wherever that credential stands now.
fn kept(credential: &SnmpCredential, index: usize) -> SnmpCredential {
    let mut credential = credential.clone();
    let point = |secret: &mut String| {
        if secret == MASK {
            *secret = format!("{MASK}@{index}");
        }
    };
    match &mut credential {
        SnmpCredential::Community { community } => point(community),
        SnmpCredential::Usm { auth_pass, privacy_pass, .. } => auth_pass.iter_mut().chain(privacy_pass).for_each(point),
    }
    credential
}

fn lines(text: &str) -> Vec<String> {
    text.split(['\n', ',', ';']).map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

fn number(fields: &Fields, name: &str) -> Result<u32> {
    fields
        .text(name)
        .parse()
        .map_err(|_| Error::invalid(name, format!("{} is no whole number", name.replace('_', " "))))
}

/// Single places as a person edits them: a line each, like a table without a heading.
pub(super) fn target_lines(targets: &[Target]) -> String {
    let mut table = csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
    for target in targets {
        let cells = [&target.name, &target.site, &target.asset, &target.mac];
        let kept = cells.iter().rposition(|cell| cell.is_some()).map_or(0, |last| last + 1);
        let words = cells[..kept].iter().map(|cell| cell.as_deref().unwrap_or_default());
        // Writing to memory does not fail.
        let _ = table.write_record(std::iter::once(target.host.as_str()).chain(words));
    }
    table.into_inner().ok().and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default()
}

/// What [`target_lines`] shows, as a person changed it.
fn targets(text: &str) -> Result<Vec<Target>> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let list = import::read(text.as_bytes(), Some(import::Format::Csv))?;
    match list.faults.first() {
        Some(fault) => Err(Error::invalid("targets", format!("single places, line {}: {}", fault.line, fault.advice))),
        None => Ok(list.entries.into_iter().map(|entry| entry.target).collect()),
    }
}

/// The plan that a form asks for; `old` is the present one, masked.
pub(super) fn from_form(fields: &Fields, old: &AgentPlan) -> Result<AgentPlan> {
    let keep: Vec<usize> = fields.all("keep").iter().filter_map(|text| text.parse().ok()).collect();
    let mut credentials: Vec<SnmpCredential> =
        old.credentials.iter().enumerate().filter(|(i, _)| keep.contains(i)).map(|(i, c)| kept(c, i)).collect();
    if let Some(community) = fields.get("community") {
        credentials.push(SnmpCredential::community(community));
    }
    if let Some(user) = fields.get("usm_user") {
        credentials.push(usm(fields, user)?);
    }
    Ok(AgentPlan {
        revision: fields.text("revision").parse().unwrap_or(0),
        ranges: lines(fields.text("ranges")),
        exclude: lines(fields.text("exclude")),
        credentials,
        status_s: number(fields, "status_s")?,
        meters_s: number(fields, "meters_s")?,
        full_s: number(fields, "full_s")?,
        discovery_s: number(fields, "discovery_s")?,
        discovery_pps: number(fields, "discovery_pps")?,
        targets: targets(fields.text("targets"))?,
        hours: fields.text("hours").lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect(),
        zone: fields.text("zone").to_owned(),
        dns_sd: fields.all("dns_sd").into_iter().flat_map(lines).collect(),
        asked: old.asked,
        subnet_pps: if fields.get("subnet_pps").is_some() { number(fields, "subnet_pps")? } else { 0 },
    })
}

fn usm(fields: &Fields, user: &str) -> Result<SnmpCredential> {
    let half = |word: &str, pass: &str, what: &str| -> Result<(Option<String>, Option<String>)> {
        match (fields.get(word), fields.get(pass)) {
            (Some(word), Some(secret)) => Ok((Some(word.to_owned()), Some(secret.to_owned()))),
            (Some(_), None) if what == "privacy" => Ok((None, None)),
            (Some(_), None) => Err(Error::invalid(pass, format!("{what} needs its pass phrase"))),
            _ => Ok((None, None)),
        }
    };
    let (auth, auth_pass) = half("usm_auth", "usm_auth_pass", "authentication")?;
    let (privacy, privacy_pass) = half("usm_priv", "usm_priv_pass", "privacy")?;
    Ok(SnmpCredential::Usm { user: user.to_owned(), auth, auth_pass, privacy, privacy_pass })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(pairs: &[(&str, &str)]) -> Fields {
        let times = [
            ("status_s", "60"),
            ("meters_s", "3600"),
            ("full_s", "3600"),
            ("discovery_s", "14400"),
            ("discovery_pps", "150"),
        ];
        Fields(pairs.iter().chain(&times).map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect())
    }

    #[test]
    fn removing_the_first_secret_keeps_the_second_and_not_the_first() {
        let old = AgentPlan {
            credentials: vec![
                SnmpCredential::community(MASK),
                SnmpCredential::community(MASK),
                SnmpCredential::community("public"),
            ],
            ..AgentPlan::default()
        };
        let plan = from_form(&form(&[("keep", "1"), ("keep", "2"), ("community", "new")]), &old).unwrap();
        let expected = ["********@1", "public", "new"].map(SnmpCredential::community);
        assert_eq!(plan.credentials, expected);
    }

    #[test]
    fn ranges_come_a_line_each() {
        let plan = from_form(
            &form(&[("ranges", "192.0.2.0/24\r\n198.51.100.1-198.51.100.9, 203.0.113.7:1161\n")]),
            &AgentPlan::default(),
        )
        .unwrap();
        assert_eq!(plan.ranges, ["192.0.2.0/24", "198.51.100.1-198.51.100.9", "203.0.113.7:1161"]);
    }

    #[test]
    fn single_places_come_back_as_they_were_shown() {
        let places = vec![
            Target {
                host: "192.0.2.7".to_owned(),
                name: Some("Reception, left".to_owned()),
                asset: Some("A-17".to_owned()),
                ..Target::default()
            },
            Target { host: "[2001:db8::7]:1161".to_owned(), ..Target::default() },
        ];
        let shown = target_lines(&places);
        assert_eq!(shown, "192.0.2.7,\"Reception, left\",,A-17\n[2001:db8::7]:1161\n");
        let plan = from_form(
            &form(&[
                ("targets", &shown),
                ("hours", "mon-fri 18:00-06:00\r\nsat,sun\r\n"),
                ("dns_sd", "local"),
                ("dns_sd", "192.0.2.2"),
            ]),
            &AgentPlan::default(),
        )
        .unwrap();
        assert_eq!((plan.targets, plan.hours.len(), plan.dns_sd.len()), (places, 2, 2));
        let error = from_form(&form(&[("targets", "192.0.2.7\n192.0.2")]), &AgentPlan::default()).unwrap_err();
        assert!(error.message.contains("line 2"), "{}", error.message);
    }

    #[test]
    fn a_community_is_never_shown_again() {
        assert!(!words(&SnmpCredential::community(MASK)).contains('*'));
    }
}
