//! The peer's end of a connection: lines, content, TLS, and the ways to end it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use memchr::{memchr, memmem};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::tls::Identity;

/// The client has gone, or must.
#[derive(Debug)]
pub(super) struct Over;

impl From<io::Error> for Over {
    fn from(_: io::Error) -> Self {
        Self
    }
}

/// A transport.
pub(super) trait Transport: AsyncRead + AsyncWrite + Unpin + Send {
    /// Makes closing break the connection.
    fn break_on_close(&self);
}

impl Transport for TcpStream {
    fn break_on_close(&self) {
        self.set_zero_linger().expect("a connected socket can be told");
    }
}

impl Transport for DuplexStream {
    /// What is dropped is broken, for whoever writes to it.
    fn break_on_close(&self) {}
}

impl Transport for TlsStream<AnyTransport> {
    fn break_on_close(&self) {
        self.get_ref().0.0.break_on_close();
    }
}

struct AnyTransport(Box<dyn Transport>);

impl AsyncRead for AnyTransport {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for AnyTransport {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0).poll_shutdown(cx)
    }
}

/// A connection.
pub(super) struct Link {
    stream: AnyTransport,
    input: Vec<u8>,
}

const END: &[u8] = b"\r\n.\r\n";

impl Link {
    pub(super) fn new(stream: impl Transport + 'static) -> Self {
        Self { stream: AnyTransport(Box::new(stream)), input: Vec::new() }
    }

    /// The next line, with its end.
    pub(super) async fn line(&mut self) -> Result<Vec<u8>, Over> {
        loop {
            if let Some(end) = memchr(b'\n', &self.input) {
                return Ok(self.input.drain(..=end).collect());
            }
            self.fill().await?;
        }
    }

    /// Whether more has come than was read.
    pub(super) fn has_more(&self) -> bool {
        !self.input.is_empty()
    }

    /// Reads once; something came.
    pub(super) async fn fill(&mut self) -> Result<(), Over> {
        match self.stream.read_buf(&mut self.input).await? {
            0 => Err(Over),
            _ => Ok(()),
        }
    }

    /// Content up to its final dot, dots still doubled.
    pub(super) async fn content(&mut self) -> Result<Vec<u8>, Over> {
        if self.input.starts_with(&END[2..]) {
            self.input.drain(..3);
            return Ok(Vec::new());
        }
        let mut searched = 0;
        loop {
            if let Some(at) = memmem::find(&self.input[searched..], END) {
                let content = self.input.drain(..searched + at + 2).collect();
                self.input.drain(..3);
                return Ok(content);
            }
            searched = self.input.len().saturating_sub(END.len() - 1);
            self.fill().await?;
        }
    }

    /// So many octets.
    pub(super) async fn octets(&mut self, count: usize) -> Result<Vec<u8>, Over> {
        while self.input.len() < count {
            self.fill().await?;
        }
        Ok(self.input.drain(..count).collect())
    }

    pub(super) async fn write(&mut self, bytes: &[u8]) -> Result<(), Over> {
        self.stream.write_all(bytes).await?;
        Ok(self.stream.flush().await?)
    }

    /// A handshake; says which version, or why there is none.
    pub(super) async fn secure(self, identity: &Identity) -> Result<(Self, &'static str), io::Error> {
        let stream = TlsAcceptor::from(identity.0.clone()).accept(self.stream).await?;
        let version = match stream.get_ref().1.protocol_version() {
            Some(rustls::ProtocolVersion::TLSv1_3) => "TLS1.3",
            _ => "TLS1.2",
        };
        Ok((Self { stream: AnyTransport(Box::new(stream)), input: Vec::new() }, version))
    }

    /// Closes in good order: what is still sent to us is taken, so that nothing of ours is lost (RFC 1122 §4.2.2.13).
    pub(super) async fn close(&mut self) {
        if self.stream.shutdown().await.is_ok() {
            while self.fill().await.is_ok() {
                self.input.clear();
            }
        }
    }

    /// Breaks the connection once it is dropped.
    pub(super) fn break_on_close(&self) {
        self.stream.0.break_on_close();
    }
}
