// A published folder (spec/wire.md, section 10): where in it the bundle of a package is. Its index and
// the package are believed in nothing here: what is found is checked as if the user had typed it.

import { toHex } from "./bytes.js";
import { PACKAGE, PACKAGE_BODY, read } from "./records.js";
import { HostSource } from "./source.js";

const MAX_HISTORY_BYTES = 2 ** 20;

/** The address of a package's bundle in the folder at `url`; null if its index does not have it. */
export async function findInFolder(url, packageData) {
  try {
    const { manifest } = read(PACKAGE_BODY, read(PACKAGE, packageData, Error).body, Error);
    const data = await new HostSource(url).read("history.json", MAX_HISTORY_BYTES);
    if (data.length > MAX_HISTORY_BYTES) return null;
    const { snapshots } = JSON.parse(new TextDecoder().decode(data));
    const { snapshot_id: id } = snapshots.find((entry) => entry.manifest === toHex(manifest));
    if (typeof id !== "string" || !/^[a-z0-9-]{1,64}$/.test(id)) return null;
    return `${url.replace(/\/*$/, "")}/snapshots/${id}/`;
  } catch {
    return null; // no package, no index, or one that is malformed
  }
}
