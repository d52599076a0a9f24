import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Gauge, type Registry } from 'prom-client';

const RESOLUTION_MS = 10;
const WINDOW_MS = 1_000;

/** Registers how late this thread's event loop runs its timers: p99 and maximum of the last whole second, in seconds. */
export function observeEventLoopDelay(registry: Registry): Disposable {
  const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  let p99Sec = 0;
  let maxSec = 0;
  histogram.enable();
  const timer = setInterval(() => {
    // The histogram holds the time between two ticks: what is over the resolution is delay.
    p99Sec = histogram.count === 0 ? 0 : Math.max(0, histogram.percentile(99) / 1e9 - RESOLUTION_MS / 1e3);
    maxSec = histogram.count === 0 ? 0 : Math.max(0, histogram.max / 1e9 - RESOLUTION_MS / 1e3);
    histogram.reset();
  }, WINDOW_MS);
  timer.unref();
  new Gauge({
    name: 'selsyn_event_loop_delay_seconds',
    help: 'How late the event loop of a thread was in the last second.',
    labelNames: ['quantile'],
    registers: [registry],
    collect(): void {
      this.set({ quantile: '0.99' }, p99Sec);
      this.set({ quantile: '1' }, maxSec);
    },
  });
  return {
    [Symbol.dispose](): void {
      clearInterval(timer);
      histogram.disable();
    },
  };
}
