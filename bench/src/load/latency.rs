//! How long things took.

use std::time::Duration;

/// Samples, in whole microseconds.
#[derive(Debug, Default, Clone)]
pub struct Latency(Vec<u32>);

impl Latency {
    /// One more.
    pub fn add(&mut self, time: Duration) {
        self.0.push(u32::try_from(time.as_micros()).unwrap_or(u32::MAX));
    }

    /// The samples of another session.
    pub fn merge(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// How many.
    pub fn count(&self) -> u64 {
        self.0.len() as u64
    }

    /// Milliseconds that a share of the samples (0 to 1) did not exceed; none without samples.
    pub fn quantile(&self, share: f64) -> Option<f64> {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let at = ((sorted.len() as f64 * share) as usize).min(sorted.len().checked_sub(1)?);
        Some(f64::from(sorted[at]) / 1000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles() {
        let mut latency = Latency::default();
        assert_eq!(latency.quantile(0.5), None);
        for ms in 1..=100 {
            latency.add(Duration::from_millis(ms));
        }
        assert_eq!((latency.quantile(0.5), latency.quantile(0.99)), (Some(51.0), Some(100.0)));
        assert_eq!(latency.count(), 100);
    }
}
