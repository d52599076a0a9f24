import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import mqtt, { type MqttClient } from 'mqtt';
import { describe, expect, it } from 'vitest';
import { newLocalBus, portsOf } from '../../bus/drivers/local/local-bus.ts';

const SCRIPT = new URL('./gateway-thread.fixture.ts', import.meta.url);

describe('two gateway threads on one port', () => {
  it('serve as one broker', async () => {
    const { seats, control } = newLocalBus(2);
    const workers: Worker[] = [];
    let port = 0;
    for (const seat of seats) {
      const worker = new Worker(SCRIPT, { workerData: { seat, port }, transferList: portsOf(seat) });
      workers.push(worker);
      [port] = (await once(worker, 'message')) as [number];
    }
    const ask = async (worker: Worker): Promise<number> => {
      worker.postMessage('sessions?');
      return Number((await once(worker, 'message'))[0]);
    };
    const open = (clientId: string): Promise<MqttClient> =>
      mqtt.connectAsync(`mqtt://127.0.0.1:${port}`, {
        protocolVersion: 5,
        clientId,
        username: clientId.split('-')[0] ?? '',
        reconnectPeriod: 0,
      });

    const clients = await Promise.all(Array.from({ length: 32 }, (_, i) => open(`c-${i}`)));
    const sessions = await Promise.all(workers.map(ask));
    expect(Math.min(...sessions)).toBeGreaterThan(0);
    expect(sessions.reduce((a, b) => a + b)).toBe(32);

    // Every client gets what every client publishes, in each publisher's order, once.
    const got = clients.map((): string[] => []);
    for (const [i, client] of clients.entries())
      client.on('message', (topic, payload) => got[i]?.push(`${topic} ${payload.toString()}`));
    await Promise.all(clients.map((client) => client.subscribeAsync('all/+', { qos: 1 })));
    // Interests cross after the SUBACK: publish until all have seen one round.
    await expect
      .poll(async () => {
        await clients[0]?.publishAsync('all/probe', 'x', { qos: 1 });
        return got.every((lines) => lines.length > 0);
      })
      .toBe(true);
    await Promise.all(
      clients.map(async (client, i) => {
        for (let n = 0; n < 5; n++) await client.publishAsync(`all/${i}`, String(n), { qos: 1 });
      }),
    );
    await expect
      .poll(() => got.map((lines) => lines.filter((line) => !line.startsWith('all/probe')).length))
      .toEqual(clients.map(() => 160));
    for (const lines of got) {
      for (let i = 0; i < clients.length; i++) {
        expect(lines.filter((line) => line.startsWith(`all/${i} `))).toEqual([0, 1, 2, 3, 4].map((n) => `all/${i} ${n}`));
      }
    }

    // A client id is one session, wherever the kernel puts its connections.
    const again = await Promise.all(
      clients.map(async (client, i) => {
        const closed = new Promise<void>((resolve) => client.once('close', () => resolve()));
        const next = await open(`c-${i}`);
        await closed;
        return next;
      }),
    );
    await expect.poll(async () => (await Promise.all(workers.map(ask))).reduce((a, b) => a + b)).toBe(32);
    expect(again.every(({ connected }) => connected)).toBe(true);

    control.disconnectPrincipal('c');
    await expect.poll(async () => (await Promise.all(workers.map(ask))).reduce((a, b) => a + b)).toBe(0);

    for (const worker of workers) {
      const exited = once(worker, 'exit');
      worker.postMessage(null);
      await exited;
    }
    control[Symbol.dispose]();
  });
});
