// An auditing host's signed list of exchanges and their keys (spec/wire.md, section 8): a way to
// choose a key that came neither from the exchange's package nor from its link.

import { AccountError, canonicalName } from "./account.js";
import { Misuse } from "./errors.js";
import { isSigned, parsePublicKey, publicKeyText } from "./keys.js";
import { EXCHANGE_LIST, read } from "./records.js";

/** The entries of an untrusted list signed by the auditor's key, as text. Throws Misuse. */
export async function readExchangeList(core, data, signature, auditorKey) {
  const signed = await isSigned(core, parsePublicKey(auditorKey), "exchange-list", data, signature);
  if (!signed) throw new Misuse("list", "not-signed");
  return readSigned(data);
}

/** The entries of a list whose signature is good, or is not asked for. */
export function readSigned(data) {
  const list = read(EXCHANGE_LIST, data, (rule) => new Misuse("list", rule));
  if (list.version !== 1n) throw new Misuse("list", "unsupported-version");
  if (!list.exchanges.every(({ name }) => isName(name))) throw new Misuse("list", "bad-name");
  return list.exchanges.map(({ bundle, name, public_key: key }) => ({ bundle, name, key: publicKeyText(key) }));
}

function isName(text) {
  try {
    return canonicalName(text) === text;
  } catch (error) {
    if (error instanceof AccountError) return false;
    throw error;
  }
}
