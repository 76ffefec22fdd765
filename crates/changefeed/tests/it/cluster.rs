//! The services around a changefeed, and a minimal writer of TiDB's schema and rows.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use changefeed::{Context, ContextConfig, CreateRequest, FeedMetrics, Fence, MetadataStore, Owner};
use changefeed_config::ReplicaConfig;
use event_sorter::MemoryQuota;
use jiff::tz::TimeZone;
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use serde_json::{Value, json};
use tidb_codec::field::FieldType;
use tidb_codec::key::{self, Handle, meta};
use tidb_codec::{Datum, row};
use tidb_schema::DDL_JOB_TABLE_ID;
use tikv_cdc::{CdcClient, CdcConfig, CdcMetrics, TikvCluster};
use tikv_client::{EtcdClient, PdClient, Security, TikvClient, TransactionOptions};

/// Nothing in these tests takes longer, unless it is broken.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// Limit of messages: about that of a Kafka broker on which nobody set one.
const MAX_MESSAGE_BYTES: i32 = 1 << 20;

/// Placement driver, store, broker and their clients.
pub(crate) struct Cluster {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) pd_server: local_pd::Running,
    pub(crate) tikv_server: local_tikv::Running,
    pub(crate) kafka_server: local_kafka::Running,
    pub(crate) pd: PdClient,
    pub(crate) tikv: TikvClient,
    schema_version: i64,
}

/// An address on which the system picks the port.
fn any_port() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

impl Cluster {
    /// Starts everything in a temporary folder.
    pub(crate) async fn start() -> Self {
        let dir = tempfile::tempdir().expect("temporary folder");
        let pd_server =
            local_pd::start(local_pd::PdConfig::new(any_port(), dir.path().join("pd"))).await.expect("pd");
        let url = format!("http://{}", pd_server.local_addr());
        let config = local_tikv::TikvConfig::new(any_port(), url.clone(), dir.path().join("tikv"));
        let tikv_server = local_tikv::start(config).await.expect("tikv");
        let mut config = local_kafka::KafkaConfig::new(any_port(), dir.path().join("kafka"));
        config.topic_defaults.max_message_bytes = MAX_MESSAGE_BYTES;
        let kafka_server = local_kafka::start(config).await.expect("kafka");
        let pd = PdClient::connect(&[url], Security::none()).await.expect("pd client");
        let tikv = TikvClient::new(pd.clone());
        Self { dir, pd_server, tikv_server, kafka_server, pd, tikv, schema_version: 0 }
    }

    /// `host:port` of the broker.
    pub(crate) fn broker(&self) -> String {
        self.kafka_server.local_addr().to_string()
    }

    /// Sink URI of a topic, with the TiDB extension.
    pub(crate) fn sink_uri(&self, topic: &str) -> String {
        format!(
            "kafka://{}/{topic}?protocol=canal-json&enable-tidb-extension=true&partition-num=1",
            self.broker()
        )
    }

    /// Takes over as owner of all changefeeds.
    pub(crate) async fn owner(&self) -> Arc<Owner> {
        self.owner_with_gc_ttl(86_400).await
    }

    /// Takes over as owner whose changefeeds hold old versions for this many seconds.
    pub(crate) async fn owner_with_gc_ttl(&self, gc_ttl_seconds: u64) -> Arc<Owner> {
        let etcd = EtcdClient::new(&self.pd.urls(), Security::none()).expect("etcd client");
        let revision =
            etcd.put("/tidb/cdc/default/__cdc_meta__/owner/test", "test", 0).await.expect("election key");
        etcd.delete("/tidb/cdc/default/__cdc_meta__/owner/test").await.expect("election key");
        let key = format!("/tidb/cdc/default/__cdc_meta__/owner/{revision}");
        etcd.put(key.clone(), "test", 0).await.expect("election key");
        let create_revision =
            etcd.get(key.clone()).await.expect("election key").expect("present").create_revision;
        let metadata = Arc::new(MetadataStore::new(etcd, "default"));
        metadata.set_fence(Some(Fence { key, create_revision }));
        let quota = MemoryQuota::new(256 << 20);
        let feeds = CdcConfig::default();
        let cluster = Arc::new(TikvCluster::new(self.tikv.clone(), feeds.streams_per_store));
        let cdc = Arc::new(CdcClient::new(cluster, feeds, Arc::clone(&quota), CdcMetrics::default()));
        let context = Context::new(ContextConfig {
            pd: self.pd.clone(),
            tikv: self.tikv.clone(),
            cdc,
            metadata,
            quota,
            data_dir: self.dir.path().join("capture"),
            time_zone: TimeZone::UTC,
            advertise_addr: "127.0.0.1:8300".to_owned(),
            cluster: "default".to_owned(),
            gc_ttl_seconds,
            version: "v8.5.4".to_owned(),
            metrics: FeedMetrics::default(),
        })
        .expect("context");
        Owner::take_over(context).await.expect("owner")
    }

