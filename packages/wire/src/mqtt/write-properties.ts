import { isValidTopicName } from '../topics/topic-name.ts';
import { MqttError, protocolError } from './mqtt-error.ts';
import { PacketWriter } from './packet-writer.ts';
import { PROPERTIES, type Property, type PropertyBag, type PropertyPlace } from './property-table.ts';
import { ReasonCode } from './reason-codes.ts';

/**
 * Writes the property length and those properties of a place that the object has; other fields of it are left alone.
 * @throws MqttError where a value is not one that may be sent.
 */
export function writeProperties(writer: PacketWriter, place: PropertyPlace, properties: PropertyBag): void {
  const measure = new PacketWriter();
  writeEach(measure, place, properties);
  writer.variableByteInteger(measure.at);
  if (measure.at > 0) writeEach(writer, place, properties);
}

/** Whether the object has any property of the place. */
export function hasProperties(place: PropertyPlace, properties: PropertyBag): boolean {
  return PROPERTIES[place].some((property) => {
    const value = properties[property.name];
    return value !== undefined && !(isList(property) && Array.isArray(value) && value.length === 0);
  });
}

function writeEach(writer: PacketWriter, place: PropertyPlace, properties: PropertyBag): void {
  for (const property of PROPERTIES[place]) {
    const value: unknown = properties[property.name];
    if (value === undefined) continue;
    if (isList(property)) {
      for (const item of value as readonly unknown[]) writeOne(writer, property, item);
    } else {
      writeOne(writer, property, value);
    }
  }
}

function isList(property: Property): boolean {
  return property.form === 'pair-list' || property.form === 'varint-list';
}

/** The table pairs each name with its form, which PropertyBag states once more as a type: hence the assertions. */
function writeOne(writer: PacketWriter, property: Property, value: unknown): void {
  writer.u8(property.id);
  switch (property.form) {
    case 'flag':
      return writer.u8(value === true ? 1 : 0);
    case 'bit':
      if (value !== 0 && value !== 1) throw protocolError(property.clause, `The property ${property.name} is neither 0 nor 1`);
      return writer.u8(value);
    case 'u16':
      return writer.u16(value as number);
    case 'u16-nonzero':
      return writer.u16(nonzero(value as number, property));
    case 'u32':
      return writer.u32(value as number);
    case 'u32-nonzero':
      return writer.u32(nonzero(value as number, property));
    case 'varint-nonzero':
    case 'varint-list':
      return writer.variableByteInteger(nonzero(value as number, property));
    case 'topic':
      if (!isValidTopicName(value as string)) throw protocolError('[MQTT-3.3.2-14]', 'A response topic is not a topic name');
      return writer.string(value as string);
    case 'string':
      return writer.string(value as string);
    case 'binary':
      return writer.binary(value as Uint8Array);
    case 'pair-list': {
      const [name, text] = value as readonly [string, string];
      writer.string(name);
      return writer.string(text);
    }
  }
}

function nonzero(value: number, property: Property): number {
  if (value !== 0) return value;
  if (property.name === 'topicAlias') throw new MqttError(ReasonCode.topicAliasInvalid, '[MQTT-3.3.2-8]', 'A topic alias is 0');
  throw protocolError(property.clause, `The property ${property.name} is 0`);
}
