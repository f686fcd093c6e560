//! The wall between organisations: which tenants a request sees. Only this file writes the tenant condition.
//! Seen are the own organisation and those that gave it a fleet grant; a focus narrows to one and those below.

use std::sync::Arc;

use store::{Tx, Value, View};

use crate::ctx::{Actor, Ctx, Role};
use crate::error::Result;
use crate::ids::OrgId;
use crate::platform::Platform;
use crate::time::Micros;

/// Up to here tenants are listed one by one; beyond, the database finds them by the grants.
const LISTED: usize = 200;

store::sql! {
    GRANTED = "select g.tenant
        from service_grants g
        where g.grantee = $1
          and g.class = 'fleet'
          and g.from_at <= $2
          and (g.until_at is null or g.until_at > $2)
        order by g.tenant";
    BELOW = "select o.id
        from organisations o, organisations top
        where top.tenant = $1
          and top.id = $1
          and substr(o.path, 1, length(top.path)) = top.path";
}

/// The tenants that a request sees.
#[derive(Clone, Debug)]
pub struct Scope(Seen);

#[derive(Clone, Debug)]
enum Seen {
    /// Everything, for the program itself; says why.
    All(&'static str),
    /// These, sorted; and whether they are all that `home` may see, now.
    These { home: OrgId, tenants: Arc<[OrgId]>, texts: Arc<[String]>, focus: Option<OrgId>, at: Micros },
}

impl Scope {
    /// Everything; only for the program itself.
    pub(crate) fn all(reason: &'static str) -> Self {
        Self(Seen::All(reason))
    }

    /// Exactly these tenants.
    pub(crate) fn these(home: OrgId, tenants: Vec<OrgId>, focus: Option<OrgId>, at: Micros) -> Self {
        let mut tenants = tenants;
        tenants.sort_unstable();
        tenants.dedup();
        let texts = tenants.iter().map(ToString::to_string).collect();
        Self(Seen::These { home, tenants: tenants.into(), texts, focus, at })
    }

    /// Only one tenant.
    pub(crate) fn only(org: OrgId, at: Micros) -> Self {
        Self::these(org, vec![org], None, at)
    }

    /// Whether `org` is visible.
    #[must_use]
    pub fn contains(&self, org: OrgId) -> bool {
        match &self.0 {
            Seen::All(_) => true,
            Seen::These { tenants, .. } => tenants.binary_search(&org).is_ok(),
        }
    }

    /// `NotFound`, worded for `noun`, when `org` is not visible.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn require(&self, org: OrgId, noun: &str) -> Result<()> {
        if self.contains(org) { Ok(()) } else { Err(crate::Error::not_found(noun)) }
    }

    /// The organisation looked at, if the request is narrowed.
    #[must_use]
    pub fn focus(&self) -> Option<OrgId> {
        match &self.0 {
            Seen::All(_) => None,
            Seen::These { focus, .. } => *focus,
        }
    }

    /// The visible tenants, sorted; `None`: all.
    #[must_use]
    pub fn tenants(&self) -> Option<&[OrgId]> {
        match &self.0 {
            Seen::All(_) => None,
            Seen::These { tenants, .. } => Some(tenants),
        }
    }

    /// What the database is told (PostgreSQL repeats the condition by row security).
    #[must_use]
    pub fn view(&self) -> View {
        match &self.0 {
            Seen::All(reason) => View::All(reason),
            Seen::These { texts, .. } => View::Tenants(texts.clone()),
        }
    }

    /// Writes the tenant condition for the table called `alias` (empty: no prefix) and pushes what it binds.
    #[must_use]
    pub fn condition(&self, alias: &str, params: &mut Vec<Value>) -> String {
        let dot = if alias.is_empty() { "" } else { "." };
        match &self.0 {
            Seen::All(_) => "1 = 1".to_owned(),
            Seen::These { tenants, .. } if tenants.is_empty() => "1 = 0".to_owned(),
            Seen::These { tenants, .. } if tenants.len() == 1 => {
                params.push(tenants[0].into());
                format!("{alias}{dot}tenant = ${}", params.len())
            }
            Seen::These { home, tenants, focus, at, .. } if tenants.len() > LISTED => {
                by_grants(&format!("{alias}{dot}tenant"), *home, *focus, *at, params)
            }
            Seen::These { tenants, .. } => {
                let first = params.len();
                params.extend(tenants.iter().map(Value::from));
                let marks: Vec<_> = (first + 1..=params.len()).map(|n| format!("${n}")).collect();
                format!("{alias}{dot}tenant in ({})", marks.join(", "))
            }
        }
    }
}

