// Workers of the worker's own script, each with a core of its own: they check batches beside each other.

import { CoreRejected } from "./core.js";
import { inTurns } from "./turns.js";

const MOST_HELPERS = 4;

export class Helpers {
  /** As many as the device has cores, or four; `script` is the address of the worker's own. */
  constructor(core, module, script) {
    const count = Math.min(MOST_HELPERS, navigator.hardwareConcurrency || 1);
    this.core = core;
    this.idle = Array.from({ length: count }, () => new Helper(module, script));
    this.inTurn = inTurns(count);
  }

  /** What the core's `check` does; where a helper cannot, the core here does it. */
  check(pages, openings) {
    return this.inTurn(async () => {
      const helper = this.idle.pop();
      const answer = await helper.ask({ kind: "batch", pages, openings });
      this.idle.push(helper);
      if (answer.links) return answer.links;
      if (answer.code) throw new CoreRejected(answer.code);
      return this.core.check(pages, openings);
    });
  }
}

/** A worker that is asked one thing at a time. */
class Helper {
  constructor(module, script) {
    /** @type {(answer: any) => void} */
    this.answered = () => {};
    this.isBroken = false;
    try {
      this.worker = new Worker(script, { type: "module" });
    } catch { // a browser lets no worker of a page on a disk have workers
      this.isBroken = true;
      this.ready = Promise.resolve();
      return;
    }
    this.worker.onmessage = ({ data }) => this.answered(data);
    this.worker.onerror = (event) => {
      event.preventDefault();
      this.isBroken = true;
      this.answered({});
    };
    this.ready = this.send({ kind: "help", module });
  }

  async ask(request) {
    await this.ready;
    return this.isBroken ? {} : this.send(request);
  }

  send(request) {
    return new Promise((resolve) => {
      this.answered = resolve;
      this.worker.postMessage(request);
    });
  }
}
