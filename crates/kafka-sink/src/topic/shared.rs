//! Administrative connections that changefeeds share.
//!
//! Each has threads and sockets of its own, takes some round trips to begin and a tenth of a second to end; a changefeed
//! needs one for a few calls.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::config::ProducerConfig;
use crate::error::SinkError;
use crate::topic::{TopicAdmin, dial};

/// Most connections that are kept.
const LIMIT: usize = 8;
/// A connection that nobody has asked for this long is let go at the next look.
const IDLE: Duration = Duration::from_secs(60);

/// Where a connection is made: others that need it wait here.
type Place = Arc<Mutex<Option<Arc<TopicAdmin>>>>;

/// A connection that is kept.
struct Kept {
    config: ProducerConfig,
    place: Place,
    asked: Instant,
}

/// Connections by their settings.
#[derive(Default)]
pub struct SharedAdmins {
    kept: Mutex<Vec<Kept>>,
}

impl SharedAdmins {
    /// The connection with these settings. Blocks until one of the brokers takes a connection, or none does within the
    /// dial timeout: that is so for one that was made before, too.
    ///
    /// # Errors
    /// As [`TopicAdmin::new`].
    pub fn get(&self, config: &ProducerConfig) -> Result<Arc<TopicAdmin>, SinkError> {
        let place = self.place(config);
        let mut place = place.lock();
        if let Some(admin) = &*place {
            dial(&config.brokers, config.dial_timeout)?;
            return Ok(Arc::clone(admin));
        }
        let admin = Arc::new(TopicAdmin::new(config)?);
        *place = Some(Arc::clone(&admin));
        Ok(admin)
    }

    /// The place of a connection, which is the newest from now on.
    fn place(&self, config: &ProducerConfig) -> Place {
        let config = config.without_messages();
        let mut kept = self.kept.lock();
        let found = kept.iter().position(|kept| kept.config == config);
        let place = found.map_or_else(Place::default, |found| kept.remove(found).place);
        kept.push(Kept { config, place: Arc::clone(&place), asked: Instant::now() });
        let surplus = kept.len().saturating_sub(LIMIT);
        let gone: Vec<Kept> = kept.drain(..surplus).collect();
        drop(kept);
        let_go(gone);
        place
    }

    /// Lets go of connections that nobody has asked for lately.
    pub fn sweep(&self) {
        let mut kept = self.kept.lock();
        let gone: Vec<Kept> = kept.extract_if(.., |kept| kept.asked.elapsed() >= IDLE).collect();
        drop(kept);
        let_go(gone);
    }
}

/// Ends connections on a thread of their own: the end of one waits for its threads.
fn let_go(gone: Vec<Kept>) {
    if !gone.is_empty() {
        std::thread::spawn(move || drop(gone));
    }
}
