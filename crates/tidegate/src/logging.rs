//! Logs of the process: to standard error or a file, at a level that can be changed while it runs.

use std::fs::OpenOptions;
use std::sync::{Arc, Mutex};

use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Registry, fmt, reload};

use crate::failure::Failure;

/// Changes the level of the logs.
pub(crate) type SetLevel = Arc<dyn Fn(&str) -> Result<(), String> + Send + Sync>;

/// Libraries that say too much at the level of our own code.
const QUIET: &str =
    "h2=warn,hyper=warn,tonic=warn,tower=warn,rdkafka=warn,librdkafka=warn,fjall=warn,lsm_tree=warn";

/// The filter for a level.
fn filter(level: &str) -> Result<EnvFilter, String> {
    EnvFilter::try_new(format!("{level},{QUIET}")).map_err(|e| format!("log level {level:?}: {e}"))
}

/// Starts logging. `RUST_LOG`, if set, is taken instead of `level`.
pub(crate) fn start(level: &str, file: Option<&str>) -> Result<SetLevel, Failure> {
    let chosen = match std::env::var("RUST_LOG") {
        Ok(text) if !text.is_empty() => EnvFilter::try_new(text)?,
        _ => filter(level).map_err(Failure::new)?,
    };
    let (layer, handle) = reload::Layer::<EnvFilter, Registry>::new(chosen);
    let registry = tracing_subscriber::registry().with(layer);
    let started = match file.filter(|path| !path.is_empty()) {
        Some(path) => {
            let file = OpenOptions::new().create(true).append(true).open(path);
            let file = file.map_err(|e| Failure::new(format!("cannot write the log file {path}: {e}")))?;
            registry.with(fmt::layer().with_ansi(false).with_writer(Mutex::new(file))).try_init()
        }
        None => registry.with(fmt::layer().with_writer(std::io::stderr).with_target(false)).try_init(),
    };
    started?;
    Ok(Arc::new(move |level| handle.reload(filter(level)?).map_err(|e| e.to_string())))
}
