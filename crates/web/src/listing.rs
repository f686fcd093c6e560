//! Lists of the API: which page, in which form (JSON, CSV, NDJSON), with which fields.

use axum::{
    Json,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use platen_core::{Filter, Page, PageQuery};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::problem::Problem;

/// Query of every list.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// Rows wanted, 1 to 500; 50 when not given.
    #[param(minimum = 1, maximum = 500)]
    pub(crate) limit: Option<u32>,
    /// `next` of the page before.
    pub(crate) after: Option<String>,
    /// Condition on the rows, as `status eq "stopped" and vendor eq "hp"`.
    pub(crate) filter: Option<String>,
    /// Field to sort by; `-` before it reverses.
    pub(crate) sort: Option<String>,
    /// Names of the fields to give, with commas between; all when not given.
    pub(crate) fields: Option<String>,
    /// `true` counts all matching rows too.
    pub(crate) count: Option<bool>,
    /// Look only at this organisation and those below it; `Caller` has done so already.
    pub(crate) org: Option<String>,
}

impl ListQuery {
    /// The page that is asked for.
    pub(crate) fn page(&self) -> PageQuery {
        PageQuery { limit: self.limit, after: self.after.clone(), count: self.count.unwrap_or(false) }
    }

    /// The condition, parsed.
    pub(crate) fn filter(&self) -> Result<Option<Filter>, Problem> {
        match self.filter.as_deref().map(str::trim) {
            None | Some("") => Ok(None),
            Some(text) => Ok(Some(Filter::parse(text)?)),
        }
    }

    /// Refuses `sort` on lists that have one order.
    pub(crate) fn one_order(&self) -> Result<(), Problem> {
        match &self.sort {
            None => Ok(()),
            Some(_) => Err(Problem::invalid("/sort", "this list has one order")),
        }
    }

    /// Refuses `sort` and `filter` on lists that have one order and no filter.
    pub(crate) fn plain(&self) -> Result<(), Problem> {
        self.one_order()?;
        match &self.filter {
            None => Ok(()),
            Some(_) => Err(Problem::invalid("/filter", "this list has no filter")),
        }
    }

    fn columns(&self) -> Option<Vec<&str>> {
        let fields: Vec<&str> = self.fields.as_deref()?.split(',').map(str::trim).filter(|f| !f.is_empty()).collect();
        (!fields.is_empty()).then_some(fields)
    }
}

/// Query of a list of what stands or is over.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct OpenListQuery {
    /// `true`: those that stand; `false`: those that are over; all when not given.
    open: Option<bool>,
    /// Rows wanted, 1 to 500; 50 when not given.
    limit: Option<u32>,
    /// `next` of the page before.
    after: Option<String>,
    /// Condition on the rows, as `vendor eq "hp"`.
    filter: Option<String>,
    /// Field to sort by; `-` before it reverses.
    sort: Option<String>,
    /// Names of the fields to give, with commas between; all when not given.
    fields: Option<String>,
    /// `true` counts all matching rows too.
    count: Option<bool>,
    /// Look only at this organisation and those below it.
    org: Option<String>,
}

impl OpenListQuery {
    /// Which of them, and the query of any list.
    pub(crate) fn split(self) -> (Option<bool>, ListQuery) {
        let Self { open, limit, after, filter, sort, fields, count, org } = self;
        (open, ListQuery { limit, after, filter, sort, fields, count, org })
    }
}

/// One page of a list.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Listed<T> {
    /// The rows.
    pub(crate) items: Vec<T>,
    /// Value for `after` to get the page that follows; `null` on the last.
    pub(crate) next: Option<String>,
    /// All matching rows, when asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) count: Option<u64>,
}

/// Answers with a list that is never paged.
pub(crate) fn whole<T: Serialize>(items: Vec<T>) -> Response {
    Json(Listed { items, next: None, count: None }).into_response()
}

/// Columns of a list in the order of a CSV file.
pub(crate) trait Row: Serialize {
    const COLUMNS: &'static [&'static str];
}

/// What the reader accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Json,
    Csv,
    Ndjson,
}

impl Form {
    /// The first of our forms that `Accept` names; JSON otherwise.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let accept = headers.get(header::ACCEPT).and_then(|v| v.to_str().ok()).unwrap_or_default();
        for part in accept.split(',') {
            match part.split(';').next().unwrap_or_default().trim() {
                "text/csv" => return Self::Csv,
                "application/x-ndjson" | "application/jsonl" => return Self::Ndjson,
                "application/json" | "*/*" | "application/*" => return Self::Json,
                _ => {}
            }
        }
        Self::Json
    }
}

