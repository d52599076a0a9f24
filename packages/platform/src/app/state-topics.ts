import type { RequestAnswer } from '../broker/requests.ts';
import { failedCommand, isCommandFilter, isCommandTopic, throttledCommand } from '../commands/command-topics.ts';
import { failedJob, isJobTopic, throttledJob } from '../jobs/job-topics.ts';
import { failedShadow, isShadowFilter, isShadowTopic, throttledShadow } from '../shadows/shadow-topics.ts';

/** One kind of state, as a gateway thread knows it. */
interface TopicsOfKind {
  handles(topic: string): boolean;
  /** Undefined: what is published there is not refused for being too much. */
  throttled(topic: string, payload: Uint8Array, nowMs: number): RequestAnswer | undefined;
  /** Undefined: there is no topic on which to say so. */
  failed(topic: string, payload: Uint8Array, nowMs: number): RequestAnswer | undefined;
}

const KINDS: readonly TopicsOfKind[] = [
  { handles: isShadowTopic, throttled: throttledShadow, failed: failedShadow },
  { handles: isCommandTopic, throttled: throttledCommand, failed: failedCommand },
  { handles: isJobTopic, throttled: throttledJob, failed: failedJob },
];

/** Whether a client that publishes to the topic asks the state. */
export function isStateTopic(topic: string): boolean {
  return KINDS.some((kind) => kind.handles(topic));
}

/** Whether the state wants to hear of a subscription. */
export function isStateFilter(filter: string): boolean {
  return isShadowFilter(filter) || isCommandFilter(filter);
}

/** For a client with too many requests in flight. Undefined: it is to be taken all the same. */
export function throttledRequest(topic: string, payload: Uint8Array, nowMs: number): readonly RequestAnswer[] | undefined {
  const answer = KINDS.find((kind) => kind.handles(topic))?.throttled(topic, payload, nowMs);
  return answer === undefined ? undefined : [answer];
}

/** For a request that could not be done. Undefined: there is no topic on which to say so. */
export function failedRequest(topic: string, payload: Uint8Array, nowMs: number): readonly RequestAnswer[] | undefined {
  const answer = KINDS.find((kind) => kind.handles(topic))?.failed(topic, payload, nowMs);
  return answer === undefined ? undefined : [answer];
}
