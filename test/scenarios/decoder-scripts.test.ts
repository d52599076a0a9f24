import { connectAsync, type MqttClient } from 'mqtt';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually, Selsyn } from '../harness/selsyn.ts';

/** Decoders that users have written, good and bad ones, beside devices that need none. */
let selsyn: Selsyn;
const clients: MqttClient[] = [];

const BAD = {
  endless: 'function decode() { for (;;); }',
  bomb: 'function decode() { const all = []; for (;;) all.push("x".repeat(100_000)); }',
  stuck: 'function decode() { return Array.prototype.indexOf.call({ length: 2 ** 53 - 1 }, 1) }',
};

beforeAll(async () => {
  selsyn = await Selsyn.start();
});
afterAll(async () => {
  for (const client of clients) await client.endAsync();
  await selsyn[Symbol.asyncDispose]();
});

async function post<T>(path: string, body: object): Promise<{ readonly status: number; readonly body: T }> {
  const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
  const answer = await selsyn.fetch(`/api/v1${path}`, init);
  return { status: answer.status, body: (await answer.json()) as T };
}

async function deviceOf(id: string, source?: string): Promise<MqttClient> {
  if (source !== undefined) {
    const made = await post('/decoders', { name: `by-${id}`, format: { kind: 'script', source } });
    expect(made).toMatchObject({ status: 201 });
    await post('/device-types', { name: `type-${id}`, codec: `by-${id}` });
  }
  const { body } = await post<{ token: string }>('/devices', { id, ...(source !== undefined && { type: `type-${id}` }) });
  const client = await connectAsync(selsyn.mqttUrl, { clientId: id, username: id, password: body.token });
  clients.push(client);
  return client;
}

const latest = async (id: string) =>
  await selsyn.get<Record<string, readonly [number, unknown]>>(`/api/v1/devices/${id}/telemetry/latest`);
const letters = async (id: string) =>
  (await selsyn.get<{ items: readonly { code: string; reason: string }[] }>(`/api/v1/dead-letters?limit=1000&device=${id}`))
    .items;

test('a script reads what its devices send, with the time that it says', async () => {
  const source = `
    // A frame of 7 bytes: seconds since 1970, tenths of a degree, flags.
    function decode(bytes, { arrivalMs }) {
      const view = new DataView(bytes.buffer);
      if (bytes.length !== 7) throw new Error('a frame has 7 bytes, not ' + bytes.length);
      return { ts: view.getUint32(0) * 1000, values: { temperature: view.getInt16(4) / 10, door: (bytes[6] & 1) === 1 } };
    }`;
  const client = await deviceOf('frames', source);
  const frame = Buffer.alloc(7);
  const seconds = Math.floor(Date.now() / 1000) - 60;
  frame.writeUInt32BE(seconds, 0);
  frame.writeInt16BE(-125, 4);
  frame[6] = 1;
  await client.publishAsync('telemetry/frames', frame, { qos: 1 });
  await client.publishAsync('telemetry/frames', Buffer.from('short'), { qos: 1 });
  await eventually(async () => (Object.keys(await latest('frames')).length === 2 ? true : undefined));
  expect(await latest('frames')).toEqual({ temperature: [seconds * 1000, -12.5], door: [seconds * 1000, true] });
  await eventually(async () => ((await letters('frames')).length === 1 ? true : undefined));
  expect((await letters('frames'))[0]).toMatchObject({
    code: 'script.failed',
    reason: expect.stringContaining('a frame has 7 bytes, not 5 at line 5'),
  });
});

test('a script is looked at before it is taken, and can be tried', async () => {
  const draft = (source: string) => ({ name: 'draft', format: { kind: 'script', source } });
  for (const [source, code] of [
    ['function decode( {', 'script.invalid'],
    ['function other() {}', 'script.invalid'],
    ['for (;;);', 'script.over-limit'],
  ] as const) {
    const { status, body } = await post<{ code: string }>('/decoders', draft(source));
    expect([source, status, body.code]).toEqual([source, 422, code]);
  }
  const trialOf = async (source: string) =>
    await post<{ ok: boolean; error?: { code: string } }>('/decoders/test', { format: { kind: 'script', source }, payload: 'x' });
  const [others, ...trials] = await Promise.all([
    Promise.all(Array.from({ length: 20 }, async () => await selsyn.get<{ items: unknown[] }>('/api/v1/decoders'))),
    ...Object.values(BAD).map(trialOf),
  ]);
  for (const { status, body } of trials)
    expect({ status, body }).toMatchObject({ status: 200, body: { ok: false, error: { code: 'script.over-limit' } } });
  expect(others).toHaveLength(20);
  expect((await trialOf('function decode(bytes) { return { v: bytes[0] } }')).body).toMatchObject({
    ok: true,
    points: [{ metric: 'v', value: 120 }],
  });
});

test('decoders that do not come back, or want too much, cost their own devices their messages and nobody else anything', async () => {
  const good = await deviceOf('plain');
  const senders: [string, MqttClient][] = [];
  for (const [id, source] of Object.entries(BAD)) senders.push([id, await deviceOf(id, source)]);
  const messages = 200;
  for (let n = 1; n <= messages; n++) {
    for (const [id, client] of senders) client.publish(`telemetry/${id}`, Buffer.of(n & 255), { qos: 1 });
    await good.publishAsync('telemetry/plain', JSON.stringify({ n }), { qos: 1 });
  }
  // All of the plain one's are there, each once; all of the others' are dead letters.
  await eventually(async () => ((await latest('plain'))['n']?.[1] === messages ? true : undefined));
  const { n: points } = await selsyn.get<{ n: readonly (readonly [number, number])[] }>(
    '/api/v1/devices/plain/telemetry?metrics=n&from=now-1d',
  );
  expect(points.map(([, value]) => value)).toEqual(Array.from({ length: messages }, (_, index) => index + 1));
  for (const [id] of senders) {
    await eventually(async () => ((await letters(id)).length === messages ? true : undefined));
    expect(new Set((await letters(id)).map(({ code }) => code))).toEqual(new Set(['script.over-limit']));
    expect(await latest(id)).toEqual({});
    // Most were not run at all any more.
    const unrun = (await letters(id)).filter(({ reason }) => reason.includes('not run for a minute'));
    expect(unrun.length).toBeGreaterThan(messages / 2);
  }
});