/// Answers with a page in the form that the reader accepts. The cursor of CSV and NDJSON stands in `Link`.
pub(crate) fn answer<T: Row>(page: Page<T>, query: &ListQuery, headers: &HeaderMap) -> Result<Response, Problem> {
    let columns = query.columns();
    if let Some(unknown) = columns.iter().flatten().find(|c| !T::COLUMNS.contains(c)) {
        return Err(Problem::invalid(
            "/fields",
            format!("there is no field {unknown:?}; there are {}", T::COLUMNS.join(", ")),
        ));
    }
    let form = Form::of(headers);
    if form == Form::Json && columns.is_none() {
        return Ok(Json(Listed { items: page.items, next: page.next, count: page.count }).into_response());
    }
    let columns = columns.unwrap_or_else(|| T::COLUMNS.to_vec());
    let rows = page.items.iter().map(|item| pick(item, &columns)).collect::<Result<Vec<_>, _>>()?;
    let mut response = match form {
        Form::Json => Json(Listed { items: rows, next: page.next.clone(), count: page.count }).into_response(),
        Form::Csv => ([(header::CONTENT_TYPE, "text/csv; charset=utf-8")], csv(&columns, &rows, true)?).into_response(),
        Form::Ndjson => {
            let lines: String = rows.iter().map(|row| Value::Object(row.clone()).to_string() + "\n").collect();
            ([(header::CONTENT_TYPE, "application/x-ndjson")], lines).into_response()
        }
    };
    let org = query.org.as_deref().map(|org| format!("&org={}", crate::fields::encode(org))).unwrap_or_default();
    if let Some(next) = page.next.filter(|_| form != Form::Json)
        && let Ok(value) = format!("<?after={next}{org}>; rel=\"next\"").parse()
    {
        response.headers_mut().insert(header::LINK, value);
    }
    Ok(response)
}

fn pick(item: &impl Serialize, columns: &[&str]) -> Result<Map<String, Value>, Problem> {
    let Value::Object(mut all) =
        serde_json::to_value(item).map_err(|e| Problem::from(platen_core::Error::internal(e.to_string())))?
    else {
        return Ok(Map::new());
    };
    Ok(columns.iter().map(|c| ((*c).to_owned(), all.remove(*c).unwrap_or(Value::Null))).collect())
}

/// A whole list as a CSV file: this page and all that follow it.
pub(crate) fn csv_pages<T, V, F, N>(name: &str, first: Page<T>, next: F) -> Response
where
    T: Send + 'static,
    V: Row + From<T>,
    F: Fn(String) -> N + Send + Sync + 'static,
    N: Future<Output = Option<Page<T>>> + Send,
{
    let pages = futures_util::stream::unfold(Some((first, true, next)), |state| async move {
        let (page, head, next): (Page<T>, bool, F) = state?;
        let Page { items, next: after, .. } = page;
        let text = text_of::<T, V>(items, head);
        let more = match after {
            Some(after) => next(after).await,
            None => None,
        };
        Some((text, more.map(|page| (page, false, next))))
    });
    crate::devices::download(name, axum::body::Body::from_stream(pages))
}

fn text_of<T, V: Row + From<T>>(items: Vec<T>, head: bool) -> std::io::Result<Vec<u8>> {
    let rows: Vec<V> = items.into_iter().map(V::from).collect();
    csv_of(&rows, head).map_err(|problem| std::io::Error::other(problem.detail))
}

/// CSV text of rows with all their columns.
pub(crate) fn csv_of<T: Row>(rows: &[T], head: bool) -> Result<Vec<u8>, Problem> {
    let picked = rows.iter().map(|row| pick(row, T::COLUMNS)).collect::<Result<Vec<_>, _>>()?;
    csv(T::COLUMNS, &picked, head)
}

fn csv(columns: &[&str], rows: &[Map<String, Value>], head: bool) -> Result<Vec<u8>, Problem> {
    let fail =
        |e: csv::Error| Problem::from(platen_core::Error::internal("a CSV line could not be written").with_source(e));
    let mut writer = csv::Writer::from_writer(Vec::new());
    if head {
        writer.write_record(columns).map_err(fail)?;
    }
    for row in rows {
        writer.write_record(columns.iter().map(|c| cell(row.get(*c)))).map_err(fail)?;
    }
    writer.into_inner().map_err(|e| Problem::from(platen_core::Error::internal(e.to_string())))
}

/// One cell. Text that a spreadsheet would take for a formula gets an apostrophe.
fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) if text.starts_with(['=', '+', '-', '@', '\t', '\r']) => format!("'{text}"),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Thing {
        id: &'static str,
        name: &'static str,
    }
    impl Row for Thing {
        const COLUMNS: &'static [&'static str] = &["id", "name"];
    }

    fn page() -> Page<Thing> {
        Page { items: vec![Thing { id: "1", name: "=cmd()" }], next: Some("abc".into()), count: None }
    }

    async fn text(response: Response) -> String {
        let bytes = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn csv_is_safe_in_a_spreadsheet_and_carries_the_cursor() {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, "text/csv".parse().unwrap());
        let response = answer(page(), &ListQuery::default(), &headers).unwrap();
        assert_eq!(response.headers()[header::LINK], "<?after=abc>; rel=\"next\"");
        assert_eq!(text(response).await, "id,name\n1,'=cmd()\n");
    }

    #[tokio::test]
    async fn only_the_asked_fields_are_given_and_unknown_ones_refused() {
        let query = ListQuery { fields: Some("name".into()), ..ListQuery::default() };
        let body = text(answer(page(), &query, &HeaderMap::new()).unwrap()).await;
        assert_eq!(body, r#"{"items":[{"name":"=cmd()"}],"next":"abc"}"#);
        let query = ListQuery { fields: Some("secret".into()), ..ListQuery::default() };
        assert_eq!(answer(page(), &query, &HeaderMap::new()).unwrap_err().status, 400);
    }
}
