//! The mail programs of others, each with a configuration, a folder and a port of its own: postfix that queues durably and then
//! discards, smtp-sink that stores nothing, dovecot over Maildirs.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};

use super::super::peer;
use super::super::process::{Core, line, spent};
use super::super::role::children;
use super::super::scene::Scene;
use super::super::serving::Server;

/// Longest start of a rival.
const START: Duration = Duration::from_secs(20);

/// A program that listens; ends with this value.
pub(super) struct Rival {
    pub(super) name: &'static str,
    pub(super) address: SocketAddr,
    /// The process whose children do the work.
    head: u32,
    /// Ends it in an orderly way, so that no child is left.
    stop: Option<Command>,
    _server: Server,
}

impl Rival {
    /// Processor time and most memory of all its processes, those that ended counted.
    pub(super) fn spent(&self) -> (f64, f64) {
        let own = spent(self.head).unwrap_or_default();
        let sum =
            children(self.head).into_iter().filter_map(spent).fold(own, |sum, one| (sum.0 + one.0, sum.1 + one.1));
        (sum.0 + of_ended(self.head).unwrap_or(0.0), sum.1)
    }
}

impl Drop for Rival {
    fn drop(&mut self) {
        if let Some(stop) = &mut self.stop {
            drop(stop.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status());
        }
    }
}

/// Processor seconds of children that ended.
fn of_ended(pid: u32) -> Option<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = fields.get(13)?.parse::<f64>().ok()? + fields.get(14)?.parse::<f64>().ok()?;
    Some(ticks / 100.0)
}

fn free() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

