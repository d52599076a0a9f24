import { expect, test } from 'vitest';
import { FakeClock } from '../kernel/fake-clock.ts';
import { silentLogLines } from '../kernel/log-lines.ts';
import type { Log, PartitionId } from '../log/log.ts';
import { Backlog } from './backlog.ts';
import type { ForwarderEvent } from './forwarder.ts';
import { until } from './forwarding.fixture.ts';

const PLACES = new Map([[0, { position: 0, arrivalMs: 0 }]]);

test('warns once when the backlog comes near to its bounds, and again only after it was well below', async () => {
  const clock = new FakeClock();
  const events: ForwarderEvent[] = [];
  let [bytes, asked] = [0, 0];
  const log: Pick<Log, 'partitions' | 'bytesFrom' | 'openReader'> = {
    partitions: [0 as PartitionId],
    bytesFrom: async () => bytes,
    openReader: async () => {
      asked += 1;
      return { read: () => undefined, [Symbol.asyncDispose]: async () => undefined } as never;
    },
  };
  const backlog = new Backlog({
    log: log as Log,
    bounds: { maxBytes: 1_000, maxAgeMs: 1e9 },
    clock,
    logLines: silentLogLines,
    publish: (event) => events.push(event),
  });
  const look = async (at: number): Promise<number> => {
    bytes = at;
    const before = asked;
    clock.advance(10_000);
    backlog.look('f', PLACES);
    // Not more often than that.
    backlog.look('f', PLACES);
    await until(() => asked > before);
    await new Promise((resolve) => setImmediate(resolve));
    return events.length;
  };
  expect(await look(700)).toBe(0);
  expect(await look(801)).toBe(1);
  expect(await look(990)).toBe(1);
  expect(await look(650)).toBe(1);
  expect(await look(900)).toBe(1);
  expect(await look(500)).toBe(1);
  expect(await look(900)).toBe(2);
  expect(events[0]).toMatchObject({ event: 'backlog', forwarder: 'f', message: expect.stringContaining('80 %') as string });
});
