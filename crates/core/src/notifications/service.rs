//! Queueing a message in the transaction of what it tells of; the log of messages; sending one again.

use serde_json::json;
use store::{Row, Sql, Tx, Value, View, params};

use super::recipients::{self, Route};
use super::{ChannelKind, Notification, NotificationId, RecipientId, sql};
use crate::audit::{self, Change};
use crate::error::{Error, Result};
use crate::filter::{Field, FieldKind, Filter};
use crate::page::{Key, Page, PageQuery, Sort};
use crate::{Ctx, OrgId, Role, UserId, webhooks};

/// Largest file that goes along, bytes.
const MOST_FILE: usize = 10 << 20;
/// Longest title and text, characters.
const MOST_TITLE: usize = 200;
const MOST_TEXT: usize = 200_000;

/// Fields of the filter of [`list`].
pub const FIELDS: &[Field] = &[
    Field::new("state", "n.state", FieldKind::Word(&["queued", "sent", "handed", "folded", "dead"])),
    Field::new("channel", "n.channel", FieldKind::Word(&["user", "mail", "webhook", "syslog"])),
    Field::new("kind", "n.kind", FieldKind::Text),
    Field::new("recipient", "n.recipient", FieldKind::Text),
    Field::new("subject_kind", "n.subject_kind", FieldKind::Text),
    Field::new("subject", "n.subject_id", FieldKind::Text),
    Field::new("created", "n.created_at", FieldKind::Time),
];

const NEWEST: Sort = Sort { name: "notifications.newest", keys: &[Key::down("n.id")] };

/// To whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum To {
    /// A recipient of the organisation.
    Recipient(RecipientId),
    /// An address without account; it becomes a recipient on the way, so that it can bounce.
    Mail(String),
    /// A person with an account in the organisation; becomes a recipient on the way.
    User(UserId),
}

/// A file that goes along with a mail.
#[derive(Clone, PartialEq, Eq)]
pub struct Attachment {
    /// File name.
    pub name: String,
    /// `text/csv; charset=utf-8` and the like.
    pub media_type: String,
    /// The file, at most 10 MB.
    pub bytes: Vec<u8>,
}

impl std::fmt::Debug for Attachment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Attachment({}, {}, {} bytes)", self.name, self.media_type, self.bytes.len())
    }
}

