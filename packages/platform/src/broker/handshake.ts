import type { ConnackProperties, ConnectPacket } from '@selsyn/wire/mqtt/packets.ts';
import { ReasonCode } from '@selsyn/wire/mqtt/reason-codes.ts';
import { mayRetain, type Principal } from './authorizer.ts';
import type { BrokerLimits } from './limits.ts';
import { isReservedTopic } from './reserved-topics.ts';
import { levelsOf } from './topic-levels.ts';

/** The reason code that refuses a CONNECT before anybody asks who it is; undefined: it may go on. */
export function refusalOfConnect(packet: ConnectPacket): number | undefined {
  return packet.clientId.length > MAX_CLIENT_ID_LENGTH ? ReasonCode.clientIdentifierNotValid : undefined;
}

/** The reason code where there is no room for one more. Who comes back to its own session takes no more room than it had. */
export function refusalOfSession(
  found: { readonly connection: unknown } | undefined,
  { sessions, offlineSessions }: { readonly sessions: number; readonly offlineSessions: number },
  limits: BrokerLimits,
): number | undefined {
  if (sessions >= limits.maxConnections && found?.connection === undefined) return ReasonCode.serverBusy;
  return sessions + offlineSessions >= limits.maxSessions && found === undefined ? ReasonCode.quotaExceeded : undefined;
}

/** The reason code that refuses the will of a CONNECT. */
export function refusalOfWill(packet: ConnectPacket, principal: Principal, limits: BrokerLimits): number | undefined {
  const { will } = packet;
  if (will === undefined) return undefined;
  if (will.payload.length > limits.maxWillBytes) return ReasonCode.packetTooLarge;
  if (levelsOf(will.topic) > limits.maxTopicLevels) return ReasonCode.topicNameInvalid;
  const mayLeaveIt = principal.mayPublish(will.topic) && (!will.retain || mayRetain(principal, will.topic));
  return isReservedTopic(will.topic) || !mayLeaveIt ? ReasonCode.notAuthorized : undefined;
}

/** The keep-alive that holds, s; 0: none. A 5.0 client can be told another one than it asked for [MQTT-3.1.2-21]. */
export function keepAliveOf(packet: ConnectPacket, limits: BrokerLimits): number {
  const { keepAliveSec, version } = packet;
  const { keepAliveMaxSec } = limits;
  if (version === 4 || keepAliveMaxSec === 0) return keepAliveSec;
  return keepAliveSec === 0 ? keepAliveMaxSec : Math.min(keepAliveSec, keepAliveMaxSec);
}

/** How long the session may outlive the connection, s [MQTT-3.1.2-23]. 3.1.1 knows only for ever: as long as the server keeps any. */
export function sessionExpiryOf(packet: ConnectPacket, limits: BrokerLimits): number {
  const asked = packet.version === 5 ? (packet.properties.sessionExpirySec ?? 0) : packet.cleanStart ? 0 : Infinity;
  return Math.min(asked, limits.sessionExpiryMaxSec);
}

/** What a 5.0 client is told of this server. What it does not mention is as the standard assumes: QoS 2, retain, wildcards. */
export function connackProperties(packet: ConnectPacket, clientId: string, limits: BrokerLimits): ConnackProperties {
  if (packet.version === 4) return {};
  const keepAliveSec = keepAliveOf(packet, limits);
  const sessionExpirySec = sessionExpiryOf(packet, limits);
  return {
    receiveMaximum: limits.receiveMaximum,
    maxPacketBytes: limits.maxPacketBytes,
    topicAliasMaximum: limits.topicAliasMaximum,
    ...((packet.properties.sessionExpirySec ?? 0) !== sessionExpirySec && { sessionExpirySec }),
    ...(clientId !== packet.clientId && { assignedClientId: clientId }),
    ...(keepAliveSec !== packet.keepAliveSec && { serverKeepAliveSec: keepAliveSec }),
  };
}

const MAX_CLIENT_ID_LENGTH = 1_024;
