//! What was built.

/// TiCDC release whose interfaces the capture has; clients and tools read it.
pub(crate) const COMPATIBLE_VERSION: &str = "v8.5.4";
/// Commit that was built.
pub(crate) const GIT_HASH: &str = env!("TIDEGATE_GIT_HASH");

/// Prints it in the lines of `cdc version`.
pub(crate) fn print() {
    println!("Release Version: {COMPATIBLE_VERSION}");
    println!("Git Commit Hash: {GIT_HASH}");
    println!("Git Branch: {}", env!("TIDEGATE_GIT_BRANCH"));
    println!("UTC Build Time: {}", env!("TIDEGATE_BUILD_TIME"));
    println!("Rust Version: {}", env!("TIDEGATE_RUSTC"));
    println!("Failpoint Build: false");
    println!("Kernel Type: Classic");
    println!("Tidegate Version: {}", env!("CARGO_PKG_VERSION"));
}
