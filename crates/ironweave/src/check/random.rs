//! Random numbers from a seed: the same on every machine and in every version.

/// `SplitMix64` (Steele, Lea and Flood, 2014). It is not cryptographic.
pub(crate) struct Random {
    state: u64,
}

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// A number of 64 bits, each as likely.
    pub(crate) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from 0 to `n` - 1, each as likely; 0 if `n` is 0.
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        // The high word of a product (Lemire, 2019). What is rejected makes the others equally likely.
        let unfair = n.wrapping_neg().checked_rem(n).unwrap_or(0);
        loop {
            let product = u128::from(self.next()) * u128::from(n);
            if product as u64 >= unfair {
                return (product >> 64) as u64;
            }
        }
    }

    /// A number from 0 up to and not including 1.
    #[cfg(feature = "proptest")]
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Brings items into an order, each as likely.
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last as u64 + 1) as usize);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_the_published_generator() {
        let mut random = Random::new(1_234_567);
        let first: Vec<u64> = (0..3).map(|_| random.next()).collect();
        assert_eq!(
            first,
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423
            ]
        );
    }

    #[test]
    fn each_number_below_a_bound_is_as_likely() {
        let mut random = Random::new(7);
        for n in [1u64, 2, 3, 7] {
            let mut counts = vec![0u32; n as usize];
            for _ in 0..7_000 {
                counts[random.below(n) as usize] += 1;
            }
            let expected = 7_000 / n as u32;
            assert!(
                counts.iter().all(|c| c.abs_diff(expected) < 200),
                "{counts:?}"
            );
        }
        assert_eq!(random.below(0), 0);
        assert!(random.below(u64::MAX) < u64::MAX);
        #[cfg(feature = "proptest")]
        assert!((0..1_000).all(|_| (0.0..1.0).contains(&random.unit())));
    }

    #[test]
    fn each_order_is_as_likely() {
        let mut random = Random::new(3);
        let mut counts = std::collections::BTreeMap::new();
        for _ in 0..6_000 {
            let mut items = [0, 1, 2];
            random.shuffle(&mut items);
            *counts.entry(items).or_insert(0u32) += 1;
        }
        assert_eq!(counts.len(), 6);
        assert!(
            counts.values().all(|c| c.abs_diff(1_000) < 150),
            "{counts:?}"
        );
    }
}
