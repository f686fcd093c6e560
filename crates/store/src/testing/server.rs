//! A throw-away PostgreSQL for one test process: on a socket in a folder of its own, no port, no fsync.
//! A watching shell ends it and removes the folder when the pipe from this process closes, however this process ends.

use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio_postgres::NoTls;

const PATIENCE: Duration = Duration::from_secs(120);
/// `$1` the folder, then the command of the server.
const WATCH: &str = r#"trap '' INT TERM HUP
folder=$1; shift
begin() { "$@" </dev/null >>"$folder/log" 2>&1 & server=$!; }
begin "$@"
while read -r word; do
  case $word in
    kill) kill -QUIT "$server"; wait "$server"; echo killed ;;
    start) begin "$@"; echo started ;;
  esac
done
kill -QUIT "$server"
wait "$server"
rm -rf "${folder:?}""#;

static SERVER: OnceLock<Option<Server>> = OnceLock::new();

/// A running server; its standard input is the pipe that the watching shell reads.
struct Server {
    address: String,
    watch: Child,
}

/// A server of a test's own, which keeps what it acknowledged, and which the test may kill and start again.
pub struct MortalPostgres(Arc<Mutex<Server>>);

impl MortalPostgres {
    /// Starts one; prints why when there is none.
    ///
    /// # Panics
    /// When there are programs that do not work.
    pub async fn start() -> Option<Self> {
        let started = tokio::task::spawn_blocking(|| start(Promise::Durable)).await;
        let Some(server) = started.unwrap_or_else(|error| panic!("{error}")) else {
            eprintln!("skipped: postgres not found (apt install postgresql)");
            return None;
        };
        answers(&server.address).await;
        Some(Self(Arc::new(Mutex::new(server))))
    }

    /// Address, with the database `postgres`.
    pub(super) fn address(&self) -> String {
        self.0.lock().address.clone()
    }

    /// Ends every process of it at once, whatever they are doing, as a power cut of that machine would.
    ///
    /// # Panics
    /// When nobody watches it any more.
    pub async fn kill(&self) {
        self.tell("kill").await;
    }

    /// Starts it again on what is there, and waits until it answers.
    ///
    /// # Panics
    /// When it does not.
    pub async fn revive(&self) {
        self.tell("start").await;
        answers(&self.address()).await;
    }

    async fn tell(&self, word: &'static str) {
        let server = Arc::clone(&self.0);
        let told = tokio::task::spawn_blocking(move || {
            let watch = &mut server.lock().watch;
            let gone = || io::Error::other("nobody watches the server");
            writeln!(watch.stdin.as_mut().ok_or_else(gone)?, "{word}")?;
            // One word comes back for each.
            let mut answer = [0; 16];
            match watch.stdout.as_mut().ok_or_else(gone)?.read(&mut answer)? {
                0 => Err(gone()),
                _ => Ok(()),
            }
        });
        told.await.unwrap_or_else(|error| panic!("{error}")).unwrap_or_else(|error| panic!("{word}: {error}"));
    }
}

/// What a server is started for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Promise {
    /// Fast: the last commits may go with it.
    None,
    /// What it acknowledged outlives its processes.
    Durable,
}

/// Address of the server for tests, with the database `postgres`.
pub(super) async fn address() -> Option<String> {
    if let Ok(given) = std::env::var("PLATEN_TEST_PG") {
        return Some(given).filter(|given| !given.is_empty());
    }
    let started =
        tokio::task::spawn_blocking(|| SERVER.get_or_init(shared).as_ref().map(|server| server.address.clone()));
    let address = started.await.unwrap_or_else(|error| panic!("{error}"))?;
    answers(&address).await;
    Some(address)
}

