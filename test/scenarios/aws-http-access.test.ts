import {
  DeleteConnectionCommand,
  GetConnectionCommand,
  GetThingShadowCommand,
  ListRetainedMessagesCommand,
  ListSubscriptionsCommand,
  PublishCommand,
  SendDirectMessageCommand,
  UpdateThingShadowCommand,
} from '@aws-sdk/client-iot-data-plane';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AwsFleet, type AccessKey, failureOf, jsonOf, nextMessage, payloadOf, type Showing } from './aws.fixture.ts';

const fleet = new AwsFleet();
let operator: AccessKey;
beforeAll(async () => {
  await fleet.start('pump-1', 'pump-2', 'pump-3');
  operator = await fleet.newKey({ role: 'operator' });
});
afterAll(async () => await fleet.stop());

describe('the connection of a client', () => {
  it('is shown with its subscriptions, and closed', async () => {
    const client = fleet.dataPlane({ key: operator });
    const device = await fleet.connect('pump-1', {
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
    const watcher = await fleet.connect('pump-1', { clientId: 'watcher' });
    await watcher.subscribeAsync('devices/pump-1/#', { qos: 1 });
    const heard: string[] = [];
    watcher.on('message', (topic) => heard.push(topic));
    const closed = new Promise<void>((resolve) => device.once('close', () => resolve()));
    await client.send(new DeleteConnectionCommand({ clientId, preventWillMessage: true }));
    await closed;
    expect(await client.send(new GetConnectionCommand({ clientId }))).toMatchObject({
      connected: false,
      disconnectReason: 'API_INITIATED_DISCONNECT',
      disconnectedSince: expect.any(Number) as number,
    });
    await client.send(new DeleteConnectionCommand({ clientId, cleanSession: true }));
    expect(await failureOf(client.send(new ListSubscriptionsCommand({ clientId })))).toMatchObject({ status: 404 });
    const again = await fleet.connect('pump-1', {
      clientId,
      will: { topic: 'devices/pump-1/will', payload: Buffer.from('gone'), qos: 1, retain: false },
    });
    const closedAgain = new Promise<void>((resolve) => again.once('close', () => resolve()));
    await client.send(new DeleteConnectionCommand({ clientId }));
    await closedAgain;
    await expect.poll(() => heard).toEqual(['devices/pump-1/will']);
    await watcher.endAsync();
    for (const command of [
      new GetConnectionCommand({ clientId: 'nobody' }),
      new DeleteConnectionCommand({ clientId: 'nobody' }),
      new ListSubscriptionsCommand({ clientId: 'nobody' }),
    ])
      expect(await failureOf(client.send(command))).toMatchObject({ name: 'ResourceNotFoundException' });
    for (const showing of [{ device: 'pump-1' } as const, { key: await fleet.newKey({ role: 'viewer', group: '/elsewhere' }) }]) {
      const refused = await failureOf(fleet.dataPlane(showing).send(new GetConnectionCommand({ clientId: 'watcher' })));
      expect(refused.name).toBe('device' in showing ? 'ForbiddenException' : 'ResourceNotFoundException');
    }
  });

  it('brings a message to it alone, without a subscription, and says whether it was taken', async () => {
    const client = fleet.dataPlane({ key: operator });
    const device = await fleet.connect('pump-1', { clientId: 'direct' });
    const send = (more: object) =>
      new SendDirectMessageCommand({ clientId: 'direct', topic: 'devices/pump-1/now', payload: payloadOf({ n: 1 }), ...more });
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
    await fleet
      .dataPlane({ key: operator })
      .send(new UpdateThingShadowCommand({ thingName: 'pump-3', payload: payloadOf({ state: { reported: { here: true } } }) }));
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
    const update = (thingName: string) =>
      new UpdateThingShadowCommand({ thingName, payload: payloadOf({ state: { desired: { a: 1 } } }) });
    expect(jsonOf((await client.send(update('north-1'))).payload)).toMatchObject({ version: 1 });
    const [hidden, nobody] = [await failureOf(client.send(update('pump-1'))), await failureOf(client.send(update('nobody')))];
    expect(hidden).toEqual(nobody);
    expect(hidden.status).toBe(404);
    const publish = (topic: string) => client.send(new PublishCommand({ topic, payload: payloadOf({}) }));
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
  // What the state has changed comes to the trail a moment later.
  const kinds = async (): Promise<readonly string[]> => {
    const path = `/api/v1/audit?actor=${operator.id}`;
    const { items } = await fleet.ask<{ items: { actor: { kind: string } }[] }>('GET', path);
    return [...new Set(items.map(({ actor }) => actor.kind))];
  };
  await expect.poll(kinds).toEqual(['access-key']);
  const usedService = async (): Promise<string | undefined> => {
    const keys = await fleet.ask<{ items: { id: string; usedService?: string }[] }>('GET', '/api/v1/access-keys');
    return keys.items.find(({ id }) => id === operator.id)?.usedService;
  };
  await expect.poll(usedService).toBe('iotdata');
});
