//! One honest sentence of state, from facts only: what is, what will want a person, what it made this month.

use wire::State;

use super::rules::{grouped, span, supply_name};
use super::words::{SupplyBrief, Word};
use super::{DeviceSheet, Word as W};
use crate::supplies::SupplyNow;

/// A supply that ends within so many days is worth a word.
const SOON: f64 = 7.0;

/// The sentence at the head of a sheet.
pub fn lede(sheet: &DeviceSheet) -> String {
    let mut text = state(sheet);
    if matches!(sheet.row.word, W::Ready | W::Attention | W::Printing | W::Asleep | W::WarmingUp) {
        if let Some(ends) = soonest(&sheet.supplies) {
            text.push_str(", but ");
            text.push_str(&ends);
        } else if let Some(why) = sheet.row.why.as_ref().filter(|_| sheet.row.word == W::Attention) {
            text.push_str(", but it wants a person: ");
            text.push_str(why);
        }
    }
    text.push('.');
    if sheet.row.pages_month > 0 {
        let pages = if sheet.row.pages_month == 1 { "page" } else { "pages" };
        text.push_str(&format!(" It made {} {pages} this month.", grouped(sheet.row.pages_month)));
    }
    text
}

fn state(sheet: &DeviceSheet) -> String {
    let ago = |at: crate::Micros| span(sheet.now.0 - at.0);
    let why = sheet.row.why.as_deref().unwrap_or("the device does not say why");
    match sheet.row.word {
        _ if sheet.lifecycle == "retired" => "Retired; nothing more is read from it".to_owned(),
        Word::Stopped if sheet.row.state == State::Offline => {
            format!("Off line by its own word for {}", ago(sheet.state_at))
        }
        Word::Stopped => format!("Stopped for {}: {why}", ago(sheet.state_at)),
        Word::NotSeen if sheet.agent_name.is_none() => {
            format!("Not heard for {}; it reports by itself and has not called", ago(sheet.row.seen_at))
        }
        Word::NotSeen => format!("Not heard for {}; its agent is up", ago(sheet.row.seen_at)),
        Word::Unknown if sheet.row.comm == super::Comm::UnknownPath => {
            format!("Not known for {}: its agent is off line, so nothing can be said of it", ago(sheet.row.seen_at))
        }
        Word::Unknown => "It answers, but does not state how it is".to_owned(),
        Word::Printing => "Printing".to_owned(),
        Word::WarmingUp => "Warming up".to_owned(),
        Word::Asleep => "Asleep, ready when woken".to_owned(),
        Word::Ready => "Ready".to_owned(),
        Word::Attention => match sheet.row.state {
            State::Processing => "Printing",
            State::WarmingUp => "Warming up",
            State::Asleep => "Asleep",
            State::Idle => "Ready",
            _ => "It answers",
        }
        .to_owned(),
    }
}

/// What ends first, where the past allows to say so, or is empty by its own word.
fn soonest(supplies: &[SupplyNow]) -> Option<String> {
    let forecast = supplies.iter().filter_map(|supply| Some((supply.forecast?, supply)));
    let (forecast, supply) = forecast.filter(|(f, _)| f.days <= SOON).min_by(|a, b| a.0.days.total_cmp(&b.0.days))?;
    let brief = SupplyBrief {
        index: supply.index.clone(),
        letter: supply.letter,
        kind: supply.kind.clone(),
        color: supply.color.clone(),
        class: supply.class,
        level: supply.level,
        filled: supply.filled,
    };
    let name = supply_name(&brief);
    Some(match forecast.days {
        days if days < 1.0 => format!("{name} ends within a day"),
        days if days < 1.5 => format!("{name} ends in about a day"),
        days => format!("{name} ends in about {days:.0} days"),
    })
}
