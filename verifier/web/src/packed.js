// What the page carries packed, in the elements of these ids: gzip, as text in 85 characters.

// Five of them are four bytes. The alphabet is RFC 1924's, with a slash for "<", which could end an element.
const LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;/=>?@^_`{|}~";
const VALUES = new Map([...LETTERS].map((letter, value) => [letter, value]));

/** The bytes of a text; a shorter group at its end, of n characters, is n - 1 bytes. */
export function bytesOf(text) {
  const whole = text.padEnd(5 * Math.ceil(text.length / 5), "~");
  const view = new DataView(new ArrayBuffer((4 * whole.length) / 5));
  for (let at = 0; at < whole.length; at += 5) {
    const group = whole.slice(at, at + 5);
    view.setUint32((4 * at) / 5, [...group].reduce((sum, letter) => 85 * sum + VALUES.get(letter), 0));
  }
  return new Uint8Array(view.buffer, 0, view.byteLength - (whole.length - text.length));
}

/** The bytes that the element of an id holds packed. */
export async function unpacked(id) {
  const packed = new Blob([bytesOf(document.getElementById(id).textContent)]);
  const stream = packed.stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