/// Waits until it listens.
fn listening(name: &str, address: SocketAddr) -> Result<()> {
    let began = Instant::now();
    while TcpStream::connect(address).is_err() {
        ensure!(began.elapsed() < START, "{name} not measured: it does not listen");
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

fn found(name: &str, package: &str) -> Result<std::ffi::OsString> {
    let beside = Path::new("/usr/sbin").join(name);
    let beside = beside.is_file().then(|| beside.into_os_string());
    match beside {
        Some(path) => Ok(path),
        None => peer::installed(name, package).map_err(|missing| anyhow!(missing)),
    }
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

fn as_root(name: &str) -> Result<()> {
    if !is_root() {
        bail!("{name} not measured: it starts as root alone");
    }
    Ok(())
}

/// postfix with nothing but its receiving door, its queue, and a transport that discards.
pub(super) fn postfix(scene: &Scene) -> Result<Rival> {
    let postfix = found("postfix", "apt install postfix")?;
    as_root("postfix")?;
    let (folder, address) = (scene.path("postfix"), free()?);
    let (queue, data) = (folder.join("queue"), folder.join("data"));
    std::fs::create_dir_all(&queue)?;
    std::fs::create_dir_all(&data)?;
    let owned = Command::new("chown").arg("postfix").arg(&data).status()?;
    ensure!(owned.success(), "postfix not measured: there is no user of that name");
    let main = POSTFIX_MAIN.replace("FOLDER", &folder.display().to_string());
    std::fs::write(folder.join("main.cf"), main)?;
    std::fs::write(folder.join("master.cf"), POSTFIX_MASTER.replace("ADDRESS", &address.to_string()))?;
    let mut words = vec![postfix.clone()];
    words.extend(line(["-c".as_ref(), folder.as_os_str(), "start-fg".as_ref()]));
    let server = Server::start(scene, Core::Any, &words)?;
    let mut stop = Command::new(postfix);
    stop.arg("-c").arg(&folder).arg("stop");
    let mut rival = Rival { name: "postfix", address, head: server.pid(), stop: Some(stop), _server: server };
    listening("postfix", address)?;
    let pid = std::fs::read_to_string(queue.join("pid/master.pid")).context("postfix left no process id")?;
    rival.head = pid.trim().parse().context("postfix left no process id")?;
    Ok(rival)
}

const POSTFIX_MAIN: &str = "\
compatibility_level = 3.6
queue_directory = FOLDER/queue
data_directory = FOLDER/data
mail_owner = postfix
setgid_group = postdrop
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = bench.example
mydestination =
local_recipient_maps =
alias_maps =
alias_database =
mynetworks = 127.0.0.0/8
default_transport = discard:
relay_transport = discard:
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_recipient_restrictions = permit_mynetworks, reject
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
smtpd_peername_lookup = no
disable_dns_lookups = yes
default_process_limit = 100
maillog_file = FOLDER/queue/maillog
maillog_file_prefixes = FOLDER
";

const POSTFIX_MASTER: &str = "\
ADDRESS inet n - n - 100 smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
";

/// smtp-sink, which comes with postfix.
pub(super) fn smtp_sink(scene: &Scene) -> Result<Rival> {
    let sink = found("smtp-sink", "apt install postfix")?;
    let address = free()?;
    let mut words = vec![sink];
    if is_root() {
        words.extend(line(["-u", "nobody"]));
    }
    words.extend(line([&address.to_string(), "1000"]));
    let server = Server::start(scene, Core::Any, &words)?;
    let rival = Rival { name: "smtp-sink", address, head: server.pid(), stop: None, _server: server };
    listening("smtp-sink", address)?;
    Ok(rival)
}

/// dovecot with one Maildir a name.
pub(super) struct Dovecot {
    pub(super) rival: Rival,
    /// Names and passwords.
    pub(super) mailboxes: PathBuf,
    mail: PathBuf,
    count: u32,
}

impl Dovecot {
    pub(super) fn start(scene: &Scene, count: u32) -> Result<Self> {
        let (dovecot, doveadm) =
            (found("dovecot", "apt install dovecot-pop3d")?, peer::installed("doveadm", "apt install dovecot-pop3d"));
        let doveadm = doveadm.map_err(|missing| anyhow!(missing))?;
        as_root("dovecot")?;
        let (folder, address) = (scene.path("dovecot"), free()?);
        let (mail, mailboxes, config) = (folder.join("mail"), folder.join("mailboxes"), folder.join("dovecot.conf"));
        std::fs::create_dir_all(&mail)?;
        let names = 0..count;
        let list: String = names.clone().map(|number| format!("u{number} secret-{number}\n")).collect();
        std::fs::write(&mailboxes, list)?;
        let users: String = names.map(|number| format!("u{number}:{{PLAIN}}secret-{number}::::::\n")).collect();
        std::fs::write(folder.join("users"), users)?;
        let text = DOVECOT.replace("FOLDER", &folder.display().to_string());
        std::fs::write(&config, text.replace("PORT", &address.port().to_string()))?;
        let mut words = vec![dovecot];
        words.extend(line(["-F".as_ref(), "-c".as_ref(), config.as_os_str()]));
        let server = Server::start(scene, Core::Any, &words)?;
        let mut stop = Command::new(doveadm);
        stop.arg("-c").arg(&config).arg("stop");
        let rival = Rival { name: "dovecot", address, head: server.pid(), stop: Some(stop), _server: server };
        listening("dovecot", address)?;
        Ok(Self { rival, mailboxes, mail, count })
    }

    /// Puts one message into every mailbox.
    pub(super) fn fill(&self, letter: &[u8]) -> Result<()> {
        for number in 0..self.count {
            let folder = self.mail.join(format!("u{number}"));
            for part in ["new", "cur", "tmp"] {
                std::fs::create_dir_all(folder.join(part))?;
            }
            std::fs::write(folder.join(format!("new/1.{}.bench", uuid::Uuid::now_v7().simple())), letter)?;
        }
        let owned = Command::new("chown").args(["-R", "nobody:nogroup"]).arg(&self.mail).status()?;
        ensure!(owned.success(), "the mailboxes cannot be given to nobody");
        Ok(())
    }
}

const DOVECOT: &str = "\
base_dir = FOLDER/run
state_dir = FOLDER/state
log_path = FOLDER/log
protocols = pop3
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
first_valid_uid = 1
auth_mechanisms = plain
auth_cache_size = 64M
mail_location = maildir:FOLDER/mail/%u
pop3_uidl_format = %f
passdb {
  driver = passwd-file
  args = FOLDER/users
}
userdb {
  driver = static
  args = uid=nobody gid=nogroup home=FOLDER/mail/%u
}
service pop3-login {
  inet_listener pop3 {
    port = PORT
  }
  inet_listener pop3s {
    port = 0
  }
  service_count = 0
  process_min_avail = 2
  client_limit = 1000
}
service pop3 {
  service_count = 1000
  process_limit = 256
  process_min_avail = 8
}
";
