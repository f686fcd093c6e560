//! For tests of this crate and of the doors: a platform on each engine, with a clock that moves only when told.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use store::testing::TestDb;
use uuid::Uuid;

use crate::ctx::{Actor, Ctx, Role};
use crate::ids::{OrgId, UserId};
use crate::orgs::{self, NewOrg};
use crate::platform::{Clock, Ids, Platform, PlatformConfig};
use crate::secrets::Secret;
use crate::time::Micros;
use crate::users::{self, FirstUser, NewUser};

/// The password of every account that this module makes.
pub const PASSWORD: &str = "seven green herons wade";
/// 2026-03-01T12:00:00Z: when test platforms begin.
pub const START: Micros = Micros(1_772_366_400_000_000);

/// A clock that moves only when told.
pub struct TestClock(AtomicI64);

impl TestClock {
    /// Moves on.
    pub fn advance(&self, time: Duration) {
        self.0.fetch_add(i64::try_from(time.as_micros()).unwrap_or(i64::MAX), Ordering::SeqCst);
    }

    /// Moves to a moment.
    pub fn set(&self, at: Micros) {
        self.0.store(at.0, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Micros {
        Micros(self.0.load(Ordering::SeqCst))
    }
}

/// Ids and randomness that are the same in each run: a counter, hashed with a seed.
pub struct TestIds {
    seed: u64,
    count: AtomicU64,
}

impl TestIds {
    /// With a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { seed, count: AtomicU64::new(0) }
    }

    fn block(&self) -> [u8; 32] {
        let count = self.count.fetch_add(1, Ordering::SeqCst);
        let hash = digest(&SHA256, &[self.seed.to_be_bytes(), count.to_be_bytes()].concat());
        let mut block = [0; 32];
        block.copy_from_slice(hash.as_ref());
        block
    }
}

impl Ids for TestIds {
    fn uuid7(&self) -> Uuid {
        let count = self.count.load(Ordering::SeqCst);
        let random = self.block();
        let mut bytes = [0; 10];
        bytes.copy_from_slice(&random[..10]);
        uuid::Builder::from_unix_timestamp_millis(1_772_366_400_000 + count, &bytes).into_uuid()
    }

    fn random(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(32) {
            chunk.copy_from_slice(&self.block()[..chunk.len()]);
        }
    }
}

/// A platform with its throw-away database.
pub struct TestPlatform {
    /// The platform.
    pub platform: Platform,
    /// Its clock.
    pub clock: Arc<TestClock>,
    db: TestDb,
}

impl TestPlatform {
    /// On an empty database.
    ///
    /// # Panics
    /// When it cannot be opened.
    pub async fn on(db: TestDb) -> Self {
        let clock = Arc::new(TestClock(AtomicI64::new(START.0)));
        let blobs = store::Blobs::open(db.folder().join("blobs")).await.unwrap_or_else(|error| panic!("{error}"));
        let config = PlatformConfig {
            db: db.clone(),
            blobs,
            data_key: [7; 32],
            clock: clock.clone(),
            ids: Arc::new(TestIds::new(1)),
        };
        let platform = Platform::open(config).await.unwrap_or_else(|error| panic!("{error}: {:?}", error.source));
        Self { platform, clock, db }
    }

    /// On a new SQLite file.
    pub async fn sqlite() -> Self {
        Self::on(TestDb::sqlite().await).await
    }

    /// On each engine that is there; says which it skips.
    pub async fn each() -> Vec<Self> {
        let mut all = Vec::new();
        for db in TestDb::each().await {
            all.push(Self::on(db).await);
        }
        all
    }

    /// Another server on the same database, with the same clock.
    ///
    /// # Panics
    /// When it cannot be opened.
    pub async fn beside(&self) -> Platform {
        let db = store::Db::open(self.db.url()).await.unwrap_or_else(|error| panic!("{error}"));
        let blobs = store::Blobs::open(self.db.folder().join("blobs")).await.unwrap_or_else(|error| panic!("{error}"));
        let (clock, ids) = (self.clock.clone(), Arc::new(TestIds::new(2)));
        let config = PlatformConfig { db, blobs, data_key: [7; 32], clock, ids };
        Platform::open(config).await.unwrap_or_else(|error| panic!("{error}: {:?}", error.source))
    }

    /// The folder of the database, to put files into.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.db.folder()
    }

    /// Sets up the root organisation "Root" with the administrator `admin@example.org`; returns the latter.
    ///
    /// # Panics
    /// When that was done before.
    pub async fn root(&self) -> Ctx {
        let first = FirstUser {
            organisation: NewOrg { name: "Root".to_owned(), ..NewOrg::default() },
            email: "admin@example.org".to_owned(),
            name: "Ada Admin".to_owned(),
            password: Secret::new(PASSWORD),
        };
        let user = users::setup_local(&self.platform, &first).await.unwrap_or_else(|error| panic!("{error:?}"));
        self.user(user.org, user.id, &user.name, Role::Admin).await
    }

    /// A customer below `provider`, with its own administrator; both as they would ask.
    ///
    /// # Panics
    /// When the name is taken.
    pub async fn customer(&self, provider: &Ctx, name: &str) -> (OrgId, Ctx) {
        let new = NewOrg { name: name.to_owned(), kind: "customer".to_owned(), ..NewOrg::default() };
        self.organisation(provider, &new).await
    }

    /// A provider below `provider`, with its own administrator.
    ///
    /// # Panics
    /// When the name is taken.
    pub async fn provider(&self, provider: &Ctx, name: &str) -> (OrgId, Ctx) {
        let new = NewOrg { name: name.to_owned(), kind: "provider".to_owned(), ..NewOrg::default() };
        self.organisation(provider, &new).await
    }

    async fn organisation(&self, provider: &Ctx, new: &NewOrg) -> (OrgId, Ctx) {
        let org = orgs::create(provider, new).await.unwrap_or_else(|error| panic!("{error:?}"));
        let admin = self.account(provider, org.id, &format!("admin@{}", org.slug), Role::Admin).await;
        (org.id, admin)
    }

    /// An account in `org`, as it would ask; `by` must be allowed to make it.
    ///
    /// # Panics
    /// When the address is taken.
    pub async fn account(&self, by: &Ctx, org: OrgId, email: &str, role: Role) -> Ctx {
        let new = NewUser {
            email: email.to_owned(),
            name: email.split('@').next().unwrap_or(email).to_owned(),
            role: role.as_str().to_owned(),
            password: Some(Secret::new(PASSWORD)),
            org: Some(org),
            locale: None,
        };
        let (user, _) = users::create_user(by, &new).await.unwrap_or_else(|error| panic!("{error:?}"));
        self.user(org, user.id, &user.name, role).await
    }

    /// A request of a person, with the scope as it is now.
    ///
    /// # Panics
    /// When the database refuses.
    pub async fn user(&self, org: OrgId, id: UserId, name: &str, role: Role) -> Ctx {
        let actor = Actor::User { id, name: name.to_owned() };
        self.ctx(org, actor, role).await
    }

    /// The same request, asked again now: new grants and a moved clock are seen.
    pub async fn again(&self, ctx: &Ctx) -> Ctx {
        self.ctx(ctx.home, ctx.actor.clone(), ctx.role).await
    }

    async fn ctx(&self, org: OrgId, actor: Actor, role: Role) -> Ctx {
        crate::scope::request(&self.platform, org, actor, role).await.unwrap_or_else(|error| panic!("{error:?}"))
    }
}
