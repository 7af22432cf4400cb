//! One connection of a peer: the commands of RFC 5321 and 2033, and the script in between.

use std::future::pending;
use std::net::SocketAddr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use world::Clock;

use super::link::{Link, Over};
use super::script::{Do, Stage};
use super::tls::Identity;
use super::{Shared, Taken};

/// A connection.
pub(super) struct Talk {
    shared: Arc<Shared>,
    clock: Clock,
    /// Absent during a handshake only.
    link: Option<Link>,
    source: SocketAddr,
    /// Which of the peer's connections this is, from 0.
    number: usize,
    lmtp: bool,
    hello: Option<String>,
    tls: Option<&'static str>,
    signed_in: Option<String>,
    /// MAIL was accepted.
    envelope: Option<Envelope>,
}

struct Envelope {
    from: String,
    eight_bit: bool,
    to: Vec<String>,
    /// What came in chunks.
    chunks: Vec<u8>,
}

type Talked = Result<(), Over>;

impl Talk {
    pub(super) fn new(shared: Arc<Shared>, clock: Clock, link: Link, source: SocketAddr) -> Self {
        let (number, lmtp) = {
            let mut book = shared.book();
            book.heard.push(Vec::new());
            (book.heard.len() - 1, book.script.lmtp)
        };
        let link = Some(link);
        let (hello, tls, signed_in, envelope) = (None, None, None, None);
        Self { shared, clock, link, source, number, lmtp, hello, tls, signed_in, envelope }
    }

    pub(super) async fn run(mut self) {
        // However it ends: what is known is in the book.
        let Err(Over) = self.talk().await else { return };
    }

    async fn talk(&mut self) -> Talked {
        let tls_first = {
            let book = self.shared.book();
            book.script.identity.clone().filter(|_| book.script.tls_first)
        };
        if let Some(identity) = tls_first {
            self.handshake(&identity).await?;
        }
        self.turn(Stage::Banner, None, "220 peer.example ready").await?;
        loop {
            let shared = self.shared.clone();
            let line = tokio::select! {
                biased;
                line = self.link().line() => line?,
                () = shared.hang_up.notified() => return self.does(Do::Close, "").await.map(drop),
            };
            let line = self.checked(&line);
            self.shared.book().heard[self.number].push(line.clone());
            self.command(&line).await?;
        }
    }

    async fn command(&mut self, line: &str) -> Talked {
        let (verb, argument) = line.split_once(' ').unwrap_or((line, ""));
        match verb.to_ascii_uppercase().as_str() {
            "EHLO" if !self.lmtp => self.hello(Stage::Ehlo, argument).await,
            "LHLO" if self.lmtp => self.hello(Stage::Ehlo, argument).await,
            "HELO" if !self.lmtp => self.hello(Stage::Helo, argument).await,
            "STARTTLS" => self.start_tls().await,
            "AUTH" => self.auth(argument).await,
            "MAIL" => self.mail(argument).await,
            "RCPT" => self.rcpt(argument).await,
            "DATA" => self.data().await,
            "BDAT" => self.chunk(argument).await,
            "RSET" => {
                self.envelope = None;
                self.turn(Stage::Rset, None, "250 2.0.0 forgotten").await.map(drop)
            }
            "NOOP" => self.say("250 2.0.0 yes").await,
            "QUIT" => {
                self.turn(Stage::Quit, None, "221 2.0.0 bye").await?;
                self.link().close().await;
                Err(Over)
            }
            _ => self.refuse("500 5.5.2 what?").await,
        }
    }

    // Before mail.

    async fn hello(&mut self, stage: Stage, name: &str) -> Talked {
        self.envelope = None;
        let usual = match stage {
            Stage::Helo => "250 peer.example".to_owned(),
            _ => self.offers(),
        };
        if self.turn(stage, None, &usual).await? {
            self.hello = Some(name.into());
        }
        Ok(())
    }

    fn offers(&self) -> String {
        let book = self.shared.book();
        let mut lines = vec!["peer.example".to_owned()];
        lines.extend(book.script.extensions.iter().cloned());
        if book.script.identity.is_some() && self.tls.is_none() {
            lines.push("STARTTLS".into());
        }
        if book.script.account.is_some() {
            lines.push("AUTH PLAIN LOGIN".into());
        }
        let last = lines.len() - 1;
        let lines = lines.iter().enumerate();
        let line = |(index, line)| format!("250{}{line}", if index == last { ' ' } else { '-' });
        lines.map(line).collect::<Vec<_>>().join("\n")
    }