/// A message to be sent.
#[derive(Clone, Debug)]
pub struct NewNotification {
    /// Whose recipient it is; the transaction must see this organisation.
    pub tenant: OrgId,
    /// To whom.
    pub to: To,
    /// One word: `incident`, `test`, `close` …
    pub kind: &'static str,
    /// What it is about: kind and id.
    pub subject: (&'static str, String),
    /// Goes first, and may pass quiet hours.
    pub critical: bool,
    /// One line.
    pub title: String,
    /// Plain text. `{base}` stands for the public address of the pages.
    pub text: String,
    /// A file that goes along.
    pub attachment: Option<Attachment>,
    /// The same key is posted once.
    pub key: String,
}

/// Queues a message with this transaction; `None` when its key was posted before.
///
/// # Errors
/// `NotFound` for a recipient of others, `Invalid` for an address that is none or a file that is too large.
pub async fn post(tx: &mut Tx, ctx: &Ctx, new: NewNotification) -> Result<Option<NotificationId>> {
    if new.attachment.as_ref().is_some_and(|file| file.bytes.len() > MOST_FILE) {
        return Err(Error::invalid("attachment", "a file that goes along has at most 10 MB"));
    }
    let asked = match &new.to {
        To::Recipient(id) => *id,
        To::Mail(address) => recipients::of_address(tx, ctx, new.tenant, address).await?,
        To::User(user) => recipients::of_user(tx, ctx, new.tenant, *user).await?,
    };
    let route = recipients::route(tx, new.tenant, asked).await?;
    let (state, error) = match &route {
        None => ("dead", Some("the recipient is suspended and has no other that is not")),
        Some(Route { kind: ChannelKind::Webhook, .. }) => ("handed", None),
        Some(_) => ("queued", None),
    };
    let (to, channel) = route.as_ref().map_or((asked, "mail"), |route| (route.recipient, route.kind.as_str()));
    let id = NotificationId::new(ctx.ids());
    let title: String = crate::devices::fold::clean(Some(&new.title)).unwrap_or_default();
    let title: String = title.chars().take(MOST_TITLE).collect();
    let text: String = new.text.chars().take(MOST_TEXT).collect();
    let first = (to != asked).then_some(asked);
    let values = params![
        new.tenant,
        id,
        ctx.now.month(),
        to,
        channel,
        i64::from(!new.critical),
        new.kind,
        new.subject.0,
        &new.subject.1,
        &new.key,
        &title,
        &text,
        state,
        ctx.now,
        first,
        ctx.now,
        (state != "queued").then_some(ctx.now),
        error
    ];
    if tx.query_opt(&sql::POST, &values).await?.is_none() {
        return Ok(None);
    }
    if let Some(file) = new.attachment {
        let values = params![new.tenant, id, file.name, file.media_type, file.bytes, ctx.now];
        tx.execute(&sql::ATTACH, &values).await?;
    }
    if let Some(Route { webhook: Some(webhook), .. }) = route {
        let data = json!({
            "kind": new.kind, "subject": { "kind": new.subject.0, "id": new.subject.1 }, "critical": new.critical,
            "title": title, "text": text, "recipient": to,
        });
        webhooks::hand(tx, ctx, new.tenant, webhook, (&format!("msg_{id}"), "notification.posted"), data).await?;
    }
    Ok(Some(id))
}

/// Which messages.
#[derive(Clone, Debug, Default)]
pub struct NotificationQuery {
    /// Condition over `state channel kind recipient subject_kind subject created`.
    pub filter: Option<Filter>,
    /// Which page; newest first.
    pub page: PageQuery,
}

const COLUMNS: &str = "n.recipient, coalesce(r.name, ''), n.channel, n.kind, n.subject_kind, n.subject_id, n.title, n.state, n.held, \
     n.tries, n.next_at, n.status, n.error, n.went_into, n.created_at, n.ended_at, n.id";
const TABLES: &str = "notifications n left join recipients r on r.tenant = n.tenant and r.id = n.recipient";

fn read(row: &Row) -> Result<Notification> {
    let state: String = row.get(7)?;
    Ok(Notification {
        id: row.get(16)?,
        recipient: row.get(0)?,
        recipient_name: row.get(1)?,
        channel: row.get(2)?,
        kind: row.get(3)?,
        subject: (row.get(4)?, row.get(5)?),
        title: row.get(6)?,
        held: row.get::<Option<String>>(8)?.filter(|_| state == "queued"),
        tries: row.get(9)?,
        next_at: if state == "queued" { Some(row.get(10)?) } else { None },
        state,
        status: row.get(11)?,
        error: row.get(12)?,
        went_into: row.get(13)?,
        created_at: row.get(14)?,
        ended_at: row.get(15)?,
    })
}

/// The organisation of the reader, and no other.
pub(crate) fn home(ctx: &Ctx) -> View {
    View::Tenants([ctx.home.to_string()].into())
}

/// Messages of the own organisation, newest first.
///
/// # Errors
/// `Forbidden` below manager; `Invalid` for a filter, cursor or limit that does not fit.
pub async fn list(ctx: &Ctx, query: &NotificationQuery) -> Result<Page<Notification>> {
    ctx.require(Role::Manager, "see who is told what")?;
    let limit = query.page.limit()?;
    let mut params: Vec<Value> = vec![ctx.home.into()];
    let mut all = vec!["n.tenant = $1".to_owned()];
    if let Some(filter) = &query.filter {
        all.push(filter.to_sql(FIELDS, &mut params)?);
    }
    let conditions = all.join(" and ");
    let mut tx = ctx.db().read(&home(ctx)).await?;
    let mut count = None;
    if query.page.count {
        let text = format!("select count(*) from {TABLES} where {conditions}");
        count = Some(tx.query_one(&Sql::built_as("notifications::count", text), &params).await?.get(0)?);
    }
    let after = NEWEST.after(query.page.after.as_deref(), &mut params)?;
    params.push(i64::try_from(limit + 1).unwrap_or(i64::MAX).into());
    let text = format!(
        "select {COLUMNS} from {TABLES} where {conditions} and {after} order by {} limit ${}",
        NEWEST.order(),
        params.len()
    );
    let rows = tx.query(&Sql::built_as("notifications::list", text), &params).await?;
    let mut page = NEWEST.page(rows, limit, read)?;
    page.count = count;
    Ok(page)
}

/// What was told of one thing, newest first, at most 100.
///
/// # Errors
/// When the database refuses.
pub async fn about(ctx: &Ctx, subject: (&str, &str)) -> Result<Vec<Notification>> {
    if ctx.role < Role::Manager {
        return Ok(Vec::new());
    }
    let text = |text: &str| crate::filter::Operand::Text(text.to_owned());
    let filter = Filter::And(vec![
        Filter::Eq("subject_kind".to_owned(), text(subject.0)),
        Filter::Eq("subject".to_owned(), text(subject.1)),
    ]);
    let page = PageQuery { limit: Some(100), ..PageQuery::default() };
    Ok(list(ctx, &NotificationQuery { filter: Some(filter), page }).await?.items)
}

/// How many messages wait, are dead, and were sent within the last day, by state.
///
/// # Errors
/// `Forbidden` below manager.
pub async fn counts(ctx: &Ctx) -> Result<Vec<(String, u64)>> {
    ctx.require(Role::Manager, "see who is told what")?;
    let mut tx = ctx.db().read(&home(ctx)).await?;
    let rows = tx.query(&sql::STATES, &params![ctx.home, ctx.now.days_ago(1)]).await?;
    rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}

/// Sends a message again, one that was sent or given up.
///
/// # Errors
/// `NotFound`; `Conflict` while it waits, or for one that went to a webhook or into another message.
pub async fn resend(ctx: &Ctx, id: NotificationId) -> Result<()> {
    ctx.require(Role::Manager, "send messages again")?;
    let mut tx = ctx.db().write(&home(ctx)).await?;
    let found = tx.query_opt(&sql::BOUNCED, &params![id]).await?;
    let row =
        found.filter(|row| row.get::<OrgId>(0).is_ok_and(|org| org == ctx.home)).ok_or_else(NotificationId::missing)?;
    if row.get::<String>(3)? == "webhook" {
        return Err(Error::conflict("it went to a webhook; send it again from the deliveries of that one"));
    }
    if tx.execute(&sql::RESEND, &params![ctx.home, id, ctx.now]).await? == 0 {
        return Err(Error::conflict("it waits still, or another message tells it too"));
    }
    audit::record(&mut tx, ctx, Change::new(ctx.home, "resent", "notification", id)).await?;
    Ok(tx.commit().await?)
}
