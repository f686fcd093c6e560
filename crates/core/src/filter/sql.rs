//! [`Filter`] to SQL over the fields of one list. Values are always bound, columns come only from the field table.

use store::Value;

use super::{Filter, Operand, fold};
use crate::error::{Error, Result};
use crate::time::Micros;

/// A field that a list can be filtered by.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// As written in filters.
    pub name: &'static str,
    /// SQL expression, with its alias.
    pub column: &'static str,
    /// What it holds.
    pub kind: FieldKind,
}

/// What a field holds, and so what it may be compared with.
#[derive(Clone, Copy, Debug)]
pub enum FieldKind {
    /// Text, compared as it is.
    Text,
    /// A `…_fold` column; what is asked for is folded first.
    Folded,
    /// One of few words.
    Word(&'static [&'static str]),
    /// Whole numbers.
    Int,
    /// Numbers.
    Real,
    /// True or false.
    Bool,
    /// A time; asked for as RFC 3339 text.
    Time,
    /// The organisation (id of the tenant): `eq` an id, or `under` an id or short name.
    Org,
    /// Values of a list kept as text with a blank before and after each (` toner-low media-jam `): `eq` has, `like` has.
    Words,
}

impl Field {
    /// Declares a field.
    #[must_use]
    pub const fn new(name: &'static str, column: &'static str, kind: FieldKind) -> Self {
        Self { name, column, kind }
    }
}

impl Filter {
    /// Writes the condition over `fields` and pushes what it binds.
    ///
    /// # Errors
    /// `Invalid` on field `filter` for an unknown field, or a comparison that the field cannot take.
    pub fn to_sql(&self, fields: &[Field], params: &mut Vec<Value>) -> Result<String> {
        match self {
            Self::And(parts) => join(parts, " and ", fields, params),
            Self::Or(parts) => join(parts, " or ", fields, params),
            // A comparison with NULL is neither true nor false; people mean "all others".
            Self::Not(inner) => Ok(format!("not coalesce({}, false)", inner.to_sql(fields, params)?)),
            Self::Eq(field, value) => equal(find(fields, field)?, value, params),
            Self::Ne(field, value) => {
                let equal = equal(find(fields, field)?, value, params)?;
                Ok(format!("not coalesce({equal}, false)"))
            }
            Self::Lt(field, value) => order(find(fields, field)?, "<", value, params),
            Self::Le(field, value) => order(find(fields, field)?, "<=", value, params),
            Self::Gt(field, value) => order(find(fields, field)?, ">", value, params),
            Self::Ge(field, value) => order(find(fields, field)?, ">=", value, params),
            Self::Like(field, pattern) => like(find(fields, field)?, pattern, params),
            Self::In(field, values) => {
                let field = find(fields, field)?;
                let ways = values.iter().map(|value| equal(field, value, params)).collect::<Result<Vec<_>>>()?;
                Ok(format!("({})", ways.join(" or ")))
            }
            Self::Under(field, org) => under(find(fields, field)?, org, params),
        }
    }
}

fn join(parts: &[Filter], word: &str, fields: &[Field], params: &mut Vec<Value>) -> Result<String> {
    let parts = parts.iter().map(|part| part.to_sql(fields, params)).collect::<Result<Vec<_>>>()?;
    Ok(format!("({})", parts.join(word)))
}

fn find<'f>(fields: &'f [Field], name: &str) -> Result<&'f Field> {
    fields.iter().find(|field| field.name == name).ok_or_else(|| {
        let names: Vec<_> = fields.iter().map(|field| field.name).collect();
        wrong(format!("there is no field {name:?}; there are {}", names.join(", ")))
    })
}

fn wrong(message: String) -> Error {
    Error::invalid("filter", message)
}

