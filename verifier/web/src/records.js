// The records of spec/wire.md, each declared once: fields, types, limits. `read` takes a map only
// with exactly the declared fields, each of its type and size; what the values mean is checked
// elsewhere. A record becomes an object of its fields.

import { utf8 } from "./bytes.js";
import { NotCanonical, decode } from "./msgpack.js";

/** A map has not the declared fields, or one is not of its type or size. */
class BadFields extends Error {}

const int = (value) => check(typeof value === "bigint", value);
const text = (least = 0, most = Infinity) => (value) =>
  check(typeof value === "string" && within(utf8(value).length, least, most), value);
const bin = (least = 0, most = Infinity) => (value) =>
  check(value instanceof Uint8Array && within(value.length, least, most), value);
const list = (kind, least = 0, most = Infinity) => (value) =>
  check(Array.isArray(value) && within(value.length, least, most), value).map(kind);
const record = (fields) => (value) => {
  const names = Object.keys(fields);
  check(value instanceof Map && value.size === names.length && names.every((name) => value.has(name)));
  return Object.fromEntries(names.map((name) => [name, fields[name](value.get(name))]));
};

const within = (length, least, most) => least <= length && length <= most;

function check(good, value) {
  if (!good) throw new BadFields("a field is missing, unknown, or not of its type or size");
  return value;
}

const bin32 = bin(32, 32);
const point = bin(33, 33);
const signature = bin(64, 64);

export const MANIFEST = record({
  account_id_type: text(),
  argument_version: int,
  assets: list(
    record({
      capacity: int,
      code: text(),
      decimals: int,
      evidence: bin32,
      levels: int,
      page_size: int,
      ratio: record({ den: int, num: int }),
      root: bin32,
      sum: point,
      units: list(record({ chain: text(), contract: text(), decimals: int }), 1, 64),
    }),
    1,
    4096,
  ),
  chains: list(record({ hash: bin32, height: int, name: text() }), 0, 256),
  declaration: bin32,
  exchange: text(),
  previous: bin32,
  protocol_version: int,
  public_key: bin32,
  rotation: list(record({ new_signature: signature, old_key: bin32, old_signature: signature }), 0, 1),
  snapshot_id: text(),
  time: int,
});

export const DECLARATION = list(
  record({
    amount: text(0, 64),
    code: text(),
    lender: text(1, 128),
    pledged: list(record({ address: text(1, 128), chain: text() }), 0, 4096),
  }),
  1,
  4096,
);

export const PACKAGE = record({ body: bin(), log: bin(0, 0), signature });

export const PACKAGE_BODY = record({
  account_id: text(),
  account_key: bin32,
  assets: list(
    record({
      code: text(),
      parts: list(record({ amount: int, leaf: int, opening: bin(), part: int, path: bin() })),
    }),
  ),
  manifest: bin32,
  version: int,
});

export const EXCHANGE_LIST = record({
  attesters: list(record({ name: text(1, 64), public_key: bin32 }), 0, 4096),
  exchanges: list(record({ bundle: text(0, 2048), name: text(1, 64), public_key: bin32 }), 0, 4096),
  policy: text(0, 65_536),
  time: int,
  units: list(
    record({ chain: text(), code: text(), contract: text(0, 128), decimals: int, kind: text() }),
    0,
    16_384,
  ),
  version: int,
});

export const ATTESTATION = record({
  assets: list(record({ code: text(1, 16), den: int, level: text(), num: int }), 0, 4096),
  checked: list(text(0, 1024), 0, 64),
  code: text(0, 64),
  exchange: text(0, 64),
  manifest: bin32,
  not_checked: list(text(0, 65_536), 0, 64),
  place: text(0, 1024),
  public_key: bin32,
  snapshot_id: text(0, 64),
  time: int,
  verifier: text(0, 256),
  version: int,
});

/**
 * Decode untrusted canonical msgpack of one map or array of a kind. What is wrong with it is thrown as `fault` makes it
 * of `not-canonical`, then `bad-fields`.
 */
export function read(kind, data, fault) {
  try {
    return kind(decode(data));
  } catch (error) {
    if (error instanceof NotCanonical) throw fault("not-canonical");
    if (error instanceof BadFields) throw fault("bad-fields");
    throw error;
  }
}
