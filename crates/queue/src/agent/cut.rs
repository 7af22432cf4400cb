//! The way to end an attempt early.

use tokio::sync::watch;

/// Resolves when the attempt that holds it is to end at once.
#[derive(Debug, Clone)]
pub struct Cut(Option<watch::Receiver<bool>>);

impl Cut {
    /// An attempt that nobody cuts.
    pub fn never() -> Self {
        Self(None)
    }

    /// Cut when the value becomes true. A sender that is dropped cuts nothing.
    pub fn when(told: watch::Receiver<bool>) -> Self {
        Self(Some(told))
    }

    /// Waits for the cut.
    ///
    /// # Cancellation
    /// Dropping the future changes nothing.
    pub async fn wait(&mut self) {
        if let Some(told) = &mut self.0
            && told.wait_for(|cut| *cut).await.is_ok()
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

    async fn is_cut(cut: &mut Cut) -> bool {
        let mut wait = pin!(cut.wait());
        poll_fn(|cx| Poll::Ready(wait.as_mut().poll(cx).is_ready())).await
    }

    #[tokio::test]
    async fn only_a_word_cuts() {
        let (tell, told) = watch::channel(false);
        let mut cut = Cut::when(told.clone());
        assert!(!is_cut(&mut cut).await);
        tell.send(true).unwrap();
        assert!(is_cut(&mut cut).await);
        assert!(is_cut(&mut Cut::when(told)).await);

        let (tell, told) = watch::channel(false);
        drop(tell);
        assert!(!is_cut(&mut Cut::when(told)).await);
        assert!(!is_cut(&mut Cut::never()).await);
    }
}
