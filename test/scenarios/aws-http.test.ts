import {
  DeleteConnectionCommand,
  DeleteThingShadowCommand,
  GetConnectionCommand,
  GetRetainedMessageCommand,
  GetThingShadowCommand,
  ListNamedShadowsForThingCommand,
  ListRetainedMessagesCommand,
  ListSubscriptionsCommand,
  PublishCommand,
  SendDirectMessageCommand,
  UpdateThingShadowCommand,
} from '@aws-sdk/client-iot-data-plane';
import { connectAsync, type IClientOptions, type IPublishPacket, type MqttClient } from 'mqtt';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AwsFleet, type AccessKey, failureOf, jsonOf, type Showing, textOf } from './aws.fixture.ts';

const fleet = new AwsFleet();
let operator: AccessKey;
beforeAll(async () => {
  await fleet.start('pump-1', 'pump-2', 'pump-3');
  operator = await fleet.newKey({ role: 'operator' });
});
afterAll(async () => await fleet.stop());

const payload = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value));

async function connect(thing: string, more: Partial<IClientOptions> = {}): Promise<MqttClient> {
  const { folder, selsyn } = fleet;
  return await connectAsync(selsyn.mqttsUrl, {
    ca: folder.read('ca.crt'),
    cert: folder.read(`${thing}.crt`),
    key: folder.read(`${thing}.key`),
    clientId: thing,
    protocolVersion: 5,
    reconnectPeriod: 0,
    ...more,
  });
}

async function nextMessage(client: MqttClient): Promise<IPublishPacket> {
  return await new Promise((resolve) => client.once('message', (_topic, _payload, packet) => resolve(packet)));
}

describe.each<[string, () => Promise<Showing>]>([
  ['a signature with the key of an operator', async () => ({ key: operator })],
  ['a signature with the key of the device', async () => ({ key: await fleet.newKey({ device: 'pump-1' }) })],
  ['the client certificate of the device', async () => ({ device: 'pump-1' })],
])('the shadow of a thing, by %s', (by, showing) => {
  it('is updated, read, listed and deleted; conflicts and faults are told by name', async () => {
    const client = fleet.dataPlane(await showing());
    const thingName = 'pump-1';
    for (const shadowName of [undefined, 'valve']) {
      const key = { thingName, ...(shadowName !== undefined && { shadowName }) };
      const missing = await failureOf(client.send(new GetThingShadowCommand(key)));
      expect(missing).toMatchObject({ name: 'ResourceNotFoundException', status: 404 });
      expect(missing.message).toBe(`No shadow exists with name: ${shadowName ?? thingName}`);
      const update = async (document: object) =>
        jsonOf<{ version: number }>(
          (await client.send(new UpdateThingShadowCommand({ ...key, payload: payload(document) }))).payload,
        );
      const first = await update({ state: { desired: { speed: 3 }, reported: { speed: 1 } }, clientToken: 't1' });
      expect(first).toMatchObject({ state: { desired: { speed: 3 }, reported: { speed: 1 } }, clientToken: 't1' });
      const { version } = first;
      const got = jsonOf((await client.send(new GetThingShadowCommand(key))).payload);
      expect(got).toMatchObject({
        state: { desired: { speed: 3 }, reported: { speed: 1 }, delta: { speed: 3 } },
        metadata: { desired: { speed: { timestamp: expect.any(Number) as number } } },
        version,
      });
      expect(await update({ state: { reported: { speed: 3 } }, version })).toMatchObject({ version: version + 1 });
      expect(await failureOf(update({ state: { reported: { speed: 4 } }, version }))).toEqual({
        name: 'ConflictException',
        status: 409,
        message: 'Version conflict',
      });
      expect(await failureOf(update({ stat: {} }))).toEqual({
        name: 'InvalidRequestException',
        status: 400,
        message: 'Missing required node: state',
      });
      expect(await failureOf(update({ state: { desired: { long: 'x'.repeat(9_000) } } }))).toMatchObject({
        name: 'RequestEntityTooLargeException',
        status: 413,
      });
      if (shadowName !== undefined) {
        const listed = await client.send(new ListNamedShadowsForThingCommand({ thingName }));
        expect(listed.results).toEqual(['valve']);
        expect(listed.timestamp).toBeGreaterThan(1_700_000_000);
      }
      const deleted = jsonOf((await client.send(new DeleteThingShadowCommand(key))).payload);
      expect(deleted).toMatchObject({ version: expect.any(Number) as number });
      expect(await failureOf(client.send(new DeleteThingShadowCommand(key)))).toMatchObject({ status: 404 });
    }
    const answer = await client.send(new ListNamedShadowsForThingCommand({ thingName }));
    expect(answer.results).toEqual([]);
    expect(answer.$metadata.requestId).toMatch(/^[0-9a-f-]{36}$/);
    expect(by).not.toBe('');
  });

  it('of another thing is out of reach for a device, and one that is not there is not found', async () => {
    const shown = await showing();
    const client = fleet.dataPlane(shown);
    const isOperator = 'key' in shown && shown.key === operator;
    const update = new UpdateThingShadowCommand({ thingName: 'pump-3', payload: payload({ state: { desired: { a: 1 } } }) });
    if (isOperator) expect(jsonOf((await client.send(update)).payload)).toMatchObject({ version: expect.any(Number) as number });
    else expect(await failureOf(client.send(update))).toMatchObject({ name: 'ForbiddenException', status: 403 });
    const nobody = await failureOf(client.send(new GetThingShadowCommand({ thingName: 'nobody' })));
    expect(nobody.status).toBe(isOperator ? 404 : 403);
  });
});

