// What auditors say, asked over the network: their signed lists of exchanges, and what they know of one
// manifest (spec/wire.md, sections 8 and 9). An auditor is believed in what their key signed. Of a second
// manifest the exchange's own signature is looked at, so nobody's word counts.

import { toHex } from "./bytes.js";
import { CannotCheck, Misuse, Rejected } from "./errors.js";
import { isSigned, parsePublicKey } from "./keys.js";
import { readExchangeList } from "./list.js";
import { MAX_ATTESTATION_BYTES, MAX_LIST_BYTES, MAX_MANIFEST_BYTES } from "./params.js";
import { ATTESTATION, MANIFEST, read } from "./records.js";
import { HostSource } from "./source.js";
import { manifestDigest } from "./statement.js";

const TIMEOUT_MS = 5_000;
const DAY_SECONDS = 86_400;
const SIGNATURE_BYTES = 64;
const MAX_KEY_BYTES = 128;
const MAX_FACTS_BYTES = 2 ** 16;
const MAX_OTHERS = 2;
const DIGEST = /^[0-9a-f]{64}$/;
const LEVELS = ["unverified", "claimed", "header", "attested", "listed", "chain"];

/** What did not answer, is not signed or is malformed: an auditor's own fault, and no verdict. */
class NoAnswer extends Error {}

const isFault = (error) => [NoAnswer, CannotCheck, Misuse, Rejected].some((kind) => error instanceof kind);

/**
 * The list of the auditor at `address`: `key`, `exchanges`, `units` and `time`, or a `problem`: `silent`, `bad`,
 * `changed` where it is not signed by the auditor's `key`, or `older` than one that was seen, of the `time`.
 * Within a day that is a cache's doing. Without a key the one that is published beside the list is taken.
 */
export async function askForList(core, { address, key, time = 0 }) {
  const source = new HostSource(address, TIMEOUT_MS);
  const published = async () => new TextDecoder().decode(await source.read("auditor.pub", MAX_KEY_BYTES)).trim();
  try {
    const [data, signature, own] = await Promise.all([
      source.read("exchanges.msgpack", MAX_LIST_BYTES),
      source.read("exchanges.sig", SIGNATURE_BYTES),
      key ?? published(),
    ]);
    const list = await readExchangeList(core, data, signature, own);
    return list.time < time - DAY_SECONDS ? { problem: "older" } : { key: own, ...list };
  } catch (error) {
    if (!isFault(error)) throw error;
    if (!(error instanceof Misuse)) return { problem: "silent" };
    return { problem: error.rule === "not-signed" ? "changed" : "bad" };
  }
}

/**
 * What an auditor knows of a `snapshot`, which has `digest`, `key` and `id`: `state` (`same`, `unseen` or
 * `silent`), of the same one `code`, `time` and `assets`; `others`, the digests of further manifests with
 * this id that the exchange signed, and whether some are said to be there (`isSaid`) that were not shown.
 */
export async function askAboutProof(core, auditor, snapshot) {
  const source = new HostSource(auditor.address, TIMEOUT_MS);
  const [known, others] = await Promise.all([
    attestationOf(core, source, auditor, snapshot),
    othersOf(core, source, snapshot),
  ]);
  return { ...known, ...others };
}

async function attestationOf(core, source, { key }, { digest, key: exchangeKey }) {
  try {
    const [data, signature] = await Promise.all([
      source.read(`attestations/${digest}.msgpack`, MAX_ATTESTATION_BYTES),
      source.read(`attestations/${digest}.sig`, SIGNATURE_BYTES),
    ]);
    if (data.length > MAX_ATTESTATION_BYTES) throw new NoAnswer("too large");
    if (!(await isSigned(core, parsePublicKey(key), "attestation", data, signature))) throw new NoAnswer("not signed");
    const found = read(ATTESTATION, data, (rule) => new NoAnswer(rule));
    const isOfIt = toHex(found.manifest) === digest && toHex(found.public_key) === toHex(parsePublicKey(exchangeKey));
    const isKnown = found.version === 1n && found.assets.every(({ level }) => LEVELS.includes(level));
    if (!isOfIt || !isKnown) throw new NoAnswer("of another proof, or version");
    const assets = found.assets.map(({ code, level }) => ({ code, level }));
    return { state: "same", code: found.code, time: Number(found.time), assets };
  } catch (error) {
    if (!isFault(error)) throw error;
    return { state: error instanceof Rejected ? "unseen" : "silent" };
  }
}

async function othersOf(core, source, { digest, key, id }) {
  const exchangeKey = parsePublicKey(key);
  try {
    const data = await source.read(`snapshots/${toHex(exchangeKey)}/${id}`, MAX_FACTS_BYTES);
    const { manifests } = JSON.parse(new TextDecoder().decode(data));
    const named = manifests.filter((other) => DIGEST.test(other) && other !== digest).slice(0, MAX_OTHERS);
    const areShown = await Promise.all(named.map((other) => isOther(core, source, exchangeKey, id, other)));
    return { others: named.filter((_, at) => areShown[at]), isSaid: areShown.includes(false) };
  } catch {
    return { others: [], isSaid: false }; // no answer, or one that is malformed
  }
}

/** Whether a digest is that of another manifest with this id that the exchange signed. */
async function isOther(core, source, exchangeKey, id, digest) {
  try {
    const [data, signature] = await Promise.all([
      source.read(`manifests/${digest}.msgpack`, MAX_MANIFEST_BYTES),
      source.read(`manifests/${digest}.sig`, SIGNATURE_BYTES),
    ]);
    if (toHex(manifestDigest(core, data)) !== digest) return false;
    if (!(await isSigned(core, exchangeKey, "manifest-signature", data, signature))) return false;
    return read(MANIFEST, data, (rule) => new NoAnswer(rule)).snapshot_id === id;
  } catch (error) {
    if (!isFault(error)) throw error;
    return false;
  }
}
