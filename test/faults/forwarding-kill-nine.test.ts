import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectAsync, type MqttClient } from 'mqtt';
import { expect, test } from 'vitest';
import { eventually, Selsyn } from '../harness/selsyn.ts';
import { WebhookServer } from '../harness/webhook-server.ts';
import { forwarderWhen, send } from '../scenarios/forwarding.fixture.ts';

const ROUNDS = 3;

/** Publishes numbers until it is told to stop, over however many connections that takes; tells which were acknowledged. */
class Publisher {
  readonly acknowledged: number[] = [];
  #next = 0;
  #client: MqttClient | undefined;

  async run(url: string, password: string, upTo: () => boolean): Promise<void> {
    const client = await connectAsync(url, { clientId: 'd', username: 'd', password, reconnectPeriod: 0 });
    this.#client = client;
    client.on('error', () => undefined);
    const lost = new Promise<void>((resolve) => client.once('close', () => resolve()));
    while (!upTo() && client.connected) {
      const some = Array.from({ length: 50 }, () => this.#next++);
      const sent = some.map(async (n) => {
        await client.publishAsync('telemetry/d', JSON.stringify({ n }), { qos: 1 });
        this.acknowledged.push(n);
      });
      await Promise.race([Promise.allSettled(sent), lost]);
    }
    client.end(true);
  }

  end(): void {
    this.#client?.end(true);
  }
}

test('every acknowledged record reaches the target at least once, in order, whoever is killed in between', async () => {
  await using selsyn = await Selsyn.start();
  let hooks = await WebhookServer.start();
  const { port } = hooks;
  const received: number[] = [];
  const password = await selsyn.addDevice('d');
  const batch = { maxRecords: 40, lingerMs: 5 };
  await send(selsyn, 'POST', '/forwarders', { id: 'hook', target: { kind: 'webhook', url: hooks.url }, batch });
  const publisher = new Publisher();
  for (let round = 0; round < ROUNDS; round += 1) {
    const had = hooks.records.length;
    let isOver = false;
    const publishing = publisher.run(selsyn.mqttUrl, password, () => isOver);
    await eventually(async () => (hooks.records.length >= had + 300 ? true : undefined));
    if (round % 2 === 0) {
      // The target dies with requests in the middle, and comes back after the server was killed too.
      await hooks[Symbol.asyncDispose]();
      received.push(...numbersOf(hooks));
      await selsyn.end('SIGKILL');
      hooks = await WebhookServer.start(port);
    } else await selsyn.end('SIGKILL');
    isOver = true;
    publisher.end();
    await publishing;
    await selsyn.restart();
  }
  await forwarderWhen(selsyn, 'hook', ({ lagRecords }) => lagRecords === 0);
  received.push(...numbersOf(hooks));
  const seen = new Set(received);
  expect(publisher.acknowledged.length).toBeGreaterThan(ROUNDS * 300);
  expect(publisher.acknowledged.filter((n) => !seen.has(n))).toEqual([]);
  // What came twice came first in its place.
  expect([...seen]).toEqual([...seen].toSorted((a, b) => a - b));
  await hooks[Symbol.asyncDispose]();
});

test('what a dead target was never sent is counted to the record, and told, once the backlog is at its bounds', async () => {
  await using selsyn = await Selsyn.start({
    settings: [
      'log.segmentBytes=1048576',
      'log.retentionBytes=1048576',
      'forwarding.maxBacklogBytes=4194304',
      'access.mode=open',
      'gateway.threads=1',
    ],
  });
  await using hooks = await WebhookServer.start();
  const watcher = await connectAsync(selsyn.mqttUrl, { clientId: 'watcher' });
  const events: string[] = [];
  watcher.on('message', (topic) => events.push(topic));
  await watcher.subscribeAsync('$selsyn/events/forwarders/#', { qos: 1 });
  hooks.answer = () => 503;
  await send(selsyn, 'POST', '/forwarders', {
    id: 'dead',
    target: { kind: 'webhook', url: hooks.url },
    batch: { maxRecords: 20 },
  });
  const client = await connectAsync(selsyn.mqttUrl, { clientId: 'd' });
  const filler = 'x'.repeat(1_000);
  let published = 0;
  // Until the log has let go of the oldest: it is asked to now and then, as what is in it is stored.
  await eventually(async () => {
    await Promise.all(
      Array.from(
        { length: 1_000 },
        async () => await client.publishAsync('telemetry/d', JSON.stringify({ n: published++, filler }), { qos: 1 }),
      ),
    );
    const { state } = await forwarderWhen(selsyn, 'dead', () => true);
    return published > 8_000 && state.lagBytes < published * 700 ? true : undefined;
  });
  await client.endAsync();
  await forwarderWhen(selsyn, 'dead', ({ circuit }) => circuit === 'open' || circuit === 'half-open');
  hooks.answer = () => 200;
  const { state } = await forwarderWhen(selsyn, 'dead', ({ lagRecords }) => lagRecords === 0);
  expect(state.skipped).toBeGreaterThan(0);
  const numbers = numbersOf(hooks);
  expect(new Set(numbers).size + state.skipped).toBe(published);
  expect(numbers.at(-1)).toBe(published - 1);
  await eventually(async () => (events.includes('$selsyn/events/forwarders/skipped/dead') ? true : undefined));
  expect(events).toContain('$selsyn/events/forwarders/failing/dead');
  await watcher.endAsync();
});

test('the thread that forwards is started anew when it ends, and nobody but its targets notices', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'selsyn-dying-'));
  const file = join(folder, 'now');
  const variables = { DYING_THREAD_FILE: file, DYING_THREAD_WAY: 'throw', DYING_THREAD_DATA: 'forwarders' };
  Object.assign(process.env, variables);
  try {
    await using selsyn = await Selsyn.start({
      settings: ['access.mode=open'],
      nodeOptions: ['--import', join(import.meta.dirname, 'dying-thread.ts')],
    });
    await using hooks = await WebhookServer.start();
    await send(selsyn, 'POST', '/forwarders', { id: 'hook', target: { kind: 'webhook', url: hooks.url } });
    const client = await connectAsync(selsyn.mqttUrl, { clientId: 'd' });
    await client.publishAsync('telemetry/d', '{"n":0}', { qos: 1 });
    await eventually(async () => (hooks.records.length === 1 ? true : undefined));
    writeFileSync(file, '');
    await eventually(async () => (selsyn.said.includes('The thread of the forwarders has ended') ? true : undefined));
    rmSync(file);
    expect((await selsyn.fetch('/readyz')).status).toBe(200);
    expect((await selsyn.fetch('/metrics')).status).toBe(200);
    await client.publishAsync('telemetry/d', '{"n":1}', { qos: 1 });
    await eventually(async () => (numbersOf(hooks).includes(1) ? true : undefined));
    await client.endAsync();
  } finally {
    for (const name of Object.keys(variables)) Reflect.deleteProperty(process.env, name);
    rmSync(folder, { recursive: true, force: true });
  }
});

function numbersOf(hooks: WebhookServer): number[] {
  return hooks.records.map(({ payload }) => (JSON.parse(payload ?? '') as { n: number }).n);
}
