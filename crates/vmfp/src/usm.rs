//! SNMPv3 of a device: its engine id, boots and time as a real one keeps them, and how users are written. Time runs
//! as fast as the wall clock whatever the speed of the fleet, because managers' clocks do.

use std::net::Ipv4Addr;
use std::str::FromStr;
use std::sync::Arc;

use snmp::usm::{AuthFailure, Authority, Users};
use snmp::{KeyExtension, Oid, UsmUser};

use crate::clock::Instant;
use crate::device::{Kind, State};
use crate::fault::Fault;
use crate::identity::Identity;
use crate::profile::Profile;
use crate::random::mix;

/// Shortest pass phrase (RFC 3414 §11.2).
const SHORTEST: usize = 8;
/// Enterprise of engines whose maker is not known (net-snmp).
const NOBODY: u32 = 8_072;
/// What devices with a cloned engine id call themselves.
const CLONE: &[u8] = b"cloned";

/// The SNMPv3 engine of one device.
pub(crate) struct Engine {
    pub authority: Authority,
    /// What its id was made from.
    of: Origin,
    /// When the power came on, at the last look.
    booted: Instant,
}

/// What an engine id follows from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Origin {
    unit: u16,
    board: u16,
    cloned: bool,
    /// Its boots are always 0.
    forgetful: bool,
}

/// What an engine needs to know of its device.
pub(crate) struct Owner<'a> {
    pub kind: &'a Kind,
    pub who: Identity,
    pub address: Ipv4Addr,
    pub now: Instant,
    pub faults: &'a [Fault],
}

impl Owner<'_> {
    /// Brings the engine of a device up to date, and makes it if there was none.
    pub(crate) fn engine<'s>(&self, state: &'s mut State, users: &Arc<Users>) -> &'s Authority {
        let life = state.life.as_ref();
        let of = Origin {
            unit: life.map_or(0, |life| life.unit),
            board: life.map_or(0, |life| life.board),
            cloned: self.faults.contains(&Fault::ClonedEngineId),
            forgetful: self.faults.contains(&Fault::BootsForgotten),
        };
        let booted = life.map_or(Instant::START, |life| life.booted);
        let boots = boots(self.who, life.map_or(0, |life| life.boots), self.faults);
        let since = (self.now.since(booted) / 1_000) as u32;
        let known = state
            .engine
            .take()
            .filter(|engine| (engine.of.unit, engine.of.board, engine.of.cloned) == (of.unit, of.board, of.cloned));
        let mut engine = known.unwrap_or_else(|| {
            let authority = Authority::new(&self.engine_id(of), boots, Arc::clone(users));
            authority.restart(boots, since);
            Box::new(Engine { authority, of, booted })
        });
        if engine.booted != booted || engine.of.forgetful != of.forgetful {
            engine.authority.restart(boots, if engine.booted == booted { 0 } else { since });
            (engine.booted, engine.of) = (booted, of);
        }
        &state.engine.insert(engine).authority
    }

    fn engine_id(&self, of: Origin) -> Vec<u8> {
        match self.kind {
            Kind::Profile { profile, .. } => {
                engine_id(profile, Identity { unit: of.unit, board: of.board, ..self.who }, of.cloned)
            }
            Kind::Walk(recording) => {
                let id = snmp::responder::Mib::get(&recording.main, &Oid::of("1.3.6.1.2.1.1.2.0"));
                compose(id.as_oid(), 1, &self.address.octets(), of.cloned)
            }
        }
    }
}

/// Engine id of a described device: the maker's number, then the hardware address.
pub(crate) fn engine_id(profile: &Profile, who: Identity, cloned: bool) -> Vec<u8> {
    compose(profile.identity.sys_object_id.parse().ok().as_ref(), 3, &who.mac(profile), cloned)
}

