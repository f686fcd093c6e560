//! What lists of things that stand or are over have at their side and above: facets and tabs.

use platen_core::{Filter, filter::Operand};

use crate::{fields::Fields, words::grouped};

/// The form at the side.
pub(crate) struct Facets {
    pub(crate) action: &'static str,
    pub(crate) set: String,
    pub(crate) kept: Vec<(String, String)>,
    pub(crate) groups: Vec<Facet>,
}

/// Things to tick together.
pub(crate) struct Facet {
    pub(crate) legend: &'static str,
    pub(crate) name: &'static str,
    pub(crate) options: Vec<FacetOption>,
}

/// One of them.
pub(crate) struct FacetOption {
    pub(crate) value: &'static str,
    pub(crate) label: &'static str,
    pub(crate) n: String,
    pub(crate) checked: bool,
}

/// A tab above a list.
pub(crate) struct Tab {
    pub(crate) href: String,
    pub(crate) label: &'static str,
    pub(crate) n: Option<String>,
    pub(crate) current: bool,
}

impl Facet {
    /// Value, label and count of each option.
    pub(crate) fn of(
        fields: &Fields,
        (legend, name): (&'static str, &'static str),
        all: &[(&'static str, &'static str, Option<u64>)],
    ) -> Self {
        let chosen = fields.all(name);
        let option = |(value, label, n): &(&'static str, &'static str, Option<u64>)| FacetOption {
            value,
            label,
            n: n.map(grouped).unwrap_or_default(),
            checked: chosen.contains(value),
        };
        Self { legend, name, options: all.iter().map(option).collect() }
    }
}

impl Facets {
    /// The form of a list; its tab, `state`, is kept.
    pub(crate) fn of(fields: &Fields, action: &'static str, groups: Vec<Facet>) -> Self {
        let set: usize = groups.iter().map(|group| fields.all(group.name).len()).sum();
        Self {
            action,
            set: if set == 0 { "none set".to_owned() } else { format!("{set} set") },
            kept: fields.get("state").map(|state| vec![("state".to_owned(), state.to_owned())]).unwrap_or_default(),
            groups,
        }
    }

    /// The same form, which also keeps what these names stand for.
    pub(crate) fn keeping(mut self, fields: &Fields, names: &[&str]) -> Self {
        self.kept.extend(names.iter().filter_map(|name| Some(((*name).to_owned(), fields.get(name)?.to_owned()))));
        self
    }

    /// Whether something is ticked.
    pub(crate) fn any(&self) -> bool {
        self.groups.iter().any(|group| group.options.iter().any(|option| option.checked))
    }
}

/// `field eq "value"`.
pub(crate) fn eq(field: &str, value: &str) -> Filter {
    Filter::Eq(field.to_owned(), Operand::Text(value.to_owned()))
}

/// Any of these conditions; none of none.
pub(crate) fn any(mut all: Vec<Filter>) -> Option<Filter> {
    if all.len() > 1 { Some(Filter::Or(all)) } else { all.pop() }
}

/// All of these conditions; none of none.
pub(crate) fn all(mut all: Vec<Filter>) -> Option<Filter> {
    if all.len() > 1 { Some(Filter::And(all)) } else { all.pop() }
}

/// Owned by nobody, by the reader, or by others, as the facet `owner` says.
pub(crate) fn owners(fields: &Fields, me: &str) -> Option<Filter> {
    let owner = |owner: &str| match owner {
        "nobody" => Filter::Eq("owner".to_owned(), Operand::Null),
        "me" => eq("owner", me),
        _ => Filter::And(vec![
            Filter::Not(Box::new(Filter::Eq("owner".to_owned(), Operand::Null))),
            Filter::Ne("owner".to_owned(), Operand::Text(me.to_owned())),
        ]),
    };
    any(fields.all("owner").into_iter().map(owner).collect())
}

/// The field has one of the values that are ticked under a name.
pub(crate) fn one_of(fields: &Fields, name: &str, field: &str) -> Option<Filter> {
    any(fields.all(name).into_iter().map(|value| eq(field, value)).collect())
}
