//! The command tree, exactly as contracts.md gives it. Help texts end with examples that work.

#[cfg(test)]
mod tests;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::bench::role::Role;

/// Finds, reads and watches printers of every maker.
#[derive(Parser, Debug)]
#[command(name = "platen", version, max_term_width = 100, arg_required_else_help = true)]
#[command(after_help = "Look around first:  platen demo\nRead one printer:   platen read 10.4.0.21")]
pub struct Cli {
    /// Machine output on stdout; everything else goes to stderr
    #[arg(long, global = true)]
    pub json: bool,
    /// More on stderr: -v what happens, -vv every step (RUST_LOG overrides)
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// Roles stand alone; the rest is a noun and a verb.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Read one device: what it is, how it is, what it has done
    Read(ReadArgs),
    /// Walk one device into a file that can be sent in: its owner's traces are replaced
    Record(RecordArgs),
    /// Find devices in address ranges; prints one line of JSON a device
    Discover(DiscoverArgs),
    /// Start virtual devices on loopback addresses
    Vmfp(VmfpArgs),
    /// Start the server
    Serve(ServeArgs),
    /// Start an agent in a network of printers
    Agent(AgentArgs),
    /// Start server, agent and virtual devices at once
    Demo(DemoArgs),
    /// First accounts and tokens without a browser
    #[command(subcommand)]
    Admin(AdminCommand),
    /// Check what a server needs, with advice
    Doctor(DoctorArgs),
    /// Measure, with a peer in the same run
    Bench(BenchArgs),
    /// What `bench` runs in processes of their own
    #[command(name = "bench-run", hide = true, subcommand)]
    BenchRun(Role),
    /// Work on device profiles
    #[command(subcommand)]
    Profile(ProfileCommand),
    /// Show or check the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print a completion script for a shell
    #[command(after_help = "Example:  platen completion bash > /etc/bash_completion.d/platen")]
    Completion {
        /// bash, zsh, fish, elvish or powershell
        shell: clap_complete::Shell,
    },
    /// Write man pages
    #[command(after_help = "Example:  platen man --out /usr/local/share/man/man1")]
    Man {
        /// Folder to write into
        #[arg(long, default_value = ".")]
        out: PathBuf,
    },
}

/// How to speak SNMP.
#[derive(Args, Debug, Clone)]
pub struct SnmpArgs {
    /// UDP port of the device's SNMP agent
    #[arg(long, default_value_t = 161)]
    pub port: u16,
    /// Community for v2c and v1; repeat to try several in this order
    #[arg(long = "community", value_name = "NAME", default_value = "public")]
    pub communities: Vec<String>,
    /// SNMPv3 user name; asks by v3
    #[arg(long)]
    pub user: Option<String>,
    /// SNMPv3 authentication
    #[arg(long, value_name = "ALGORITHM", requires = "user")]
    pub auth: Option<AuthAlgorithm>,
    /// SNMPv3 authentication pass phrase
    #[arg(long, env = "PLATEN_SNMP_AUTH_PASS", hide_env_values = true)]
    pub auth_pass: Option<String>,
    /// SNMPv3 privacy
    #[arg(long = "priv", value_name = "ALGORITHM", requires = "auth")]
    pub privacy: Option<PrivAlgorithm>,
    /// SNMPv3 privacy pass phrase
    #[arg(long = "priv-pass", env = "PLATEN_SNMP_PRIV_PASS", hide_env_values = true)]
    pub privacy_pass: Option<String>,
}

/// Authentication algorithms of RFC 3414 and RFC 7860.
#[derive(ValueEnum, Clone, Copy, Debug)]
pub enum AuthAlgorithm {
    Md5,
    Sha1,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
}

/// Privacy algorithms of RFC 3414, RFC 3826 and the AES-192/256 extensions.
#[derive(ValueEnum, Clone, Copy, Debug)]
pub enum PrivAlgorithm {
    Des,
    Aes128,
    Aes192,
    Aes256,
}

