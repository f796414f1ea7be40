// An auditing host's signed list of exchanges and their keys (spec/wire.md): a way to choose a key
// that came neither from the exchange's package nor from its link.

import { toHex } from "./bytes.js";
import { isSigned, parsePublicKey } from "./keys.js";
import { EXCHANGE_LIST, read } from "./records.js";

/** The entries of an untrusted list signed by the auditor's key, as text; null unless it is. */
export async function readExchangeList(core, data, signature, auditorKey) {
  const signed = await isSigned(core, parsePublicKey(auditorKey), "exchange-list", data, signature);
  if (!signed) return null;
  const list = read(EXCHANGE_LIST, data);
  if (list.version !== 1n) return null;
  return list.exchanges.map(({ bundle, name, public_key: key }) => ({ bundle, name, key: `assay1:${toHex(key)}` }));
}
