//! Which device is it? (tenant, vendor, serial), else MAC, else what its agent calls it; an address is never an identity.
//! Two units are never merged: when in doubt, there are two devices.

use super::DeviceId;

/// What a status message says about identity, folded.
#[derive(Clone, Copy, Debug, Default)]
pub struct Claim<'a> {
    /// Brand slug, empty when unknown.
    pub vendor: &'a str,
    /// Folded serial, `None` when it carries no identity.
    pub serial: Option<&'a str>,
    /// Folded MAC.
    pub mac: Option<&'a str>,
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
    /// Folded serial.
    pub serial: Option<String>,
    /// Folded MAC.
    pub mac: Option<String>,
    /// Model.
    pub model: Option<String>,
    /// Whether a person has retired it.
    pub retired: bool,
    /// Whether another subject was heard as this device within the last minutes.
    pub alive_elsewhere: bool,
}

/// What follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// This device.
    Same(DeviceId),
    /// A device never met; `instead_of` stood at the same subject and is another unit.
    New {
        /// The unit that was expected there.
        instead_of: Option<DeviceId>,
        /// The serial is in use by a different living unit, so it cannot carry this identity.
        doubled: bool,
    },
    /// A retired device still speaks; nothing is taken from it.
    Retired(DeviceId),
}

/// Decides by the strongest evidence that speaks.
pub fn identify(
    claim: &Claim<'_>,
    subject: Option<&Candidate>,
    serial: Option<&Candidate>,
    mac: Option<&Candidate>,
) -> Decision {
    if let Some(known) =
        subject.filter(|s| s.retired && (claim.serial.is_none() || s.serial.as_deref() == claim.serial))
    {
        return Decision::Retired(known.id);
    }
    let subject = subject.filter(|s| !s.retired);
    if claim.serial.is_some() { by_serial(claim, subject, serial, mac) } else { by_mac(claim, subject, mac) }
}

fn by_serial(
    claim: &Claim<'_>,
    subject: Option<&Candidate>,
    serial: Option<&Candidate>,
    mac: Option<&Candidate>,
) -> Decision {
    if let Some(known) = serial {
        let doubled = known.alive_elsewhere
            && differ(claim.mac, known.mac.as_deref())
            && differ(claim.model, known.model.as_deref());
        if !doubled {
            return Decision::Same(known.id);
        }
        // Met before as the second owner of a doubled serial: it stands without one, under its MAC.
        return match subject.or(mac).filter(|s| s.serial.is_none() && s.mac.as_deref() == claim.mac) {
            Some(known) => Decision::Same(known.id),
            None => Decision::New { instead_of: None, doubled: true },
        };
    }
    if let Some(known) = subject {
        let vendor_fits = known.vendor.is_empty() || claim.vendor.is_empty() || known.vendor == claim.vendor;
        let serial_fits =
            known.serial.is_none() || (known.serial.as_deref() == claim.serial && !vendor_known(known, claim));
        return if serial_fits && vendor_fits && !differ(claim.mac, known.mac.as_deref()) {
            Decision::Same(known.id)
        } else {
            Decision::New { instead_of: Some(known.id), doubled: false }
        };
    }
    match mac.filter(|m| m.serial.is_none() && !m.alive_elsewhere) {
        Some(known) => Decision::Same(known.id),
        None => Decision::New { instead_of: None, doubled: false },
    }
}

fn by_mac(claim: &Claim<'_>, subject: Option<&Candidate>, mac: Option<&Candidate>) -> Decision {
    if let Some(known) = subject {
        return if differ(claim.mac, known.mac.as_deref()) && differ(claim.model, known.model.as_deref()) {
            Decision::New { instead_of: Some(known.id), doubled: false }
        } else {
            Decision::Same(known.id)
        };
    }
    // A print server shows several printers under one MAC: only an idle device of the same model is taken to be this one.
    match mac.filter(|m| !m.alive_elsewhere && !differ(claim.model, m.model.as_deref())) {
        Some(known) => Decision::Same(known.id),
        None => Decision::New { instead_of: None, doubled: false },
    }
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
            mac: mac.map(Into::into),
            model: Some("M1".into()),
            retired: false,
            alive_elsewhere: false,
        }
    }

    fn claim<'a>(serial: Option<&'a str>, mac: Option<&'a str>) -> Claim<'a> {
        Claim { vendor: "ricoh", serial, mac, model: Some("M1") }
    }

    fn new() -> Decision {
        Decision::New { instead_of: None, doubled: false }
    }

    #[test]
    fn a_serial_wins_over_the_subject_so_a_move_keeps_the_device() {
        let (here, known) = (unit("a", Some("s1"), None), unit("b", Some("s2"), None));
        assert_eq!(identify(&claim(Some("s2"), None), Some(&here), Some(&known), None), Decision::Same(id_of("b")));
    }

    #[test]
    fn another_serial_at_the_same_subject_is_another_unit() {
        let here = unit("a", Some("s1"), Some("m"));
        let expected = Decision::New { instead_of: Some(id_of("a")), doubled: false };
        assert_eq!(identify(&claim(Some("s9"), Some("m")), Some(&here), None, Some(&here)), expected);
    }

    #[test]
    fn a_serial_that_comes_late_joins_the_device_met_without() {
        let here = unit("a", None, Some("m"));
        assert_eq!(identify(&claim(Some("s1"), Some("m")), Some(&here), None, None), Decision::Same(id_of("a")));
        assert_eq!(identify(&claim(Some("s1"), Some("m")), None, None, Some(&here)), Decision::Same(id_of("a")));
    }

    #[test]
    fn a_serial_that_is_withheld_once_loses_nothing() {
        let here = unit("a", Some("s1"), Some("m"));
        assert_eq!(identify(&claim(None, None), Some(&here), None, None), Decision::Same(id_of("a")));
    }

    #[test]
    fn three_printers_behind_one_print_server_stay_three() {
        let mut first = unit("a", None, Some("m"));
        first.alive_elsewhere = true;
        assert_eq!(identify(&claim(None, Some("m")), None, None, Some(&first)), new());
    }

    #[test]
    fn a_docking_station_mac_does_not_join_two_serials() {
        let known = unit("a", Some("s1"), Some("m"));
        assert_eq!(identify(&claim(Some("s2"), Some("m")), None, None, Some(&known)), new());
    }

    #[test]
    fn a_doubled_serial_makes_two_devices_when_both_live_and_differ() {
        let mut known = unit("a", Some("s1"), Some("m1"));
        known.alive_elsewhere = true;
        let other = Claim { vendor: "ricoh", serial: Some("s1"), mac: Some("m2"), model: Some("M2") };
        assert_eq!(identify(&other, None, Some(&known), None), Decision::New { instead_of: None, doubled: true });
        let two_nics = Claim { model: Some("M1"), ..other };
        assert_eq!(identify(&two_nics, None, Some(&known), None), Decision::Same(id_of("a")));
    }

    #[test]
    fn a_retired_device_stays_retired_but_its_place_may_be_taken() {
        let mut gone = unit("a", Some("s1"), None);
        gone.retired = true;
        assert_eq!(identify(&claim(Some("s1"), None), Some(&gone), None, None), Decision::Retired(id_of("a")));
        assert_eq!(identify(&claim(Some("s2"), None), Some(&gone), None, None), new());
    }
}
