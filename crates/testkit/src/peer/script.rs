//! What a peer offers, and where it misbehaves.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::tls::Identity;

/// Where a connection is when a rule is looked at: a command that was received and is to be answered, or what comes
/// between commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The connection is there; the banner is due.
    Banner,
    /// EHLO, or LHLO in LMTP.
    Ehlo,
    /// HELO.
    Helo,
    /// STARTTLS.
    StartTls,
    /// STARTTLS was answered, or TLS comes first; the handshake is due. [`Do::Reply`] sends clear text instead.
    Handshake,
    /// AUTH, with all that belongs to it, is to be answered. A reply 334 is one more challenge, which nothing satisfies.
    Auth,
    /// MAIL.
    Mail,
    /// RCPT.
    Rcpt,
    /// DATA.
    Data,
    /// The first octets of content are there. [`Do::Reply`] speaks unasked; with 4yz or 5yz it refuses the message early,
    /// and nothing more is said at its end.
    Content,
    /// The final dot is there. The message counts as taken unless a 4yz or 5yz is answered.
    End,
    /// RSET.
    Rset,
    /// QUIT.
    Quit,
}

/// What the peer does in place of its usual reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Do {
    /// Says this, and goes on as its first digit says: 2 and 3 accept. Lines are divided by `\n`.
    Reply(&'static str),
    /// Says no more and reads no more; the connection stays.
    Stall,
    /// Closes in good order: what was sent arrives.
    Close,
    /// Breaks the connection.
    Reset,
    /// Says what is no reply, then goes on; nothing is accepted by it.
    Garbage,
    /// Accepts without a word, then goes on.
    Nothing,
    /// Waits, then replies as usual.
    Delay(Duration),
}

/// What a peer does. Without rules it takes everything.
///
/// When several rules are meant, the first one counts. Each has a count of its own of how often its stage was reached,
/// over all connections, for [`first`](Self::first) and [`nth`](Self::nth).
#[derive(Debug, Clone)]
pub struct Script {
    pub(super) lmtp: bool,
    pub(super) extensions: Vec<String>,
    pub(super) identity: Option<Identity>,
    pub(super) tls_first: bool,
    pub(super) account: Option<(String, String)>,
    rules: Vec<Rule>,
    /// How often a rule decided.
    pub(super) deviations: usize,
}

#[derive(Debug, Clone)]
struct Rule {
    stage: Stage,
    /// For this recipient only, at [`Stage::Rcpt`], or at [`Stage::End`] in LMTP.
    recipient: Option<String>,
    times: RangeInclusive<usize>,
    reached: usize,
    does: Do,
}

impl Default for Script {
    /// [`Script::smtp`].
    fn default() -> Self {
        Self::smtp()
    }
}

impl Script {
    /// A good SMTP server: PIPELINING, SIZE, 8BITMIME, ENHANCEDSTATUSCODES; no TLS, no AUTH.
    pub fn smtp() -> Self {
        let extensions = ["PIPELINING", "SIZE 52428800", "8BITMIME", "ENHANCEDSTATUSCODES"];
        Self {
            lmtp: false,
            extensions: extensions.map(String::from).into(),
            identity: None,
            tls_first: false,
            account: None,
            rules: Vec::new(),
            deviations: 0,
        }
    }

    /// A good LMTP server; the same extensions.
    pub fn lmtp() -> Self {
        Self { lmtp: true, ..Self::smtp() }
    }

    /// Offers this too, in place of the line with the same keyword: `SIZE 100`.
    #[must_use]
    pub fn offering(self, line: &str) -> Self {
        let keyword = line.split(' ').next().unwrap_or_default();
        let mut script = self.without(keyword);
        script.extensions.push(line.into());
        script
    }

    /// Does not offer this keyword.
    #[must_use]
    pub fn without(mut self, keyword: &str) -> Self {
        self.extensions.retain(|line| line.split(' ').next() != Some(keyword));
        self
    }