/// `platen read`
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  platen read 10.4.0.21\n  platen read 10.4.0.21 --community office --json\n  \
    platen read 10.4.0.21 --user ops --auth sha256 --priv aes128   (pass phrases by PLATEN_SNMP_AUTH_PASS, PLATEN_SNMP_PRIV_PASS)\n  \
    platen read --walk device.snmprec --profile acme.toml")]
pub struct ReadArgs {
    /// Host name or address
    #[arg(required_unless_present = "walk")]
    pub address: Option<String>,
    /// SNMP options
    #[command(flatten)]
    pub snmp: SnmpArgs,
    /// Ask by v1 only
    #[arg(long, group = "version")]
    pub v1: bool,
    /// Ask by v2c only
    #[arg(long, group = "version")]
    pub v2c: bool,
    /// Ask by v3 only (needs --user)
    #[arg(long, group = "version", requires = "user")]
    pub v3: bool,
    /// SNMP context to read instead of the default one
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
    /// Seconds that the device as a whole may take
    #[arg(long, default_value_t = 5.0, value_name = "SECONDS")]
    pub timeout: f64,
    /// Read a recording instead of a device
    #[arg(long, value_name = "FILE", conflicts_with = "address")]
    pub walk: Option<PathBuf>,
    /// Try a vendor profile, in place of the built-in one of that vendor
    #[arg(long, value_name = "FILE")]
    pub profile: Option<PathBuf>,
}

/// `platen record`
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  platen record 10.4.0.21\n  platen record 10.4.0.21 --community office --output device.snmprec\n\n\
    Names, places, people, hardware and network addresses are replaced by stand-ins of the same shape; read the file before\n\
    you send it. `platen read --walk FILE` reads it."
)]
pub struct RecordArgs {
    /// Host name or address
    pub address: String,
    /// SNMP options
    #[command(flatten)]
    pub snmp: SnmpArgs,
    /// Ask by v1 only
    #[arg(long, group = "record-version")]
    pub v1: bool,
    /// Ask by v2c only
    #[arg(long, group = "record-version")]
    pub v2c: bool,
    /// Ask by v3 only (needs --user)
    #[arg(long, group = "record-version", requires = "user")]
    pub v3: bool,
    /// SNMP context to walk instead of the default one
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
    /// Seconds that the device as a whole may take
    #[arg(long, default_value_t = 300.0, value_name = "SECONDS")]
    pub timeout: f64,
    /// Where to write; without it MODEL.snmprec in this folder
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Write over a file that exists
    #[arg(long)]
    pub force: bool,
    /// Leave serial numbers as they are
    #[arg(long)]
    pub keep_serial: bool,
    /// Chooses the stand-ins; the same number makes the same ones
    #[arg(long, value_name = "NUMBER")]
    pub seed: Option<u64>,
}

/// `platen discover`
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  platen discover 10.4.0.0/20 --exclude 10.4.3.0/24\n  platen discover 10.4.0.1-10.4.0.99 --rate 150 --community office --community public\n  ip neigh | platen discover --import - --dry-run\n  platen discover --import dhcpd.leases\n  platen discover --dns-sd"
)]
pub struct DiscoverArgs {
    /// Addresses: 10.4.0.21, 10.4.0.0/20, 10.4.0.1-10.4.0.99 or 2001:db8::7
    #[arg(required_unless_present_any = ["import", "dns_sd"], value_name = "RANGE")]
    pub ranges: Vec<String>,
    /// Ask the places of a list as well: CSV, neighbour table, DHCP leases (`-`: standard input)
    #[arg(long, value_name = "FILE")]
    pub import: Option<PathBuf>,
    /// How the list is written: csv, neighbours, isc, kea, dnsmasq or windows; told by its look if not given
    #[arg(long, value_name = "FORMAT", requires = "import")]
    pub format: Option<String>,
    /// Show what the list would ask, and ask nobody
    #[arg(long)]
    pub dry_run: bool,
    /// Never ask these: addresses, networks, spans, MAC addresses of a list (repeatable)
    #[arg(long, value_name = "PLACE")]
    pub exclude: Vec<String>,
    /// Ask the local links, or this reflector, who prints; what answers is asked by SNMP
    #[arg(long, value_name = "WHERE", num_args = 0..=1, default_missing_value = "local")]
    pub dns_sd: Vec<String>,
    /// SNMP options
    #[command(flatten)]
    pub snmp: SnmpArgs,
    /// Packets a second, over all ranges
    #[arg(long, default_value_t = 1_000, value_name = "PPS", value_parser = clap::value_parser!(u32).range(1..))]
    pub rate: u32,
    /// Packets a second to each subnet; 0: no budget of its own
    #[arg(long, default_value_t = 500, value_name = "PPS")]
    pub subnet_rate: u32,
    /// Prefix of the subnets
    #[arg(long, default_value_t = 24, value_name = "BITS", value_parser = clap::value_parser!(u8).range(0..=32))]
    pub subnet_prefix: u8,
    /// Further tries for an address that keeps silent
    #[arg(long, default_value_t = 2)]
    pub retries: u8,
    /// Seconds to wait for an answer
    #[arg(long, default_value_t = 2.0, value_name = "SECONDS")]
    pub timeout: f64,
}

