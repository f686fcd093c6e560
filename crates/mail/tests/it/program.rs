//! Programs of others, which our doors are held against: run with an end, or said to be absent. The gateway's tests use it too.

use std::{process::Stdio, time::Duration};

use tokio::{io::AsyncWriteExt as _, process::Command};

/// Longer than any machine stalls; what takes so long hangs.
const PATIENCE: Duration = Duration::from_secs(240);

/// What a program did.
pub struct Outcome {
    pub success: bool,
    /// What it printed, then what it complained of.
    pub text: String,
}

/// Runs a program of a Debian package, or says that it is absent.
pub async fn run(program: &str, package: &str, arguments: &[&str], input: &str) -> Option<Outcome> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let Ok(mut child) = command.spawn() else {
        println!("skipped: {program} not found (apt install {package})");
        return None;
    };
    let mut stdin = child.stdin.take().unwrap();
    let _ = stdin.write_all(input.as_bytes()).await;
    drop(stdin);
    let output = tokio::time::timeout(PATIENCE, child.wait_with_output()).await;
    let output = output.unwrap_or_else(|_| panic!("{program} hangs")).unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    Some(Outcome { success: output.status.success(), text })
}
