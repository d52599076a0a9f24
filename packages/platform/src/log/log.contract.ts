import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { DeviceId } from '../kernel/device-id.ts';
import type { FakeClock } from '../kernel/fake-clock.ts';
import { isSelsynError, type SelsynError } from '../kernel/errors.ts';
import { RecordSource, type Appender, type Log, type LogReader, type Offset, type PartitionId, type Ticket } from './log.ts';

/** One stream with two partitions that outlives its being opened. */
export interface LogHarness extends AsyncDisposable {
  readonly clock: FakeClock;
  /** Opens the stream, again and again. The caller disposes of what it has opened before. */
  open(limits: { readonly maxRecordBytes: number; readonly maxPendingBytes: number }): Promise<Log>;
}

const FIRST = 0 as PartitionId;
const SECOND = 1 as PartitionId;
const LIMITS = { maxRecordBytes: 100_000, maxPendingBytes: 1_000_000 };

/** What every driver of the log keeps. */
export function logContract(name: string, makeHarness: () => Promise<LogHarness>): void {
  describe(`the log on ${name}`, () => {
    let harness: LogHarness;
    let log: Log;

    beforeEach(async () => {
      harness = await makeHarness();
      log = await harness.open(LIMITS);
    });

    afterEach(async () => {
      await log[Symbol.asyncDispose]();
      await harness[Symbol.asyncDispose]();
    });

    test('gives back what was appended, in order, with its source and its time', async () => {
      const writer = await TestWriter.open(log, FIRST);
      const [a, b] = [source('a', 'telemetry/a'), source('b', 'büro/ä/☃')];
      writer.add(a, 'one');
      writer.add(b, 'two');
      writer.add(a, '');
      await writer.settled();
      harness.clock.advance(5000);
      writer.add(b, 'four'.repeat(10_000));
      await writer.settled();

      const startMs = harness.clock.now() - 5000;
      expect(readAll(await log.openReader(FIRST, 0 as Offset))).toEqual([
        { offset: 0, device: 'a', topic: 'telemetry/a', text: 'one', arrivalMs: startMs },
        { offset: 1, device: 'b', topic: 'büro/ä/☃', text: 'two', arrivalMs: startMs },
        { offset: 2, device: 'a', topic: 'telemetry/a', text: '', arrivalMs: startMs },
        { offset: 3, device: 'b', topic: 'büro/ä/☃', text: 'four'.repeat(10_000), arrivalMs: startMs + 5000 },
      ]);
    });

    test('settles tickets in their order, from 1 on, each once', async () => {
      const writer = await TestWriter.open(log, FIRST);
      const tickets = ['a', 'b', 'c'].map((text) => writer.add(source('a', 't'), text));
      await writer.settled();
      tickets.push(writer.add(source('a', 't'), 'd'));
      await writer.settled();
      expect(tickets).toEqual([1, 2, 3, 4]);
      expect(writer.events.at(-1)).toEqual({ durable: 4 });
      const ends = writer.events.map((event) => ('durable' in event ? event.durable : NaN));
      expect(ends).toEqual(ends.toSorted((x, y) => x - y));
      expect(new Set(ends).size).toBe(ends.length);
    });

    test('copies the payload at once: the caller may use its buffer again', async () => {
      const writer = await TestWriter.open(log, FIRST);
      for (const size of [3, 75, 5000]) {
        const data = new Uint8Array(size).fill(65);
        writer.appender.add(source('a', 't'), data, 1, size);
        data.fill(66);
      }
      await writer.settled(3);
      const texts = readAll(await log.openReader(FIRST, 0 as Offset)).map((record) => record.text);
      expect(texts).toEqual([2, 74, 4999].map((length) => 'A'.repeat(length)));
    });

    test('shows a reader nothing that is not durable', async () => {
      const writer = await TestWriter.open(log, FIRST);
      const reader = await log.openReader(FIRST, 0 as Offset);
      writer.add(source('a', 't'), 'x');
      expect(reader.read()).toBeUndefined();
      expect(reader.end).toBe(0);
      await writer.settled();
      expect(reader.end).toBe(1);
      expect(readAll(reader)).toHaveLength(1);
      expect(reader.position).toBe(1);
      expect(reader.read()).toBeUndefined();
    });

    test('keeps partitions apart', async () => {
      const writers = await Promise.all([FIRST, SECOND].map((partition) => TestWriter.open(log, partition)));
      const shared = source('a', 't');
      for (let i = 0; i < 100; i += 1) writers[i % 2]!.add(shared, String(i));
      await Promise.all(writers.map((writer) => writer.settled()));
      for (const partition of [FIRST, SECOND]) {
        const numbers = readAll(await log.openReader(partition, 0 as Offset)).map((record) => Number(record.text));
        expect(numbers).toEqual(Array.from({ length: 50 }, (_, i) => 2 * i + partition));
      }
    });

    test('lets one appender at a time have a partition', async () => {
      const writer = await TestWriter.open(log, FIRST);
      await expect(TestWriter.open(log, FIRST)).rejects.toMatchObject({ code: 'log.failed' });
      await writer.appender[Symbol.asyncDispose]();
      const next = await TestWriter.open(log, FIRST);
      next.add(source('a', 't'), 'x');
      await next.settled();
    });

    test('refuses a record that is too large, and takes the next', async () => {
      const writer = await TestWriter.open(log, FIRST);
      const large = new Uint8Array(LIMITS.maxRecordBytes + 1);
      expect(() => writer.appender.add(source('a', 't'), large, 0, large.length)).toThrow(withCode('request.too-large'));
      expect(() => writer.appender.add(source('a', 't'.repeat(70_000)), large, 0, 1)).toThrow(withCode('request.too-large'));
      expect(() => writer.appender.add(source('a', 't'), large, 5, 4)).toThrow(RangeError);
      expect(writer.appender.add(source('a', 't'), large, 1, large.length)).toBe(1);
      await writer.settled(1);
      expect(readAll(await log.openReader(FIRST, 0 as Offset))).toHaveLength(1);
    });

    test('settles all that was added before it closes, and takes nothing after', async () => {
      const writer = await TestWriter.open(log, FIRST);
      for (let i = 0; i < 1000; i += 1) writer.add(source('a', 't'), String(i));
      await writer.appender[Symbol.asyncDispose]();
      expect(writer.events.at(-1)).toEqual({ durable: 1000 });
      expect(() => writer.add(source('a', 't'), 'x')).toThrow(withCode('log.closed'));
    });

    test('says when it is saturated, refuses what goes far beyond, and says when it has drained', async () => {
      const writer = await TestWriter.open(log, FIRST);
      const data = new Uint8Array(50_000);
      let taken = 0;
      const fill = (): void => {
        for (let i = 0; i < 100; i += 1) taken = writer.appender.add(source('a', 't'), data, 0, data.length);
      };
      expect(fill).toThrow(withCode('log.failed'));
      expect(writer.appender.saturated).toBe(true);
      expect(writer.appender.pendingBytes).toBeGreaterThanOrEqual(LIMITS.maxPendingBytes);
      expect(writer.appender.pendingBytes).toBeLessThan(2 * LIMITS.maxPendingBytes + 2 * data.length);
      await writer.settled(taken);
      expect(writer.events.at(-1)).toEqual({ drained: true });
      expect(writer.appender.saturated).toBe(false);
      expect(writer.appender.pendingBytes).toBe(0);
      expect(readAll(await log.openReader(FIRST, 0 as Offset))).toHaveLength(taken);
    });

    test('starts to read at any offset', async () => {
      const writer = await TestWriter.open(log, FIRST);
      for (let i = 0; i < 60; i += 1) {
        writer.add(source(`d${i % 7}`, 't'), String(i));
        if (i % 20 === 19) await writer.settled();
      }
      for (let from = 0; from <= 60; from += 1) {
        const reader = await log.openReader(FIRST, from as Offset);
        expect(reader.position).toBe(from);
        const records = readAll(reader);
        expect(records.map((record) => record.offset)).toEqual(Array.from({ length: 60 - from }, (_, i) => from + i));
        expect(
          records.every((record) => record.device === `d${record.offset % 7}` && record.text === String(record.offset)),
        ).toBe(true);
      }
      await expect(log.openReader(FIRST, 61 as Offset)).rejects.toMatchObject({ code: 'log.offset-gone' });
    });

    test('gives one object for one source, whichever batch it is in', async () => {
      const writer = await TestWriter.open(log, FIRST);
      const reader = await log.openReader(FIRST, 0 as Offset);
      const seen = new Map<string, RecordSource>();
      for (let round = 0; round < 3; round += 1) {
        for (let i = 0; i < 200; i += 1) writer.add(source(`d${i}`, `t/${i % 3}`), 'x');
        await writer.settled();
        for (let batch = reader.read(); batch !== undefined; batch = reader.read()) {
          for (const one of batch.sources) {
            const key = `${one.device} ${one.topic}`;
            expect(seen.get(key) ?? one).toBe(one);
            seen.set(key, one);
          }
        }
      }
      expect(seen.size).toBe(200);
    });

    test('wakes a reader that waits, at once, by a record or by its signal', async () => {
      const writer = await TestWriter.open(log, FIRST);
      const reader = await log.openReader(FIRST, 0 as Offset);
      for (let round = 0; round < 20; round += 1) {
        const waiting = reader.wait(new AbortController().signal);
        writer.add(source('a', 't'), 'x');
        await waiting;
        expect(readAll(reader)).toHaveLength(1);

        const abort = new AbortController();
        const aborted = reader.wait(abort.signal);
        abort.abort();
        await aborted;
        expect(reader.read()).toBeUndefined();
        await writer.settled();
      }
    });

    test('goes on where it was when it is opened again, under the same identity', async () => {
      const { identity } = log;
      for (let round = 0; round < 3; round += 1) {
        const writer = await TestWriter.open(log, FIRST);
        writer.add(source('a', 't'), `first ${round}`);
        writer.add(source('b', 't'), `second ${round}`);
        await writer.settled();
        await log[Symbol.asyncDispose]();
        log = await harness.open(LIMITS);
        expect(log.identity).toBe(identity);
      }
      const records = readAll(await log.openReader(FIRST, 0 as Offset));
      expect(records.map((record) => record.text)).toEqual(['first 0', 'second 0', 'first 1', 'second 1', 'first 2', 'second 2']);
      expect(records.every((record, i) => i === 0 || record.offset > records[i - 1]!.offset)).toBe(true);
    });

    test('keeps what was not released', async () => {
      const writer = await TestWriter.open(log, FIRST);
      for (let i = 0; i < 10; i += 1) writer.add(source('a', 't'), String(i));
      await writer.settled();
      await log.release(FIRST, 5 as Offset);
      expect(await log.oldest(FIRST)).toBeLessThanOrEqual(5);
      expect(readAll(await log.openReader(FIRST, 5 as Offset)).map((record) => record.text)).toEqual(['5', '6', '7', '8', '9']);
    });
  });
}

