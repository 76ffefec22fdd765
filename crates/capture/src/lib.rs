//! The capture process: owner election, HTTP API, metrics.
