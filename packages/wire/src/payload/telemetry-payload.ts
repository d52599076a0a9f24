import { afterSpace } from './json-check.ts';
import { type ParsedSample, parseSamples } from './parsed-samples.ts';
import { PAYLOAD_LIMITS, type PayloadLimits } from './payload-limits.ts';
import type { SampleValue } from './sample-checks.ts';
import type { SampleSkeleton } from './sample-skeleton.ts';
import { type Shape, ShapeCache } from './shape.ts';
import { SkeletonCache } from './skeleton-cache.ts';
import { learnSkeleton } from './skeleton-learning.ts';
import { TextReader } from './text-reader.ts';

/*
 * A telemetry payload is JSON (RFC 8259, UTF-8):
 *
 *   sample   {"temperature":23.5,"door":true,"state":"idle"}                  time: none of its own
 *            {"ts":1700000000000,"temperature":23.5}                           time: ts, in ms since 1970
 *            {"ts":1700000000000,"values":{"temperature":23.5}}                the same; "ts" may be absent
 *   payload  one sample, or an array of 1 to 10,000 of them
 *
 * A value is a finite number, a boolean or a text of at most 1,024 bytes; a null is as if its key were not there, and a
 * sample of nothing but nulls has no points. A name has 1 to 256 bytes, no control character, and is not "__proto__".
 * "ts" is a number, not negative, at most 24 hours after the arrival; a fraction is cut off. A key that stands twice counts
 * as JSON.parse has it: the last one. Everything else is an error, of the whole payload.
 */

/** The time of a sample that has none of its own: its receiver decides. */
export const NO_TIME = -1;

/** Where the samples of a valid payload go, in order. `timeMs` is NO_TIME where a sample has no `ts`. */
export interface SampleVisitor {
  /** `values[i]` belongs to `shape.names[i]`. The array is used again: copy what must stay. */
  numbers(shape: Shape, timeMs: number, values: Float64Array): void;
  /** A sample with a boolean or a text in it. The array is the visitor's own. */
  mixed(shape: Shape, timeMs: number, values: readonly SampleValue[]): void;
}

/** What the decoder remembers of one sender; keep one for each device. Makes decoding faster, and changes nothing else. */
export class ShapeHint {
  skeleton: SampleSkeleton | undefined = undefined;
}

const BAD_TIME = -2;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const COMMA = 0x2c;
/** Elements of an array that are learned from, each time that an array takes the slow way. */
const LEARNED_ELEMENTS = 8;
const KEPT_NUMBERS = 65_536;

/**
 * Telemetry samples from JSON bytes.
 *
 * The fast way: a payload that differs from one seen before in its values only is compared and read in place, about
 * a nanosecond a byte. Everything else goes through JSON.parse, with the same outcome. Not reentrant.
 */
export class TelemetryPayloadDecoder {
  readonly #limits: PayloadLimits;
  readonly #shapes = new ShapeCache();
  readonly #skeletons = new SkeletonCache();
  /** For callers that keep no hints. */
  readonly #ownHint = new ShapeHint();
  /** The samples of an array, until all of them are known to be good. */
  #numbers = new Float64Array(1024);
  #times = new Float64Array(256);
  readonly #found: SampleSkeleton[] = [];
  readonly #mixed: (SampleValue[] | undefined)[] = [];
  readonly #texts: TextReader;

  constructor(limits: PayloadLimits = PAYLOAD_LIMITS) {
    this.#limits = limits;
    this.#texts = new TextReader(limits.maxTextBytes);
  }

  /**
   * Decodes `data[start..end)`, which arrived at `arrivalMs`: a `ts` too far beyond that is an error.
   *
   * All or nothing: the visitor is called once the whole payload is known to be valid.
   *
   * @throws PayloadError when it is not; no other error, whatever the bytes.
   */
  decode(
    data: Uint8Array,
    start: number,
    end: number,
    arrivalMs: number,
    visitor: SampleVisitor,
    hint: ShapeHint = this.#ownHint,
  ): void {
    const at = afterSpace(data, start, end);
    if (at < end && data[at] === OPEN_ARRAY) {
      if (this.#decodeArray(data, at + 1, end, arrivalMs, hint)) {
        this.#visitFound(visitor);
        return;
      }
    } else {
      const skeleton = this.#match(data, at, end, hint);
      if (skeleton !== undefined && afterSpace(data, this.#matchEnd, end) === end) {
        const timeMs = this.#timeOf(skeleton, arrivalMs);
        if (timeMs !== BAD_TIME) {
          if (skeleton.mixed === undefined) visitor.numbers(skeleton.shape, timeMs, skeleton.values);
          else visitor.mixed(skeleton.shape, timeMs, skeleton.mixed);
          return;
        }
      }
    }
    this.#decodeSlowly(data, start, end, arrivalMs, visitor);
  }

  #matchEnd = 0;

  /** The skeleton of the object at `at`, its numbers filled; the object ends at `#matchEnd`. */
  #match(data: Uint8Array, at: number, end: number, hint: ShapeHint): SampleSkeleton | undefined {
    const hinted = hint.skeleton;
    if (hinted !== undefined) {
      const matchEnd = hinted.read(data, at, end, this.#texts);
      if (matchEnd >= 0) {
        this.#matchEnd = matchEnd;
        return hinted;
      }
    }
    const found = this.#skeletons.find(data, at, end, this.#texts);
    if (found !== undefined) {
      this.#matchEnd = this.#skeletons.foundEnd;
      hint.skeleton = found;
    }
    return found;
  }

  /** BAD_TIME when the slow way has to say what is wrong with it. */
  #timeOf(skeleton: SampleSkeleton, arrivalMs: number): number {
    if (!skeleton.hasTime) return NO_TIME;
    const time = skeleton.numbers[skeleton.numbers.length - 1]!;
    return time >= 0 && time <= arrivalMs + this.#limits.maxFutureMs ? Math.trunc(time) + 0 : BAD_TIME;
  }

