// A published folder (spec/wire.md, section 10): where in it the bundle of a package is. Its index and
// the package are believed in nothing here: what is found is checked as if the user had typed it.

import { toHex } from "./bytes.js";
import { Rejected } from "./errors.js";
import { PACKAGE, PACKAGE_BODY, read } from "./records.js";

const MAX_HISTORY_BYTES = 2 ** 20;
const ID = /^[a-z0-9-]{1,64}$/;

/**
 * The address of a package's bundle in the folder at `url`, which `source` reads; null if its index does
 * not have it. Throws Rejected for what is no package, of which nobody knows where it belongs.
 */
export async function findInFolder(source, url, packageData) {
  const fault = (code) => new Rejected(`package.${code}`, "package");
  const { manifest } = read(PACKAGE_BODY, read(PACKAGE, packageData, fault).body, fault);
  const found = (await readFolder(source)).find((entry) => entry.manifest === toHex(manifest));
  return found ? `${url.replace(/\/*$/, "")}/snapshots/${found.id}/` : null;
}

/** The `id`, `manifest` and `time` of each snapshot in the index of a folder; none where there is none. */
export async function readFolder(source) {
  try {
    const data = await source.read("history.json", MAX_HISTORY_BYTES);
    if (data.length > MAX_HISTORY_BYTES) return [];
    const { snapshots } = JSON.parse(new TextDecoder().decode(data));
    return snapshots
      .map(({ snapshot_id: id, manifest, time }) => ({ id, manifest, time: String(time) }))
      .filter(({ id, manifest }) => typeof id === "string" && ID.test(id) && typeof manifest === "string");
  } catch {
    return [];
  }
}
