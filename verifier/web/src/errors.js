// How a check ends other than by returning. Codes are those of spec/errors.md; the texts that a
// person reads are made from the code, in verdict.js. No message holds a balance, key or id.

/**
 * What was checked is false or malformed: `code` says how, `where` in which part of it. `facts` are
 * what a person is told beside the code: `amounts`, `namedKey`, `isSigned`, and the key of the `signer`.
 */
export class Rejected extends Error {
  constructor(code, where, facts = {}) {
    super(`${code}: ${where}`);
    this.code = code;
    this.where = where;
    this.facts = facts;
  }
}

/** No verdict: by default because something could not be read; nothing was found to be false. */
export class CannotCheck extends Error {
  constructor(where, detail, code = "check.unreadable") {
    super(`${code}: ${where}: ${detail}`);
    this.code = code;
    this.where = where;
    this.detail = detail;
  }
}

/** The user's own input is malformed; `field` is the part of the form, `rule` the rule it breaks. */
export class Misuse extends Error {
  constructor(field, rule) {
    super(`${field}: ${rule}`);
    this.field = field;
    this.rule = rule;
  }
}
