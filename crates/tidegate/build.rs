//! Notes what is built: commit and time, for `cdc version` and the status API.

use std::process::Command;

/// The first line that a command prints, or `None`.
fn output(program: &str, args: &[&str]) -> Option<String> {
    let output = Command::new(program).args(args).output().ok().filter(|output| output.status.success())?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.lines().next().map(str::to_owned)
}

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    // In a linked worktree `.git` is a file: a path that is not there would build anew each time.
    if let Some(head) = output("git", &["rev-parse", "--path-format=absolute", "--git-path", "HEAD"]) {
        println!("cargo:rerun-if-changed={head}");
    }
    let hash = output("git", &["rev-parse", "HEAD"]).unwrap_or_else(|| "None".to_owned());
    let branch = output("git", &["rev-parse", "--abbrev-ref", "HEAD"]).unwrap_or_else(|| "None".to_owned());
    let time = output("date", &["-u", "+%Y-%m-%d %H:%M:%S"]).unwrap_or_else(|| "None".to_owned());
    let rustc = std::env::var("RUSTC").ok().and_then(|rustc| output(&rustc, &["--version"]));
    println!("cargo:rustc-env=TIDEGATE_GIT_HASH={hash}");
    println!("cargo:rustc-env=TIDEGATE_GIT_BRANCH={branch}");
    println!("cargo:rustc-env=TIDEGATE_BUILD_TIME={time}");
    println!("cargo:rustc-env=TIDEGATE_RUSTC={}", rustc.unwrap_or_else(|| "None".to_owned()));
}
