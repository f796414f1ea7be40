// Where a bundle's bytes come from: a host with byte ranges, files that the user chose, or what was
// downloaded whole. A host is trusted with nothing, and gets no say in what is read.

import { CannotCheck, Rejected } from "./errors.js";

const TIMEOUT_MS = 30_000;
const LEAST_BYTES_PER_SECOND = 16 * 1024;
const CONTENT_RANGE = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15})$/;

const missing = (path) => new Rejected("bundle.missing-file", path);

/** A bundle below a URL; only the pages that are asked for are fetched. */
export class HostSource {
  constructor(url) {
    this.base = url.endsWith("/") ? url : `${url}/`;
    this.sizes = new Map();
  }

  /** A whole file, or its first `limit` + 1 bytes if it is longer than `limit`. */
  async read(path, limit) {
    const { response, body } = await this.fetch(path, {}, limit + 1);
    if (response.status !== 200) throw new CannotCheck(path, `the host answers ${response.status}`);
    return body;
  }

  async size(path) {
    if (!this.sizes.has(path)) this.sizes.set(path, (await this.range(path, 0, 1)).total);
    return this.sizes.get(path);
  }

  async readRange(path, offset, length) {
    const { body, total } = await this.range(path, offset, length);
    if (total !== (await this.size(path))) throw new CannotCheck(path, "the file changed during the check");
    return body;
  }

  async range(path, offset, length) {
    const asked = `bytes=${offset}-${offset + length - 1}`;
    const { response, body } = await this.fetch(path, { Range: asked }, length);
    if (response.status === 200) throw new CannotCheck(path, "the host does not serve byte ranges");
    if (response.status !== 206) throw new CannotCheck(path, `the host answers ${response.status}`);
    // A browser shows this header of another origin only if that origin exposes it.
    const match = CONTENT_RANGE.exec(response.headers.get("content-range") ?? "");
    if (match === null) throw new CannotCheck(path, "the host does not say which range it serves");
    const [first, last, total] = match.slice(1).map(Number);
    if (first !== offset || last !== offset + length - 1 || last >= total || body.length !== length) {
      throw new CannotCheck(path, "the host serves another range than was asked for");
    }
    return { body, total };
  }

  /** Fetch at most `limit` bytes, at no less than a least speed. */
  async fetch(path, headers, limit) {
    const timeout = TIMEOUT_MS + (1000 * limit) / LEAST_BYTES_PER_SECOND;
    try {
      const response = await fetch(this.base + path, {
        headers, cache: "no-store", credentials: "omit", referrerPolicy: "no-referrer",
        signal: AbortSignal.timeout(timeout),
      });
      if (response.status === 404 || response.status === 410) throw missing(path);
      return { response, body: await readBody(response, limit) };
    } catch (error) {
      if (error instanceof Rejected) throw error;
      const reason = error.name === "TimeoutError" ? "the host took too long" : "no connection";
      throw new CannotCheck(path, reason);
    }
  }
}

/** A bundle in memory or on the user's disk: Blobs by path. */
export class BlobSource {
  constructor(blobs) {
    this.blobs = blobs;
  }

  async read(path, limit) {
    return this.bytes(path, 0, limit + 1);
  }

  async size(path) {
    return this.blob(path).size;
  }

  async readRange(path, offset, length) {
    return this.bytes(path, offset, offset + length);
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
