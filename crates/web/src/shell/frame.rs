//! The frame around each sheet.

use platen_core::{PageQuery, Role, agents, alerts, doubts, orgs};

use crate::{
    app::App,
    draw,
    viewer::Viewer,
    words::{self, grouped},
};

/// Organisations that the switcher lists; the rest is on their own page.
const SWITCH_MOST: usize = 40;

/// Where a page belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Section {
    Fleet,
    Alerts,
    Supplies,
    Alerting,
    Troubles,
    Tasks,
    Doubts,
    Meters,
    Agents,
    Registrations,
    Organisations,
    Users,
    Audit,
    Account,
    Help,
    None,
}

/// A link of the header or of the set-up list.
pub(crate) struct Place {
    pub(crate) href: &'static str,
    pub(crate) name: &'static str,
    pub(crate) current: bool,
}

/// A line of the organisation switcher, or of a select.
#[derive(Clone, Debug)]
pub(crate) struct OrgChoice {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) note: String,
    /// Blanks before the name, where a select shows the tree.
    pub(crate) indent: String,
    /// Steps below the root, at most 4.
    pub(crate) depth: usize,
    pub(crate) current: bool,
}

/// A running task at the foot.
pub(crate) struct Task {
    pub(crate) name: String,
    pub(crate) what: String,
    pub(crate) bar: Option<String>,
    pub(crate) note: String,
}

/// What `shell.html` shows.
pub(crate) struct Shell {
    pub(crate) title: String,
    pub(crate) theme: &'static str,
    pub(crate) csrf: String,
    pub(crate) path: String,
    pub(crate) org: String,
    pub(crate) org_up: Option<String>,
    pub(crate) orgs: Vec<OrgChoice>,
    pub(crate) query: String,
    pub(crate) alerts: u64,
    pub(crate) doubts: u64,
    pub(crate) user: String,
    pub(crate) tasks: Vec<Task>,
    pub(crate) idle: &'static str,
    pub(crate) note: Option<&'static str>,
    pub(crate) error: Option<String>,
    /// IANA name of the zone that times are shown in.
    pub(crate) zone_name: String,
    /// When the page was made, for paper.
    pub(crate) as_of: String,
    /// Whether the reader may change the fleet.
    pub(crate) manager: bool,
    /// Whether the reader may change users and organisations.
    pub(crate) admin: bool,
    section: Section,
}

impl Shell {
    /// Gathers the frame for a page.
    pub(crate) async fn of(_: &App, viewer: &Viewer, title: &str, section: Section) -> platen_core::Result<Self> {
        let tree = orgs::tree(&viewer.whole).await?;
        let here = viewer.ctx.scope.focus().unwrap_or(viewer.ctx.home);
        let current = tree.iter().find(|org| org.id == here);
        let up = current.and_then(|org| org.parent).and_then(|parent| tree.iter().find(|org| org.id == parent));
        let base = tree.iter().map(|org| org.depth).min().unwrap_or(0);
        let orgs = tree
            .iter()
            .take(SWITCH_MOST)
            .map(|org| {
                let depth = usize::try_from(org.depth.saturating_sub(base)).unwrap_or(0).min(4);
                OrgChoice {
                    id: org.id.to_string(),
                    name: org.name.clone().unwrap_or_else(|| "(not named to you)".to_owned()),
                    note: org.kind.as_str().to_owned(),
                    indent: "\u{2003}".repeat(depth),
                    depth,
                    current: org.id == here,
                }
            })
            .collect();
        let open = alerts::counts(&viewer.ctx).await?;
        let doubts = doubts::counts(&viewer.ctx).await?;
        let (tasks, idle) = tasks(viewer).await?;
        let zone_name = current.map(|org| org.zone.clone()).unwrap_or_else(|| "UTC".to_owned());
        let as_of = format!("{} {zone_name}", words::Zone::named(&zone_name).full(viewer.ctx.now));
        Ok(Self {
            title: title.to_owned(),
            theme: viewer.theme,
            csrf: viewer.csrf.clone(),
            path: viewer.path.clone(),
            org: current.and_then(|org| org.name.clone()).unwrap_or_else(|| "Platen".to_owned()),
            org_up: up.and_then(|org| org.name.clone()),
            orgs,
            query: String::new(),
            alerts: open.open,
            doubts: doubts.open,
            user: viewer.ctx.actor.name().to_owned(),
            tasks,
            idle,
            note: viewer.note.as_deref().and_then(words::note),
            error: None,
            zone_name,
            as_of,
            manager: viewer.ctx.role >= Role::Manager,
            admin: viewer.ctx.role >= Role::Admin,
            section,
        })
    }

