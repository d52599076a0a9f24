import { ReasonCode } from '@selsyn/wire/mqtt/reason-codes.ts';
import type { CloseReason } from './close-reasons.ts';

/** Why a connection ended, for people. */
export const CLOSE_WORDS: Readonly<Record<CloseReason, string>> = {
  'client-disconnect': 'the client said goodbye',
  'client-disconnect-with-will': 'the client said goodbye and asked for its will to be published',
  'connection-lost': 'the connection was lost or closed by the client without a goodbye',
  'taken-over': 'another connection came with the same client id',
  'keep-alive': 'nothing came within one and a half times the keep-alive',
  malformed: 'a packet was malformed',
  'protocol-error': 'the client broke the protocol',
  'packet-too-large': 'a packet was larger than allowed',
  'receive-maximum': 'more messages were unacknowledged than the receive maximum allows',
  'topic-alias': 'a topic alias was not valid',
  'topic-invalid': 'a topic name or filter was not valid, or had too many levels',
  'not-authorized': 'it published where it may not',
  'slow-subscriber': 'it did not read its messages, and its queue was full',
  'not-reading': 'it did not read what it was answered',
  'packet-too-slow': 'a packet came in too slowly',
  'no-room':
    'there was no room for a message: in the log, or in the queue of a subscriber; a 3.1.1 client cannot be told otherwise',
  'payload-invalid': 'a payload was not of the format that its publisher said',
  'reauthentication-failed': 'it could not authenticate again',
  'access-withdrawn': 'its credential was revoked or has expired, or it may not connect any more',
  'log-failed': 'a message could not be stored',
  administrative: 'an administrator closed it, or its credential was taken back',
  'server-shutdown': 'the server stopped',
  internal: 'the server failed: its log lines tell why',
};

/** The name of a reason code of MQTT 5.0, section 2.4, as `0x87 not authorized`. */
export function codeWords(code: number): string {
  const hex = `0x${code.toString(16).padStart(2, '0')}`;
  const name = NAMES.get(code);
  return name === undefined ? hex : `${hex} ${name}`;
}

/** `sessionTakenOver` -> `session taken over` */
const NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(ReasonCode).map(([name, code]) => [code, name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)]),
);
