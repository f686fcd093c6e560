//! The order of the passes: what is worth a packet is decided by what the answers so far have shown.

use std::io;
use std::time::Duration;

use super::plan::{self, Loss};
use super::probe::Probe;
use super::scan::Scan;
use crate::target::{Security, Version};

/// A community to look with, however many credentials hold it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name {
    /// Place of the credential that is reported.
    pub(super) credential: usize,
    /// Highest version it is meant for.
    version: Version,
    community: Vec<u8>,
}

impl Name {
    /// The communities among the credentials, each once.
    pub(super) fn all(securities: &[std::sync::Arc<Security>]) -> Vec<Self> {
        let mut names: Vec<Self> = Vec::new();
        for (credential, security) in securities.iter().enumerate() {
            let Security::Community { version, community } = &**security else { continue };
            match names.iter_mut().find(|name| name.community == community.expose()) {
                Some(name) if *version > name.version => (name.credential, name.version) = (credential, *version),
                Some(_) => {}
                None => names.push(Self { credential, version: *version, community: community.expose().to_vec() }),
            }
        }
        names
    }

    /// Asks in this version, or an older one if the community is meant for that: who asks for v1 does not want v2c.
    fn probe(&self, wanted: Version) -> Probe {
        let version = wanted.min(self.version);
        Probe::Community { version, community: self.community.clone(), credential: self.credential }
    }
}

impl Scan {
    /// The first probe for all, then what experience says is worth it.
    pub(super) async fn passes(&mut self) -> io::Result<()> {
        match self.names.clone().as_slice() {
            [] => self.one_probe(&Probe::Discovery, None).await,
            [name] if self.users == 0 => self.one_probe(&name.probe(Version::V2c), Some(name)).await,
            names if plan::is_small(self.addresses.len()) => self.small_range(names).await,
            names => self.large_range(names).await,
        }
    }

    /// One way in: it is asked of all, and again as far as packets get lost.
    async fn one_probe(&mut self, first: &Probe, name: Option<&Name>) -> io::Result<()> {
        self.main = name.map(|name| name.credential);
        self.full_pass(first).await?;
        let small = plan::is_small(self.addresses.len());
        let loss = if small { Loss::default() } else { self.echoes(first).await? };
        let v1_done = match name {
            Some(name) => self.v1_pass(name, loss).await?,
            None => false,
        };
        self.retries(first, 1 + u8::from(v1_done), loss).await
    }

    /// Several ways in and few addresses: all of them everywhere, as far as the packets for one address go. What
    /// they do not go for has its turn in another sweep.
    async fn small_range(&mut self, names: &[Name]) -> io::Result<()> {
        self.main = names.first().map(|name| name.credential);
        self.full_pass(&Probe::Discovery).await?;
        let (first, others) = names.split_at(1.min(names.len()));
        for name in first {
            self.full_pass(&name.probe(Version::V2c)).await?;
        }
        let mut rest: Vec<Probe> = others.iter().map(|name| name.probe(Version::V2c)).collect();
        if self.config.retries > 0 {
            let v1 = names.iter().map(|name| name.probe(Version::V1));
            rest.extend(v1.filter(|probe| !others.iter().any(|name| name.probe(Version::V2c) == *probe)));
        }
        let turn = self.config.turn as usize % rest.len().max(1);
        rest.rotate_left(turn);
        if self.config.retries > 0 {
            rest.extend(names.iter().map(|name| name.probe(Version::V2c)));
        }
        for probe in &rest {
            self.full_pass(probe).await?;
        }
        Ok(())
    }

    /// Several ways in and many addresses. Every SNMPv3 engine answers the discovery of engines, whatever its
    /// communities; to those that are silent to it the communities are sent that samples show to be in use.
    async fn large_range(&mut self, names: &[Name]) -> io::Result<()> {
        self.full_pass(&Probe::Discovery).await?;
        self.await_evidence().await?;
        let chosen = if names.len() > 1 { self.sample(names).await? } else { names.to_vec() };
        self.main = chosen.first().map(|name| name.credential);
        for name in &chosen {
            self.full_pass(&name.probe(Version::V2c)).await?;
        }
        let Some(name) = chosen.first() else { return Ok(()) };
        let main = name.probe(Version::V2c);
        let loss = self.echoes(&main).await?;
        let v1_done = self.v1_pass(name, loss).await?;
        self.retries(&main, 1 + u8::from(v1_done), loss).await
    }

