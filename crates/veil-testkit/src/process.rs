//! The process of a server, which neither outlives its value nor, on Linux, the process of the test.

use std::process::{Child, Command, ExitStatus};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

const READY_MAX: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(5);

/// A running program; who owns it stops it, as every server wants it otherwise.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    /// Ends, when dropped, the thread that spawned the child.
    _spawner: mpsc::Sender<()>,
}

impl Process {
    /// Spawns from a thread of its own, which lives as long as this value: the kernel tells a child of the end
    /// of the thread that spawned it, and the thread of a test may end before a server it shares.
    pub(crate) fn spawn(mut command: Command) -> Result<Self> {
        let (report, spawned) = mpsc::channel();
        let (spawner, dropped) = mpsc::channel::<()>();
        thread::spawn(move || {
            let _ = report.send(command.spawn());
            let _ = dropped.recv();
        });
        Ok(Self { child: spawned.recv()?.context("cannot run the server")?, _spawner: spawner })
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn wait(&mut self) -> Result<ExitStatus> {
        Ok(self.child.wait()?)
    }

    /// Waits until the server is ready, for which it has to stay alive.
    pub(crate) fn wait_until(&mut self, mut ready: impl FnMut() -> bool) -> Result<()> {
        let deadline = Instant::now() + READY_MAX;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait()? {
                bail!("the server stopped while starting: {status}");
            }
            if ready() {
                return Ok(());
            }
            thread::sleep(POLL);
        }
        bail!("the server was not ready after {READY_MAX:?}")
    }

    /// Asks the process by a signal to stop, unless it has, and tells whether it does so in time.
    pub(crate) fn stop(&mut self, signal_name: &str, max: Duration) -> bool {
        let deadline = Instant::now() + max;
        if let Ok(None) = self.child.try_wait() {
            signal(signal_name, &self.id().to_string());
        }
        while let Ok(None) = self.child.try_wait() {
            if Instant::now() > deadline {
                return false;
            }
            thread::sleep(POLL);
        }
        true
    }

    /// Kills the process, which writes nothing any more, and waits for its end.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a signal to processes by the shell's own `kill`: the standard library only has SIGKILL.
pub(crate) fn signal(name: &str, pids: &str) {
    let _ = Command::new("sh").arg("-c").arg(format!("kill -{name} {pids}")).output();
}
