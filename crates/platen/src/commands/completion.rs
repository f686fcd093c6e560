//! `platen completion SHELL`

use clap::CommandFactory;

use crate::cli::Cli;
use crate::exit::Exit;

/// Prints the script that teaches a shell our flags.
pub fn run(shell: clap_complete::Shell) -> Exit {
    clap_complete::generate(shell, &mut Cli::command(), "platen", &mut std::io::stdout());
    Exit::Success
}
