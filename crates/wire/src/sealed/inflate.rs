//! zstd both ways; out of a frame comes never more than was granted, and never from a window larger than that.

use std::cell::RefCell;

use zstd::bulk::Compressor;
use zstd::stream::raw::{DParameter, Decoder, InBuffer, Operation as _, OutBuffer};

use super::{Limits, SealError};

/// Level of compression: the library's usual one.
const LEVEL: i32 = 3;
/// Largest window, as a power of two: 8 MiB, which RFC 8878 §3.1.1.1.2 asks every decoder to allow.
const WINDOW_LOG: u32 = 23;
/// What a small frame may always grow to, whatever the ratio says.
const RATIO_FREE: usize = 64 * 1_024;
/// Bytes that come out of a frame at a time.
const CHUNK: usize = 32 * 1_024;

thread_local! {
    // Making one costs more than a report does, so that each thread keeps its own.
    static COMPRESSOR: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
    static DECODER: RefCell<Option<Decoder<'static>>> = const { RefCell::new(None) };
}

pub(super) fn deflate(content: &[u8]) -> Result<Vec<u8>, SealError> {
    let compress = |kept: &mut Option<Compressor<'static>>| match kept {
        Some(compressor) => compressor.compress(content),
        None => kept.insert(Compressor::new(LEVEL)?).compress(content),
    };
    COMPRESSOR.with_borrow_mut(compress).map_err(|_| SealError::Inflated)
}

pub(super) fn inflate(frame: &[u8], limits: &Limits) -> Result<Vec<u8>, SealError> {
    let most = limits.content.min(frame.len().saturating_mul(limits.ratio).max(RATIO_FREE));
    let decode = |kept: &mut Option<Decoder<'static>>| {
        let decoder = match kept {
            Some(decoder) => {
                decoder.reinit()?;
                decoder
            }
            None => {
                let mut decoder = Decoder::new()?;
                decoder.set_parameter(DParameter::WindowLogMax(WINDOW_LOG))?;
                kept.insert(decoder)
            }
        };
        one_frame(decoder, frame, most)
    };
    // A second frame or rubbish behind the first is nothing that was meant, nor is a frame that ends early.
    DECODER.with_borrow_mut(decode).ok().flatten().ok_or(SealError::Inflated)
}

/// What the one whole frame holds; `None`: more than `most`, or not one whole frame.
fn one_frame(decoder: &mut Decoder<'_>, frame: &[u8], most: usize) -> std::io::Result<Option<Vec<u8>>> {
    let (mut content, mut chunk) = (Vec::new(), [0; CHUNK]);
    let mut input = InBuffer::around(frame);
    loop {
        let mut out = OutBuffer::around(&mut chunk[..]);
        let left = decoder.run(&mut input, &mut out)?;
        let got = out.as_slice();
        if content.len() + got.len() > most || got.is_empty() && left > 0 && input.pos() == frame.len() {
            return Ok(None);
        }
        content.extend_from_slice(got);
        if left == 0 {
            return Ok((input.pos() == frame.len()).then_some(content));
        }
    }
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
