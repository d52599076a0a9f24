import { expect, test } from 'vitest';
import type { TraceBatchJson } from '../api/trace-source.ts';
import type { Tracing } from '../broker/trace.ts';
import { FakeClock } from '../kernel/fake-clock.ts';
import { serveTraces, TraceControl } from './trace-control.ts';

const D1 = { clientId: 'd1', version: 5 } as const;
const CLIENT = { clientId: 'd1', topicFilter: undefined, payload: false };

interface FakeThread {
  readonly broker: { tracing: Tracing | undefined };
  readonly clock: FakeClock;
}

function open(threads: number): { control: TraceControl; gateways: FakeThread[] } {
  const control = new TraceControl();
  const gateways = Array.from({ length: threads }, (_, n): FakeThread => {
    const gateway: FakeThread = { broker: { tracing: undefined }, clock: new FakeClock() };
    serveTraces(control.port(), { ...gateway, thread: `gateway-${n}` });
    return gateway;
  });
  return { control, gateways };
}

/** A client sends PINGREQ, and what was gathered goes out. */
function ping({ broker, clock }: FakeThread): void {
  broker.tracing?.received(D1, { type: 'pingreq' }, 2);
  clock.advance(50);
}

test('a trace runs in all threads while it is on, and afterwards they have none', async () => {
  const { control, gateways } = open(2);
  const batches: TraceBatchJson[] = [];
  const end = control.open(CLIENT, (batch) => batches.push(batch));
  await expect.poll(() => gateways.every(({ broker }) => broker.tracing !== undefined)).toBe(true);
  for (const gateway of gateways) ping(gateway);
  await expect.poll(() => batches.length).toBe(2);
  expect(batches.flatMap(({ events }) => events.map(({ thread, packet }) => `${thread} ${packet}`)).toSorted()).toEqual([
    'gateway-0 pingreq',
    'gateway-1 pingreq',
  ]);
  end();
  end();
  await expect.poll(() => gateways.every(({ broker }) => broker.tracing === undefined)).toBe(true);
  control[Symbol.dispose]();
});

test('a thread goes on sending as long as main takes its batches', async () => {
  const { control, gateways } = open(1);
  let count = 0;
  control.open(CLIENT, ({ events }) => (count += events.length));
  const [gateway] = gateways as [FakeThread];
  await expect.poll(() => gateway.broker.tracing).toBeDefined();
  for (let n = 1; n <= 12; n++) {
    ping(gateway);
    await expect.poll(() => count).toBe(n);
  }
  control[Symbol.dispose]();
});

test('one trace that ends does not end another', async () => {
  const { control, gateways } = open(1);
  const end = control.open(CLIENT, () => undefined);
  let seen = 0;
  control.open({ ...CLIENT, clientId: undefined, topicFilter: 'a' }, () => seen++);
  const [gateway] = gateways as [FakeThread];
  await expect.poll(() => gateway.broker.tracing?.size).toBe(2);
  end();
  await expect.poll(() => gateway.broker.tracing?.size).toBe(1);
  ping(gateway);
  expect(seen).toBe(0);
  control[Symbol.dispose]();
});

test.each(['a/#/b', '', '$share/g/a', 'a\u0000'])('the topic filter %j is refused before anything begins', (topicFilter) => {
  const { control } = open(1);
  expect(() => control.open({ ...CLIENT, topicFilter }, () => undefined)).toThrow(
    expect.objectContaining({ code: 'request.invalid' }),
  );
  control[Symbol.dispose]();
});
