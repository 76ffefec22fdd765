//! The gRPC services.

pub(crate) mod etcd_kv;
pub(crate) mod etcd_lease;
pub(crate) mod etcd_watch;
pub(crate) mod gc;
pub(crate) mod health;
pub(crate) mod pd;
pub(crate) mod regions;
pub(crate) mod settings;
pub(crate) mod streams;
