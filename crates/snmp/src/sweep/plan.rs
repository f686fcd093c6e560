//! Which packets are worth sending. Retries to all of a large, mostly dead range cost far more than they find, so the
//! devices that answered are asked again first: if they all answer, nothing gets lost here.

/// Ranges up to this size get every retry and every community.
const SMALL: u64 = 512;
/// Answers needed before the loss is believed.
pub(super) const ENOUGH: u64 = 64;
/// Most times one device is asked again for that.
pub(super) const ROUNDS: u64 = 6;
/// Tries beyond the retries asked for, where packets get lost.
const EXTRA: u8 = 2;
/// Most devices asked again to measure the loss.
pub(super) const ECHOES: u64 = 1_000;

/// How lossy the way is.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Loss {
    /// Devices asked again, and those of them that did not answer.
    pub(super) asked: u64,
    pub(super) lost: u64,
}

/// Whether the range is small enough to do everything.
pub(super) fn is_small(addresses: u64) -> bool {
    addresses <= SMALL
}

/// Whether one more pass over the silent addresses is worth its packets, after `tries` passes.
pub(super) fn wants_retry(addresses: u64, alive: u64, loss: Loss, tries: u8, retries: u8) -> bool {
    if retries == 0 {
        return false;
    }
    let regular = tries <= retries;
    if is_small(addresses) || loss.asked < ENOUGH {
        return regular;
    }
    let rate = loss.lost as f64 / loss.asked as f64;
    let missing = alive as f64 * rate.powi(i32::from(tries)) / (1.0 - rate.min(0.9)).max(0.1);
    // A quarter of a device, or one in ten thousand where there are many.
    let matters = missing > (alive as f64 * 1e-4).max(0.25);
    matters && (regular || rate > 0.02 && tries <= retries.saturating_add(EXTRA))
}

/// How many silent addresses are asked in v1, to find out whether devices that know only v1 are about.
pub(super) fn v1_sample(addresses: u64) -> u64 {
    if is_small(addresses) { addresses } else { (addresses * 12 / 100).max(SMALL) }
}

/// How many silent addresses are asked with the community at this place of so many. The first one, which people put
/// first for a reason, gets the benefit of the doubt.
pub(super) fn community_sample(addresses: u64, place: usize, communities: u64) -> u64 {
    let share = if place == 0 { addresses * 6 / 100 } else { addresses * 4 / 100 / (communities - 1).max(1) };
    share.clamp(64, addresses.max(64))
}

/// Whether most of the silent addresses must be devices whose packets got lost.
pub(super) fn is_crowded(alive: u64, silent: u64, loss: Loss, tries: u8) -> bool {
    let rate = loss.lost as f64 / loss.asked.max(1) as f64;
    alive as f64 * rate.powi(i32::from(tries)) >= silent as f64 * 0.5
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_loss_a_large_range_is_asked_once() {
        let loss = Loss { asked: 655, lost: 0 };
        assert!(!wants_retry(65_536, 655, loss, 1, 2));
    }

    #[test]
    fn loss_is_met_by_as_many_passes_as_it_needs() {
        let tries = |lost| {
            let loss = Loss { asked: 1_000, lost };
            (1..10).take_while(|tries| wants_retry(65_536, 65_536, loss, *tries, 2)).count() + 1
        };
        assert_eq!(tries(0), 1);
        assert_eq!(tries(1), 2);
        assert_eq!(tries(100), 5);
        assert_eq!(tries(190), 5);
    }

    #[test]
    fn small_or_unknown_ranges_get_the_retries_asked_for() {
        for (addresses, alive) in [(254, 3), (65_536, 10)] {
            let loss = Loss { asked: alive, lost: 0 };
            let passes = (1..10).take_while(|tries| wants_retry(addresses, alive, loss, *tries, 2)).count();
            assert_eq!(passes, 2);
            assert!(!wants_retry(addresses, alive, loss, 1, 0));
        }
    }

    #[test]
    fn eight_communities_cost_at_most_twice_the_packets_of_one() {
        let all = 65_536.0;
        let v1 = v1_sample(65_536) as f64 / all;
        let samples: u64 = (0..8).map(|place| community_sample(65_536, place, 8)).sum();
        // Discovery, the community that fits, echoes and trial of credentials on one per cent.
        let eight = 2.0 + 0.02 + v1 + samples as f64 / all;
        assert!(eight / (1.0 + 0.01 + v1) <= 2.0, "{eight}");
        assert!(1.0 + 0.01 + v1 <= 1.15);
    }

    #[test]
    fn dead_addresses_get_no_fourth_packet_because_of_loss() {
        let loss = Loss { asked: 1_000, lost: 100 };
        assert!(is_crowded(65_000, 65, loss, 3));
        assert!(!is_crowded(655, 64_881, loss, 3));
        assert!(!is_crowded(655, 64_881, Loss::default(), 3));
    }
}
