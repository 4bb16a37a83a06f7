//! `_approx_count_distinct`: HyperLogLog over the keys, with CouchDB's hash and 2,048 registers.
//!
//! Up to about 1,800 different keys the estimate is CouchDB's own (linear counting of the empty registers). Beyond, CouchDB
//! corrects its estimate by the tables of the HyperLogLog++ paper; here the estimator of Ertl
//! (<https://arxiv.org/abs/1702.01284>) does, which needs none: both are right to about 2 %, and may differ by as much.

use serde_json::Value;
use sha1::{Digest as _, Sha1};

use crate::couch::term::Term;

const PRECISION: u32 = 11;
const REGISTERS: usize = 1 << PRECISION;
/// What is left of 64 bits for a run of zeros.
const LONGEST: usize = 64 - PRECISION as usize;
/// Below this estimate the empty registers are counted.
const LINEAR: f64 = 1800.0;

/// The registers.
#[derive(Clone, Debug)]
pub(super) struct Distinct(Box<[u8; REGISTERS]>);

impl Distinct {
    pub(super) fn new() -> Self {
        Self(Box::new([0; REGISTERS]))
    }

    /// Counts a key.
    pub(super) fn insert(&mut self, key: &Value) {
        let mut term = Term::new();
        if term.value(key).is_err() {
            term.binary(key.to_string().as_bytes());
        }
        let hash: [u8; 20] = Sha1::digest(term.into_bytes()).into();
        let mut bits = [0; 8];
        bits.copy_from_slice(&hash[..8]);
        let bits = u64::from_be_bytes(bits);
        let register = usize::try_from(bits >> (64 - PRECISION)).unwrap_or_default();
        let zeros = (bits << PRECISION).leading_zeros().min(64 - PRECISION);
        let value = u8::try_from(zeros + 1).unwrap_or(u8::MAX);
        if let Some(register) = self.0.get_mut(register) {
            *register = value.max(*register);
        }
    }

    /// How many different keys there were, roughly.
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "the numbers are small")]
    pub(super) fn estimate(&self) -> i128 {
        let count = REGISTERS as f64;
        let empty = self.0.iter().filter(|register| **register == 0).count();
        if empty > 0 {
            let linear = count * (count / empty as f64).ln();
            if linear <= LINEAR {
                return linear.round() as i128;
            }
        }
        self.ertl().round() as i128
    }

    /// Algorithm 6 of the paper.
    #[allow(clippy::cast_precision_loss, reason = "the numbers are small")]
    fn ertl(&self) -> f64 {
        let mut histogram = [0_usize; LONGEST + 2];
        for register in self.0.iter() {
            histogram[usize::from(*register).min(LONGEST + 1)] += 1;
        }
        let count = REGISTERS as f64;
        let mut sum = count * tau(1.0 - histogram[LONGEST + 1] as f64 / count);
        for registers in histogram[1..=LONGEST].iter().rev() {
            sum = 0.5 * (sum + *registers as f64);
        }
        sum += count * sigma(histogram[0] as f64 / count);
        count * count / (2.0 * std::f64::consts::LN_2 * sum)
    }
}

fn sigma(mut x: f64) -> f64 {
    let (mut y, mut z) = (1.0, x);
    for _ in 0..64 {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if (z - before).abs() < f64::EPSILON * z.abs() {
            break;
        }
    }
    z
}

fn tau(mut x: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return 0.0;
    }
    let (mut y, mut z) = (1.0, 1.0 - x);
    for _ in 0..64 {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        z -= (1.0 - x).powi(2) * y;
        if (z - before).abs() < f64::EPSILON {
            break;
        }
    }
    z / 3.0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// CouchDB 3.5.0, on keys `"key-0"`, `"key-1"`… and on the same numbers in arrays.
    const RECORDED: [(u32, i128, i128); 6] =
        [(1, 1, 1), (10, 10, 10), (100, 101, 98), (500, 506, 511), (1000, 1013, 1031), (1700, 1682, 1714)];

    #[test]
    fn small_numbers_are_estimated_as_couchdb_does() {
        for (count, texts, arrays) in RECORDED {
            let (mut by_text, mut by_array) = (Distinct::new(), Distinct::new());
            for number in 0..count {
                by_text.insert(&Value::from(format!("key-{number}")));
                by_array.insert(&serde_json::json!([number, 1.5, null]));
            }
            assert_eq!((by_text.estimate(), by_array.estimate()), (texts, arrays), "{count}");
        }
    }

    #[test]
    fn large_numbers_are_about_right() {
        for count in [2_500, 10_000, 60_000] {
            let mut distinct = Distinct::new();
            (0..count).for_each(|number| distinct.insert(&Value::from(number)));
            let error = (distinct.estimate() - count).abs();
            assert!(error * 100 < count * 7, "{count}: {}", distinct.estimate());
        }
    }
}
