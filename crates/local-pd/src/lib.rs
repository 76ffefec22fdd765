//! Embedded placement driver: timestamps, regions, metadata.
