import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { connect as openClient, type IClientOptions, type IPublishPacket, type MqttClient } from 'mqtt';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { eventually, Selsyn } from '../harness/selsyn.ts';

interface CommandBody {
  readonly id: string;
  readonly number: number;
  readonly state: string;
  readonly code?: string;
  readonly answer?: { readonly payload?: unknown };
  readonly history: readonly { readonly state: string }[];
  readonly [field: string]: unknown;
}

let selsyn: Selsyn;
const tokens = new Map<string, string>();
const clients: MqttClient[] = [];

beforeAll(async () => {
  selsyn = await Selsyn.start({ settings: ['gateway.threads=2'] });
  for (const device of ['plain', 'other', 'thing', 'board', 'kept', 'cli', 'killed'])
    tokens.set(device, await selsyn.addDevice(device));
});
afterAll(async () => await selsyn[Symbol.asyncDispose]());
afterEach(async () => {
  for (const client of clients.splice(0)) await client.endAsync(true);
});

/** It is about to connect. */
function open(device: string, protocolVersion: 4 | 5, more: Partial<IClientOptions> = {}): MqttClient {
  const client = openClient(selsyn.mqttUrl, {
    clientId: device,
    username: device,
    password: tokens.get(device) ?? '',
    protocolVersion,
    reconnectPeriod: 0,
    ...more,
  });
  clients.push(client);
  return client;
}

async function connect(device: string, protocolVersion: 4 | 5, more: Partial<IClientOptions> = {}): Promise<MqttClient> {
  const client = open(device, protocolVersion, more);
  await new Promise((resolve, reject) => client.once('connect', resolve).once('error', reject));
  return client;
}

/** What a client hears from now on. */
function heard(client: MqttClient): { readonly topic: string; readonly text: string; readonly packet: IPublishPacket }[] {
  const all: { topic: string; text: string; packet: IPublishPacket }[] = [];
  client.on('message', (topic, payload, packet) => all.push({ topic, text: payload.toString(), packet }));
  return all;
}

