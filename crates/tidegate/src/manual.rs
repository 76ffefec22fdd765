//! Shell completions and man pages, made of the definitions of the command line.

use std::path::PathBuf;

use clap::{Args, Command, ValueEnum};
use clap_complete::Shell;

use crate::failure::Failure;

/// The names that the program answers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Name {
    /// `tidegate`, with everything.
    Tidegate,
    /// `cdc`, the commands of TiCDC.
    Cdc,
}

/// Flags of `completions`.
#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell.
    shell: Shell,
    /// The name that the program is called by.
    #[arg(long, value_enum, default_value = "tidegate")]
    command: Name,
}

/// Flags of `man`.
#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// Folder for the pages; made if it is not there.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The name that the program is called by.
    #[arg(long, value_enum, default_value = "tidegate")]
    command: Name,
}

/// Prints a completion script.
pub(crate) fn completions(args: &CompletionsArgs, definitions: impl Fn(Name) -> Command) {
    let mut command = definitions(args.command);
    let name = command.get_name().to_owned();
    clap_complete::generate(args.shell, &mut command, name, &mut std::io::stdout());
}

/// Writes a page for each command that is not hidden.
pub(crate) fn man(args: &ManArgs, definitions: impl Fn(Name) -> Command) -> Result<(), Failure> {
    let failed = |error: std::io::Error| {
        Failure::new(format!("cannot write pages to {}: {error}", args.out.display()))
    };
    std::fs::create_dir_all(&args.out).map_err(failed)?;
    clap_mangen::generate_to(definitions(args.command), &args.out).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_command_has_a_page() {
        let folder = tempfile::tempdir().expect("a folder");
        let args = ManArgs { out: folder.path().join("man"), command: Name::Cdc };
        man(&args, crate::definitions).unwrap_or_else(|failure| panic!("{failure:?}"));
        let page = |name: &str| {
            std::fs::read_to_string(args.out.join(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
        };
        assert!(page("cdc-cli-changefeed-create.1").contains("sink\\-uri"));
        assert!(page("cdc-server.1").contains("advertise\\-addr"));
    }

    #[test]
    fn each_shell_has_a_script_that_knows_the_commands() {
        for shell in Shell::value_variants() {
            for (name, word) in [(Name::Tidegate, "consume"), (Name::Cdc, "changefeed")] {
                let mut command = crate::definitions(name);
                let mut script = Vec::new();
                clap_complete::generate(*shell, &mut command, "x", &mut script);
                let script = String::from_utf8(script).expect("text");
                assert!(script.contains(word), "{shell} {name:?}");
            }
        }
    }
}
