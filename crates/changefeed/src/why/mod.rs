//! What holds the checkpoint of a changefeed: [`explain`] turns what is known into an answer for people and programs.
//!
//! The facts are a snapshot, taken by the event loop of the changefeed when it is asked (`inquiry`); nothing is
//! collected when nobody asks. The decision has no I/O.

mod answer;
mod decide;
mod facts;
mod region;
#[cfg(test)]
mod tests;

pub use answer::{
    DdlAnswer, ErrorAnswer, KafkaAnswer, LockAnswer, Reason, RegionAnswer, SorterAnswer, Stage, TableAnswer,
    Why,
};
pub(crate) use decide::explain;
pub(crate) use facts::{
    Activity, DdlFacts, Facts, RunFacts, SinkFacts, SorterFacts, StartStep, StoreFacts, TableFacts,
};
