import { connectAsync, type MqttClient } from 'mqtt';
import { describe, expect, it } from 'vitest';
import { eventually, Selsyn } from '../harness/selsyn.ts';

const CLIENTS = 24;

/** Connections of each gateway thread: with many clients the kernel has given each thread some. */
async function connectionsByThread(selsyn: Selsyn): Promise<number[]> {
  const text = await (await selsyn.fetch('/metrics')).text();
  return [...text.matchAll(/^selsyn_mqtt_connections\{thread="gateway-\d+"\} (\d+)$/gm)].map(([, count]) => Number(count));
}

describe('several gateway threads', () => {
  it('are one broker to their clients: publishes, retained messages and takeovers cross threads', async () => {
    await using selsyn = await Selsyn.start({ settings: ['gateway.threads=3', 'access.mode=open'] });
    const heard = new Map<string, string[]>();
    const clients: MqttClient[] = [];
    for (let n = 0; n < CLIENTS; n += 1) {
      const client = await connectAsync(selsyn.mqttUrl, { clientId: `client-${n}`, protocolVersion: 5, reconnectPeriod: 0 });
      const mine: string[] = [];
      heard.set(`client-${n}`, mine);
      client.on('message', (topic, payload) => mine.push(`${topic} ${payload.toString()}`));
      await client.subscribeAsync('room/+', { qos: 1 });
      clients.push(client);
    }
    expect((await connectionsByThread(selsyn)).filter((count) => count > 0).length).toBeGreaterThan(1);

    for (const [n, client] of clients.entries()) await client.publishAsync(`room/${n}`, 'hello', { qos: 1 });
    const everything = clients.map((_, n) => `room/${n} hello`).sort();
    await eventually(async () => ([...heard.values()].every((messages) => messages.length >= CLIENTS) ? true : undefined));
    for (const messages of heard.values()) expect(messages.toSorted()).toEqual(everything);

    await clients[0]?.publishAsync('kept/it', 'retained', { qos: 1, retain: true });
    for (let n = 0; n < 12; n += 1) {
      const late = await connectAsync(selsyn.mqttUrl, { clientId: `late-${n}` });
      const message = new Promise((resolve) => late.once('message', (_, payload) => resolve(payload.toString())));
      await late.subscribeAsync('kept/#');
      expect(await message).toBe('retained');
      await late.endAsync();
    }

    for (let n = 0; n < 12; n += 1) {
      const code = new Promise((resolve) => clients[n]?.once('disconnect', (packet) => resolve(packet.reasonCode)));
      const again = await connectAsync(selsyn.mqttUrl, { clientId: `client-${n}`, protocolVersion: 5, reconnectPeriod: 0 });
      expect(await code).toBe(0x8e);
      await again.endAsync();
    }
    for (const client of clients) client.end(true);
  });

  it('deliver what is published through another thread as soon as a SUBACK is there', async () => {
    await using selsyn = await Selsyn.start({ settings: ['gateway.threads=3', 'access.mode=open'] });
    const connect = async (clientId: string): Promise<MqttClient> => await connectAsync(selsyn.mqttUrl, { clientId });
    const publishers = await Promise.all(Array.from({ length: 8 }, async (_, n) => await connect(`publisher-${n}`)));
    const subscribers = await Promise.all(Array.from({ length: 8 }, async (_, n) => await connect(`subscriber-${n}`)));
    const heard = new Set<string>();
    for (const subscriber of subscribers) subscriber.on('message', (topic) => heard.add(topic));
    const topics: string[] = [];
    for (let round = 0; round < 40; round += 1) {
      await Promise.all(
        subscribers.map(async (subscriber, n) => {
          const topic = `room/${round}/${n}`;
          topics.push(topic);
          await subscriber.subscribeAsync(topic);
          await publishers[(n + round) % publishers.length]?.publishAsync(topic, 'now', { qos: 0 });
        }),
      );
    }
    await eventually(async () => (heard.size === topics.length ? true : undefined));
    for (const client of [...publishers, ...subscribers]) client.end(true);
  });

  it('write a partition each, and a start with fewer threads still reads all of them', async () => {
    await using selsyn = await Selsyn.start({ settings: ['gateway.threads=3', 'access.mode=open'] });
    const ts = Date.now() - 60_000;
    for (let n = 0; n < CLIENTS; n += 1) {
      const client = await connectAsync(selsyn.mqttUrl, { clientId: `device-${n}` });
      await client.publishAsync(`telemetry/device-${n}`, JSON.stringify({ ts, n }), { qos: 1 });
      await client.endAsync();
    }
    await selsyn.end('SIGKILL');
    await using fewer = await Selsyn.start({ data: selsyn.data, settings: ['gateway.threads=1', 'access.mode=open'] });
    for (let n = 0; n < CLIENTS; n += 1) {
      expect(await fewer.get(`/api/v1/devices/device-${n}/telemetry`)).toEqual({ n: [[ts, n]] });
    }
  });
});
