//! The way to end an attempt early.

use tokio::sync::watch;

/// What an attempt is told. It only ever grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Word {
    /// Nothing.
    GoOn,
    /// The server stops: a transaction under way may end, and no other begins.
    Stop,
    /// End at once.
    End,
}

/// Tells the attempt that holds it to stop or to end.
#[derive(Debug, Clone)]
pub struct Cut(Option<watch::Receiver<Word>>);

impl Cut {
    /// An attempt that nobody cuts.
    pub fn never() -> Self {
        Self(None)
    }

    /// Cut by the value. A sender that is dropped cuts nothing.
    pub fn when(told: watch::Receiver<Word>) -> Self {
        Self(Some(told))
    }

    /// Waits for the word to end at once.
    ///
    /// # Cancellation
    /// Dropping the future changes nothing.
    pub async fn wait(&mut self) {
        self.wait_for(Word::End).await
    }

    /// Waits for the word to stop, or to end at once.
    ///
    /// # Cancellation
    /// Dropping the future changes nothing.
    pub async fn wait_stop(&mut self) {
        self.wait_for(Word::Stop).await
    }

    /// Whether the word is to stop, and not yet to end at once.
    pub fn is_stop(&self) -> bool {
        self.0.as_ref().is_some_and(|told| *told.borrow() == Word::Stop)
    }

    async fn wait_for(&mut self, least: Word) {
        if let Some(told) = &mut self.0
            && told.wait_for(|word| *word >= least).await.is_ok()
        {
            return;
        }
        std::future::pending().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use std::pin::pin;
    use std::task::Poll;

    async fn is_ready(wait: impl Future<Output = ()>) -> bool {
        let mut wait = pin!(wait);
        poll_fn(|cx| Poll::Ready(wait.as_mut().poll(cx).is_ready())).await
    }

    /// Whether it is to stop, to end, or neither.
    async fn heard(mut cut: Cut) -> (bool, bool) {
        (is_ready(cut.wait_stop()).await, is_ready(cut.wait()).await)
    }

    #[tokio::test]
    async fn only_a_word_cuts() {
        let (tell, told) = watch::channel(Word::GoOn);
        let cut = Cut::when(told);
        for (word, expected) in
            [(Word::GoOn, (false, false)), (Word::Stop, (true, false)), (Word::End, (true, true))]
        {
            tell.send(word).unwrap();
            assert_eq!(heard(cut.clone()).await, expected);
            assert_eq!(cut.is_stop(), word == Word::Stop);
        }

        let (tell, told) = watch::channel(Word::GoOn);
        drop(tell);
        assert_eq!(heard(Cut::when(told)).await, (false, false));
        assert_eq!(heard(Cut::never()).await, (false, false));
    }
}
