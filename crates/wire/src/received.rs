//! A report beside the bytes that it came in, so that each of its messages can be kept as it was told.

use std::ops::Range;

use bytes::Bytes;
use minicbor::{Decoder, data::Type, decode};

use crate::report::{Message, Report};
use crate::{cbor, packing};

/// A report with the bytes of its messages.
#[derive(Clone, Debug)]
pub struct Received {
    report: Report,
    /// Where the messages stand in `bytes`.
    places: Vec<Range<usize>>,
    bytes: Bytes,
    frame: Option<Bytes>,
}

impl Received {
    /// Reads a report of CBOR.
    ///
    /// # Errors
    /// When the bytes are not exactly one report.
    pub fn read(bytes: Bytes) -> Result<Self, cbor::Error> {
        let (report, places) = whole(&bytes, report)?;
        Ok(Self { report, places, bytes, frame: None })
    }

    /// As [`Received::read`], of a body that was compressed: `frame` is what came, `bytes` what was in it.
    ///
    /// # Errors
    /// As there.
    pub fn read_packed(bytes: Bytes, frame: Bytes) -> Result<Self, cbor::Error> {
        let received = Self::read(bytes)?;
        let saves = frame.len() <= received.bytes.len() / 2;
        // Only what says its size truly, and is one frame, can be read back in one go.
        let whole = saves && packing::told_size(&frame) == Some(received.bytes.len());
        Ok(Self { frame: Some(frame).filter(|_| whole), ..received })
    }

    /// The report.
    #[must_use]
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// The report, its messages apart with the CBOR of each, and the compressed document as a whole, where it came as one
    /// that is worth keeping.
    #[must_use]
    pub fn into_parts(mut self) -> (Report, Vec<(Message, Bytes)>, Option<Bytes>) {
        let messages = std::mem::take(&mut self.report.messages);
        let told = messages.into_iter().zip(self.places).map(|(message, place)| (message, self.bytes.slice(place)));
        (self.report, told.collect(), self.frame)
    }
}

/// A report that came by another way than CBOR, or was made here.
impl From<Report> for Received {
    fn from(report: Report) -> Self {
        let (mut bytes, mut places) = (Vec::new(), Vec::with_capacity(report.messages.len()));
        for message in &report.messages {
            let start = bytes.len();
            minicbor::encode(message, &mut bytes).expect("writing to memory does not fail");
            places.push(start..bytes.len());
        }
        Self { report, places, bytes: bytes.into(), frame: None }
    }
}

/// The messages of a whole report, or of an array of messages; each with its place in the bytes.
///
/// # Errors
/// When the bytes are neither.
pub fn messages_in(bytes: &[u8]) -> Result<Vec<(Message, Range<usize>)>, cbor::Error> {
    let (messages, places) = match Decoder::new(bytes).datatype()? {
        Type::Array | Type::ArrayIndef => whole(bytes, messages)?,
        _ => whole(bytes, report).map(|(report, places)| (report.messages, places))?,
    };
    Ok(messages.into_iter().zip(places).collect())
}

/// What was read, and where its messages stand.
type Placed<T> = (T, Vec<Range<usize>>);

/// Reads exactly one item.
fn whole<'b, T>(
    bytes: &'b [u8],
    read: impl FnOnce(&mut Decoder<'b>, &mut ()) -> Result<T, decode::Error>,
) -> Result<T, cbor::Error> {
    let mut d = Decoder::new(bytes);
    let value = read(&mut d, &mut ())?;
    match bytes.len() - d.position() {
        0 => Ok(value),
        left => Err(cbor::Error::Trailing(left)),
    }
}

/// Reads a report in one walk. Of a field that is told twice the last counts.
pub(crate) fn report<'b, C>(d: &mut Decoder<'b>, ctx: &mut C) -> Result<Placed<Report>, decode::Error> {
    let at = d.position();
    let missing = |field: &str| decode::Error::message(format!("a report without {field}")).at(at);
    let (mut version, mut sender, mut epoch, mut clock_ms, mut mono_ms) = (None, None, None, None, None);
    let (mut told, mut plan_revision, mut fields) = (None, 0, d.map()?);
    while more(d, &mut fields)? {
        match d.u64()? {
            1 => version = Some(d.u8()?),
            2 => sender = Some(d.decode_with(ctx)?),
            3 => epoch = Some(d.u64()?),
            4 => clock_ms = Some(d.i64()?),
            5 => mono_ms = Some(d.u64()?),
            7 => told = Some(messages(d, ctx)?),
            8 => plan_revision = d.u64()?,
            _ => d.skip()?,
        }
    }
    let (messages, places) = told.ok_or_else(|| missing("messages"))?;
    let report = Report {
        version: version.ok_or_else(|| missing("a version"))?,
        sender: sender.ok_or_else(|| missing("a sender"))?,
        epoch: epoch.ok_or_else(|| missing("an epoch"))?,
        clock_ms: clock_ms.ok_or_else(|| missing("a clock"))?,
        mono_ms: mono_ms.ok_or_else(|| missing("a monotonic clock"))?,
        messages,
        plan_revision,
    };
    Ok((report, places))
}

