import { backoffMs } from './backoff.ts';
import { SseParser, type SseEvent } from './sse-parser.ts';

export type ConnectionState =
  | { readonly phase: 'idle' | 'connecting' | 'open' }
  | { readonly phase: 'lost'; readonly retryAtMs: number };

export interface LiveConnectionOptions {
  /** Opens the feed for these devices; none means the server's own rates only. */
  readonly open: (devices: readonly string[], signal: AbortSignal) => Promise<ReadableStream<Uint8Array>>;
  readonly onEvent: (event: SseEvent) => void;
  /** The feed is back after it was lost: what came in between has to be fetched. */
  readonly onResumed: () => void;
  /** A feed of devices has begun: what came after they were fetched and before now has to be fetched. */
  readonly onJoined: () => void;
  readonly random: () => number;
  readonly nowMs: () => number;
}

/** To whom it sends its rates it does so every second, to all others a heartbeat every 15: after a longer silence the connection is dead. */
const SILENCE_MS = 40_000;
const SILENCE_WITH_RATES_MS = 12_000;
/** Pages that change in one go ask for one new feed, not for two. */
const SETTLE_MS = 30;

/**
 * One live feed for the whole page, reopened with growing waits whenever it ends.
 * A change of devices replaces the stream without being a loss.
 */
export class LiveConnection {
  readonly #options: LiveConnectionOptions;
  readonly #listeners = new Set<() => void>();
  #state: ConnectionState = { phase: 'idle' };
  #devices: readonly string[] = [];
  #stream: AbortController | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #attempt = 0;
  #missed = false;

  constructor(options: LiveConnectionOptions) {
    this.#options = options;
  }

  readonly state = (): ConnectionState => this.#state;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  start(): void {
    if (this.#state.phase !== 'idle') return;
    this.#setState({ phase: 'connecting' });
    this.#openIn(SETTLE_MS);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#stream?.abort();
    this.#stream = undefined;
    this.#attempt = 0;
    this.#missed = false;
    this.#setState({ phase: 'idle' });
  }

  /** From now on values of exactly these devices come. */
  watch(devices: readonly string[]): void {
    if (devices.join('\n') === this.#devices.join('\n')) return;
    this.#devices = devices;
    if (this.#state.phase === 'open' || this.#state.phase === 'connecting') this.#openIn(SETTLE_MS);
  }

  /** Does not wait for the next try. */
  retryNow(): void {
    if (this.#state.phase === 'lost') this.#openIn(0);
  }

  #openIn(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#stream?.abort();
      const stream = new AbortController();
      this.#stream = stream;
      void this.#read(stream);
    }, ms);
  }

  async #read(stream: AbortController): Promise<void> {
    let silence: ReturnType<typeof setTimeout> | undefined;
    let silenceMs = SILENCE_MS;
    let joined = this.#devices.length === 0;
    const heard = () => {
      clearTimeout(silence);
      silence = setTimeout(() => stream.abort(new Error('silence')), silenceMs);
    };
    try {
      heard();
      const body = await this.#options.open(this.#devices, stream.signal);
      const reader = body.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>).getReader();
      const parser = new SseParser();
      for (;;) {
        const { done, value } = await reader.read();
        if (done || this.#stream !== stream) break;
        if (!this.#opened() && !joined) this.#options.onJoined();
        joined = true;
        for (const event of parser.feed(value)) {
          if (event.event === 'stats') silenceMs = SILENCE_WITH_RATES_MS;
          this.#options.onEvent(event);
        }
        heard();
      }
    } catch (error) {
      if (this.#stream === stream && !stream.signal.aborted) console.warn('The live feed ended.', error);
    } finally {
      clearTimeout(silence);
    }
    if (this.#stream !== stream) return;
    stream.abort();
    this.#lost();
  }

  /** @returns whether all is fetched anew, since the feed was lost before. */
  #opened(): boolean {
    if (this.#state.phase === 'open') return false;
    this.#attempt = 0;
    this.#setState({ phase: 'open' });
    const missed = this.#missed;
    this.#missed = false;
    if (missed) this.#options.onResumed();
    return missed;
  }

  #lost(): void {
    const waitMs = backoffMs(this.#attempt++, this.#options.random);
    this.#missed = true;
    this.#setState({ phase: 'lost', retryAtMs: this.#options.nowMs() + waitMs });
    this.#openIn(waitMs);
  }

  #setState(state: ConnectionState): void {
    this.#state = state;
    for (const listener of this.#listeners) listener();
  }
}
