//! The owner: every changefeed of the cluster, and what users do to them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use changefeed_config::{
    ChangeFeedInfo, ChangeFeedStatus, ReplicaConfig, SinkUri, State, new_changefeed_id,
    validate_changefeed_id,
};
use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::sync::Mutex as AsyncMutex;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::FeedError;
use crate::context::Context;
use crate::feed::{Feed, FeedView};
use crate::gc::{GcSafepoint, Versions};
use crate::memory::FeedMemory;
use crate::metadata::Stored;
use crate::metrics::FeedLabels;
use crate::run_once::Plan;
use crate::table_checks::check_tables;
use crate::tables::{TableLists, list_tables, physical_ids};
use crate::turns::Turns;
use crate::why::Why;

/// How often the GC safepoint is renewed.
const GC_INTERVAL: Duration = Duration::from_secs(60);
/// How long PD may take to tell the time for an explanation; after that the clock of this machine has to do.
const CLOCK_LIMIT: Duration = Duration::from_secs(1);
/// Most changefeeds of a cluster.
const MAX_CHANGEFEEDS: usize = 10_000;

/// What a user asks for when creating a changefeed.
#[derive(Debug, Clone, Default)]
pub struct CreateRequest {
    /// Id; one is made up if there is none.
    pub id: Option<String>,
    /// Changes after this ts are sent; zero for now.
    pub start_ts: u64,
    /// Changes up to this ts are sent; zero for all.
    pub target_ts: u64,
    /// Where changes go.
    pub sink_uri: String,
    /// Configuration.
    pub config: ReplicaConfig,
}

/// What a user changes of a changefeed that does not run.
#[derive(Debug, Clone, Default)]
pub struct UpdateRequest {
    /// New target.
    pub target_ts: Option<u64>,
    /// New destination.
    pub sink_uri: Option<String>,
    /// New configuration.
    pub config: Option<ReplicaConfig>,
}

/// The changefeeds of a cluster, in the hands of the elected owner.
pub struct Owner {
    /// What changefeeds share.
    context: Arc<Context>,
    /// Changefeeds by id.
    feeds: Mutex<BTreeMap<String, Arc<Feed>>>,
    /// One change of a changefeed at a time.
    turns: Turns,
    /// The safepoint is computed and set by one at a time: an older answer must not replace a newer one.
    keeping: AsyncMutex<()>,
    /// GC safepoints.
    gc: GcSafepoint,
    /// Ends background work.
    stop: CancellationToken,
}

/// The error about an id that nobody has.
fn not_found(id: &str) -> FeedError {
    FeedError::new("CDC:ErrChangeFeedNotExists", format!("changefeed not exists, {id}"))
}

/// An error about a parameter.
fn invalid(message: impl Into<String>) -> FeedError {
    FeedError::new("CDC:ErrAPIInvalidParam", message)
}

/// Compiles a configuration; what is wrong with its Kafka side is reported as TiCDC does it, as a bad sink URI.
fn checked_plan(info: &ChangeFeedInfo) -> Result<Plan, FeedError> {
    Plan::new(info).map_err(|error| match error.code.as_str() {
        "CDC:ErrKafkaInvalidConfig" => {
            FeedError::new("CDC:ErrSinkURIInvalid", format!("sink uri invalid '%s': {error}"))
        }
        _ => error,
    })
}

/// What the sink URI fixes is changed there: a configuration that asks for another protocol is refused.
fn check_protocol_change(info: &ChangeFeedInfo, config: &ReplicaConfig) -> Result<(), FeedError> {
    let uri = SinkUri::parse(&info.sink_uri)?;
    let (Some(fixed), Some(asked)) = (uri.get("protocol"), config.sink.protocol.as_deref()) else {
        return Ok(());
    };
    if asked.is_empty() || asked.eq_ignore_ascii_case(fixed) {
        return Ok(());
    }
    Err(FeedError::new(
        "CDC:ErrIncompatibleSinkConfig",
        format!(
            "incompatible configuration in sink uri(protocol={fixed}) and config file(protocol={asked}), please try to \
             update the configuration only through sink uri"
        ),
    ))
}