it('named shadows are listed in pages', async () => {
  const client = fleet.dataPlane({ key: operator });
  const names = Array.from({ length: 7 }, (_, n) => `s${n}`);
  for (const shadowName of names)
    await client.send(new UpdateThingShadowCommand({ thingName: 'pump-2', shadowName, payload: payload({ state: { desired: { n: 1 } } }) }));
  const seen: string[] = [];
  let nextToken: string | undefined;
  do {
    const page = await client.send(new ListNamedShadowsForThingCommand({ thingName: 'pump-2', pageSize: 3, nextToken }));
    expect(page.results?.length).toBeLessThanOrEqual(3);
    seen.push(...(page.results ?? []));
    ({ nextToken } = page);
  } while (nextToken !== undefined);
  expect(seen).toEqual(names);
  const bad = client.send(new ListNamedShadowsForThingCommand({ thingName: 'pump-2', nextToken: '%' }));
  expect(await failureOf(bad)).toMatchObject({ name: 'InvalidRequestException', status: 400 });
});

describe('a message', () => {
  it('is published to a subscriber with all that MQTT 5 has', async () => {
    const client = fleet.dataPlane({ key: operator });
    const subscriber = await connect('pump-1');
    await subscriber.subscribeAsync('devices/pump-1/#', { qos: 1 });
    const message = nextMessage(subscriber);
    await client.send(
      new PublishCommand({
        topic: 'devices/pump-1/a b/ü%2F',
        qos: 1,
        payload: Buffer.from('hello'),
        contentType: 'text/plain',
        responseTopic: 'devices/pump-1/answer',
        correlationData: Buffer.from('c-1').toString('base64'),
        messageExpiry: 60,
        payloadFormatIndicator: 'UTF8_DATA',
        userProperties: JSON.stringify([{ deviceName: 'alpha' }, { deviceCnt: '45' }]),
      }),
    );
    const { topic, qos, properties, payload: bytes } = await message;
    expect({ topic, qos, text: textOf(bytes as Buffer) }).toEqual({ topic: 'devices/pump-1/a b/ü%2F', qos: 1, text: 'hello' });
    expect(properties).toMatchObject({
      contentType: 'text/plain',
      responseTopic: 'devices/pump-1/answer',
      messageExpiryInterval: 60,
      payloadFormatIndicator: true,
      userProperties: { deviceName: 'alpha', deviceCnt: '45' },
    });
    expect(textOf(properties?.correlationData)).toBe('c-1');
    await subscriber.endAsync();
  });

  it('that is telemetry is stored', async () => {
    for (const [n, showing] of [{ key: operator }, { device: 'pump-1' } as const].entries()) {
      const body = payload({ flow: n + 0.5 });
      await fleet.dataPlane(showing).send(new PublishCommand({ topic: 'telemetry/pump-1', qos: 1, payload: body }));
      await expect
        .poll(async () => await fleet.selsyn.get<Record<string, unknown>>('/api/v1/devices/pump-1/telemetry/latest'))
        .toMatchObject({ flow: [expect.any(Number), n + 0.5] });
    }
  });

  it('that asks a shadow for something is done, and heard by whoever subscribes', async () => {
    const subscriber = await connect('pump-1');
    await subscriber.subscribeAsync('$aws/things/pump-1/shadow/name/web/update/accepted', { qos: 1 });
    const message = nextMessage(subscriber);
    const body = payload({ state: { desired: { by: 'http' } }, clientToken: 'h1' });
    const topic = '$aws/things/pump-1/shadow/name/web/update';
    await fleet.dataPlane({ device: 'pump-1' }).send(new PublishCommand({ topic, qos: 1, payload: body }));
    expect(jsonOf((await message).payload as Buffer)).toMatchObject({ state: { desired: { by: 'http' } }, clientToken: 'h1' });
    await subscriber.endAsync();
  });

  it('goes nowhere that the policies of a device, or the server, forbid', async () => {
    const device = fleet.dataPlane({ device: 'pump-1' });
    const program = fleet.dataPlane({ key: operator });
    const publish = (topic: string, more: object = {}) => new PublishCommand({ topic, payload: payload({}), ...more });
    for (const topic of ['devices/pump-2/x', 'telemetry/pump-2', 'elsewhere', '$SYS/broker/x', '$aws/events/presence/connected/x'])
      expect(await failureOf(device.send(publish(topic)))).toMatchObject({ name: 'ForbiddenException', status: 403 });
    for (const topic of ['$SYS/broker/x', '$aws/certificates/create/json', '$aws/events/presence/connected/x'])
      expect(await failureOf(program.send(publish(topic)))).toMatchObject({ name: 'ForbiddenException', status: 403 });
    for (const topic of ['a/+/b', 'a/#', 'a\0b'])
      expect(await failureOf(program.send(publish(topic)))).toMatchObject({ name: 'InvalidRequestException', status: 400 });
    const notText = { payload: Buffer.from([0xff]), payloadFormatIndicator: 'UTF8_DATA' };
    expect(await failureOf(program.send(publish('x', notText)))).toMatchObject({ status: 400 });
    const viewer = fleet.dataPlane({ key: await fleet.newKey({ role: 'viewer' }) });
    expect(await failureOf(viewer.send(publish('x')))).toMatchObject({ name: 'ForbiddenException', status: 403 });
  });

  it('that is retained is listed and read, and is gone when an empty one takes its place', async () => {
    const client = fleet.dataPlane({ key: operator });
    const topics = ['devices/pump-1/r1', 'devices/pump-2/r2', 'plant/r3'];
    for (const topic of topics)
      await client.send(
        new PublishCommand({
          topic,
          qos: 1,
          retain: true,
          payload: Buffer.from(topic),
          userProperties: JSON.stringify([{ k: 'v' }]),
        }),
      );
    const listed: string[] = [];
    let nextToken: string | undefined;
    do {
      const page = await client.send(new ListRetainedMessagesCommand({ maxResults: 2, nextToken }));
      for (const { topic = '', payloadSize, qos } of page.retainedTopics ?? []) {
        listed.push(topic);
        expect([payloadSize, qos]).toEqual([topic.length, 1]);
      }
      ({ nextToken } = page);
    } while (nextToken !== undefined);
    expect(listed).toEqual(topics);
    const read = await client.send(new GetRetainedMessageCommand({ topic: 'plant/r3' }));
    expect(read).toMatchObject({ topic: 'plant/r3', qos: 1 });
    expect([textOf(read.payload), jsonOf(read.userProperties)]).toEqual(['plant/r3', [{ k: 'v' }]]);
    const device = fleet.dataPlane({ device: 'pump-1' });
    const own = await device.send(new ListRetainedMessagesCommand({}));
    expect(own.retainedTopics?.map(({ topic }) => topic)).toEqual(['devices/pump-1/r1']);
    expect(textOf((await device.send(new GetRetainedMessageCommand({ topic: 'devices/pump-1/r1' }))).payload)).toBe('devices/pump-1/r1');
    const other = device.send(new GetRetainedMessageCommand({ topic: 'plant/r3' }));
    expect(await failureOf(other)).toMatchObject({ name: 'ForbiddenException' });
    for (const topic of topics) await client.send(new PublishCommand({ topic, qos: 1, retain: true }));
    const gone = client.send(new GetRetainedMessageCommand({ topic: 'plant/r3' }));
    expect(await failureOf(gone)).toMatchObject({ name: 'ResourceNotFoundException', status: 404 });
  });
});

