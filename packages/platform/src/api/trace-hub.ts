import type { Clock } from '../kernel/clock.ts';
import { SelsynError } from '../kernel/errors.ts';
import type { LogLines } from '../kernel/log-lines.ts';
import { LiveClient, liveEvent, type LiveSink } from './live-client.ts';
import type { TraceRequest, TraceSource } from './trace-source.ts';

const MAX_TRACES = 4;
const MAX_WAITING_BYTES = 1024 * 1024;
const CHECK_EVERY_MS = 15_000;
/** A reader that has not read for so long is gone. */
const MAX_LAG_MS = 60_000;
/** A trace that was forgotten does not cost for ever. */
const MAX_TRACE_MS = 3_600_000;
const HEARTBEAT = ': \n\n';
/** How long a trace may outlive the key or session that it was opened with. */
const RENEW_EVERY_MS = 5_000;

interface OpenTrace {
  readonly client: LiveClient;
  readonly end: () => void;
  readonly endsAtMs: number;
  /** Whether whoever reads it still may. */
  readonly mayGoOn: () => Promise<boolean>;
}

/** The traces that are being read. Each packet costs where one is on, so they are few and end by themselves. */
export class TraceHub {
  readonly #source: TraceSource;
  readonly #clock: Clock;
  readonly #logLines: Pick<LogLines, 'error'>;
  readonly #traces = new Set<OpenTrace>();
  #cancelCheck: (() => void) | undefined;
  #cancelRenewal: (() => void) | undefined;
  #closed = false;

  constructor(dependencies: { readonly traces: TraceSource; readonly clock: Clock; readonly logLines: Pick<LogLines, 'error'> }) {
    this.#source = dependencies.traces;
    this.#clock = dependencies.clock;
    this.#logLines = dependencies.logLines;
  }

  get size(): number {
    return this.#traces.size;
  }

  /** @throws SelsynError `request.rate-limited` while 4 traces are on, `server.not-ready` once closed. */
  ensureRoom(): void {
    if (this.#closed) throw new SelsynError('server.not-ready', 'the server is shutting down', { retryable: true });
    if (this.#traces.size >= MAX_TRACES) {
      throw new SelsynError('request.rate-limited', `${MAX_TRACES} traces are on already`, { retryable: true });
    }
  }

  /**
   * Begins a trace whose events go to `sink` once it has one: `connect` is called when the trace is sure to begin.
   * @param mayGoOn is asked every 5 s; the trace ends when it says no.
   * @throws SelsynError see `ensureRoom`; `request.invalid`
   */
  join(
    request: TraceRequest,
    connect: () => LiveSink,
    mayGoOn: () => Promise<boolean> = async () => true,
  ): { readonly client: LiveClient; leave(): void } {
    this.ensureRoom();
    let client: LiveClient | undefined;
    const endSource = this.#source.open(request, ({ events, dropped }) => {
      if (client === undefined) return;
      const nowMs = this.#clock.monotonicMs();
      if (dropped > 0) client.send(liveEvent('dropped', JSON.stringify({ dropped })), nowMs);
      for (const event of events) client.send(liveEvent('packet', JSON.stringify(event)), nowMs);
    });
    client = new LiveClient(connect(), MAX_WAITING_BYTES);
    const trace: OpenTrace = { client, end: endSource, endsAtMs: this.#clock.monotonicMs() + MAX_TRACE_MS, mayGoOn };
    this.#traces.add(trace);
    client.send(liveEvent('tracing', JSON.stringify(request)), this.#clock.monotonicMs());
    this.#cancelCheck ??= this.#clock.after(CHECK_EVERY_MS, () => this.#check());
    this.#cancelRenewal ??= this.#clock.after(RENEW_EVERY_MS, () => this.#renewAll());
    return { client, leave: () => this.#leave(trace) };
  }

  /** Says goodbye to all; nobody can join any more. */
  close(): void {
    this.#closed = true;
    for (const trace of this.#traces) this.#end(trace);
  }

  #check(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const trace of this.#traces) {
      const { client, endsAtMs } = trace;
      if (nowMs >= endsAtMs) this.#end(trace);
      else if (client.lagsSinceMs !== undefined && nowMs - client.lagsSinceMs > MAX_LAG_MS) client.destroy();
      else if (client.lagsSinceMs === undefined) client.send(HEARTBEAT, nowMs);
    }
    this.#cancelCheck = this.#traces.size === 0 ? undefined : this.#clock.after(CHECK_EVERY_MS, () => this.#check());
  }

  #renewAll(): void {
    for (const trace of this.#traces) void this.#renew(trace);
    this.#cancelRenewal = this.#traces.size === 0 ? undefined : this.#clock.after(RENEW_EVERY_MS, () => this.#renewAll());
  }

  async #renew(trace: OpenTrace): Promise<void> {
    try {
      if (!(await trace.mayGoOn()) && this.#traces.has(trace)) this.#end(trace);
    } catch (error) {
      this.#logLines.error({ err: error }, 'a trace could not go on');
      if (this.#traces.has(trace)) this.#end(trace);
    }
  }

  #end(trace: OpenTrace): void {
    this.#leave(trace);
    trace.client.end();
  }

  #leave(trace: OpenTrace): void {
    if (!this.#traces.delete(trace)) return;
    trace.end();
    if (this.#traces.size > 0) return;
    this.#cancelCheck?.();
    this.#cancelCheck = undefined;
    this.#cancelRenewal?.();
    this.#cancelRenewal = undefined;
  }
}