impl Owner {
    /// Takes over: loads every changefeed and starts those that run.
    pub async fn take_over(context: Arc<Context>) -> Result<Arc<Self>, FeedError> {
        let etcd_cluster = context.metadata.etcd().cluster_id().await;
        let etcd_cluster =
            etcd_cluster.map_err(|e| FeedError::new("CDC:ErrPDEtcdAPIError", e.to_string()))?;
        let gc = GcSafepoint::new(context.pd.clone(), &context.cluster, etcd_cluster, context.gc_ttl_seconds);
        let mut feeds = BTreeMap::new();
        for stored in context.metadata.load_all().await? {
            feeds.insert(stored.id.clone(), Feed::new(Arc::clone(&context), stored));
        }
        let owner = Arc::new(Self {
            context,
            feeds: Mutex::new(feeds),
            turns: Turns::default(),
            keeping: AsyncMutex::new(()),
            gc,
            stop: CancellationToken::new(),
        });
        let started: Vec<_> = owner.feeds.lock().values().cloned().collect();
        info!(changefeeds = started.len(), "this capture is the owner");
        owner.keep_safepoint().await;
        started.iter().for_each(Feed::start);
        tokio::spawn(Arc::clone(&owner).keep_safepoints());
        Ok(owner)
    }

    /// Stops every changefeed; they go on where they were when an owner takes over again.
    pub async fn step_down(&self) {
        self.stop.cancel();
        let feeds: Vec<_> = self.feeds.lock().values().cloned().collect();
        // All at once: each waits for its sink, and they store their progress together.
        let mut stopping: JoinSet<()> =
            feeds.into_iter().map(|feed| async move { feed.stop().await }).collect();
        while stopping.join_next().await.is_some() {}
    }

    /// Renews the safepoint until the owner steps down.
    async fn keep_safepoints(self: Arc<Self>) {
        let mut ticks = tokio::time::interval(GC_INTERVAL);
        ticks.tick().await;
        loop {
            tokio::select! {
                _ = ticks.tick() => {
                    self.keep_safepoint().await;
                    self.context.admins.sweep();
                }
                () = self.stop.cancelled() => return,
            }
        }
    }

    /// Renews the safepoint, and fails changefeeds whose versions are gone or that have held others back for too long.
    async fn keep_safepoint(&self) {
        let _keeping = self.keeping.lock().await;
        let feeds: Vec<_> = self.feeds.lock().values().cloned().collect();
        let held = |feed: Arc<Feed>| feed.holds_versions_at().map(|checkpoint| (feed, checkpoint));
        let blocking: Vec<_> = feeds.into_iter().filter_map(held).collect();
        let oldest = blocking.iter().map(|(_, checkpoint)| *checkpoint).min();
        let min = match self.gc.keep(oldest).await {
            Ok(min) => min,
            Err(error) => return warn!(%error, "cannot renew the GC safepoint"),
        };
        let Some(oldest) = oldest else { return };
        let now = match self.now().await {
            Ok(now) => now,
            Err(error) => return warn!(%error, "cannot tell how old checkpoints are"),
        };
        for (feed, checkpoint) in blocking {
            let held = Versions { min, ours: oldest.saturating_sub(1) };
            let Some(error) = self.gc.loss(feed.id(), checkpoint, held, now) else { continue };
            feed.stop().await;
            if let Err(error) = feed.set_state(State::Failed, Some(error)).await {
                warn!(%error, "cannot store the state");
            }
        }
    }

    /// Removes the service safepoint of the captures.
    pub async fn delete_safepoint(&self) -> Result<(), FeedError> {
        self.gc.delete().await
    }

