//! Key records as a zone file has them (RFC 1035 §5.1).

use admin::response::TxtRecord;

/// Octets in one string of a record. The DNS would take 255; a line that a terminal does not break is pasted whole.
const STRING_OCTETS: usize = 68;

/// What was done, and what is to be published now.
pub(super) fn records(said: &str, domain: &str, records: &[TxtRecord]) -> String {
    let mut text = String::new();
    if !said.is_empty() {
        text.push_str(&format!("{said}\n\n"));
    }
    text.push_str(&format!("What {domain} sends is signed. For others to see that, its zone must have:\n\n"));
    for record in records {
        text.push_str(&zone_text(record));
    }
    text.push_str(&format!(
        "\nWhere a form asks for a name and a value: waxseal domain dkim {domain} --json\n"
    ));
    text
}

/// One record over several lines, which parentheses join. Nothing in its value needs escaping.
fn zone_text(record: &TxtRecord) -> String {
    let mut text = format!("{}. IN TXT (", record.name);
    for string in record.value.as_bytes().chunks(STRING_OCTETS) {
        text.push_str(&format!("\n    \"{}\"", String::from_utf8_lossy(string)));
    }
    text.push_str(" )\n");
    text
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn records_can_be_pasted_into_a_zone() {
        let long = TxtRecord {
            name: "rsa-20261122-0a1b2c._domainkey.example.org".into(),
            value: format!("v=DKIM1; k=rsa; p={}", "MIIB".repeat(20)),
        };
        let short = TxtRecord {
            name: "ed25519-20261122-0a1b2c._domainkey.example.org".into(),
            value: "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=".into(),
        };
        let said = "mail for example.org is received here now";
        let text = records(said, "example.org", &[long, short]);
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        expect![[r#"
            mail for example.org is received here now

            What example.org sends is signed. For others to see that, its zone must have:

            rsa-20261122-0a1b2c._domainkey.example.org. IN TXT (
                "v=DKIM1; k=rsa; p=MIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMI"
                "IBMIIBMIIBMIIBMIIBMIIBMIIBMIIB" )
            ed25519-20261122-0a1b2c._domainkey.example.org. IN TXT (
                "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=" )

            Where a form asks for a name and a value: waxseal domain dkim example.org --json
        "#]]
        .assert_eq(&text);
    }
}