/// RFC 3411 §5: number of the maker with the first bit set, kind of what follows, and that.
fn compose(maker: Option<&Oid>, kind: u8, rest: &[u8], cloned: bool) -> Vec<u8> {
    let maker = maker.and_then(|oid| oid.arcs().nth(6)).unwrap_or(NOBODY) | 0x8000_0000;
    let (kind, rest) = if cloned { (4, CLONE) } else { (kind, rest) };
    [&maker.to_be_bytes()[..], &[kind], rest].concat()
}

/// Times the power came on in all its years; 0 where it forgets them.
pub(crate) fn boots(who: Identity, here: u16, faults: &[Fault]) -> u32 {
    if faults.contains(&Fault::BootsForgotten) {
        return 0;
    }
    1 + (mix(who.seed ^ 0xB007 ^ u64::from(who.place)) % 90) as u32 + u32::from(here)
}

/// Whether keys can be made for a user.
pub(crate) fn check(user: &UsmUser) -> Result<(), AuthFailure> {
    let short = |pass: &snmp::Secret| pass.expose().len() < SHORTEST;
    match (&user.auth, &user.privacy) {
        (None, Some(_)) => Err(AuthFailure::PrivacyWithoutAuth),
        (Some((_, pass)), _) if short(pass) => Err(AuthFailure::ShortPassPhrase),
        (_, Some((_, pass))) if short(pass) => Err(AuthFailure::ShortPassPhrase),
        _ => Ok(()),
    }
}

/// A user as it is written on the command line: `NAME[:AUTH:PASS[:PRIVACY:PASS[:EXTENSION]]]`, for example
/// `fleet:sha256:auth-secret:aes128:priv-secret`. The extension is `blumenthal` (usual) or `reeder`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct V3User(pub UsmUser);

/// Why a text is no user.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "no SNMPv3 user: {0}; write NAME:AUTH:PASS:PRIVACY:PASS, for example fleet:sha256:auth-secret:aes128:priv-secret"
)]
pub struct NoUser(String);

impl FromStr for V3User {
    type Err = NoUser;

    fn from_str(text: &str) -> Result<Self, NoUser> {
        let no = |why: &dyn std::fmt::Display| NoUser(why.to_string());
        let parts: Vec<&str> = text.split(':').collect();
        let user = match parts[..] {
            [name] => UsmUser::new(name),
            [name, auth, pass] => UsmUser::new(name).auth(auth.parse().map_err(|error| no(&error))?, pass),
            [name, auth, pass, privacy, secret, ref rest @ ..] if rest.len() < 2 => {
                let extension = match rest {
                    [] | ["blumenthal"] => KeyExtension::Blumenthal,
                    ["reeder"] => KeyExtension::Reeder,
                    _ => return Err(no(&"the extension is blumenthal or reeder")),
                };
                let user = UsmUser::new(name).auth(auth.parse().map_err(|error| no(&error))?, pass);
                user.privacy(privacy.parse().map_err(|error| no(&error))?, secret).extension(extension)
            }
            _ => return Err(no(&"it has 1, 3, 5 or 6 parts")),
        };
        if user.user.is_empty() {
            return Err(no(&"the name is empty"));
        }
        check(&user).map_err(|error| no(&error))?;
        Ok(Self(user))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_written_in_one_word() {
        let user = "ops:sha256:authpass1:aes256:privpass1:reeder".parse::<V3User>().unwrap().0;
        assert_eq!((user.user.as_str(), user.extension), ("ops", KeyExtension::Reeder));
        assert!(user.auth.is_some() && user.privacy.is_some());
        assert!("ops".parse::<V3User>().unwrap().0.auth.is_none());
        for wrong in ["", "ops:sha256", "ops:rot13:authpass1", "ops:md5:short", "ops:md5:authpass1:des:privpass1:x"] {
            let error = wrong.parse::<V3User>().unwrap_err().to_string();
            assert!(error.contains("fleet:sha256"), "{error}");
        }
    }
}
