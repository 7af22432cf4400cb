//! The client's side of compression (RFC 4978), with a window that lasts from line to line, as clients have it.

use miniz_oxide::deflate::core::{CompressorOxide, TDEFLFlush, compress_to_output};
use miniz_oxide::inflate::stream::{InflateState, inflate};
use miniz_oxide::{DataFormat, MZFlush};

/// Both directions of one connection.
pub struct Deflated {
    compressor: Box<CompressorOxide>,
    decompressor: Box<InflateState>,
}

impl Default for Deflated {
    fn default() -> Self {
        let mut compressor = Box::<CompressorOxide>::default();
        compressor.set_format_and_level(DataFormat::Raw, 6);
        Self { compressor, decompressor: InflateState::new_boxed(DataFormat::Raw) }
    }
}

impl Deflated {
    /// What is to be sent for this.
    pub fn compress(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut compressed = Vec::new();
        compress_to_output(&mut self.compressor, bytes, TDEFLFlush::Sync, |piece| {
            compressed.extend_from_slice(piece);
            true
        });
        compressed
    }

    /// What the server says with this.
    pub fn decompress(&mut self, mut compressed: &[u8]) -> Result<Vec<u8>, String> {
        let (mut bytes, mut buffer) = (Vec::new(), vec![0; 64 * 1024]);
        loop {
            let done = inflate(&mut self.decompressor, compressed, &mut buffer, MZFlush::None);
            if done.bytes_consumed == 0 && done.bytes_written == 0 {
                let whole = compressed.is_empty();
                return whole
                    .then_some(bytes)
                    .ok_or_else(|| "what the server sends is not compressed".into());
            }
            bytes.extend_from_slice(&buffer[..done.bytes_written]);
            compressed = &compressed[done.bytes_consumed..];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_says_the_other_understands_and_clear_text_nobody() {
        let (mut client, mut server) = (Deflated::default(), Deflated::default());
        let long = "* OK one two\r\n".repeat(20_000);
        for line in ["a1 NOOP\r\n", "a2 NOOP\r\n", &long] {
            let sent = client.compress(line.as_bytes());
            assert_eq!(server.decompress(&sent).as_deref(), Ok(line.as_bytes()));
        }
        assert!(server.decompress(b"a3 NOOP\r\n").is_err());
    }
}
