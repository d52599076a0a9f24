import type { OutgoingPacket } from '@selsyn/wire/mqtt/packets.ts';
import { isReasonCodeOf } from '@selsyn/wire/mqtt/reason-codes.ts';
import { describe, expect, it } from 'vitest';
import { connectOf, subscribeOf, TestClient, type TestBroker } from '../../packages/platform/src/broker/broker.fixture.ts';
import { arrive, expectClosed, openBroker, packetOf, packetsAsBytes, types } from './conformance.fixture.ts';

/** Each is answered by a refusal, by which the server could say more than a code. */
const PROVOCATIONS: readonly (readonly [answer: string, request: OutgoingPacket])[] = [
  ['puback', { type: 'publish', topic: 'secret', payload: new Uint8Array(), qos: 1, packetId: 1 }],
  ['pubrec', { type: 'publish', topic: 'secret', payload: new Uint8Array(), qos: 2, packetId: 2 }],
  ['pubcomp', { type: 'pubrel', packetId: 3, reasonCode: 0 }],
  ['pubrel', { type: 'pubrec', packetId: 4, reasonCode: 0 }],
  ['suback', subscribeOf('secret')],
  ['unsuback', { type: 'unsubscribe', packetId: 5, filters: ['never'] }],
  ['disconnect', connectOf(5)],
];

/** The smallest maximum packet size with which the server lets a client in. */
async function smallestSize(test: TestBroker): Promise<number> {
  for (let size = 5; size < 200; size++) {
    const { connack, client } = await arrive(test, 5, { clientId: 's', properties: { maxPacketBytes: size } }).catch(() => ({
      connack: undefined,
      client: undefined,
    }));
    client?.transport.destroy();
    if (connack?.reasonCode === 0) return size;
  }
  throw new Error('nobody was let in');
}

describe('a packet with a reason', () => {
  it.each([
    ['puback: [MQTT-3.4.2-2] [MQTT-3.4.2-3]'],
    ['pubrec: [MQTT-3.5.2-2] [MQTT-3.5.2-3]'],
    ['pubrel: [MQTT-3.6.2-2] [MQTT-3.6.2-3]'],
    ['pubcomp: [MQTT-3.7.2-2] [MQTT-3.7.2-3]'],
    ['suback: [MQTT-3.9.2-1] [MQTT-3.9.2-2]'],
    ['unsuback: [MQTT-3.11.2-1] [MQTT-3.11.2-2]'],
    ['disconnect: [MQTT-3.14.2-3] [MQTT-3.14.2-4]'],
  ])('is no larger than the client takes, whatever else it could say, %s [MQTT-3.1.2-24]', async (name) => {
    const [answer, request] = PROVOCATIONS.find(([type]) => name.startsWith(`${type}:`))!;
    const test = await openBroker();
    const smallest = await smallestSize(test);
    for (let maxPacketBytes = smallest; maxPacketBytes < smallest + 60; maxPacketBytes += 3) {
      const client = await test.connect(5, { properties: { maxPacketBytes } });
      client.send(request);
      const [bytes = new Uint8Array(), ...more] = await packetsAsBytes(client);
      expect(bytes.length).toBeLessThanOrEqual(maxPacketBytes);
      expect(more).toEqual([]);
      const same = await test.connect(5, { properties: { maxPacketBytes } });
      same.send(request);
      expect(types(await same.take())).toEqual([answer]);
    }
  });

  it('says nothing but its code where the client does not want to know, other than in CONNACK and DISCONNECT [MQTT-3.1.2-29]', async () => {
    const { connect } = await openBroker();
    const client = await connect(5, { properties: { requestProblemInformation: false } });
    for (const [answer, request] of PROVOCATIONS) {
      client.send(request);
      const [got] = await client.take();
      expect(got?.type).toBe(answer);
      if (answer === 'disconnect') continue;
      expect(got).not.toHaveProperty('reasonString');
      expect(got).not.toHaveProperty('userProperties');
    }
  });

  it.each([
    ['puback: [MQTT-3.4.2-1]', 'received'],
    ['pubrec: [MQTT-3.5.2-1]', 'received'],
    ['pubrel: [MQTT-3.6.2-1]', 'released'],
    ['pubcomp: [MQTT-3.7.2-1]', 'released'],
    ['disconnect: [MQTT-3.14.2-1]', 'disconnect'],
  ] as const)('has a code of its list, %s', async (name, place) => {
    const { connect } = await openBroker();
    const client = await connect(5);
    client.send(PROVOCATIONS.find(([type]) => name.startsWith(`${type}:`))![1]);
    const [got] = await client.take();
    expect(got !== undefined && 'reasonCode' in got && isReasonCodeOf(place, got.reasonCode)).toBe(true);
  });

  it.each([
    ['PUBACK [MQTT-3.4.2-1]', packetOf(0x40, 0, 1, 0x92)],
    ['PUBREC [MQTT-3.5.2-1]', packetOf(0x50, 0, 1, 0x92)],
    ['PUBREL [MQTT-3.6.2-1]', packetOf(0x62, 0, 1, 0x10)],
    ['PUBCOMP [MQTT-3.7.2-1]', packetOf(0x70, 0, 1, 0x97)],
    ['DISCONNECT [MQTT-3.14.2-1]', packetOf(0xe0, 0x05)],
  ])('of a client, with a code that its list has not, closes the connection: %s', async (_name, bytes) => {
    const { connect } = await openBroker();
    const client = await connect(5);
    client.sendBytes(bytes);
    await expectClosed(client, 0x82);
  });

  it('is left out where it fits in no form, and the message counts as delivered [MQTT-3.1.2-24] [MQTT-3.1.2-25]', async () => {
    const test = await openBroker();
    const client = await test.connect(5, { clientId: 's', properties: { maxPacketBytes: 100, receiveMaximum: 1 } });
    client.send(subscribeOf('a', 2));
    await client.take();
    const publisher = await test.connect(5, { clientId: 'p' });
    for (const [i, size] of [200, 90, 91, 500].entries()) {
      publisher.publish('a', 'x'.repeat(size), { qos: 1, packetId: i + 1, properties: {} });
    }
    expect((await publisher.take()).map((packet) => 'reasonCode' in packet && packet.reasonCode)).toEqual([0, 0, 0, 0]);
    for (let i = 0; i < 2; i++) {
      const [bytes = new Uint8Array(), ...more] = await packetsAsBytes(client);
      expect(more).toEqual([]);
      expect(bytes.length).toBeLessThanOrEqual(100);
      expect(bytes.length).toBe(98 + i);
      client.sendBytes(packetOf(0x40, bytes[5]!, bytes[6]!));
    }
    publisher.publish('a', 'next', { qos: 1, packetId: 9 });
    expect(await client.texts()).toEqual(['next']);
  });

  it('that a client gets is told it before the connection is closed [MQTT-4.13.2-1] [MQTT-3.14.0-1]', async () => {
    const { broker } = await openBroker();
    const client = new TestClient(broker, 5);
    client.send(connectOf(5));
    client.sendBytes(packetOf(0x36));
    expect(await client.take()).toMatchObject([
      { type: 'connack', reasonCode: 0 },
      { type: 'disconnect', reasonCode: 0x81 },
    ]);
    expect(client.transport.ended).toBe(true);
  });
});
