import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DAY_MS, dayFilePath, daysFolder } from './day-file-schema.ts';
import { FakeLog } from './fake-log.ts';
import { StoreHarness, type Stored } from './store-harness.ts';
import type { PointValue } from './telemetry-queries.ts';

const MIDNIGHT = 20_000 * DAY_MS;

type Command =
  | { readonly do: 'append'; readonly partition: number; readonly messages: readonly Message[] }
  | { readonly do: 'consume'; readonly batches: number }
  | { readonly do: 'seal' | 'seal-some' | 'low-water' | 'kill' | 'power-loss' | 'compact' }
  | { readonly do: 'wait' | 'low-water-slice' | 'erase' }
  | { readonly do: 'forget'; readonly device: number };

interface Message {
  readonly device: number;
  readonly samples: readonly { readonly at: number; readonly values: Readonly<Record<string, PointValue>> }[];
}

const value = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: -1000, max: 1000 }).map((n) => n / 10) },
  { weight: 1, arbitrary: fc.boolean() },
  { weight: 1, arbitrary: fc.constantFrom('on', 'off', '') },
);
const sample = fc.record({
  // Few enough that many are equal; around midnights, at the beginning of time, and long ago.
  at: fc.oneof(
    fc.integer({ min: -4, max: 4 }).map((n) => MIDNIGHT + n * 2),
    fc.integer({ min: 0, max: 3 }).map((n) => n * 2),
    fc.integer({ min: -3, max: 3 }).map((n) => 4_000 * DAY_MS + n * 40_000_000),
  ),
  values: fc.dictionary(fc.constantFrom('a', 'b', 'c'), value, { minKeys: 1, maxKeys: 3 }),
});
const message = fc.record({ device: fc.nat(2), samples: fc.array(sample, { minLength: 1, maxLength: 6 }) });
const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({
      do: fc.constant('append' as const),
      partition: fc.nat(1),
      messages: fc.array(message, { minLength: 1, maxLength: 8 }),
    }),
  },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('consume' as const), batches: fc.constantFrom(1, 2, Infinity) }) },
  {
    weight: 9,
    arbitrary: fc.record({
      do: fc.constantFrom('seal', 'seal', 'seal-some', 'seal-some', 'low-water', 'low-water', 'kill', 'power-loss', 'compact'),
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constantFrom('wait', 'low-water-slice', 'low-water-slice', 'erase') }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('forget' as const), device: fc.nat(2) }) },
);

/** More in a long run: each takes some tens of ms. */
const RUNS = Number(process.env['SELSYN_MODEL_RUNS'] ?? 60);
const TIMEOUT_MS = 180_000 + RUNS * 1_000;

describe('the telemetry store', () => {
  test('holds every point of the log exactly once, whatever happens in between', { timeout: TIMEOUT_MS }, async () => {
    await fc.assert(fc.asyncProperty(fc.array(command, { minLength: 5, maxLength: 40, size: 'max' }), run), {
      numRuns: RUNS,
    });
  });
});

test(
  'gives each sample without a time one of its own, also when some of a batch are stored and the rest is replayed',
  { timeout: TIMEOUT_MS },
  async () => {
    const step = fc.constantFrom('append', 'append', 'append', 'consume', 'seal', 'low-water', 'kill', 'power-loss');
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 30, size: 'max' }), async (steps) => {
        const log = new FakeLog(1);
        using store = new StoreHarness(log);
        await store.open();
        let sent = 0;
        for (const what of steps) {
          if (what === 'append')
            log.append(
              0,
              store.clock.now(),
              Array.from({ length: 3 }, (): [string, unknown] => ['a', { n: sent++ }]),
            );
          else if (what === 'consume') store.consume(1);
          else if (what === 'seal') store.seal();
          else if (what === 'low-water') store.saveLowWater();
          else await store.crash((file) => what === 'power-loss' && file.includes('days'));
        }
        store.consume();
        expect((store.stored()['a']?.['n'] ?? []).map(([, n]) => n)).toEqual(Array.from({ length: sent }, (_, n) => n));
      }),
      { numRuns: RUNS },
    );
  },
);

