//! Watermarks: everything up to a timestamp has been sent.

use crate::message_time;

/// A watermark message as JSON; `now_ms` is the wall clock in milliseconds since 1970.
pub fn encode_watermark(watermark_ts: u64, now_ms: u64) -> Vec<u8> {
    let mut out = Vec::with_capacity(WATERMARK_LEN);
    out.extend_from_slice(
        br#"{"id":0,"database":"","table":"","pkNames":null,"isDdl":false,"type":"TIDB_WATERMARK","es":"#,
    );
    message_time::write_u64(message_time::physical_ms(watermark_ts), &mut out);
    out.extend_from_slice(br#","ts":"#);
    message_time::write_u64(now_ms, &mut out);
    out.extend_from_slice(
        br#","sql":"","sqlType":null,"mysqlType":null,"data":null,"old":null,"_tidb":{"watermarkTs":"#,
    );
    message_time::write_u64(watermark_ts, &mut out);
    out.extend_from_slice(b"}}");
    out
}

/// Bytes of a watermark message, about.
const WATERMARK_LEN: usize = 240;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn watermark_is_as_recorded() {
        let json = String::from_utf8(encode_watermark(470_640_190_347_280_391, 1_795_349_849_363)).unwrap();
        assert_eq!(
            json,
            concat!(
                r#"{"id":0,"database":"","table":"","pkNames":null,"isDdl":false,"type":"TIDB_WATERMARK","#,
                r#""es":1795349847211,"ts":1795349849363,"sql":"","sqlType":null,"mysqlType":null,"data":null,"#,
                r#""old":null,"_tidb":{"watermarkTs":470640190347280391}}"#
            )
        );
    }
}
