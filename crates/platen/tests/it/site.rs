//! A server with an account, and an agent that looks after virtual devices: what most tests begin with.

use std::path::Path;

use serde_json::{Value, json};

use crate::api::Api;
use crate::process::{PATIENCE, Platen, free_tcp_port, free_udp_port, platen, platen_with_input};

/// Everything that a small installation runs.
pub(crate) struct Site {
    pub(crate) server: Option<Platen>,
    pub(crate) agent: Option<Platen>,
    pub(crate) vmfp: Platen,
    pub(crate) api: Api,
    pub(crate) web: String,
    /// Address of the gateway, which stays over restarts.
    gateway: String,
    pub(crate) snmp_port: String,
    data: String,
    database: String,
}

impl Site {
    /// Server, account, agent, and `devices` virtual devices from `base`.
    pub(crate) async fn start(folder: &Path, database: &str, devices: u32, base: &str) -> Self {
        let data = folder.join("server").to_str().unwrap().to_owned();
        let account = ["--data", &data, "--database", database, "--email", "me@example.com"];
        let create = [&["admin", "create-user"], &account[..], &["--role", "admin", "--password-stdin"]].concat();
        let output = platen_with_input(&create, "a long pass phrase");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let token = platen(&[&["admin", "token"], &account[..], &["--scope", "admin", "--json"]].concat());
        assert!(token.status.success(), "{}", String::from_utf8_lossy(&token.stderr));
        let token: Value = serde_json::from_slice(&token.stdout).unwrap();
        let listen = format!("127.0.0.1:{}", free_tcp_port());
        let gateway = format!("127.0.0.1:{}", free_tcp_port());
        let server = serve(folder, &data, database, (&listen, &gateway));
        let web = server.url("web");
        let api = Api::new(&web, token["token"].as_str().unwrap());
        let snmp_port = free_udp_port().to_string();
        let fleet = devices.to_string();
        let vmfp = ["vmfp", "--fleet", &fleet, "--base", base, "--snmp-port", &snmp_port, "--speed", "600"];
        let vmfp = Platen::start(folder, "vmfp", &vmfp);
        let (data, database) = (data, database.to_owned());
        let mut site = Self { server: Some(server), agent: None, vmfp, api, web, gateway, snmp_port, data, database };
        site.enrol(folder, devices, base).await;
        site
    }

    async fn enrol(&mut self, folder: &Path, devices: u32, base: &str) {
        let (status, invitation) = self.api.post("/api/v1/agents/invitations", &json!({})).await;
        assert_eq!(status, 201, "{invitation}");
        let token = invitation["token"].as_str().unwrap().to_owned();
        let web = self.web.clone();
        self.start_agent(folder, &["--server", &web, "--enrol", &token]);
        let agents = self.api.get("/api/v1/agents").await;
        let id = agents["items"][0]["id"].as_str().unwrap();
        let first: std::net::Ipv4Addr = base.parse().unwrap();
        let last = std::net::Ipv4Addr::from(u32::from(first) + devices - 1);
        let mut plan = self.api.get(&format!("/api/v1/agents/{id}/plan")).await;
        plan["ranges"] = json!([format!("{base}-{last}:{}", self.snmp_port)]);
        for (key, value) in
            [("status_s", 1), ("meters_s", 5), ("full_s", 10), ("discovery_s", 60), ("discovery_pps", 1_000)]
        {
            plan[key] = json!(value);
        }
        let (status, answer) = self.api.put(&format!("/api/v1/agents/{id}/plan"), &plan).await;
        assert!(status == 200 || status == 204, "{status} {answer}");
    }

    pub(crate) fn start_agent(&mut self, folder: &Path, more: &[&str]) {
        let data = folder.join("agent");
        let arguments = [&["agent", "--data", data.to_str().unwrap(), "--relay-listen", "127.0.0.1:0"], more].concat();
        self.agent = Some(Platen::start(folder, "agent", &arguments));
    }

    /// The same server again, at the same address.
    pub(crate) fn start_server(&mut self, folder: &Path) {
        let listen = self.web.trim_start_matches("http://").to_owned();
        self.server = Some(serve(folder, &self.data, &self.database, (&listen, &self.gateway)));
    }

    /// Waits until that many devices have a reading.
    pub(crate) async fn devices(&self, wanted: usize) -> Vec<Value> {
        let known = self
            .api
            .until("/api/v1/devices?limit=500", PATIENCE, |list| {
                list["items"].as_array().is_some_and(|items| items.len() >= wanted)
            })
            .await;
        known["items"].as_array().unwrap().clone()
    }

    /// What `platen doctor` says.
    pub(crate) fn doctor(&self) -> Value {
        let output = platen(&["doctor", "--data", &self.data, "--database", &self.database, "--json"]);
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

fn serve(folder: &Path, data: &str, database: &str, (web, gateway): (&str, &str)) -> Platen {
    let doors = ["--listen", web, "--gateway-listen", gateway];
    Platen::start(folder, "server", &[&["serve", "--data", data, "--database", database], &doors[..]].concat())
}
