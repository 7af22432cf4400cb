//! The library's requests, by our own way to the web.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Method, Request, Response};
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use world::Fetch;
use world::fetch;

/// An authority may be busy; nobody waits for it.
const LIMITS: fetch::Limits = fetch::Limits { time: Duration::from_secs(30), octets: 256 * 1024 };

/// Sends by [`Fetch`].
pub(super) struct Fetched(pub(super) Fetch);

impl HttpClient for Fetched {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let fetch = self.0.clone();
        Box::pin(async move {
            let response = fetch.send(asked(request).await?).await;
            answered(response.map_err(|error| Error::Other(Box::new(error)))?)
        })
    }
}

async fn asked(request: Request<BodyWrapper<Bytes>>) -> Result<fetch::Request, Error> {
    let (parts, body) = request.into_parts();
    let method = match parts.method {
        Method::GET => fetch::Method::Get,
        Method::HEAD => fetch::Method::Head,
        Method::POST => fetch::Method::Post,
        _ => return Err(Error::Unsupported("this method")),
    };
    let fields = parts.headers.iter().filter(|(name, _)| *name != hyper::header::USER_AGENT);
    let text = |value: &hyper::header::HeaderValue| value.to_str().unwrap_or_default().to_owned();
    let headers = fields.map(|(name, value)| (name.to_string(), text(value))).collect();
    let Ok(body) = body.collect().await;
    let (url, body) = (parts.uri.to_string(), body.to_bytes().to_vec());
    Ok(fetch::Request { method, url, headers, body, limits: LIMITS })
}

fn answered(response: fetch::Response) -> Result<BytesResponse, Error> {
    let mut answer = Response::builder().status(response.status);
    for (name, value) in &response.headers {
        answer = answer.header(name, value);
    }
    Ok(answer.body(Full::new(Bytes::from(response.body)))?.into())
}
