//! Generates the gRPC code from the trimmed `.proto` files, without a system `protoc`.

use std::path::Path;

/// Files that are compiled; each becomes one module.
const FILES: [&str; 9] =
    ["metapb", "errorpb", "pdpb", "tsopb", "kvrpcpb", "tikvpb", "cdcpb", "etcd", "health"];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=proto");
    let paths: Vec<_> = FILES.iter().map(|name| Path::new("proto").join(format!("{name}.proto"))).collect();
    let descriptors = protox::compile(&paths, ["proto"])?;
    tonic_prost_build::configure().bytes(".").compile_fds(descriptors)?;
    Ok(())
}
