//! What one process has: database, blobs, key, clock and randomness. Cheap to clone.
//! Only here do time and randomness enter; capabilities see them through [`Ctx`].

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use store::View;
use uuid::Uuid;

use crate::ctx::{Actor, Ctx, Role};
use crate::error::Result;
use crate::ids::OrgId;
use crate::monitors::MailDoors;
use crate::scope::Scope;
use crate::secrets::Sealer;
use crate::time::Micros;
use crate::users::PasswordGate;

store::sql! {
    READY = "insert into installation (id) values (1)
        on conflict (id) do update set id = 1";
}

/// The wall clock.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Micros;
}

/// Ids and randomness.
pub trait Ids: Send + Sync {
    /// A new UUID of version 7: rising with time.
    fn uuid7(&self) -> Uuid;
    /// Fills with bytes that nobody can guess.
    fn random(&self, bytes: &mut [u8]);
}

/// What [`Platform::open`] needs.
pub struct PlatformConfig {
    /// The database.
    pub db: store::Db,
    /// The blobs.
    pub blobs: store::Blobs,
    /// Root key for secrets at rest; kept outside the database.
    pub data_key: [u8; 32],
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Ids and randomness.
    pub ids: Arc<dyn Ids>,
}

/// The product in one process.
#[derive(Clone)]
pub struct Platform(Arc<Inner>);

struct Inner {
    db: store::Db,
    blobs: store::Blobs,
    sealer: Sealer,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    passwords: PasswordGate,
    agent_keys: Mutex<HashMap<wire::Subject, crate::agents::CachedKey>>,
    known: crate::monitors::Known,
    gateway_keys: Mutex<Option<Arc<crate::monitors::Ring>>>,
    mail: OnceLock<MailDoors>,
    ingest: crate::reports::Ingest,
}

impl Platform {
    /// Opens the product on a database, bringing the tables up to date.
    ///
    /// # Errors
    /// When a migration does not apply.
    pub async fn open(config: PlatformConfig) -> Result<Self> {
        config.db.migrate(&crate::migrations()).await?;
        Ok(Self(Arc::new(Inner {
            sealer: Sealer::new(config.data_key),
            db: config.db,
            blobs: config.blobs,
            clock: config.clock,
            ids: config.ids,
            passwords: PasswordGate::default(),
            agent_keys: Mutex::default(),
            known: crate::monitors::Known::default(),
            gateway_keys: Mutex::default(),
            mail: OnceLock::new(),
            ingest: crate::reports::Ingest::default(),
        })))
    }

    /// The program itself, seeing all organisations; `reason` says what for, in logs and statements.
    #[must_use]
    pub fn system(&self, reason: &'static str) -> Ctx {
        Ctx {
            platform: self.clone(),
            actor: Actor::System,
            home: OrgId(Uuid::nil()),
            role: Role::Admin,
            scope: Scope::all(reason),
            now: self.now(),
            request: String::new(),
        }
    }

    /// Whether this process can do its work: the tables are up to date, the database takes a write, the blobs too.
    ///
    /// # Errors
    /// `Unavailable` or `Internal`, saying what is wrong.
    pub async fn ready(&self) -> Result<()> {
        let mut tx = self.0.db.write(&View::All("whether the database takes a write")).await?;
        tx.execute(&READY, &[]).await?;
        tx.commit().await?;
        self.0.blobs.put(b"platen is ready\n".to_vec()).await?;
        Ok(())
    }

    /// Says once, when the doors are open, where devices reach them; a second word changes nothing.
    pub fn set_mail(&self, doors: MailDoors) {
        drop(self.0.mail.set(doors));
    }

    /// The mail doors, if there are any.
    #[must_use]
    pub fn mail(&self) -> Option<&MailDoors> {
        self.0.mail.get()
    }

    /// The database.
    #[must_use]
    pub fn db(&self) -> &store::Db {
        &self.0.db
    }

    /// The blobs.
    #[must_use]
    pub fn blobs(&self) -> &store::Blobs {
        &self.0.blobs
    }

    /// The wall clock.
    #[must_use]
    pub fn now(&self) -> Micros {
        self.0.clock.now()
    }

    /// Ids and randomness.
    #[must_use]
    pub fn ids(&self) -> &dyn Ids {
        &*self.0.ids
    }

    /// Seals and opens secrets at rest.
    pub(crate) fn sealer(&self) -> &Sealer {
        &self.0.sealer
    }

    pub(crate) fn passwords(&self) -> &PasswordGate {
        &self.0.passwords
    }

    pub(crate) fn agent_keys(&self) -> &Mutex<HashMap<wire::Subject, crate::agents::CachedKey>> {
        &self.0.agent_keys
    }

    pub(crate) fn gateway_keys(&self) -> &Mutex<Option<Arc<crate::monitors::Ring>>> {
        &self.0.gateway_keys
    }

    pub(crate) fn known(&self) -> &crate::monitors::Known {
        &self.0.known
    }

    pub(crate) fn ingest(&self) -> &crate::reports::Ingest {
        &self.0.ingest
    }
}

impl fmt::Debug for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Platform({:?})", self.0.db.engine())
    }
}
