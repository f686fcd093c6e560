//! Which device is it? (tenant, vendor, serial), else MAC, else engine ID, else what its agent calls it; an address is
//! never an identity, and what many devices claim is evidence of nothing. When in doubt there are two devices.

use super::DeviceId;

/// What a status message says about identity, folded.
#[derive(Clone, Copy, Debug, Default)]
pub struct Claim<'a> {
    /// Brand slug, empty when unknown.
    pub vendor: &'a str,
    /// Folded serial, `None` when it carries no identity.
    pub serial: Option<&'a str>,
    /// Folded MAC; `None` also where many devices have shown it (docking stations).
    pub mac: Option<&'a str>,
    /// snmpEngineID; `None` also where many devices have shown it (cloned configurations).
    pub engine: Option<&'a str>,
    /// Model as told.
    pub model: Option<&'a str>,
}

/// A device that may be meant.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Its id.
    pub id: DeviceId,
    /// Brand slug, empty when unknown.
    pub vendor: String,
    /// Folded serial that carries its identity.
    pub serial: Option<String>,
    /// Folded serial that it shows; another device may hold it.
    pub shown: Option<String>,
    /// Folded MAC.
    pub mac: Option<String>,
    /// Model.
    pub model: Option<String>,
    /// Whether a person has retired it.
    pub retired: bool,
    /// Whether another subject was heard as this device within the last minutes.
    pub alive_elsewhere: bool,
}

/// Devices that the evidence of a message points at.
#[derive(Clone, Copy, Debug, Default)]
pub struct Evidence<'a> {
    /// The one that its agent has called by this name.
    pub subject: Option<&'a Candidate>,
    /// The one with this serial.
    pub serial: Option<&'a Candidate>,
    /// The only one with this MAC.
    pub mac: Option<&'a Candidate>,
    /// The only one with this engine ID.
    pub engine: Option<&'a Candidate>,
}

/// What follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// This device.
    Same(DeviceId),
    /// This device, it is assumed: the serial speaks for it, but another network card with that serial speaks just now.
    Doubtful(DeviceId),
    /// A device never met.
    New {
        /// The unit that was expected at this subject.
        instead_of: Option<DeviceId>,
        /// A different living unit that has this serial, so that it cannot carry this identity.
        doubled: Option<DeviceId>,
    },
    /// A retired device still speaks; nothing is taken from it.
    Retired(DeviceId),
}

/// Decides by the strongest evidence that speaks.
pub fn identify(claim: &Claim<'_>, evidence: &Evidence<'_>) -> Decision {
    let retired = |s: &&Candidate| s.retired && (claim.serial.is_none() || s.serial.as_deref() == claim.serial);
    if let Some(known) = evidence.subject.filter(retired) {
        return Decision::Retired(known.id);
    }
    let evidence = Evidence { subject: evidence.subject.filter(|s| !s.retired), ..*evidence };
    if claim.serial.is_some() { by_serial(claim, &evidence) } else { by_network(claim, &evidence) }
}

fn by_serial(claim: &Claim<'_>, evidence: &Evidence<'_>) -> Decision {
    let Evidence { subject, serial, mac, engine } = *evidence;
    if let Some(known) = serial {
        // The second owner of a doubled serial stands without one, for itself.
        let second = |s: &&Candidate| {
            s.id != known.id
                && s.serial.is_none()
                && s.shown.as_deref() == claim.serial
                && !differ(claim.mac, s.mac.as_deref())
        };
        let by_mac = || mac.filter(|m| same(claim.mac, m.mac.as_deref())).filter(second);
        if let Some(own) = subject.filter(second).or_else(by_mac) {
            return Decision::Same(own.id);
        }
        if !(known.alive_elsewhere && differ(claim.mac, known.mac.as_deref())) {
            return Decision::Same(known.id);
        }
        return if differ(claim.model, known.model.as_deref()) {
            Decision::New { instead_of: None, doubled: Some(known.id) }
        } else {
            Decision::Doubtful(known.id)
        };
    }
    if let Some(known) = subject {
        let vendor_fits = known.vendor.is_empty() || claim.vendor.is_empty() || known.vendor == claim.vendor;
        let serial_fits =
            known.serial.is_none() || (known.serial.as_deref() == claim.serial && !vendor_known(known, claim));
        // A number that is shown, but not held, is no number that comes late.
        let shown_fits = known.serial.is_some() || !differ(known.shown.as_deref(), claim.serial);
        return if serial_fits && shown_fits && vendor_fits && !differ(claim.mac, known.mac.as_deref()) {
            Decision::Same(known.id)
        } else {
            Decision::New { instead_of: Some(known.id), doubled: None }
        };
    }
    let nameless = |m: &&Candidate| m.serial.is_none() && m.shown.is_none() && !m.alive_elsewhere;
    match mac.filter(nameless).or_else(|| engine.filter(nameless).filter(|e| !differ(claim.mac, e.mac.as_deref()))) {
        Some(known) => Decision::Same(known.id),
        None => Decision::New { instead_of: None, doubled: None },
    }
}

fn by_network(claim: &Claim<'_>, evidence: &Evidence<'_>) -> Decision {
    if let Some(known) = evidence.subject {
        return if differ(claim.mac, known.mac.as_deref()) && differ(claim.model, known.model.as_deref()) {
            Decision::New { instead_of: Some(known.id), doubled: None }
        } else {
            Decision::Same(known.id)
        };
    }
    // A print server shows several printers under one MAC: only an idle device of the same model is taken to be this one.
    let idle = |m: &&Candidate| !m.alive_elsewhere && !differ(claim.model, m.model.as_deref());
    let by_engine = || evidence.engine.filter(|e| !differ(claim.mac, e.mac.as_deref()));
    match evidence.mac.filter(idle).or_else(|| by_engine().filter(idle)) {
        Some(known) => Decision::Same(known.id),
        None => Decision::New { instead_of: None, doubled: None },
    }
}

