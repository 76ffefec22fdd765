//! Orders row changes by commit-ts within a memory quota, spilling to sorted runs.
