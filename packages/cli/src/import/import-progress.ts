import { SingleBar } from 'cli-progress';
import { formatDuration } from '../table.ts';

/** How far something has come. */
export interface Progress {
  readonly bytes: number;
  /** Undefined: not known. */
  readonly ofBytes: number | undefined;
  readonly rows: number;
  readonly refused?: number;
}

export interface ProgressView {
  update(progress: Progress): void;
  /** Ends the line. May be called more than once. */
  stop(): void;
}

/** Between two plain lines. */
const LINE_MS = 2000;

/** A bar on a terminal, a line now and then elsewhere. What is measured begins now. */
export function openProgress(
  stream: NodeJS.WritableStream & { readonly isTTY?: boolean },
  nowMs: () => number = () => performance.now(),
): ProgressView {
  return stream.isTTY === true ? new BarView(stream, nowMs) : new LineView(stream, nowMs);
}

/** Rows a second, and how long it will take on, from when it began. */
class Pace {
  readonly #nowMs: () => number;
  readonly #startMs: number;
  #first: Progress | undefined;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
    this.#startMs = nowMs();
  }

  of(progress: Progress): { readonly rate: string; readonly left: string } {
    this.#first ??= progress;
    const seconds = (this.#nowMs() - this.#startMs) / 1000;
    const rows = progress.rows - this.#first.rows;
    const bytes = progress.bytes - this.#first.bytes;
    if (seconds < 0.5 || rows === 0) return { rate: '', left: '' };
    const rate = `${Math.round(rows / seconds).toLocaleString('en-US')} rows/s`;
    if (progress.ofBytes === undefined || bytes === 0) return { rate, left: '' };
    return { rate, left: formatDuration(((progress.ofBytes - progress.bytes) / bytes) * seconds * 1000) };
  }
}

class BarView implements ProgressView {
  readonly #bar: SingleBar;
  readonly #pace: Pace;
  #isRunning = false;

  constructor(stream: NodeJS.WritableStream, nowMs: () => number) {
    this.#pace = new Pace(nowMs);
    this.#bar = new SingleBar({
      format: '{bar} {percent} | {rows} | {rate}{left}',
      stream,
      hideCursor: true,
      fps: 5,
      barCompleteChar: '\u2588',
      barIncompleteChar: '\u2591',
      clearOnComplete: false,
    });
  }

  update(progress: Progress): void {
    const { bytes, ofBytes } = progress;
    const { rate, left } = this.#pace.of(progress);
    const payload = {
      percent: ofBytes === undefined ? '' : `${Math.floor((bytes / Math.max(1, ofBytes)) * 100)}%`,
      rows: describeRows(progress),
      rate,
      left: left === '' ? '' : ` | ${left} left`,
    };
    // Without a size there is nothing that a bar could fill: it stays empty until the end.
    const total = ofBytes ?? Number.MAX_SAFE_INTEGER;
    if (this.#isRunning) this.#bar.update(bytes, payload);
    else this.#bar.start(total, bytes, payload);
    this.#isRunning = true;
  }

  stop(): void {
    if (this.#isRunning) this.#bar.stop();
    this.#isRunning = false;
  }
}

class LineView implements ProgressView {
  readonly #stream: NodeJS.WritableStream;
  readonly #nowMs: () => number;
  readonly #pace: Pace;
  #lastMs: number;

  constructor(stream: NodeJS.WritableStream, nowMs: () => number) {
    this.#stream = stream;
    this.#nowMs = nowMs;
    this.#pace = new Pace(nowMs);
    this.#lastMs = nowMs();
  }

  update(progress: Progress): void {
    const { rate, left } = this.#pace.of(progress);
    if (this.#nowMs() - this.#lastMs < LINE_MS) return;
    this.#lastMs = this.#nowMs();
    const { bytes, ofBytes } = progress;
    const percent = ofBytes === undefined ? '' : `${Math.floor((bytes / Math.max(1, ofBytes)) * 100)}%, `;
    this.#stream.write(`${percent}${describeRows(progress)}, ${rate}${left === '' ? '' : `, ${left} left`}\n`);
  }

  stop(): void {
    // Each line is whole.
  }
}

function describeRows({ rows, refused = 0 }: Progress): string {
  const text = `${rows.toLocaleString('en-US')} rows`;
  return refused === 0 ? text : `${text}, ${refused.toLocaleString('en-US')} refused`;
}