async function run(commands: readonly Command[]): Promise<void> {
  const log = new FakeLog(2);
  using store = new StoreHarness(log);
  await store.open();
  const model = new Map<string, Map<string, Map<number, PointValue>>>();
  for (const step of commands) {
    switch (step.do) {
      case 'append':
        append(store, model, step.partition, step.messages);
        break;
      case 'consume':
        store.consume(step.batches);
        break;
      case 'seal':
        store.seal();
        break;
      case 'seal-some':
        store.writer.policy.all();
        for (let slices = 2; slices > 0; slices--) store.writer.seal();
        break;
      case 'low-water':
        store.saveLowWater();
        break;
      case 'low-water-slice':
        if (!store.writer.lowWater.running) store.writer.beginLowWater();
        store.stepLowWater();
        break;
      case 'wait':
        store.clock.advance(300);
        break;
      case 'erase':
        store.writer.eraser.slice();
        break;
      case 'kill':
        await store.crash();
        break;
      case 'power-loss':
        await store.crash((file) => file.includes('days'));
        break;
      case 'compact':
        store.compact();
        break;
      case 'forget':
        store.writer.forget(`d${step.device}`, [log.end(0), log.end(1)]);
        model.delete(`d${step.device}`);
        break;
    }
  }
  store.consume();
  expect(store.stored()).toEqual(plain(model));
  store.seal();
  expect(store.stored()).toEqual(plain(model));
  store.saveLowWater();
  expect(log.released).toEqual([log.end(0), log.end(1)]);
  store.compact();
  while (store.writer.eraser.busy) store.writer.eraser.step();
  expect(store.stored()).toEqual(plain(model));
  store.saveLowWater();
  await store.crash((file) => file.includes('days'));
  expect(store.stored()).toEqual(plain(model));
  const known = new Set([...store.writer.devices.all()].flatMap(({ series }) => series));
  expect(store.chunks().filter(({ series }) => !known.has(series))).toEqual([]);
}

function append(
  store: StoreHarness,
  model: Map<string, Map<string, Map<number, PointValue>>>,
  partition: number,
  messages: readonly Message[],
): void {
  const records = messages.map(({ device, samples }): [string, unknown] => {
    // Between partitions there is no order: a time is written by one of them only.
    const timed = samples.map(({ at, values }) => ({ ts: at < 4 ? at + partition + 4 : at + partition, values }));
    return [`d${device}`, timed];
  });
  store.log.append(partition, store.clock.now(), records);
  for (const [device, samples] of records as [string, { ts: number; values: Record<string, PointValue> }[]][]) {
    const metrics = model.get(device) ?? new Map<string, Map<number, PointValue>>();
    model.set(device, metrics);
    for (const { ts, values } of samples) {
      for (const [metric, point] of Object.entries(values))
        metrics.set(metric, (metrics.get(metric) ?? new Map<number, PointValue>()).set(ts, point));
    }
  }
}

function plain(model: Map<string, Map<string, Map<number, PointValue>>>): Stored {
  const found: Stored = {};
  for (const [device, metrics] of model) {
    for (const [metric, points] of metrics) (found[device] ??= {})[metric] = [...points].sort(([a], [b]) => a - b);
  }
  return found;
}

test('a day file that is broken is set aside, and what the log still has is written again', async () => {
  const log = new FakeLog(1);
  using store = new StoreHarness(log);
  await store.open();
  log.append(0, store.clock.now(), [['a', { ts: MIDNIGHT, n: 1 }]]);
  store.consume();
  store.seal();
  await store.crash();
  const path = dayFilePath(store.dir, 20_000);
  store.writer.files.closeDay(20_000);
  rmSync(`${path}-wal`, { force: true });
  writeFileSync(path, 'this is no database'.repeat(1000));
  await store.crash();
  store.consume();
  store.seal();
  expect(store.stored()).toEqual({ a: { n: [[MIDNIGHT, 1]] } });
  expect(readdirSync(daysFolder(store.dir)).filter((name) => name.includes('.broken-')).length).toBeGreaterThan(0);
});