async function give(device: string, body: object): Promise<{ readonly status: number; readonly body: CommandBody }> {
  const answer = await selsyn.fetch(`/api/v1/devices/${device}/commands`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return { status: answer.status, body: (await answer.json()) as CommandBody };
}

async function show(device: string, id: string): Promise<CommandBody> {
  return await selsyn.get<CommandBody>(`/api/v1/devices/${device}/commands/${id}`);
}

/** A responder as MQTT 5 has it: it knows nothing of commands. */
async function respond(client: MqttClient, filter: string, answer: (payload: string) => string): Promise<void> {
  client.on('message', (_topic, payload, { properties }) => {
    const { responseTopic, correlationData } = properties ?? {};
    if (responseTopic !== undefined)
      client.publish(responseTopic, answer(payload.toString()), {
        qos: 1,
        properties: correlationData === undefined ? {} : { correlationData },
      });
  });
  await client.subscribeAsync(filter, { qos: 1 });
}

it('a generic MQTT 5 responder answers within the request', async () => {
  const client = await connect('plain', 5);
  await respond(client, 'devices/plain/commands/+', (text) => text);
  const done = await give('plain', { name: 'echo', payload: { a: [1, 2] }, timeoutMs: 10_000 });
  expect(done.status).toBe(200);
  expect(done.body).toMatchObject({ state: 'succeeded', answer: { payload: { name: 'echo', payload: { a: [1, 2] } } } });
  expect(done.body.history.map(({ state }) => state)).toEqual(['queued', 'sent', 'delivered', 'succeeded']);
});

it('a device of another id hears nothing of it, and cannot answer', async () => {
  const client = await connect('other', 5);
  const messages = heard(client);
  await client.subscribeAsync(['devices/other/#', 'v1/devices/me/rpc/#'], { qos: 1 });
  const granted = await client.subscribeAsync('devices/plain/commands/+', { qos: 1 }).catch((error: unknown) => error);
  expect(granted).toBeInstanceOf(Error);
  const board = await connect('board', 4);
  const theirs = heard(board);
  await board.subscribeAsync('v1/devices/me/rpc/request/+', { qos: 1 });
  // What one publishes on the topics that all share reaches no other.
  for (const end of ['request/5', 'request/x', 'response/5', 'x'])
    await client.publishAsync(`v1/devices/me/rpc/${end}`, '{}', { qos: 1 });
  const { body } = await give('board', { name: 'go' });
  await eventually(async () => (theirs.length > 0 ? true : undefined));
  await client.publishAsync(`v1/devices/me/rpc/response/${body.number}`, '1', { qos: 1 });
  await client.publishAsync(`devices/other/commands/${body.id}/answer`, '1', { qos: 1 });
  expect((await show('board', body.id)).answer).toBeUndefined();
  expect(theirs.map(({ topic }) => topic)).toEqual([`v1/devices/me/rpc/request/${body.number}`]);
  expect(messages.filter(({ topic }) => topic !== 'v1/devices/me/rpc/response/5')).toEqual([]);
  await board.publishAsync(`v1/devices/me/rpc/response/${body.number}`, '{"ok":true}', { qos: 1 });
  expect(await show('board', body.id)).toMatchObject({ state: 'succeeded', answer: { payload: { ok: true } } });
});

it('AWS firmware: its topics, its answers, accepted and rejected', async () => {
  const client = await connect('thing', 4);
  const messages = heard(client);
  const base = '$aws/commands/things/thing/executions';
  await client.subscribeAsync(
    [`${base}/+/request/json`, `${base}/+/response/accepted/json`, `${base}/+/response/rejected/json`],
    {
      qos: 1,
    },
  );
  const { body } = await give('thing', { name: 'open', payload: { door: 1 } });
  await eventually(async () => (messages.length === 1 ? true : undefined));
  expect(messages[0]).toMatchObject({ topic: `${base}/${body.id}/request/json`, text: '{"door":1}' });
  await client.publishAsync(`${base}/${body.id}/response/json`, '{"status":"IN_PROGRESS"}', { qos: 1 });
  const result = { state: { s: 'opened' } };
  await client.publishAsync(`${base}/${body.id}/response/json`, JSON.stringify({ status: 'SUCCEEDED', result }), { qos: 1 });
  await client.publishAsync(`${base}/none/response/json`, '{"status":"SUCCEEDED"}', { qos: 1 });
  await eventually(async () => (messages.length === 4 ? true : undefined));
  expect(
    messages.slice(1).map(({ topic, text }) => [topic.slice(base.length), (JSON.parse(text) as { error?: string }).error]),
  ).toEqual([
    [`/${body.id}/response/accepted/json`, undefined],
    [`/${body.id}/response/accepted/json`, undefined],
    ['/none/response/rejected/json', 'ResourceNotFound'],
  ]);
  expect(await show('thing', body.id)).toMatchObject({ state: 'succeeded', answer: { payload: result } });
});

it('a device asks the platform, and a program behind a hook', async () => {
  const server = createServer((request, response) => {
    request.resume().on('end', () => response.end('{"price":7}'));
  }).listen(0, '127.0.0.1');
  try {
    await new Promise((resolve) => {
      server.once('listening', resolve);
    });
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    const init = { method: 'PUT', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ url }) };
    expect((await selsyn.fetch('/api/v1/request-hooks/getTariff', init)).status).toBe(200);
    const client = await connect('board', 4);
    const messages = heard(client);
    await client.subscribeAsync(['v1/devices/me/rpc/response/+', 'devices/board/requests/+/answer'], { qos: 1 });
    await client.publishAsync('v1/devices/me/rpc/request/1', '{"method":"getCurrentTime","params":{}}', { qos: 1 });
    await client.publishAsync('v1/devices/me/rpc/request/2', '{"method":"getTariff","params":{"hour":7}}', { qos: 0 });
    await client.publishAsync('devices/board/requests/abc', '{"method":"getTariff"}', { qos: 1 });
    await eventually(async () => (messages.length === 3 ? true : undefined));
    const said = new Map(messages.map(({ topic, text }) => [topic, JSON.parse(text) as unknown]));
    expect(said.get('v1/devices/me/rpc/response/1')).toMatchObject({ timeMs: expect.any(Number) as number });
    expect(said.get('v1/devices/me/rpc/response/2')).toEqual({ price: 7 });
    expect(said.get('devices/board/requests/abc/answer')).toEqual({ status: 'succeeded', payload: { price: 7 } });
  } finally {
    server.closeAllConnections();
    server.close();
  }
});

