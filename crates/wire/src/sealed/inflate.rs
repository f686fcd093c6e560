//! zstd both ways; out of a frame comes never more than was granted, and never from a window larger than that.

use std::io::Read as _;

use super::{Limits, SealError};

/// Level of compression: the library's usual one.
const LEVEL: i32 = 3;
/// Largest window, as a power of two: 8 MiB, which RFC 8878 §3.1.1.1.2 asks every decoder to allow.
const WINDOW_LOG: u32 = 23;
/// What a small frame may always grow to, whatever the ratio says.
const RATIO_FREE: usize = 64 * 1_024;

pub(super) fn deflate(content: &[u8]) -> Result<Vec<u8>, SealError> {
    zstd::bulk::compress(content, LEVEL).map_err(|_| SealError::Inflated)
}

pub(super) fn inflate(frame: &[u8], limits: &Limits) -> Result<Vec<u8>, SealError> {
    let most = limits.content.min(frame.len().saturating_mul(limits.ratio).max(RATIO_FREE));
    let mut decoder = zstd::stream::Decoder::with_buffer(frame).map_err(|_| SealError::Inflated)?.single_frame();
    decoder.window_log_max(WINDOW_LOG).map_err(|_| SealError::Inflated)?;
    let mut content = Vec::new();
    (&mut decoder).take(most as u64 + 1).read_to_end(&mut content).map_err(|_| SealError::Inflated)?;
    // A second frame or rubbish behind the first is nothing that was meant.
    let whole = content.len() <= most && decoder.finish().is_empty();
    if whole { Ok(content) } else { Err(SealError::Inflated) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bomb_is_stopped_where_the_limit_says() {
        let bomb = deflate(&vec![0; 32 << 20]).unwrap();
        assert!(bomb.len() < 8_192, "{}", bomb.len());
        assert_eq!(inflate(&bomb, &Limits::default()), Err(SealError::Inflated));
    }

    #[test]
    fn only_one_whole_frame_is_content() {
        let frame = deflate(b"report").unwrap();
        assert_eq!(inflate(&frame, &Limits::default()).unwrap(), b"report");
        for wrong in [&frame[..frame.len() - 1], &[frame.as_slice(), b"x"].concat(), &frame.repeat(2), b"", b"no"] {
            assert_eq!(inflate(wrong, &Limits::default()), Err(SealError::Inflated));
        }
    }
}