    /// Every changefeed, by id.
    pub fn list(&self) -> Vec<(String, FeedView)> {
        self.feeds.lock().iter().map(|(id, feed)| (id.clone(), feed.view())).collect()
    }

    /// One changefeed.
    pub fn get(&self, id: &str) -> Result<FeedView, FeedError> {
        Ok(self.feed(id)?.view())
    }

    /// Finds a changefeed.
    fn feed(&self, id: &str) -> Result<Arc<Feed>, FeedError> {
        self.feeds.lock().get(id).cloned().ok_or_else(|| not_found(id))
    }

    /// What holds the checkpoint of a changefeed. Cheap: the event loop answers from what it has at hand.
    pub async fn why(&self, id: &str) -> Result<Why, FeedError> {
        let feed = self.feed(id)?;
        let now = tokio::time::timeout(CLOCK_LIMIT, self.now()).await;
        let now_ts = match now {
            Ok(Ok(ts)) => ts,
            // PD may be what is asked about.
            Ok(Err(_)) | Err(_) => crate::encode::unix_ms() << 18,
        };
        Ok(feed.why(now_ts).await)
    }

    /// Memory of a changefeed.
    pub fn memory(&self, id: &str) -> Result<FeedMemory, FeedError> {
        Ok(self.feed(id)?.memory())
    }

    /// The tables that a configuration selects at a ts (zero: now).
    pub async fn verify_tables(
        &self,
        config: &ReplicaConfig,
        start_ts: u64,
    ) -> Result<TableLists, FeedError> {
        let now = self.now().await?;
        if start_ts > now {
            let message = format!("start_ts {start_ts} is in the future: PD is at {now}");
            return Err(FeedError::new("CDC:ErrAPIInvalidParam", message));
        }
        let ts = if start_ts == 0 { now } else { start_ts };
        let schema = self.context.schema.at(&self.context.tikv, ts).await?;
        list_tables(&schema, config)
    }

    /// Ids of the physical tables of a changefeed, at its checkpoint.
    pub async fn table_ids(&self, id: &str) -> Result<Vec<i64>, FeedError> {
        let view = self.feed(id)?.view();
        let schema = self.context.schema.at(&self.context.tikv, view.checkpoint_ts).await?;
        physical_ids(&schema, &view.info.config)
    }

    /// The current timestamp of PD.
    pub async fn now(&self) -> Result<u64, FeedError> {
        self.context.pd.get_ts().await.map_err(|e| FeedError::new("CDC:ErrPDTimestamp", e.to_string()))
    }

    /// Creates a changefeed and starts it.
    pub async fn create(&self, request: CreateRequest) -> Result<(String, FeedView), FeedError> {
        let id = request.id.clone().filter(|id| !id.is_empty()).unwrap_or_else(new_changefeed_id);
        validate_changefeed_id(&id)?;
        let _turn = self.turns.wait(&id).await;
        {
            let feeds = self.feeds.lock();
            if feeds.contains_key(&id) {
                let message = format!("changefeed already exists, {id}");
                return Err(FeedError::new("CDC:ErrChangeFeedAlreadyExists", message));
            }
            if feeds.len() >= MAX_CHANGEFEEDS {
                return Err(invalid(format!(
                    "the cluster has {MAX_CHANGEFEEDS} changefeeds already; remove one"
                )));
            }
        }
        let info = self.new_info(&id, request).await?;
        let held = self.gc.hold_for("creating", &id, info.start_ts).await?;
        let created = self.create_held(&id, info).await;
        if let Err(error) = self.gc.release(held).await {
            warn!(%error, "the temporary GC safepoint stays until it expires");
        }
        created
    }

