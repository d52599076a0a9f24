/** Where events of one client go: a response that is being written. */
export interface LiveSink {
  write(text: string): void;
  /** Bytes that were written and that the socket has not taken yet. */
  readonly waitingBytes: number;
  end(): void;
  /** Ends at once, without what is waiting. */
  destroy(): void;
}

/**
 * One reader of the live feed, whose buffer is bounded.
 *
 * While more than `maxWaitingBytes` wait for a slow reader, events are dropped and counted; once its socket is drained it
 * is told by `lagged` how many, so that it can fetch again what it shows.
 */
export class LiveClient {
  readonly #sink: LiveSink;
  readonly #maxWaitingBytes: number;
  #dropped = 0;
  #lagsSinceMs: number | undefined;

  constructor(sink: LiveSink, maxWaitingBytes: number) {
    this.#sink = sink;
    this.#maxWaitingBytes = maxWaitingBytes;
  }

  /** Since when events are being dropped; undefined while the client keeps up. */
  get lagsSinceMs(): number | undefined {
    return this.#lagsSinceMs;
  }

  /** @param event the whole text of it, blank line included. @returns false when it was dropped. */
  send(event: string, nowMs: number): boolean {
    if (this.#dropped > 0 || this.#sink.waitingBytes > this.#maxWaitingBytes) {
      this.#dropped++;
      this.#lagsSinceMs ??= nowMs;
      return false;
    }
    this.#sink.write(event);
    return true;
  }

  /** The socket has taken everything. */
  drained(): void {
    if (this.#dropped === 0) return;
    const dropped = this.#dropped;
    this.#dropped = 0;
    this.#lagsSinceMs = undefined;
    this.#sink.write(liveEvent('lagged', JSON.stringify({ dropped })));
  }

  end(): void {
    this.#sink.write(liveEvent('bye', '{}'));
    this.#sink.end();
  }

  destroy(): void {
    this.#sink.destroy();
  }
}

/** One event of a `text/event-stream` (WHATWG HTML, 9.2.5). `json` has no line breaks. */
export function liveEvent(name: string, json: string): string {
  return `event: ${name}\ndata: ${json}\n\n`;
}
