//! Work on many devices, so many at the same time that they share transactions.

use anyhow::Result;
use tokio::task::JoinSet;

/// At the same time.
const TOGETHER: usize = 128;

/// Does `work` for each place; what came of it, in the order of the places.
pub(super) async fn for_each<T, F>(places: u32, work: impl Fn(u32) -> F) -> Result<Vec<T>>
where
    F: Future<Output = Result<T>> + Send + 'static,
    T: Send + 'static,
{
    let (mut left, mut under_way) = (0..places, JoinSet::new());
    let mut done = Vec::with_capacity(places as usize);
    loop {
        while under_way.len() < TOGETHER {
            let Some(place) = left.next() else { break };
            let job = work(place);
            under_way.spawn(async move { (place, job.await) });
        }
        let Some(joined) = under_way.join_next().await else { break };
        let (place, outcome) = joined?;
        done.push((place, outcome?));
    }
    done.sort_unstable_by_key(|(place, _)| *place);
    Ok(done.into_iter().map(|(_, outcome)| outcome).collect())
}
