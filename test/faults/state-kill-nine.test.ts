import { connectAsync, type MqttClient } from 'mqtt';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { eventually, Selsyn } from '../harness/selsyn.ts';

const ROUNDS = Number(process.env['SELSYN_KILL_ROUNDS'] ?? 12);
const DEVICES = 6;

interface Accepted {
  readonly version: number;
  readonly clientToken?: string;
  readonly state?: { readonly reported?: { readonly n?: number } };
}

interface Delta {
  readonly version: number;
  readonly state: { readonly setting?: number };
}

interface Shadow {
  readonly version: number;
  readonly reported?: { readonly n?: number };
  readonly desired?: { readonly setting?: number };
}

interface Execution {
  readonly job: string;
  readonly status: string;
}

/** A device that reports as fast as it is answered, takes what it is told to be, does its jobs and answers its commands. */
class Device {
  readonly id: string;
  /** The last update that was accepted. */
  accepted: Accepted | undefined;
  sent = 0;
  /** Of deltas, in the order in which they came, over all connections. */
  readonly deltaVersions: number[] = [];
  /** Commands that came, and how often. */
  readonly commands = new Map<string, number>();
  /** Jobs that the server has acknowledged to be done. */
  readonly done = new Set<string>();

  constructor(id: string) {
    this.id = id;
  }

  async run(client: MqttClient): Promise<void> {
    const shadow = `$aws/things/${this.id}/shadow`;
    const jobs = `$aws/things/${this.id}/jobs`;
    let open = true;
    let onAnswer = (): void => undefined;
    client.on('close', () => {
      open = false;
      onAnswer();
    });
    client.on('message', (topic, payload) => {
      const told: unknown = JSON.parse(payload.toString());
      if (topic === `${shadow}/update/accepted`) {
        this.accepted = told as Accepted;
        onAnswer();
      } else if (topic === `${shadow}/update/delta`) this.deltaVersions.push((told as Delta).version);
      else if (topic === `${jobs}/start-next/accepted`) {
        const { execution } = told as { readonly execution?: { readonly jobId: string } };
        if (execution !== undefined) client.publish(`${jobs}/${execution.jobId}/update`, '{"status":"SUCCEEDED"}', { qos: 1 });
      } else if (topic.endsWith('/update/accepted') && topic.startsWith(jobs)) {
        this.done.add(topic.slice(jobs.length + 1, -'/update/accepted'.length));
      } else if (topic === `${jobs}/notify-next`) client.publish(`${jobs}/start-next`, '{}', { qos: 1 });
      else if (topic.startsWith(`devices/${this.id}/commands/`)) {
        const { id } = told as { readonly id: string };
        this.commands.set(id, (this.commands.get(id) ?? 0) + 1);
        client.publish(`${topic}/answer`, '{"status":"succeeded","result":1}', { qos: 1 });
      }
    });
    await client.subscribeAsync(
      [
        `${shadow}/update/accepted`,
        `${shadow}/update/delta`,
        `${jobs}/start-next/accepted`,
        `${jobs}/+/update/accepted`,
        `${jobs}/notify-next`,
        `devices/${this.id}/commands/+`,
      ],
      { qos: 1 },
    );
    client.publish(`${jobs}/start-next`, '{}', { qos: 1 });
    while (open) {
      const n = ++this.sent;
      const answered = new Promise<void>((resolve) => (onAnswer = resolve));
      client.publish(`${shadow}/update`, JSON.stringify({ state: { reported: { n } }, clientToken: `t${n}` }), { qos: 1 });
      await Promise.race([answered, pause(1_000)]);
    }
  }
}

/** What the API has said that it has. */
class Promised {
  readonly commands: { readonly device: string; readonly id: string }[] = [];
  readonly jobs: string[] = [];
  readonly settings = new Map<string, number>();

  get count(): number {
    return this.commands.length + this.jobs.length + this.settings.size;
  }
}

describe('kill -9 while shadows, commands and jobs change', () => {
  it(
    `loses nothing that was accepted, and no delta goes backwards, in ${ROUNDS} rounds`,
    async () => {
      await using selsyn = await Selsyn.start({ settings: ['access.mode=open'] });
      const devices = Array.from({ length: DEVICES }, (_, index) => new Device(`device-${index}`));
      for (const { id } of devices) {
        const created = await selsyn.fetch('/api/v1/devices', json('POST', { id, group: '/fleet' }));
        expect(created.status).toBe(201);
      }
      const promised = new Promised();
      const accepted = (): number => devices.reduce((sum, device) => sum + (device.accepted?.version ?? 0), 0);
      for (let round = 0; round < ROUNDS; round += 1) {
        const clients = await Promise.all(devices.map(async ({ id }) => await connect(selsyn, id)));
        const running = clients.map(async (client, index) => await devices[index]?.run(client).catch(() => undefined));
        const asking = ask(selsyn, promised, devices, round);
        await pause(150 + Math.random() * 500);
        // There is to be something to lose, also where all goes slowly.
        await eventually(async () => (accepted() > (round + 1) * DEVICES && promised.count > (round + 1) / 2 ? true : undefined));
        await selsyn.end('SIGKILL');
        await Promise.all([...running, asking]);
        for (const client of clients) client.end(true);
        await selsyn.restart();
        for (const device of devices) await expectAccepted(selsyn, device);
      }
      await expectAllDone(selsyn, devices, promised);
      expect(accepted()).toBeGreaterThan(ROUNDS * DEVICES);
      expect(promised.count).toBeGreaterThan(ROUNDS / 2);
    },
    ROUNDS * 30_000 + 120_000,
  );
});

