// What is known of units (spec/protocol.md, section 2.1): the verifier's table, and what somebody whom
// the reader trusts names beside it.

import { KNOWN_UNITS } from "./units.js";

const key = (...parts) => JSON.stringify(parts);

/** Units as rows of code, chain, contract, decimals and kind. */
export class UnitTable {
  /** `named` are further rows: one that contradicts the table, or a row before it, is left out. */
  constructor(named = []) {
    this.units = new Map();
    this.codes = new Set();
    for (const row of KNOWN_UNITS) {
      this.add(row);
      this.codes.add(key(row[0], row[1]));
    }
    const further = named.filter(([code, chain, contract]) => {
      return !this.units.has(key(chain, contract)) && !this.codes.has(key(code, chain));
    });
    for (const row of further) {
      if (!this.units.has(key(row[1], row[2]))) this.add(row);
    }
  }

  add([code, chain, contract, decimals, kind]) {
    this.units.set(key(chain, contract), { code, decimals: BigInt(decimals), kind });
  }

  /** Whether a unit of a manifest is known, as just this. */
  has(code, unit) {
    return this.kind(code, unit) !== null;
  }

  /** Whether its contract is known as another unit, or the table has others of its code there. */
  contradicts(code, unit) {
    if (this.units.has(key(unit.chain, unit.contract))) return !this.has(code, unit);
    return this.codes.has(key(code, unit.chain));
  }

  /** Who says that it is this: `native`, `issuer`, `bridged`, or what was named; null: nobody. */
  kind(code, unit) {
    const known = this.units.get(key(unit.chain, unit.contract));
    return known && known.code === code && known.decimals === unit.decimals ? known.kind : null;
  }
}
