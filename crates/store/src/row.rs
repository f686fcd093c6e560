//! A row that has left its connection: owned values and shared column names.
//! Conversions are strict, but for what the engines themselves blur (boolean and integer, integer and real).

use std::sync::Arc;

use crate::{Error, Result, Value};

/// One row of an answer.
#[derive(Debug, Clone)]
pub struct Row {
    statement: Arc<str>,
    columns: Arc<[String]>,
    values: Vec<Value>,
}

impl Row {
    pub(crate) fn new(statement: Arc<str>, columns: Arc<[String]>, values: Vec<Value>) -> Self {
        Self { statement, columns, values }
    }

    /// The column at `index`, counted from 0. Fails on a wrong index or type, naming statement and column.
    pub fn get<T: FromValue>(&self, index: usize) -> Result<T> {
        let Some(value) = self.values.get(index) else {
            let message = format!("has {} columns, column {index} was asked for", self.values.len());
            return Err(Error::usage(&*self.statement, message));
        };
        T::from_value(value).ok_or_else(|| {
            let name = &self.columns[index];
            let message = format!("column {name} holds {}, asked for as {}", value.type_name(), T::NAME);
            Error::usage(&*self.statement, message)
        })
    }

    /// The column called `name`.
    pub fn get_by<T: FromValue>(&self, name: &str) -> Result<T> {
        match self.columns.iter().position(|column| column == name) {
            Some(index) => self.get(index),
            None => {
                let message = format!("has no column {name}; it has {}", self.columns.join(", "));
                Err(Error::usage(&*self.statement, message))
            }
        }
    }

    /// Names of the columns, in order.
    #[must_use]
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// All values, in order.
    #[must_use]
    pub fn values(&self) -> &[Value] {
        &self.values
    }

    /// All values, in order, without a copy.
    #[must_use]
    pub fn into_values(self) -> Vec<Value> {
        self.values
    }
}

/// A type that a column can be read as.
pub trait FromValue: Sized {
    /// Name for messages.
    const NAME: &'static str;
    /// The value as this type; `None` if it is another.
    fn from_value(value: &Value) -> Option<Self>;
}

macro_rules! integer {
    ($($kind:ty),+) => {$(
        impl FromValue for $kind {
            const NAME: &'static str = stringify!($kind);
            fn from_value(value: &Value) -> Option<Self> {
                match value {
                    Value::Int(number) => Self::try_from(*number).ok(),
                    _ => None,
                }
            }
        }
    )+};
}

integer!(i64, i32, i16, u64, u32, u16, u8, usize);

impl FromValue for f64 {
    const NAME: &'static str = "f64";
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Real(number) => Some(*number),
            #[expect(clippy::cast_precision_loss, reason = "sums of integers are read as real by choice of the caller")]
            Value::Int(number) => Some(*number as Self),
            _ => None,
        }
    }
}

impl FromValue for bool {
    const NAME: &'static str = "bool";
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Bool(yes) => Some(*yes),
            Value::Int(0) => Some(false),
            Value::Int(1) => Some(true),
            _ => None,
        }
    }
}

impl FromValue for String {
    const NAME: &'static str = "text";
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Text(text) => Some(text.clone()),
            _ => None,
        }
    }
}

impl FromValue for Vec<u8> {
    const NAME: &'static str = "bytes";
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Bytes(bytes) => Some(bytes.clone()),
            _ => None,
        }
    }
}

impl<const N: usize> FromValue for [u8; N] {
    const NAME: &'static str = "bytes of fixed length";
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Bytes(bytes) => Self::try_from(bytes.as_slice()).ok(),
            _ => None,
        }
    }
}

impl FromValue for serde_json::Value {
    const NAME: &'static str = "JSON";
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Text(text) => serde_json::from_str(text).ok(),
            _ => None,
        }
    }
}

impl FromValue for Value {
    const NAME: &'static str = "any value";
    fn from_value(value: &Value) -> Option<Self> {
        Some(value.clone())
    }
}

impl<T: FromValue> FromValue for Option<T> {
    const NAME: &'static str = T::NAME;
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Null => Some(None),
            other => T::from_value(other).map(Some),
        }
    }
}
