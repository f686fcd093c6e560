//! A POST that is repeated takes effect once.

use std::time::Duration;

use platen_core::idempotency::{Begin, abandon, begin, finish};
use platen_core::testing::TestPlatform;
use platen_core::{Kind, Role};

#[tokio::test]
async fn a_repeat_gets_the_first_reply_for_a_day() {
    for test in TestPlatform::each().await {
        let root = test.root().await;
        let Begin::Work(key) = begin(&root, "k1", b"POST /x {}").await.unwrap() else { panic!("the first must work") };
        assert_eq!(begin(&root, "k1", b"POST /x {}").await.unwrap_err().kind, Kind::Conflict, "still running");
        finish(&root, &key, b"{\"id\":1}").await.unwrap();
        assert_eq!(begin(&root, "k1", b"POST /x {}").await.unwrap(), Begin::Again(b"{\"id\":1}".to_vec()));
        assert_eq!(begin(&root, "k1", b"POST /y {}").await.unwrap_err().kind, Kind::Conflict, "another request");
        let other = test.account(&root, root.home, "o@example.org", Role::User).await;
        assert!(matches!(begin(&other, "k1", b"POST /x {}").await.unwrap(), Begin::Work(_)), "keys are personal");
        test.clock.advance(Duration::from_secs(86_401));
        let root = test.again(&root).await;
        assert!(matches!(begin(&root, "k1", b"POST /x {}").await.unwrap(), Begin::Work(_)));
    }
}

#[tokio::test]
async fn work_that_failed_or_was_killed_may_be_tried_again() {
    for test in TestPlatform::each().await {
        let root = test.root().await;
        let Begin::Work(key) = begin(&root, "k", b"x").await.unwrap() else { panic!("the first must work") };
        abandon(&root, &key).await.unwrap();
        assert!(matches!(begin(&root, "k", b"x").await.unwrap(), Begin::Work(_)));
        test.clock.advance(Duration::from_secs(61));
        let root = test.again(&root).await;
        assert!(matches!(begin(&root, "k", b"x").await.unwrap(), Begin::Work(_)), "killed half-way");
        assert_eq!(begin(&root, "", b"x").await.unwrap_err().kind, Kind::Invalid);
    }
}
