import type { Clock } from '../../kernel/clock.ts';

/** A WebSocket, as far as its messages come in whole. */
export interface FramedInput {
  /** Bytes of a message whose rest has not come. */
  readonly partialBytes: number;
  /** Messages that came. */
  readonly messages: number;
  /** It is not read at the moment. */
  readonly paused: boolean;
  /** Ends it: its message takes too long. */
  endSlow(): void;
}

/**
 * Ends WebSockets on which a message trickles in for ever: it is put together below the broker, which sees none of it, so that
 * neither its deadlines nor its keep-alive of 0 would end it.
 */
export class SlowFrames implements Disposable {
  readonly #clock: Clock;
  readonly #onSlow: () => void;
  readonly #open = new Map<FramedInput, { messages: number; sinceMs: number }>();
  #cancel: (() => void) | undefined;

  constructor(options: { readonly clock: Clock; readonly onSlow: () => void }) {
    this.#clock = options.clock;
    this.#onSlow = options.onSlow;
  }

  add(input: FramedInput): void {
    this.#open.set(input, { messages: -1, sinceMs: this.#clock.monotonicMs() });
    this.#cancel ??= this.#clock.after(SWEEP_MS, () => this.#sweep());
  }

  remove(input: FramedInput): void {
    this.#open.delete(input);
  }

  [Symbol.dispose](): void {
    this.#cancel?.();
    this.#open.clear();
  }

  #sweep(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const [input, seen] of this.#open) {
      const { partialBytes, messages } = input;
      if (partialBytes === 0 || messages !== seen.messages || input.paused) {
        seen.messages = messages;
        seen.sinceMs = nowMs;
      } else if (nowMs - seen.sinceMs >= DEADLINE_MS + partialBytes) {
        this.#open.delete(input);
        this.#onSlow();
        input.endSlow();
      }
    }
    this.#cancel = this.#open.size === 0 ? undefined : this.#clock.after(SWEEP_MS, () => this.#sweep());
  }
}

/** For a message; each byte of it that came gives it a millisecond more. */
const DEADLINE_MS = 60_000;
const SWEEP_MS = 5_000;
