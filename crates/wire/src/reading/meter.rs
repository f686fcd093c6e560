//! Counters in canonical form: five words, a value, and where the value came from.

use serde::{Deserialize, Serialize};

macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $variant:ident = $n:literal $word:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, minicbor::Encode, minicbor::Decode)]
        #[cbor(index_only)]
        pub enum $name {
            $($(#[$vmeta])* #[serde(rename = $word)] #[n($n)] $variant),+
        }
        impl $name {
            /// The word of the contract.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
            /// The value for a word of the contract.
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}
pub(crate) use words;

words! {
    /// What the device did.
    Function {
        /// All functions together.
        Total = 0 "total",
        /// Printed from a computer.
        Print = 1 "print",
        /// Copied.
        Copy = 2 "copy",
        /// Fax pages printed.
        Fax = 3 "fax",
        /// Scanned, to wherever.
        Scan = 4 "scan",
        /// Reports, and what the vendor names otherwise.
        Other = 5 "other",
    }
}
words! {
    /// In which colours.
    ColorMode {
        /// Colour is not told apart.
        All = 0 "all",
        /// Black only.
        Mono = 1 "mono",
        /// Full colour.
        Full = 2 "full",
        /// One colour that is not black.
        Single = 3 "single",
        /// Two colours.
        Two = 4 "two",
        /// The device counts by colour, but which one is not known.
        Unknown = 5 "unknown",
    }
}
words! {
    /// On which paper.
    PaperSize {
        /// Size is not told apart.
        All = 0 "all",
        /// Up to A4 or Letter.
        Small = 1 "small",
        /// A3, Ledger and larger.
        Large = 2 "large",
        /// The device counts by size, but which one is not known.
        Unknown = 3 "unknown",
    }
}
words! {
    /// One side or two.
    Sides {
        /// Sides are not told apart.
        All = 0 "all",
        /// Two-sided only.
        Two = 1 "two",
    }
}
words! {
    /// What one count means.
    Unit {
        /// Sides of paper that were marked.
        Impressions = 0 "impressions",
        /// Pieces of paper.
        Sheets = 1 "sheets",
        /// Anything else.
        Other = 2 "other",
    }
}

/// One counter of a device, read once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, minicbor::Encode, minicbor::Decode)]
#[cbor(map)]
pub struct Meter {
    /// What was done.
    #[n(0)]
    pub function: Function,
    /// In which colours.
    #[n(1)]
    pub color: ColorMode,
    /// On which paper.
    #[n(2)]
    pub size: PaperSize,
    /// One side or two.
    #[n(3)]
    pub sides: Sides,
    /// What one count means.
    #[n(4)]
    pub unit: Unit,
    /// Count since the device was made, unless its name says otherwise.
    #[n(5)]
    pub value: u64,
    /// As the device calls it.
    #[n(6)]
    pub name: Option<String>,
    /// The object that the value was read from, dotted OID.
    #[n(7)]
    pub source: String,
}