    async fn start_tls(&mut self) -> Talked {
        let identity = self.shared.book().script.identity.clone();
        let Some(identity) = identity.filter(|_| self.tls.is_none()) else {
            return self.refuse("502 5.5.1 not offered").await;
        };
        if !self.turn(Stage::StartTls, None, "220 2.0.0 go ahead").await? {
            return Ok(());
        }
        // RFC 3207 §4.2: all that was known is forgotten.
        (self.hello, self.signed_in, self.envelope) = (None, None, None);
        self.handshake(&identity).await
    }

    async fn handshake(&mut self, identity: &Identity) -> Talked {
        let does = self.shared.book().script.reach(Stage::Handshake, None);
        match does {
            None => {}
            Some(Do::Delay(time)) => self.clock.sleep(time).await,
            Some(does) => {
                self.does(does, "").await?;
                self.link().close().await;
                return Err(Over);
            }
        }
        let link = self.link.take().expect("no handshake has begun");
        let secured = link.secure(identity).await;
        let note = match &secured {
            Ok((_, version)) => format!("({version})"),
            Err(error) => format!("(no TLS: {error})"),
        };
        self.shared.book().heard[self.number].push(note);
        let (link, version) = secured?;
        (self.link, self.tls) = (Some(link), Some(version));
        Ok(())
    }

    async fn auth(&mut self, argument: &str) -> Talked {
        let account = self.shared.book().script.account.clone();
        let Some(account) = account.filter(|_| self.hello.is_some()) else {
            return self.refuse("503 5.5.1 not offered").await;
        };
        let (mechanism, initial) = argument.split_once(' ').unwrap_or((argument, ""));
        let given = match mechanism {
            "PLAIN" => self.plain(initial).await?,
            "LOGIN" => {
                let user = self.challenge("334 VXNlcm5hbWU6").await?;
                Some((user, self.challenge("334 UGFzc3dvcmQ6").await?))
            }
            _ => None,
        };
        let usual = if given == Some(account.clone()) { "235 2.7.0 welcome" } else { "535 5.7.8 no" };
        let does = self.shared.book().script.reach(Stage::Auth, None);
        match does {
            // One more challenge, which no response satisfies; `*` ends it (RFC 4954 §4).
            Some(Do::Reply(text)) if text.starts_with('3') => {
                self.challenge(text).await?;
                self.say("501 5.5.2 that is not it").await?;
            }
            _ if self.answer(does, usual).await? => self.signed_in = Some(account.0),
            _ => {}
        }
        Ok(())
    }

    /// RFC 4616: authorization, user, password, divided by NUL.
    async fn plain(&mut self, initial: &str) -> Result<Option<(String, String)>, Over> {
        let message = if initial.is_empty() { self.challenge("334 ").await? } else { decoded(initial) };
        let mut parts = message.split('\0').skip(1).map(String::from);
        Ok(parts.next().zip(parts.next()))
    }

    async fn challenge(&mut self, text: &str) -> Result<String, Over> {
        self.say(text).await?;
        let line = self.link().line().await?;
        Ok(decoded(String::from_utf8_lossy(&line).trim_end()))
    }

    // Mail.

    async fn mail(&mut self, argument: &str) -> Talked {
        let unknown = self.shared.book().script.account.is_some() && self.signed_in.is_none();
        if self.hello.is_none() || self.envelope.is_some() {
            return self.refuse("503 5.5.1 not now").await;
        } else if unknown {
            return self.say("530 5.7.0 sign in first").await;
        }
        let Some((from, parameters)) = path(argument, "FROM:") else {
            return self.refuse("501 5.5.4 no reverse-path").await;
        };
        self.check_parameters(&parameters);
        if self.turn(Stage::Mail, None, "250 2.1.0 sender taken").await? {
            let eight_bit = parameters.iter().any(|parameter| parameter == "BODY=8BITMIME");
            self.envelope = Some(Envelope { from, eight_bit, to: Vec::new(), chunks: Vec::new() });
        }
        Ok(())
    }

    async fn rcpt(&mut self, argument: &str) -> Talked {
        if self.envelope.is_none() {
            // Not the client's mistake where it pipelines.
            return self.say("503 5.5.1 no sender").await;
        }
        let Some((to, _)) = path(argument, "TO:") else {
            return self.refuse("501 5.5.4 no forward-path").await;
        };
        if self.turn(Stage::Rcpt, Some(&to), "250 2.1.5 recipient taken").await?
            && let Some(envelope) = &mut self.envelope
        {
            envelope.to.push(to);
        }
        Ok(())
    }

