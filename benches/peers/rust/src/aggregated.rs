//! Bulletproofs: one proof over `size` values of 64 bits. The crate verifies one proof a call; it
//! offers no verification of several proofs at once.

use bulletproofs::{BulletproofGens, PedersenGens, RangeProof};
use curve25519_dalek_4::scalar::Scalar;
use merlin::Transcript;

use crate::{Inputs, time};

const BITS: usize = 64;
const LABEL: &[u8] = b"peers";

pub fn measure(size: usize) {
    let commitments = PedersenGens::default();
    let generators = BulletproofGens::new(BITS, size);
    let mut inputs = Inputs(1);
    let values: Vec<u64> = (0..size).map(|_| inputs.word()).collect();
    let blindings: Vec<Scalar> = (0..size)
        .map(|_| Scalar::from_bytes_mod_order_wide(&inputs.wide()))
        .collect();

    let (proof, committed) = time("prove", 5, size, |_| {
        let mut transcript = Transcript::new(LABEL);
        RangeProof::prove_multiple(
            &generators,
            &commitments,
            &mut transcript,
            &values,
            &blindings,
            BITS,
        )
        .expect("a proof")
    });
    time("verify", 9, size, |_| {
        let mut transcript = Transcript::new(LABEL);
        proof
            .verify_multiple(&generators, &commitments, &mut transcript, &committed, BITS)
            .expect("a valid proof");
    });
}