/// The condition for thousands of tenants: a sub-select instead of thousands of parameters.
fn by_grants(column: &str, home: OrgId, focus: Option<OrgId>, at: Micros, params: &mut Vec<Value>) -> String {
    params.push(home.into());
    let home = params.len();
    params.push(at.into());
    let at = params.len();
    let mut condition = format!(
        "({column} = ${home} or {column} in (select g.tenant from service_grants g where g.grantee = ${home} \
         and g.class = 'fleet' and g.from_at <= ${at} and (g.until_at is null or g.until_at > ${at})))"
    );
    if let Some(focus) = focus {
        params.push(focus.into());
        let focus = params.len();
        condition.push_str(&format!(
            " and {column} in (select o.id from organisations o, organisations top where top.id = ${focus} \
             and substr(o.path, 1, length(top.path)) = top.path)"
        ));
    }
    condition
}

/// What `home` sees at `at`: itself and its grants.
pub(crate) async fn of(tx: &mut Tx, home: OrgId, at: Micros) -> Result<Scope> {
    let mut tenants = vec![home];
    for row in tx.query(&GRANTED, &store::params![home, at]).await? {
        tenants.push(row.get(0)?);
    }
    Ok(Scope::these(home, tenants, None, at))
}

/// A request of `actor`, at home in `home`, with all that may be seen from there now.
pub(crate) async fn request(platform: &Platform, home: OrgId, actor: Actor, role: Role) -> Result<Ctx> {
    let now = platform.now();
    let mut tx = platform.db().read(&View::All("the grants that a request brings along")).await?;
    let scope = of(&mut tx, home, now).await?;
    Ok(Ctx { platform: platform.clone(), actor, home, role, scope, now, request: String::new() })
}

/// `ctx`'s scope narrowed to `org` and what stands below it.
pub(crate) async fn focus(ctx: &Ctx, org: OrgId) -> Result<Scope> {
    // The tree is asked as a whole, since `org` may have parts that are not visible; what stays is a part of the scope.
    let mut tx = ctx.db().read(&View::All("the organisations below the one looked at")).await?;
    let below = tx.query(&BELOW, &store::params![org]).await?;
    let below = below.iter().map(|row| row.get(0)).collect::<store::Result<Vec<OrgId>>>()?;
    if below.is_empty() {
        return Err(OrgId::missing());
    }
    let visible: Vec<_> = below.into_iter().filter(|below| ctx.scope.contains(*below)).collect();
    if visible.is_empty() {
        return Err(OrgId::missing());
    }
    Ok(Scope::these(ctx.home, visible, Some(org), ctx.now))
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn orgs(count: u128) -> Vec<OrgId> {
        (1..=count).map(|n| OrgId(Uuid::from_u128(n))).collect()
    }

    #[test]
    fn the_condition_numbers_its_parameters_after_those_that_stand() {
        let scope = Scope::these(OrgId(Uuid::from_u128(1)), orgs(3), None, Micros(0));
        let mut params = vec![Value::Int(7)];
        assert_eq!(scope.condition("d", &mut params), "d.tenant in ($2, $3, $4)");
        assert_eq!(params.len(), 4);
    }

    #[test]
    fn nothing_visible_means_no_rows() {
        let scope = Scope::these(OrgId(Uuid::from_u128(1)), Vec::new(), None, Micros(0));
        assert_eq!(scope.condition("", &mut Vec::new()), "1 = 0");
    }

    #[test]
    fn thousands_of_tenants_bind_few_parameters() {
        let scope = Scope::these(OrgId(Uuid::from_u128(1)), orgs(5_000), None, Micros(0));
        let mut params = Vec::new();
        let _ = scope.condition("d", &mut params);
        assert_eq!(params.len(), 2);
    }
}
