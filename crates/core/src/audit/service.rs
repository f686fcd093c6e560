//! Recording a change, listing records, proving that none was touched.

use serde::Serialize;
use serde_json::{Value as Json, json};
use store::{Row, Sql, Tx, Value, params};

use super::rules::{self, Hash, Leaf};
use super::{AuditRecord, Change, sql};
use crate::ctx::{Ctx, Role};
use crate::error::Result;
use crate::filter::{Field, FieldKind, Filter};
use crate::ids::{Hex, OrgId};
use crate::page::{Key, Page, PageQuery, Sort};

const NEWEST: Sort = Sort { name: "audit.at", keys: &[Key::down("r.at"), Key::down("r.no"), Key::down("r.tenant")] };
/// Records read at once while verifying.
const STEP: i64 = 1_000;

/// Fields of the filter of [`list`].
pub const FIELDS: &[Field] = &[
    Field::new("org", "r.tenant", FieldKind::Org),
    Field::new("at", "r.at", FieldKind::Time),
    Field::new("actor_kind", "r.actor_kind", FieldKind::Word(&["user", "token", "agent", "system"])),
    Field::new("actor_id", "r.actor_id", FieldKind::Text),
    Field::new("verb", "r.verb", FieldKind::Text),
    Field::new("object_kind", "r.object_kind", FieldKind::Text),
    Field::new("object_id", "r.object_id", FieldKind::Text),
    Field::new("request", "r.request", FieldKind::Text),
];

/// Which records.
#[derive(Clone, Debug, Default)]
pub struct AuditQuery {
    /// Condition over `org at actor_kind actor_id verb object_kind object_id request`.
    pub filter: Option<Filter>,
    /// Which page; newest first.
    pub page: PageQuery,
}

/// What a verification found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// Records that were read.
    pub records: u64,
    /// Of these, records whose texts were erased; the chain holds all the same.
    pub erased: u64,
    /// The first record that is not as it was written, and why; `None`: all is as it was.
    pub fault: Option<Fault>,
}

/// A record that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// yyyymm.
    pub month: i64,
    /// Place in the chain.
    pub no: i64,
    /// What is wrong.
    pub why: String,
}

/// Records a change in the transaction that makes it.
///
/// # Errors
/// When the database refuses.
pub async fn record(tx: &mut Tx, ctx: &Ctx, change: Change) -> Result<()> {
    let content = json!({ "name": ctx.actor.name(), "before": change.before, "after": change.after }).to_string();
    let mut salt = [0; 16];
    ctx.ids().random(&mut salt);
    let month = ctx.now.month();
    let zeros: Hash = [0; 32];
    let row = tx.query_one(&sql::NEXT, &params![change.tenant, month, zeros]).await?;
    let (no, before): (i64, Hash) = (row.get(0)?, row.get(1)?);
    let leaf = Leaf {
        tenant: change.tenant,
        month,
        no,
        at: ctx.now.0,
        actor_kind: ctx.actor.kind().to_owned(),
        actor_id: ctx.actor.id(),
        verb: change.verb.to_owned(),
        object_kind: change.kind.to_owned(),
        object_id: change.id,
        request: ctx.request.clone(),
        payload_hash: rules::payload_hash(&salt, &content),
    };
    let hash = leaf.hash(&before);
    let mac = ctx.platform.sealer().mac("audit", &rules::checkpoint(leaf.tenant, month, no, &hash));
    let tenant = leaf.tenant;
    tx.execute(&sql::INSERT, &insert(leaf, hash)).await?;
    tx.execute(&sql::INSERT_PAYLOAD, &params![tenant, month, no, salt, content]).await?;
    tx.execute(&sql::HEAD, &params![tenant, month, hash, mac]).await?;
    Ok(())
}

fn insert(leaf: Leaf, hash: Hash) -> [Value; 12] {
    params![
        leaf.tenant,
        leaf.month,
        leaf.no,
        leaf.at,
        leaf.actor_kind,
        leaf.actor_id,
        leaf.verb,
        leaf.object_kind,
        leaf.object_id,
        leaf.request,
        leaf.payload_hash,
        hash,
    ]
}

/// Records of the own organisation, and what the own people did elsewhere; newest first.
///
/// # Errors
/// `Forbidden` below admin; `Invalid` for a filter or cursor that does not fit.
pub async fn list(ctx: &Ctx, query: &AuditQuery) -> Result<Page<AuditRecord>> {
    ctx.require(Role::Admin, "read the audit log")?;
    let limit = query.page.limit()?;
    let mut values = Vec::new();
    let mut conditions = vec![ctx.scope.condition("r", &mut values), own(ctx, &mut values)];
    if let Some(filter) = &query.filter {
        conditions.push(filter.to_sql(FIELDS, &mut values)?);
    }
    let counted = (conditions.join(" and "), values.clone());
    conditions.push(NEWEST.after(query.page.after.as_deref(), &mut values)?);
    let text =
        format!("{} where {} order by {} limit {}", sql::LIST, conditions.join(" and "), NEWEST.order(), limit + 1);
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let rows = tx.query(&Sql::built_as("audit list", text), &values).await?;
    let mut page = NEWEST.page(rows, limit, read)?;
    if query.page.count {
        let text = format!("select count(*) from audit_records r where {}", counted.0);
        page.count = Some(tx.query_one(&Sql::built_as("audit count", text), &counted.1).await?.get(0)?);
    }
    Ok(page)
}

