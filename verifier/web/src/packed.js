// What the page carries packed, in the elements of these ids: gzip, as text.

// Eleven of its 94 letters, all that ASCII shows but "<", are nine bytes; the first block may be shorter.
const LETTERS = 11;
const BYTES = 9;
const BELOW = 94n ** 6n;
const LEFT_OUT = "<".charCodeAt(0);

export function bytesOf(text) {
  const whole = text.padStart(LETTERS * Math.ceil(text.length / LETTERS), " ");
  const view = new DataView(new ArrayBuffer((BYTES * whole.length) / LETTERS));
  for (let at = 0, to = 0; at < whole.length; at += LETTERS, to += BYTES) {
    const number = numberOf(whole.slice(at, at + 5)) * BELOW + numberOf(whole.slice(at + 5, at + LETTERS));
    view.setUint8(to, Number(number >> 64n));
    view.setBigUint64(to + 1, BigInt.asUintN(64, number));
  }
  return new Uint8Array(view.buffer, view.byteLength - Math.floor((BYTES * text.length) / LETTERS));
}

/** The number of six letters at most: it is exact. */
function numberOf(letters) {
  let number = 0;
  for (let at = 0; at < letters.length; at += 1) number = 94 * number + valueOf(letters.charCodeAt(at));
  return BigInt(number);
}

const valueOf = (point) => point - (point > LEFT_OUT ? 33 : 32);

/** The bytes that the element of an id holds packed. */
export async function unpacked(id) {
  const packed = new Blob([bytesOf(document.getElementById(id).textContent)]);
  const stream = packed.stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