    /// Offers STARTTLS and shows this certificate.
    #[must_use]
    pub fn starttls(mut self, identity: Identity) -> Self {
        self.identity = Some(identity);
        self
    }

    /// Begins with TLS.
    #[must_use]
    pub fn tls_first(mut self, identity: Identity) -> Self {
        self.tls_first = true;
        self.starttls(identity)
    }

    /// Offers AUTH, and takes mail only from this user.
    #[must_use]
    pub fn account(mut self, user: &str, password: &str) -> Self {
        self.account = Some((user.into(), password.into()));
        self
    }

    /// Does this at this stage, each time, until [`first`](Self::first) or [`nth`](Self::nth) is said of it.
    #[must_use]
    pub fn at(self, stage: Stage, does: Do) -> Self {
        self.rule(stage, None, does)
    }

    /// Does this at RCPT for this recipient.
    #[must_use]
    pub fn for_recipient(self, address: &str, does: Do) -> Self {
        self.rule(Stage::Rcpt, Some(address), does)
    }

    /// Does this when the reply to the content is due for this recipient. LMTP.
    #[must_use]
    pub fn content_for(self, address: &str, does: Do) -> Self {
        self.rule(Stage::End, Some(address), does)
    }

    fn rule(mut self, stage: Stage, recipient: Option<&str>, does: Do) -> Self {
        let recipient = recipient.map(String::from);
        self.rules.push(Rule { stage, recipient, times: 1..=usize::MAX, reached: 0, does });
        self
    }

    /// The rule given last holds the first `count` times only.
    #[must_use]
    pub fn first(self, count: usize) -> Self {
        self.times(1..=count)
    }

    /// The rule given last holds the n-th time only, counted from 1.
    #[must_use]
    pub fn nth(self, n: usize) -> Self {
        self.times(n..=n)
    }

    fn times(mut self, times: RangeInclusive<usize>) -> Self {
        self.rules.last_mut().expect("a rule comes first").times = times;
        self
    }

    /// This stage is reached. `recipient`: for whom, where it is reached for one.
    pub(super) fn reach(&mut self, stage: Stage, recipient: Option<&str>) -> Option<Do> {
        let mut does = None;
        for rule in self.rules.iter_mut().filter(|rule| rule.concerns(stage, recipient)) {
            rule.reached += 1;
            if does.is_none() && rule.times.contains(&rule.reached) {
                does = Some(rule.does);
            }
        }
        self.deviations += usize::from(does.is_some());
        does
    }
}

impl Rule {
    fn concerns(&self, stage: Stage, recipient: Option<&str>) -> bool {
        let for_whom = match (&self.recipient, recipient) {
            (Some(wanted), Some(recipient)) => wanted.eq_ignore_ascii_case(recipient),
            (Some(_), None) => false,
            // In LMTP a rule for all is looked at once, before those for each.
            (None, Some(_)) => stage == Stage::Rcpt,
            (None, None) => true,
        };
        self.stage == stage && for_whom
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_rule_that_is_meant_counts_and_each_counts_for_itself() {
        let mut script = Script::smtp()
            .at(Stage::Rcpt, Do::Stall)
            .first(1)
            .for_recipient("bob@x.example", Do::Reply("550 no"))
            .nth(2)
            .at(Stage::Rcpt, Do::Close)
            .nth(4);
        let mut rcpt = |address| script.reach(Stage::Rcpt, Some(address));
        let answers = ["ann@x.example", "bob@x.example", "BOB@x.example", "ann@x.example", "bob@x.example"];
        assert_eq!(
            answers.map(&mut rcpt),
            [Some(Do::Stall), None, Some(Do::Reply("550 no")), Some(Do::Close), None]
        );
        assert_eq!(script.reach(Stage::Mail, None), None);
    }

    #[test]
    fn an_extension_is_offered_once() {
        let script = Script::smtp().offering("SIZE 100").without("PIPELINING");
        assert_eq!(script.extensions, ["8BITMIME", "ENHANCEDSTATUSCODES", "SIZE 100"]);
    }
}
