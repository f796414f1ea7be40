//! dapol: a tree of `size` entities of the crate's default height, built with one thread a core, and
//! inclusion proofs of the crate's default aggregation for bounds of 64 bits.

use std::str::FromStr;

use dapol::{
    AccumulatorType, DapolTree, Entity, EntityId, Height, MaxLiability, MaxThreadCount, Salt,
    Secret,
};

use crate::{Inputs, print_peak, time};

const PROOFS: usize = 5;

pub fn measure(size: usize) {
    dapol::initialize_machine_parallelism();
    let mut inputs = Inputs(1);
    let ids: Vec<EntityId> = (0..size)
        .map(|index| EntityId::from_str(&format!("customer-{index}")).expect("an id"))
        .collect();
    // The sum of all liabilities must fit 64 bits.
    let entities: Vec<Entity> = ids
        .iter()
        .map(|id| Entity {
            liability: inputs.word() >> 24,
            id: id.clone(),
        })
        .collect();

    let tree = {
        let mut entities = Some(entities);
        time("build", 1, size, |_| {
            DapolTree::new(
                AccumulatorType::NdmSmt,
                Secret::from_str("master secret").expect("a secret"),
                Salt::from_str("salt b").expect("a salt"),
                Salt::from_str("salt s").expect("a salt"),
                // The largest power of two that the type holds: range proofs of 64 bits.
                MaxLiability::from(1 << 63),
                MaxThreadCount::default(),
                Height::default(),
                entities.take().expect("one run"),
            )
            .expect("a tree")
        })
    };
    print_peak("peak");

    let stride = size / PROOFS;
    let proofs: Vec<_> = (0..PROOFS).map(|index| &ids[index * stride]).collect();
    let mut made = Vec::new();
    time("proof", PROOFS, 1, |run| {
        made.push(tree.generate_inclusion_proof(proofs[run]).expect("a proof"));
    });
    time("check", PROOFS, 1, |run| {
        made[run].verify(*tree.root_hash()).expect("a valid proof");
    });
}
