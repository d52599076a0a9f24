import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { connect, type IConnackPacket, type MqttClient } from 'mqtt';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { AuthPacket, ConnackPacket, ConnectPacket } from '@selsyn/wire/mqtt/packets.ts';
import { ScramClient } from '../../packages/platform/src/identity/scram-client.fixture.ts';
import { RawClient } from '../harness/mqtt-client.ts';
import { Selsyn } from '../harness/selsyn.ts';

const METHOD = 'SCRAM-SHA-256';
/** Reason codes of MQTT 5.0, section 2.4. */
const CONTINUE = 0x18;
const REAUTHENTICATE = 0x19;
const NOT_AUTHORIZED = 0x87;
const BAD_CREDENTIALS = 0x86;
const BAD_METHOD = 0x8c;
const NO_MATCHING_SUBSCRIBERS = 0x10;

describe('SCRAM-SHA-256 in token mode', () => {
  let selsyn: Selsyn;
  let token = '';
  const clients: MqttClient[] = [];
  beforeAll(async () => {
    selsyn = await Selsyn.start({ settings: ['gateway.threads=2'] });
    token = await selsyn.addDevice('boiler');
  });
  afterAll(async () => await selsyn[Symbol.asyncDispose]());
  afterEach(() => {
    for (const client of clients.splice(0)) client.end(true);
  });

  /** mqtt.js, which leaves the exchange to its user. @throws the refusal, with its reason code as `code` */
  const dial = async (
    username: string,
    password: string,
  ): Promise<{ client: MqttClient; connack: IConnackPacket; scram: ScramClient }> => {
    const scram = new ScramClient(username, password);
    const client = connect(selsyn.mqttUrl, {
      protocolVersion: 5,
      clientId: username,
      reconnectPeriod: 0,
      properties: { authenticationMethod: METHOD, authenticationData: Buffer.from(scram.first()) },
    });
    clients.push(client);
    client.handleAuth = (packet, done) => {
      const challenge = packet.properties?.authenticationData ?? Buffer.alloc(0);
      const authenticationData = Buffer.from(scram.final(challenge));
      done(undefined, { cmd: 'auth', reasonCode: CONTINUE, properties: { authenticationMethod: METHOD, authenticationData } });
    };
    const connack = await new Promise<IConnackPacket>((resolve, reject) => client.once('connect', resolve).once('error', reject));
    return { client, connack, scram };
  };

  it('lets mqtt.js in as the device, without its token on the wire, and shows that the server knows the token too', async () => {
    const { client, connack, scram } = await dial('boiler', token);
    expect(connack.properties?.authenticationMethod).toBe(METHOD);
    expect(scram.accepts(connack.properties?.authenticationData)).toBe(true);
    const heard = new Promise<string>((resolve) => client.once('message', (_topic, payload) => resolve(payload.toString())));
    const [granted] = await client.subscribeAsync('devices/boiler/#', { qos: 1 });
    expect(granted?.qos).toBe(1);
    await client.publishAsync('devices/boiler/state', 'on', { qos: 1 });
    expect(await heard).toBe('on');
    await expect(client.publishAsync('devices/other/state', 'on', { qos: 1 })).rejects.toMatchObject({ code: NOT_AUTHORIZED });
  });

  it('refuses another token, a device that is not there and one whose token has no SCRAM, all in the same way', async () => {
    // A token that is older than SCRAM has nothing in its columns.
    const oldToken = await selsyn.addDevice('older');
    const database = new DatabaseSync(join(selsyn.data, 'registry.db'), { timeout: 30_000 });
    database.exec(
      "update device_token set scram_salt = null, scram_iterations = null, scram_stored_key = null, scram_server_key = null where device_id = 'older'",
    );
    database.close();
    for (const [username, password] of [
      ['boiler', `${token}x`],
      ['nobody', token],
      ['older', oldToken],
    ] as const)
      await expect(dial(username, password)).rejects.toMatchObject({ code: BAD_CREDENTIALS });
    using plain = await RawClient.open({ port: selsyn.mqttPort });
    const connack = await plain.connect({ clientId: 'older', username: 'older', password: Buffer.from(oldToken) });
    expect(connack.reasonCode).toBe(0);
  });

  /** CONNECT, challenge, proof; the client of which a test controls every packet. */
  const enter = async (): Promise<RawClient> => {
    const client = await RawClient.open({ port: selsyn.mqttPort });
    const scram = new ScramClient('boiler', token);
    const challenge = client.answer('auth');
    const connack = client.connect({
      clientId: 'again',
      properties: { authenticationMethod: METHOD, authenticationData: scram.first() },
    } satisfies Partial<ConnectPacket>);
    client.send(auth(CONTINUE, scram.final(dataOf(await challenge))));
    expect(await connack).toMatchObject({ reasonCode: 0 } satisfies Partial<ConnackPacket>);
    return client;
  };

  it('proves itself again while messages flow [MQTT-4.12.1-1]', async () => {
    using client = await enter();
    const scram = new ScramClient('boiler', token, 'anotherNonceOfTheClient');
    const challenge = client.answer('auth');
    client.send(auth(REAUTHENTICATE, scram.first()));
    const first = await challenge;
    expect(first).toMatchObject({ reasonCode: CONTINUE, authenticationMethod: METHOD });
    expect(await client.publish('devices/boiler/state', 'between', { qos: 1 })).toBe(NO_MATCHING_SUBSCRIBERS);
    const success = client.answer('auth');
    client.send(auth(CONTINUE, scram.final(dataOf(first))));
    const last = await success;
    expect(last).toMatchObject({ reasonCode: 0, authenticationMethod: METHOD });
    expect(scram.accepts(dataOf(last))).toBe(true);
    await client.ping();
  });

  it('is disconnected where it cannot prove itself again [MQTT-4.12.1-2]', async () => {
    using client = await enter();
    const scram = new ScramClient('boiler', 'another token', 'anotherNonceOfTheClient');
    const challenge = client.answer('auth');
    client.send(auth(REAUTHENTICATE, scram.first()));
    client.send(auth(CONTINUE, scram.final(dataOf(await challenge))));
    await client.closed;
    expect(client.disconnected?.reasonCode).toBe(NOT_AUTHORIZED);
  });

  it('refuses any other method with 0x8C', async () => {
    using client = await RawClient.open({ port: selsyn.mqttPort });
    const connack = await client.connect({
      properties: { authenticationMethod: 'SCRAM-SHA-1', authenticationData: Buffer.from('n,,') },
    });
    expect(connack.reasonCode).toBe(BAD_METHOD);
  });
});

function auth(reasonCode: number, authenticationData: Uint8Array): AuthPacket {
  return { type: 'auth', reasonCode, authenticationMethod: METHOD, authenticationData };
}

function dataOf(packet: object): Uint8Array {
  return (packet as AuthPacket).authenticationData ?? new Uint8Array(); // the waiter is found by its type
}
