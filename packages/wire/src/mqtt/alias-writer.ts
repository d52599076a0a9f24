import type { EncodedPublish } from './publish-writer.ts';
import { packetSize, writeU16 } from './packet-writer.ts';
import { variableByteIntegerLength, writeVariableByteInteger } from './variable-byte-integer.ts';

/**
 * Makes another packet of an encoded PUBLISH of 5.0 without a topic alias: with one, and with the topic name (which tells the
 * receiver what the alias means) or without it. Nothing is encoded anew: what follows is copied.
 *
 * ```
 *   0x3. | remaining length | topic (2 + n) | packet id (2, QoS 1 and 2) | property length | properties      | payload
 *   0x3. | remaining length | topic or 0 0  | packet id                  | + 3             | 0x23 alias, ... | payload
 * ```
 */
export function withTopicAlias(publish: EncodedPublish, alias: number, withTopic: boolean): EncodedPublish {
  const { bytes, packetIdAt } = publish;
  const topicAt = endOfVariableByteInteger(bytes, 1);
  const topicEnd = topicAt + 2 + ((bytes[topicAt]! << 8) | bytes[topicAt + 1]!);
  const propertiesAt = packetIdAt < 0 ? topicEnd : topicEnd + 2;
  const restAt = endOfVariableByteInteger(bytes, propertiesAt);
  const propertyBytes = readVariableByteInteger(bytes, propertiesAt) + ALIAS_BYTES;

  const topicSize = withTopic ? topicEnd - topicAt : 2;
  const packetIdSize = propertiesAt - topicEnd;
  const remainingLength =
    topicSize + packetIdSize + variableByteIntegerLength(propertyBytes) + ALIAS_BYTES + bytes.length - restAt;
  const into = new Uint8Array(packetSize(remainingLength));
  into[0] = bytes[0]!;
  let at = writeVariableByteInteger(into, 1, remainingLength);
  if (withTopic) into.set(bytes.subarray(topicAt, topicEnd), at);
  at += topicSize;
  const newPacketIdAt = packetIdAt < 0 ? -1 : at;
  if (packetIdSize > 0) {
    into[at] = bytes[packetIdAt]!;
    into[at + 1] = bytes[packetIdAt + 1]!;
  }
  at = writeVariableByteInteger(into, at + packetIdSize, propertyBytes);
  into[at] = TOPIC_ALIAS;
  writeU16(into, at + 1, alias);
  into.set(bytes.subarray(restAt), at + ALIAS_BYTES);
  return { bytes: into, packetIdAt: newPacketIdAt };
}

/** The identifier of the property, and two bytes. */
const ALIAS_BYTES = 3;
const TOPIC_ALIAS = 0x23;

function endOfVariableByteInteger(bytes: Uint8Array, at: number): number {
  let end = at;
  while ((bytes[end]! & 0x80) !== 0) end++;
  return end + 1;
}

function readVariableByteInteger(bytes: Uint8Array, at: number): number {
  let value = 0;
  let shift = 0;
  for (let i = at; ; i++) {
    const byte = bytes[i]!; // the packet was encoded here
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return value;
    shift += 7;
  }
}