    async fn data(&mut self) -> Talked {
        if self.envelope.as_ref().is_none_or(|envelope| envelope.to.is_empty()) {
            return self.say("503 5.5.1 no recipients").await;
        }
        if !self.turn(Stage::Data, None, "354 go on").await? {
            return Ok(());
        }
        if !self.link().has_more() {
            self.link().fill().await?;
        }
        let does = self.shared.book().script.reach(Stage::Content, None);
        if let Some(does) = does {
            self.does(does, "").await?;
        }
        let content = self.link().content().await?;
        let content = self.checked_content(&content);
        let refused = matches!(does, Some(Do::Reply(text)) if !positive(text));
        let Some(envelope) = self.envelope.take().filter(|_| !refused) else { return Ok(()) };
        self.end(envelope, content).await
    }

    /// RFC 3030 §2.
    async fn chunk(&mut self, argument: &str) -> Talked {
        if !self.offered("CHUNKING") {
            return self.refuse("500 5.5.2 what?").await;
        }
        let (size, last) = argument.split_once(' ').unwrap_or((argument, ""));
        let Ok(size) = size.parse() else { return self.refuse("501 5.5.4 no size").await };
        let octets = self.link().octets(size).await?;
        let Some(envelope) = self.envelope.as_mut().filter(|envelope| !envelope.to.is_empty()) else {
            return self.say("503 5.5.1 no recipients").await;
        };
        envelope.chunks.extend(octets);
        if last.is_empty() {
            return self.turn(Stage::Content, None, "250 2.0.0 go on").await.map(drop);
        }
        let Some(mut envelope) = self.envelope.take() else { return Ok(()) };
        let content = std::mem::take(&mut envelope.chunks);
        self.end(envelope, content).await
    }

    /// The content is complete. Which recipients it is taken for is noted before anything is said.
    async fn end(&mut self, envelope: Envelope, content: Vec<u8>) -> Talked {
        let turns = {
            let script = &mut self.shared.book().script;
            let all = script.reach(Stage::End, None);
            let each = |to: &String| all.or_else(|| script.reach(Stage::End, Some(to)));
            if self.lmtp { envelope.to.iter().map(each).collect() } else { vec![all] }
        };
        let refused =
            |does: Option<&Option<Do>>| matches!(does, Some(Some(Do::Reply(text))) if !positive(text));
        let taken_for = envelope.to.iter().enumerate();
        let taken_for =
            taken_for.filter(|(index, _)| !refused(turns.get(if self.lmtp { *index } else { 0 })));
        let to: Vec<String> = taken_for.map(|(_, to)| to.clone()).collect();
        if !to.is_empty() {
            self.take(envelope.from, to, content);
        }
        for does in turns {
            match does {
                Some(does) => drop(self.does(does, "250 2.0.0 taken").await?),
                None => self.say("250 2.0.0 taken").await?,
            }
        }
        Ok(())
    }

    fn take(&self, from: String, to: Vec<String>, content: Vec<u8>) {
        let taken = Taken {
            from,
            to,
            content,
            hello: self.hello.clone().unwrap_or_default(),
            tls: self.tls.map(String::from),
            signed_in: self.signed_in.clone(),
            source: self.source,
            at: self.clock.wall(),
        };
        self.shared.book().taken.push(taken);
        self.shared.taken.notify_waiters();
    }

    // What is said.

    /// Replies as the script says, else as usual; says whether the command was accepted.
    async fn turn(&mut self, stage: Stage, recipient: Option<&str>, usual: &str) -> Result<bool, Over> {
        let does = self.shared.book().script.reach(stage, recipient);
        self.answer(does, usual).await
    }

    async fn answer(&mut self, does: Option<Do>, usual: &str) -> Result<bool, Over> {
        match does {
            Some(does) => self.does(does, usual).await,
            None => {
                self.say(usual).await?;
                Ok(positive(usual))
            }
        }
    }

