// Where a bundle's bytes come from: a host with byte ranges, files that the user chose, or what was
// downloaded whole. A host is trusted with nothing, and gets no say in what is read.

import { CannotCheck, Rejected } from "./errors.js";
import { inTurns } from "./turns.js";

const RANGES_AT_ONCE = 24;
const TIMEOUT_MS = 30_000;
const LEAST_BYTES_PER_SECOND = 16 * 1024;
const CONTENT_RANGE = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15})$/;

// Bytes of the ranges that are asked for and not there yet, over all sources: they share the speed.
let awaited = 0;

const missing = (path) => new Rejected("bundle.missing-file", path);

/** Files below a URL; of a bundle's only the pages that are asked for. `timeout`, in ms, is one for any size. */
export class HostSource {
  constructor(url, timeout = null) {
    this.base = url.endsWith("/") ? url : `${url}/`;
    this.timeout = timeout;
    this.inTurn = inTurns(RANGES_AT_ONCE);
    this.firsts = new Map();
    this.sizes = new Map();
    this.running = new Set();
    this.ended = null;
  }

  /** Give up what is being fetched, and fetch nothing more. */
  discard() {
    this.end("discarded");
  }

  end(reason) {
    this.ended ??= reason;
    this.running.forEach((fetching) => fetching.abort());
  }

  /** A whole file, or its first `limit` + 1 bytes if it is longer than `limit`. */
  async read(path, limit) {
    const { response, body } = await this.fetch(path, {}, limit + 1);
    if (response.status !== 200) throw new CannotCheck(path, `the host answers ${response.status}`);
    return body;
  }

  /** The length of a file: what was said with the first range of it, or else is with its first byte. */
  async size(path) {
    await this.firsts.get(path);
    if (!this.sizes.has(path)) await this.range(path, 0, 1);
    return this.sizes.get(path);
  }

  readRange(path, offset, length) {
    const range = this.range(path, offset, length);
    if (!this.firsts.has(path)) this.firsts.set(path, range.then(() => {}, () => {}));
    return range;
  }

  range(path, offset, length) {
    return this.inTurn(async () => {
      awaited += length;
      try {
        return await this.fetchRange(path, offset, length);
      } finally {
        awaited -= length;
      }
    });
  }

  async fetchRange(path, offset, length) {
    const asked = `bytes=${offset}-${offset + length - 1}`;
    // However many ranges begin after this one, so many are under way with it.
    const { response, body } = await this.fetch(path, { Range: asked }, length, RANGES_AT_ONCE * length);
    if (response.status === 200) throw new CannotCheck(path, "the host does not serve byte ranges");
    if (response.status !== 206) throw new CannotCheck(path, `the host answers ${response.status}`);
    // A browser shows this header of another origin only if that origin exposes it.
    const match = CONTENT_RANGE.exec(response.headers.get("content-range") ?? "");
    if (match === null) throw new CannotCheck(path, "the host does not say which range it serves");
    const [first, last, total] = match.slice(1).map(Number);
    if (first !== offset || last !== offset + length - 1 || last >= total || body.length !== length) {
      throw new CannotCheck(path, "the host serves another range than was asked for");
    }
    if (!this.sizes.has(path)) this.sizes.set(path, total);
    if (total !== this.sizes.get(path)) throw new CannotCheck(path, "the file changed during the check");
    return body;
  }

  /**
   * Fetch at most `limit` bytes, at no less than a least speed while `sharing` bytes come beside them. A
   * host that is slower is waited for once: nothing more is fetched of it. A file may be far shorter than its
   * limit, so that counts only once an answer has begun which does not say its length.
   */
  async fetch(path, headers, limit, sharing = 0) {
    if (this.ended !== null) throw new CannotCheck(path, this.ended);
    const fetching = new AbortController();
    const stop = () => fetching.abort(new DOMException("", "TimeoutError"));
    const allowed = (bytes) => TIMEOUT_MS + (1000 * (awaited + bytes)) / LEAST_BYTES_PER_SECOND;
    let timer = setTimeout(stop, this.timeout ?? allowed(sharing));
    this.running.add(fetching);
    try {
      const response = await fetch(this.base + path, {
        headers, cache: "no-store", credentials: "omit", referrerPolicy: "no-referrer", signal: fetching.signal,
      });
      if (this.timeout === null) {
        clearTimeout(timer);
        const length = Number(response.headers.get("content-length")) || limit;
        timer = setTimeout(stop, allowed(sharing + Math.min(limit, length)));
      }
      if (response.status === 404 || response.status === 410) throw missing(path);
      return { response, body: await readBody(response, limit) };
    } catch (error) {
      if (error instanceof Rejected) throw error;
      if (error.name === "TimeoutError") this.end("the host took too long");
      throw new CannotCheck(path, this.ended ?? "no connection");
    } finally {
      clearTimeout(timer);
      this.running.delete(fetching);
    }
  }
}

/** A bundle in memory or on the user's disk: Blobs by path. */
export class BlobSource {
  constructor(blobs) {
    this.blobs = blobs;
    this.isDiscarded = false;
  }

  /** Read nothing more. */
  discard() {
    this.isDiscarded = true;
  }

  async read(path, limit) {
    return this.bytes(path, 0, limit + 1);
  }

  async size(path) {
    return this.blob(path).size;
  }

  async readRange(path, offset, length) {
    const range = await this.bytes(path, offset, offset + length);
    if (range.length !== length) throw new CannotCheck(path, "the file ends before");
    return range;
  }

  async bytes(path, start, end) {
    const blob = this.blob(path);
    try {
      return new Uint8Array(await blob.slice(start, end).arrayBuffer());
    } catch {
      throw new CannotCheck(path, "the file changed, or cannot be read");
    }
  }

  blob(path) {
    if (this.isDiscarded) throw new CannotCheck(path, "discarded");
    if (!this.blobs.has(path)) throw missing(path);
    return this.blobs.get(path);
  }
}

async function readBody(response, limit) {
  const reader = response.body.getReader();
  const chunks = [];
  let length = 0;
  while (length < limit) {
    const { done, value } = await reader.read();
    if (done) break;
    chunks.push(value);
    length += value.length;
  }
  await reader.cancel();
  const body = new Uint8Array(await new Blob(chunks).arrayBuffer());
  return body.subarray(0, limit);
}
