//! `/help`: keyboard, language of filters, words of state.

use askama::Template;
use axum::extract::State;
use platen_core::devices::{self, Word};

use super::{Section, Shell, Shown, show};
use crate::{
    app::App,
    viewer::Viewer,
    words::{Mark, mark_of},
};

const EXAMPLES: &[(&str, &str)] = &[
    (r#"status eq "stopped""#, "Devices that cannot go on"),
    (r#"status in ("stopped", "attention", "not-seen")"#, "Devices that want a person"),
    (r#"vendor eq "ricoh" and model like "*C3000*""#, "One maker’s model"),
    (r#"place like "Main building*" and not (status eq "ready")"#, "A place, without what is ready"),
    (r#"reason like "media-jam*""#, "Devices with a paper jam"),
    (r#"serial like "3129*""#, "Serial numbers that begin so"),
];

#[derive(Template)]
#[template(path = "shell/help.html")]
struct HelpPage {
    shell: Shell,
    examples: &'static [(&'static str, &'static str)],
    fields: String,
    marks: Vec<(Mark, &'static str)>,
}

/// What each word of the vocabulary means.
fn meaning(word: Word) -> &'static str {
    match word {
        Word::Stopped => "It cannot go on without a person; the reason follows the word.",
        Word::NotSeen => "Nothing is heard of it, though its agent works. What it was last is not claimed.",
        Word::Attention => "It goes on, but will want a person.",
        Word::Printing => "It prints, copies or scans.",
        Word::WarmingUp => "It is on its way to ready.",
        Word::Ready => "Ready and waiting. Nothing to do.",
        Word::Asleep => "It saves power and wakes for a job.",
        Word::Unknown => "Nothing usable is known now, for instance because its agent is off line.",
    }
}

/// `GET /help`.
pub(crate) async fn help(State(app): State<App>, viewer: Viewer) -> Shown {
    let shell = Shell::of(&app, &viewer, "Help", Section::Help).await?;
    let fields: Vec<&str> = devices::FIELDS.iter().map(|field| field.name).collect();
    show(&HelpPage {
        examples: EXAMPLES,
        fields: fields.join(", "),
        marks: Word::ALL.into_iter().map(|word| (mark_of(word), meaning(word))).collect(),
        shell,
    })
}