it('commands for a device with a persistent session wait, and come in order when it is back, once', async () => {
  const session = { clean: false } as const;
  const first = await connect('kept', 4, session);
  await first.subscribeAsync('devices/kept/commands/+', { qos: 1 });
  await first.endAsync();
  // The server has not heard of that at once.
  const sessions = async () => (await selsyn.get<{ items: { state: string }[] }>('/api/v1/clients?prefix=kept')).items;
  await eventually(async () => ((await sessions())[0]?.state === 'offline' ? true : undefined));
  const given: CommandBody[] = [];
  for (let i = 0; i < 30; i++) given.push((await give('kept', { name: 'go', payload: i })).body);
  expect(given.map(({ state }) => state)).toEqual(given.map(() => 'queued'));
  // What waits may come in the same piece as CONNACK.
  const messages = heard(open('kept', 4, session));
  await eventually(async () => (messages.length >= 30 ? true : undefined));
  expect(messages.map(({ topic }) => topic)).toEqual(given.map(({ id }) => `devices/kept/commands/${id}`));
  await eventually(async () => ((await show('kept', given[29]!.id)).state === 'delivered' ? true : undefined));
});

it('kill -9 loses no command that was given', async () => {
  const given = (await give('killed', { name: 'go', payload: 1 })).body;
  await selsyn.end('SIGKILL');
  await selsyn.restart();
  const client = await connect('killed', 5);
  await respond(client, 'devices/killed/#', () => '"done"');
  await eventually(async () => ((await show('killed', given.id)).state === 'succeeded' ? true : undefined));
});

it('the command line gives, shows, lists, watches and cancels', async () => {
  const queued = await selsyn.cli('command', 'send', 'cli', 'reboot', '--payload', '{"delaySec":5}');
  const [id = ''] = queued.stdout.split(' ');
  expect(queued).toMatchObject({ code: 0, stdout: `${id} queued\n` });
  expect((await selsyn.cli('command', 'show', 'cli', id)).stdout).toContain('payload    {"delaySec":5}');
  expect((await selsyn.cli('command', 'list', 'cli', '--state', 'queued')).stdout).toContain(id);
  expect((await selsyn.cli('command', 'list', 'cli', '--state', 'sent')).stdout).toBe('no commands\n');
  const inVain = await selsyn.cli('command', 'send', 'cli', 'late', '--wait', '0.2');
  expect(inVain).toMatchObject({ code: 1, stdout: '' });
  expect(inVain.stderr).toContain('command.unanswered');
  const watching = selsyn.cli('command', 'watch', 'cli', id);
  const client = await connect('cli', 5);
  await respond(client, 'devices/cli/commands/+', () => '{"status":"failed","reason":"no power"}');
  const watched = await watching;
  expect(watched.code).toBe(0);
  expect(watched.stdout.trimEnd().split('\n').at(-1)).toMatch(new RegExp(`${id} failed$`));
  const failed = await selsyn.cli('command', 'send', 'cli', 'again', '--wait');
  expect(failed).toMatchObject({ code: 1, stdout: expect.stringContaining('failed: no power') as string });
  expect((await selsyn.cli('command', 'cancel', 'cli', id)).stderr).toContain('command.finished');
  for (const kind of ['command', 'shadow'])
    expect((await selsyn.cli(kind, 'watch', 'nobody')).stderr, kind).toContain('device.not-found');
  expect(await selsyn.cli('job', 'update', 'any')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('--rate') as string,
  });
});
