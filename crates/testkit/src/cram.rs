//! A client of CRAM-MD5 (RFC 2195), for transcripts: what it answers depends on a challenge that no file can hold.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;

/// What a client answers to a challenge, both in base64.
///
/// # Errors
/// The challenge is not base64.
pub fn answer(login: &str, password: &str, challenge: &[u8]) -> Result<Vec<u8>, String> {
    let challenge = STANDARD.decode(challenge).map_err(|_| "the challenge is not base64")?;
    let digits: String = digest(password, &challenge).iter().map(|octet| format!("{octet:02x}")).collect();
    Ok(STANDARD.encode(format!("{login} {digits}")).into_bytes())
}

/// HMAC-MD5 of a challenge.
pub(crate) fn digest(password: &str, challenge: &[u8]) -> [u8; 16] {
    let mut hmac = Hmac::<Md5>::new_from_slice(password.as_bytes()).expect("a key has any length");
    hmac.update(challenge);
    hmac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 2195 §2.
    #[test]
    fn the_answer_is_that_of_the_example() {
        let challenge = "PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+";
        let answered = answer("tim", "tanstaaftanstaaf", challenge.as_bytes()).unwrap();
        assert_eq!(answered, b"dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw");
    }
}
