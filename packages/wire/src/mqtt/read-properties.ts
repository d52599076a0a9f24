import { isValidTopicName } from '../topics/topic-name.ts';
import { malformed, MqttError, protocolError } from './mqtt-error.ts';
import type { PacketReader } from './packet-reader.ts';
import { PROPERTIES, type Property, type PropertyBag, type PropertyPlace } from './property-table.ts';
import { ReasonCode } from './reason-codes.ts';

/*
 *   property length   variable byte integer: the bytes of all that follow
 *   for each property
 *     identifier      variable byte integer; all are below 128
 *     value           1, 2 or 4 bytes, a variable byte integer, a string, binary data, or two strings
 */

/**
 * Reads a property length and the properties of a place: the caller knows that only the names of that place can be there.
 * @throws MqttError 0x81 for a property that has no business here, 0x82 for a duplicate or a value out of range, 0x94 for a topic alias of 0.
 */
export function readProperties(reader: PacketReader, place: PropertyPlace): PropertyBag {
  const length = reader.variableByteInteger();
  const bag: Record<string, unknown> = {};
  if (length === 0) return bag;
  const section = reader.section(length);
  const known = PROPERTIES[place];
  while (section.remaining > 0) {
    const id = section.u8();
    const property = known.find((candidate) => candidate.id === id);
    if (property === undefined) throw malformed('[MQTT-2.2.2.2]', `The property ${id} has no place in ${place}`);
    if (property.form === 'pair-list' || property.form === 'varint-list') {
      readIntoList(section, property, bag);
    } else {
      if (bag[property.name] !== undefined) throw protocolError(property.clause, `The property ${property.name} stands twice`);
      bag[property.name] = readValue(section, property);
    }
  }
  return bag;
}

function readIntoList(reader: PacketReader, property: Property, bag: Record<string, unknown>): void {
  const value =
    property.form === 'pair-list' ? [reader.string(), reader.string()] : nonzero(reader.variableByteInteger(), property);
  const list = bag[property.name];
  if (Array.isArray(list)) list.push(value);
  else bag[property.name] = [value];
}

function readValue(reader: PacketReader, property: Property): unknown {
  switch (property.form) {
    case 'flag':
      return readBit(reader, property) === 1;
    case 'bit':
      return readBit(reader, property);
    case 'u16':
      return reader.u16();
    case 'u16-nonzero':
      return nonzero(reader.u16(), property);
    case 'u32':
      return reader.u32();
    case 'u32-nonzero':
      return nonzero(reader.u32(), property);
    case 'varint-nonzero':
      return nonzero(reader.variableByteInteger(), property);
    case 'string':
      return reader.string();
    case 'topic':
      return readResponseTopic(reader);
    default:
      return reader.binary();
  }
}

function readBit(reader: PacketReader, property: Property): number {
  const value = reader.u8();
  if (value > 1) throw protocolError(property.clause, `The property ${property.name} is neither 0 nor 1`);
  return value;
}

function nonzero(value: number, property: Property): number {
  if (value !== 0) return value;
  if (property.name === 'topicAlias') throw new MqttError(ReasonCode.topicAliasInvalid, '[MQTT-3.3.2-8]', 'A topic alias is 0');
  throw protocolError(property.clause, `The property ${property.name} is 0`);
}

function readResponseTopic(reader: PacketReader): string {
  const topic = reader.string();
  if (!isValidTopicName(topic)) throw protocolError('[MQTT-3.3.2-14]', 'A response topic is not a topic name');
  return topic;
}