/// Class audit (model.md §4): of other organisations one sees only the acts of one's own people and tokens.
fn own(ctx: &Ctx, values: &mut Vec<Value>) -> String {
    if ctx.scope.tenants().is_none() {
        return "1 = 1".to_owned();
    }
    values.push(ctx.home.into());
    let home = values.len();
    format!(
        "(r.tenant = ${home} or r.actor_id in (select u.id from users u where u.tenant = ${home} \
         union all select t.id from tokens t where t.tenant = ${home}))"
    )
}

fn read(row: &Row) -> Result<AuditRecord> {
    let content: Option<Json> = row.get(11)?;
    let part = |name: &str| content.as_ref().and_then(|content| content.get(name)).cloned().unwrap_or(Json::Null);
    Ok(AuditRecord {
        tenant: row.get(0)?,
        month: row.get(1)?,
        no: row.get(2)?,
        at: row.get(3)?,
        actor_kind: row.get(4)?,
        actor_id: row.get(5)?,
        actor_name: part("name").as_str().map(str::to_owned),
        verb: row.get(6)?,
        object_kind: row.get(7)?,
        object_id: row.get(8)?,
        request: row.get(9)?,
        before: part("before"),
        after: part("after"),
        leaf_hash: Hex(&row.get::<Hash>(10)?).to_string(),
    })
}

/// Reads the whole log of an organisation and says whether it is as it was written.
///
/// # Errors
/// `Forbidden` below admin, `NotFound` for an organisation that is not the own one.
pub async fn verify(ctx: &Ctx, org: OrgId) -> Result<Verdict> {
    ctx.require(Role::Admin, "verify the audit log")?;
    if ctx.scope.tenants().is_some() && org != ctx.home {
        return Err(OrgId::missing());
    }
    let mut tx = ctx.db().read(&store::View::tenant(&org.to_string())).await?;
    let mut verdict = Verdict { records: 0, erased: 0, fault: None };
    if let Some(row) = tx.query(&sql::STRAY, &params![org]).await?.first() {
        verdict.fault = Some(fault(row.get(0)?, row.get(1)?, "the month has records and no checkpoint"));
        return Ok(verdict);
    }
    for row in tx.query(&sql::MONTHS, &params![org]).await? {
        let month = Month { org, month: row.get(0)?, size: row.get(1)?, root: row.get(2)?, mac: row.get(3)? };
        verdict.fault = verify_month(ctx, &mut tx, &month, &mut verdict).await?;
        if verdict.fault.is_some() {
            break;
        }
    }
    Ok(verdict)
}

struct Month {
    org: OrgId,
    month: i64,
    size: i64,
    root: Hash,
    mac: Vec<u8>,
}

async fn verify_month(ctx: &Ctx, tx: &mut Tx, month: &Month, verdict: &mut Verdict) -> Result<Option<Fault>> {
    let (mut last, mut hash): (i64, Hash) = (0, [0; 32]);
    loop {
        let rows = tx.query(&sql::CHAIN, &params![month.org, month.month, last, STEP]).await?;
        let done = rows.is_empty();
        for row in rows {
            let (leaf, stored) = leaf(month, &row)?;
            if leaf.no != last + 1 {
                return Ok(Some(fault(month.month, last + 1, "the record is missing")));
            }
            hash = leaf.hash(&hash);
            if hash != stored {
                return Ok(Some(fault(month.month, leaf.no, "the record was changed, or one before it was replaced")));
            }
            if !payload_holds(&row, &leaf, verdict)? {
                return Ok(Some(fault(month.month, leaf.no, "the texts of the record were changed")));
            }
            (last, verdict.records) = (leaf.no, verdict.records + 1);
        }
        if done {
            break;
        }
    }
    if last != month.size {
        return Ok(Some(fault(month.month, last + 1, "the end of the month was cut off")));
    }
    let mac = ctx.platform.sealer().mac("audit", &rules::checkpoint(month.org, month.month, last, &hash));
    let signed = hash == month.root && aws_lc_rs::constant_time::verify_slices_are_equal(&mac, &month.mac).is_ok();
    Ok((!signed).then(|| fault(month.month, last, "the checkpoint was not signed by this installation")))
}

fn leaf(month: &Month, row: &Row) -> Result<(Leaf, Hash)> {
    let leaf = Leaf {
        tenant: month.org,
        month: month.month,
        no: row.get(0)?,
        at: row.get(1)?,
        actor_kind: row.get(2)?,
        actor_id: row.get(3)?,
        verb: row.get(4)?,
        object_kind: row.get(5)?,
        object_id: row.get(6)?,
        request: row.get(7)?,
        payload_hash: row.get(8)?,
    };
    Ok((leaf, row.get(9)?))
}

fn payload_holds(row: &Row, leaf: &Leaf, verdict: &mut Verdict) -> Result<bool> {
    let (salt, content): (Option<Vec<u8>>, Option<String>) = (row.get(10)?, row.get(11)?);
    match (salt, content) {
        (Some(salt), Some(content)) => Ok(rules::payload_hash(&salt, &content) == leaf.payload_hash),
        _ => {
            verdict.erased += 1;
            Ok(true)
        }
    }
}

fn fault(month: i64, no: i64, why: &str) -> Fault {
    Fault { month, no, why: why.to_owned() }
}
