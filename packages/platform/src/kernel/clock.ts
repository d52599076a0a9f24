/** Time as an argument: everything that waits or stamps takes a Clock, so that a test can turn it by hand. */
export interface Clock {
  /** Wall time, ms since 1970-01-01 UTC. May step backwards. */
  now(): number;
  /** Never steps backwards; its zero has no meaning. ms. */
  monotonicMs(): number;
  /** Calls `task` once after `delayMs`; the returned function cancels it. Does not keep the process alive. */
  after(delayMs: number, task: () => void): () => void;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  after(delayMs, task) {
    const timer = setTimeout(task, delayMs);
    timer.unref();
    return () => clearTimeout(timer);
  },
};