fn misfit(field: &Field, verb: &str) -> Error {
    wrong(match field.kind {
        FieldKind::Word(words) => format!("{} is one of {}", field.name, words.join(", ")),
        FieldKind::Int => format!("{} {verb} needs a whole number", field.name),
        FieldKind::Real => format!("{} {verb} needs a number", field.name),
        FieldKind::Bool => format!("{} takes only eq, ne or in with true or false", field.name),
        FieldKind::Time => format!("{} {verb} needs a time as in \"2026-01-31T12:00:00Z\"", field.name),
        FieldKind::Org => format!("{} takes eq with an id, or under with an id or short name", field.name),
        FieldKind::Text | FieldKind::Folded | FieldKind::Words => {
            format!("{} does not take {verb} with this", field.name)
        }
    })
}

fn bind(params: &mut Vec<Value>, value: Value) -> String {
    params.push(value);
    format!("${}", params.len())
}

#[expect(clippy::cast_precision_loss, reason = "a person compares a real column with a whole number")]
fn value_of(field: &Field, value: &Operand, verb: &str) -> Result<Value> {
    Ok(match (field.kind, value) {
        (FieldKind::Text, Operand::Text(text)) => text.as_str().into(),
        (FieldKind::Org, Operand::Text(text)) => text.to_ascii_lowercase().into(),
        (FieldKind::Folded, Operand::Text(text)) => fold(text).into(),
        (FieldKind::Word(words), Operand::Text(text)) if words.contains(&text.as_str()) => text.as_str().into(),
        (FieldKind::Int, Operand::Int(number)) => (*number).into(),
        (FieldKind::Real, Operand::Int(number)) => (*number as f64).into(),
        (FieldKind::Real, Operand::Real(number)) => (*number).into(),
        (FieldKind::Bool, Operand::Bool(yes)) => (*yes).into(),
        (FieldKind::Time, Operand::Text(text)) => Micros::parse(text).ok_or_else(|| misfit(field, verb))?.into(),
        _ => return Err(misfit(field, verb)),
    })
}

fn equal(field: &Field, value: &Operand, params: &mut Vec<Value>) -> Result<String> {
    match (field.kind, value) {
        (_, Operand::Null) => Ok(format!("{} is null", field.column)),
        (FieldKind::Words, Operand::Text(word)) => {
            let pattern = bind(params, format!("% {} %", escape(&fold(word))).into());
            Ok(format!("{} like {pattern} escape '!'", field.column))
        }
        _ => {
            let value = value_of(field, value, "eq")?;
            Ok(format!("{} = {}", field.column, bind(params, value)))
        }
    }
}

fn order(field: &Field, sign: &str, value: &Operand, params: &mut Vec<Value>) -> Result<String> {
    if matches!(field.kind, FieldKind::Bool | FieldKind::Org | FieldKind::Word(_) | FieldKind::Words) {
        return Err(misfit(field, sign));
    }
    let value = value_of(field, value, sign)?;
    Ok(format!("{} {sign} {}", field.column, bind(params, value)))
}

fn like(field: &Field, pattern: &str, params: &mut Vec<Value>) -> Result<String> {
    let (column, pattern) = match field.kind {
        FieldKind::Folded => (field.column.to_owned(), stars(&fold(pattern))),
        // ASCII case is folded on both sides, since LIKE of SQLite does so and that of PostgreSQL does not.
        FieldKind::Text | FieldKind::Word(_) => {
            (format!("lower({})", field.column), stars(&pattern.to_ascii_lowercase()))
        }
        FieldKind::Words => (field.column.to_owned(), format!("% {} %", stars(&fold(pattern)))),
        _ => return Err(misfit(field, "like")),
    };
    Ok(format!("{column} like {} escape '!'", bind(params, pattern.into())))
}

fn under(field: &Field, org: &str, params: &mut Vec<Value>) -> Result<String> {
    if !matches!(field.kind, FieldKind::Org) {
        return Err(wrong(format!("{} is no organisation; `under` is for those", field.name)));
    }
    let org = bind(params, org.to_ascii_lowercase().into());
    Ok(format!(
        "{} in (select below.id from organisations below, organisations top where (top.id = {org} or top.slug = {org}) \
         and substr(below.path, 1, length(top.path)) = top.path)",
        field.column
    ))
}

fn escape(text: &str) -> String {
    text.replace('!', "!!").replace('%', "!%").replace('_', "!_")
}

fn stars(pattern: &str) -> String {
    escape(pattern).replace('*', "%")
}
