//! Escapes: how bytes are written in a transcript, and shown on a screen.

/// Turns `\r \n \t \0 \xHH \\ \$ \*` into bytes; everything else stands for its UTF-8.
pub(super) fn unescape(text: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        bytes.extend_from_slice(&rest.as_bytes()[..at]);
        let (byte, taken) = one(&rest[at..])?;
        bytes.push(byte);
        rest = &rest[at + taken..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    Ok(bytes)
}

/// Reads one escape at the start of `text`: the byte, and how long the escape was.
pub(super) fn one(text: &str) -> Result<(u8, usize), String> {
    let simple = match text.as_bytes().get(1) {
        Some(b'r') => b'\r',
        Some(b'n') => b'\n',
        Some(b't') => b'\t',
        Some(b'0') => 0,
        Some(&literal @ (b'\\' | b'$' | b'*')) => literal,
        Some(b'x') => {
            let digits = text.get(2..4).ok_or("`\\x` wants two hexadecimal digits")?;
            let byte = u8::from_str_radix(digits, 16).map_err(|_| "`\\x` wants two hexadecimal digits")?;
            return Ok((byte, 4));
        }
        _ => return Err("an escape is one of `\\r \\n \\t \\0 \\xHH \\\\ \\$ \\*`".into()),
    };
    Ok((simple, 2))
}

/// Shows bytes so that no control character reaches a screen, in the escapes of a transcript.
pub fn show(bytes: &[u8]) -> String {
    let mut shown = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '\r' => shown.push_str("\\r"),
                '\n' => shown.push_str("\\n"),
                '\t' => shown.push_str("\\t"),
                '\\' => shown.push_str("\\\\"),
                control if control.is_control() => {
                    let mut buffer = [0; 4];
                    hex(&mut shown, control.encode_utf8(&mut buffer).as_bytes());
                }
                other => shown.push(other),
            }
        }
        hex(&mut shown, chunk.invalid());
    }
    shown
}

fn hex(shown: &mut String, bytes: &[u8]) {
    for byte in bytes {
        shown.push_str(&format!("\\x{byte:02X}"));
    }
}
