// The customer's page without a browser: a line in is a check, a line out is what its code finds.
// `node page_format.js FOLDER`: the page's modules and core. Bytes are base64, numbers are text.

import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const folder = pathToFileURL(`${process.argv[2]}/`);
const load = (name) => import(new URL(`${name}.js`, folder));
const { Inclusion, openBundle } = await load("check");
const { Core } = await load("core");
const { fetchDeclaration } = await load("declaration");
const { CannotCheck, Rejected } = await load("errors");
const { parsePublicKey } = await load("keys");
const { BlobSource } = await load("source");

const core = await Core.load(await WebAssembly.compile(await readFile(new URL("core.wasm", folder))));
const bytes = (text) => new Uint8Array(Buffer.from(text, "base64"));
const blobs = (files) => Object.entries(files).map(([path, text]) => [path, new Blob([bytes(text)])]);
let held = new Map();

/** The files that later checks are of, but for those that they bring along. */
async function hold({ files }) {
  held = new Map(blobs(files));
  return {};
}

async function check({ files, key, packageData, accountId, balances, now }) {
  const source = new BlobSource(new Map([...held, ...blobs(files)]));
  try {
    const checked = await openBundle(core, source, parsePublicKey(key));
    const declaration = fetchDeclaration(core, source, checked);
    const given = { source: Promise.resolve(source), declaration, packageData: bytes(packageData) };
    const inclusion = new Inclusion(core, core, checked, given);
    const { amounts } = await inclusion.finish({ accountId, balances, now });
    return { counted: Object.fromEntries(amounts.map(({ code, counted }) => [code, String(counted)])) };
  } catch (error) {
    if (error instanceof Rejected || error instanceof CannotCheck) return { code: error.code };
    throw error;
  }
}

const requests = { hold, check };
for await (const line of createInterface({ input: process.stdin })) {
  const { kind, ...request } = JSON.parse(line);
  process.stdout.write(`${JSON.stringify(await requests[kind](request))}\n`);
}
