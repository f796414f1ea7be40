// Which names a reader may take for one another: a hint, by the table of verifier/host/lookalike.py.

import { LOOKS, PAIRS } from "./looks.js";

/** @type {(entry: [string, string]) => [string, string][]} */
const pairs = ([letter, looks]) => Array.from(looks, (look) => [look, letter]);
const LETTERS = new Map(Object.entries(LOOKS).flatMap(pairs));

/** What is left of a name for the eye; it may be empty. */
function skeleton(name) {
  const letters = Array.from(name.normalize("NFKC"), (look) => LETTERS.get(look) ?? look).join("");
  const seen = letters.toLowerCase().normalize("NFKD").replace(/[^\p{L}\p{N}]|[\u115f\u1160]/gu, "");
  return PAIRS.reduce((text, [pair, letter]) => text.replaceAll(pair, letter), seen);
}

/** Whether one name may be taken for the other: from either end. */
export function resembles(name, other) {
  const [found, known] = [skeleton(name), skeleton(other)];
  return found !== "" && [known, Array.from(known).reverse().join("")].includes(found);
}