async fn answers(address: &str) {
    let deadline = Instant::now() + PATIENCE;
    while let Err(error) = run(address, "select 1").await {
        assert!(Instant::now() < deadline, "the throw-away postgres does not answer: {error}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The address of another database on the same server.
pub(super) fn database_url(server: &str, name: &str) -> String {
    let (address, options) = server.split_once('?').map_or((server, None), |(a, o)| (a, Some(o)));
    let (scheme, rest) = address.split_once("://").unwrap_or(("postgres", address));
    let place = rest.split('/').next().unwrap_or(rest);
    let options = options.map(|options| format!("?{options}")).unwrap_or_default();
    format!("{scheme}://{place}/{name}{options}")
}

/// Runs text on the server, outside any transaction.
pub(super) async fn run(address: &str, text: &str) -> Result<(), tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(address, NoTls).await?;
    let work = async {
        let outcome = client.batch_execute(text).await;
        drop(client);
        outcome
    };
    tokio::join!(work, connection).0
}

fn shared() -> Option<Server> {
    start(Promise::None)
}

fn start(promise: Promise) -> Option<Server> {
    let programs = programs()?;
    match start_from(&programs, promise) {
        Ok(server) => Some(server),
        Err(error) => panic!("cannot start the postgres of {}: {error}", programs.display()),
    }
}

fn start_from(programs: &Path, promise: Promise) -> io::Result<Server> {
    let owner = Owner::find()?;
    let name = match promise {
        Promise::None => format!("platen-pg-{}", std::process::id()),
        // The path of a socket is short.
        Promise::Durable => format!("platen-pg-{}", &uuid::Uuid::now_v7().simple().to_string()[20..]),
    };
    let folder = std::env::temp_dir().join(name);
    std::fs::create_dir(&folder)?;
    owner.take(&folder)?;
    let data = folder.join("data");
    let template = template(programs, &owner)?;
    succeed(Command::new("cp").arg("-a").arg(&template).arg(&data))?;
    let mut watch = Command::new("sh");
    watch.args(["-c", WATCH, "platen-test-postgres"]).arg(&folder).args(owner.prefix());
    watch.arg(programs.join("postgres")).arg("-D").arg(&data).arg("-k").arg(&folder);
    let settings = [
        "listen_addresses=",
        "fsync=off",
        match promise {
            Promise::None => "synchronous_commit=off",
            Promise::Durable => "synchronous_commit=on",
        },
        "full_page_writes=off",
        "max_connections=300",
        "shared_buffers=32MB",
        "autovacuum=off",
        "max_wal_senders=0",
        "wal_level=minimal",
    ];
    watch.args(settings.iter().flat_map(|setting| ["-c", setting]));
    // A group of its own, so that what ends the test does not end the watch before it has done its work.
    let watch = watch.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).process_group(0).spawn()?;
    let host = folder.to_string_lossy().replace('%', "%25").replace('/', "%2F");
    Ok(Server { address: format!("postgres://postgres@{host}/postgres"), watch })
}

/// A cluster made once for each version and copied from then on: `initdb` takes longer than all else.
fn template(programs: &Path, owner: &Owner) -> io::Result<PathBuf> {
    let version = output(Command::new(programs.join("postgres")).arg("--version"))?;
    let version: String = version.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let kept = cache().join(format!("{version}-{}", owner.id));
    if kept.join("PG_VERSION").exists() {
        return Ok(kept);
    }
    let scratch = std::env::temp_dir().join(format!("platen-initdb-{}", std::process::id()));
    std::fs::create_dir(&scratch)?;
    owner.take(&scratch)?;
    let made = scratch.join("data");
    let mut initdb = owner.command(&programs.join("initdb"));
    initdb.args(["-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C", "--no-sync", "--wal-segsize=1", "-D"]);
    succeed(initdb.arg(&made))?;
    std::fs::create_dir_all(cache())?;
    let beside = kept.with_extension(std::process::id().to_string());
    succeed(Command::new("cp").arg("-a").arg(&made).arg(&beside))?;
    // Another process may have been faster: then its copy serves.
    let moved = std::fs::rename(&beside, &kept);
    std::fs::remove_dir_all(&scratch)?;
    if moved.is_err() {
        std::fs::remove_dir_all(&beside)?;
    }
    Ok(kept)
}

/// `target/tmp` of the test program, or a folder for temporary files.
fn cache() -> PathBuf {
    let program = std::env::current_exe().unwrap_or_default();
    let deps = program.ancestors().find(|path| path.ends_with("deps"));
    match deps.and_then(Path::parent).and_then(Path::parent) {
        Some(target) => target.join("tmp").join("platen-pg"),
        None => std::env::temp_dir().join("platen-pg-templates"),
    }
}

/// Folder of the newest installed server.
fn programs() -> Option<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .collect();
    found.sort();
    let on_path =
        std::env::var_os("PATH").into_iter().flat_map(|path| std::env::split_paths(&path).collect::<Vec<_>>());
    let mut all = found.into_iter().rev().map(|(_, path)| path).chain(on_path);
    all.find(|path| path.join("initdb").exists() && path.join("postgres").exists())
}

/// Who runs the server: it refuses root.
struct Owner {
    id: u32,
    group: u32,
    is_other: bool,
}

impl Owner {
    fn find() -> io::Result<Self> {
        let number = |args: &[&str]| -> io::Result<u32> {
            let text = output(Command::new("id").args(args))?;
            text.trim().parse().map_err(|error| io::Error::other(format!("id {args:?} says {text}: {error}")))
        };
        match number(&["-u"])? {
            0 => Ok(Self { id: number(&["-u", "postgres"])?, group: number(&["-g", "postgres"])?, is_other: true }),
            id => Ok(Self { id, group: number(&["-g"])?, is_other: false }),
        }
    }

    fn take(&self, folder: &Path) -> io::Result<()> {
        if self.is_other { chown(folder, Some(self.id), Some(self.group)) } else { Ok(()) }
    }

    /// What goes before a command: change of user, and end with the parent, where the system can do that.
    fn prefix(&self) -> Vec<String> {
        let has_setpriv = Command::new("setpriv").arg("--version").output().is_ok();
        let mut words = Vec::new();
        if has_setpriv || self.is_other {
            words.extend(["setpriv".to_owned(), "--pdeathsig".to_owned(), "QUIT".to_owned()]);
        }
        if self.is_other {
            words.push(format!("--reuid={}", self.id));
            words.push(format!("--regid={}", self.group));
            words.push("--clear-groups".to_owned());
        }
        words
    }

    fn command(&self, program: &Path) -> Command {
        let mut words = self.prefix();
        words.push(program.to_string_lossy().into_owned());
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]);
        command
    }
}

fn succeed(command: &mut Command) -> io::Result<()> {
    output(command).map(drop)
}

fn output(command: &mut Command) -> io::Result<String> {
    let output =
        command.current_dir("/").output().map_err(|e| io::Error::new(e.kind(), format!("{command:?}: {e}")))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(io::Error::other(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr))))
}
