//! Values that are compressed before they are handed over, whatever the producer does to batches.

use std::io::Write as _;

use lz4_flex::frame::FrameEncoder;

use crate::error::EncodeError;

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
}
