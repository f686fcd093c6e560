//! Folding: what search and uniqueness regard as the same text. Folded copies stand in columns `…_fold`.

use unicode_normalization::UnicodeNormalization;

/// NFKC, lower case, blanks at the ends cut and runs of blanks made one.
#[must_use]
pub fn fold(text: &str) -> String {
    // ASCII is by far the commonest, and needs no tables.
    let lower: String = if text.is_ascii() {
        text.to_ascii_lowercase()
    } else {
        text.nfkc().collect::<String>().to_lowercase().nfkc().collect()
    };
    let mut folded = String::with_capacity(lower.len());
    for word in lower.split_whitespace() {
        if !folded.is_empty() {
            folded.push(' ');
        }
        folded.push_str(word);
    }
    folded
}
