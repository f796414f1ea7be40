// Runs one vector: `run(kind, case)` in the page gives JSON. Bytes are hex, files base64.

import { canonicalAccountId } from "./account.js";
import { fromHex, toHex, utf8 } from "./bytes.js";
import { checkAllSolvency, checkInclusion, openBundle } from "./check.js";
import { Core, CoreRejected } from "./core.js";
import { CannotCheck, Rejected } from "./errors.js";
import { checkPrevious } from "./manifest.js";
import { TreeShape } from "./params.js";
import { BlobSource } from "./source.js";
import { leafBlinding, snapshotContext } from "./statement.js";

const core = await Core.load(await WebAssembly.compileStreaming(
  fetch("core.wasm").then(async (answer) => new Response(await answer.arrayBuffer(), {
    headers: { "Content-Type": "application/wasm" },
  })),
));

function bundleOf({ files, key, policy, previous }) {
  const bytes = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  const blobs = Object.entries(files).map(([path, text]) => [path, new Blob([bytes(text)])]);
  return {
    source: new BlobSource(new Map(blobs)),
    key: fromHex(key),
    policy: { ratio: policy.ratio.map(BigInt), units: policy.units },
    previous: previous && { data: fromHex(previous.data), signature: fromHex(previous.signature) },
  };
}

/** The code of a rejection; anything else is a fault of the page. */
async function codeOf(body) {
  try {
    return { code: null, ...(await body()) };
  } catch (error) {
    if ([Rejected, CannotCheck, CoreRejected].some((kind) => error instanceof kind)) return { code: error.code };
    throw error;
  }
}

const kinds = {
  inclusion: (given) => codeOf(async () => {
    const { source, ...request } = bundleOf(given);
    const typed = { packageData: fromHex(given.package), accountId: given.account, balances: given.balances };
    const { amounts } = await checkInclusion(core, source, { ...request, ...typed });
    return {
      counted: Object.fromEntries(amounts.map((item) => [item.code, String(item.counted)])),
      notCompared: amounts.filter((item) => !item.isCompared).map((item) => item.code),
    };
  }),
  solvency: (given) => codeOf(async () => {
    const { source, key, policy, previous } = bundleOf(given);
    const checked = await openBundle(core, source, key, policy);
    if (previous) await checkPrevious(core, checked, previous.data, previous.signature);
    await checkAllSolvency(core, source, checked);
  }),
  argument: ({ state, bits, commitments, argument }) => codeOf(() =>
    core.verifyArgument(fromHex(state), fromHex(commitments), bits, fromHex(argument))),
  generator: ({ name, index }) => ({ point: toHex(core.generator(utf8(name), index)) }),
  transcript([, ...steps]) {
    const states = [core.transcriptBegin()];
    for (const step of steps) {
      const before = states.at(-1);
      if (step.absorb !== undefined) {
        states.push(core.transcriptAbsorb(before, utf8(step.absorb), fromHex(step.data)));
        continue;
      }
      const { scalar, state } = core.transcriptChallenge(before, utf8(step.challenge));
      if (toHex(scalar) !== step.scalar) throw new Error("another challenge");
      states.push(state);
    }
    return states.map(toHex);
  },
  leaves(given) {
    const context = snapshotContext(core, { ...given, public_key: fromHex(given.public_key) });
    const leaves = given.leaves.map((leaf) => {
      const key = fromHex(leaf.account_key);
      const blinding = leafBlinding(core, context, leaf.asset, leaf.account_id, key, leaf.part);
      return [toHex(blinding), toHex(core.commit(BigInt(leaf.amount), blinding))];
    });
    return { context: toHex(context), leaves };
  },
  shape({ page_size: pageSize, capacity }) {
    const shape = new TreeShape(capacity, pageSize);
    const levels = Array.from({ length: shape.levels }, (_, level) => level);
    return {
      pages: levels.map((level) => shape.pages(level)),
      bytes: levels.map((level) => shape.fileBytes(core, level)),
    };
  },
  accounts: (cases) => cases.map(([text, type]) => {
    try {
      return canonicalAccountId(text, type);
    } catch (error) {
      if (error.rule) return null;
      throw error;
    }
  }),
};

window.run = async (kind, given) => JSON.stringify(await kinds[kind](given));
