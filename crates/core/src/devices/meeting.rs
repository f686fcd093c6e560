//! How a status message finds its device: what speaks for whom is loaded, the rules of identity decide, and what they
//! cannot know is doubted.

use std::collections::HashMap;

use serde_json::{Value as Json, json};
use store::{Tx, params};
use wire::Subject;

use super::fold::sort_key;
use super::identity::{Decision, Evidence, identify};
use super::intake::{Fleet, chunks};
use super::known::{Known, Told};
use super::{DeviceId, sql};
use crate::doubts::{Kind, NewDoubt};
use crate::error::Result;

/// Which device a status message is about.
pub(crate) enum Met {
    /// This one of the working set.
    Device(usize),
    /// This one too, but another source of it is heard as well: its address and its like are not taken from here.
    Rival(usize),
    /// Retired by a person: nothing is taken from it.
    Retired,
}

impl Fleet {
    /// Loads devices by what these status messages say of serial and MAC, where the subject alone does not decide.
    pub(crate) async fn load_claims(&mut self, tx: &mut Tx, claims: &[(Subject, &Told)]) -> Result<()> {
        let (mut serials, mut macs, mut engines, mut addresses) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (subject, told) in claims {
            let bound = self.by_subject.get(subject).map(|at| &self.devices[*at]);
            if bound.is_some_and(|d| {
                d.identity_hash == told.hash || (d.serial_fold == told.serial_fold && d.vendor == told.vendor)
            }) {
                continue;
            }
            serials.extend(told.serial_fold.clone());
            macs.extend(told.mac.clone());
            engines.extend(told.engine.clone());
            if bound.is_none() {
                addresses.extend(told.address.as_deref().map(|address| sort_key(Some(address))));
            }
        }
        for row in chunks(self.tenant, &[macs.as_slice(), engines.as_slice()].concat()) {
            for row in tx.query(&sql::WORTHLESS, &row).await? {
                self.worthless.insert(row.get(0)?);
            }
        }
        let lists = [
            (&sql::BY_SERIAL, serials),
            (&sql::BY_MAC, macs),
            (&sql::BY_ENGINE, engines),
            (&sql::BY_ADDRESS, addresses),
        ];
        for (statement, mut values) in lists {
            values.retain(|value| !self.worthless.contains(value));
            values.sort_unstable();
            values.dedup();
            for row in chunks(self.tenant, &values) {
                for row in tx.query(statement, &row).await? {
                    self.hold(Known::read(&row)?);
                }
            }
        }
        Ok(())
    }

    /// Finds or makes the device that a status message is about, and binds its subject.
    pub(crate) fn meet(&mut self, subject: Subject, told: &Told, at: i64, id: impl FnOnce() -> DeviceId) -> Met {
        let own = self.by_subject.get(&subject).copied();
        if let Some(own) =
            own.filter(|own| self.devices[*own].identity_hash == told.hash && self.devices[*own].lifecycle != "retired")
        {
            return self.read_from(own, subject);
        }
        let (now, key) = (self.now, self.subject_key(subject));
        let candidate = |at: usize| self.devices[at].candidate(own == Some(at), &key, now);
        let living = |at: &&usize| self.devices[**at].lifecycle != "retired";
        let by_serial = told.serial_fold.as_ref().and_then(|serial| self.by_serial.get(serial)).and_then(|found| {
            let vendor = |at: &usize| self.devices[*at].vendor.as_str();
            let exact = found.iter().filter(living).find(|at| vendor(at) == told.vendor);
            let vague = || found.iter().filter(living).find(|at| told.vendor.is_empty() || vendor(at).is_empty());
            exact.or_else(vague).map(|at| candidate(*at))
        });
        // What two living devices have says nothing of a third message.
        let only = |index: &HashMap<String, Vec<usize>>, value: Option<&String>| {
            let mut found = value.and_then(|value| index.get(value))?.iter().filter(living);
            found.next().filter(|first| found.all(|other| other == *first)).map(|at| candidate(*at))
        };
        let claim = told.claim(|value| self.worthless.contains(value));
        let by_subject = own.map(candidate);
        let by_mac = only(&self.by_mac, claim.mac.and(told.mac.as_ref()));
        let by_engine = only(&self.by_engine, claim.engine.and(told.engine.as_ref()));
        let evidence = Evidence {
            subject: by_subject.as_ref(),
            serial: by_serial.as_ref(),
            mac: by_mac.as_ref(),
            engine: by_engine.as_ref(),
        };
        match identify(&claim, &evidence) {
            Decision::Retired(_) => Met::Retired,
            Decision::Same(id) => self.met_again(subject, own, self.by_id[&id], told),
            Decision::Doubtful(id) => {
                let at = self.by_id[&id];
                if own != Some(at) {
                    self.bind(subject, at);
                }
                self.doubt_sources(subject, at, told);
                Met::Rival(at)
            }
            Decision::New { instead_of, doubled } => {
                let place = if doubled.is_none() { self.stood_at(told) } else { None };
                let at = self.make(subject, told, at, id(), doubled.is_some());
                let expected = instead_of.map(|id| ("subject", id)).or(place.map(|id| ("address", id)));
                if let Some((evidence, expected)) = expected {
                    self.mismatch(evidence, expected, at, told);
                }
                if let Some(other) = doubled {
                    let data = self.sources(subject, self.by_id[&other], told, "two");
                    self.doubt(Kind::DoubledSerial, at, Some(other), data);
                }
                self.read_from(at, subject)
            }
        }
    }

