//! Builds a run of a changefeed from its configuration and carries it out.

use std::sync::Arc;
use std::time::Duration;

use change_format::{CanalOptions, LargeMessage, ValueCompression};
use changefeed_config::{
    ChangeFeedInfo, EventFilter, EventRouter, KafkaOptions, KerberosOptions, LargeMessageMode,
    PasswordOptions, ReplicaConfig, SaslOptions, SinkUri, TableFilter, ValueCodec,
};
use event_sorter::{MemoryQuota, Sorter, SorterConfig};
use jiff::tz::TimeZone;
use kafka_sink::{
    Compression, HAS_KERBEROS, KerberosConfig, Login, OauthConfig, ProducerConfig, SaslConfig, TlsConfig,
    TopicSpec,
};
use parking_lot::RwLock;
use tidb_schema::SchemaHistory;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::FeedError;
use crate::claim_check::ClaimChecks;
use crate::context::Context;
use crate::encode::{Corruption, Settings};
use crate::feed::Phase;
use crate::inquiry::QUESTION_QUEUE;
use crate::metrics::{FeedCounters, FeedLabels};
use crate::pipeline::{End, Inbound, Pipeline, Report};
use crate::signal::Signal;
use crate::sink::{Admins, KafkaSink, Sink};
use crate::table::Run;
use crate::term::Term;
use crate::tikv_source::TikvSource;
use crate::why::StartStep;

/// Source events that may wait for the event loop.
pub(crate) const EVENT_QUEUE: usize = 1024;
/// Shortest pause between two watermarks, unless nothing was sent for longer: consumers need them, but not each 20 ms.
const WATERMARK_INTERVAL: Duration = Duration::from_millis(200);
/// Part of a changefeed's memory quota that may be on its way to Kafka: one in this many.
const IN_FLIGHT_SHARE: usize = 8;
/// Upper bound of what may be on its way to Kafka, bytes.
const MAX_IN_FLIGHT: usize = 64 << 20;
/// Part of a changefeed's memory quota that the sorter may hold: one in this many. Sorting and writing need some more,
/// and so do frames, prewrites and messages on their way.
const SORTER_SHARE: usize = 3;

/// Variable that names Kerberos' configuration.
const KERBEROS_CONFIG: &str = "KRB5_CONFIG";
/// Kerberos' configuration without the variable.
const KERBEROS_CONFIG_DEFAULT: &str = "/etc/krb5.conf";
/// Pause between two looks for new partitions: as often as TiCDC. Brokers tell nobody of them.
const PARTITION_REFRESH: Duration = Duration::from_secs(600);

/// What a changefeed's configuration says, compiled.
pub(crate) struct Plan {
    /// Kafka side.
    pub(crate) kafka: KafkaOptions,
    /// Table filter.
    pub(crate) tables: TableFilter,
    /// Event filters.
    pub(crate) events: EventFilter,
    /// Dispatch rules.
    pub(crate) router: EventRouter,
    /// What happens to rows whose checksum does not match; `None`: checksums are not looked at.
    pub(crate) corruption: Option<Corruption>,
}

impl Plan {
    /// Compiles the configuration of a changefeed; every error is one of the user's.
    pub(crate) fn new(info: &ChangeFeedInfo) -> Result<Self, FeedError> {
        Self::compile(&info.sink_uri, &info.config)
    }

    /// Compiles a configuration; every error is one of the user's.
    pub(crate) fn compile(sink_uri: &str, config: &ReplicaConfig) -> Result<Self, FeedError> {
        let uri = SinkUri::parse(sink_uri)?;
        let kafka = KafkaOptions::new(&uri, config)?;
        let router = EventRouter::new(&config.sink, &kafka.topic, config.case_sensitive)?;
        let tables = TableFilter::new(&config.filter.rules, config.case_sensitive)?;
        let events = EventFilter::new(&config.filter, config.case_sensitive)?;
        let corruption = config.integrity.checks_rows().then(|| {
            if config.integrity.refuses_corruption() { Corruption::Error } else { Corruption::Warn }
        });
        if let Some(SaslOptions::Kerberos(kerberos)) = &kafka.sasl {
            check_kerberos(kerberos)?;
        }
        Ok(Self { kafka, tables, events, router, corruption })
    }

