//! How many files and connections the process may have open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises it as far as the system allows: each connection is an open file, and what most systems give a process at first
/// (1,024) is meant for programs that use an old system call. Where it cannot be raised it stays as it is; connections
/// beyond it wait in the kernel.
pub(crate) fn raise() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum && setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).is_err() {
        tracing::warn!(?current, ?maximum, "the limit of open files cannot be raised");
    }
}
