//! Argon2id with OWASP's parameters, on blocking threads, two at a time: a flood of sign-ins cannot eat the memory.

use std::sync::Arc;
use std::time::Duration;

use argon2::password_hash::{PasswordHash, PasswordHasher as _, PasswordVerifier as _, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::Semaphore;

use crate::error::{Error, Kind, Result};
use crate::platform::Ids;
use crate::secrets::Secret;

/// Hashes at once: 19 MiB each.
const AT_ONCE: usize = 2;
/// Waiting beyond these: "come again".
const QUEUE: usize = 50;
/// Checked when there is no such account, so that the answer takes as long.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5bm9ib2R5bm9ibw$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// The door to password hashing.
pub(crate) struct PasswordGate {
    running: Arc<Semaphore>,
    places: Arc<Semaphore>,
}

impl Default for PasswordGate {
    fn default() -> Self {
        Self { running: Arc::new(Semaphore::new(AT_ONCE)), places: Arc::new(Semaphore::new(AT_ONCE + QUEUE)) }
    }
}

impl PasswordGate {
    /// The PHC string to store.
    pub(super) async fn hash(&self, ids: &dyn Ids, password: &Secret) -> Result<String> {
        let mut salt = [0; 16];
        ids.random(&mut salt);
        let password = password.clone();
        self.run(move || {
            let salt = SaltString::encode_b64(&salt).ok()?;
            Some(hasher()?.hash_password(password.expose().as_bytes(), &salt).ok()?.to_string())
        })
        .await?
        .ok_or_else(|| Error::internal("the password could not be hashed"))
    }

    /// Whether `password` is the one; without a verifier it never is, in the same time.
    pub(super) async fn verify(&self, password: &Secret, verifier: Option<String>) -> Result<bool> {
        let password = password.clone();
        let known = verifier.is_some();
        let fits = self
            .run(move || {
                let verifier = verifier.as_deref().unwrap_or(NOBODY);
                let parsed = PasswordHash::new(verifier).ok()?;
                Some(hasher()?.verify_password(password.expose().as_bytes(), &parsed).is_ok())
            })
            .await?
            .unwrap_or(false);
        Ok(known && fits)
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let busy = || {
            Error::new(Kind::Unavailable, "too many sign-ins at once; try again in a moment")
                .retry_after(Duration::from_secs(2))
        };
        let place = self.places.clone().try_acquire_owned().map_err(|_| busy())?;
        let turn = self.running.clone().acquire_owned().await.map_err(|_| busy())?;
        // The permits travel with the work: a caller who hangs up does not make room before the memory is free.
        let result = tokio::task::spawn_blocking(move || {
            let result = work();
            drop((turn, place));
            result
        });
        result.await.map_err(|error| Error::internal("password hashing stopped").with_source(error))
    }
}

fn hasher() -> Option<Argon2<'static>> {
    Some(Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(19_456, 2, 1, Some(32)).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestIds;

    #[tokio::test]
    async fn a_password_fits_only_itself_and_nobody_fits_nothing() {
        let gate = PasswordGate::default();
        let password = Secret::new("correct horse battery");
        let hash = gate.hash(&TestIds::new(1), &password).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(gate.verify(&password, Some(hash.clone())).await.unwrap());
        assert!(!gate.verify(&Secret::new("correct horse batter"), Some(hash)).await.unwrap());
        assert!(!gate.verify(&password, None).await.unwrap());
        assert!(PasswordHash::new(NOBODY).is_ok(), "checking nobody must cost as much as checking somebody");
    }

    #[tokio::test]
    async fn a_flood_is_turned_away_instead_of_queued_without_end() {
        let gate = Arc::new(PasswordGate::default());
        let holders: Vec<_> = (0..AT_ONCE + QUEUE).map(|_| gate.places.clone().try_acquire_owned().unwrap()).collect();
        let error = gate.verify(&Secret::new("x"), None).await.unwrap_err();
        assert_eq!(error.kind, Kind::Unavailable);
        assert!(error.retry_after.is_some());
        drop(holders);
        assert!(!gate.verify(&Secret::new("x"), None).await.unwrap());
    }
}
