//! Stories without what is different each time: milliseconds, ports, queue ids.

/// A story of one day: with times, without dates.
pub(crate) fn comparable(story: &str) -> String {
    timed(story, "2026-11-22 ".len())
}

/// A story of several days.
pub(crate) fn dated(story: &str) -> String {
    timed(story, "2026-".len())
}

/// A text that names transactions of a story, with their places there instead of their queue ids.
pub(crate) fn without_ids(story: &str, text: &str) -> String {
    let ids = story.lines().filter(|line| !line.starts_with(' '));
    let replaced =
        |text: String, (number, id): (usize, &str)| text.replace(id, &format!("QUEUE-ID-{number}"));
    (1..).zip(ids).fold(text.to_owned(), replaced)
}

fn timed(story: &str, time_from: usize) -> String {
    let line = |line: &str| {
        let hop = line.strip_prefix("  ").and_then(|line| hop(line, time_from));
        hop.unwrap_or_else(|| line.into()) + "\n"
    };
    without_ids(story, &story.lines().map(line).collect::<String>())
}

/// `2026-11-22 10:00:00.000  accept ...` is `  10:00:00  accept ...`; a port of the system's is left out.
fn hop(line: &str, time_from: usize) -> Option<String> {
    let (time, rest) = line.split_at_checked("2026-11-22 10:00:00.000".len())?;
    if !time.starts_with("20") {
        return None;
    }
    let time = time.get(time_from..)?.split('.').next()?;
    let words = rest.split(' ').map(|word| word.split_once("127.0.0.1:").map_or(word, |_| "127.0.0.1:PORT"));
    Some(format!("  {time}{}", words.collect::<Vec<_>>().join(" ")))
}
