//! Values that are compressed before they are handed over, whatever the producer does to batches.

use std::borrow::Cow;
use std::io::{Read as _, Write as _};

use lz4_flex::frame::{FrameDecoder, FrameEncoder};

use crate::error::EncodeError;

/// First bytes of an LZ4 frame.
const LZ4_MAGIC: [u8; 4] = [0x04, 0x22, 0x4D, 0x18];
/// First bytes of every Canal-JSON message. No block of Snappy begins so: its second byte would be a copy of what is
/// not there yet.
const JSON_START: &[u8] = b"{\"";
/// Largest value that is unpacked, bytes: more than `max-message-bytes` can be.
const LARGEST_VALUE: usize = 1 << 30;
/// What is said of a value that nothing is known of.
const NEITHER: &str = "is neither JSON nor compressed";
/// A block of Snappy holds at most this many times its own bytes: a copy of 64 takes three.
const SNAPPY_BEST: usize = 64;

/// How values are compressed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ValueCompression {
    /// Not at all.
    #[default]
    None,
    /// An LZ4 frame.
    Lz4,
    /// A bare block of Snappy.
    Snappy,
}

impl ValueCompression {
    /// Compresses what is in `out` from `start` on, in place.
    ///
    /// # Errors
    /// If the codec can't: of messages that fit into Kafka none does.
    pub fn compress(self, out: &mut Vec<u8>, start: usize) -> Result<(), EncodeError> {
        let plain = out.get(start..).unwrap_or_default();
        let compressed = match self {
            Self::None => return Ok(()),
            Self::Lz4 => {
                lz4_frame(plain).map_err(|reason| EncodeError::Compression { codec: "lz4", reason })?
            }
            Self::Snappy => snap::raw::Encoder::new()
                .compress_vec(plain)
                .map_err(|e| EncodeError::Compression { codec: "snappy", reason: e.to_string() })?,
        };
        out.truncate(start);
        out.extend_from_slice(&compressed);
        Ok(())
    }
}

/// The plain message of a value that may be compressed: the first bytes tell how.
///
/// # Errors
/// If the value is neither Canal-JSON nor what a codec can read, in words for people.
pub fn decompress(value: &[u8]) -> Result<Cow<'_, [u8]>, String> {
    if value.starts_with(JSON_START) {
        return Ok(Cow::Borrowed(value));
    }
    let plain = if value.starts_with(&LZ4_MAGIC) { from_lz4(value)? } else { from_snappy(value)? };
    // No message is empty.
    if plain.is_empty() { Err(NEITHER.to_owned()) } else { Ok(Cow::Owned(plain)) }
}

/// The content of an LZ4 frame.
fn from_lz4(frame: &[u8]) -> Result<Vec<u8>, String> {
    let mut plain = Vec::new();
    let read = FrameDecoder::new(frame).take(LARGEST_VALUE as u64 + 1).read_to_end(&mut plain);
    read.map_err(|e| format!("is a damaged LZ4 frame: {e}"))?;
    if plain.len() > LARGEST_VALUE { Err("is too large".to_owned()) } else { Ok(plain) }
}

/// The content of a block of Snappy.
fn from_snappy(block: &[u8]) -> Result<Vec<u8>, String> {
    let size = snap::raw::decompress_len(block).unwrap_or(usize::MAX);
    // No block holds more, so no value makes us take memory for nothing.
    if size > LARGEST_VALUE || size / SNAPPY_BEST > block.len() {
        return Err(NEITHER.to_owned());
    }
    snap::raw::Decoder::new().decompress_vec(block).map_err(|_| NEITHER.to_owned())
}

/// An LZ4 frame of some bytes.
fn lz4_frame(plain: &[u8]) -> Result<Vec<u8>, String> {
    let mut encoder = FrameEncoder::new(Vec::with_capacity(plain.len() / 2));
    encoder.write_all(plain).map_err(|e| e.to_string())?;
    encoder.finish().map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn what_is_compressed_comes_back_and_what_was_before_stays() {
        for plain in [b"{}".to_vec(), b"{\"a\":\"aaaaaaaaaaaaaaaaaaaa\"}".repeat(10_000)] {
            let with = |compression: ValueCompression| {
                let mut out = [b"before".as_slice(), &plain].concat();
                compression.compress(&mut out, 6).expect("compressed");
                assert_eq!(&out[..6], b"before");
                out.split_off(6)
            };
            assert_eq!(with(ValueCompression::None), plain);
            let snappy = with(ValueCompression::Snappy);
            assert_eq!(snap::raw::Decoder::new().decompress_vec(&snappy).expect("snappy"), plain);
            let lz4 = with(ValueCompression::Lz4);
            assert_eq!(lz4.get(..4), Some(&0x184d_2204_u32.to_le_bytes()[..]), "the magic number of a frame");
            let mut back = Vec::new();
            lz4_flex::frame::FrameDecoder::new(&*lz4).read_to_end(&mut back).expect("lz4");
            assert_eq!(back, plain);
        }
    }

    #[test]
    fn the_first_bytes_tell_how_a_value_is_compressed() {
        // Of 123 bytes, of which the length alone looks like the beginning of JSON.
        let short = format!("{{\"a\":\"{}\"}}", "x".repeat(115)).into_bytes();
        assert_eq!(short.len(), 123);
        for plain in [short, b"{\"a\":\"aaaaaaaaaaaaaaaaaaaa\"}".repeat(10_000)] {
            for codec in [ValueCompression::None, ValueCompression::Lz4, ValueCompression::Snappy] {
                let mut value = plain.clone();
                codec.compress(&mut value, 0).expect("compressed");
                assert_eq!(decompress(&value).as_deref(), Ok(plain.as_slice()), "{codec:?}");
                if codec != ValueCompression::None {
                    decompress(&value[..value.len() - 5]).expect_err("cut off");
                }
            }
        }
        for wrong in [&b""[..], b"text", b"\xff\xff\xff\xff\x0f", &LZ4_MAGIC] {
            decompress(wrong).expect_err("neither");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let _ = decompress(&bytes);
            let _ = decompress(&[&LZ4_MAGIC[..], &bytes].concat());
        }
    }
}
