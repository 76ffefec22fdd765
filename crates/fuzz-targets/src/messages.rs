//! Whole rows as messages.

use change_format::RowChange;

use crate::bytes::Parts;
use crate::tables::ENCODERS;

/// A row change of one of some tables. A message that comes out is JSON.
pub(crate) fn canal(data: &[u8]) {
    let mut parts = Parts(data);
    let table = usize::from(parts.byte()) % ENCODERS.len();
    let (key, old_value) = (parts.sized(), parts.sized());
    let row = RowChange { start_ts: 1 << 40, commit_ts: (1 << 40) + 1, key, value: parts.0, old_value };
    for encoder in ENCODERS.get(table).into_iter().flatten() {
        let mut out = Vec::new();
        if encoder.encode(&row, 1, &mut out).is_err() {
            assert!(out.is_empty(), "an error leaves nothing behind");
        } else if !out.is_empty() {
            let value: Result<serde::de::IgnoredAny, _> = serde_json::from_slice(&out);
            assert!(value.is_ok(), "{}", String::from_utf8_lossy(&out));
        }
        let _ = encoder.splits(&row, &mut Vec::new());
    }
}
