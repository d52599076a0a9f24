/** The metrics of a virtual sensor, each with the middle of its walk. */
const METRICS = { temperature: 2_000, humidity: 5_000, pressure: 101_300 } as const;
export const METRIC_NAMES: readonly string[] = Object.keys(METRICS);

export interface WalkOptions {
  readonly devices: number;
  readonly startMs: number;
  /** Points of each series, one a step: a second, where nothing else is said. */
  readonly seconds: number;
  readonly stepMs?: number;
  /** How many of METRIC_NAMES each device has; default: all. */
  readonly metrics?: number;
  readonly seed?: number;
}

/**
 * Random walks of 2 decimals, at 1 Hz or slower, one for each device and metric, the same for the same seed: every store under
 * comparison gets this data. Steps are -5 to 5 hundredths; the walk is drawn back to its middle when it is far away.
 */
export class SensorWalks {
  readonly options: WalkOptions;
  readonly metrics: readonly string[];
  /** By device and metric: hundredths. */
  readonly #hundredths: readonly (readonly Int32Array[])[];
  readonly #texts = new Map<number, string>();

  constructor(options: WalkOptions) {
    this.options = options;
    this.metrics = METRIC_NAMES.slice(0, options.metrics);
    const random = generator(options.seed ?? 1);
    this.#hundredths = Array.from({ length: options.devices }, () =>
      Object.values(METRICS)
        .slice(0, options.metrics)
        .map((middle) => walk(middle, options.seconds, random)),
    );
  }

  get points(): number {
    return this.options.devices * this.metrics.length * this.options.seconds;
  }

  timeMs(second: number): number {
    return this.options.startMs + second * (this.options.stepMs ?? 1_000);
  }

  /** The value as it stands in a message: `20.13`. */
  text(device: number, metric: number, second: number): string {
    const hundredths = this.#hundredths[device]![metric]![second]!;
    let text = this.#texts.get(hundredths);
    if (text === undefined) this.#texts.set(hundredths, (text = (hundredths / 100).toFixed(2)));
    return text;
  }

  value(device: number, metric: number, second: number): number {
    return this.#hundredths[device]![metric]![second]! / 100;
  }

  /** A message of the seconds from `start` to `end`, as devices send batches. */
  batch(device: number, start: number, end: number): Buffer {
    let text = '';
    for (let second = start; second < end; second++) {
      text += `${text === '' ? '[' : ','}{"ts":${this.timeMs(second)}`;
      for (let metric = 0; metric < this.metrics.length; metric++)
        text += `,"${this.metrics[metric]}":${this.text(device, metric, second)}`;
      text += '}';
    }
    return Buffer.from(`${text}]`);
  }
}

function walk(middle: number, seconds: number, random: () => number): Int32Array {
  let value = middle;
  return Int32Array.from({ length: seconds }, () => {
    const pull = value > middle + 500 ? -1 : value < middle - 500 ? 1 : 0;
    return (value += Math.floor(random() * 11) - 5 + pull);
  });
}

/** mulberry32. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
