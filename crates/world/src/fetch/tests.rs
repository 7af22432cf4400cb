#![expect(clippy::disallowed_methods, reason = "the hosts outside are the test's own")]

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;
use crate::{Clock, Dialer, Resolver};

/// A host that says this to whoever connects, whatever it is asked, and then closes.
async fn host(says: Vec<u8>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut asked = [0; 4096];
            let _read = stream.read(&mut asked).await;
            let _written = stream.write_all(&says).await;
        }
    });
    address
}

fn client(allow_private: bool) -> Fetch {
    let names = crate::resolver::Zone::new().address("inside.example", "10.0.0.1".parse().unwrap());
    let resolver = Resolver::Simulated(crate::resolver::Simulated::new(Clock::Real, names));
    let client = Client::new(Clock::Real, resolver, Dialer::Real);
    client.trust(allow_private, Vec::new());
    Fetch::Real(client)
}

/// The status and the body, or why not.
async fn fetched(fetch: &Fetch, request: Request) -> String {
    match fetch.send(request).await {
        Ok(response) => format!("{} {}", response.status, String::from_utf8_lossy(&response.body)),
        Err(error) => error.to_string(),
    }
}

#[tokio::test]
async fn a_page_is_fetched_and_no_redirection_followed() {
    let page = host(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nX-A: b\r\n\r\npage".to_vec()).await;
    let moved = format!("HTTP/1.1 302 Found\r\nLocation: http://{page}/\r\nContent-Length: 0\r\n\r\n");
    let moved = host(moved.into_bytes()).await;
    let fetch = client(true);
    let response = fetch.send(Request::get(&format!("http://{page}/x?y"))).await.unwrap();
    assert_eq!(
        (response.status, response.body.as_slice(), response.header("x-a")),
        (200, &b"page"[..], Some("b"))
    );
    assert_eq!(fetched(&fetch, Request::get(&format!("http://{moved}/"))).await, "302 ");
    let localhost = format!("http://localhost:{}/", page.port());
    assert_eq!(fetched(&fetch, Request::post(&localhost, "text/plain", b"x".to_vec())).await, "200 page");
}

/// THREATS.md: SSRF. Whoever names a URL must not lead us to what only we can reach.
#[tokio::test]
async fn addresses_of_private_networks_are_not_asked() {
    let page = host(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec()).await;
    let fetch = client(false);
    let (machine, network) = ("it means this machine", "it is an address of a private network");
    let port = page.port();
    for (url, why) in [
        (format!("http://127.0.0.1:{port}/"), machine),
        (format!("http://localhost:{port}/"), machine),
        (format!("http://[::1]:{port}/"), machine),
        (format!("http://[::ffff:127.0.0.1]:{port}/"), machine),
        (format!("http://0.0.0.0:{port}/"), machine),
        ("http://169.254.169.254/latest/meta-data/".to_owned(), network),
        ("https://192.168.0.1/".to_owned(), network),
        ("http://inside.example/".to_owned(), network),
    ] {
        let expected = format!("the address is not asked: {why}");
        assert_eq!(fetched(&fetch, Request::get(&url)).await, expected, "{url}");
    }
}

#[tokio::test]
async fn size_and_time_have_an_end() {
    let fetch = client(true);
    let limited = |address: SocketAddr, octets| {
        let limits = Limits { octets, ..Limits::default() };
        Request { limits, ..Request::get(&format!("http://{address}/")) }
    };
    let announced = host(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n12345".to_vec()).await;
    assert_eq!(fetched(&fetch, limited(announced, 5)).await, "200 12345");
    assert_eq!(fetched(&fetch, limited(announced, 4)).await, "the response is too large");
    let endless = host(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n12345".to_vec()).await;
    assert_eq!(fetched(&fetch, limited(endless, 4)).await, "the response is too large");

    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let limits = Limits { time: Duration::from_millis(50), ..Limits::default() };
    let url = format!("http://{}/", silent.local_addr().unwrap());
    assert_eq!(fetched(&fetch, Request { limits, ..Request::get(&url) }).await, "no response in time");
}

#[tokio::test]
async fn what_is_no_http_and_no_tls() {
    let fetch = client(true);
    let other = host(b"220 mx.example ESMTP\r\n".to_vec()).await;
    let said = fetched(&fetch, Request::get(&format!("http://{other}/"))).await;
    assert!(said.starts_with("no HTTP response: "), "{said}");
    let said = fetched(&fetch, Request::get(&format!("https://{other}/"))).await;
    assert!(said.starts_with("no TLS connection: "), "{said}");
    for url in ["", "x", "/x", "ftp://a.example/", "http://", "http://a@b.example/", "https:///x"] {
        assert_eq!(fetched(&fetch, Request::get(url)).await, "this is no URL that can be fetched", "{url}");
    }
    let named = Request::get(&format!("http://{other}/")).with("X Y", String::new());
    assert_eq!(fetched(&fetch, named).await, "this is no URL that can be fetched");
}

#[tokio::test]
async fn simulated_pages() {
    let web = Web::new();
    web.put("https://a.example/x", |request| {
        Ok(Response { status: 200, headers: Vec::new(), body: request.url.clone().into_bytes() })
    });
    let fetch = Fetch::Simulated(web);
    assert_eq!(fetched(&fetch, Request::get("https://a.example/x?y")).await, "200 https://a.example/x?y");
    assert_eq!(fetched(&fetch, Request::get("https://b.example/")).await, "the host has no address");
}

#[test]
fn secrets_are_not_printed() {
    let request = Request::post("https://a.example/", "text/plain", b"swordfish".to_vec());
    let shown = format!("{:?}", request.with("Authorization", "Basic swordfish".to_owned()));
    assert!(!shown.contains("swordfish") && !shown.contains("115"), "{shown}");
}
