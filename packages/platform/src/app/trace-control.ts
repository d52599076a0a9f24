import { MessageChannel, type MessagePort } from 'node:worker_threads';
import type { TraceBatchJson, TraceRequest, TraceSource } from '../api/trace-source.ts';
import { checkTraceFilter, type TraceFilter } from '../broker/trace-filter.ts';
import { Tracing, type TraceBatch } from '../broker/trace.ts';
import type { Clock } from '../kernel/clock.ts';

/** What main tells a gateway thread. */
type TraceOrder =
  | { readonly kind: 'start'; readonly id: number; readonly filter: TraceFilter }
  | { readonly kind: 'stop'; readonly id: number }
  /** A batch has arrived: one more may come. */
  | { readonly kind: 'taken'; readonly id: number };

/** What a gateway thread tells main. */
interface TraceReport {
  readonly id: number;
  readonly batch: TraceBatch;
}

/** Main's end of the traces: each runs in all gateway threads. */
export class TraceControl implements TraceSource, Disposable {
  readonly #ports: MessagePort[] = [];
  readonly #readers = new Map<number, (batch: TraceBatchJson) => void>();
  #lastId = 0;

  /** The end for one gateway thread, to be transferred to it. */
  port(): MessagePort {
    const { port1, port2 } = new MessageChannel();
    port1.on('message', ({ id, batch }: TraceReport) => {
      const read = this.#readers.get(id);
      if (read === undefined) return;
      read(batch);
      port1.postMessage({ kind: 'taken', id } satisfies TraceOrder);
    });
    port1.unref();
    this.#ports.push(port1);
    return port2;
  }

  open(request: TraceRequest, onBatch: (batch: TraceBatchJson) => void): () => void {
    checkTraceFilter(request);
    const id = ++this.#lastId;
    const { clientId, topicFilter, payload } = request;
    this.#readers.set(id, onBatch);
    this.#tell({ kind: 'start', id, filter: { clientId, topicFilter, payload } });
    return () => {
      if (this.#readers.delete(id)) this.#tell({ kind: 'stop', id });
    };
  }

  [Symbol.dispose](): void {
    for (const port of this.#ports) port.close();
  }

  #tell(order: TraceOrder): void {
    for (const port of this.#ports) port.postMessage(order);
  }
}

/** A gateway thread's end: its broker has a Tracing while a trace is on, and none otherwise. */
export function serveTraces(
  port: MessagePort,
  options: { readonly broker: { tracing: Tracing | undefined }; readonly clock: Clock; readonly thread: string },
): void {
  const { broker } = options;
  port.on('message', (order: TraceOrder) => {
    const { id } = order;
    if (order.kind === 'start') {
      broker.tracing ??= new Tracing(options);
      broker.tracing.start(id, order.filter, (batch) => port.postMessage({ id, batch } satisfies TraceReport));
    } else if (order.kind === 'taken') broker.tracing?.taken(id);
    else {
      broker.tracing?.stop(id);
      if (broker.tracing?.size === 0) broker.tracing = undefined;
    }
  });
  port.unref();
}
