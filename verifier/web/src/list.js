// An auditing host's signed list of exchanges and their keys (spec/wire.md, section 8): a way to
// choose a key that came neither from the exchange's package nor from its link. The units that its
// auditor knows count beside the page's own table; attesters and policy are for readers of evidence.

import { isName } from "./account.js";
import { compareText, isAscending, toHex } from "./bytes.js";
import { Misuse } from "./errors.js";
import { isSigned, isSoundKey, parsePublicKey, publicKeyText } from "./keys.js";
import { MAX_LIST_BYTES } from "./params.js";
import { EXCHANGE_LIST, read } from "./records.js";
import { UnitTable } from "./table.js";
import { KNOWN_UNITS } from "./units.js";

const CODE = /^[A-Z0-9]{1,16}$/;
const CHAIN_NAME = /^[a-z0-9-]{1,32}$/;
const CONTRACT = /^[!-~]*$/;
const KINDS = ["native", "issuer", "bridged", "named"];
const MAX_UNIT_DECIMALS = 36n;

/** What an untrusted list, signed by the auditor's key, has: see `readSigned`. Throws Misuse. */
export async function readExchangeList(core, data, signature, auditorKey) {
  if (data.length < 1 || data.length > MAX_LIST_BYTES) throw new Misuse("list", "too-large");
  const signed = await isSigned(core, parsePublicKey(auditorKey), "exchange-list", data, signature);
  if (!signed) throw new Misuse("list", "not-signed");
  return readSigned(data);
}

/**
 * The `exchanges`, as text, the `units`, as rows of `UnitTable`, and the `time` of a list whose signature is
 * good, or is not asked for.
 */
export function readSigned(data) {
  const list = read(EXCHANGE_LIST, data, (rule) => new Misuse("list", rule));
  if (list.version !== 1n) throw new Misuse("list", "unsupported-version");
  if (![...list.exchanges, ...list.attesters].every(({ name }) => isName(name))) {
    throw new Misuse("list", "bad-name");
  }
  const keys = list.attesters.map((attester) => attester.public_key);
  if (!keys.every(isSoundKey) || new Set(keys.map(toHex)).size !== keys.length) {
    throw new Misuse("list", "bad-attester");
  }
  checkUnits(list.units);
  return {
    exchanges: list.exchanges.map(({ bundle, name, public_key: key }) => ({ bundle, name, key: publicKeyText(key) })),
    time: Number(list.time),
    units: list.units.map((unit) => [unit.code, unit.chain, unit.contract, Number(unit.decimals), unit.kind]),
  };
}

/** Every unit is well-formed and stands once, and none contradicts the page's own table. */
function checkUnits(units) {
  const table = new UnitTable();
  const isNamed = ({ chain, code, kind }) => CHAIN_NAME.test(chain) && CODE.test(code) && KINDS.includes(kind);
  const isGood = (unit) => isNamed(unit) && CONTRACT.test(unit.contract) && unit.decimals <= MAX_UNIT_DECIMALS;
  const place = ({ chain, contract }) => JSON.stringify([chain, contract.toLowerCase()]);
  const order = (a, b) => compareText(a.chain, b.chain) || compareText(a.contract, b.contract);
  if (!units.every(isGood) || !isAscending(units, order)) throw new Misuse("list", "bad-unit");
  // A contract has one text, which only its chain's rules tell. Whatever these are, none is written in two ways.
  const written = new Map(KNOWN_UNITS.map(([, chain, contract]) => [place({ chain, contract }), contract]));
  const isWrittenSo = (unit) => (written.get(place(unit)) ?? unit.contract) === unit.contract;
  const isOnce = new Set(units.map(place)).size === units.length;
  if (!isOnce || !units.every(isWrittenSo)) throw new Misuse("list", "bad-unit");
  if (units.some((unit) => table.contradicts(unit.code, unit))) throw new Misuse("list", "wrong-unit");
}
