//! The text form: what it means, what it refuses and where, and that it comes back as it was.

use proptest::prelude::*;
use store::Value;

use super::*;
use crate::Kind;

const FIELDS: &[Field] = &[
    Field::new("status", "d.status", FieldKind::Word(&["ok", "alert"])),
    Field::new("vendor", "d.vendor", FieldKind::Text),
    Field::new("place", "d.place_fold", FieldKind::Folded),
    Field::new("total", "d.total", FieldKind::Int),
    Field::new("level", "d.level", FieldKind::Real),
    Field::new("seen", "d.seen_at", FieldKind::Time),
    Field::new("org", "d.tenant", FieldKind::Org),
    Field::new("reasons", "d.reasons", FieldKind::Words),
    Field::new("retired", "d.retired", FieldKind::Bool),
];

fn sql(text: &str) -> (String, Vec<Value>) {
    let mut params = Vec::new();
    let sql = Filter::parse(text).unwrap().to_sql(FIELDS, &mut params).unwrap();
    (sql, params)
}

fn refused(text: &str) -> String {
    let error = Filter::parse(text).and_then(|filter| filter.to_sql(FIELDS, &mut Vec::new())).unwrap_err();
    assert_eq!((error.kind, error.field.as_deref()), (Kind::Invalid, Some("filter")));
    error.message
}

#[test]
fn and_binds_tighter_than_or_and_values_are_bound() {
    let (text, params) = sql(r#"status eq "alert" and (vendor eq "hp" or place like "Ward*") or total ge 5"#);
    assert_eq!(text, "((d.status = $1 and (d.vendor = $2 or d.place_fold like $3 escape '!')) or d.total >= $4)");
    assert_eq!(params, ["alert".into(), "hp".into(), "ward%".into(), Value::Int(5)]);
}

#[test]
fn wildcards_of_sql_are_only_letters() {
    assert_eq!(sql(r#"vendor like "100%_!*""#).1, [Value::from("100!%!_!!%")]);
}

#[test]
fn not_and_ne_include_rows_where_the_value_is_unknown() {
    assert_eq!(sql(r#"vendor ne "hp""#).0, "not coalesce(d.vendor = $1, false)");
    assert_eq!(sql("vendor eq null").0, "d.vendor is null");
}

#[test]
fn one_reason_of_many_is_found() {
    assert_eq!(sql(r#"reasons eq "Toner-Low""#).1, [Value::from("% toner-low %")]);
}

#[test]
fn errors_say_where_and_what() {
    assert_eq!(
        refused(r#"status eq "alert" und"#),
        "filter, character 19: expected `and`, `or` or the end, found \"und\""
    );
    assert_eq!(
        refused("status"),
        "filter, character 7: expected eq, ne, lt, le, gt, ge, like, in or under, found the end"
    );
    assert_eq!(refused(r#"vendor eq "hp"#), "filter, character 11: the text has no closing quote");
    assert_eq!(refused("(total eq 1"), "filter, character 12: expected `)`, found the end");
    assert_eq!(refused(r#"status eq "red""#), "status is one of ok, alert");
    assert!(refused("color eq 1").starts_with("there is no field \"color\"; there are status, vendor"));
    assert!(refused(r#"seen lt "yesterday""#).contains("needs a time"));
    assert!(refused(r#"vendor under "de""#).contains("no organisation"));
}

#[test]
fn depth_length_and_terms_are_bounded() {
    assert!(refused(&"(".repeat(3_000)).contains("nested deeper"));
    assert!(refused(&"not ".repeat(900)).contains("nested deeper"));
    assert!(refused(&"x".repeat(5_000)).contains("longer than"));
    assert!(refused(&vec!["total eq 1"; 101].join(" or ")).contains("more than 100"));
}

fn operand() -> impl Strategy<Value = Operand> {
    prop_oneof![
        "[^\\x00]{0,12}".prop_map(Operand::Text),
        any::<i64>().prop_map(Operand::Int),
        any::<f64>().prop_filter("finite", |n| n.is_finite()).prop_map(Operand::Real),
        any::<bool>().prop_map(Operand::Bool),
        Just(Operand::Null),
    ]
}

fn filter() -> impl Strategy<Value = Filter> {
    let field =
        "[a-z][a-z_]{0,8}".prop_filter("no word of the language", |f| !matches!(f.as_str(), "and" | "or" | "not"));
    let leaf = prop_oneof![
        (field.clone(), operand()).prop_map(|(f, v)| Filter::Eq(f, v)),
        (field.clone(), operand()).prop_map(|(f, v)| Filter::Ne(f, v)),
        (field.clone(), operand()).prop_map(|(f, v)| Filter::Lt(f, v)),
        (field.clone(), operand()).prop_map(|(f, v)| Filter::Ge(f, v)),
        (field.clone(), "[^\\x00]{0,12}").prop_map(|(f, v)| Filter::Like(f, v)),
        (field.clone(), "[^\\x00]{0,12}").prop_map(|(f, v)| Filter::Under(f, v)),
        (field, prop::collection::vec(operand(), 1..4)).prop_map(|(f, v)| Filter::In(f, v)),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(Filter::And),
            prop::collection::vec(inner.clone(), 2..4).prop_map(Filter::Or),
            inner.prop_map(|f| Filter::Not(Box::new(f))),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_reads_back_the_same(filter in filter()) {
        let text = filter.to_string();
        prop_assume!(text.len() <= MAX_TEXT);
        prop_assert_eq!(Filter::parse(&text).unwrap(), filter);
    }

    #[test]
    fn any_text_is_read_or_refused_without_panic(text in "\\PC{0,80}") {
        let _ = Filter::parse(&text);
    }

    #[test]
    fn texts_of_the_language_never_panic(text in r#"(not |\(|\)|and |or |status |eq |in |"a\\|"|,|1e9|null| ){0,20}"#) {
        let _ = Filter::parse(&text);
    }

    #[test]
    fn folding_twice_changes_nothing(text in "\\PC{0,20}") {
        prop_assert_eq!(fold(&fold(&text)), fold(&text));
    }
}
