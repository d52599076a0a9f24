import { expect, test } from 'vitest';
import { SelsynError } from '../kernel/errors.ts';
import { FakeClock } from '../kernel/fake-clock.ts';
import type { Caller } from '../kernel/thread-channel.ts';
import type { PointBatch } from './point-batch.ts';
import type { PointCalls } from './point-intake.ts';
import { SpreadPoints } from './spread-points.ts';

const MIB = 1024 * 1024;

/** A gateway thread whose disk answers when the test says so; asked as `ThreadCaller` asks, which gives up and tells the thread nothing. */
class FakeThread {
  readonly #clock: FakeClock;
  readonly #waiting: PromiseWithResolvers<void>[] = [];
  heldBytes = 0;

  constructor(clock: FakeClock) {
    this.#clock = clock;
  }

  get calls(): Caller<PointCalls> {
    const call = async (_name: string, { data }: PointBatch, deadlineMs: number): Promise<void> => {
      const answer = Promise.withResolvers<void>();
      const cancel = this.#clock.after(deadlineMs, () => answer.reject(new SelsynError('thread.timeout', 'no answer')));
      this.heldBytes += data.length;
      const settled = Promise.withResolvers<void>();
      this.#waiting.push(settled);
      settled.promise.then(answer.resolve, answer.reject).finally(() => {
        cancel();
        this.heldBytes -= data.length;
      });
      await answer.promise;
    };
    return { call: call as unknown as Caller<PointCalls>['call'] };
  }

  sync(error?: SelsynError): void {
    for (const { resolve, reject } of this.#waiting.splice(0))
      if (error === undefined) resolve();
      else reject(error);
  }
}

function batch(bytes: number): PointBatch {
  return { devices: ['a'], deviceIndex: Uint32Array.of(0), ends: Uint32Array.of(bytes), data: new Uint8Array(bytes) };
}

test('points that are given up wait for the disk still, and count until they do not', async () => {
  const clock = new FakeClock();
  const thread = new FakeThread(clock);
  const points = new SpreadPoints([thread.calls], () => 0, clock);
  for (let round = 0; round < 5; round++) {
    // As senders do that are told to send again.
    const sent = Array.from({ length: 4 }, async () => await points.accept([batch(20 * MIB)]));
    const outcomes = Promise.allSettled(sent);
    clock.advance(30_000);
    for (const outcome of await outcomes) {
      expect(outcome).toMatchObject({ status: 'rejected', reason: { code: expect.stringMatching(/busy|timeout/) as string } });
    }
    expect(thread.heldBytes).toBeLessThanOrEqual(64 * MIB);
  }
  thread.sync();
  await new Promise((resolve) => setImmediate(resolve));
  const taken = points.accept([batch(20 * MIB)]);
  thread.sync();
  await taken;
});

test('what a thread says of its points is what the sender hears', async () => {
  const clock = new FakeClock();
  const thread = new FakeThread(clock);
  const points = new SpreadPoints([thread.calls], () => 0, clock);
  const refused = expect(points.accept([batch(1)])).rejects.toMatchObject({ code: 'log.full' });
  thread.sync(new SelsynError('log.full', 'the volume is full'));
  await refused;
});
