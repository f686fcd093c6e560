//! Statements: SQL as text with a name, registered so that tests can PREPARE every one of them on both engines.
//! A statement has one text; a twin per engine only where it cannot be avoided (at most ten in the product).

use std::borrow::Cow;

use crate::EngineKind;

/// A statement. Parameters are `$1`, `$2`, …; on both engines the number says which parameter is meant.
#[derive(Debug, Clone)]
pub struct Sql {
    name: Cow<'static, str>,
    sqlite: Cow<'static, str>,
    postgres: Cow<'static, str>,
    built: bool,
}

impl Sql {
    /// A fixed statement; `sql!` calls this.
    #[must_use]
    pub const fn fixed(name: &'static str, sqlite: &'static str, postgres: &'static str) -> Self {
        Self {
            name: Cow::Borrowed(name),
            sqlite: Cow::Borrowed(sqlite),
            postgres: Cow::Borrowed(postgres),
            built: false,
        }
    }

    /// A statement made while running, as lists with filters need. It is not kept in the statement cache of a server.
    #[must_use]
    pub fn built(text: String) -> Self {
        Self::built_as("built statement", text)
    }

    /// As [`Sql::built`], with a name for error messages.
    #[must_use]
    pub fn built_as(name: &'static str, text: String) -> Self {
        Self { name: Cow::Borrowed(name), sqlite: Cow::Owned(text.clone()), postgres: Cow::Owned(text), built: true }
    }

    /// Name for messages, as `core::devices::sql::LIST`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Text for one engine.
    #[must_use]
    pub fn text(&self, engine: EngineKind) -> &str {
        match engine {
            EngineKind::Sqlite => &self.sqlite,
            EngineKind::Postgres => &self.postgres,
        }
    }

    /// True for a statement that is known when compiling.
    #[must_use]
    pub fn is_fixed(&self) -> bool {
        !self.built
    }

    /// True when the engines get different texts.
    #[must_use]
    pub fn has_twin(&self) -> bool {
        self.sqlite != self.postgres
    }
}

/// One entry of the registry.
pub struct Registered(#[doc(hidden)] pub &'static Sql);

inventory::collect!(Registered);

/// Every statement of every crate linked into this program, by name.
#[must_use]
pub fn registered() -> Vec<&'static Sql> {
    let mut all: Vec<_> = inventory::iter::<Registered>.into_iter().map(|entry| entry.0).collect();
    all.sort_by(|a, b| a.name().cmp(b.name()));
    all
}

/// Declares statements as statics and registers them.
///
/// ```ignore
/// store::sql! {
///     /// One device.
///     pub(super) GET = "select * from devices where tenant = $1 and id = $2";
///     SAMPLE = sqlite "select …" postgres "select …";
/// }
/// ```
#[macro_export]
macro_rules! sql {
    () => {};
    ($(#[$meta:meta])* $vis:vis $name:ident = sqlite $sqlite:literal postgres $postgres:literal; $($rest:tt)*) => {
        $(#[$meta])*
        #[doc = concat!("`", $sqlite, "`, on PostgreSQL `", $postgres, "`")]
        $vis static $name: $crate::Sql =
            $crate::Sql::fixed(concat!(module_path!(), "::", stringify!($name)), $sqlite, $postgres);
        $crate::private::inventory::submit! { $crate::Registered(&$name) }
        $crate::sql! { $($rest)* }
    };
    ($(#[$meta:meta])* $vis:vis $name:ident = $text:expr; $($rest:tt)*) => {
        $(#[$meta])*
        #[doc = concat!("`", $text, "`")]
        $vis static $name: $crate::Sql =
            $crate::Sql::fixed(concat!(module_path!(), "::", stringify!($name)), $text, $text);
        $crate::private::inventory::submit! { $crate::Registered(&$name) }
        $crate::sql! { $($rest)* }
    };
}
