import { encodePacket } from '@selsyn/wire/mqtt/encoder.ts';
import type { Will } from '@selsyn/wire/mqtt/packets.ts';
import { isSelsynError } from '../kernel/errors.ts';
import type { Principal } from './authorizer.ts';
import type { BrokerCore } from './broker-core.ts';
import { copyBytes } from './copy-bytes.ts';
import type { Claim } from './intake.ts';
import { Message } from './message.ts';

/** A will that keeps nothing of the chunk it came in. */
export function keepWill(will: Will): Will {
  const { correlationData, ...properties } = will.properties;
  return {
    ...will,
    payload: copyBytes(will.payload, 0, will.payload.length),
    properties: correlationData === undefined ? properties : { ...properties, correlationData: Uint8Array.from(correlationData) },
  };
}

/** The PUBLISH that a will is stored as; its delay is apart. */
export function willPacket({ topic, payload, qos, retain, properties }: Will): Uint8Array {
  const { willDelayIntervalSec: _delay, ...rest } = properties;
  return encodePacket({ type: 'publish', topic, payload, qos, retain, packetId: qos === 0 ? 0 : 1, properties: rest }, 5);
}

/** The will that was stored so. */
export function storedWill(core: BrokerCore, packet: Uint8Array, delaySec: number): Will {
  const { topic, payload, qos, retain, properties, expiresAtMs } = core.messages.read(packet, 0);
  const messageExpirySec = expiresAtMs === Infinity ? undefined : expiresAtMs / 1_000;
  return {
    topic: topic.name,
    payload,
    qos,
    retain,
    properties: {
      ...properties,
      ...(messageExpirySec !== undefined && { messageExpirySec }),
      ...(delaySec > 0 && { willDelayIntervalSec: delaySec }),
    },
  };
}

/**
 * Publishes the will of a session: to the platform where it is a request; else to the intake, as a retained message, to subscribers,
 * like any message of its client.
 */
export function publishWill(
  core: BrokerCore,
  session: { readonly key: string; readonly clientId: string; readonly principal: Principal },
  will: Will,
): void {
  const { requests } = core;
  if (requests?.handles(will.topic) === true) {
    const { key: client, clientId, principal } = session;
    const request = { client, clientId, principal, remoteAddress: '', topic: will.topic, payload: will.payload };
    // Its client has gone: nobody hears the answers.
    requests.answer(request).catch((error: unknown) => {
      core.logLines.error({ err: error, client: clientId, topic: will.topic }, 'a request could not be answered');
    });
    return;
  }
  const { willDelayIntervalSec: _delay, ...properties } = will.properties;
  const name = new TextEncoder().encode(will.topic);
  const topic = core.topics.intern(name, 0, name.length);
  const message = new Message(topic, will.payload, will, properties, core.clock.monotonicMs(), session.key);
  const claim = core.intake?.claim(session.principal, will.topic);
  if (claim !== undefined) offer(core, claim, will.payload);
  if (will.retain && !core.retained.publish(message)) core.counters.dropped['retained-full']++;
  core.deliver(message, core.subscriptions.match(topic));
}

/** Nobody waits for an answer: a refusal is counted. */
function offer(core: BrokerCore, claim: Claim, payload: Uint8Array): void {
  try {
    core.intake?.accept(claim, payload, 0, payload.length);
  } catch (error) {
    if (!isSelsynError(error)) throw error;
    core.counters.dropped['log-rejected']++;
  }
}
