import { once } from 'node:events';
import { connectAsync, type MqttClient } from 'mqtt';
import { newClient } from 'sparkplug-client';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { eventually, Selsyn } from '../harness/selsyn.ts';

/** Edge nodes as Eclipse Tahu's client for JavaScript makes them, over real MQTT, across restarts and kills. */
let selsyn: Selsyn;
let nodes: Node[] = [];
let clients: MqttClient[] = [];
type Node = ReturnType<typeof newClient>;

beforeAll(async () => {
  selsyn = await Selsyn.start({ settings: ['gateway.threads=2'] });
});
afterEach(async () => {
  for (const node of nodes) node.stop();
  for (const client of clients) await client.endAsync(true);
  [nodes, clients] = [[], []];
});
afterAll(async () => await selsyn[Symbol.asyncDispose]());

async function post<T = object>(path: string, body: object = {}): Promise<T> {
  const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
  const answer = await selsyn.fetch(`/api/v1${path}`, init);
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  const text = await answer.text();
  return (text === '' ? {} : JSON.parse(text)) as T;
}

const enrol = async (id: string, more: object = {}): Promise<string> =>
  (await post<{ token: string }>('/devices', { id, ...more })).token;

function nodeOf(group: string, edgeNode: string, username: string, password: string): Node {
  const node = newClient({
    serverUrl: selsyn.mqttUrl,
    username,
    password,
    groupId: group,
    edgeNode,
    clientId: `${group}-${edgeNode}`,
  });
  // It goes on by itself where a connection ends.
  node.on('error', () => undefined);
  nodes.push(node);
  return node;
}

async function connectedAs(id: string, token: string): Promise<MqttClient> {
  const client = await connectAsync(selsyn.mqttUrl, { clientId: id, username: id, password: token });
  clients.push(client);
  return client;
}

const values = async (id: string): Promise<Record<string, unknown>> => {
  const latest = await selsyn.get<Record<string, readonly [number, unknown]>>(
    `/api/v1/devices/${encodeURIComponent(id)}/telemetry/latest`,
  );
  return Object.fromEntries(Object.entries(latest).map(([metric, [, value]]) => [metric, value]));
};
type DeviceJson = {
  readonly group: string;
  readonly tags: readonly string[];
  readonly connectivity?: { readonly connected: boolean };
};
const deviceOf = async (id: string): Promise<DeviceJson> => await selsyn.get<DeviceJson>(`/api/v1/devices/${id}`);
const hasValues = async (id: string, expected: object): Promise<void> => {
  await eventually(async () => {
    const found = await values(id).catch(() => ({}));
    return Object.entries(expected).every(([metric, value]) => Reflect.get(found, metric) === value) ? true : undefined;
  });
};

type NodeJson = Readonly<Record<'messages' | 'refused' | 'gaps' | 'rebirths' | 'devices', number>> & {
  readonly state: string;
  readonly behind: readonly { readonly id: string; readonly state: string }[];
};
const shown = async (id: string): Promise<NodeJson> =>
  await selsyn.get<NodeJson>(`/api/v1/sparkplug/nodes/${encodeURIComponent(id)}`);

const birth = (temperature: number) => ({
  timestamp: Date.now(),
  metrics: [
    {
      name: 'temperature',
      alias: 7,
      type: 'Double' as const,
      value: temperature,
      properties: { engUnit: { type: 'String' as const, value: '°C' } },
    },
  ],
});