describe('the connection of a client', () => {
  it('is shown with its subscriptions, and closed', async () => {
    const client = fleet.dataPlane({ key: operator });
    const device = await connect('pump-1', {
      clientId: 'pump-1/main',
      clean: true,
      keepalive: 77,
      properties: { sessionExpiryInterval: 120 },
      will: { topic: 'devices/pump-1/will', payload: Buffer.from('gone'), qos: 1, retain: false },
    });
    await device.subscribeAsync({ 'devices/pump-1/b': { qos: 1 }, 'devices/pump-1/a': { qos: 0 } });
    const clientId = 'pump-1/main';
    const connection = await client.send(new GetConnectionCommand({ clientId, includeSocketInformation: true }));
    expect(connection).toMatchObject({
      connected: true,
      clientId,
      thingName: 'pump-1',
      cleanSession: false,
      keepAliveDuration: 77,
      sessionExpiry: 120,
      sourceIp: expect.stringContaining('127.0.0.1') as string,
    });
    expect(Math.abs((connection.connectedSince ?? 0) - Date.now())).toBeLessThan(60_000);
    const subscriptions: unknown[] = [];
    let nextToken: string | undefined;
    do {
      const page = await client.send(new ListSubscriptionsCommand({ clientId, maxResults: 1, nextToken }));
      subscriptions.push(...(page.subscriptions ?? []));
      ({ nextToken } = page);
    } while (nextToken !== undefined);
    expect(subscriptions).toEqual([
      { topicFilter: 'devices/pump-1/a', qos: 0 },
      { topicFilter: 'devices/pump-1/b', qos: 1 },
    ]);
    const watcher = await connect('pump-1', { clientId: 'watcher' });
    await watcher.subscribeAsync('devices/pump-1/#', { qos: 1 });
    const heard: string[] = [];
    watcher.on('message', (topic) => heard.push(topic));
    const closed = new Promise((resolve) => device.once('close', resolve));
    await client.send(new DeleteConnectionCommand({ clientId, preventWillMessage: true }));
    await closed;
    expect(await client.send(new GetConnectionCommand({ clientId }))).toMatchObject({
      connected: false,
      disconnectReason: 'API_INITIATED_DISCONNECT',
      disconnectedSince: expect.any(Number) as number,
    });
    await client.send(new DeleteConnectionCommand({ clientId, cleanSession: true }));
    expect(await failureOf(client.send(new ListSubscriptionsCommand({ clientId })))).toMatchObject({ status: 404 });
    const again = await connect('pump-1', { clientId, will: { topic: 'devices/pump-1/will', payload: Buffer.from('gone'), qos: 1, retain: false } });
    const closedAgain = new Promise((resolve) => again.once('close', resolve));
    await client.send(new DeleteConnectionCommand({ clientId }));
    await closedAgain;
    await expect.poll(() => heard).toEqual(['devices/pump-1/will']);
    await watcher.endAsync();
    for (const command of [
      new GetConnectionCommand({ clientId: 'nobody' }),
      new DeleteConnectionCommand({ clientId: 'nobody' }),
      new ListSubscriptionsCommand({ clientId: 'nobody' }),
    ])
      expect(await failureOf(client.send(command as GetConnectionCommand))).toMatchObject({ name: 'ResourceNotFoundException' });
    for (const showing of [{ device: 'pump-1' } as const, { key: await fleet.newKey({ role: 'viewer', group: '/elsewhere' }) }]) {
      const refused = await failureOf(fleet.dataPlane(showing).send(new GetConnectionCommand({ clientId: 'watcher' })));
      expect(refused.name).toBe('device' in showing ? 'ForbiddenException' : 'ResourceNotFoundException');
    }
  });

  it('brings a message to it alone, without a subscription, and says whether it was taken', async () => {
    const client = fleet.dataPlane({ key: operator });
    const device = await connect('pump-1', { clientId: 'direct' });
    const send = (more: object) => new SendDirectMessageCommand({ clientId: 'direct', topic: 'devices/pump-1/now', payload: payload({ n: 1 }), ...more });
    for (const confirmation of [false, true]) {
      const message = nextMessage(device);
      expect(await client.send(send({ confirmation, contentType: 'application/json' }))).toMatchObject({ message: 'OK' });
      const { topic, qos, properties } = await message;
      expect([topic, qos, properties?.contentType]).toEqual(['devices/pump-1/now', confirmation ? 1 : 0, 'application/json']);
    }
    expect(await failureOf(client.send(send({ clientId: 'nobody' })))).toMatchObject({ name: 'ResourceNotFoundException' });
    // The policies of the device do not let it hear this.
    expect(await failureOf(client.send(send({ topic: 'devices/pump-2/x' })))).toMatchObject({ name: 'ForbiddenException' });
    device.handleMessage = () => undefined;
    expect(await failureOf(client.send(send({ confirmation: true, timeout: 1 })))).toMatchObject({
      name: 'GatewayTimeoutException',
      status: 504,
    });
    await device.endAsync(true);
  });
});

