//! Processes that wait to be told which native program to start.

use std::ffi::CString;
use std::fs::File;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream as StdStream;
use std::sync::Arc;

use parking_lot::Mutex;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use tokio::net::UnixStream;

use crate::confinement::Means;
use crate::confinement::launch::{Child, Leads, Program};
use crate::native::error::NativeError;
use crate::native::stage::{OWNER_MAP_NUMBER, SOCKET_NUMBER};

/// One that is up, in namespaces of its own.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) child: Child,
    pub(super) socket: UnixStream,
}

/// Has one ready for the next start, once there was a first.
#[derive(Debug)]
pub(super) struct Ready {
    means: Arc<Means>,
    keeps_one: bool,
    next: Arc<Mutex<Option<Waiting>>>,
}

impl Ready {
    pub(super) fn new(means: Arc<Means>, keeps_one: bool) -> Self {
        Self {
            means,
            keeps_one,
            next: Arc::default(),
        }
    }

    /// One that has been given a program's standard descriptors.
    ///
    /// # Errors
    /// The kernel refuses.
    pub(super) async fn take(&self, stdio: &[OwnedFd; 3]) -> Result<Waiting, NativeError> {
        let next = self.next.lock().take();
        // One that died while it waited has begun nothing.
        let next = next.filter(|waiting| waiting.give(stdio).is_ok());
        let taken = match next {
            Some(waiting) => waiting,
            None => {
                let waiting = launch(&self.means).await?;
                let given = waiting.give(stdio);
                given.map_err(|error| NativeError::Enclosure(error.to_string()))?;
                waiting
            }
        };
        if self.keeps_one {
            let (means, next) = (Arc::clone(&self.means), Arc::clone(&self.next));
            tokio::spawn(async move {
                // One that cannot be had now is asked for again at the next start.
                if let Ok(waiting) = launch(&means).await {
                    *next.lock() = Some(waiting);
                }
            });
        }
        Ok(taken)
    }
}

impl Waiting {
    /// Passes descriptors, with one byte to carry them.
    fn give(&self, stdio: &[OwnedFd; 3]) -> io::Result<()> {
        let borrowed = stdio.each_ref().map(|descriptor| descriptor.as_fd());
        let mut room = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3))];
        let mut ancillary = SendAncillaryBuffer::new(&mut room);
        if !ancillary.push(SendAncillaryMessage::ScmRights(&borrowed)) {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        let byte = [IoSlice::new(&[0])];
        sendmsg(&self.socket, &byte, &mut ancillary, flags)?;
        Ok(())
    }
}

async fn launch(means: &Means) -> Result<Waiting, NativeError> {
    let fault = |error: io::Error| NativeError::Enclosure(error.to_string());
    let (ours, theirs) = StdStream::pair().map_err(fault)?;
    ours.set_nonblocking(true).map_err(fault)?;
    let program = program(means, theirs).map_err(fault)?;
    let child = means.launcher.launch(program).await?;
    let socket = UnixStream::from_std(ours).map_err(fault)?;
    Ok(Waiting { child, socket })
}

fn program(means: &Means, theirs: StdStream) -> io::Result<Program> {
    let nothing = || File::options().read(true).write(true).open("/dev/null");
    let mut descriptors = vec![
        (nothing()?.into(), 0),
        (nothing()?.into(), 1),
        (nothing()?.into(), 2),
        (OwnedFd::from(theirs), SOCKET_NUMBER),
    ];
    let mut words: Vec<CString> = vec![c"hotcell".into(), c"stage".into()];
    if let Some(map) = &means.owner_map {
        words.push(c"--owner-map".into());
        descriptors.push((map.try_clone()?, OWNER_MAP_NUMBER));
    }
    Ok(Program {
        executable: means.executable.as_fd().try_clone_to_owned()?,
        arguments: words,
        environment: Vec::new(),
        descriptors,
        leads: Leads::Session,
        plan: means.reached.plan,
    })
}