/// `platen vmfp`
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  platen vmfp --fleet 25 --snmp-port 16161\n  platen vmfp --walk printer.snmprec --snmp-port 16161\n  platen vmfp --profile list\n  \
    platen vmfp --v3-user ops:sha256:auth-secret:aes128:priv-secret --trap-to 127.0.0.1:16162\n  \
    platen vmfp --fleet 25 --report-to https://127.0.0.1:8443 --ca data/tls/ca.pem --claims claims.csv"
)]
pub struct VmfpArgs {
    /// Number of devices, at successive addresses from --base
    #[arg(long, value_name = "N", group = "what")]
    pub fleet: Option<u32>,
    /// Recorded walks to serve, one device a file
    #[arg(long, value_name = "FILE.snmprec", num_args = 1.., group = "what")]
    pub walk: Vec<PathBuf>,
    /// One device of this profile (`list` names them)
    #[arg(long, value_name = "NAME", group = "what")]
    pub profile: Option<String>,
    /// First address
    #[arg(long, default_value = "127.20.0.1")]
    pub base: Ipv4Addr,
    /// UDP port for SNMP (0 = off)
    #[arg(long, default_value_t = 16_161)]
    pub snmp_port: u16,
    /// TCP port for IPP (0 = off)
    #[arg(long, default_value_t = 0)]
    pub ipp_port: u16,
    /// TCP port for the device's own page (0 = off)
    #[arg(long, default_value_t = 0)]
    pub http_port: u16,
    /// Same seed, same fleet, same life
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Simulated seconds a second
    #[arg(long, default_value_t = 1.0, value_name = "X")]
    pub speed: f64,
    /// SNMPv3 user that every device knows; repeat for several
    #[arg(long = "v3-user", value_name = "NAME:AUTH:PASS:PRIV:PASS")]
    pub v3_users: Vec<vmfp::V3User>,
    /// The devices answer SNMPv3 only (needs --v3-user)
    #[arg(long, requires = "v3_users")]
    pub v3_only: bool,
    /// Who gets the devices' traps
    #[arg(long, value_name = "ADDR:PORT")]
    pub trap_to: Option<SocketAddr>,
    /// How traps are written: v1, v2c, inform or v3:USER
    #[arg(long, value_name = "FORM", default_value = "v2c", requires = "trap_to")]
    pub trap_form: vmfp::TrapForm,
    /// Gateway that the devices of --claims report to by themselves; those of --activate are set to it and never call it
    #[arg(long, value_name = "URL", requires = "ca")]
    pub report_to: Option<String>,
    /// CA that the gateway's certificate must come from; no other is trusted
    #[arg(long, value_name = "FILE", requires = "report_to")]
    pub ca: Option<PathBuf>,
    /// Devices that report, each with the claim code of its registration: lines of SERIAL,CLAIM or SERIAL,CLAIM,ROAD
    #[arg(long, value_name = "FILE", requires = "report_to")]
    pub claims: Option<PathBuf>,
    /// Activation document of a device that reaches nothing but mail, or a folder of them; repeat for several
    #[arg(long, value_name = "FILE", requires = "report_to")]
    pub activate: Vec<PathBuf>,
    /// Road of those whose line names none: https, https-both-ways (the server also calls them), mail, mail-both-ways
    #[arg(long, value_name = "ROAD", default_value = "https", requires = "report_to", value_parser = road)]
    pub road: wire::hello::Road,
    /// Folder in which they keep what is not sent (default: memory)
    #[arg(long, value_name = "DIR", requires = "report_to")]
    pub keep: Option<PathBuf>,
    /// HTTP proxy that they call through, an agent's relay for example, as http://10.4.0.5:3128
    #[arg(long, value_name = "URL", requires = "report_to")]
    pub proxy: Option<String>,
    /// Written when all ports listen
    #[arg(long, value_name = "PATH")]
    pub ready_file: Option<PathBuf>,
}

