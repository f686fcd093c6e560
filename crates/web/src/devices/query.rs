//! The fleet list's address: facets, filter, text, sort and page, and the one condition that they make together.

use platen_core::{
    Error, Filter, PageQuery,
    devices::{DeviceQuery, SortBy, Word},
    filter::Operand,
};

use crate::fields::Fields;

/// Rows of a page of the list.
pub(crate) const LIMIT: u32 = 50;

/// Facets of the list: name in the address, which is also the field of the filter.
pub(crate) const FACETS: [&str; 4] = ["status", "vendor", "place", "agent"];

/// Filters that everybody has as tabs: key, words, condition.
pub(crate) const TABS: [(&str, &str, &str); 3] = [
    ("wanted", "Wants a person", r#"status in ("stopped", "not-seen", "attention")"#),
    (
        "supplies",
        "Supplies low",
        r#"reason like "toner-*" or reason like "marker-supply-*" or reason like "marker-waste-*""#,
    ),
    ("not-seen", "Not seen", r#"status eq "not-seen""#),
];

/// The words that one facet holds.
fn facet(name: &str, values: &[&str]) -> Filter {
    let operands: Vec<Operand> = values.iter().map(|v| Operand::Text((*v).to_owned())).collect();
    match operands.len() {
        1 => operands.into_iter().next().map(|one| Filter::Eq(name.to_owned(), one)),
        _ => Some(Filter::In(name.to_owned(), operands)),
    }
    .unwrap_or_else(|| Filter::In(name.to_owned(), Vec::new()))
}

/// All conditions of the address, without those of one facet (to count that facet's words).
pub(crate) fn condition(fields: &Fields, without: Option<&str>) -> Result<Option<Filter>, Error> {
    let mut all = Vec::new();
    for name in FACETS.into_iter().filter(|name| Some(*name) != without) {
        let values = fields.all(name);
        if !values.is_empty() {
            all.push(facet(name, &values));
        }
    }
    if let Some(tab) = fields.get("view").and_then(|view| TABS.iter().find(|tab| tab.0 == view)) {
        all.push(Filter::parse(tab.2)?);
    }
    if let Some(text) = fields.get("filter") {
        all.push(Filter::parse(text)?);
    }
    Ok(match all.len() {
        0 => None,
        1 => all.pop(),
        _ => Some(Filter::And(all)),
    })
}

/// What the list is asked for.
pub(crate) fn query(fields: &Fields) -> Result<DeviceQuery, Error> {
    let sort = fields.get("sort").unwrap_or_default();
    let (word, descending) = sort.strip_prefix('-').map_or((sort, false), |word| (word, true));
    let limit = fields.get("limit").and_then(|text| text.parse().ok()).unwrap_or(LIMIT);
    Ok(DeviceQuery {
        filter: condition(fields, None)?,
        text: fields.get("q").map(str::to_owned),
        sort: SortBy::from_word(word).unwrap_or_default(),
        descending,
        page: PageQuery { limit: Some(limit), after: fields.get("after").map(str::to_owned), count: true },
        ..DeviceQuery::default()
    })
}

/// The words of a status facet's key.
pub(crate) fn status_label(key: &str) -> &'static str {
    Word::from_key(key).label()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(pairs: &[(&str, &str)]) -> Fields {
        Fields(pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect())
    }

    #[test]
    fn facets_and_filter_become_one_condition() {
        let f = fields(&[
            ("status", "stopped"),
            ("status", "unknown"),
            ("vendor", "hp"),
            ("filter", r#"model like "M6*""#),
        ]);
        let text = condition(&f, None).unwrap().unwrap().to_string();
        assert_eq!(text, r#"status in ("stopped", "unknown") and vendor eq "hp" and model like "M6*""#);
        let text = condition(&f, Some("status")).unwrap().unwrap().to_string();
        assert_eq!(text, r#"vendor eq "hp" and model like "M6*""#);
        assert!(condition(&fields(&[]), None).unwrap().is_none());
    }

    #[test]
    fn every_tab_is_a_filter_that_parses() {
        for tab in TABS {
            assert!(Filter::parse(tab.2).is_ok(), "{}", tab.0);
        }
    }
}
