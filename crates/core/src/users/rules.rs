//! What an e-mail address and a password may be, how long sessions live, how failures lock.

use std::net::IpAddr;
use std::time::Duration;

use crate::ctx::Role;
use crate::error::{Error, Result};
use crate::filter::fold;
use crate::secrets::Secret;

/// Shortest password: it is the only factor (NIST SP 800-63B-4).
pub const MIN_PASSWORD: usize = 15;
/// Shortest password that the operator of the machine may give by command line.
pub const LOCAL_PASSWORD: usize = 8;
/// Longest password, bytes.
pub(super) const MAX_PASSWORD: usize = 1_024;
/// A session ends then in any case.
pub(super) const ABSOLUTE: Duration = Duration::from_secs(12 * 3_600);
/// A password made by another is good for this long.
pub(super) const TEMPORARY: Duration = Duration::from_secs(72 * 3_600);

/// A session ends when nothing happens for so long.
pub(super) fn idle(role: Role) -> Duration {
    Duration::from_secs(if role == Role::Admin { 15 * 60 } else { 8 * 3_600 })
}

/// An address as people type it; only its shape is checked.
pub(crate) fn email(text: &str) -> Result<String> {
    let text = text.trim();
    let fits = text.len() <= 254
        && !text.chars().any(|c| c.is_control() || c.is_whitespace())
        && text.split_once('@').is_some_and(|(name, host)| {
            !name.is_empty()
                && !host.is_empty()
                && !host.contains('@')
                && !host.starts_with('.')
                && !host.ends_with('.')
        });
    if fits { Ok(text.to_owned()) } else { Err(Error::invalid("email", "this is no e-mail address")) }
}

/// Length, and not to be guessed from the account. No rules of composition: they make passwords worse.
pub(super) fn password(password: &Secret, email: &str, name: &str) -> Result<()> {
    password_of(MIN_PASSWORD, password, email, name)
}

/// As [`password`], with another least length.
pub(super) fn password_of(least: usize, password: &Secret, email: &str, name: &str) -> Result<()> {
    let text = password.expose();
    let refuse = |why: String| Err(Error::invalid("password", why));
    let length = text.chars().count();
    if length < least {
        return refuse(format!("a password has at least {least} characters; a few unrelated words are best"));
    }
    if text.len() > MAX_PASSWORD {
        return refuse(format!("a password has at most {MAX_PASSWORD} bytes"));
    }
    let folded: Vec<char> = fold(text).chars().collect();
    let mut distinct = folded.clone();
    distinct.sort_unstable();
    distinct.dedup();
    if distinct.len() < 5 || is_run(&folded) || is_repeated(&folded) {
        return refuse("the password repeats itself or follows the keyboard; it would be guessed first".to_owned());
    }
    let rest = [fold(email), fold(name), "platen".to_owned(), "password".to_owned()]
        .iter()
        .filter(|known| !known.is_empty())
        .fold(fold(text), |text, known| text.replace(known.as_str(), ""));
    if rest.chars().count() < 6 {
        return refuse("the password is little more than a name that everybody knows".to_owned());
    }
    Ok(())
}

/// `abcdefghijklmno`, `123456789012345`, `qwertyuiopasdfg`, also backwards.
fn is_run(text: &[char]) -> bool {
    const ROWS: [&str; 3] = ["qwertyuiopasdfghjklzxcvbnm", "qwertzuiopasdfghjklyxcvbnm", "1234567890qwertyuiop"];
    let text: String = text.iter().collect();
    let back: String = text.chars().rev().collect();
    let steps = |text: &str| {
        text.as_bytes().windows(2).all(|pair| pair[1].wrapping_sub(pair[0]) == 1 || (pair[0], pair[1]) == (b'9', b'0'))
    };
    [&text, &back].into_iter().any(|text| steps(text) || ROWS.iter().any(|row| row.contains(text.as_str())))
}

/// The same few characters again and again.
fn is_repeated(text: &[char]) -> bool {
    (1..=text.len() / 3).any(|length| text.iter().enumerate().all(|(at, c)| *c == text[at % length]))
}

/// What failures are counted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Budget {
    pub(super) kind: &'static str,
    /// Failures that cost nothing.
    free: i64,
    /// Longest lock.
    longest: Duration,
}

/// One account from one network: the tightest, so that strangers cannot lock the owner out.
pub(super) const PAIR: Budget = Budget { kind: "pair", free: 3, longest: Duration::from_secs(30 * 60) };
/// One account from everywhere: against a guess from many networks.
pub(super) const ACCOUNT: Budget = Budget { kind: "account", free: 50, longest: Duration::from_secs(5 * 60) };
/// One network against all accounts.
pub(super) const ADDRESS: Budget = Budget { kind: "address", free: 20, longest: Duration::from_secs(15 * 60) };

/// The count starts anew after this long without a failure.
pub(super) const FORGET: Duration = Duration::from_secs(24 * 3_600);

impl Budget {
    /// How long the next try has to wait after so many failures: 15 s, doubled each time.
    pub(super) fn lock(self, failures: i64) -> Duration {
        match failures - self.free {
            over if over < 0 => Duration::ZERO,
            over => Duration::from_secs(15 << over.min(12)).min(self.longest),
        }
    }
}

/// The network that an address belongs to: /24 or /56.
pub(super) fn source(address: Option<IpAddr>) -> String {
    match address.map(|address| address.to_canonical()) {
        None => "here".to_owned(),
        Some(IpAddr::V4(v4)) => {
            let [a, b, c, _] = v4.octets();
            format!("{a}.{b}.{c}.0/24")
        }
        Some(IpAddr::V6(v6)) => format!("{:014x}/56", u128::from(v6) >> 72),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> bool {
        password(&Secret::new(text), "ann@example.org", "Ann Example").is_err()
    }

    #[test]
    fn weak_passwords_are_refused_and_long_words_are_not() {
        for weak in [
            "short",
            "aaaaaaaaaaaaaaaaaaaa",
            "abcabcabcabcabcabc",
            "abcdefghijklmnopq",
            "987654321098765",
            "qwertyuiopasdfgh",
            "ann@example.org12",
            "PasswordPassword1",
            "fourteen chars",
        ] {
            assert!(refused(weak), "{weak}");
        }
        for good in ["correct horse battery staple", "Ворона пьёт чай утром", "xK9#mPq2$vLw8@nR"] {
            assert!(!refused(good), "{good}");
        }
    }

    #[test]
    fn addresses_are_checked_by_shape_only() {
        assert_eq!(email(" ann@example.org ").unwrap(), "ann@example.org");
        for bad in ["", "ann", "@x", "ann@", "a@b@c", "a b@c", "a@.c"] {
            assert!(email(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn locks_double_up_to_a_ceiling() {
        let seconds: Vec<_> = [1, 2, 3, 4, 5, 12, 100].map(|n| PAIR.lock(n).as_secs()).to_vec();
        assert_eq!(seconds, [0, 0, 15, 30, 60, 1_800, 1_800]);
    }

    #[test]
    fn neighbours_share_a_network() {
        let of = |text: &str| source(Some(text.parse().unwrap()));
        assert_eq!(of("192.0.2.7"), of("::ffff:192.0.2.200"));
        assert_ne!(of("192.0.2.7"), of("192.0.3.7"));
        assert_eq!(of("2001:db8:1:100::1"), of("2001:db8:1:1ff::2"));
        assert_ne!(of("2001:db8:1:100::1"), of("2001:db8:1:200::1"));
    }
}
