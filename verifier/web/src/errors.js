// How a check ends other than by returning. Codes are those of spec/errors.md; the texts that a
// person reads are made from the code, in verdict.js. No message holds a balance, key or id.

/**
 * What was checked is false or malformed: `code` says how, `where` in which part of it. `facts` are
 * what a person is told beside the code: `amounts`, `namedKey`, `isSigned`.
 */
export class Rejected extends Error {
  constructor(code, where, facts = {}) {
    super(`${code}: ${where}`);
    Object.assign(this, { code, where, facts });
  }
}

/** No verdict: by default because something could not be read; nothing was found to be false. */
export class CannotCheck extends Error {
  constructor(where, detail, code = "check.unreadable") {
    super(`${code}: ${where}: ${detail}`);
    Object.assign(this, { code, where, detail });
  }
}

/** The user's own input is malformed; `field` is the part of the form, `rule` the rule it breaks. */
export class Misuse extends Error {
  constructor(field, rule) {
    super(`${field}: ${rule}`);
    Object.assign(this, { field, rule });
  }
}
