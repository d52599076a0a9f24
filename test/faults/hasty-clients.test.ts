import { connect } from 'node:net';
import { encodePacket } from '@selsyn/wire/mqtt/encoder.ts';
import type { OutgoingPacket } from '@selsyn/wire/mqtt/packets.ts';
import { describe, expect, it } from 'vitest';
import { RawClient } from '../harness/mqtt-client.ts';
import { eventually, Selsyn } from '../harness/selsyn.ts';

const CLIENTS = 40;

/** CONNECT, messages and DISCONNECT in one segment, and the end of the direction right behind: a client may do so [MQTT-3.1.4-5]. */
async function sendAndGo(port: number, packets: readonly OutgoingPacket[]): Promise<void> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  socket.resume();
  const closed = new Promise((resolve) => socket.once('close', resolve));
  socket.end(Buffer.concat(packets.map((packet) => encodePacket(packet, 4))));
  await closed;
}

describe('a client that sends everything at once and ends its direction', () => {
  for (const threads of [1, 2]) {
    for (const cleanStart of [true, false]) {
      it(`is heard all the same: ${threads} gateway thread(s), clean session ${cleanStart}`, async () => {
        await using selsyn = await Selsyn.start({ settings: ['access.mode=open', `gateway.threads=${threads}`] });
        using subscriber = await RawClient.connect({ port: selsyn.mqttPort });
        const heard = new Set<string>();
        subscriber.onPacket = (packet) => void (packet.type === 'publish' && heard.add(packet.text));
        await subscriber.subscribe([{ filter: 'hasty', qos: 1 }]);
        const wanted = Array.from({ length: CLIENTS }, (_, n) => [`${n} at QoS 0`, `${n} at QoS 1`]).flat();
        for (let n = 0; n < CLIENTS; n += 1) {
          await sendAndGo(selsyn.mqttPort, [
            {
              type: 'connect',
              version: 4,
              clientId: `hasty-${n}`,
              cleanStart,
              keepAliveSec: 0,
              username: undefined,
              password: undefined,
              will: undefined,
              properties: {},
            },
            { type: 'publish', topic: 'hasty', payload: Buffer.from(`${n} at QoS 0`), qos: 0 },
            { type: 'publish', topic: 'hasty', payload: Buffer.from(`${n} at QoS 1`), qos: 1, packetId: 1 },
            { type: 'disconnect', reasonCode: 0 },
          ]);
        }
        await eventually(async () => (heard.size === wanted.length ? true : undefined)).catch(() => {});
        expect(wanted.filter((text) => !heard.has(text))).toEqual([]);
      });
    }
  }
});
