//! One connection: one request, one response, and the end.

use std::convert::Infallible;
use std::future::ready;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use world::Clock;

use crate::Challenges;
use crate::limits::{CONNECTION_DEADLINE, HEADER_MAX};

/// Serves one connection to its end, which comes after one response, or at [`CONNECTION_DEADLINE`]. A body of the request
/// is not read.
///
/// # Cancellation
/// Dropping the future closes the connection.
pub async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send,
    challenges: Arc<Challenges>,
    clock: &Clock,
) {
    let service = service_fn(|request| ready(Ok::<_, Infallible>(respond(&request, &challenges))));
    let connection = http1::Builder::new()
        .keep_alive(false)
        .half_close(true)
        .header_read_timeout(None)
        .max_buf_size(HEADER_MAX)
        .serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        biased;
        // What is no HTTP, or breaks off, has had its answer or needs none.
        _ = connection => {}
        () = clock.sleep(CONNECTION_DEADLINE) => {}
    }
}

fn respond(request: &Request<Incoming>, challenges: &Challenges) -> Response<Full<Bytes>> {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    let found = challenges.at(request.uri().path()).filter(|_| reads);
    let (status, kind, text) = match found {
        Some(answer) => (StatusCode::OK, "application/octet-stream", answer),
        None => (StatusCode::NOT_FOUND, "text/plain; charset=utf-8", "not found\n".to_owned()),
    };
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
