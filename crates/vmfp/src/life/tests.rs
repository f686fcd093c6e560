//! Whole lives: the same for the same seed, sane over a year, and never stuck.

use super::*;
use crate::profile::embedded;

const DAY: i64 = 86_400_000;

fn at(days: f64) -> Instant {
    Instant::from_millis((days * DAY as f64) as i64)
}

#[test]
fn a_life_depends_on_seed_and_moment_alone() {
    for (place, profile) in (0..).zip(embedded().unwrap()) {
        let mut straight = Life::begin_at(profile, 11, place, Mood::Lively);
        straight.advance(profile, Mood::Lively, at(9.3));
        let mut looked_at = Life::begin_at(profile, 11, place, Mood::Lively);
        let mut moment = 0.0;
        while moment < 9.3 {
            looked_at.advance(profile, Mood::Lively, at(moment));
            moment += 0.0137;
        }
        looked_at.advance(profile, Mood::Lively, at(9.3));
        assert_eq!(straight, looked_at, "{}", profile.name);
        let other = Life::begin_at(profile, 12, place, Mood::Lively);
        assert_ne!(straight.meters, other.meters, "{}", profile.name);
    }
}

#[test]
fn a_year_is_sane_for_every_kind() {
    for profile in embedded().unwrap() {
        for place in [0, 1] {
            let mut life = Life::begin_at(profile, 5, place, Mood::Calm);
            let start = life.meters.clone();
            let mut last = start.clone();
            for day in 1..=365 {
                life.advance(profile, Mood::Calm, at(f64::from(day)));
                let now = life.meters.clone();
                let pairs = now.pages.iter().zip(&last.pages);
                assert!(pairs.clone().all(|(now, last)| now >= last), "{} counts back", profile.name);
                assert_eq!(now.total(), now.mono() + now.colour());
                assert!(life.supplies.iter().all(|supply| (0.0..=1.0).contains(&supply.left)));
                let trays = life.inputs.iter().zip(&profile.inputs);
                assert!(trays.clone().all(|(tray, plan)| tray.level <= plan.sheets));
                last = now;
            }
            let name = &profile.name;
            let printed = f64::from(last.total() - start.total());
            let a_day = printed / (365.0 * profile.life.rhythm.days_per_day());
            let (least, most) = profile.life.pages_per_day;
            assert!((least * 0.6..most * 1.3).contains(&a_day), "{name}: {a_day:.1} pages a day of {least}..{most}");
            let shortest = profile.supplies.iter().map(|plan| plan.lasts).fold(f64::MAX, f64::min);
            assert!(life.replacements > 0 || printed < shortest, "{name}: nothing was replaced in a year");
            assert!(life.alerts.cleared > 10, "{name}: only {} alerts ended", life.alerts.cleared);
            let jams = f64::from(last.jams - start.jams);
            let expected = f64::from(last.sheets - start.sheets) / profile.life.jam_every;
            assert!(
                (expected * 0.4 - 3.0..expected * 2.0 + 4.0).contains(&jams),
                "{name}: {jams} jams, not {expected}"
            );
            assert!(life.alerts.rows.len() <= profile.alert_rows());
            let (duplex, sheets) = (f64::from(last.duplex - start.duplex), f64::from(last.sheets - start.sheets));
            assert!((printed - duplex / 2.0 - sheets).abs() <= printed * 0.02, "{name}: {printed} {duplex} {sheets}");
        }
    }
}

#[test]
fn no_device_stays_stopped_for_a_fortnight() {
    for profile in embedded().unwrap() {
        for place in [5, 8, 22] {
            let mut life = Life::begin_at(profile, 77, place, Mood::Lively);
            let mut worked = 0.0;
            let mut total = life.meters.total();
            for half_day in 1..250 {
                let days = f64::from(half_day) / 2.0;
                life.advance(profile, Mood::Lively, at(days));
                if life.meters.total() != total {
                    (worked, total) = (days, life.meters.total());
                }
                assert!(
                    days - worked < 14.0,
                    "{} {place}: stuck on day {days} with {:?}",
                    profile.name,
                    life.alerts.rows
                );
            }
        }
    }
}

#[test]
fn a_faultless_life_has_no_jams_covers_or_absences() {
    for profile in embedded().unwrap() {
        let mut life = Life::begin_at(profile, 3, 5, Mood::Faultless);
        let jams = life.meters.jams;
        for hour in 0..2_000 {
            life.advance(profile, Mood::Faultless, at(f64::from(hour) / 24.0));
            assert_ne!(life.phase, Phase::Off);
            let bad = |cause| matches!(cause, Cause::Jam | Cause::Cover(_) | Cause::Service);
            assert!(!life.alerts.any(bad), "{}", profile.name);
        }
        assert_eq!(life.meters.jams, jams);
    }
}

#[test]
fn a_device_with_a_past_shows_at_the_start_what_it_was_chosen_for() {
    for (place, profile) in (0..).zip(embedded().unwrap()) {
        let born = at(-60.0);
        let mut life = Life::born_at(born, profile, 7, place, Mood::Lively);
        let young = life.meters.total();
        life.advance(profile, Mood::Lively, at(-0.001));
        assert!(life.meters.total() > young, "{} printed in its past", profile.name);
        let supplies = life.supplies.clone();
        life.advance(profile, Mood::Lively, Instant::START);
        assert!(life.phase != Phase::Off, "{} answers at the start", profile.name);
        let steps = supplies.iter().zip(&life.supplies).map(|(before, now)| (before.left - now.left).abs());
        assert!(
            steps.into_iter().all(|step| !(0.05..=0.9).contains(&step)),
            "{}: levels go on from the past",
            profile.name
        );
        assert_eq!(life.alerts.has(Cause::Jam), place % 25 == 5, "{}", profile.name);
        life.advance(profile, Mood::Lively, at(1.0));
        assert!(life.alerts.rows.len() < 30, "{} lives on", profile.name);
    }
}
