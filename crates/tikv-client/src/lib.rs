//! PD and TiKV client: timestamps, regions, snapshots, transactions, etcd metadata.