    async fn does(&mut self, does: Do, usual: &str) -> Result<bool, Over> {
        match does {
            Do::Reply(text) => {
                self.say(text).await?;
                Ok(positive(text))
            }
            Do::Stall => pending().await,
            Do::Close => {
                self.link().close().await;
                Err(Over)
            }
            Do::Reset => {
                self.link().break_on_close();
                Err(Over)
            }
            Do::Garbage => {
                self.link().write(b"\x00\xff what is this?\r\n").await?;
                Ok(false)
            }
            Do::Nothing => Ok(true),
            Do::Delay(time) => {
                self.clock.sleep(time).await;
                self.say(usual).await?;
                Ok(positive(usual))
            }
        }
    }

    async fn say(&mut self, text: &str) -> Talked {
        if text.is_empty() {
            return Ok(());
        }
        let text = format!("{}\r\n", text.replace('\n', "\r\n"));
        self.link().write(text.as_bytes()).await
    }

    /// The client should have known.
    async fn refuse(&mut self, text: &str) -> Talked {
        let said = self.shared.book().heard[self.number].last().cloned().unwrap_or_default();
        self.complain(format!("{said}: {text}"));
        self.say(text).await
    }

    // What a client must not do.

    /// A command's line without its end.
    fn checked(&mut self, line: &[u8]) -> String {
        let text = String::from_utf8_lossy(line).into_owned();
        let Some(text) = text.strip_suffix("\r\n") else {
            self.complain(format!("{text:?} ends without CRLF"));
            return text.trim_end().into();
        };
        let verb = text.split(' ').next().unwrap_or_default().to_ascii_uppercase();
        // RFC 2920 §3.1: these must be the last of what is sent together.
        let last = ["EHLO", "LHLO", "HELO", "DATA", "STARTTLS", "AUTH", "QUIT", "NOOP", "VRFY", "EXPN"];
        // RFC 3030 §2: its octets follow at once.
        if verb != "BDAT"
            && self.link().has_more()
            && (last.contains(&verb.as_str()) || !self.offered("PIPELINING"))
        {
            self.complain(format!("{text}: something follows at once"));
        }
        // RFC 5321 §4.5.3.1.4; AUTH may be longer (RFC 4954 §4), and so may what extensions add to.
        if line.len() > 1024 {
            self.complain(format!("{verb}: a line of {} octets", line.len()));
        }
        text.into()
    }

    fn check_parameters(&self, parameters: &[String]) {
        for parameter in parameters {
            let keyword = match parameter.split_once('=') {
                Some(("BODY", _)) => "8BITMIME",
                // RFC 3461 §3.
                Some(("RET" | "ENVID" | "NOTIFY" | "ORCPT", _)) => "DSN",
                Some((keyword, _)) => keyword,
                None => parameter,
            };
            if !self.offered(keyword) {
                self.complain(format!("{parameter} was not offered"));
            }
        }
    }

    /// The content without its doubled dots.
    fn checked_content(&self, sent: &[u8]) -> Vec<u8> {
        let mut content = Vec::with_capacity(sent.len());
        for line in sent.split_inclusive(|&octet| octet == b'\n') {
            if !line.ends_with(b"\r\n") || line[..line.len() - 2].contains(&b'\r') {
                self.complain("a bare CR or LF in the content".into());
            }
            content.extend_from_slice(line.strip_prefix(b".").unwrap_or(line));
        }
        let eight_bit = self.envelope.as_ref().is_some_and(|envelope| envelope.eight_bit);
        if !eight_bit && !content.is_ascii() {
            self.complain("8-bit content without BODY=8BITMIME".into());
        }
        content
    }

    fn offered(&self, keyword: &str) -> bool {
        let book = self.shared.book();
        book.script.extensions.iter().any(|line| line.split(' ').next() == Some(keyword))
    }

    fn complain(&self, of: String) {
        self.shared.book().complaints.push(of);
    }

    fn link(&mut self) -> &mut Link {
        self.link.as_mut().expect("no handshake is under way")
    }
}

fn positive(reply: &str) -> bool {
    reply.starts_with(['2', '3'])
}

/// What a path has between its brackets, and the parameters after it.
fn path(argument: &str, keyword: &str) -> Option<(String, Vec<String>)> {
    let (begins, path) = argument.split_at_checked(keyword.len())?;
    let (path, parameters) = path.strip_prefix('<')?.rsplit_once('>')?;
    let parameters = parameters.split_ascii_whitespace().map(str::to_ascii_uppercase).collect();
    begins.eq_ignore_ascii_case(keyword).then(|| (path.to_owned(), parameters))
}

fn decoded(text: &str) -> String {
    String::from_utf8_lossy(&STANDARD.decode(text).unwrap_or_default()).into_owned()
}