/// `platen serve`
#[derive(Args, Debug, Default)]
#[command(
    after_help = "Examples:\n  platen serve --data /var/lib/platen\n  platen serve --data d --database postgres://platen@db/platen --listen 127.0.0.1:8080"
)]
pub struct ServeArgs {
    /// Folder of keys, certificates, the embedded database and files
    #[arg(long, value_name = "DIR", env = "PLATEN_DATA")]
    pub data: Option<PathBuf>,
    /// Configuration file (default: platen.toml in the data folder, if it exists)
    #[arg(long, value_name = "FILE", env = "PLATEN_CONFIG")]
    pub config: Option<PathBuf>,
    /// Web door for people and programs (default 127.0.0.1:8080)
    #[arg(long, value_name = "ADDR:PORT", env = "PLATEN_LISTEN")]
    pub listen: Option<SocketAddr>,
    /// Door for devices and agents (default: the web door's address, port + 363; 8443 beside 8080)
    #[arg(long, value_name = "ADDR:PORT", env = "PLATEN_GATEWAY_LISTEN")]
    pub gateway_listen: Option<SocketAddr>,
    /// Metrics and health on a listener of their own
    #[arg(long, value_name = "ADDR:PORT", env = "PLATEN_ADMIN_LISTEN")]
    pub admin_listen: Option<SocketAddr>,
    /// Right side of the mail addresses of devices (default localhost)
    #[arg(long, value_name = "DOMAIN", env = "PLATEN_MAIL_DOMAIN")]
    pub mail_domain: Option<String>,
    /// Mail of devices by SMTP with STARTTLS (default: shut)
    #[arg(long, value_name = "ADDR:PORT", env = "PLATEN_SMTP_LISTEN")]
    pub smtp_listen: Option<SocketAddr>,
    /// Mail of devices by SMTP inside TLS (default: shut)
    #[arg(long, value_name = "ADDR:PORT", env = "PLATEN_SMTPS_LISTEN")]
    pub smtps_listen: Option<SocketAddr>,
    /// Orders for devices by POP3 with STLS (default: shut)
    #[arg(long, value_name = "ADDR:PORT", env = "PLATEN_POP3_LISTEN")]
    pub pop3_listen: Option<SocketAddr>,
    /// Orders for devices by POP3 inside TLS (default: shut)
    #[arg(long, value_name = "ADDR:PORT", env = "PLATEN_POP3S_LISTEN")]
    pub pop3s_listen: Option<SocketAddr>,
    /// sqlite:PATH or postgres://…
    #[arg(long, value_name = "URL", env = "PLATEN_DATABASE", hide_env_values = true)]
    pub database: Option<String>,
    /// dir:PATH
    #[arg(long, value_name = "URL", env = "PLATEN_BLOBS")]
    pub blobs: Option<String>,
    /// Written when every door listens
    #[arg(long, value_name = "PATH")]
    pub ready_file: Option<PathBuf>,
}