    /// Opens the place for messages that are too large, if they are to be stored elsewhere.
    pub(crate) async fn claim_check(&self) -> Result<Option<ClaimChecks>, FeedError> {
        match &self.kafka.large_message.claim_check {
            Some(config) => ClaimChecks::open(config).await.map(Some),
            None => Ok(None),
        }
    }

    /// The producer's settings.
    pub(crate) fn producer(&self, context: &Context, id: &str) -> ProducerConfig {
        let generated =
            format!("TiCDC_producer_{}_{}_{id}", context.advertise_addr, crate::metadata::DEFAULT_KEYSPACE)
                .replace(['?', ':', ',', '"'], "_");
        self.producer_named(generated)
    }

    /// Settings of the administrative connection, which changefeeds with the same destination share.
    pub(crate) fn admin(&self, context: &Context) -> ProducerConfig {
        let generated = format!("TiCDC_admin_{}", context.advertise_addr).replace(['?', ':', ',', '"'], "_");
        self.producer_named(generated)
    }

    /// The producer's settings, with a client id for those who set none.
    pub(crate) fn producer_named(&self, generated: String) -> ProducerConfig {
        let kafka = &self.kafka;
        ProducerConfig {
            brokers: kafka.brokers.clone(),
            client_id: kafka.client_id.clone().unwrap_or(generated),
            required_acks: kafka.required_acks,
            compression: match kafka.compression.as_str() {
                "gzip" => Compression::Gzip,
                "snappy" => Compression::Snappy,
                "lz4" => Compression::Lz4,
                "zstd" => Compression::Zstd,
                _ => Compression::None,
            },
            max_message_bytes: kafka.max_message_bytes,
            dial_timeout: kafka.dial_timeout,
            login: kafka.sasl.as_ref().map(login),
            tls: kafka.tls.as_ref().map(|tls| TlsConfig {
                ca: tls.files.as_ref().map(|files| files.ca.clone()),
                identity: tls.files.as_ref().map(|files| (files.cert.clone(), files.key.clone())),
                insecure_skip_verify: tls.insecure_skip_verify,
            }),
        }
    }

    /// How the default topic is made.
    pub(crate) fn topic_spec(&self) -> TopicSpec {
        TopicSpec {
            partitions: self.kafka.partition_num,
            replication_factor: self.kafka.replication_factor,
            auto_create: self.kafka.auto_create_topic,
        }
    }

    /// How rows are rendered and routed, with the size limit that the broker gave.
    pub(crate) fn settings(
        self,
        force_replicate: bool,
        time_zone: TimeZone,
        max_message_bytes: usize,
        claim_check: Option<ClaimChecks>,
        counters: FeedCounters,
    ) -> Settings {
        Settings {
            corruption: self.corruption,
            claim_check,
            counters,
            canal: Arc::new(self.canal(time_zone, max_message_bytes)),
            router: self.router,
            tables: self.tables,
            events: self.events,
            force_replicate,
        }
    }

