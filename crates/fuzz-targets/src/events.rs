//! Frames of the change stream.

use std::collections::HashMap;

use prost::Message as _;
use tikv_cdc::matcher::Matcher;
use tikv_proto::cdcpb::ChangeDataEvent;
use tikv_proto::cdcpb::event::Event as Content;

use crate::bytes::Parts;

/// Registrations that one input may have.
const MAX_REGIONS: usize = 16;

/// Frames, one after another, each through the matcher of its region. Changes come out at most once per row that went
/// in, and not before the resolved ts forbids them.
pub(crate) fn frames(data: &[u8]) {
    let mut parts = Parts(data);
    let mut matchers: HashMap<u64, Option<Matcher>> = HashMap::new();
    let (mut rows, mut changes) = (0_usize, Vec::new());
    while !parts.0.is_empty() {
        let Ok(frame) = ChangeDataEvent::decode(parts.sized()) else { continue };
        for event in frame.events {
            if matchers.len() >= MAX_REGIONS && !matchers.contains_key(&event.region_id) {
                continue;
            }
            let slot = matchers.entry(event.region_id).or_insert_with(|| Some(Matcher::new(1, 1)));
            let Some(matcher) = slot else { continue };
            match event.event {
                Some(Content::Entries(entries)) => {
                    for row in entries.entries {
                        rows += 1;
                        if matcher.on_row(row, &mut changes).is_err() {
                            *slot = None;
                            break;
                        }
                    }
                }
                Some(Content::ResolvedTs(ts)) => {
                    let before = matcher.resolved_ts();
                    matcher.on_resolved(ts);
                    assert!(matcher.resolved_ts() >= before, "the resolved ts never goes back");
                }
                _ => {}
            }
        }
        if let Some(resolved) = frame.resolved_ts {
            for matcher in matchers.values_mut().flatten() {
                matcher.on_resolved(resolved.ts);
            }
        }
    }
    assert!(changes.len() <= rows, "more changes than rows");
}
