// What the exchange declares that it borrowed (spec/protocol.md, section 3.7). It is the exchange's
// word under its signature. Whether what is pledged is in the evidence is not looked at here.

import { isName } from "./account.js";
import { compareText, isAscending } from "./bytes.js";
import { CannotCheck, Rejected } from "./errors.js";
import { MAX_DECLARATION_BYTES } from "./params.js";
import { DECLARATION, read } from "./records.js";
import { declarationDigest } from "./statement.js";

const PATH = "declaration.msgpack";
const MAX_LENDER_BYTES = 128;
const CODE = /^[A-Z0-9]{1,16}$/;
const AMOUNT = /^(?!0$)(?:0|[1-9][0-9]*)(?:\.[0-9]*[1-9])?$/;
// Of what is served in its place anybody may be the author: the manifest names another file.
const NOT_THE_EXCHANGES = new Set(["bundle.missing-file", "declaration.too-large", "declaration.wrong-digest"]);

const fault = (code, where = "declaration") => new Rejected(`declaration.${code}`, where);

/**
 * The declaration that a checked manifest names: its `data`, null where nothing is declared, or `unread`:
 * `code`, `where` and `detail` of why it is not at hand.
 */
export async function fetchDeclaration(core, source, { manifest }) {
  if (manifest.declaration.every((byte) => byte === 0)) return { data: null };
  try {
    const data = await source.read(PATH, MAX_DECLARATION_BYTES);
    if (data.length < 1 || data.length > MAX_DECLARATION_BYTES) throw fault("too-large");
    const digest = declarationDigest(core, data);
    if (!digest.every((byte, at) => byte === manifest.declaration[at])) throw fault("wrong-digest");
    return { data };
  } catch (error) {
    if (!(error instanceof CannotCheck) && !NOT_THE_EXCHANGES.has(error.code)) throw error;
    const { code, where, detail = "" } = error;
    return { unread: { code, where, detail } };
  }
}

/**
 * The loans of a declaration that the exchange signed for, none where it declares nothing: `lender`,
 * `code`, `amount` (empty: not said) and `pledged`, of (chain, address).
 */
export function checkDeclaration(data) {
  if (data === null) return [];
  const loans = read(DECLARATION, data, fault);
  const places = loans.map(({ lender, code }) => [lender, code]);
  if (!isAscending(places, comparePairs)) throw fault("unsorted");
  for (const [at, { pledged }] of loans.entries()) {
    const pairs = pledged.map(({ chain, address }) => [chain, address]);
    if (!isAscending(pairs, comparePairs)) throw fault("unsorted", placeOf(at));
  }
  for (const [at, { lender, code, amount }] of loans.entries()) {
    if (!isName(lender, MAX_LENDER_BYTES)) throw fault("bad-lender", placeOf(at));
    if (!CODE.test(code)) throw fault("bad-code", placeOf(at));
    if (amount !== "" && !AMOUNT.test(amount)) throw fault("bad-amount", placeOf(at));
  }
  return loans;
}

const placeOf = (at) => `declaration, loan ${at}`;

const comparePairs = (a, b) => compareText(a[0], b[0]) || compareText(a[1], b[1]);
