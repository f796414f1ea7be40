// Assets against liabilities, as far as a page can tell: the total is taken from the evidence file
// that the manifest names, and the argument is checked against it. Neither signatures nor amounts of
// the evidence are checked here, nor the trees.

import { equal, toBigInt } from "./bytes.js";
import { CoreRejected } from "./core.js";
import { Rejected } from "./errors.js";
import { ASSETS_LIMIT, MAX_EVIDENCE_BYTES, SOLVENCY_BITS, evidencePath } from "./params.js";
import { EVIDENCE, read } from "./records.js";
import { evidenceDigest, solvencyCommitments, solvencyState } from "./statement.js";

const HIDDEN_AMOUNT_BYTES = 16;

/** Check the solvency argument of one asset. */
export async function checkSolvency(core, source, checked, asset) {
  const data = await source.read(evidencePath(asset.code), MAX_EVIDENCE_BYTES);
  const { total, hidden } = readTotals(core, asset, data);
  const { assets, difference } = solvencyCommitments(core, total, hidden, asset.ratio, asset.sum);
  const state = solvencyState(core, checked.context, asset, assets, asset.sum);
  try {
    core.verifyArgument(state, difference, SOLVENCY_BITS, asset.solvency);
  } catch (error) {
    if (error instanceof CoreRejected) throw new Rejected(error.code, `${asset.code}, solvency`);
    throw error;
  }
}

/** What the rows of an evidence file add up to, in ledger units, and the commitments of its hidden sets. */
function readTotals(core, asset, data) {
  const fault = (code) => new Rejected(`evidence.${code}`, `${asset.code}, evidence`);
  if (data.length < 1 || data.length > MAX_EVIDENCE_BYTES) throw fault("too-large");
  if (!equal(evidenceDigest(core, data), asset.evidence)) throw fault("wrong-digest");
  const evidence = read(EVIDENCE, data, fault);
  if (evidence.version !== evidence.fieldsOf) throw fault("unsupported-version");
  if (evidence.code !== asset.code) throw fault("wrong-asset");
  const scaleOf = ({ chain, contract }) => {
    const unit = asset.units.find((known) => known.chain === chain && known.contract === contract);
    if (unit === undefined) throw fault("unknown-unit");
    return 10n ** (unit.decimals - asset.decimals);
  };
  const total = evidence.rows.reduce((sum, row) => sum + toBigInt(row.amount) / scaleOf(row), 0n);
  let most = total;
  for (const set of evidence.hidden) {
    const scale = scaleOf(set);
    for (let at = 0; at < set.amounts.length; at += HIDDEN_AMOUNT_BYTES) {
      most += toBigInt(set.amounts.subarray(at, at + HIDDEN_AMOUNT_BYTES)) / scale;
    }
    if (!core.pointIsValid(set.commitment)) throw fault("bad-fields");
  }
  if (most >= ASSETS_LIMIT) throw fault("total-too-large");
  return { total, hidden: evidence.hidden.map((set) => set.commitment) };
}
