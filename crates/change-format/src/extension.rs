//! The member `_tidb` of row messages.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tidb_codec::key;

use crate::{MessageForm, RowChange, json_string, message_time};

/// Appends `_tidb`.
pub(crate) fn write(row: &RowChange<'_>, form: MessageForm<'_>, with_row_key: bool, out: &mut Vec<u8>) {
    out.extend_from_slice(br#","_tidb":{"commitTs":"#);
    message_time::write_u64(row.commit_ts, out);
    match form {
        MessageForm::Full => {}
        MessageForm::HandleKeyOnly => out.extend_from_slice(br#","onlyHandleKey":true"#),
        MessageForm::ClaimCheck(place) => {
            out.extend_from_slice(br#","claimCheckLocation":"#);
            json_string::write_text(place.as_bytes(), out);
        }
    }
    if with_row_key {
        out.extend_from_slice(br#","rowkey":""#);
        write_base64(key::strip_keyspace(row.key), out);
        out.push(b'"');
    }
    out.push(b'}');
}

/// Appends standard base64 without a buffer of its own.
fn write_base64(bytes: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + bytes.len().div_ceil(3) * 4, b'=');
    let written = out.get_mut(start..).map(|target| STANDARD.encode_slice(bytes, target));
    debug_assert!(matches!(written, Some(Ok(_))), "the target has the size of the encoded form");
}
