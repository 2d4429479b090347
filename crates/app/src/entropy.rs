//! App: randomness, from the system or, in tests that replay, from a seed.

use std::sync::Mutex;

use crate::error::AppError;

/// Where random ids and secrets come from.
#[derive(Debug)]
pub enum Entropy {
    /// The operating system.
    System,
    /// A seed: the same ids in the same order. For simulations; secrets made from it are no secrets.
    Seeded(Mutex<u64>),
}

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

impl Entropy {
    /// From a seed.
    pub fn seeded(seed: u64) -> Self {
        Self::Seeded(Mutex::new(seed))
    }

    /// `n` letters and digits, each drawn evenly: 5.95 bits a character.
    ///
    /// # Errors
    /// `internal` when the system gives no random bytes.
    pub(crate) fn text(&self, n: usize) -> Result<String, AppError> {
        let mut text = String::with_capacity(n);
        let mut bytes = [0u8; 64];
        while text.len() < n {
            self.fill(&mut bytes)?;
            // 248 is the largest multiple of 62 below 256: no letter is likelier than another.
            let letters = bytes.iter().filter(|&&b| b < 248).map(|&b| usize::from(b) % 62);
            text.extend(letters.filter_map(|i| ALPHABET.get(i)).map(|&b| char::from(b)).take(n - text.len()));
        }
        Ok(text)
    }

    fn fill(&self, bytes: &mut [u8]) -> Result<(), AppError> {
        match self {
            Self::System => getrandom::fill(bytes).map_err(|e| AppError::internal("get random bytes", e)),
            Self::Seeded(state) => {
                let mut state = state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                for chunk in bytes.chunks_mut(8) {
                    let drawn = splitmix(&mut state).to_le_bytes();
                    chunk.iter_mut().zip(drawn).for_each(|(to, from)| *to = from);
                }
                Ok(())
            }
        }
    }
}

/// Steele, Lea and Flood's SplitMix64.
fn splitmix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
