//! `/supplies/forecasts`: how forecasts came true.

use askama::Template;
use axum::extract::State;
use platen_core::supplies::{self, Calibration, shipments};

use crate::{
    app::App,
    shell::{Section, Shell, Shown, show},
    viewer::Viewer,
    words::{count, grouped},
};

/// Fewer scored forecasts than this say little.
const FEW: u64 = 40;

struct BandLine {
    ahead: String,
    scored: String,
    held: String,
    error: String,
}

#[derive(Template)]
#[template(path = "supplies/forecasts.html")]
struct ForecastsPage {
    shell: Shell,
    place: &'static str,
    waiting: u64,
    summary: String,
    any: bool,
    few: bool,
    facts: Vec<(&'static str, String)>,
    bands: Vec<BandLine>,
}

fn share(part: u64, all: u64) -> String {
    if all == 0 { "–".to_owned() } else { format!("{:.0} %", 100.0 * part as f64 / all as f64) }
}

fn off(error: Option<f64>) -> String {
    match error {
        None => "–".to_owned(),
        Some(days) if days < 1.0 => format!("{:.1} h", days * 24.0),
        Some(days) => format!("{days:.1} d"),
    }
}

fn facts(found: &Calibration) -> Vec<(&'static str, String)> {
    vec![
        ("Intervals that held what happened (nine of ten should)", share(found.held, found.scored)),
        ("Empty before its interval began", share(found.below, found.scored)),
        ("Lasted longer than its interval", share(found.above, found.scored)),
        ("Median of how far the middle was off", off(found.median_error_days)),
        ("Taken out before they were empty, so nothing is learnt", grouped(found.early)),
    ]
}

/// `GET /supplies/forecasts`.
pub(crate) async fn forecasts(State(app): State<App>, viewer: Viewer) -> Shown {
    let shell = Shell::of(&app, &viewer, "How forecasts came true", Section::Supplies).await?;
    let found = supplies::calibration(&viewer.ctx).await?;
    let bands = found.bands.iter().filter(|band| band.scored > 0).map(|band| BandLine {
        ahead: if band.to_days > 1_000.0 {
            format!("more than {:.0} days", band.from_days)
        } else {
            format!("{:.0} to {:.0} days", band.from_days, band.to_days)
        },
        scored: grouped(band.scored),
        held: share(band.held, band.scored),
        error: off(band.median_error_days),
    });
    show(&ForecastsPage {
        summary: match found.scored {
            0 => "No cartridge with a forecast has run out yet.".to_owned(),
            n => format!(
                "Of {} held against what happened, {} were right about the interval.",
                count(n, "forecast", "forecasts"),
                share(found.held, n)
            ),
        },
        any: found.scored > 0,
        few: found.scored < FEW,
        facts: facts(&found),
        bands: bands.collect(),
        waiting: shipments::waiting(&viewer.ctx).await?,
        place: "/supplies/forecasts",
        shell,
    })
}
