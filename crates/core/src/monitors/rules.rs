//! What a registration may say, and the usual slots of a device.

use wire::hello::Road;
use wire::monitor::{Kind, Trigger};
use wire::schedule::{Schedule, Slot};
use wire::{Body, Message, Report, Subject};

use crate::error::{Error, Result};

/// Shortest and longest period that a person may set, seconds: a minute to ninety days.
pub(super) const PERIODS: std::ops::RangeInclusive<u32> = 60..=90 * 86_400;

/// A vendor slug.
pub(super) fn vendor(text: &str) -> Result<String> {
    let text = text.trim().to_lowercase();
    let fits = (2..=40).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if fits { Ok(text) } else { Err(Error::invalid("vendor", "a vendor is a short word such as `canon`")) }
}

/// A serial number, and the form in which it is compared.
pub(super) fn serial(text: &str) -> Result<(String, String)> {
    let text = text.trim();
    let fits = (3..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
    let fold = crate::filter::fold(text);
    let empty = fold.bytes().all(|b| matches!(b, b'0' | b'-' | b'x' | b'.'));
    if fits && !empty {
        Ok((text.to_owned(), fold))
    } else {
        Err(Error::invalid("serial", "a serial number is 3 to 64 letters and digits, as on the rating plate"))
    }
}

/// A registered device speaks of itself and of nobody else, whatever it was made to say.
pub(crate) fn speaks_for_itself(report: &Report, serial_fold: &str) -> Result<()> {
    let of_another = |message: &Message| {
        let told = match &message.body {
            Body::Status(body) => body.identity.serial.as_deref(),
            _ => None,
        };
        message.subject.is_some_and(|subject| subject != report.sender)
            || told.is_some_and(|serial| crate::filter::fold(serial.trim()) != serial_fold)
    };
    if report.messages.iter().any(of_another) {
        return Err(Error::new(crate::Kind::Forbidden, "a registered device speaks of itself alone"));
    }
    Ok(())
}

/// The key that mail to a device is sealed for: a point in SEC 1's uncompressed form. Whether it lies on the curve shows
/// when something is sealed for it.
pub(super) fn seal_key(key: Option<&[u8]>) -> Result<Option<&[u8]>> {
    match key {
        Some([4, rest @ ..]) if rest.len() == wire::sealed::POINT - 1 => Ok(key),
        None => Ok(None),
        Some(_) => Err(Error::invalid("seal", "the key for mail is a P-256 public key of 65 bytes, uncompressed")),
    }
}

/// A road as stored.
pub(crate) fn road_text(road: Road) -> &'static str {
    match road {
        Road::Https => "https",
        Road::HttpsBothWays => "https-both-ways",
        Road::Mail => "mail",
        Road::MailBothWays => "mail-both-ways",
    }
}

/// Whether a device on this road fetches orders; else why not.
pub(crate) fn fetches(road: Road) -> std::result::Result<(), &'static str> {
    match road {
        Road::Mail => Err("it only sends mail and fetches nothing; let it fetch mail too, or call by HTTPS"),
        Road::Https | Road::HttpsBothWays | Road::MailBothWays => Ok(()),
    }
}

/// Reads what [`road_text`] wrote.
pub(crate) fn road_of(text: &str) -> Option<Road> {
    [Road::Https, Road::HttpsBothWays, Road::Mail, Road::MailBothWays].into_iter().find(|road| road_text(*road) == text)
}

/// The slots of a device: the seed's periods, or those that a person set. Even over the fleet and never different
/// for the same device, so that an outage leaves no echo.
pub(super) fn schedule(device: Subject, salt: u64, revision: u64, set: &[(Kind, u32)]) -> Schedule {
    let slots = Kind::ALL.into_iter().filter_map(|kind| {
        let own = set.iter().find(|(of, _)| *of == kind).map(|(_, period)| *period);
        let usual = match kind.of_device() {
            Trigger::Every(period) => Some(period),
            _ => None,
        };
        let period = own.or(usual)?;
        Some(Slot::of(device, kind, salt, period, period))
    });
    Schedule { revision, slots: slots.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serials_that_are_none_are_refused() {
        for bad in ["", "  ", "00", "0000000", "XXXX", "a b c", "ab\u{e9}c", &"9".repeat(65)] {
            assert!(serial(bad).is_err(), "{bad}");
        }
        assert_eq!(serial(" Qma12345 ").unwrap(), ("Qma12345".to_owned(), "qma12345".to_owned()));
    }

    #[test]
    fn the_usual_schedule_has_the_periods_of_the_table() {
        let schedule = schedule(Subject([7; 16]), 1, 1, &[(Kind::Rom, 3_600)]);
        let period = |kind| schedule.slots.iter().find(|slot| slot.kind == kind).map(|slot| slot.period_s);
        assert_eq!(period(Kind::Billing), Some(57_600));
        assert_eq!(period(Kind::Smart), Some(2_592_000));
        assert_eq!(period(Kind::Rom), Some(3_600), "a person's word");
        assert_eq!(period(Kind::Error), None, "told as it happens");
    }
}
