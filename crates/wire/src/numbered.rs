//! Maps by number in JSON, where keys are text. Read as text on purpose: within tagged messages serde keeps what it has
//! read, and does not make numbers of kept keys.

use std::collections::BTreeMap;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub(crate) fn serialize<V: Serialize, S: Serializer>(map: &BTreeMap<u32, V>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(map.iter().map(|(number, value)| (number.to_string(), value)))
}

pub(crate) fn deserialize<'de, V: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<u32, V>, D::Error> {
    let told = BTreeMap::<String, V>::deserialize(deserializer)?;
    let numbered = |(text, value): (String, V)| {
        let number = text.parse::<u32>().ok().filter(|number| number.to_string() == text);
        number.map(|number| (number, value)).ok_or_else(|| D::Error::custom("a key is a number of 32 bits"))
    };
    told.into_iter().map(numbered).collect()
}
