import { rmSync } from 'node:fs';
import { FakeClock } from '../../kernel/fake-clock.ts';
import { TypeFacts } from '../type-facts.ts';
import type { MetricSchema } from '../../registry/device-type.ts';
import { Births } from './births.ts';
import { CertificateStore } from './certificate-store.ts';
import { type RebirthRequest, RebirthRequests } from './rebirth-requests.ts';
import { encodeSparkplug, type TestPayload } from './sparkplug.fixture.ts';
import { Sparkplug } from './sparkplug-decoder.ts';

export const NOW = 1_790_000_000_000;

export interface TestRecord {
  readonly topic: string;
  readonly payload: TestPayload;
  readonly partition?: number;
  readonly arrivalMs?: number;
}

/** [time, metric, value]; a time of -1: none of its own. */
export type TestPoint = readonly [number, string, unknown];

/** A log of Sparkplug's messages and what reads it; the reading is killed and begun again. */
export class SparkplugHarness {
  readonly clock = new FakeClock(NOW);
  readonly #path: string;
  readonly #facts: TypeFacts;
  readonly log: { partition: number; offset: number; arrivalMs: number; topic: string; data: Uint8Array }[] = [];
  readonly asked: RebirthRequest[] = [];
  readonly born: string[] = [];
  births!: Births;
  sparkplug!: Sparkplug;
  #ends = new Map<number, number>();

  constructor(path: string, metrics: readonly MetricSchema[] = []) {
    this.#path = path;
    this.#facts = new TypeFacts('t', metrics);
    this.open();
  }

  /** Begins to read at these offsets. */
  open(
    starts: ReadonlyMap<number, number> = new Map(),
    options: { readonly log?: number; readonly maxDefinitions?: number } = {},
  ): void {
    const { log = 1, maxDefinitions } = options;
    this.births = new Births({
      store: new CertificateStore(this.#path),
      ...(maxDefinitions !== undefined && { maxDefinitions }),
    });
    this.births.open(log, starts);
    this.births.caughtUp();
    this.sparkplug = new Sparkplug({
      births: this.births,
      rebirths: new RebirthRequests({ clock: this.clock, send: (request) => void this.asked.push(request) }),
      onBorn: (id) => void this.born.push(id),
    });
  }

  append({ topic, payload, partition = 0, arrivalMs }: TestRecord) {
    const offset = this.#ends.get(partition) ?? 0;
    this.#ends.set(partition, offset + 1);
    const record = { partition, offset, arrivalMs: arrivalMs ?? this.clock.now(), topic, data: encodeSparkplug(payload) };
    this.log.push(record);
    return record;
  }

  /** Reads a record; `take` false: there was no room for it. @returns its points, or why there are none */
  read(record: (typeof this.log)[number], take = true): readonly TestPoint[] | string {
    const points: TestPoint[] = [];
    const add = ({ names }: { readonly names: readonly string[] }, timeMs: number, values: ArrayLike<unknown>): void => {
      names.forEach((name, index) => points.push([timeMs, name, values[index]]));
    };
    const decoder = this.sparkplug.decoderFor(this.#facts);
    const message = { ...record, start: 0, end: record.data.length, device: '' };
    try {
      decoder.decode(message, { numbers: add, mixed: add, unitKept: () => {} });
    } catch (error) {
      return (error as Error).message;
    }
    if (take) decoder.taken?.(message);
    return points;
  }

  send(topic: string, payload: TestPayload, more: Partial<TestRecord> = {}): readonly TestPoint[] | string {
    return this.read(this.append({ topic: `spBv1.0/G/${topic}`, payload, ...more }));
  }

  [Symbol.dispose](): void {
    this.births.close();
    for (const suffix of ['', '-wal', '-shm']) rmSync(this.#path + suffix, { force: true });
  }
}