    /// Asks a part of the silent addresses with each community, other ones with each, and returns the communities
    /// that all shall be asked with: those that were answered, or else the one that devices with an engine let in.
    async fn sample(&mut self, names: &[Name]) -> io::Result<Vec<Name>> {
        let all = self.addresses.len();
        let mut hits = Vec::new();
        for (place, name) in names.iter().enumerate() {
            let most = plan::community_sample(all, place, names.len() as u64);
            // Who has been asked by more than the discovery of engines is in another sample.
            hits.push(self.silent_pass(&name.probe(Version::V2c), most, 1).await?);
        }
        let proven = |name: &Name| self.hits.of(name.credential);
        let mut answered: Vec<usize> = (0..names.len()).filter(|place| hits[*place] > 0).collect();
        if answered.is_empty() {
            let best = names.iter().max_by_key(|name| (proven(name), std::cmp::Reverse(name.credential)));
            return Ok(best.cloned().into_iter().collect());
        }
        // The commonest first; where not all can be asked, the others have their turn in other sweeps.
        let size = |place: usize| plan::community_sample(all, place, names.len() as u64).max(1);
        let share = |place: usize| hits[place] as f64 / size(place) as f64;
        answered.sort_by(|a, b| share(*b).total_cmp(&share(*a)));
        let turn = self.config.turn as usize % answered.len();
        answered.rotate_left(turn);
        Ok(answered.into_iter().map(|place| names[place].clone()).collect())
    }

    /// Asks silent addresses again, as long as the loss that was seen makes it worth their packets.
    async fn retries(&mut self, probe: &Probe, mut tries: u8, loss: Loss) -> io::Result<()> {
        let all = self.addresses.len();
        while !self.gone && plan::wants_retry(all, self.heard, loss, tries, self.config.retries) {
            let silent = all - self.settled.count().min(all);
            let most = if plan::is_crowded(self.heard, silent, loss, tries) { u8::MAX } else { self.most };
            self.silent_pass(probe, u64::MAX, most.saturating_sub(1)).await?;
            tries += 1;
        }
        Ok(())
    }

    /// Looks for devices that know only v1; true if all silent addresses were asked, which then was a retry.
    async fn v1_pass(&mut self, name: &Name, loss: Loss) -> io::Result<bool> {
        if self.config.retries == 0 {
            return Ok(false);
        }
        let (probe, all) = (name.probe(Version::V1), self.addresses.len());
        let sample = plan::v1_sample(all);
        let hits = self.silent_pass(&probe, sample, self.most.saturating_sub(1)).await?;
        if sample >= all {
            return Ok(true);
        }
        // Lost packets make v2c devices answer here, too: only without loss do answers mean v1 devices.
        if hits > 0 && loss.lost == 0 {
            self.full_pass(&probe).await?;
            return Ok(true);
        }
        Ok(false)
    }

    /// Sends a probe to all silent addresses that may still be asked.
    async fn full_pass(&mut self, probe: &Probe) -> io::Result<()> {
        self.silent_pass(probe, u64::MAX, self.most.saturating_sub(1)).await.map(|_| ())
    }

    /// Waits until a device with an engine has let a credential in, or all have been tried.
    async fn await_evidence(&mut self) -> io::Result<()> {
        while !self.gone && !self.hits.any() && self.has_trials() {
            self.idle(Duration::from_millis(20)).await?;
            self.take_in();
            self.look_after_trials();
        }
        Ok(())
    }

    /// Asks devices that answered again, to learn how many packets get lost: many devices once, few several times.
    async fn echoes(&mut self, first: &Probe) -> io::Result<Loss> {
        let mut loss = Loss::default();
        for _ in 0..plan::ROUNDS {
            if self.gone || loss.asked >= plan::ENOUGH || self.heard * plan::ROUNDS < plan::ENOUGH {
                break;
            }
            for probe in [first, &Probe::Discovery] {
                // Each in the way it has answered before.
                let speakers = if *probe == Probe::Discovery { &self.engines } else { &self.systems };
                if speakers.count() > 0 {
                    let round = self.echo_round(probe).await?;
                    loss.asked += round.asked;
                    loss.lost += round.lost;
                }
                if *first == Probe::Discovery {
                    break;
                }
            }
        }
        Ok(loss)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_community_in_two_versions_is_one_name() {
        let securities: Vec<Arc<Security>> =
            [Security::v1("a"), Security::v2c("b"), Security::v2c("a"), Security::v1("b"), Security::v1("c")]
                .into_iter()
                .map(Arc::new)
                .collect();
        let names = Name::all(&securities);
        let seen: Vec<_> = names.iter().map(|name| (name.credential, name.version)).collect();
        assert_eq!(seen, [(2, Version::V2c), (1, Version::V2c), (4, Version::V1)]);
        assert_eq!(names[2].probe(Version::V2c), names[2].probe(Version::V1), "v1 stays v1");
    }
}
