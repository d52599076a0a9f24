import { connectAsync, type MqttClient } from 'mqtt';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { eventually, Selsyn } from '../harness/selsyn.ts';

const DEVICES = Number(process.env['SELSYN_STOP_CLIENTS'] ?? 200);
const FIRST_MS = Date.now() - 3_600_000;

/** Publishes, a few at a time, until the connection ends; adds the numbers of what was acknowledged. */
async function publishUntilClosed(client: MqttClient, id: string, acknowledged: Set<number>, next: () => number): Promise<void> {
  let open = true;
  const closed = new Promise<void>((resolve) => {
    client.on('close', () => {
      open = false;
      resolve();
    });
  });
  client.on('error', () => {});
  const lane = async (): Promise<void> => {
    while (open) {
      const n = next();
      const sent = client.publishAsync(`telemetry/${id}`, JSON.stringify({ ts: FIRST_MS + n, n }), { qos: 1 });
      await Promise.race([sent.then(() => acknowledged.add(n)).catch(() => {}), closed]);
    }
  };
  await Promise.all(Array.from({ length: 4 }, lane));
  client.end(true);
}

it(
  `keeps what it acknowledged to ${DEVICES} clients when it is asked to stop, also while it replays`,
  { timeout: 240_000 },
  async () => {
    await using selsyn = await Selsyn.start({
      settings: ['access.mode=open', 'log.segmentBytes=1048576', 'telemetry.sealAfterSec=1', 'gateway.threads=2'],
    });
    const devices = Array.from({ length: DEVICES }, (_, index) => ({
      id: `device-${index}`,
      acknowledged: new Set<number>(),
      sent: 0,
    }));
    const acknowledged = (): number => devices.reduce((sum, device) => sum + device.acknowledged.size, 0);
    for (const [round, stop] of (['SIGTERM', 'SIGKILL', 'SIGTERM'] as const).entries()) {
      const clients: MqttClient[] = [];
      for (const { id } of devices)
        clients.push(await connectAsync(selsyn.mqttUrl, { clientId: id, reconnectPeriod: 0, protocolVersion: 4 }));
      const running = devices.map(
        async (device, index) => await publishUntilClosed(clients[index]!, device.id, device.acknowledged, () => device.sent++),
      );
      await pause(1_500);
      await eventually(async () => (acknowledged() > (round + 1) * DEVICES * 4 ? true : undefined));
      expect(await selsyn.end(stop)).toBe(stop === 'SIGTERM' ? 0 : undefined);
      await Promise.all(running);
      // The next start is stopped while it replays, or as soon as it is ready.
      await selsyn.restart(false);
      expect(await selsyn.end('SIGTERM'), selsyn.said).toBe(0);
      await selsyn.restart();
    }
    for (const { id, acknowledged: kept } of devices) {
      const { n = [] } = await selsyn.get<{ n?: [number, number][] }>(`/api/v1/devices/${id}/telemetry?limit=1000000`);
      const found = new Map(n);
      expect(found.size).toBe(n.length);
      expect([...kept].filter((sent) => found.get(FIRST_MS + sent) !== sent)).toEqual([]);
    }
    expect(acknowledged()).toBeGreaterThan(DEVICES * 10);
  },
);