    /// Checks a request and makes what is stored of it.
    async fn new_info(&self, id: &str, request: CreateRequest) -> Result<ChangeFeedInfo, FeedError> {
        let mut config = request.config;
        let uri = SinkUri::parse(&request.sink_uri)?;
        let now = self.now().await?;
        if request.start_ts > now {
            return Err(invalid(format!(
                "invalid start-ts {}, larger than current tso {now}",
                request.start_ts
            )));
        }
        let start_ts = if request.start_ts == 0 { now } else { request.start_ts };
        if request.target_ts != 0 && request.target_ts <= start_ts {
            return Err(FeedError::new(
                "CDC:ErrTargetTsBeforeStartTs",
                format!(
                    "fail to create changefeed because target-ts {} is earlier than start-ts {start_ts}",
                    request.target_ts
                ),
            ));
        }
        config.validate_and_adjust()?;
        if let Some(protocol) = uri.get("protocol") {
            config.sink.protocol = Some(protocol.to_owned());
        }
        Ok(ChangeFeedInfo {
            upstream_id: self.context.pd.cluster_id(),
            id: id.to_owned(),
            sink_uri: request.sink_uri,
            create_time: Timestamp::now().to_string(),
            start_ts,
            target_ts: request.target_ts,
            admin_job_type: 0,
            config,
            state: State::Normal,
            error: None,
            creator_version: self.context.version.clone(),
            epoch: now,
        })
    }

    /// The rest of creation, while the GC safepoint is held.
    async fn create_held(&self, id: &str, info: ChangeFeedInfo) -> Result<(String, FeedView), FeedError> {
        let plan = checked_plan(&info)?;
        let schema = self.context.schema.at(&self.context.tikv, info.start_ts).await?;
        let lists = list_tables(&schema, &info.config)?;
        if !lists.ineligible.is_empty()
            && !info.config.force_replicate
            && !info.config.ignore_ineligible_table
        {
            let names: Vec<&str> = lists.ineligible.iter().map(|table| table.table.as_str()).collect();
            return Err(FeedError::new(
                "CDC:ErrTableIneligible",
                format!(
                    "some tables are not eligible to replicate([{}]), if you want to ignore these tables, please set \
                     ignore_ineligible_table to true",
                    names.join(" ")
                ),
            ));
        }
        check_tables(&schema, &plan, info.config.force_replicate, &self.context.time_zone)?;
        self.check_sink(&plan).await?;
        let checkpoint_ts = info.start_ts;
        let status =
            ChangeFeedStatus { checkpoint_ts, min_table_barrier_ts: checkpoint_ts, admin_job_type: 0 };
        let stored = Stored { id: id.to_owned(), info, status };
        if !self.context.metadata.create(&stored).await? {
            let message = format!("changefeed already exists, {id}");
            return Err(FeedError::new("CDC:ErrChangeFeedAlreadyExists", message));
        }
        let feed = Feed::new(Arc::clone(&self.context), stored);
        self.feeds.lock().insert(id.to_owned(), Arc::clone(&feed));
        self.keep_safepoint().await;
        feed.start();
        info!(changefeed = id, start_ts = checkpoint_ts, "changefeed created");
        Ok((id.to_owned(), feed.view()))
    }

    /// Connects to the store of large messages and to Kafka and makes the topic, so that mistakes show at once.
    async fn check_sink(&self, plan: &Plan) -> Result<(), FeedError> {
        let (config, spec, topic) = (plan.admin(&self.context), plan.topic_spec(), plan.kafka.topic.clone());
        let admins = Arc::clone(&self.context.admins);
        if let Some(claim_checks) = plan.claim_check().await? {
            claim_checks.prove().await?;
        }
        let check = move || admins.get(&config)?.ensure(&topic, spec);
        let outcome = tokio::task::spawn_blocking(check).await;
        let outcome = outcome.map_err(|e| FeedError::new("CDC:ErrNewKafkaSink", e.to_string()))?;
        outcome.map(|_| ()).map_err(|error| {
            let message = format!("sink uri invalid '%s': [{}]{error}", error.code());
            FeedError::new("CDC:ErrSinkURIInvalid", message)
        })
    }

