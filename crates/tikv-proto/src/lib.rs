//! Protobuf messages and gRPC services of PD, TiKV and etcd that Tidegate speaks.
//!
//! The `.proto` files are our own and hold only what we use; field numbers are those of
//! the real systems. Unknown fields of a newer server are skipped by the decoder, so a message of a real cluster
//! never fails for being larger than ours. `bytes` fields decode to [`bytes::Bytes`] slices of the received frame.

/// Includes one generated package.
macro_rules! package {
    ($(#[$doc:meta])* $name:ident, $package:literal) => {
        $(#[$doc])*
        #[allow(missing_docs, clippy::all, clippy::unwrap_used, clippy::expect_used, clippy::panic)]
        pub mod $name {
            tonic::include_proto!($package);
        }
    };
}

package!(
    /// Stores, regions and peers.
    metapb, "metapb");
package!(
    /// Region-level errors.
    errorpb, "errorpb");
package!(
    /// The placement driver.
    pdpb, "pdpb");
package!(
    /// The timestamp service that runs apart from the placement driver.
    tsopb, "tsopb");
package!(
    /// Transactional key-value messages.
    kvrpcpb, "kvrpcpb");
package!(
    /// The key-value service of a store.
    tikvpb, "tikvpb");
package!(
    /// The change stream of a store.
    cdcpb, "cdcpb");
package!(
    /// The etcd v3 subset.
    etcdserverpb, "etcdserverpb");
package!(
    /// The standard gRPC health service.
    healthpb, "grpc.health.v1");