async function connect(selsyn: Selsyn, clientId: string): Promise<MqttClient> {
  const client = await connectAsync(selsyn.mqttUrl, { clientId, clean: false, reconnectPeriod: 0, protocolVersion: 4 });
  client.on('error', () => {});
  return client;
}

const json = (method: string, body: unknown): RequestInit => ({
  method,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(body),
});

/** Asks for things until the server is gone, and notes what it promised. */
async function ask(selsyn: Selsyn, promised: Promised, devices: readonly Device[], round: number): Promise<void> {
  try {
    for (let n = 0; ; n += 1) {
      const { id } = devices[n % devices.length] ?? { id: '' };
      const expiresAt = Date.now() + 3_600_000;
      const command = await selsyn.fetch(
        `/api/v1/devices/${id}/commands`,
        json('POST', { name: 'blink', payload: { n }, expiresAt }),
      );
      if (command.ok) promised.commands.push({ device: id, id: ((await command.json()) as { id: string }).id });
      const setting = round * 1_000 + n;
      const body = json('PATCH', { desired: { setting } });
      const headers = { 'content-type': 'application/merge-patch+json' };
      const shadow = await selsyn.fetch(`/api/v1/devices/${id}/shadow`, { ...body, headers });
      if (shadow.ok) promised.settings.set(id, setting);
      if (n > 0) continue;
      const job = `job-${round}`;
      const created = await selsyn.fetch(
        '/api/v1/jobs',
        json('POST', { id: job, targets: ['group:/fleet'], document: { round } }),
      );
      if (created.status === 201) promised.jobs.push(job);
    }
  } catch {
    // It was killed.
  }
}

/** What was accepted is there, and what was sent after it at most once each. */
async function expectAccepted(selsyn: Selsyn, device: Device): Promise<void> {
  const { accepted, sent, id } = device;
  if (accepted === undefined) return;
  const shadow = await selsyn.get<Shadow>(`/api/v1/devices/${id}/shadow`);
  expect(shadow.version, `the version of ${id}`).toBeGreaterThanOrEqual(accepted.version);
  expect(shadow.reported?.n ?? 0, `what ${id} has reported`).toBeGreaterThanOrEqual(accepted.state?.reported?.n ?? 0);
  expect(shadow.reported?.n ?? 0).toBeLessThanOrEqual(sent);
  expect(device.deltaVersions, `the versions of deltas of ${id}`).toEqual(device.deltaVersions.toSorted((a, b) => a - b));
}

/** Lets the devices be, until all that was promised is done. */
async function expectAllDone(selsyn: Selsyn, devices: readonly Device[], promised: Promised): Promise<void> {
  const clients = await Promise.all(devices.map(async ({ id }) => await connect(selsyn, id)));
  const running = clients.map(async (client, index) => await devices[index]?.run(client).catch(() => undefined));
  for (const { device, id } of promised.commands) {
    const path = `/api/v1/devices/${device}/commands/${id}`;
    await expect.poll(async () => (await selsyn.get<{ state: string }>(path)).state).toBe('succeeded');
    expect(devices.find((each) => each.id === device)?.commands.get(id) ?? 0).toBeGreaterThan(0);
  }
  for (const job of promised.jobs) {
    const path = `/api/v1/jobs/${job}/executions`;
    const statuses = async () => (await selsyn.get<{ items: Execution[] }>(path)).items.map(({ status }) => status);
    await expect.poll(statuses).toEqual(devices.map(() => 'SUCCEEDED'));
  }
  for (const device of devices) {
    const { items } = await selsyn.get<{ items: Execution[] }>(`/api/v1/devices/${device.id}/jobs?limit=100`);
    const succeeded = new Set(items.filter(({ status }) => status === 'SUCCEEDED').map(({ job }) => job));
    expect([...device.done].filter((job) => !succeeded.has(job))).toEqual([]);
    const setting = promised.settings.get(device.id);
    const { desired } = await selsyn.get<Shadow>(`/api/v1/devices/${device.id}/shadow`);
    if (setting !== undefined) expect(desired?.setting ?? 0).toBeGreaterThanOrEqual(setting);
  }
  for (const client of clients) client.end(true);
  await Promise.all(running);
}
