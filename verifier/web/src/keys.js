// The exchange's Ed25519 key: its text, and signatures over tag ‖ SHA-256(body) (spec/protocol.md 1.2).

import { concat, fromHex } from "./bytes.js";
import { Misuse } from "./errors.js";
import { tag } from "./statement.js";

const TEXT = /^assay1:([0-9a-f]{64})$/;

/** The 32 bytes of a public key in its text form, as a person pastes it. */
export function parsePublicKey(text) {
  const match = TEXT.exec(text.trim());
  if (match === null) throw new Misuse("key", "not-a-key");
  return fromHex(match[1]);
}

/** Whether `signature` is one of `body` by a public key (RFC 8032); all of them untrusted bytes. */
export async function isSigned(core, key, purpose, body, signature) {
  if (signature.length !== 64) return false;
  const message = concat(tag(purpose), core.sha256(body));
  let imported;
  try {
    imported = await crypto.subtle.importKey("raw", key, "Ed25519", false, ["verify"]);
  } catch (error) {
    // Bytes that are no key. A browser without Ed25519 must not look like a forged signature.
    if (error.name === "NotSupportedError") throw error;
    return false;
  }
  return crypto.subtle.verify("Ed25519", imported, signature, message);
}
