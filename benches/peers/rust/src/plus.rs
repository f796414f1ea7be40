//! Bulletproofs+: one proof over `size` values of 64 bits, verified alone, and in the largest batch
//! that the crate takes at once.

use curve25519_dalek::{ristretto::RistrettoPoint, scalar::Scalar};
use tari_bulletproofs_plus::{
    Transcript,
    commitment_opening::CommitmentOpening,
    generators::pedersen_gens::ExtensionDegree,
    range_parameters::RangeParameters,
    range_proof::VerifyAction,
    range_statement::RangeStatement,
    range_witness::RangeWitness,
    ristretto::{RistrettoRangeProof, create_pedersen_gens_with_extension_degree},
};

use crate::{Inputs, time};

const BITS: usize = 64;
const BATCH: usize = 256;
const LABEL: &str = "peers";

type Statement = RangeStatement<RistrettoPoint>;

pub fn measure(size: usize) {
    let bases = create_pedersen_gens_with_extension_degree(ExtensionDegree::DefaultPedersen);
    let parameters = RangeParameters::init(BITS, size, bases).expect("parameters");
    let mut inputs = Inputs(1);

    let (mut statements, mut proofs) = (Vec::new(), Vec::new());
    time("prove", 5, size, |_| {
        let (statement, proof) = prove(&parameters, size, &mut inputs);
        statements.push(statement);
        proofs.push(proof);
    });
    time("verify", 9, size, |_| {
        verify(&statements[..1], &proofs[..1])
    });
    // The cost of a batch does not depend on whether its proofs differ, so few are made.
    let statements: Vec<_> = statements.iter().cycle().take(BATCH).cloned().collect();
    let proofs: Vec<_> = proofs.iter().cycle().take(BATCH).cloned().collect();
    time("verify_batch", 3, size * BATCH, |_| {
        verify(&statements, &proofs)
    });
}

/// Commits to `size` fresh values and proves their ranges.
fn prove(
    parameters: &RangeParameters<RistrettoPoint>,
    size: usize,
    inputs: &mut Inputs,
) -> (Statement, RistrettoRangeProof) {
    let (mut commitments, mut openings) = (Vec::new(), Vec::new());
    for _ in 0..size {
        let value = inputs.word();
        let blinding = Scalar::from_bytes_mod_order_wide(&inputs.wide());
        let bases = parameters.pc_gens();
        commitments.push(
            bases
                .commit(&Scalar::from(value), &[blinding])
                .expect("a commitment"),
        );
        openings.push(CommitmentOpening::new(value, vec![blinding]));
    }
    let statement = RangeStatement::init(parameters.clone(), commitments, vec![None; size], None)
        .expect("a statement");
    let witness = RangeWitness::init(openings).expect("a witness");
    let proof =
        RistrettoRangeProof::prove(&mut Transcript::new(LABEL.as_bytes()), &statement, &witness)
            .expect("a proof");
    (statement, proof)
}

fn verify(statements: &[Statement], proofs: &[RistrettoRangeProof]) {
    let mut transcripts = vec![Transcript::new(LABEL.as_bytes()); proofs.len()];
    RistrettoRangeProof::verify_batch(
        &mut transcripts,
        statements,
        proofs,
        VerifyAction::VerifyOnly,
    )
    .expect("valid proofs");
}