fn messages<'b, C>(d: &mut Decoder<'b>, ctx: &mut C) -> Result<Placed<Vec<Message>>, decode::Error> {
    let (mut all, mut places, mut left) = (Vec::new(), Vec::new(), d.array()?);
    while more(d, &mut left)? {
        let start = d.position();
        all.push(d.decode_with(ctx)?);
        places.push(start..d.position());
    }
    Ok((all, places))
}

/// Whether another item follows; `left` counts them where the length was told.
fn more(d: &mut Decoder<'_>, left: &mut Option<u64>) -> Result<bool, decode::Error> {
    match left {
        Some(0) => Ok(false),
        Some(left) => {
            *left -= 1;
            Ok(true)
        }
        None if d.datatype()? == Type::Break => {
            d.skip()?;
            Ok(false)
        }
        None => Ok(true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::monitor::EventBody;
    use crate::{Body, Subject};

    fn report(count: u64) -> Report {
        let body = |seq: u64| Body::Error(EventBody { code: format!("E{seq}"), ..EventBody::default() });
        let message = |seq| Message { seq, taken_ms: 5, subject: None, body: body(seq) };
        let messages = (0..count).map(message).collect();
        Report { version: 1, sender: Subject([7; 16]), epoch: 3, clock_ms: 9, mono_ms: 1, messages, plan_revision: 2 }
    }

    #[test]
    fn messages_stand_where_they_were_read() {
        let report = report(40);
        let received = Received::read(cbor::encode(&report).into()).unwrap();
        assert_eq!(received.report(), &report);
        let (_, told, frame) = received.into_parts();
        assert!(frame.is_none());
        for ((message, bytes), expected) in told.iter().zip(&report.messages) {
            assert_eq!((message, cbor::decode::<Message>(bytes).unwrap()), (expected, expected.clone()));
        }
        assert_eq!(told.len(), 40);
        let array = cbor::encode(&report.messages);
        for bytes in [&array, &cbor::encode(&report)] {
            for ((message, place), expected) in messages_in(bytes).unwrap().into_iter().zip(&report.messages) {
                assert_eq!((&message, &bytes[place]), (expected, &*cbor::encode(expected)));
            }
        }
        let (_, made, _) = Received::from(report).into_parts();
        assert_eq!(made, told);
    }

    #[test]
    fn bytes_are_kept_as_told_however_they_were_written() {
        let message = cbor::encode(&report(1).messages[0]);
        // An indefinite map of a report that tells its messages first, in an indefinite list, and what nobody knows.
        let mut bytes = vec![0xbf, 7, 0x9f];
        // The message with its body before its kind, and a field of a later version.
        let told = [&[0xa5, 5, 0xa1, 0, 0x62, b'E', b'0', 1, 0, 2, 1, 3, 0x18, 5, 9, 0xf6][..]].concat();
        bytes.extend(&told);
        bytes.extend([0xff, 0x18, 99, 0x80, 1, 1, 2, 0x50]);
        bytes.extend([7; 16]);
        bytes.extend([3, 3, 4, 9, 5, 1, 8, 2, 0xff]);
        let received = Received::read(bytes.into()).unwrap();
        assert_eq!(received.report(), &report(1));
        let (_, parts, _) = received.into_parts();
        assert_eq!(parts[0].1, told);
        assert_ne!(parts[0].1, message);
    }

    #[test]
    fn a_frame_is_kept_if_it_is_true_and_worth_it() {
        let bytes = Bytes::from(cbor::encode(&report(100)));
        let frame = |bytes: &[u8]| Bytes::from(packing::pack(bytes, packing::USUAL).unwrap());
        let kept = |frame| Received::read_packed(bytes.clone(), frame).unwrap().into_parts().2.is_some();
        assert!(kept(frame(&bytes)));
        assert!(!kept([frame(&bytes[..9]), frame(&bytes[9..])].concat().into()), "two frames");
        assert!(!kept(vec![0; 40].into()), "no frame");
        let small = Bytes::from(cbor::encode(&report(1)));
        assert!(Received::read_packed(small.clone(), frame(&small)).unwrap().into_parts().2.is_none(), "not worth it");
    }
}