/// Both are known and they are the same.
fn same(a: Option<&str>, b: Option<&str>) -> bool {
    matches!((a, b), (Some(a), Some(b)) if a == b)
}

fn vendor_known(known: &Candidate, claim: &Claim<'_>) -> bool {
    !known.vendor.is_empty() && !claim.vendor.is_empty() && known.vendor != claim.vendor
}

/// Both are known and they are not the same.
fn differ(a: Option<&str>, b: Option<&str>) -> bool {
    matches!((a, b), (Some(a), Some(b)) if a != b)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id_of(letter: &str) -> DeviceId {
        DeviceId(uuid::Uuid::from_u128(u128::from(letter.as_bytes()[0])))
    }

    fn unit(id: &str, serial: Option<&str>, mac: Option<&str>) -> Candidate {
        Candidate {
            id: id_of(id),
            vendor: "ricoh".into(),
            serial: serial.map(Into::into),
            shown: serial.map(Into::into),
            mac: mac.map(Into::into),
            model: Some("M1".into()),
            retired: false,
            alive_elsewhere: false,
        }
    }

    fn claim<'a>(serial: Option<&'a str>, mac: Option<&'a str>) -> Claim<'a> {
        Claim { vendor: "ricoh", serial, mac, engine: None, model: Some("M1") }
    }

    fn ask(
        claim: &Claim<'_>,
        subject: Option<&Candidate>,
        serial: Option<&Candidate>,
        mac: Option<&Candidate>,
    ) -> Decision {
        identify(claim, &Evidence { subject, serial, mac, engine: None })
    }

    fn new() -> Decision {
        Decision::New { instead_of: None, doubled: None }
    }

    #[test]
    fn identity_serial_wins_over_the_subject_so_a_move_keeps_the_device() {
        let (here, known) = (unit("a", Some("s1"), None), unit("b", Some("s2"), None));
        assert_eq!(ask(&claim(Some("s2"), None), Some(&here), Some(&known), None), Decision::Same(id_of("b")));
    }

    #[test]
    fn another_serial_at_the_same_subject_is_another_unit() {
        let here = unit("a", Some("s1"), Some("m"));
        let expected = Decision::New { instead_of: Some(id_of("a")), doubled: None };
        assert_eq!(ask(&claim(Some("s9"), Some("m")), Some(&here), None, Some(&here)), expected);
    }

    #[test]
    fn a_serial_that_comes_late_joins_the_device_met_without() {
        let here = unit("a", None, Some("m"));
        assert_eq!(ask(&claim(Some("s1"), Some("m")), Some(&here), None, None), Decision::Same(id_of("a")));
        assert_eq!(ask(&claim(Some("s1"), Some("m")), None, None, Some(&here)), Decision::Same(id_of("a")));
    }

    #[test]
    fn a_serial_that_is_withheld_once_loses_nothing() {
        let here = unit("a", Some("s1"), Some("m"));
        assert_eq!(ask(&claim(None, None), Some(&here), None, None), Decision::Same(id_of("a")));
    }

    #[test]
    fn identity_of_three_printers_behind_one_print_server_stays_three() {
        let mut first = unit("a", None, Some("m"));
        first.alive_elsewhere = true;
        assert_eq!(ask(&claim(None, Some("m")), None, None, Some(&first)), new());
    }

    #[test]
    fn identity_is_not_joined_by_a_docking_station_mac() {
        let known = unit("a", Some("s1"), Some("m"));
        assert_eq!(ask(&claim(Some("s2"), Some("m")), None, None, Some(&known)), new());
    }

    #[test]
    fn identity_of_a_doubled_serial_is_two_devices_when_both_live_and_differ() {
        let mut known = unit("a", Some("s1"), Some("m1"));
        known.alive_elsewhere = true;
        let mut other = claim(Some("s1"), Some("m2"));
        assert_eq!(ask(&other, None, Some(&known), None), Decision::Doubtful(id_of("a")), "two network cards, or two");
        other.model = Some("M2");
        let two = Decision::New { instead_of: None, doubled: Some(id_of("a")) };
        assert_eq!(ask(&other, None, Some(&known), None), two);
        let mut second = unit("b", None, Some("m2"));
        (second.shown, second.model) = (Some("s1".into()), Some("M2".into()));
        assert_eq!(ask(&other, Some(&second), Some(&known), None), Decision::Same(id_of("b")));
        assert_eq!(ask(&other, None, Some(&known), Some(&second)), Decision::Same(id_of("b")), "under another name");
    }

    #[test]
    fn identity_by_engine_id_comes_after_the_mac() {
        let known = unit("a", None, Some("m1"));
        let mut told = claim(None, None);
        told.engine = Some("80001f8804");
        let by_engine = |told: &Claim<'_>| identify(told, &Evidence { engine: Some(&known), ..Evidence::default() });
        assert_eq!(by_engine(&told), Decision::Same(id_of("a")));
        told.mac = Some("m2");
        assert_eq!(by_engine(&told), new(), "a cloned engine id under another card");
    }

    #[test]
    fn a_retired_device_stays_retired_but_its_place_may_be_taken() {
        let mut gone = unit("a", Some("s1"), None);
        gone.retired = true;
        assert_eq!(ask(&claim(Some("s1"), None), Some(&gone), None, None), Decision::Retired(id_of("a")));
        assert_eq!(ask(&claim(Some("s2"), None), Some(&gone), None, None), new());
    }
}