    /// How messages are rendered.
    fn canal(&self, time_zone: TimeZone, max_message_bytes: usize) -> CanalOptions {
        CanalOptions {
            enable_tidb_extension: self.kafka.enable_tidb_extension,
            content_compatible: self.kafka.content_compatible,
            only_output_updated_columns: self.kafka.only_output_updated_columns,
            delete_only_output_handle_key_columns: self.kafka.delete_only_output_handle_key_columns,
            output_row_key: self.kafka.output_row_key,
            output_raw_change_event: self.kafka.output_raw_change_event,
            large_message: match self.kafka.large_message.mode {
                LargeMessageMode::None => LargeMessage::Refuse,
                LargeMessageMode::HandleKeyOnly => LargeMessage::HandleKeyOnly,
                LargeMessageMode::ClaimCheck => LargeMessage::ClaimCheck,
            },
            max_message_bytes: Some(max_message_bytes),
            compression: match self.kafka.large_message.compression {
                ValueCodec::None => ValueCompression::None,
                ValueCodec::Lz4 => ValueCompression::Lz4,
                ValueCodec::Snappy => ValueCompression::Snappy,
            },
            time_zone,
        }
    }
}

/// Credentials in the producer's terms.
fn login(sasl: &SaslOptions) -> Login {
    match sasl.clone() {
        SaslOptions::Password(PasswordOptions { mechanism, user, password }) => {
            Login::Password(SaslConfig { mechanism, user, password })
        }
        SaslOptions::Oauth(oauth) => Login::Oauth(OauthConfig {
            client_id: oauth.client_id,
            client_secret: oauth.client_secret,
            token_url: oauth.token_url,
            scopes: oauth.scopes,
            grant_type: oauth.grant_type,
            audience: oauth.audience,
        }),
        SaslOptions::Kerberos(KerberosOptions { service_name, principal, keytab, .. }) => {
            Login::Kerberos(KerberosConfig { service_name, principal, keytab })
        }
    }
}

/// Kerberos has to be in the program, and takes its own configuration from the environment of the process.
fn check_kerberos(kerberos: &KerberosOptions) -> Result<(), FeedError> {
    if !HAS_KERBEROS {
        return Err(FeedError::new(
            "CDC:ErrKafkaInvalidConfig",
            "sasl-mechanism GSSAPI needs a program that was built with the cargo feature gssapi; this one was not",
        ));
    }
    let used = std::env::var(KERBEROS_CONFIG).unwrap_or_else(|_| KERBEROS_CONFIG_DEFAULT.to_owned());
    match &kerberos.config {
        Some(wanted) if *wanted != used => Err(FeedError::new(
            "CDC:ErrKafkaInvalidConfig",
            format!(
                "sasl-gssapi-kerberos-config-path is {wanted}, but this process uses {used}; start it with \
                 {KERBEROS_CONFIG}={wanted}"
            ),
        )),
        _ => Ok(()),
    }
}

/// What a run begins with.
pub(crate) struct Beginning<'a> {
    /// Id of the changefeed.
    pub(crate) id: &'a str,
    /// Its configuration.
    pub(crate) info: &'a ChangeFeedInfo,
    /// Where it goes on.
    pub(crate) checkpoint_ts: u64,
    /// Its memory.
    pub(crate) quota: Arc<MemoryQuota>,
}

