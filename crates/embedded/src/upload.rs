//! A debug log on its way to the server: part by part, going on wherever the server says that it ended.

use std::io;

use wire::command::Taken;
use wire::monitor::{LogBody, UploadState};
use wire::{Body, Subject, cbor};

use crate::call::What;
use crate::{Answer, Call, Crypto, Flash, Moment, Monitor};

/// Bytes of a part.
const PART: usize = 64 * 1024;

/// The log, and how much of it has arrived.
#[derive(Debug)]
pub(crate) struct Upload {
    order: Subject,
    log: Vec<u8>,
    name: String,
    body: LogBody,
    offset: usize,
}

impl<F: Flash, C: Crypto> Monitor<F, C> {
    /// Uploads a log for the order that asked for it; its message and the answer to the order follow by themselves. The log
    /// stays in memory meanwhile; after a loss of power the firmware calls this again, and what has arrived is not sent twice.
    pub fn upload(&mut self, order: Subject, log: Vec<u8>, from_ms: i64, to_ms: i64) {
        let sha256 = self.crypto.sha256(&log);
        let name = sha256.iter().map(|byte| format!("{byte:02x}")).collect();
        let size_bytes = u64::try_from(log.len()).unwrap_or(u64::MAX);
        let body = LogBody { sha256: sha256.to_vec(), size_bytes, from_ms, to_ms };
        self.upload = Some(Upload { order, log, name, body, offset: 0 });
    }

    /// The next part.
    pub(crate) fn next_upload(&self, now: Moment, sender: Subject) -> Option<Call> {
        let upload = self.upload.as_ref()?;
        let rest = &upload.log[upload.offset.min(upload.log.len())..];
        let part = rest[..rest.len().min(PART)].to_vec();
        let complete = if part.len() == rest.len() { "?1" } else { "?0" };
        let path = format!("/d/v1/blob/{}", upload.name);
        let mut call = self.call(now, sender, "PUT", path, part, What::Upload);
        call.headers.retain(|(name, _)| *name != "content-type");
        call.headers.push(("upload-offset", upload.offset.to_string()));
        call.headers.push(("upload-complete", complete.to_owned()));
        Some(call)
    }

    /// Where the server says that it goes on; once it is whole, its message.
    pub(crate) fn on_upload(&mut self, now: Moment, answer: &Answer) -> io::Result<()> {
        let (Ok(state), Some(upload)) = (cbor::decode::<UploadState>(&answer.body), &mut self.upload) else {
            return Ok(());
        };
        upload.offset = usize::try_from(state.offset).unwrap_or(usize::MAX).min(upload.log.len());
        if !state.whole {
            return Ok(());
        }
        let (order, body) = (upload.order, upload.body.clone());
        self.upload = None;
        self.tell(now, Body::DebugLog(body))?;
        self.done(order, Taken::Done, None)
    }

    /// The server will never take it.
    pub(crate) fn upload_refused(&mut self, status: u16) -> io::Result<()> {
        let Some(upload) = self.upload.take() else { return Ok(()) };
        self.done(upload.order, Taken::Failed, Some(format!("the server refused the log: {status}")))
    }
}
