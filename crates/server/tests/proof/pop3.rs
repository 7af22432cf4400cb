//! As much of a POP3 client as reads a whole maildrop.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpStream};

use super::server::PASSWORD;

/// Signs in and reads every message, as stored.
pub(crate) fn read_all(port: u16, account: &str, mut each: impl FnMut(Vec<u8>)) -> io::Result<()> {
    let socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    let mut socket = BufReader::new(socket);
    status(&mut socket)?;
    command(&mut socket, &format!("USER {account}"))?;
    command(&mut socket, &format!("PASS {PASSWORD}"))?;
    let stat = command(&mut socket, "STAT")?;
    let count: u32 = stat.split(' ').nth(1).and_then(|count| count.parse().ok()).unwrap_or_default();
    for number in 1..=count {
        command(&mut socket, &format!("RETR {number}"))?;
        each(multiline(&mut socket)?);
    }
    command(&mut socket, "QUIT")?;
    Ok(())
}

fn command(socket: &mut BufReader<TcpStream>, text: &str) -> io::Result<String> {
    socket.get_mut().write_all(format!("{text}\r\n").as_bytes())?;
    status(socket)
}

fn status(socket: &mut BufReader<TcpStream>) -> io::Result<String> {
    let mut line = String::new();
    socket.read_line(&mut line)?;
    if line.starts_with("+OK") { Ok(line) } else { Err(io::Error::other(line)) }
}

/// Lines up to the one with a dot alone, dots at the beginning of lines undoubled (RFC 1939 §3).
fn multiline(socket: &mut BufReader<TcpStream>) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    loop {
        let begin = content.len();
        if socket.read_until(b'\n', &mut content)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if content[begin..] == *b".\r\n" {
            content.truncate(begin);
            return Ok(content);
        }
        if content[begin] == b'.' {
            content.remove(begin);
        }
    }
}
