import { describe, expect, it } from 'vitest';
import { subscribeOf } from '../../packages/platform/src/broker/broker.fixture.ts';
import { expectClosed, expectOpen, openBroker, publishHeads, types } from './conformance.fixture.ts';

describe('the window of a client', () => {
  it('holds no more than its receive maximum unacknowledged, at QoS 1 and 2 together [MQTT-3.3.4-9] [MQTT-4.9.0-1] [MQTT-4.9.0-2]', async () => {
    for (const receiveMaximum of [1, 3, 10]) {
      const { connect } = await openBroker();
      const client = await connect(5, { clientId: 's', properties: { receiveMaximum } });
      client.send(subscribeOf('a', 2));
      await client.take();
      const publisher = await connect(5, { clientId: 'p' });
      for (let i = 1; i <= 30; i++) publisher.publish('a', String(i), { qos: i % 2 === 0 ? 1 : 2, packetId: i });
      const unacknowledged: { qos: number; packetId: number }[] = [];
      let got = 0;
      while (got < 30) {
        const heads = await publishHeads(client);
        got += heads.length;
        unacknowledged.push(...heads);
        // All that it may, and no more.
        expect(unacknowledged.length).toBe(Math.min(receiveMaximum, 30 - got + unacknowledged.length));
        const { qos, packetId } = unacknowledged.shift()!;
        if (qos === 1) client.send({ type: 'puback', packetId, reasonCode: 0 });
        else {
          client.send({ type: 'pubrec', packetId, reasonCode: 0 });
          // PUBREC alone gives nothing back.
          expect(types(await client.take())).toEqual(['pubrel']);
          client.send({ type: 'pubcomp', packetId, reasonCode: 0 });
        }
      }
    }
  });

  it('is given back by a PUBREC of 0x80 or above [MQTT-3.3.4-9] [MQTT-4.9.0-2]', async () => {
    const { connect } = await openBroker();
    const client = await connect(5, { clientId: 's', properties: { receiveMaximum: 1 } });
    client.send(subscribeOf('a', 2));
    await client.take();
    const publisher = await connect(5, { clientId: 'p' });
    for (let i = 1; i <= 3; i++) publisher.publish('a', String(i), { qos: 2, packetId: i });
    for (let i = 1; i <= 3; i++) {
      const [head, ...more] = await publishHeads(client);
      expect(more).toEqual([]);
      client.send({ type: 'pubrec', packetId: head?.packetId ?? 0, reasonCode: 0x80 });
    }
    expect(await client.take()).toEqual([]);
  });

  it('that is full holds back nothing else [MQTT-3.3.4-10] [MQTT-4.9.0-3]', async () => {
    const { connect } = await openBroker();
    const client = await connect(5, { clientId: 's', properties: { receiveMaximum: 1 } });
    client.send(subscribeOf('a', 2));
    await client.take();
    const publisher = await connect(5, { clientId: 'p' });
    for (let i = 1; i <= 5; i++) publisher.publish('a', String(i), { qos: 1, packetId: i });
    expect((await publishHeads(client)).length).toBe(1);
    publisher.publish('a', 'without a window', { qos: 0 });
    client.send({ type: 'pingreq' }, subscribeOf('b', 1), { type: 'unsubscribe', packetId: 9, filters: ['c'] });
    client.publish('d', 'x', { qos: 1, packetId: 1 });
    client.publish('d', 'x', { qos: 2, packetId: 2 });
    client.send({ type: 'pubrel', packetId: 2, reasonCode: 0 });
    expect(types(await client.take())).toEqual(['publish', 'pingresp', 'suback', 'unsuback', 'puback', 'pubrec', 'pubcomp']);
  });
});

describe('the window of the server', () => {
  it('is told, taken to the full, and closes on more [MQTT-3.3.4-7] [MQTT-4.9.0-2]', async () => {
    const { connect } = await openBroker({ limits: { receiveMaximum: 4 } });
    const client = await connect(5);
    for (let i = 1; i <= 4; i++) client.publish('telemetry/x', 'x', { qos: i % 2 === 0 ? 1 : 2, packetId: i });
    await expectOpen(client);
    client.publish('telemetry/x', 'one too many', { qos: 1, packetId: 5 });
    await expectClosed(client, 0x93);
  });

  it('that is full holds back nothing else [MQTT-3.3.4-8] [MQTT-4.9.0-3]', async () => {
    const { connect } = await openBroker({ limits: { receiveMaximum: 1 } });
    const client = await connect(5);
    client.publish('telemetry/x', 'x', { qos: 1, packetId: 1 });
    client.send(subscribeOf('a'), { type: 'unsubscribe', packetId: 2, filters: ['a'] }, { type: 'pingreq' });
    expect(types(await client.take())).toEqual(['suback', 'unsuback', 'pingresp']);
  });

  it('is given back by every acknowledgement [MQTT-3.3.4-7] [MQTT-4.9.0-1]', async () => {
    const { connect, intake } = await openBroker({ limits: { receiveMaximum: 2 } });
    const client = await connect(5);
    for (let round = 0; round < 10; round++) {
      client.publish('telemetry/x', 'x', { qos: 1, packetId: 1 });
      client.publish('telemetry/x', 'x', { qos: 2, packetId: 2 });
      intake.settle();
      client.send({ type: 'pubrel', packetId: 2, reasonCode: 0 });
      expect(types(await client.take())).toEqual(['puback', 'pubrec', 'pubcomp']);
      client.publish('secret', 'x', { qos: 2, packetId: 3 });
      expect(types(await client.take())).toEqual(['pubrec']);
    }
    await expectOpen(client);
  });
});
