//! What happened, told to pages and webhooks: written in the transaction that made it so, read by rising id.
//! An event is shown to those who may see the class of its subject (model.md §4, §6).

use serde::Serialize;
use store::{NewEvent, Tx};
use tokio::sync::watch;

use crate::ctx::{Actor, Ctx, Role};
use crate::devices::intake::Notice;
use crate::error::Result;
use crate::ids::OrgId;
use crate::platform::Platform;
use crate::time::Micros;

/// First words of the events about people; they stay in their organisation.
const PEOPLE: [&str; 6] = ["user", "role", "session", "identity", "token", "saved_filter"];

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Event {
    /// Rising.
    pub id: i64,
    /// `device.alert.raised` and the like.
    #[serde(rename = "type")]
    pub kind: String,
    /// When.
    pub time: Micros,
    /// Whose.
    pub tenant: OrgId,
    /// `device`, `alert` …
    pub subject_kind: String,
    /// Id of what it happened to.
    pub subject_id: String,
    /// Who did it; `None`: the program by itself.
    pub actor: Option<ActorRef>,
    /// Details by type.
    pub data: serde_json::Value,
}

/// Who did something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ActorRef {
    /// `user`, `token` or `agent`.
    pub kind: String,
    /// Id.
    pub id: String,
}

/// Tells an event in the transaction that makes it true; returns its id.
///
/// # Errors
/// When the database refuses.
pub async fn emit(
    tx: &mut Tx,
    ctx: &Ctx,
    tenant: OrgId,
    kind: &'static str,
    subject: (&'static str, String),
    data: serde_json::Value,
) -> Result<i64> {
    let (tenant, actor) = (tenant.to_string(), ctx.actor.id());
    let event = NewEvent {
        tenant: &tenant,
        event_type: kind,
        subject_kind: subject.0,
        subject_id: &subject.1,
        actor: (ctx.actor != Actor::System).then_some((ctx.actor.kind(), &actor)),
        request: &ctx.request,
        data: &data,
        at: ctx.now.0,
    };
    Ok(tx.emit(event).await?)
}

/// Tells many events in the transaction that makes them true, in their order.
///
/// # Errors
/// When the database refuses.
pub(crate) async fn emit_all(tx: &mut Tx, ctx: &Ctx, tenant: OrgId, notices: &[Notice]) -> Result<()> {
    emit_each(tx, ctx, tenant, &[(ctx.actor.clone(), notices)]).await
}

/// As [`emit_all`], each part by somebody else.
///
/// # Errors
/// When the database refuses.
pub(crate) async fn emit_each(tx: &mut Tx, ctx: &Ctx, tenant: OrgId, parts: &[(Actor, &[Notice])]) -> Result<()> {
    let tenant = tenant.to_string();
    let ids: Vec<String> = parts.iter().map(|(actor, _)| actor.id()).collect();
    let mut events = Vec::with_capacity(parts.iter().map(|(_, notices)| notices.len()).sum());
    for ((actor, notices), id) in parts.iter().zip(&ids) {
        let actor = (*actor != Actor::System).then_some((actor.kind(), id.as_str()));
        let (request, at) = (ctx.request.as_str(), ctx.now.0);
        events.extend(notices.iter().map(|(kind, subject_kind, subject_id, data)| NewEvent {
            tenant: &tenant,
            event_type: kind,
            subject_kind,
            subject_id,
            actor,
            request,
            data,
            at,
        }));
    }
    Ok(tx.emit_all(&events).await?)
}

/// Up to `limit` visible events after `id`, oldest first.
///
/// # Errors
/// When the database refuses.
pub async fn after(ctx: &Ctx, id: i64, limit: u32) -> Result<Vec<Event>> {
    let mut last = id;
    loop {
        let batch = store::events::after(ctx.db(), &ctx.scope.view(), last, limit).await?;
        let Some(newest) = batch.last() else { return Ok(Vec::new()) };
        last = newest.id;
        let visible: Vec<_> = batch.into_iter().filter_map(read).filter(|event| sees(ctx, event)).collect();
        // A batch of nothing but others' affairs must not look like the end.
        if !visible.is_empty() {
            return Ok(visible);
        }
    }
}

/// Id of the newest event: where a reader that wants only news begins.
///
/// # Errors
/// When the database refuses.
pub async fn newest(platform: &Platform) -> Result<i64> {
    Ok(store::events::newest(platform.db()).await?)
}

fn sees(ctx: &Ctx, event: &Event) -> bool {
    if ctx.scope.tenants().is_none() {
        return true;
    }
    let noun = event.kind.split('.').next().unwrap_or_default();
    !PEOPLE.contains(&noun) || (event.tenant == ctx.home && ctx.role >= Role::Admin)
}

fn read(event: store::Event) -> Option<Event> {
    Some(Event {
        id: event.id,
        kind: event.event_type,
        time: Micros(event.at),
        tenant: OrgId::parse(&event.tenant).ok()?,
        subject_kind: event.subject_kind,
        subject_id: event.subject_id,
        actor: event.actor.map(|(kind, id)| ActorRef { kind, id }),
        data: event.data,
    })
}

/// Says the id of the newest event whenever it rises.
#[must_use]
pub fn watch(platform: &Platform) -> watch::Receiver<i64> {
    platform.db().committed()
}
