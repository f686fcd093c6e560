//! The one language of search, saved filters, bulk and `?filter=`: a small enum, its text form and its SQL.
//! `status eq "alert" and (vendor eq "hp" or place like "Ward*") and org under "de"`

use std::fmt;

mod fold;
mod parse;
mod sql;
#[cfg(test)]
mod tests;

pub use fold::fold;
pub use sql::{Field, FieldKind};

/// Longest text form, bytes.
pub const MAX_TEXT: usize = 4_096;
/// Deepest nesting of brackets and `not`.
pub const MAX_DEPTH: usize = 16;
/// Most comparisons, and most values of one `in`.
pub const MAX_TERMS: usize = 100;

/// A condition on the rows of a list.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    /// All of these; at least two.
    And(Vec<Self>),
    /// Any of these; at least two.
    Or(Vec<Self>),
    /// Not this.
    Not(Box<Self>),
    /// Equal; text without regard to case where the field folds.
    Eq(String, Operand),
    /// Not equal, or not known.
    Ne(String, Operand),
    /// Less.
    Lt(String, Operand),
    /// Less or equal.
    Le(String, Operand),
    /// Greater.
    Gt(String, Operand),
    /// Greater or equal.
    Ge(String, Operand),
    /// Like a pattern in which `*` stands for anything.
    Like(String, String),
    /// One of these.
    In(String, Vec<Operand>),
    /// At or below this organisation (id or short name).
    Under(String, String),
}

/// What a field is compared with.
#[derive(Clone, Debug, PartialEq)]
pub enum Operand {
    /// `"text"`
    Text(String),
    /// `42`
    Int(i64),
    /// `4.2`
    Real(f64),
    /// `true`
    Bool(bool),
    /// `null`: the value is not known.
    Null,
}

impl Filter {
    /// Reads the text form.
    ///
    /// # Errors
    /// `Invalid` on field `filter`, saying what was expected at which character.
    pub fn parse(text: &str) -> crate::Result<Self> {
        parse::parse(text)
    }

    fn is_group(&self) -> bool {
        matches!(self, Self::And(_) | Self::Or(_))
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::And(parts) => group(f, parts, " and "),
            Self::Or(parts) => group(f, parts, " or "),
            Self::Not(inner) => write!(f, "not ({inner})"),
            Self::Eq(field, value) => write!(f, "{field} eq {value}"),
            Self::Ne(field, value) => write!(f, "{field} ne {value}"),
            Self::Lt(field, value) => write!(f, "{field} lt {value}"),
            Self::Le(field, value) => write!(f, "{field} le {value}"),
            Self::Gt(field, value) => write!(f, "{field} gt {value}"),
            Self::Ge(field, value) => write!(f, "{field} ge {value}"),
            Self::Like(field, pattern) => write!(f, "{field} like {}", Quoted(pattern)),
            Self::Under(field, org) => write!(f, "{field} under {}", Quoted(org)),
            Self::In(field, values) => {
                write!(f, "{field} in (")?;
                for (n, value) in values.iter().enumerate() {
                    write!(f, "{}{value}", if n == 0 { "" } else { ", " })?;
                }
                f.write_str(")")
            }
        }
    }
}

fn group(f: &mut fmt::Formatter<'_>, parts: &[Filter], word: &str) -> fmt::Result {
    for (n, part) in parts.iter().enumerate() {
        if n > 0 {
            f.write_str(word)?;
        }
        if part.is_group() { write!(f, "({part})")? } else { write!(f, "{part}")? }
    }
    Ok(())
}

impl fmt::Display for Operand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "{}", Quoted(text)),
            Self::Int(number) => write!(f, "{number}"),
            Self::Real(number) => write!(f, "{number:?}"),
            Self::Bool(yes) => write!(f, "{yes}"),
            Self::Null => f.write_str("null"),
        }
    }
}

/// Text in double quotes; quotes and backslashes inside get a backslash.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        for piece in self.0.split_inclusive(['"', '\\']) {
            match piece.char_indices().next_back() {
                Some((at, last @ ('"' | '\\'))) => write!(f, "{}\\{last}", &piece[..at])?,
                _ => f.write_str(piece)?,
            }
        }
        f.write_str("\"")
    }
}
