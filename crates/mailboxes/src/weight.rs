//! What facts of an email take on the wire, octets, about.

use mail::message::{EnvelopeFields, Part};

/// Of an envelope.
pub(crate) fn of_envelope(envelope: &EnvelopeFields) -> usize {
    let texts = [&envelope.date, &envelope.subject, &envelope.in_reply_to, &envelope.message_id];
    let lists =
        [&envelope.from, &envelope.sender, &envelope.reply_to, &envelope.to, &envelope.cc, &envelope.bcc];
    let length = |text: &Option<Vec<u8>>| text.as_ref().map_or(0, Vec::len);
    let addresses =
        lists.into_iter().flatten().map(|a| 16 + length(&a.name) + length(&a.mailbox) + length(&a.host));
    texts.into_iter().map(length).sum::<usize>() + addresses.sum::<usize>()
}

/// Of a part with those in it.
pub(crate) fn of_part(part: &Part) -> usize {
    // What a part without parameters takes on the wire, about.
    const BARE: usize = 96;
    let mut weight = 0;
    let mut waiting = vec![part];
    while let Some(part) = waiting.pop() {
        let parameters =
            part.parameters.iter().chain(part.disposition.iter().flat_map(|(_, parameters)| parameters));
        weight += BARE + parameters.map(|(name, value)| name.len() + value.len()).sum::<usize>();
        weight += part.envelope.as_deref().map_or(0, of_envelope);
        waiting.extend(&part.parts);
    }
    weight
}
