//! zstd both ways; out of a frame comes never more than was granted, and never from a window larger than that.
//! Contexts cost more to make than a report does to pack, so that each thread keeps its own.

use std::cell::RefCell;

use zstd::stream::raw::{DParameter, Decoder, InBuffer, Operation as _, OutBuffer};
use zstd::zstd_safe::{CCtx, DCtx, compress_bound, find_frame_compressed_size, get_frame_content_size};

/// The library's usual level.
pub const USUAL: i32 = 3;
/// The fastest level that still finds most of what repeats in a report.
pub const FAST: i32 = 1;

/// Largest window, as a power of two: 8 MiB, which RFC 8878 §3.1.1.1.2 asks every decoder to allow.
const WINDOW_LOG: u32 = 23;
/// Bytes that come out at a time of a frame that does not say its size.
const CHUNK: usize = 32 * 1_024;

thread_local! {
    static COMPRESSOR: RefCell<CCtx<'static>> = RefCell::new(CCtx::create());
    static DECOMPRESSOR: RefCell<DCtx<'static>> = RefCell::new(DCtx::create());
    static STREAM: RefCell<Option<Decoder<'static>>> = const { RefCell::new(None) };
}

/// Why nothing came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// More would have come out than was granted.
    #[error("it grows beyond the {0} bytes that are allowed")]
    TooLarge(usize),
    /// Rubbish, the beginning of a frame, or something behind the frame.
    #[error("it is no whole frame of zstd")]
    Broken,
}

/// Compresses into one frame that says its size; `None` where memory ends.
#[must_use]
pub fn pack(content: &[u8], level: i32) -> Option<Vec<u8>> {
    let mut frame = Vec::with_capacity(compress_bound(content.len()));
    COMPRESSOR.with_borrow_mut(|compressor| compressor.compress(&mut frame, content, level)).ok()?;
    frame.shrink_to_fit();
    Some(frame)
}

/// The content of exactly one frame, at most `most` bytes. The caller derives `most` from what it has received.
///
/// # Errors
/// As [`Error`] says.
pub fn unpack(frame: &[u8], most: usize) -> Result<Vec<u8>, Error> {
    match find_frame_compressed_size(frame) {
        Ok(length) if length == frame.len() => one(frame, most),
        _ => Err(Error::Broken),
    }
}

/// The content of one or more frames, as an HTTP body may have them.
///
/// # Errors
/// As [`Error`] says.
pub fn unpack_all(mut frames: &[u8], most: usize) -> Result<Vec<u8>, Error> {
    let mut all = Vec::new();
    loop {
        let length = find_frame_compressed_size(frames).map_err(|_| Error::Broken)?;
        let (frame, rest) = frames.split_at_checked(length).ok_or(Error::Broken)?;
        let content = one(frame, most - all.len()).map_err(|error| match error {
            Error::TooLarge(_) => Error::TooLarge(most),
            Error::Broken => error,
        })?;
        all = if all.is_empty() { content } else { [all, content].concat() };
        if rest.is_empty() {
            return Ok(all);
        }
        frames = rest;
    }
}

/// What the header of a frame says will come out of it.
#[must_use]
pub fn told_size(frame: &[u8]) -> Option<usize> {
    get_frame_content_size(frame).ok().flatten().and_then(|size| usize::try_from(size).ok())
}

fn one(frame: &[u8], most: usize) -> Result<Vec<u8>, Error> {
    let Some(size) = told_size(frame) else { return streamed(frame, most) };
    if size > most {
        return Err(Error::TooLarge(most));
    }
    let mut content = Vec::with_capacity(size);
    let got = DECOMPRESSOR.with_borrow_mut(|decompressor| decompressor.decompress(&mut content, frame));
    got.map(|_| content).map_err(|_| Error::Broken)
}

/// A frame that does not say its size.
fn streamed(frame: &[u8], most: usize) -> Result<Vec<u8>, Error> {
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
        pour(decoder, frame, most)
    };
    STREAM.with_borrow_mut(decode).unwrap_or(Err(Error::Broken))
}

fn pour(decoder: &mut Decoder<'_>, frame: &[u8], most: usize) -> std::io::Result<Result<Vec<u8>, Error>> {
    let (mut content, mut chunk) = (Vec::new(), vec![0; CHUNK]);
    let mut input = InBuffer::around(frame);
    loop {
        let mut out = OutBuffer::around(&mut chunk[..]);
        let left = decoder.run(&mut input, &mut out)?;
        let got = out.as_slice();
        if content.len() + got.len() > most {
            return Ok(Err(Error::TooLarge(most)));
        }
        if got.is_empty() && left > 0 && input.pos() == frame.len() {
            return Ok(Err(Error::Broken));
        }
        content.extend_from_slice(got);
        if left == 0 {
            return Ok(Ok(content));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    const MOST: usize = 1 << 20;

    /// As a sender writes it that does not know the end.
    fn unsized_frame(content: &[u8]) -> Vec<u8> {
        let mut encoder = zstd::stream::Encoder::new(Vec::new(), USUAL).unwrap();
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn a_bomb_is_stopped_whether_or_not_it_says_its_size() {
        let content = vec![0; 32 << 20];
        for bomb in [pack(&content, USUAL).unwrap(), unsized_frame(&content)] {
            assert!(bomb.len() < 8_192, "{}", bomb.len());
            assert_eq!(unpack(&bomb, MOST), Err(Error::TooLarge(MOST)));
        }
    }

    #[test]
    fn only_one_whole_frame_is_content() {
        for frame in [pack(b"report", USUAL).unwrap(), unsized_frame(b"report")] {
            assert_eq!(unpack(&frame, MOST).unwrap(), b"report");
            for wrong in [&frame[..frame.len() - 1], &[frame.as_slice(), b"x"].concat(), &frame.repeat(2), b"", b"no"] {
                assert_eq!(unpack(wrong, MOST), Err(Error::Broken));
            }
        }
    }

    #[test]
    fn frames_may_follow_each_other_where_they_are_allowed_to() {
        let frames = [pack(b"re", FAST).unwrap(), unsized_frame(b"po"), pack(b"rt", USUAL).unwrap()].concat();
        assert_eq!(unpack_all(&frames, MOST).unwrap(), b"report");
        assert_eq!(unpack_all(&frames, 5), Err(Error::TooLarge(5)));
        assert_eq!(unpack_all(&frames[..frames.len() - 1], MOST), Err(Error::Broken));
        assert_eq!(unpack_all(b"", MOST), Err(Error::Broken));
    }

    #[test]
    fn a_size_that_is_a_lie_is_refused() {
        let mut frame = pack(&[7; 100], USUAL).unwrap();
        assert_eq!(told_size(&frame), Some(100));
        // Magic number, descriptor, then the size in one byte (RFC 8878 §3.1.1.1).
        frame[5] = 99;
        assert_eq!(told_size(&frame), Some(99));
        assert_eq!(unpack(&frame, MOST), Err(Error::Broken));
    }
}
