import { collectDefaultMetrics, type Registry } from 'prom-client';
import { observeEventLoopDelay } from '../kernel/event-loop-delay.ts';
import { openMetrics, renderMetrics, type MetricsSnapshot } from '../kernel/metrics.ts';

type MetricsThread = { readonly calls: { call(name: 'metrics', argument: null): Promise<MetricsSnapshot> } };

/** The metrics of main and of all threads that were added. */
export class MetricsHub implements Disposable {
  readonly registry: Registry = openMetrics('main');
  readonly #threads: MetricsThread[] = [];
  readonly #loopDelay: Disposable;

  constructor() {
    collectDefaultMetrics({ register: this.registry });
    this.#loopDelay = observeEventLoopDelay(this.registry);
  }

  add(thread: MetricsThread): void {
    this.#threads.push(thread);
  }

  /** One snapshot a thread. @throws SelsynError `thread.timeout`, `thread.gone` */
  async snapshots(): Promise<MetricsSnapshot[]> {
    return await Promise.all([
      this.registry.getMetricsAsJSON(),
      ...this.#threads.map(async (thread) => await thread.calls.call('metrics', null)),
    ]);
  }

  async render(): Promise<string> {
    return await renderMetrics(await this.snapshots());
  }

  [Symbol.dispose](): void {
    this.#loopDelay[Symbol.dispose]();
  }
}
