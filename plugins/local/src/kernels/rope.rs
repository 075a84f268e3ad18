//! Rotary position embedding: pairs (i, i + width/2) of a head turn by position · frequency.

/// Cosines and sines by position.
#[derive(Clone, Debug, Default)]
pub struct RopeTable {
    half: usize,
    /// `[positions, half]`.
    cos: Vec<f32>,
    sin: Vec<f32>,
}

impl RopeTable {
    /// Makes the table reach `positions`. `frequencies`: `[head_dim / 2]`, in radians a position.
    ///
    /// Angles are f32 products, as the reference implementations have them; models were trained with
    /// that rounding.
    pub fn extend(&mut self, frequencies: &[f32], positions: usize) {
        self.half = frequencies.len();
        let known = self.cos.len() / frequencies.len();
        for position in known..positions {
            for frequency in frequencies {
                let angle = f64::from(position as f32 * frequency);
                self.cos.push(angle.cos() as f32);
                self.sin.push(angle.sin() as f32);
            }
        }
    }

    /// Turns every head of a row, `[heads · head_dim]`, forward.
    #[inline(always)]
    pub fn rotate(&self, row: &mut [f32], position: usize) {
        self.turn(row, position, 1.0);
    }

    /// Turns every head of a row back: the gradient of [`RopeTable::rotate`].
    #[inline(always)]
    pub fn rotate_back(&self, row: &mut [f32], position: usize) {
        self.turn(row, position, -1.0);
    }

    #[inline(always)]
    fn turn(&self, row: &mut [f32], position: usize, sign: f32) {
        let at = position * self.half..(position + 1) * self.half;
        let (cos, sin) = (&self.cos[at.clone()], &self.sin[at]);
        for head in row.chunks_exact_mut(2 * self.half) {
            let (low, high) = head.split_at_mut(self.half);
            for (((a, b), cos), sin) in low.iter_mut().zip(high).zip(cos).zip(sin) {
                let sin = sin * sign;
                (*a, *b) = (*a * cos - *b * sin, *b * cos + *a * sin);
            }
        }
    }
}
