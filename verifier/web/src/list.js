// An auditing host's signed list of exchanges and their keys (spec/wire.md, section 8): a way to
// choose a key that came neither from the exchange's package nor from its link.

import { toHex } from "./bytes.js";
import { Misuse } from "./errors.js";
import { isSigned, parsePublicKey } from "./keys.js";
import { EXCHANGE_LIST, read } from "./records.js";

/** The entries of an untrusted list signed by the auditor's key, as text. Throws Misuse. */
export async function readExchangeList(core, data, signature, auditorKey) {
  const signed = await isSigned(core, parsePublicKey(auditorKey), "exchange-list", data, signature);
  if (!signed) throw new Misuse("list", "not-signed");
  const list = read(EXCHANGE_LIST, data, (rule) => new Misuse("list", rule));
  if (list.version !== 1n) throw new Misuse("list", "unsupported-version");
  return list.exchanges.map(({ bundle, name, public_key: key }) => ({ bundle, name, key: `assay1:${toHex(key)}` }));
}