    /// The same frame with an error above the sheet.
    pub(crate) fn with_error(mut self, error: Option<String>) -> Self {
        self.error = error.map(|text| words::sentence(&text));
        self
    }

    /// The same frame with words in the search field.
    pub(crate) fn with_query(mut self, query: &str) -> Self {
        query.clone_into(&mut self.query);
        self
    }

    /// What waits behind a link of the header; `None`: nothing.
    pub(crate) fn waiting(&self, place: &Place) -> Option<String> {
        let n = match place.href {
            "/alerts" => self.alerts,
            "/doubts" => self.doubts,
            _ => 0,
        };
        (n > 0).then(|| grouped(n))
    }

    /// The zone that times are shown in.
    pub(crate) fn zone(&self) -> words::Zone {
        words::Zone::named(&self.zone_name)
    }

    /// Links of the header.
    pub(crate) fn places(&self) -> Vec<Place> {
        use Section::{
            Account, Agents, Alerting, Alerts, Audit, Doubts, Fleet, Help, Meters, Organisations, Registrations,
            Supplies, Tasks, Troubles, Users,
        };
        let setup =
            matches!(self.section, Organisations | Users | Audit | Account | Help | Registrations | Tasks | Alerting);
        let place = |href, name, current| Place { href, name, current };
        vec![
            place("/devices", "Fleet", self.section == Fleet),
            place("/alerts", "Alerts", self.section == Alerts),
            place("/troubles", "Troubles", self.section == Troubles),
            place("/supplies", "Supplies", self.section == Supplies),
            place("/meters", "Meters", self.section == Meters),
            place("/doubts", "Doubts", self.section == Doubts),
            place("/agents", "Agents", self.section == Agents),
            place("/organisations", "Set-up", setup),
        ]
    }

    /// Links at the left of the set-up pages.
    pub(crate) fn setup_places(&self) -> Vec<Place> {
        use Section::{Account, Agents, Alerting, Audit, Help, Organisations, Registrations, Tasks, Users};
        let mut places = vec![
            ("/organisations", "Organisations", Organisations),
            ("/agents", "Agents", Agents),
            ("/registrations", "Registered devices", Registrations),
            ("/tasks", "Tasks", Tasks),
            ("/account", "Account and tokens", Account),
            ("/help", "Help", Help),
        ];
        if self.manager {
            places.insert(4, ("/rules", "Who is told", Alerting));
        }
        if self.admin {
            places.insert(4, ("/users", "Users", Users));
            places.insert(5, ("/audit", "Audit", Audit));
        }
        places.into_iter().map(|(href, name, section)| Place { href, name, current: section == self.section }).collect()
    }
}

/// Discoveries that run now, and what to say when none does.
async fn tasks(viewer: &Viewer) -> platen_core::Result<(Vec<Task>, &'static str)> {
    let page = PageQuery { limit: Some(200), ..PageQuery::default() };
    let agents = agents::list(&viewer.ctx, &agents::AgentQuery { filter: None, page }).await?.items;
    let idle = if agents.is_empty() { "Waiting for the first agent to call…" } else { "Nothing runs." };
    let tasks = agents
        .iter()
        .filter(|agent| agent.discovery_total > 0)
        .map(|agent| Task {
            name: "Discovery".to_owned(),
            what: agent.name.clone(),
            bar: Some(draw::progress(agent.discovery_probed, agent.discovery_total)),
            note: format!("{} of {} addresses", grouped(agent.discovery_probed), grouped(agent.discovery_total)),
        })
        .take(4)
        .collect();
    Ok((tasks, idle))
}