describe('who may not come', () => {
  const get = (thingName = 'pump-1') => new GetThingShadowCommand({ thingName });

  it('is told why, by the names that the SDKs know', async () => {
    const cases: readonly [Showing, string, number][] = [
      [{ key: { id: 'AKSYAAAAAAAAAAAAAAAA', secret: operator.secret } }, 'UnrecognizedClientException', 403],
      [{ key: { id: operator.id, secret: `${operator.secret.slice(0, -1)}=` } }, 'InvalidSignatureException', 403],
    ];
    for (const [showing, name, status] of cases)
      expect(await failureOf(fleet.dataPlane(showing).send(get()))).toMatchObject({ name, status });
    const bare = await fetch(`${fleet.selsyn.url}/things/pump-1/shadow`);
    expect([bare.status, bare.headers.get('x-amzn-errortype')]).toEqual([403, 'MissingAuthenticationTokenException']);
    const bearer = await fleet.selsyn.fetch('/things/pump-1/shadow');
    expect([bearer.status, bearer.headers.get('x-amzn-errortype')]).toEqual([400, 'IncompleteSignatureException']);
  });

  it('holds a key that is disabled or gone', async () => {
    const { id, secret } = await fleet.newKey({ role: 'viewer' });
    const client = fleet.dataPlane({ key: { id, secret } });
    await fleet.dataPlane({ key: operator }).send(
      new UpdateThingShadowCommand({ thingName: 'pump-3', payload: payload({ state: { reported: { here: true } } }) }),
    );
    await client.send(get('pump-3'));
    await fleet.ask('PATCH', `/api/v1/access-keys/${id}`, { disabled: true });
    expect(await failureOf(client.send(get('pump-3')))).toMatchObject({ name: 'UnrecognizedClientException' });
    await fleet.ask('PATCH', `/api/v1/access-keys/${id}`, { disabled: false });
    await client.send(get('pump-3'));
    await fleet.ask('DELETE', `/api/v1/access-keys/${id}`);
    expect(await failureOf(client.send(get('pump-3')))).toMatchObject({ name: 'UnrecognizedClientException' });
  });

  it('has a certificate that was revoked', async () => {
    await fleet.addThing('pump-4');
    const client = fleet.dataPlane({ device: 'pump-4' });
    expect(await failureOf(client.send(get('pump-4')))).toMatchObject({ status: 404 });
    const { items } = await fleet.ask<{ items: { id: string }[] }>('GET', '/api/v1/certificates?device=pump-4');
    for (const { id } of items) await fleet.ask('POST', `/api/v1/certificates/${id}/revoke`, {});
    expect(await failureOf(client.send(get('pump-4')))).toMatchObject({ name: 'ForbiddenException', status: 403 });
  });

  it('is outside of the groups of its key, and does not learn what is there', async () => {
    await fleet.addThing('north-1', { group: '/north' });
    const key = await fleet.newKey({ role: 'operator', group: '/north' });
    const client = fleet.dataPlane({ key });
    const update = (thingName: string) => new UpdateThingShadowCommand({ thingName, payload: payload({ state: { desired: { a: 1 } } }) });
    expect(jsonOf((await client.send(update('north-1'))).payload)).toMatchObject({ version: 1 });
    const [hidden, nobody] = [await failureOf(client.send(update('pump-1'))), await failureOf(client.send(update('nobody')))];
    expect(hidden).toEqual(nobody);
    expect(hidden.status).toBe(404);
    const publish = (topic: string) => client.send(new PublishCommand({ topic, payload: payload({}) }));
    await publish('devices/north-1/x');
    for (const topic of ['devices/pump-1/x', 'plant/x']) expect(await failureOf(publish(topic))).toMatchObject({ status: 403 });
  });
});

it('a client whose clock is off finds out, and signs anew', async () => {
  const client = fleet.dataPlane({ key: operator }, { maxAttempts: 2, systemClockOffset: -3_600_000 });
  const answer = await client.send(new ListRetainedMessagesCommand({}));
  expect(answer.$metadata.attempts).toBe(2);
});

it('what programs change is in the audit trail under their key, and its last use is known', async () => {
  const { items } = await fleet.ask<{ items: { actor: { kind: string; id: string }; action: string }[] }>(
    'GET',
    `/api/v1/audit?actor=${operator.id}`,
  );
  expect(items.length).toBeGreaterThan(0);
  expect(new Set(items.map(({ actor }) => actor.kind))).toEqual(new Set(['access-key']));
  const keys = await fleet.ask<{ items: { id: string; usedService?: string }[] }>('GET', '/api/v1/access-keys');
  expect(keys.items.find(({ id }) => id === operator.id)).toMatchObject({ usedService: 'iotdata' });
});
