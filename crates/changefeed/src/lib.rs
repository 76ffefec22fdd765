//! Changefeeds: configuration, pipeline, barrier, checkpoint, state machine, metadata.
