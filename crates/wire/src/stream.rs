//! The stream under a session: TCP or a pair in memory, in clear text or TLS, compressed or not.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use protocol::TlsFacts;
use rustls::server::Acceptor;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, DuplexStream, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::{LazyConfigAcceptor, TlsStream, client, server};
use world::dialer::Connected;

use crate::deflate::Deflated;
use crate::tls::{self, Certificates, Towards};

/// A connection's transport.
#[derive(Debug)]
pub enum Stream {
    /// TCP, in clear text.
    Plain(TcpStream),
    /// TLS over TCP.
    Tls(Box<TlsStream<TcpStream>>),
    /// One end of a pair in memory, in clear text.
    Memory(DuplexStream),
    /// TLS over a pair in memory.
    MemoryTls(Box<TlsStream<DuplexStream>>),
    /// Any of these, compressed.
    Deflated(Box<Deflated>),
}

impl Stream {
    /// Whether what is sent is encrypted.
    pub fn is_tls(&self) -> bool {
        match self {
            Self::Plain(_) | Self::Memory(_) => false,
            Self::Tls(_) | Self::MemoryTls(_) => true,
            Self::Deflated(deflated) => deflated.stream().is_tls(),
        }
    }

    /// From now on, in both directions, what it carries is compressed (RFC 4978). What is compressed already stays as
    /// it is.
    #[must_use]
    pub fn deflated(self) -> Self {
        match self {
            Self::Deflated(_) => self,
            _ => Self::Deflated(Box::new(Deflated::new(self))),
        }
    }

    /// The server's side of a TLS handshake. It has no deadline of its own; dropping the future closes the connection.
    ///
    /// # Errors
    /// The peer's mistakes, as rustls names them, and the transport's errors; the connection is over. TLS inside TLS or
    /// compression is refused as [`io::ErrorKind::Unsupported`].
    pub async fn secure(self, certificates: &Certificates) -> io::Result<(Self, TlsFacts)> {
        match self {
            Self::Plain(stream) => {
                let (stream, facts) = accept(stream, certificates).await?;
                Ok((Self::Tls(stream), facts))
            }
            Self::Memory(stream) => {
                let (stream, facts) = accept(stream, certificates).await?;
                Ok((Self::MemoryTls(stream), facts))
            }
            Self::Tls(_) | Self::MemoryTls(_) | Self::Deflated(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// The client's side of a TLS handshake. It has no deadline of its own; dropping the future closes the connection.
    ///
    /// # Errors
    /// As [`secure`](Self::secure); also a certificate that is not accepted, and, where it is to be verified, a name
    /// that no certificate can be good for ([`io::ErrorKind::InvalidInput`]).
    pub async fn secure_towards(self, towards: &Towards) -> io::Result<(Self, TlsFacts)> {
        match self {
            Self::Plain(stream) => {
                let (stream, facts) = connect(stream, towards).await?;
                Ok((Self::Tls(stream), facts))
            }
            Self::Memory(stream) => {
                let (stream, facts) = connect(stream, towards).await?;
                Ok((Self::MemoryTls(stream), facts))
            }
            Self::Tls(_) | Self::MemoryTls(_) | Self::Deflated(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    fn io(&mut self) -> Pin<&mut dyn Io> {
        match self {
            Self::Plain(stream) => Pin::new(stream),
            Self::Tls(stream) => Pin::new(stream.as_mut()),
            Self::Memory(stream) => Pin::new(stream),
            Self::MemoryTls(stream) => Pin::new(stream.as_mut()),
            Self::Deflated(stream) => Pin::new(stream.as_mut()),
        }
    }
}

async fn accept<T: Io>(stream: T, certificates: &Certificates) -> io::Result<(Box<TlsStream<T>>, TlsFacts)> {
    let begun = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
    let handshake = certificates.handshake();
    let config = handshake.config(&begun.client_hello());
    let mut stream: server::TlsStream<T> = begun.into_stream(config).await?;
    match handshake.facts(stream.get_ref().1) {
        Ok(facts) => Ok((Box::new(stream.into()), facts)),
        Err(error) => {
            // It is told that this is the end, so that it takes what was shown to be the whole.
            let _ = stream.shutdown().await;
            Err(error)
        }
    }
}

async fn connect<T: Io>(stream: T, towards: &Towards) -> io::Result<(Box<TlsStream<T>>, TlsFacts)> {
    let name = towards.server_name()?;
    let asked = tls::sni(&name);
    let stream: client::TlsStream<T> = towards.connector().connect(name, stream).await?;
    let facts = tls::facts(stream.get_ref().1, asked, towards.verifies());
    Ok((Box::new(stream.into()), facts))
}

impl From<TcpStream> for Stream {
    fn from(stream: TcpStream) -> Self {
        Self::Plain(stream)
    }
}

impl From<DuplexStream> for Stream {
    fn from(stream: DuplexStream) -> Self {
        Self::Memory(stream)
    }
}

impl From<Connected> for Stream {
    fn from(connected: Connected) -> Self {
        match connected {
            Connected::Tcp(stream) => Self::Plain(stream),
            Connected::Memory(stream) => Self::Memory(stream),
        }
    }
}

trait Io: AsyncRead + AsyncWrite + Unpin {}
impl<T: AsyncRead + AsyncWrite + Unpin> Io for T {}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.get_mut().io().poll_read(cx, buffer)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.get_mut().io().poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().io().poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().io().poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().io().poll_shutdown(cx)
    }
}
