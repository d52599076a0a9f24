import { encode } from 'cborg';
import type { ClientLink } from '../state/client-link.ts';
import type { OutgoingMessage } from '../state/outgoing.ts';
import type { CommandRecord } from './command.ts';
import { answerTopic, commandTopic, type Flavour } from './command-topics.ts';

/**
 * A command as its device reads it:
 *
 * ```
 * selsyn       {"id":"01J…","name":"reboot","payload":{…},"createdAtMs":…,"expiresAtMs":…}
 *              MQTT 5: response topic devices/D/commands/C/answer, correlation data C
 * aws          the payload alone, in JSON or CBOR; the id is in the topic
 * thingsboard  {"method":"reboot","params":{…}}; the number is in the topic
 * ```
 * With MQTT 5 the user property `name` is in all of them, and the broker gives the message up when the command may not be sent any more.
 *
 * @param payload JSON text; undefined: none.
 */
export function commandMessage(
  record: CommandRecord,
  payload: string | undefined,
  flavour: Flavour,
  to: ClientLink,
  nowMs: number,
): OutgoingMessage {
  const { id, device, name } = record;
  const isOwn = flavour === 'selsyn';
  return {
    device,
    topic: commandTopic(flavour, record),
    payload: bodyOf(record, payload, flavour),
    to,
    receipt: id,
    properties: {
      contentType: flavour === 'aws-cbor' ? 'application/cbor' : 'application/json',
      expirySec: Math.max(1, Math.ceil((record.sendUntilMs - nowMs) / 1_000)),
      userProperties: [['name', name]],
      ...(isOwn && !record.oneWay && { responseTopic: answerTopic(record), correlationData: Buffer.from(id) }),
    },
  };
}

function bodyOf(record: CommandRecord, payload: string | undefined, flavour: Flavour): Uint8Array {
  switch (flavour) {
    case 'selsyn': {
      const { id, name, createdAtMs, expiresAtMs } = record;
      const head = `{"id":"${id}","name":${JSON.stringify(name)},`;
      const middle = payload === undefined ? '' : `"payload":${payload},`;
      return Buffer.from(`${head}${middle}"createdAtMs":${createdAtMs},"expiresAtMs":${expiresAtMs}}`);
    }
    case 'aws-json':
      return Buffer.from(payload ?? '{}');
    case 'aws-cbor':
      return encode(payload === undefined ? {} : JSON.parse(payload));
    case 'thingsboard':
      return Buffer.from(`{"method":${JSON.stringify(record.name)},"params":${payload ?? '{}'}}`);
  }
}
