//! What stands before a message that has come through a server.

/// The names of the fields before this content, if it is there whole and unchanged; else how long it all is.
pub(crate) fn fields_before(content: &[u8], whole: &[u8]) -> Result<Vec<String>, String> {
    let added = whole
        .strip_suffix(content)
        .ok_or_else(|| format!("is not what was sent: {} octets of about {}", whole.len(), content.len()))?;
    let added = String::from_utf8_lossy(added);
    let fields = added.lines().filter(|line| !line.starts_with([' ', '\t']));
    Ok(fields.map(|line| line.split(':').next().unwrap_or(line).to_owned()).collect())
}
