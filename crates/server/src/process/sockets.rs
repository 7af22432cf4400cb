//! Sockets that systemd opened for us (sd_listen_fds(3)).

use std::net::TcpListener;

use listenfd::ListenFd;

/// The listening sockets that the process was started with. Call it once, before the first thread.
pub(crate) fn inherited() -> Vec<TcpListener> {
    let mut given = ListenFd::from_env();
    // What is no TCP socket is closed by the look at it: we serve nothing else.
    (0..given.len()).filter_map(|place| given.take_tcp_listener(place).ok().flatten()).collect()
}
