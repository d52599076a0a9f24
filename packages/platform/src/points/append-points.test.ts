import { describe, expect, it } from 'vitest';
import { SelsynError } from '../kernel/errors.ts';
import type { RecordSource } from '../log/log.ts';
import { AppendPoints, type RecordAppending } from './append-points.ts';
import type { PointBatch } from './point-batch.ts';

/** A log whose syncs the test makes. */
class FakeAppending implements RecordAppending {
  readonly records: { readonly source: RecordSource; readonly text: string }[] = [];
  refuseFrom = Infinity;
  readonly #waiting: { readonly first: number; readonly last: number; readonly settle: PromiseWithResolvers<void> }[] = [];

  append(source: RecordSource, data: Uint8Array, start: number, end: number): number {
    if (this.records.length >= this.refuseFrom) throw new SelsynError('log.failed', 'too much waits', { retryable: true });
    return this.records.push({ source, text: Buffer.from(data.subarray(start, end)).toString() });
  }

  async durable(first: number, last: number): Promise<void> {
    const settle = Promise.withResolvers<void>();
    this.#waiting.push({ first, last, settle });
    await settle.promise;
  }

  get bytes(): number {
    return this.records.reduce((sum, { text }) => sum + text.length, 0);
  }

  /** All that was appended until now. */
  async sync(error?: SelsynError): Promise<void> {
    for (const { settle } of this.#waiting.splice(0))
      if (error === undefined) settle.resolve();
      else settle.reject(error);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function batch(device: string, texts: readonly string[]): PointBatch {
  let end = 0;
  return {
    devices: [device],
    deviceIndex: new Uint32Array(texts.length),
    data: Buffer.from(texts.join('')),
    ends: Uint32Array.from(texts, (text) => (end += text.length)),
  };
}

describe('points on their way to the log', () => {
  it('are records of their device on a topic that no client can publish to, and resolve once they are durable', async () => {
    const log = new FakeAppending();
    const points = new AppendPoints(log);
    let done = false;
    const appended = points.append(batch('pump-1', ['[1]', '[22]'])).then(() => (done = true));
    await new Promise((resolve) => setImmediate(resolve));
    expect(log.records.map(({ source, text }) => [source.device, source.topic, text])).toEqual([
      ['pump-1', '$selsyn/points/pump-1', '[1]'],
      ['pump-1', '$selsyn/points/pump-1', '[22]'],
    ]);
    expect(log.records[0]?.source).toBe(log.records[1]?.source);
    expect(done).toBe(false);
    await log.sync();
    await appended;
  });

  it('of many requests share a sync', async () => {
    const log = new FakeAppending();
    const points = new AppendPoints(log);
    const all = Promise.all(Array.from({ length: 50 }, async (_, n) => await points.append(batch(`d${n}`, ['[1]']))));
    await new Promise((resolve) => setImmediate(resolve));
    expect(log.records).toHaveLength(50);
    await log.sync();
    await all;
  });

  it('never fill the memory of the log, and keep their order', async () => {
    const log = new FakeAppending();
    const points = new AppendPoints(log);
    const texts = Array.from({ length: 400 }, (_, n) => `${n}:`.padEnd(32_768, 'x'));
    const first = points.append(batch('a', texts));
    const second = points.append(batch('a', ['last']));
    let most = 0;
    let before = 0;
    while (log.records.length < 401) {
      await new Promise((resolve) => setImmediate(resolve));
      most = Math.max(most, log.bytes - before);
      before = log.bytes;
      await log.sync();
    }
    await log.sync();
    await Promise.all([first, second]);
    expect(most).toBeLessThanOrEqual(5 * 1024 * 1024);
    expect(log.records.map(({ text }) => text.split(':')[0])).toEqual([...texts.map((_, n) => String(n)), 'last']);
  });

  it('that are not taken are told so, and those behind them are taken', async () => {
    const log = new FakeAppending();
    const points = new AppendPoints(log);
    const failed = points.append(batch('a', ['1']));
    const refused = expect(failed).rejects.toMatchObject({ code: 'log.full' });
    await new Promise((resolve) => setImmediate(resolve));
    await log.sync(new SelsynError('log.full', 'the volume is full'));
    await refused;
    log.refuseFrom = 1;
    await expect(points.append(batch('a', ['2']))).rejects.toMatchObject({ code: 'log.failed', retryable: true });
    log.refuseFrom = Infinity;
    const taken = points.append(batch('a', ['3']));
    await new Promise((resolve) => setImmediate(resolve));
    await log.sync();
    await taken;
  });
});