    /// Writes keys in one transaction; returns its commit ts.
    pub(crate) async fn write(&self, pairs: Vec<(Vec<u8>, Option<Vec<u8>>)>) -> u64 {
        let mut txn = self.tikv.begin(TransactionOptions::optimistic()).await.expect("begin");
        for (key, value) in pairs {
            match value {
                Some(value) => txn.put(key, value).expect("put"),
                None => txn.delete(key).expect("delete"),
            }
        }
        txn.commit().await.expect("commit").commit_ts.expect("something was written")
    }

    /// Runs a DDL job: schema keys and the job row in one transaction.
    async fn ddl(
        &mut self,
        action: u8,
        query: &str,
        table: &Table,
        info: Option<Value>,
        extra: Vec<(Vec<u8>, Vec<u8>)>,
    ) -> u64 {
        self.schema_version += 1;
        let mut binlog =
            json!({"SchemaVersion": self.schema_version, "DBInfo": null, "TableInfo": null, "FinishedTS": 0});
        if action == 1 {
            binlog["DBInfo"] = db_info();
        } else {
            binlog["TableInfo"] = info.clone().unwrap_or_else(|| table.info());
        }
        let job = json!({
            "id": self.schema_version, "type": action, "schema_id": DB_ID, "table_id": if action == 1 { 0 } else { table.id },
            "schema_name": "shop", "table_name": table.name, "state": 4, "query": query, "binlog": binlog, "version": 1,
            "raw_args": [], "schema_state": 5,
        });
        let job_field = field(251, 0, "binary");
        let value = Datum::Bytes(serde_json::to_vec(&job).expect("json"));
        let value = row::encode_row_v2(&[(5, &job_field, &value)]).expect("row");
        let job_key = key::record_key(DDL_JOB_TABLE_ID, &Handle::Int(self.schema_version));
        let mut pairs = vec![(job_key, Some(value))];
        pairs.extend(extra.into_iter().map(|(key, value)| (key, Some(value))));
        self.write(pairs).await
    }

    /// CREATE DATABASE shop.
    pub(crate) async fn create_database(&mut self) -> u64 {
        let key = meta::hash_key(b"DBs", format!("DB:{DB_ID}").as_bytes());
        let value = serde_json::to_vec(&db_info()).expect("json");
        let none = Table { id: 0, name: "", columns: Vec::new() };
        self.ddl(1, "create database shop", &none, None, vec![(key, value)]).await
    }

    /// CREATE TABLE.
    pub(crate) async fn create_table(&mut self, table: &Table) -> u64 {
        let query = format!("create table {} (id bigint primary key, v varchar(64))", table.name);
        self.ddl(3, &query, table, None, vec![table.meta()]).await
    }

    /// ALTER TABLE … ADD COLUMN: the table already holds the column.
    pub(crate) async fn add_column(&mut self, table: &Table, column: &str) -> u64 {
        let query = format!("alter table {} add column {column} bigint", table.name);
        self.ddl(5, &query, table, None, vec![table.meta()]).await
    }

    /// Writes rows of a table in one transaction; `None` deletes.
    pub(crate) async fn put_rows(&self, table: &Table, rows: &[(i64, Option<Vec<Datum>>)]) -> u64 {
        let pairs = rows.iter().map(|(id, values)| {
            let key = key::record_key(table.id, &Handle::Int(*id));
            (key, values.as_ref().map(|values| table.row(values)))
        });
        self.write(pairs.collect()).await
    }

    /// Reads messages of a topic until one satisfies `last`.
    pub(crate) async fn consume_until(
        &self,
        topic: &str,
        last: impl Fn(&Value) -> bool + Send + 'static,
    ) -> Vec<Value> {
        let (broker, topic) = (self.broker(), topic.to_owned());
        tokio::task::spawn_blocking(move || {
            let consumer: BaseConsumer = ClientConfig::new()
                .set("bootstrap.servers", broker)
                .set("group.id", format!("test-{}", rand::random::<u64>()))
                .set("auto.offset.reset", "earliest")
                .set("enable.auto.commit", "false")
                .create()
                .expect("consumer");
            let mut partitions = rdkafka::TopicPartitionList::new();
            partitions.add_partition_offset(&topic, 0, rdkafka::Offset::Beginning).expect("offset");
            consumer.assign(&partitions).expect("assign");
            let (mut messages, started) = (Vec::new(), Instant::now());
            while started.elapsed() < DEADLINE {
                let Some(polled) = consumer.poll(Duration::from_millis(100)) else { continue };
                let Ok(message) = polled else { continue };
                let value: Value = serde_json::from_slice(message.payload().expect("value")).expect("json");
                let done = last(&value);
                messages.push(value);
                if done {
                    return messages;
                }
            }
            panic!("the last message did not come in {DEADLINE:?}; got {messages:#?}");
        })
        .await
        .expect("consumer thread")
    }

