//! The exclusive lock of RFC 1939 §4: one session a maildrop, in this process.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

/// Which maildrops are in use. Clones share one list. Several processes over one store need a lease there besides.
#[derive(Clone, Debug, Default)]
pub struct Locks(Arc<Mutex<HashSet<String>>>);

/// A maildrop that is held; dropping it frees the maildrop, however the session ended.
#[derive(Debug)]
pub struct Taken {
    locks: Locks,
    user: String,
}

impl Locks {
    /// Takes the maildrop of `user`; none when another session has it.
    #[must_use]
    pub fn take(&self, user: &str) -> Option<Taken> {
        let fresh = self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(user.to_owned());
        fresh.then(|| Taken { locks: self.clone(), user: user.to_owned() })
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.locks.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.user);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_maildrop_is_held_by_one_session_until_it_ends() {
        let locks = Locks::default();
        let taken = locks.take("a").unwrap();
        assert!(locks.clone().take("a").is_none());
        assert!(locks.take("b").is_some());
        drop(taken);
        assert!(locks.take("a").is_some());
    }
}
