// Runs one vector: `run(kind, case)` in the page gives JSON. Bytes are hex, files base64.
//
// A check goes to the page's own worker, and what comes back through the page's own words; the parts
// are called as they are.

import { canonicalAccountId, canonicalName } from "./account.js";
import { fromHex, toHex, utf8 } from "./bytes.js";
import { Core, CoreRejected } from "./core.js";
import { NotCanonical, decode } from "./msgpack.js";
import { TreeShape } from "./params.js";
import { parsePublicKey } from "./keys.js";
import { readSigned } from "./list.js";
import { leafIdentity, snapshotContext } from "./statement.js";
import { outcomeOf, reportOf } from "./verdict.js";

const BAD_LENGTH = 10;
const RANGE_WEIGHTS = 4;
const bytesOf = async (name) => new Uint8Array(await (await fetch(name)).arrayBuffer());
const strings = await (await fetch("strings.json")).json();

/** What of the C core the page has no use for by itself. */
class WiderCore extends Core {
  generator(name, index) {
    return this.call(() => {
      const point = this.allocate(33);
      this.c.assay_generator_var(point, this.put(name), name.length, index);
      return this.get(point, 33);
    });
  }

  transcriptBegin() {
    return this.call(() => {
      const state = this.allocate(32);
      this.c.assay_transcript_begin(state);
      return this.get(state, 32);
    });
  }

  transcriptAbsorb(state, label, data) {
    return this.call(() => {
      const kept = this.put(state);
      const at = [this.put(label), label.length, this.put(data), data.length];
      this.expect(this.c.assay_transcript_absorb(kept, ...at));
      return this.get(kept, 32);
    });
  }

  transcriptChallenge(state, label) {
    return this.call(() => {
      const kept = this.put(state);
      const scalar = this.allocate(32);
      this.expect(this.c.assay_transcript_challenge(scalar, kept, this.put(label), label.length));
      return { scalar: this.get(scalar, 32), state: this.get(kept, 32) };
    });
  }

  verifyArgument(state, commitments, bits, argument) {
    const m = commitments.length / 33;
    this.call(() => {
      const scratch = this.allocate(this.c.assay_range_verify_scratch_size(m, bits));
      const status = this.c.assay_range_verify_var(
        this.put(state), this.put(commitments), m, bits, this.put(argument), argument.length,
        this.weights(RANGE_WEIGHTS), this.bases, scratch,
      );
      if (status === BAD_LENGTH) throw new CoreRejected("argument.bad-length");
      this.expect(status);
    });
  }
}

const core = await WiderCore.load(await WebAssembly.compile(await bytesOf("wider.wasm")));
const worker = new Worker("worker.js", { type: "module" });

function ask(request) {
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => {
      if (data.kind === "done" || data.kind === "failed") resolve(data);
    };
    worker.onerror = (event) => reject(new Error(event.message));
    worker.postMessage(request);
  });
}

const started = await ask({ kind: "start", wasm: await bytesOf("core.wasm") });
if (started.kind !== "done") throw new Error(JSON.stringify(started));

function blobs(files) {
  const bytes = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  return new Map(Object.entries(files).map(([path, text]) => [path, new Blob([bytes(text)])]));
}

/** What one customer is told: `text` is the report, which holds all that the page shows. */
async function checked({ packageData: hex, ...request }) {
  const { accountId, balances, now, ...asked } = request;
  const opened = await ask({ kind: "open", packageData: fromHex(hex), everything: false, ...asked });
  const digest = opened.snapshot?.digest;
  const answer = opened.kind === "done" ? await ask({ kind: "check", accountId, balances, now, digest }) : opened;
  if (answer.verdict === "broken") throw new Error(answer.detail);
  if (answer.verdict === "misuse") return { code: "misuse", where: null, look: "misuse", text: "", counted: {} };
  const outcome = outcomeOf(answer, { key: request.key, address: "https://host.example/" }, strings);
  return {
    code: answer.code ?? null,
    where: answer.where ?? null,
    look: outcome.look,
    text: reportOf(outcome, strings, new Date(0)),
    counted: Object.fromEntries((answer.amounts ?? []).map((item) => [item.code, String(item.counted)])),
    setAside: (answer.amounts ?? []).filter((item) => item.isSetAside).map((item) => item.code),
    loans: answer.declared && (answer.declared.loans?.map(({ lender, code, amount, pledged }) =>
      [lender, code, amount, pledged.length]) ?? null),
    notCompared: (answer.amounts ?? []).filter((item) => !item.isCompared).map((item) => item.code),
  };
}

/** What a function returns, or null where it refuses. */
function orNull(call) {
  try {
    return call();
  } catch (error) {
    if (error.rule) return null;
    throw error;
  }
}

const kinds = {
  /** A bundle as each of several customers finds it. */
  async check({ files, key, customers, now, units }) {
    const bundle = { files: blobs(files) };
    const found = [];
    for (const { package: packageData, account: accountId, balances } of customers) {
      found.push(await checked({ bundle, key, packageData, accountId, balances, now, units }));
    }
    return found;
  },
  argument({ state, bits, commitments, argument }) {
    try {
      core.verifyArgument(fromHex(state), fromHex(commitments), bits, fromHex(argument));
      return { code: null };
    } catch (error) {
      if (error instanceof CoreRejected) return { code: error.code };
      throw error;
    }
  },
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
      return toHex(leafIdentity(core, context, leaf.asset, leaf.account_id, key, leaf.part));
    });
    return { context: toHex(context), leaves };
  },
  shape({ page_size: pageSize, capacity }) {
    const shape = new TreeShape(capacity, pageSize);
    const levels = Array.from({ length: shape.levels }, (_, level) => level);
    return {
      pages: levels.map((level) => shape.pages(level)),
      page_bytes: levels.map((level) => shape.pagesFileBytes(level)),
      argument_bytes: levels.map((level) => shape.argumentsFileBytes(level)),
    };
  },
  accounts: (cases) => cases.map(([text, type]) => orNull(() => canonicalAccountId(text, type))),
  /** Why msgpack of `lead`, hex, and `zeros` bytes 00 after it is not canonical; null if it is. */
  msgpack({ lead, zeros }) {
    const data = new Uint8Array(lead.length / 2 + zeros);
    data.set(fromHex(lead));
    try {
      decode(data);
      return null;
    } catch (error) {
      if (error instanceof NotCanonical) return error.message;
      throw error;
    }
  },
  names: (texts) => texts.map((text) => orNull(() => canonicalName(text))),
  keys: (texts) => texts.map((text) => orNull(() => toHex(parsePublicKey(text)))),
  /** The rule that an exchange list of these bytes breaks, or the number of its exchanges and units. */
  list({ data }) {
    try {
      const { exchanges, units } = readSigned(fromHex(data));
      return [exchanges.length, units.length];
    } catch (error) {
      if (error.rule) return error.rule;
      throw error;
    }
  },
};

window.run = async (kind, given) => JSON.stringify(await kinds[kind](given));
