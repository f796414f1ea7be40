// Things that are done beside each other, a bounded number at a time.

/** A function that runs what it is given, in that order and `most` at a time, and gives its outcome. */
export function inTurns(most) {
  const waiting = [];
  let running = 0;
  const next = () => {
    if (running === most || waiting.length === 0) return;
    running += 1;
    const ended = () => {
      running -= 1;
      next();
    };
    waiting.shift()().finally(ended);
  };
  return (run) => new Promise((resolve, reject) => {
    waiting.push(() => run().then(resolve, reject));
    next();
  });
}

/** A promise whose failure is told where it is awaited, and nowhere before. */
export function awaitedLater(promise) {
  promise.catch(() => {});
  return promise;
}