    /// Stops the services.
    pub(crate) async fn stop(self) {
        self.kafka_server.shutdown().await;
        self.tikv.close().await;
        self.tikv_server.shutdown().await;
        self.pd_server.shutdown().await;
    }
}

/// Id of database `shop`.
const DB_ID: i64 = 100;

/// Database `shop`.
fn db_info() -> Value {
    json!({"id": DB_ID, "db_name": {"O": "shop", "L": "shop"}, "charset": "utf8mb4", "collate": "utf8mb4_bin", "state": 5})
}

/// A column type.
fn field(tp: u8, flag: u32, charset: &str) -> FieldType {
    let collate = if charset == "binary" { "binary" } else { "utf8mb4_bin" };
    let json = json!({"Tp": tp, "Flag": flag, "Flen": 64, "Decimal": 0, "Charset": charset, "Collate": collate, "Elems": null});
    serde_json::from_value(json).expect("field type")
}

/// A table with a clustered integer key.
#[derive(Clone)]
pub(crate) struct Table {
    pub(crate) id: i64,
    pub(crate) name: &'static str,
    /// Names and type bytes; the first is the key.
    pub(crate) columns: Vec<(&'static str, u8)>,
}

impl Table {
    /// Columns id and v.
    pub(crate) fn new(id: i64, name: &'static str) -> Self {
        Self { id, name, columns: vec![("id", 8), ("v", 15)] }
    }

    /// Type of column `i`.
    fn field(&self, i: usize) -> FieldType {
        match (i, self.columns[i].1) {
            (0, tp) => field(tp, 3, "binary"),
            (_, 15) => field(15, 0, "utf8mb4"),
            (_, tp) => field(tp, 0, "binary"),
        }
    }

    /// TableInfo.
    pub(crate) fn info(&self) -> Value {
        let columns: Vec<Value> = self
            .columns
            .iter()
            .enumerate()
            .map(|(i, (name, _))| {
                let field = serde_json::to_value(self.field(i)).expect("json");
                json!({"id": i + 1, "name": {"O": name, "L": name}, "offset": i, "type": field, "state": 5, "version": 2})
            })
            .collect();
        json!({"id": self.id, "name": {"O": self.name, "L": self.name}, "cols": columns, "index_info": null, "state": 5,
               "pk_is_handle": true, "charset": "utf8mb4", "collate": "utf8mb4_bin"})
    }

    /// Key and value in the schema.
    pub(crate) fn meta(&self) -> (Vec<u8>, Vec<u8>) {
        let name = format!("DB:{DB_ID}");
        let key = meta::hash_key(name.as_bytes(), format!("Table:{}", self.id).as_bytes());
        (key, serde_json::to_vec(&self.info()).expect("json"))
    }

    /// A row value: all columns but the key.
    fn row(&self, values: &[Datum]) -> Vec<u8> {
        let fields: Vec<FieldType> = (1..self.columns.len()).map(|i| self.field(i)).collect();
        let columns: Vec<_> = values
            .iter()
            .zip(&fields)
            .enumerate()
            .map(|(i, (value, field))| (i as i64 + 2, field, value))
            .collect();
        row::encode_row_v2(&columns).expect("row")
    }
}

/// A text value.
pub(crate) fn text(value: &str) -> Datum {
    Datum::Bytes(value.as_bytes().to_vec())
}

/// A request for a changefeed with the default configuration.
pub(crate) fn request(id: &str, sink_uri: String, start_ts: u64) -> CreateRequest {
    CreateRequest {
        id: Some(id.to_owned()),
        start_ts,
        target_ts: 0,
        sink_uri,
        config: ReplicaConfig::default(),
    }
}

/// Rows as a consumer has them in the end.
pub(crate) fn rebuild(messages: &[Value]) -> HashMap<String, Value> {
    let mut rows = HashMap::new();
    for message in messages.iter().filter(|m| m["isDdl"] == false && m["type"] != "TIDB_WATERMARK") {
        let row = &message["data"][0];
        let key = row["id"].as_str().expect("key").to_owned();
        match message["type"].as_str() {
            Some("DELETE") => rows.remove(&key),
            _ => rows.insert(key, row.clone()),
        };
    }
    rows
}
