//! Values to and from PostgreSQL's binary formats, led by the type that the server told.
//! A value that does not fit the server's type is refused with both named, never bent.

use std::error::Error as StdError;
use std::sync::Arc;

use bytes::BytesMut;
use futures_util::TryStreamExt;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{RowStream, Statement};

use crate::postgres::engine_error;
use crate::{Error, Row, Value, numeric};

/// µs from 1970 to 2000, where PostgreSQL's time begins.
const EPOCH: i64 = 946_684_800_000_000;

type Boxed = Box<dyn StdError + Sync + Send>;

impl ToSql for Value {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Boxed> {
        match self {
            Self::Null => return Ok(IsNull::Yes),
            Self::Int(number) => return int(*number, ty, out),
            Self::Real(number) if *ty == Type::FLOAT8 => return number.to_sql(ty, out),
            #[expect(clippy::cast_possible_truncation, reason = "the column holds no more")]
            Self::Real(number) if *ty == Type::FLOAT4 => return (*number as f32).to_sql(ty, out),
            Self::Text(text) if is_text(ty) => out.extend_from_slice(text.as_bytes()),
            Self::Text(text) if *ty == Type::JSONB => {
                out.extend_from_slice(&[1]);
                out.extend_from_slice(text.as_bytes());
            }
            Self::Bytes(bytes) if *ty == Type::BYTEA => out.extend_from_slice(bytes),
            Self::Bool(yes) if *ty == Type::BOOL => return yes.to_sql(ty, out),
            other => return Err(misfit(other, ty)),
        }
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

fn int(number: i64, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Boxed> {
    match *ty {
        Type::INT8 => number.to_sql(ty, out),
        Type::INT4 => i32::try_from(number)?.to_sql(ty, out),
        Type::INT2 => i16::try_from(number)?.to_sql(ty, out),
        Type::TIMESTAMPTZ => {
            out.extend_from_slice(&(number - EPOCH).to_be_bytes());
            Ok(IsNull::No)
        }
        Type::BOOL if matches!(number, 0 | 1) => (number == 1).to_sql(ty, out),
        #[expect(clippy::cast_precision_loss, reason = "SQLite does the same when it stores an integer as real")]
        Type::FLOAT8 => (number as f64).to_sql(ty, out),
        _ => Err(misfit(&Value::Int(number), ty)),
    }
}

fn is_text(ty: &Type) -> bool {
    matches!(*ty, Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME | Type::JSON | Type::UNKNOWN)
}

fn misfit(value: &Value, ty: &Type) -> Boxed {
    format!("the server expects {ty}, given is {}", value.type_name()).into()
}

/// A column, owned.
struct Cell(Value);

impl<'a> FromSql<'a> for Cell {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Self, Boxed> {
        Ok(Self(match *ty {
            Type::INT8 => Value::Int(i64::from_sql(ty, raw)?),
            Type::INT4 => Value::Int(i32::from_sql(ty, raw)?.into()),
            Type::INT2 => Value::Int(i16::from_sql(ty, raw)?.into()),
            Type::OID => Value::Int(u32::from_sql(ty, raw)?.into()),
            Type::BOOL => Value::Bool(bool::from_sql(ty, raw)?),
            Type::FLOAT8 => Value::Real(f64::from_sql(ty, raw)?),
            Type::FLOAT4 => Value::Real(f32::from_sql(ty, raw)?.into()),
            Type::NUMERIC => numeric::decode(raw).ok_or("a numeric that is cut short")?,
            Type::TIMESTAMPTZ => Value::Int(i64::from_be_bytes(raw.try_into()?).saturating_add(EPOCH)),
            Type::BYTEA => Value::Bytes(raw.to_vec()),
            Type::JSONB => match raw.split_first() {
                Some((1, text)) => Value::Text(std::str::from_utf8(text)?.to_owned()),
                _ => return Err("jsonb of an unknown version".into()),
            },
            _ if is_text(ty) || *ty == Type::CHAR => Value::Text(std::str::from_utf8(raw)?.to_owned()),
            _ => return Err(format!("columns of type {ty} are not part of the portable dialect").into()),
        }))
    }

    fn from_sql_null(_: &Type) -> Result<Self, Boxed> {
        Ok(Self(Value::Null))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// Reads a whole answer into rows.
pub(crate) async fn collect(name: &str, statement: &Statement, stream: RowStream) -> Result<Vec<Row>, Error> {
    let columns: Arc<[String]> = statement.columns().iter().map(|column| column.name().to_owned()).collect();
    let name: Arc<str> = name.into();
    let mut stream = std::pin::pin!(stream);
    let mut found = Vec::new();
    while let Some(row) = stream.try_next().await.map_err(|e| engine_error(&name, e))? {
        let mut cells = Vec::with_capacity(columns.len());
        for index in 0..columns.len() {
            cells.push(row.try_get::<_, Cell>(index).map_err(|e| engine_error(&name, e))?.0);
        }
        found.push(Row::new(Arc::clone(&name), Arc::clone(&columns), cells));
    }
    Ok(found)
}