    /// The device that this agent has read at the same address and port.
    fn stood_at(&self, told: &Told) -> Option<DeviceId> {
        let there = self.by_address.get(told.address.as_ref()?)?.iter().map(|at| &self.devices[*at]);
        let mut there = there.filter(|device| {
            device.lifecycle != "retired"
                && device.agent == Some(self.agent)
                && device.address == told.address
                && device.port == Some(told.port)
        });
        let device = there.next()?;
        there.all(|other| other.id == device.id).then_some(device.id)
    }

    /// A known device speaks. A name that is new to it takes it over (it has moved); one that was there before does not,
    /// while another is heard: then two read it at once.
    fn met_again(&mut self, subject: Subject, own: Option<usize>, at: usize, told: &Told) -> Met {
        if own != Some(at) {
            self.bind(subject, at);
            return self.read_from(at, subject);
        }
        let device = &self.devices[at];
        let elsewhere = device.alive_elsewhere(true, &self.subject_key(subject), self.now);
        let differs = device.agent.is_some_and(|agent| agent != self.agent)
            || matches!((&device.mac, &told.mac), (Some(a), Some(b)) if a != b);
        if !(elsewhere && differs) {
            return self.read_from(at, subject);
        }
        self.doubt_sources(subject, at, told);
        Met::Rival(at)
    }

    /// Two sources of one device are heard at once: two agents, or two network cards, or two devices with one serial.
    fn doubt_sources(&mut self, subject: Subject, at: usize, told: &Told) {
        let device = &self.devices[at];
        let cards = matches!((&device.mac, &told.mac), (Some(a), Some(b)) if a != b);
        let agents = device.agent.is_some_and(|agent| agent != self.agent);
        let kind = if agents && !cards { Kind::TwoAgents } else { Kind::DoubledSerial };
        let data = self.sources(subject, at, told, "same");
        self.doubt(kind, at, None, data);
    }

    /// What was seen of both.
    fn sources(&self, subject: Subject, at: usize, told: &Told, assumed: &str) -> Json {
        let device = &self.devices[at];
        json!({
            "assumed": assumed,
            "subject": self.subject_key(subject),
            "known": {
                "device": device.id, "agent": device.agent, "subject": device.heard_by, "address": device.address,
                "mac": device.mac, "model": device.model, "serial": device.serial,
            },
            "seen": { "agent": self.agent, "address": told.address, "mac": told.mac, "model": told.model, "serial": told.serial },
        })
    }

    fn doubt(&mut self, kind: Kind, at: usize, other: Option<DeviceId>, data: Json) {
        self.doubts.push(NewDoubt { kind, device: self.devices[at].id, other, at: self.now.0, pages: None, data });
    }

    fn make(&mut self, subject: Subject, told: &Told, at: i64, id: DeviceId, doubled: bool) -> usize {
        let mut device = Known::meet(id, at, self.now);
        device.vendor.clone_from(&told.vendor);
        device.serial_fold = told.serial_fold.clone().filter(|_| !doubled);
        device.mac.clone_from(&told.mac);
        device.engine_id.clone_from(&told.engine);
        device.model.clone_from(&told.model);
        let at = self.hold(device);
        self.bind(subject, at);
        let (vendor, model) = (&told.vendor, &told.model);
        self.note(at, self.now.0, "discovered", &json!({ "serial": told.serial, "doubled_serial": doubled }), None);
        self.events.push((
            "device.discovered",
            "device",
            id.to_string(),
            json!({ "device": id, "vendor": vendor, "model": model }),
        ));
        at
    }

    fn mismatch(&mut self, evidence: &str, expected: DeviceId, at: usize, told: &Told) {
        let before = &self.devices[self.by_id[&expected]];
        let data = json!({
            "evidence": evidence,
            "expected": { "device": expected, "vendor": before.vendor, "serial": before.serial },
            "seen": { "device": self.devices[at].id, "vendor": told.vendor, "serial": told.serial },
        });
        self.note(self.by_id[&expected], self.now.0, "identity", &data, None);
        self.note(at, self.now.0, "identity", &data, None);
        self.doubt(Kind::DeviceSwap, at, Some(expected), data.clone());
        self.events.push(("device.identity.mismatched", "device", expected.to_string(), data));
    }

    fn bind(&mut self, subject: Subject, at: usize) {
        let key = self.subject_key(subject);
        self.by_subject.insert(subject, at);
        let id = self.devices[at].id;
        self.ended.push(params![self.tenant, "subject", &key, id, self.now].into());
        self.evidence.push(params![self.tenant, "subject", key, id, "agent", self.now].into());
    }

    /// A device is read from this source from now on.
    fn read_from(&mut self, at: usize, subject: Subject) -> Met {
        self.devices[at].heard_by = Some(self.subject_key(subject));
        Met::Device(at)
    }
}