test('an edge node and what is behind it: births, data by alias, rebirth on demand, and death', async () => {
  await post('/groups', { path: '/plants' });
  await post('/groups', { path: '/plants/one' });
  const token = await enrol('Plant:Line-1', { group: '/plants/one' });
  const node = nodeOf('Plant', 'Line-1', 'Plant:Line-1', token);
  let births = 0;
  const rebirth = (): void => {
    births++;
    node.publishNodeBirth({ timestamp: Date.now(), metrics: [{ name: 'Node Control/Rebirth', type: 'Boolean', value: false }, { name: 'load', type: 'Float', value: 0.5 }] }); // prettier-ignore
    node.publishDeviceBirth('Press', birth(21.5));
  };
  node.on('birth', rebirth);
  node.on('ncmd', (payload) => {
    if (payload.metrics?.some(({ name, value }) => name === 'Node Control/Rebirth' && value === true) === true) rebirth();
  });
  await hasValues('Plant:Line-1:Press', { temperature: 21.5 });
  await hasValues('Plant:Line-1', { load: 0.5 });

  // Who was born is a device, in the group of its node.
  await eventually(async () => ((await deviceOf('Plant:Line-1:Press')).connectivity?.connected === true ? true : undefined));
  expect(await deviceOf('Plant:Line-1:Press')).toMatchObject({ tags: ['sparkplug'], group: '/plants/one' });
  expect(await selsyn.get('/api/v1/devices/Plant:Line-1:Press/sparkplug')).toMatchObject({
    state: 'alive',
    metrics: [{ name: 'temperature', alias: 7, type: 'Double', unit: '°C' }],
  });

  const listed = await selsyn.cli('sparkplug', 'nodes');
  expect(listed.stdout).toMatch(/Plant:Line-1 +alive for \d+ s +1 +2 +0 +0 +0 +\d+ s ago\n/);
  const told = await selsyn.cli('sparkplug', 'show', 'Plant:Line-1:Press');
  expect(told.stdout).toMatch(/^Plant:Line-1:Press {2}alive for .*temperature +7 +Double +°C\n/s);
  const behind = await selsyn.cli('sparkplug', 'show', 'Plant:Line-1');
  expect(behind.stdout).toMatch(/Plant:Line-1:Press +alive for/);

  // By alias alone, packed.
  node.publishDeviceData(
    'Press',
    { timestamp: Date.now(), metrics: [{ alias: 7, type: 'Double', value: 22.5 } as never] },
    { compress: true },
  );
  await hasValues('Plant:Line-1:Press', { temperature: 22.5 });

  // An alias that nobody knows: the node is asked, and is born again.
  const before = births;
  node.publishDeviceData('Press', { timestamp: Date.now(), metrics: [{ alias: 99, type: 'Double', value: 1 } as never] });
  await eventually(async () => (births > before ? true : undefined));
  expect(await shown('Plant:Line-1')).toMatchObject({ refused: 1, gaps: 0, state: 'alive' });

  // Somebody asks by hand.
  const again = births;
  await selsyn.cli('sparkplug', 'rebirth', 'Plant:Line-1');
  await eventually(async () => (births > again ? true : undefined));

  node.publishDeviceDeath('Press', { timestamp: Date.now(), metrics: [] });
  await eventually(async () => ((await shown('Plant:Line-1')).behind[0]?.state === 'dead' ? true : undefined));
  await eventually(async () => ((await deviceOf('Plant:Line-1:Press')).connectivity?.connected === false ? true : undefined));
  // What was stored stays, as the last that is known.
  await hasValues('Plant:Line-1:Press', { temperature: 21.5 });
});

test('the death that a node leaves as its will ends it and what is behind it', async () => {
  const token = await enrol('Plant:Line-2');
  const node = nodeOf('Plant', 'Line-2', 'Plant:Line-2', token);
  node.on('birth', () => {
    node.publishNodeBirth({ timestamp: Date.now(), metrics: [{ name: 'load', type: 'Float', value: 1 }] });
    node.publishDeviceBirth('Oven', birth(180));
  });
  await hasValues('Plant:Line-2:Oven', { temperature: 180 });
  const listener = await connectedAs('listener', await enrol('listener'));
  // Another client takes its connection over: the server publishes the will.
  const taken = once(node, 'close');
  const other = await connectAsync(selsyn.mqttUrl, { clientId: 'Plant-Line-2', username: 'Plant:Line-2', password: token });
  await taken;
  node.stop();
  await eventually(async () => ((await shown('Plant:Line-2')).state === 'dead' ? true : undefined));
  expect((await shown('Plant:Line-2')).behind).toEqual([expect.objectContaining({ id: 'Plant:Line-2:Oven', state: 'dead' })]);
  await other.endAsync();
  await listener.endAsync();
});

