//! Blobs are named after their content, stored once, and compared when read.

use store::testing::TestFolder;
use store::{Blobs, ErrorKind, Sha256};

#[tokio::test]
async fn the_same_bytes_are_stored_once_under_their_hash() {
    let folder = TestFolder::new();
    let blobs = Blobs::open(folder.path()).await.unwrap();
    let stored = blobs.put(b"abc".to_vec()).await.unwrap();
    assert_eq!(stored.hash.to_string(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_eq!(stored.hash.to_string().parse::<Sha256>().unwrap(), stored.hash);
    assert_eq!(blobs.put_stream(&b"abc"[..], 10).await.unwrap(), stored);
    assert_eq!(blobs.get(stored.hash).await.unwrap(), b"abc");
    assert!(blobs.contains(stored.hash).await.unwrap());
    assert!(blobs.delete(stored.hash).await.unwrap());
    assert!(!blobs.delete(stored.hash).await.unwrap());
    assert_eq!(blobs.get(stored.hash).await.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn large_streams_are_hashed_on_the_way_and_bounded() {
    let folder = TestFolder::new();
    let blobs = Blobs::open(folder.path()).await.unwrap();
    let bytes: Vec<u8> = (0..1_000_003_u32).map(|number| number.to_le_bytes()[1]).collect();
    let stored = blobs.put_stream(&bytes[..], 2_000_000).await.unwrap();
    assert_eq!((stored.hash, stored.length), (Sha256::of(&bytes), 1_000_003));
    assert_eq!(blobs.get(stored.hash).await.unwrap(), bytes);
    let error = blobs.put_stream(&bytes[..], 1_000_000).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Full);
    assert_eq!(std::fs::read_dir(folder.path().join("incoming")).unwrap().count(), 0);
}

#[tokio::test]
async fn what_a_killed_process_left_is_removed_and_damage_is_found() {
    let folder = TestFolder::new();
    let blobs = Blobs::open(folder.path()).await.unwrap();
    std::fs::write(folder.path().join("incoming/half"), b"ha").unwrap();
    let stored = blobs.put(b"whole".to_vec()).await.unwrap();
    let blobs = Blobs::open(folder.path()).await.unwrap();
    assert!(!folder.path().join("incoming/half").exists());
    let name = stored.hash.to_string();
    std::fs::write(folder.path().join(&name[..2]).join(&name), b"holes").unwrap();
    assert_eq!(blobs.get(stored.hash).await.unwrap_err().kind(), ErrorKind::Corrupt);
}
