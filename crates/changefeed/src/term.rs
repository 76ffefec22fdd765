//! The time in which this process is the owner.

use tikv_client::etcd::Validity;
use tokio_util::sync::CancellationToken;

/// A term. The default one does not end.
#[derive(Debug, Clone, Default)]
pub struct Term {
    /// Cancelled when another process may be the owner.
    lost: CancellationToken,
    /// How long the lease lasts on which the term rests.
    lease: Option<Validity>,
}

impl Term {
    /// A term that rests on a lease.
    pub fn new(lease: Validity) -> Self {
        Self { lost: CancellationToken::new(), lease: Some(lease) }
    }

    /// Ends the term: another process may be the owner.
    pub fn end(&self) {
        self.lost.cancel();
    }

    /// Waits for the end.
    pub(crate) async fn ended(&self) {
        self.lost.cancelled().await;
    }

    /// Whether it has ended. Looks at the clock: a process that was stopped knows at its first step.
    pub(crate) fn is_over(&self) -> bool {
        self.lost.is_cancelled() || self.lease.as_ref().is_some_and(Validity::is_over)
    }
}
