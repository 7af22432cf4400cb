//! What the harness promises to the other modules.

use crate::harness::{Place, TLS_NAME};

const SETTINGS: &str = r#"
[[virtual-server]]
name = "internet"
protocol = "smtp"
bind = ["127.0.0.1:0", "127.0.0.1:0"]

[[virtual-server]]
name = "mailboxes"
protocol = "imap"
bind = "127.0.0.1:0"

[[virtual-server]]
name = "maildrops"
protocol = "pop3s"
bind = "127.0.0.1:0"
"#;

#[test]
fn a_place_serves_what_its_settings_name() {
    let place = Place::start(&["ann"], SETTINGS);
    let mut smtp = place.client("internet");
    assert!(smtp.banner().starts_with("220 "), "{}", smtp.banner());
    let hello = smtp.ask("EHLO client.example");
    assert!(hello.contains("250-STARTTLS\r\n"), "{hello}");
    smtp.expect("STARTTLS", "220 ");
    let mut smtp = smtp.secure(TLS_NAME);
    smtp.expect("EHLO client.example", "250");
    let reply = smtp.send_message("joe@elsewhere.example", &["ann@here.example"], "Subject: x\r\n\r\nx\r\n");
    assert!(reply.starts_with("250 "), "{reply}");

    let mut imap = place.client("mailboxes");
    assert!(imap.ask("a1 CAPABILITY").contains("a1 OK"));
    let mut pop3 = place.secure_client("maildrops", TLS_NAME);
    assert!(pop3.banner().starts_with("+OK"), "{}", pop3.banner());
    pop3.expect("USER ann@here.example", "+OK");
    pop3.expect("PASS secret", "+OK");
    assert_eq!(pop3.ask("STAT").split(' ').nth(1), Some("1"));
}
