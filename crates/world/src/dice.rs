//! Chance.

use std::sync::{Arc, Mutex};

/// Random bytes: the kernel's, or from a seed.
#[derive(Debug, Clone)]
pub enum Dice {
    /// The kernel's generator; fit for keys and passwords.
    Real,
    /// SplitMix64 from a seed: the same seed, the same throws.
    Seeded(Arc<Mutex<u64>>),
}

impl Dice {
    /// Dice that fall the same way each time.
    pub fn seeded(seed: u64) -> Self {
        Self::Seeded(Arc::new(Mutex::new(seed)))
    }

    /// Fills the buffer.
    ///
    /// # Panics
    /// When the kernel has no randomness to give, which Linux excludes after boot.
    #[expect(clippy::disallowed_methods, reason = "this is the door")]
    pub fn fill(&self, buffer: &mut [u8]) {
        match self {
            Self::Real => getrandom::fill(buffer).expect("the kernel gives randomness"),
            Self::Seeded(state) => {
                for chunk in buffer.chunks_mut(8) {
                    let throw = split_mix(&mut state.lock().expect("no throw panics")).to_le_bytes();
                    chunk.copy_from_slice(&throw[..chunk.len()]);
                }
            }
        }
    }

    /// 64 random bits.
    pub fn throw(&self) -> u64 {
        let mut bytes = [0; 8];
        self.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }
}

fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_throws_the_same() {
        let (a, b) = (Dice::seeded(7), Dice::seeded(7));
        assert_eq!((a.throw(), a.throw()), (b.throw(), b.throw()));
        assert_ne!(Dice::seeded(8).throw(), Dice::seeded(7).throw());
    }

    #[test]
    fn every_byte_of_a_buffer_is_thrown() {
        for dice in [Dice::Real, Dice::seeded(1)] {
            let mut seen = [0; 13];
            for _ in 0..64 {
                let mut throw = [0; 13];
                dice.fill(&mut throw);
                seen.iter_mut().zip(throw).for_each(|(seen, byte)| *seen |= byte);
            }
            assert!(seen.iter().all(|&byte| byte != 0), "{dice:?}: {seen:?}");
        }
    }
}