    /// Pauses a changefeed.
    pub async fn pause(&self, id: &str) -> Result<(), FeedError> {
        let _turn = self.turns.wait(id).await;
        let feed = self.feed(id)?;
        if !feed.view().info.state.is_running() {
            return Ok(());
        }
        feed.stop().await;
        feed.set_state(State::Stopped, None).await
    }

    /// Resumes a changefeed, from another checkpoint if one is given.
    pub async fn resume(&self, id: &str, overwrite_checkpoint_ts: Option<u64>) -> Result<(), FeedError> {
        let _turn = self.turns.wait(id).await;
        let feed = self.feed(id)?;
        let view = feed.view();
        if view.info.state.is_running() {
            return Ok(());
        }
        let checkpoint = overwrite_checkpoint_ts.unwrap_or(view.checkpoint_ts);
        let now = self.now().await?;
        if checkpoint > now {
            return Err(invalid(format!(
                "invalid checkpoint-ts {checkpoint}, larger than current tso {now}"
            )));
        }
        let held = self.gc.hold_for("resuming", id, checkpoint).await?;
        // A task that ended by itself (failed, finished) is still to be joined.
        feed.stop().await;
        let mut info = ChangeFeedInfo::clone(&view.info);
        (info.state, info.error, info.epoch) = (State::Normal, None, now);
        let replaced = feed.replace(info, overwrite_checkpoint_ts).await;
        if replaced.is_ok() {
            self.keep_safepoint().await;
            feed.start();
        }
        if let Err(error) = self.gc.release(held).await {
            warn!(%error, "the temporary GC safepoint stays until it expires");
        }
        replaced
    }

    /// Changes a changefeed that does not run.
    pub async fn update(&self, id: &str, request: UpdateRequest) -> Result<FeedView, FeedError> {
        let _turn = self.turns.wait(id).await;
        let feed = self.feed(id)?;
        let view = feed.view();
        if !matches!(view.info.state, State::Stopped | State::Failed) {
            return Err(FeedError::new(
                "CDC:ErrChangefeedUpdateRefused",
                "changefeed update error: can only update changefeed config when it is stopped or failed",
            ));
        }
        let mut info = ChangeFeedInfo::clone(&view.info);
        if let Some(target_ts) = request.target_ts {
            if target_ts != 0 && target_ts <= info.start_ts {
                let message = format!(
                    "changefeed update error: can not update target_ts:{target_ts} less than start_ts:{}",
                    info.start_ts
                );
                return Err(FeedError::new("CDC:ErrChangefeedUpdateRefused", message));
            }
            info.target_ts = target_ts;
        }
        if let Some(sink_uri) = request.sink_uri {
            info.sink_uri = sink_uri;
        }
        if let Some(mut config) = request.config {
            check_protocol_change(&info, &config)?;
            config.validate_and_adjust()?;
            info.config = config;
        }
        if let Some(protocol) = SinkUri::parse(&info.sink_uri)?.get("protocol") {
            info.config.sink.protocol = Some(protocol.to_owned());
        }
        let plan = checked_plan(&info)?;
        let schema = self.context.schema.at(&self.context.tikv, view.checkpoint_ts).await?;
        check_tables(&schema, &plan, info.config.force_replicate, &self.context.time_zone)?;
        self.check_sink(&plan).await?;
        info.epoch = self.now().await?;
        feed.replace(info, None).await?;
        Ok(feed.view())
    }

    /// Removes a changefeed; `None` if there was none.
    pub async fn remove(&self, id: &str) -> Result<Option<FeedView>, FeedError> {
        let _turn = self.turns.wait(id).await;
        let Ok(feed) = self.feed(id) else { return Ok(None) };
        feed.stop().await;
        self.context.metadata.remove(id).await?;
        self.feeds.lock().remove(id);
        self.context.metrics.remove(&FeedLabels::new(id));
        self.keep_safepoint().await;
        info!(changefeed = id, "changefeed removed");
        Ok(Some(feed.view()))
    }
}
