import type { Clock } from './clock.ts';
import type { LogLines } from './log-lines.ts';

export type ThrottledLevel = 'info' | 'warn' | 'error';

interface Kind {
  level: ThrottledLevel;
  /** Lines since `sinceMs`. */
  written: number;
  sinceMs: number;
  suppressed: number;
}

/**
 * Log lines of which a peer decides how many there are: of each kind a few a second are written, and how many were not is told by
 * the next one, or by `flush`. Kinds are few and fixed; what a peer sent may stand in the fields, never in the kind.
 */
export class ThrottledLines {
  readonly #logLines: LogLines;
  readonly #clock: Clock;
  readonly #sentence: string;
  readonly #kinds = new Map<string, Kind>();

  /** @param options.sentence the same for all kinds; the kind is the field `reason`. */
  constructor(options: { readonly logLines: LogLines; readonly clock: Clock; readonly sentence: string }) {
    this.#logLines = options.logLines;
    this.#clock = options.clock;
    this.#sentence = options.sentence;
  }

  write(level: ThrottledLevel, reason: string, fields: Readonly<Record<string, unknown>>): void {
    if (!this.#logLines.isLevelEnabled(level)) return;
    const nowMs = this.#clock.monotonicMs();
    let kind = this.#kinds.get(reason);
    if (kind === undefined) this.#kinds.set(reason, (kind = { level, written: 0, sinceMs: nowMs, suppressed: 0 }));
    kind.level = level;
    if (nowMs - kind.sinceMs >= WINDOW_MS) {
      kind.sinceMs = nowMs;
      kind.written = 0;
    }
    if (kind.written >= LINES_IN_WINDOW) {
      kind.suppressed++;
      return;
    }
    kind.written++;
    const { suppressed } = kind;
    kind.suppressed = 0;
    this.#logLines[level]({ reason, ...fields, ...(suppressed > 0 && { suppressed }) }, this.#sentence);
  }

  /** Tells of those that were not written, where nothing has come since. Called about once a second. */
  flush(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const [reason, kind] of this.#kinds) {
      if (kind.suppressed === 0 || nowMs - kind.sinceMs < WINDOW_MS) continue;
      this.#logLines[kind.level]({ reason, suppressed: kind.suppressed }, this.#sentence);
      kind.suppressed = 0;
    }
  }
}

/** Lines of one kind in a second. */
const LINES_IN_WINDOW = 3;
const WINDOW_MS = 1_000;