test('a node speaks for itself alone, and hears whether its host is there', async () => {
  const client = await connectedAs('Plant:Line-3', await enrol('Plant:Line-3'));
  const state = new Promise<readonly [string, Buffer]>((resolve) =>
    client.once('message', (topic, payload) => resolve([topic, payload])),
  );
  expect((await client.subscribeAsync('spBv1.0/STATE/selsyn', { qos: 1 }))[0]?.qos).toBe(1);
  const [topic, payload] = await state;
  expect([topic, JSON.parse(payload.toString())]).toEqual([
    'spBv1.0/STATE/selsyn',
    { online: true, timestamp: expect.any(Number) },
  ]);
  expect((await client.subscribeAsync('spBv1.0/Plant/NCMD/Line-3/#', { qos: 1 }))[0]?.qos).toBe(1);
  for (const foreign of ['spBv1.0/Plant/NCMD/Line-1', 'spBv1.0/Plant/#']) {
    const refused = await client.subscribeAsync(foreign, { qos: 1 }).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(Error);
  }
  const stranger = await shown('Plant:Line-1');
  client.on('error', () => undefined);
  for (const foreign of ['spBv1.0/Plant/NDATA/Line-1', 'spBv1.0/Plant/DDATA/Line-1/Press', 'spBv1.0/STATE/selsyn']) {
    client.publish(foreign, 'x', { qos: 0, retain: foreign.endsWith('selsyn') });
  }
  const own = await connectedAs('Plant:Line-4', await enrol('Plant:Line-4'));
  await own.publishAsync('spBv1.0/Plant/NDATA/Line-4', Buffer.from([1, 2, 3]), { qos: 1 });
  await eventually(async () => {
    const { items } = await selsyn.get<{ items: readonly { device: string }[] }>(
      '/api/v1/dead-letters?limit=10&device=Plant:Line-4',
    );
    return items.length === 1 ? true : undefined;
  });
  expect(await shown('Plant:Line-1')).toMatchObject({ messages: stranger.messages, refused: stranger.refused });
});

test('births outlive a kill: data by alias alone is read on, and no node is asked again', async () => {
  const token = await enrol('Plant:Line-5');
  const publish = async (): Promise<MqttClient> => await connectedAs('Plant:Line-5', token);
  const node = nodeOf('Plant', 'Line-5', 'Plant:Line-5', token);
  const born = once(node, 'birth');
  await born;
  node.publishNodeBirth({ timestamp: Date.now(), metrics: [{ name: 'load', type: 'Float', value: 1 }] });
  node.publishDeviceBirth('Fan', birth(30));
  await hasValues('Plant:Line-5:Fan', { temperature: 30 });
  node.stop();
  for (const round of [1, 2]) {
    await selsyn.end('SIGKILL');
    await selsyn.restart();
    // 31 and 32 by alias 7, as a payload of Sparkplug: timestamp, metric { alias, datatype 10, double }, no number.
    const data = Buffer.alloc(8);
    data.writeDoubleLE(30 + round);
    const bytes = Buffer.concat([Buffer.from([0x12, 13, 0x10, 7, 0x20, 10, 0x69]), data]);
    const client = await publish();
    await client.publishAsync('spBv1.0/Plant/DDATA/Line-5/Fan', bytes, { qos: 1 });
    await hasValues('Plant:Line-5:Fan', { temperature: 30 + round });
    await client.endAsync();
  }
  expect(await shown('Plant:Line-5')).toMatchObject({ state: 'alive', rebirths: 0, refused: 0 });
});

test('a group with spaces in its name is a group, too', async () => {
  const id = 'Halle::20Ost:Knoten::201';
  const token = await enrol(id);
  const node = nodeOf('Halle Ost', 'Knoten 1', id, token);
  node.on('birth', () => {
    node.publishNodeBirth({ timestamp: Date.now(), metrics: [{ name: 'Last', type: 'Int32', value: -7 }] });
  });
  await hasValues(id, { Last: -7 });
});
