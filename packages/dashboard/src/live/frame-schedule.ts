import type { Schedule } from './live-values.ts';

const FASTEST_MS = 100;

/**
 * Runs work at an animation frame, at most ten times a second: a number that changes faster cannot be read.
 * A hidden page gets no frames; a timer then runs it once a second, so that nothing piles up.
 */
export function frameSchedule(): Schedule {
  let lastMs = 0;
  return (run) => {
    let done = false;
    const once = () => {
      if (done) return;
      done = true;
      clearTimeout(fallback);
      lastMs = performance.now();
      run();
    };
    const fallback = setTimeout(once, 1000);
    const waitMs = Math.max(0, lastMs + FASTEST_MS - performance.now());
    setTimeout(() => requestAnimationFrame(once), waitMs);
  };
}
