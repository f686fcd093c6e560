//! Notes when datagrams come and answers none. The kernel stamps them on arrival, so that a reader who is late does not
//! blame the sender.

use std::ffi::OsString;
use std::io::IoSliceMut;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, bail};
use nix::cmsg_space;
use nix::sys::socket::{
    AddressFamily, ControlMessageOwned, MsgFlags, SockFlag, SockType, SockaddrIn, bind, getsockname, recvmsg,
    setsockopt, socket, sockopt,
};
use nix::sys::time::{TimeSpec, TimeVal, TimeValLike};

use super::load::{LoadArgs, Loaded};
use super::{leave, until_closed};
use crate::exit::Exit;

/// Notes microseconds until standard input closes, then writes them to `path`.
pub(super) fn run(args: &LoadArgs, path: &Path) -> Result<Exit> {
    let socket = open(args.port).context("cannot listen on the loopback device")?;
    let port = getsockname::<SockaddrIn>(socket.as_raw_fd())?.port();
    leave(&args.ready_file, &Loaded { port })?;
    let closed = Arc::new(AtomicBool::new(false));
    let shut = Arc::clone(&closed);
    std::thread::spawn(move || {
        until_closed();
        shut.store(true, Ordering::Release);
    });
    let mut stamps = Vec::<u64>::new();
    while !closed.load(Ordering::Acquire) {
        stamps.extend(receive(&socket)?);
    }
    leave(path, &stamps)?;
    Ok(Exit::Success)
}

fn open(port: u16) -> nix::Result<OwnedFd> {
    let socket = socket(AddressFamily::Inet, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)?;
    // All of 127.0.0.0/8, and nothing else.
    setsockopt(&socket, sockopt::BindToDevice, &OsString::from("lo"))?;
    setsockopt(&socket, sockopt::ReceiveTimestampns, &true)?;
    setsockopt(&socket, sockopt::ReceiveTimeout, &TimeVal::milliseconds(100))?;
    bind(socket.as_raw_fd(), &SockaddrIn::new(0, 0, 0, 0, port))?;
    Ok(socket)
}

/// The stamp of one datagram; `None` when none came for a while.
fn receive(socket: &OwnedFd) -> Result<Option<u64>> {
    let (mut bytes, mut control) = ([0; 2_048], cmsg_space!(TimeSpec));
    let mut parts = [IoSliceMut::new(&mut bytes)];
    let message = recvmsg::<SockaddrIn>(socket.as_raw_fd(), &mut parts, Some(&mut control), MsgFlags::empty());
    match message {
        Ok(message) => {
            let stamp = message.cmsgs()?.find_map(|item| match item {
                ControlMessageOwned::ScmTimestampns(at) => Some(at.num_microseconds() as u64),
                _ => None,
            });
            if stamp.is_none() {
                bail!("the system gave no time of arrival");
            }
            Ok(stamp)
        }
        Err(nix::errno::Errno::EAGAIN | nix::errno::Errno::EINTR) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
