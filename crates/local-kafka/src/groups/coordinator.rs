//! All groups of the broker: finds or creates the group a request speaks of, and drives time.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kafka_protocol::ResponseError;
use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::group::Group;
use super::member::{JoinReply, SyncReply};
use super::requests::{GroupView, JoinInput, Leaving, SyncInput};
use crate::limits::MAX_GROUPS;

/// A group with the bell of its clock task.
#[derive(Debug)]
struct Slot {
    /// The group.
    group: Mutex<Group>,
    /// Rung after every change, as the next deadline may have moved.
    changed: Notify,
}

/// The groups which have, or recently had, members.
#[derive(Debug)]
pub(crate) struct Coordinator {
    /// By group id. Locked before a group.
    groups: Mutex<HashMap<String, Arc<Slot>>>,
    /// Time in which the first members of a group gather.
    initial_delay: Duration,
    /// Clock tasks.
    clocks: TaskTracker,
    /// The broker stops.
    stopping: CancellationToken,
}

impl Coordinator {
    /// A coordinator without groups.
    pub(crate) fn new(initial_delay: Duration, stopping: CancellationToken) -> Arc<Self> {
        let (groups, clocks) = (Mutex::new(HashMap::new()), TaskTracker::new());
        Arc::new(Self { groups, initial_delay, clocks, stopping })
    }

    /// Joins a group, creating it if needed. The answer may come at the end of a rebalance.
    pub(crate) fn join(self: &Arc<Self>, group_id: &str, input: JoinInput) -> oneshot::Receiver<JoinReply> {
        let (reply, answer) = oneshot::channel();
        let member_id = input.member_id.clone();
        match self.get_or_create(group_id) {
            Some(slot) => self.with(&slot, |group| group.join(input, Instant::now(), reply)),
            None => drop(reply.send(Err((ResponseError::CoordinatorNotAvailable, member_id)))),
        }
        answer
    }

    /// SyncGroup. The answer may come with the leader's assignment.
    pub(crate) fn sync(&self, group_id: &str, input: SyncInput) -> oneshot::Receiver<SyncReply> {
        let (reply, answer) = oneshot::channel();
        match self.get(group_id) {
            Some(slot) => self.with(&slot, |group| group.sync(input, Instant::now(), reply)),
            None => drop(reply.send(Err(ResponseError::UnknownMemberId))),
        }
        answer
    }

    /// Heartbeat of a member.
    pub(crate) fn heartbeat(
        &self,
        group_id: &str,
        member_id: &str,
        instance_id: Option<&str>,
        generation: i32,
    ) -> Result<(), ResponseError> {
        let slot = self.get(group_id).ok_or(ResponseError::UnknownMemberId)?;
        self.with(&slot, |group| group.heartbeat(member_id, instance_id, generation, Instant::now()))
    }

    /// Members leave a group; one outcome per member.
    pub(crate) fn leave(&self, group_id: &str, leaving: &[Leaving]) -> Vec<Result<(), ResponseError>> {
        let Some(slot) = self.get(group_id) else {
            return leaving.iter().map(|_| Err(ResponseError::UnknownMemberId)).collect();
        };
        self.with(&slot, |group| leaving.iter().map(|l| group.leave(l, Instant::now())).collect())
    }

    /// Whether an offset commit is allowed.
    pub(crate) fn check_commit(
        &self,
        group_id: &str,
        member_id: &str,
        instance_id: Option<&str>,
        generation: i32,
    ) -> Result<(), ResponseError> {
        match self.get(group_id) {
            Some(slot) => self
                .with(&slot, |group| group.check_commit(member_id, instance_id, generation, Instant::now())),
            None if generation < 0 => Ok(()),
            None => Err(ResponseError::IllegalGeneration),
        }
    }

    /// The connection of a member broke.
    pub(crate) fn disconnected(&self, group_id: &str, member_id: &str) {
        if let Some(slot) = self.get(group_id) {
            self.with(&slot, |group| group.disconnected(member_id, Instant::now()));
        }
    }

    /// A group as DescribeGroups shows it; `None` if it has no members and had none recently.
    pub(crate) fn view(&self, group_id: &str) -> Option<GroupView> {
        self.get(group_id).map(|slot| slot.group.lock().view())
    }

    /// All groups.
    pub(crate) fn views(&self) -> Vec<(String, GroupView)> {
        let slots: Vec<_> = self.groups.lock().iter().map(|(id, s)| (id.clone(), Arc::clone(s))).collect();
        slots.into_iter().map(|(id, slot)| (id, slot.group.lock().view())).collect()
    }

    /// Whether a group has members.
    pub(crate) fn has_members(&self, group_id: &str) -> bool {
        self.view(group_id).is_some_and(|v| !v.members.is_empty())
    }

    /// Ends the clock tasks; the stop token has to be cancelled before.
    pub(crate) async fn stop(&self) {
        self.clocks.close();
        self.clocks.wait().await;
    }

    /// Changes a group, then lets its clock look at the deadlines.
    fn with<T>(&self, slot: &Slot, change: impl FnOnce(&mut Group) -> T) -> T {
        let result = change(&mut slot.group.lock());
        slot.changed.notify_one();
        result
    }

    /// A known group.
    fn get(&self, group_id: &str) -> Option<Arc<Slot>> {
        self.groups.lock().get(group_id).cloned()
    }

    /// A known or new group; `None` if there are too many.
    fn get_or_create(self: &Arc<Self>, group_id: &str) -> Option<Arc<Slot>> {
        let mut groups = self.groups.lock();
        if let Some(slot) = groups.get(group_id) {
            return Some(Arc::clone(slot));
        }
        if groups.len() >= MAX_GROUPS {
            return None;
        }
        let group = Mutex::new(Group::new(self.initial_delay));
        let slot = Arc::new(Slot { group, changed: Notify::new() });
        groups.insert(group_id.to_owned(), Arc::clone(&slot));
        let clock = Arc::clone(self).run_clock(group_id.to_owned(), Arc::clone(&slot));
        self.clocks.spawn(clock);
        Some(slot)
    }

    /// Calls the group at its deadlines until it is idle and forgotten.
    async fn run_clock(self: Arc<Self>, group_id: String, slot: Arc<Slot>) {
        loop {
            // The first change of a new group is announced before it could be taken for idle.
            let deadline = slot.group.lock().next_deadline();
            tokio::select! {
                () = self.stopping.cancelled() => return,
                () = slot.changed.notified() => {}
                () = at(deadline) => {}
            }
            slot.group.lock().tick(Instant::now());
            let mut groups = self.groups.lock();
            // Nobody else holds the slot, or somebody is about to change it and will announce that.
            let unused = Arc::strong_count(&slot) == 2;
            if unused && slot.group.lock().is_idle() {
                groups.remove(&group_id);
                return;
            }
        }
    }
}

/// Returns at `deadline`, or never.
async fn at(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}