/// `platen agent`
#[derive(Args, Debug)]
#[command(
    after_help = "Example:\n  platen agent --server https://print.example.com --enrol LQ7K… --data /var/lib/platen-agent\n  \
    platen agent --data /var/lib/platen-agent          (every later start)\n  \
    platen agent --data /var/lib/platen-agent --proxy http://proxy:3128 --relay-listen 10.4.0.5:3128"
)]
pub struct AgentArgs {
    /// Instead of running it
    #[command(subcommand)]
    pub action: Option<AgentAction>,
    /// The server, only needed with --enrol
    #[arg(long, value_name = "URL", env = "PLATEN_SERVER")]
    pub server: Option<String>,
    /// One-time token from the page “Agents”
    #[arg(
        long,
        value_name = "TOKEN",
        requires = "server",
        allow_hyphen_values = true,
        env = "PLATEN_ENROL",
        hide_env_values = true
    )]
    pub enrol: Option<String>,
    /// Folder of the agent's key and outbox
    #[arg(long, value_name = "DIR", default_value = "platen-agent", env = "PLATEN_AGENT_DATA", global = true)]
    pub data: PathBuf,
    /// Name shown to people (default: this machine's host name)
    #[arg(long)]
    pub name: Option<String>,
    /// Take traps and informs of devices at this address and UDP port, as 0.0.0.0:162 (default: nowhere)
    #[arg(long, value_name = "ADDR:PORT", env = "PLATEN_AGENT_TRAP_LISTEN")]
    pub trap_listen: Option<SocketAddr>,
    /// HTTP proxy on the way to the server, as http://proxy:3128
    #[arg(long, value_name = "URL", env = "PLATEN_AGENT_PROXY")]
    pub proxy: Option<String>,
    /// File whose first line is NAME:PASSWORD for the proxy
    #[arg(long, value_name = "PATH", requires = "proxy", env = "PLATEN_AGENT_PROXY_ACCOUNT_FILE")]
    pub proxy_account_file: Option<PathBuf>,
    /// Let devices that report by themselves reach the server through this agent: they name this address and TCP port as
    /// their HTTP proxy, as 10.4.0.5:3128 (default: nowhere)
    #[arg(long, value_name = "ADDR:PORT", env = "PLATEN_AGENT_RELAY_LISTEN")]
    pub relay_listen: Option<SocketAddr>,
    /// Written when the agent is enrolled and at work
    #[arg(long, value_name = "PATH")]
    pub ready_file: Option<PathBuf>,
}

/// `platen agent export | restore`
#[derive(Subcommand, Debug)]
pub enum AgentAction {
    /// Write the agent's name, key, settings, devices and outbox to one file under a passphrase
    #[command(after_help = "Example:  platen agent export agent.sealed --passphrase-file secret.txt")]
    Export(CarryArgs),
    /// Take an export over on this machine; stop the agent on the old one for good
    #[command(after_help = "Example:  platen agent restore agent.sealed --data platen-agent")]
    Restore(CarryArgs),
}

/// What an export needs.
#[derive(Args, Debug)]
pub struct CarryArgs {
    /// The file
    pub file: PathBuf,
    /// File whose first line is the passphrase (-: standard input)
    #[arg(long, value_name = "PATH", default_value = "-")]
    pub passphrase_file: PathBuf,
}

/// `platen demo`
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  platen demo\n  platen demo --devices 1000 --port 0 --data demo-data")]
pub struct DemoArgs {
    /// Number of virtual devices
    #[arg(long, default_value_t = 25, value_parser = clap::value_parser!(u32).range(1..=65_000))]
    pub devices: u32,
    /// Port of the page (0 = any)
    #[arg(long, default_value_t = 8080)]
    pub port: u16,
    /// Folder to keep (default: a temporary one that goes with the demo)
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Simulated seconds a second of the virtual devices
    #[arg(long, default_value_t = 120.0, value_name = "X")]
    pub speed: f64,
    /// Written when every door listens and the account exists
    #[arg(long, value_name = "PATH")]
    pub ready_file: Option<PathBuf>,
}

