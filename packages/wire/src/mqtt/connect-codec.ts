import { isValidTopicName } from '../topics/topic-name.ts';
import { type ConnackAnswer, malformed, MqttError, protocolError } from './mqtt-error.ts';
import type { PacketReader } from './packet-reader.ts';
import { firstByte } from './packet-type.ts';
import { writePacket } from './packet-writer.ts';
import type { ConnectPacket, ProtocolVersion, QoS, Will } from './packets.ts';
import { readProperties } from './read-properties.ts';
import { ConnectReturnCode, ReasonCode } from './reason-codes.ts';
import { writeProperties } from './write-properties.ts';

/*
 *   "MQTT"          string
 *   level           4 (3.1.1) or 5 (5.0)
 *   flags           user name | password | will retain | will QoS (2 bits) | will | clean start | 0
 *   keep alive      2 bytes, seconds
 *   properties      5.0
 *   client id       string
 *   will            where its flag is set: properties (5.0), topic string, payload
 *   user name       where its flag is set: string
 *   password        where its flag is set: binary data
 */
const RESERVED = 0x01;
const CLEAN_START = 0x02;
const WILL = 0x04;
const WILL_QOS_SHIFT = 3;
const WILL_RETAIN = 0x20;
const PASSWORD = 0x40;
const USER_NAME = 0x80;

/** Reads the body of a CONNECT. What it throws says which CONNACK to answer with, where one may be sent. */
export function readConnect(reader: PacketReader): ConnectPacket {
  const version = readVersion(reader);
  try {
    return readAfterVersion(reader, version);
  } catch (error) {
    if (!(error instanceof MqttError) || error.connack !== undefined || version === 4) throw error;
    throw new MqttError(error.reasonCode, error.clause, error.message, { version, code: error.reasonCode });
  }
}

export function encodeConnect(packet: ConnectPacket): Uint8Array {
  const { version, will } = packet;
  checkWill(will);
  if (version === 4)
    checkAsVersion4(packet.clientId, packet.cleanStart, packet.username !== undefined, packet.password !== undefined);
  if (version === 5) checkAuthentication(packet);
  return writePacket(firstByte('connect'), (writer) => {
    writer.string('MQTT');
    writer.u8(version);
    writer.u8(flagsOf(packet));
    writer.u16(packet.keepAliveSec);
    if (version === 5) writeProperties(writer, 'connect', packet.properties);
    writer.string(packet.clientId);
    if (will !== undefined) {
      if (version === 5) writeProperties(writer, 'will', will.properties);
      writer.string(will.topic);
      writer.binary(will.payload);
    }
    if (packet.username !== undefined) writer.string(packet.username);
    if (packet.password !== undefined) writer.binary(packet.password);
  });
}

function readVersion(reader: PacketReader): ProtocolVersion {
  const name = reader.string();
  // MQTT 3.1 had this name: its clients understand the return code. Another name is another protocol and gets no answer.
  if (name !== 'MQTT' && name !== 'MQIsdp')
    throw unsupported('[MQTT-3.1.2-1]', `The protocol name is ${JSON.stringify(name)}`, undefined);
  const level = reader.u8();
  if (name === 'MQTT' && (level === 4 || level === 5)) return level;
  // Bridges set bit 7 of the level and fall back to the plain one when they read the return code of 3.1.1.
  const answer: ConnackAnswer =
    level > 5 && level < 0x80
      ? { version: 5, code: ReasonCode.unsupportedProtocolVersion }
      : { version: 4, code: ConnectReturnCode.unacceptableProtocolVersion };
  throw unsupported('[MQTT-3.1.2-2]', `The protocol level of ${name} is ${level}`, answer);
}

function unsupported(clause: string, message: string, answer: ConnackAnswer | undefined): MqttError {
  return new MqttError(ReasonCode.unsupportedProtocolVersion, clause, message, answer);
}

