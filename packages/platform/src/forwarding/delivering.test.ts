import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Clock } from '../kernel/clock.ts';
import { Circuit } from './circuit.ts';
import { deliverAll, type DeliveringOptions } from './delivering.ts';
import { type Delivery, DeliveryError, type OutgoingRecord } from './delivery.ts';

const never = new AbortController().signal;
/** Nobody waits. */
const clock: Clock = {
  now: () => 0,
  monotonicMs: () => 0,
  after: (delayMs, task) => {
    if (delayMs < 30_000) queueMicrotask(task);
    return () => undefined;
  },
};

function record(offset: number): OutgoingRecord {
  return { partition: 0, offset, arrivalMs: 1, device: 'd', topic: 't', payload: Buffer.from(String(offset)) };
}

function deliveryOf(offsets: readonly number[]): Delivery {
  const nextOffset = (offsets.at(-1) ?? 0) + 3;
  const records = offsets.map(record);
  return { key: `log-0-0-${nextOffset}`, partition: 0, nextOffset, records, sizeBytes: 0, filtered: 7, undecodable: 2 };
}

class Run {
  readonly taken: number[] = [];
  readonly places: number[] = [];
  readonly aside: number[] = [];
  readonly keys: string[] = [];
  readonly failures: string[] = [];
  counted = { filtered: 0, undecodable: 0, sent: 0 };
  room = Infinity;
  deliver: (records: readonly OutgoingRecord[]) => void = () => undefined;
  time = 0;
  readonly circuit = new Circuit({ clock: { ...clock, monotonicMs: () => (this.time += 1e6) }, random: () => 0 });

  readonly options: DeliveringOptions = {
    target: {
      deliver: async ({ records, key }) => {
        this.keys.push(key);
        this.deliver(records);
        this.taken.push(...records.map(({ offset }) => offset));
      },
      [Symbol.asyncDispose]: async () => undefined,
    },
    circuit: this.circuit,
    clock,
    onSent: ({ nextOffset, filtered, undecodable, records }) => {
      this.places.push(nextOffset);
      this.counted = {
        filtered: this.counted.filtered + filtered,
        undecodable: this.counted.undecodable + undecodable,
        sent: this.counted.sent + records.length,
      };
    },
    onFailure: (message) => this.failures.push(message),
    onRecovered: () => undefined,
    setAside: ({ offset }) => {
      if (this.room-- <= 0) return false;
      this.aside.push(offset);
      return true;
    },
  };
}

function refusing(poison: ReadonlySet<number>, withOffsets: boolean): (records: readonly OutgoingRecord[]) => void {
  return (records) => {
    const found = records.map(({ offset }) => offset).filter((offset) => poison.has(offset));
    if (found.length > 0) throw new DeliveryError('refused', 'no', withOffsets ? { offsets: new Set(found) } : {});
  };
}

test('finds whatever is refused, and delivers all others once, in order', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uniqueArray(fc.nat(500), { minLength: 1, maxLength: 60 }), fc.array(fc.nat(59)), async (some, places) => {
      const offsets = some.toSorted((a, b) => a - b);
      const poison = new Set(places.flatMap((place) => offsets[place] ?? []));
      const run = new Run();
      run.deliver = refusing(poison, false);
      const delivery = deliveryOf(offsets);
      await deliverAll(delivery, run.options, never, never);
      expect(run.taken).toEqual(offsets.filter((offset) => !poison.has(offset)));
      expect(run.aside).toEqual(offsets.filter((offset) => poison.has(offset)));
      expect(run.places).toEqual(run.places.toSorted((a, b) => a - b));
      expect(run.places.at(-1)).toBe(delivery.nextOffset);
      expect(run.counted).toEqual({ filtered: 7, undecodable: 2, sent: run.taken.length });
    }),
  );
});

test('asks again only for what a target names as refused', async () => {
  const run = new Run();
  const poison = new Set([3, 7]);
  run.options.target.deliver = async ({ records }) => {
    run.taken.push(...records.map(({ offset }) => offset).filter((offset) => !poison.has(offset)));
    refusing(poison, true)(records);
  };
  const delivery = deliveryOf([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  await deliverAll(delivery, run.options, never, never);
  expect(run.taken).toEqual([0, 1, 2, 4, 5, 6, 8, 9]);
  expect(run.aside).toEqual([3, 7]);
  // Never beyond a record that is not done with.
  expect(run.places).toEqual([3, 7, delivery.nextOffset]);
  expect(run.counted).toEqual({ filtered: 7, undecodable: 2, sent: 8 });
});

test('costs some twenty attempts to find one of a thousand', async () => {
  const run = new Run();
  let attempts = 0;
  run.deliver = (records) => {
    attempts += 1;
    refusing(new Set([617]), false)(records);
  };
  await deliverAll(deliveryOf(Array.from({ length: 1_000 }, (_, offset) => offset)), run.options, never, never);
  expect(attempts).toBeLessThan(25);
  expect(run.keys[0]).toBe('log-0-0-1002');
  expect(new Set(run.keys).size).toBeGreaterThan(10);
});

test('tries what is refused alone three times before it is set aside', async () => {
  const run = new Run();
  let attempts = 0;
  run.deliver = () => {
    attempts += 1;
    if (attempts < 3) throw new DeliveryError('refused', 'not now');
  };
  await deliverAll(deliveryOf([5]), run.options, never, never);
  expect({ attempts, aside: run.aside, taken: run.taken }).toEqual({ attempts: 3, aside: [], taken: [5] });
});

test('tries the same again after a failure, until it is taken', async () => {
  const run = new Run();
  let attempts = 0;
  run.deliver = () => {
    attempts += 1;
    if (attempts < 4) throw new Error('outer', { cause: new Error('connection refused') });
  };
  await deliverAll(deliveryOf([1, 2]), run.options, never, never);
  expect(run.taken).toEqual([1, 2]);
  expect(run.failures).toEqual(Array.from({ length: 3 }, () => 'outer: connection refused'));
  expect(run.circuit.state).toBe('closed');
});

test('holds rather than to lose a record for which there is no more room aside', async () => {
  const run = new Run();
  run.room = 1;
  let isMended = false;
  run.deliver = (records) => {
    if (!isMended) refusing(new Set([1, 2]), false)(records);
  };
  const stop = new AbortController();
  const onFailure = (): void => {
    expect(run.places.at(-1)).toBe(2);
    expect(run.circuit.state).not.toBe('closed');
    isMended = true;
  };
  await deliverAll(deliveryOf([0, 1, 2, 3]), { ...run.options, onFailure }, stop.signal, never);
  expect(run.aside).toEqual([1]);
  expect(run.taken).toEqual([0, 2, 3]);
});

test('breaks off what is under way when it is told to', async () => {
  const run = new Run();
  const kill = new AbortController();
  run.options.target.deliver = async () => await new Promise<void>(() => setImmediate(() => kill.abort(new Error('killed'))));
  await expect(deliverAll(deliveryOf([1]), run.options, never, kill.signal)).rejects.toThrow('killed');
  expect(run.places).toEqual([]);
});
