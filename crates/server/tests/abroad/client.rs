//! A client that sends one message and notes the reply.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpStream};

use super::PATIENCE;

/// The reply to the final dot, or the first reply that refused.
pub(crate) fn send(port: u16, from: &str, to: &[&str], content: &[u8]) -> io::Result<String> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut stream = BufReader::new(stream);
    let mut reply = read(&mut stream)?;
    let recipients = to.iter().map(|to| format!("RCPT TO:<{to}>"));
    let mail = format!("MAIL FROM:<{from}> BODY=8BITMIME");
    for command in ["EHLO client.example".into(), mail].into_iter().chain(recipients).chain(["DATA".into()]) {
        if !reply.starts_with(['2', '3']) {
            return Ok(reply);
        }
        stream.get_mut().write_all(format!("{command}\r\n").as_bytes())?;
        reply = read(&mut stream)?;
    }
    if !reply.starts_with('3') {
        return Ok(reply);
    }
    stream.get_mut().write_all(&stuffed(content))?;
    let reply = read(&mut stream)?;
    stream.get_mut().write_all(b"QUIT\r\n")?;
    Ok(reply)
}

/// The last line of a reply.
fn read(stream: &mut BufReader<TcpStream>) -> io::Result<String> {
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if line.as_bytes().get(3) != Some(&b'-') {
            return Ok(line.trim_end().to_owned());
        }
    }
}

/// With dots doubled, and the end (RFC 5321 §4.5.2).
fn stuffed(content: &[u8]) -> Vec<u8> {
    let mut stuffed = Vec::with_capacity(content.len() + content.len() / 64);
    for line in content.split_inclusive(|&byte| byte == b'\n') {
        if line.starts_with(b".") {
            stuffed.push(b'.');
        }
        stuffed.extend_from_slice(line);
    }
    if !content.is_empty() && !content.ends_with(b"\r\n") {
        stuffed.extend_from_slice(b"\r\n");
    }
    stuffed.extend_from_slice(b".\r\n");
    stuffed
}
