import {
  DeleteThingShadowCommand,
  GetRetainedMessageCommand,
  GetThingShadowCommand,
  ListNamedShadowsForThingCommand,
  ListRetainedMessagesCommand,
  PublishCommand,
  UpdateThingShadowCommand,
} from '@aws-sdk/client-iot-data-plane';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AwsFleet, type AccessKey, failureOf, jsonOf, nextMessage, payloadOf, type Showing, textOf } from './aws.fixture.ts';

const fleet = new AwsFleet();
let operator: AccessKey;
beforeAll(async () => {
  await fleet.start('pump-1', 'pump-2', 'pump-3');
  operator = await fleet.newKey({ role: 'operator' });
});
afterAll(async () => await fleet.stop());

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
          (await client.send(new UpdateThingShadowCommand({ ...key, payload: payloadOf(document) }))).payload,
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
    const update = new UpdateThingShadowCommand({ thingName: 'pump-3', payload: payloadOf({ state: { desired: { a: 1 } } }) });
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
    await client.send(
      new UpdateThingShadowCommand({ thingName: 'pump-2', shadowName, payload: payloadOf({ state: { desired: { n: 1 } } }) }),
    );
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
    const subscriber = await fleet.connect('pump-1');
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
      const body = payloadOf({ flow: n + 0.5 });
      await fleet.dataPlane(showing).send(new PublishCommand({ topic: 'telemetry/pump-1', qos: 1, payload: body }));
      await expect
        .poll(async () => await fleet.selsyn.get<Record<string, unknown>>('/api/v1/devices/pump-1/telemetry/latest'))
        .toMatchObject({ flow: [expect.any(Number), n + 0.5] });
    }
  });

  it('that asks a shadow for something is done, and heard by whoever subscribes', async () => {
    const subscriber = await fleet.connect('pump-1');
    await subscriber.subscribeAsync('$aws/things/pump-1/shadow/name/web/update/accepted', { qos: 1 });
    const message = nextMessage(subscriber);
    const body = payloadOf({ state: { desired: { by: 'http' } }, clientToken: 'h1' });
    const topic = '$aws/things/pump-1/shadow/name/web/update';
    await fleet.dataPlane({ device: 'pump-1' }).send(new PublishCommand({ topic, qos: 1, payload: body }));
    expect(jsonOf((await message).payload as Buffer)).toMatchObject({ state: { desired: { by: 'http' } }, clientToken: 'h1' });
    await subscriber.endAsync();
  });

  it('goes nowhere that the policies of a device, or the server, forbid', async () => {
    const device = fleet.dataPlane({ device: 'pump-1' });
    const program = fleet.dataPlane({ key: operator });
    const publish = (topic: string, more: object = {}) => new PublishCommand({ topic, payload: payloadOf({}), ...more });
    for (const topic of [
      'devices/pump-2/x',
      'telemetry/pump-2',
      'elsewhere',
      '$SYS/broker/x',
      '$aws/events/presence/connected/x',
    ])
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
        // What the server says of itself is retained too, once there is something to say.
        if (topic.startsWith('$selsyn/')) continue;
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
    expect(textOf((await device.send(new GetRetainedMessageCommand({ topic: 'devices/pump-1/r1' }))).payload)).toBe(
      'devices/pump-1/r1',
    );
    const other = device.send(new GetRetainedMessageCommand({ topic: 'plant/r3' }));
    expect(await failureOf(other)).toMatchObject({ name: 'ForbiddenException' });
    for (const topic of topics) await client.send(new PublishCommand({ topic, qos: 1, retain: true }));
    const gone = client.send(new GetRetainedMessageCommand({ topic: 'plant/r3' }));
    expect(await failureOf(gone)).toMatchObject({ name: 'ResourceNotFoundException', status: 404 });
  });
});
