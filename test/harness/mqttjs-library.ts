import { connect, type IClientOptions, type IPublishPacket } from 'mqtt';
import type { ProtocolVersion } from '@selsyn/wire/mqtt/packets.ts';
import { type ClientLibrary, DOORS, type Heard, type MessageProperties, nodeTlsOptions } from './client-library.ts';

/** mqtt.js, which can do everything by every door. */
export function mqttjs(version: ProtocolVersion): ClientLibrary {
  return {
    name: `mqtt.js ${version === 5 ? '5.0' : '3.1.1'}`,
    version,
    doors: DOORS,
    maxQos: 2,
    open: async (way, { clientId, kept = false, will, account, alpn }) => {
      const options: IClientOptions = {
        protocolVersion: version,
        clientId,
        clean: !kept,
        reconnectPeriod: 0,
        ...nodeTlsOptions(way),
        ...(alpn === undefined ? {} : { ALPNProtocols: [alpn] }),
        ...account,
        ...(version === 5 && kept ? { properties: { sessionExpiryInterval: 3_600 } } : {}),
        ...(will === undefined ? {} : { will: { ...will, payload: Buffer.from(will.text) } }),
      };
      const client = connect(way.url, options);
      // A kept session may bring messages in the same piece as its CONNACK: they are listened for from the start.
      const heard: Heard[] = [];
      client.on('message', (_topic, _payload, packet) => heard.push(heardOf(packet)));
      const sessionPresent = await new Promise<boolean>((resolve, reject) => {
        client.once('connect', (connack) => resolve(connack.sessionPresent));
        client.once('error', reject);
        client.once('close', () => reject(new Error('the connection was closed')));
      });
      client.on('error', () => {});
      return {
        sessionPresent,
        heard,
        subscribe: async (filter, qos) => (await client.subscribeAsync(filter, { qos }))[0]?.qos ?? 0x80,
        publish: async (topic, text, { qos, retain = false, properties }) => {
          const carried = properties === undefined ? {} : { properties: propertiesToSend(properties) };
          await client.publishAsync(topic, text, { qos, retain, ...carried });
        },
        leave: async () => await client.endAsync(),
      };
    },
  };
}

function propertiesToSend(properties: MessageProperties): NonNullable<IPublishPacket['properties']> {
  const { contentType, responseTopic, correlationData, messageExpirySec, userProperties } = properties;
  return {
    ...(contentType === undefined ? {} : { contentType }),
    ...(responseTopic === undefined ? {} : { responseTopic }),
    ...(correlationData === undefined ? {} : { correlationData: Buffer.from(correlationData) }),
    ...(messageExpirySec === undefined ? {} : { messageExpiryInterval: messageExpirySec }),
    ...(userProperties === undefined ? {} : { userProperties: grouped(userProperties) }),
  };
}

/** mqtt.js has the values of one name in a list, so that their order among others is lost. */
function grouped(pairs: readonly (readonly [string, string])[]): Record<string, string[]> {
  const lists = new Map<string, string[]>();
  for (const [name, value] of pairs) lists.set(name, [...(lists.get(name) ?? []), value]);
  return Object.fromEntries(lists);
}

function heardOf({ topic, payload, qos, retain, properties }: IPublishPacket): Heard {
  const heard = { topic, text: payload.toString(), qos, retain };
  if (properties === undefined) return heard;
  const { contentType, responseTopic, correlationData, messageExpiryInterval, userProperties } = properties;
  return {
    ...heard,
    properties: {
      ...(contentType === undefined ? {} : { contentType }),
      ...(responseTopic === undefined ? {} : { responseTopic }),
      ...(correlationData === undefined ? {} : { correlationData: correlationData.toString() }),
      ...(messageExpiryInterval === undefined ? {} : { messageExpirySec: messageExpiryInterval }),
      ...(userProperties === undefined ? {} : { userProperties: flat(userProperties) }),
    },
  };
}

function flat(lists: Readonly<Record<string, string | readonly string[]>>): (readonly [string, string])[] {
  return Object.entries(lists).flatMap(([name, values]) => [values].flat().map((value) => [name, String(value)] as const));
}