/// `platen admin`
#[derive(Subcommand, Debug)]
pub enum AdminCommand {
    /// Make an account
    #[command(
        after_help = "Example:  echo -n 'a long pass phrase' | platen admin create-user --data d --email me@example.com --role admin --password-stdin"
    )]
    CreateUser {
        /// Server's data folder
        #[arg(long, value_name = "DIR", env = "PLATEN_DATA")]
        data: PathBuf,
        /// sqlite:PATH or postgres://… (default: as `serve`)
        #[arg(long, value_name = "URL", env = "PLATEN_DATABASE", hide_env_values = true)]
        database: Option<String>,
        /// Address to sign in with
        #[arg(long)]
        email: String,
        /// Name shown to people (default: the part before @)
        #[arg(long)]
        name: Option<String>,
        /// What the account may do
        #[arg(long, default_value = "user")]
        role: RoleArg,
        /// Read the password from standard input
        #[arg(long, required = true)]
        password_stdin: bool,
    },
    /// Give the gateway its next key for orders and sealed mail; devices learn it by order, the old one ends in 14 days
    #[command(after_help = "Example:  platen admin roll-keys --data d --email me@example.com")]
    RollKeys {
        /// Server's data folder
        #[arg(long, value_name = "DIR", env = "PLATEN_DATA")]
        data: PathBuf,
        /// sqlite:PATH or postgres://… (default: as `serve`)
        #[arg(long, value_name = "URL", env = "PLATEN_DATABASE", hide_env_values = true)]
        database: Option<String>,
        /// Administrator in whose name it is done
        #[arg(long)]
        email: String,
    },
    /// Make an API token and print it, once
    #[command(after_help = "Example:  platen admin token --data d --email me@example.com --scope read")]
    Token {
        /// Server's data folder
        #[arg(long, value_name = "DIR", env = "PLATEN_DATA")]
        data: PathBuf,
        /// sqlite:PATH or postgres://… (default: as `serve`)
        #[arg(long, value_name = "URL", env = "PLATEN_DATABASE", hide_env_values = true)]
        database: Option<String>,
        /// Whose rights the token has
        #[arg(long)]
        email: String,
        /// read, write or admin; repeat for several
        #[arg(long = "scope", default_value = "read")]
        scopes: Vec<String>,
        /// Name shown in the list of tokens
        #[arg(long, default_value = "command line")]
        name: String,
    },
}

/// Roles of the first version.
#[derive(ValueEnum, Clone, Copy, Debug)]
pub enum RoleArg {
    /// Everything in the organisation, people included
    Admin,
    /// The fleet, agents and alerts
    Manager,
    /// Looks at the fleet
    User,
}

/// `platen doctor`
#[derive(Args, Debug)]
#[command(after_help = "Example:  platen doctor --data /var/lib/platen")]
pub struct DoctorArgs {
    /// Server's data folder
    #[arg(long, value_name = "DIR", env = "PLATEN_DATA", default_value = "platen-data")]
    pub data: PathBuf,
    /// sqlite:PATH or postgres://… (default: as `serve`)
    #[arg(long, value_name = "URL", env = "PLATEN_DATABASE", hide_env_values = true)]
    pub database: Option<String>,
}

/// `platen bench`
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  platen bench list\n  platen bench snmp-poll --quick\n  platen bench snmp-discover --json"
)]
pub struct BenchArgs {
    /// Name of the benchmark, or `list`
    pub name: String,
    /// End within 60 seconds; less certain figures
    #[arg(long)]
    pub quick: bool,
    /// Share of the full size, for tests of the benchmarks
    #[arg(long, default_value_t = 1.0, hide = true)]
    pub scale: f64,
}

/// `platen profile`
#[derive(Subcommand, Debug)]
pub enum ProfileCommand {
    /// Check a vendor profile and say what is wrong, by line
    #[command(after_help = "Example:  platen profile check profiles/ricoh.toml")]
    Check {
        /// The profile
        file: PathBuf,
    },
    /// Names of the built-in profiles
    List,
}

/// `platen config`
#[derive(Subcommand, Debug)]
pub enum ConfigCommand {
    /// Check a configuration file
    Check {
        /// The file
        file: PathBuf,
    },
    /// Print every key with its value and meaning
    Show {
        /// The file; built-in values without it
        file: Option<PathBuf>,
    },
}

/// A road by its name.
fn road(text: &str) -> Result<wire::hello::Road, String> {
    let names = || vmfp::ROADS.map(|(name, _)| name).join(", ");
    vmfp::road_of(text).ok_or_else(|| format!("`{text}` is no road; there are {}", names()))
}
