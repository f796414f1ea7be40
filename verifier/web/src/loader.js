// The one script that stands in the page as it is. It unpacks the texts and the page's script, and starts that:
// an inline script that the page's policy allows by its hash, as it allows this one.

import { unpacked } from "./packed.js";

const PACKED = ["strings", "script"];

async function start() {
  const texts = await Promise.all(PACKED.map(async (id) => new TextDecoder().decode(await unpacked(id))));
  PACKED.forEach((id, at) => { document.getElementById(id).textContent = texts[at]; });
  const script = document.createElement("script");
  script.textContent = document.getElementById("script").textContent;
  document.body.append(script);
}

start().catch(() => { document.getElementById("outdated").hidden = false; });