  /** True when all samples were read; they are in `#found`, `#times`, and `#numbers` or `#mixed`. */
  #decodeArray(data: Uint8Array, start: number, end: number, arrivalMs: number, hint: ShapeHint): boolean {
    const found = this.#found;
    found.length = 0;
    this.#mixed.length = 0;
    let used = 0;
    let at = start;
    for (;;) {
      const skeleton = this.#match(data, afterSpace(data, at, end), end, hint);
      if (skeleton === undefined || found.length >= this.#limits.maxSamples) return false;
      const timeMs = this.#timeOf(skeleton, arrivalMs);
      if (timeMs === BAD_TIME) return false;
      const { values, mixed } = skeleton;
      if (used + values.length > this.#numbers.length) this.#numbers = grown(this.#numbers, used + values.length);
      if (found.length >= this.#times.length) this.#times = grown(this.#times, found.length + 1);
      for (let i = 0; i < values.length; i++) this.#numbers[used + i] = values[i]!;
      used += values.length;
      this.#times[found.length] = timeMs;
      found.push(skeleton);
      this.#mixed.push(mixed);
      at = afterSpace(data, this.#matchEnd, end);
      if (at >= end) return false;
      if (data[at] === CLOSE_ARRAY) return afterSpace(data, at + 1, end) === end;
      if (data[at] !== COMMA) return false;
      at++;
    }
  }

  #visitFound(visitor: SampleVisitor): void {
    const numbers = this.#numbers;
    let used = 0;
    for (let sample = 0; sample < this.#found.length; sample++) {
      const { shape, values } = this.#found[sample]!;
      for (let i = 0; i < values.length; i++) values[i] = numbers[used + i]!;
      used += values.length;
      const mixed = this.#mixed[sample];
      if (mixed === undefined) visitor.numbers(shape, this.#times[sample]!, values);
      else visitor.mixed(shape, this.#times[sample]!, mixed);
    }
    if (numbers.length > KEPT_NUMBERS) this.#numbers = new Float64Array(1024);
  }

  #decodeSlowly(data: Uint8Array, start: number, end: number, arrivalMs: number, visitor: SampleVisitor): void {
    const samples = parseSamples(data, start, end, arrivalMs, this.#limits);
    this.#learn(data, start, end, samples);
    for (const { timeMs, names, values, numeric } of samples) {
      if (names.length === 0) continue;
      const shape = this.#shapes.intern(names);
      // `numeric` says that each of them is a number.
      if (numeric) visitor.numbers(shape, timeMs ?? NO_TIME, Float64Array.from(values as readonly number[]));
      else visitor.mixed(shape, timeMs ?? NO_TIME, values);
    }
  }

  #learn(data: Uint8Array, start: number, end: number, samples: readonly ParsedSample[]): void {
    let at = afterSpace(data, start, end);
    const array = data[at] === OPEN_ARRAY;
    for (const sample of samples.slice(0, LEARNED_ELEMENTS)) {
      if (array) at = afterSpace(data, at + 1, end); // behind the bracket or the comma
      const known = sample.names.length === 0 ? undefined : this.#skeletons.find(data, at, end, this.#texts);
      if (known !== undefined) {
        at = this.#skeletons.foundEnd;
      } else {
        const learned = learnSkeleton(data, at, sample, this.#shapes.intern(sample.names));
        if (learned.skeleton !== undefined) this.#skeletons.add(data, at, end, learned.skeleton);
        at = learned.end;
      }
      at = afterSpace(data, at, end);
    }
  }
}

function grown(numbers: Float64Array<ArrayBuffer>, needed: number): Float64Array<ArrayBuffer> {
  const larger = new Float64Array(Math.max(needed, numbers.length * 2));
  larger.set(numbers);
  return larger;
}