/// Runs a changefeed from its checkpoint until it ends, and tells `note` what it does.
pub(crate) async fn run_once(
    context: &Arc<Context>,
    beginning: Beginning<'_>,
    report: watch::Sender<Report>,
    note: &(dyn Fn(Phase) + Send + Sync),
    stop: CancellationToken,
) -> Result<End, FeedError> {
    let Beginning { id, info, checkpoint_ts, quota } = beginning;
    // Before anything that takes time: a run belongs to the term in which it began.
    let term = context.term();
    note(Phase::Starting(StartStep::Schema));
    let plan = Plan::new(info)?;
    let schema = context.schema.at(&context.tikv, checkpoint_ts).await?;
    let signal = Arc::new(Signal::default());
    let connect = {
        let (config, spec, signal) = (plan.producer(context, id), plan.topic_spec(), Arc::clone(&signal));
        let (topic, term) = (plan.kafka.topic.clone(), term.clone());
        let admins = Admins::new(&context.admins, plan.admin(context));
        move || KafkaSink::connect(config, admins, &topic, spec, signal, term)
    };
    note(Phase::Starting(StartStep::Sink));
    let claim_check = plan.claim_check().await?;
    let (sink, limit) = tokio::task::spawn_blocking(connect)
        .await
        .map_err(|e| FeedError::new("CDC:ErrNewKafkaSink", e.to_string()))??;
    note(Phase::Starting(StartStep::Sorter));
    let memory = quota.limit();
    let sorter_config = SorterConfig { memory_limit: memory / SORTER_SHARE, ..SorterConfig::default() };
    let sorter = Sorter::open(&context.data_dir.join("sorter").join(id), sorter_config, Arc::clone(&quota))?;
    let counters = context.metrics.counters(&FeedLabels::new(id));
    let (force_replicate, time_zone) = (info.config.force_replicate, context.time_zone.clone());
    let settings = plan.settings(force_replicate, time_zone, limit, claim_check, counters);
    let run = Arc::new(Run {
        sorter,
        quota: Arc::clone(&quota),
        schema: RwLock::new(SchemaHistory::new(schema)),
        sink: Arc::new(sink) as Arc<dyn Sink>,
        signal,
        settings,
        in_flight_limit: (memory / IN_FLIGHT_SHARE).min(MAX_IN_FLIGHT),
        watermark_interval: WATERMARK_INTERVAL,
        crowd: Arc::clone(&context.crowd),
    });
    // Until the end of the run, however it ends.
    let refreshing = stop.child_token();
    let _end = refreshing.clone().drop_guard();
    tokio::spawn(refresh_partitions(Arc::clone(&run.sink), refreshing.clone()));
    tokio::spawn(abandon_when_lost(Arc::clone(&run.sink), term, refreshing));
    let (sender, events) = mpsc::channel(EVENT_QUEUE);
    let source = Arc::new(TikvSource::new(Arc::clone(&context.cdc), sender, quota));
    let workers = Arc::clone(&context.workers);
    let (questions, asked) = mpsc::channel(QUESTION_QUEUE);
    let inbound = Inbound { events, questions: asked };
    let pipeline = Pipeline::new(run, workers, source, inbound, checkpoint_ts, info.target_ts, report);
    note(Phase::Running(questions));
    pipeline.run(checkpoint_ts, stop).await
}

/// Drops what was not sent as soon as another process may be the owner, whatever the event loop does at the moment.
async fn abandon_when_lost(sink: Arc<dyn Sink>, term: Term, end: CancellationToken) {
    tokio::select! {
        // Stopping follows upon the loss at once: the loss counts.
        biased;
        () = term.ended() => {
            if let Err(error) = tokio::task::spawn_blocking(move || sink.abandon()).await {
                warn!(%error, "messages of a former owner may still be sent");
            }
        }
        () = end.cancelled() => {}
    }
}

/// Looks for new partitions of the topics from time to time.
async fn refresh_partitions(sink: Arc<dyn Sink>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(PARTITION_REFRESH) => {}
            () = stop.cancelled() => return,
        }
        let sink = Arc::clone(&sink);
        if let Err(error) = tokio::task::spawn_blocking(move || sink.refresh_partitions()).await {
            warn!(%error, "the look for new partitions ended early");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kerberos_is_refused_by_the_name_of_the_feature_where_it_is_not_built_in() {
        let uri = "kafka://h/t?protocol=canal-json&sasl-mechanism=gssapi&sasl-gssapi-auth-type=keytab\
                   &sasl-gssapi-keytab-path=/k&sasl-gssapi-service-name=kafka&sasl-gssapi-user=cdc&sasl-gssapi-realm=R";
        let outcome = Plan::compile(uri, &ReplicaConfig::default()).map(|_| ());
        if HAS_KERBEROS {
            assert_eq!(outcome, Ok(()));
        } else {
            let error = outcome.expect_err("refused");
            assert_eq!(error.code, "CDC:ErrKafkaInvalidConfig");
            assert!(error.message.contains("cargo feature gssapi"), "{error}");
        }
    }
}