function readAfterVersion(reader: PacketReader, version: ProtocolVersion): ConnectPacket {
  const flags = reader.u8();
  checkFlags(flags);
  const keepAliveSec = reader.u16();
  const properties = version === 5 ? readProperties(reader, 'connect') : {};
  const clientId = reader.string();
  const will = (flags & WILL) !== 0 ? readWill(reader, flags, version) : undefined;
  const username = (flags & USER_NAME) !== 0 ? reader.string() : undefined;
  const password = (flags & PASSWORD) !== 0 ? reader.binary() : undefined;
  reader.expectEnd();
  const cleanStart = (flags & CLEAN_START) !== 0;
  const packet: ConnectPacket = {
    type: 'connect',
    version,
    clientId,
    cleanStart,
    keepAliveSec,
    username,
    password,
    will,
    properties,
  };
  if (version === 4) checkAsVersion4(clientId, cleanStart, username !== undefined, password !== undefined);
  else checkAuthentication(packet);
  return packet;
}

function readWill(reader: PacketReader, flags: number, version: ProtocolVersion): Will {
  const properties = version === 5 ? readProperties(reader, 'will') : {};
  const topic = reader.string();
  const payload = reader.binary();
  const qos = ((flags >> WILL_QOS_SHIFT) & 3) as QoS; // 3 was refused with the flags
  const will: Will = { topic, payload, qos, retain: (flags & WILL_RETAIN) !== 0, properties };
  checkWill(will);
  return will;
}

function checkFlags(flags: number): void {
  if ((flags & RESERVED) !== 0) throw malformed('[MQTT-3.1.2-3]', 'The reserved flag of a CONNECT is set');
  const willQos = (flags >> WILL_QOS_SHIFT) & 3;
  if (willQos === 3) throw malformed('[MQTT-3.1.2-12]', 'The will has QoS 3');
  if ((flags & WILL) !== 0) return;
  if (willQos !== 0) throw malformed('[MQTT-3.1.2-11]', 'A CONNECT without a will has a will QoS');
  if ((flags & WILL_RETAIN) !== 0) throw malformed('[MQTT-3.1.2-13]', 'A CONNECT without a will has will retain');
}

function checkWill(will: Will | undefined): void {
  if (will === undefined || isValidTopicName(will.topic)) return;
  throw new MqttError(ReasonCode.topicNameInvalid, '[MQTT-4.7.0-1]', 'The topic of a will is not a topic name');
}

function checkAsVersion4(clientId: string, cleanStart: boolean, hasUsername: boolean, hasPassword: boolean): void {
  // Clause of 3.1.1; 5.0 allows a password alone.
  if (hasPassword && !hasUsername) throw malformed('[MQTT-3.1.2-22]', 'A CONNECT has a password but no user name');
  // Clauses of 3.1.1; 5.0 lets the server assign an id to a session that lasts.
  if (clientId === '' && !cleanStart) {
    const answer: ConnackAnswer = { version: 4, code: ConnectReturnCode.identifierRejected };
    throw new MqttError(ReasonCode.clientIdentifierNotValid, '[MQTT-3.1.3-8]', 'A session to be kept has no client id', answer);
  }
}

function checkAuthentication(packet: ConnectPacket): void {
  if (packet.properties.authenticationData === undefined || packet.properties.authenticationMethod !== undefined) return;
  throw protocolError('[MQTT-3.1.2.11.10]', 'A CONNECT has authentication data but no method');
}

function flagsOf(packet: ConnectPacket): number {
  let flags = packet.cleanStart ? CLEAN_START : 0;
  if (packet.will !== undefined) flags |= WILL | (packet.will.qos << WILL_QOS_SHIFT) | (packet.will.retain ? WILL_RETAIN : 0);
  if (packet.password !== undefined) flags |= PASSWORD;
  if (packet.username !== undefined) flags |= USER_NAME;
  return flags;
}