/** An appender that remembers what its listener was told. */
export class TestWriter {
  readonly events: (
    | { readonly durable: number }
    | { readonly rejected: number; readonly error: SelsynError }
    | { readonly drained: true }
  )[] = [];
  appender!: Appender;
  #added = 0;
  #upTo = 0;
  #wake: () => void = () => undefined;

  static async open(log: Log, partition: PartitionId): Promise<TestWriter> {
    const writer = new TestWriter();
    writer.appender = await log.openAppender(partition, {
      onDurable: (upTo) => writer.#settle(upTo, { durable: upTo }),
      onRejected: (upTo, error) => writer.#settle(upTo, { rejected: upTo, error }),
      onDrained: () => writer.events.push({ drained: true }),
    });
    return writer;
  }

  add(from: RecordSource, text: string): Ticket {
    const data = Buffer.from(text);
    const ticket = this.appender.add(from, data, 0, data.length);
    this.#added = ticket;
    return ticket;
  }

  /** Resolves once a ticket, by default the last that `add` gave, and all calls that go with it are settled. */
  async settled(ticket = this.#added): Promise<void> {
    while (this.#upTo < ticket) await new Promise<void>((resolve) => (this.#wake = resolve));
  }

  #settle(upTo: number, event: { readonly durable: number } | { readonly rejected: number; readonly error: SelsynError }): void {
    expect(upTo).toBeGreaterThan(this.#upTo);
    this.#upTo = upTo;
    this.events.push(event);
    this.#wake();
  }
}

export interface ReadRecord {
  readonly offset: number;
  readonly device: string;
  readonly topic: string;
  readonly text: string;
  readonly arrivalMs: number;
}

/** All records that a reader has at once. */
export function readAll(reader: LogReader): ReadRecord[] {
  const records: ReadRecord[] = [];
  for (let batch = reader.read(); batch !== undefined; batch = reader.read()) {
    expect(batch.nextOffset).toBe(batch.firstOffset + batch.count);
    expect(reader.position).toBe(batch.nextOffset);
    for (let i = 0; i < batch.count; i += 1) {
      const { device, topic } = batch.sources[batch.sourceIndex[i]!]!;
      const text = Buffer.from(batch.data.subarray(batch.starts[i], batch.ends[i])).toString();
      records.push({ offset: batch.firstOffset + i, device, topic, text, arrivalMs: batch.arrivalMs });
    }
  }
  return records;
}

/** A source of its own, as a connection makes one. */
export function source(device: string, topic: string): RecordSource {
  return new RecordSource(device as DeviceId, topic);
}

/** Matches a SelsynError by its code. */
export function withCode(code: SelsynError['code']): { asymmetricMatch(error: unknown): boolean } {
  return { asymmetricMatch: (error) => isSelsynError(error, code) };
}
