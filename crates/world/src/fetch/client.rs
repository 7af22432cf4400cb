//! HTTP/1.1 by hyper, over our own dialer, resolver and rustls; a connection for each request.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, PoisonError, RwLock};

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{HOST, USER_AGENT};
use hyper_util::rt::TokioIo;
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;

use super::{FetchError, Method, Request, Response, Target};
use crate::dialer::{Call, Connected};
use crate::reach::Reach;
use crate::resolver::Name;
use crate::{Clock, Dialer, Resolver};

/// Fetches for us. Clones share whom they trust.
#[derive(Clone)]
pub struct Client {
    clock: Clock,
    resolver: Resolver,
    dialer: Dialer,
    trust: Arc<RwLock<Trust>>,
}

/// Whom we ask, and whom we believe.
struct Trust {
    reach: Reach,
    authorities: Vec<Vec<u8>>,
    /// Made at the first use: the system's authorities are some hundred files.
    tls: Option<TlsConnector>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

impl Client {
    /// Asks public addresses only, and believes the authorities that the system believes, until [`trust`](Self::trust).
    pub fn new(clock: Clock, resolver: Resolver, dialer: Dialer) -> Self {
        let trust = Trust { reach: Reach::Public, authorities: Vec::new(), tls: None };
        Self { clock, resolver, dialer, trust: Arc::new(RwLock::new(trust)) }
    }

    /// Sets whether addresses of private networks and of this machine are asked, and which authorities are believed
    /// beside the system's: PEM files of one or more `CERTIFICATE` blocks each. It holds from the next request on.
    pub fn trust(&self, allow_private: bool, authorities: Vec<Vec<u8>>) {
        let reach = if allow_private { Reach::Anywhere } else { Reach::Public };
        *self.trust.write().unwrap_or_else(PoisonError::into_inner) = Trust { reach, authorities, tls: None };
    }

    pub(super) async fn send(&self, request: Request) -> Result<Response, FetchError> {
        let time = request.limits.time;
        tokio::select! {
            biased;
            response = self.exchange(request) => response,
            () = self.clock.sleep(time) => Err(FetchError::TimedOut),
        }
    }

    async fn exchange(&self, request: Request) -> Result<Response, FetchError> {
        let target = Target::parse(&request.url)?;
        let stream = self.connect(&target, &request).await?;
        match (stream, target.is_secure) {
            (Connected::Tcp(stream), true) => {
                talk(self.secure(&target, stream).await?, &target, request).await
            }
            (Connected::Memory(stream), true) => {
                talk(self.secure(&target, stream).await?, &target, request).await
            }
            (Connected::Tcp(stream), false) => talk(stream, &target, request).await,
            (Connected::Memory(stream), false) => talk(stream, &target, request).await,
        }
    }

    /// Connects to the first address that takes us. An address beyond our reach ends it: a host that has one such address
    /// beside a public one is not what it seems.
    async fn connect(&self, target: &Target, request: &Request) -> Result<Connected, FetchError> {
        let reach = self.trust.read().unwrap_or_else(PoisonError::into_inner).reach;
        let addresses = self.addresses(&target.host).await?;
        if let Some(why) = addresses.iter().find_map(|address| reach.refuses(*address)) {
            return Err(FetchError::Inside(why));
        }
        let mut failed = FetchError::NoAddress;
        for address in addresses {
            let to = SocketAddr::new(address, target.port);
            let call = Call { to, from: None, timeout: request.limits.time / 2 };
            match self.dialer.connect(&self.clock, &call).await {
                Ok(connected) => return Ok(connected),
                Err(error) => failed = FetchError::Dial(error),
            }
        }
        Err(failed)
    }

    async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, FetchError> {
        if let Ok(address) = host.parse::<IpAddr>() {
            return Ok(vec![address]);
        }
        let name = Name::parse(host).map_err(|_| FetchError::Url)?;
        // RFC 6761 §6.3: it never leaves the machine.
        if host.trim_end_matches('.').eq_ignore_ascii_case("localhost") {
            return Ok(vec![[127, 0, 0, 1].into()]);
        }
        let v6 = self.resolver.aaaa(&name).await.map(|answer| answer.records);
        let v4 = self.resolver.a(&name).await.map(|answer| answer.records);
        match (v4, v6) {
            (Err(error), Err(_)) => Err(FetchError::Name(error)),
            (v4, v6) => {
                let v4 = v4.unwrap_or_default().into_iter().map(IpAddr::V4);
                Ok(v4.chain(v6.unwrap_or_default().into_iter().map(IpAddr::V6)).collect())
            }
        }
    }

    async fn secure<S>(
        &self,
        target: &Target,
        stream: S,
    ) -> Result<tokio_rustls::client::TlsStream<S>, FetchError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let name = ServerName::try_from(target.host.clone()).map_err(|_| FetchError::Url)?;
        let connected = self.connector()?.connect(name, stream).await;
        connected.map_err(|error| FetchError::Tls(error.to_string()))
    }

    fn connector(&self) -> Result<TlsConnector, FetchError> {
        let mut trust = self.trust.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(tls) = &trust.tls {
            return Ok(tls.clone());
        }
        let tls = connector(&trust.authorities)?;
        trust.tls = Some(tls.clone());
        Ok(tls)
    }
}

/// A file that holds no certificate adds nobody.
fn connector(authorities: &[Vec<u8>]) -> Result<TlsConnector, FetchError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    for pem in authorities {
        roots.add_parsable_certificates(CertificateDer::pem_slice_iter(pem).filter_map(Result::ok));
    }
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| FetchError::Tls(error.to_string()))?;
    Ok(Arc::new(config.with_root_certificates(roots).with_no_client_auth()).into())
}

/// One request, one response.
async fn talk<S>(stream: S, target: &Target, request: Request) -> Result<Response, FetchError>
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let octets = request.limits.octets;
    let request = message(target, request)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(http)?;
    let moving = async {
        // How it ended is told to whoever waits for the response.
        connection.await.ok();
        std::future::pending::<std::convert::Infallible>().await
    };
    let exchange = async { received(sender.send_request(request).await.map_err(http)?, octets).await };
    tokio::select! {
        biased;
        response = exchange => response,
        _ = moving => unreachable!("it stays pending"),
    }
}

fn message(target: &Target, request: Request) -> Result<hyper::Request<Full<Bytes>>, FetchError> {
    let method = match request.method {
        Method::Get => hyper::Method::GET,
        Method::Head => hyper::Method::HEAD,
        Method::Post => hyper::Method::POST,
    };
    let mut message = hyper::Request::builder()
        .method(method)
        .uri(&target.path)
        .header(HOST, &target.authority)
        // Some issuers refuse who does not say a name.
        .header(USER_AGENT, "Waxseal");
    for (name, value) in request.headers {
        message = message.header(name, value);
    }
    message.body(Full::new(request.body.into())).map_err(|_| FetchError::Url)
}

async fn received(response: hyper::Response<Incoming>, octets: usize) -> Result<Response, FetchError> {
    let (head, body) = response.into_parts();
    let fields = head.headers.iter();
    let fields = fields.filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())));
    let headers = fields.collect();
    let body =
        Limited::new(body, octets).collect().await.map_err(|error| match error
            .downcast_ref::<http_body_util::LengthLimitError>(
        ) {
            Some(_) => FetchError::TooLarge,
            None => FetchError::Http(error.to_string()),
        })?;
    Ok(Response { status: head.status.as_u16(), headers, body: body.to_bytes().to_vec() })
}

fn http(error: hyper::Error) -> FetchError {
    FetchError::Http(error.to_string())
}
