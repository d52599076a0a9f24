import { isDeviceId } from '../kernel/device-id.ts';
import { encodeRejection, findClientToken, type JobFault } from './job-answers.ts';

/**
 * The topics of jobs, as AWS IoT has them (AWS IoT Core developer guide, "Jobs device MQTT API operations"):
 *
 * ```
 * J = $aws/things/THING/jobs
 * J/get  J/start-next  J/JOB/get  J/$next/get  J/JOB/update      requests; answers on the same + /accepted, /rejected
 * J/notify  J/notify-next                                        events
 * ```
 */
export type JobTopic = { readonly device: string } & (
  | { readonly operation: 'pending' | 'start-next' }
  /** `job` is an id, or `$next`. */
  | { readonly operation: 'describe' | 'update'; readonly job: string }
  /** In the place of requests, but none. */
  | { readonly operation: undefined }
);

/** Stands for whatever the device has to do next. */
export const NEXT_JOB = '$next';

const THINGS = '$aws/things/';
const JOBS = '/jobs/';
const JOB_ID = /^[A-Za-z0-9_-]{1,64}$/;

export function isJobId(text: string): boolean {
  return JOB_ID.test(text);
}

/**
 * Whether publishing to the topic asks something of jobs. All below `J/` but answers and events does: what is no request is refused as
 * such. Asked for every topic: cheap for all others.
 */
export function isJobTopic(topic: string): boolean {
  return topic.startsWith(THINGS) && parseJobTopic(topic) !== undefined;
}

/** Undefined: not a topic that clients ask at. */
export function parseJobTopic(topic: string): JobTopic | undefined {
  if (!topic.startsWith(THINGS)) return undefined;
  const endOfThing = topic.indexOf('/', THINGS.length);
  if (endOfThing < 0 || !topic.startsWith(JOBS, endOfThing)) return undefined;
  const device = topic.slice(THINGS.length, endOfThing);
  if (!isDeviceId(device)) return undefined;
  const rest = topic.slice(endOfThing + JOBS.length);
  if (rest === 'get') return { device, operation: 'pending' };
  if (rest === 'start-next') return { device, operation: 'start-next' };
  if (rest === 'notify' || rest === 'notify-next' || rest.endsWith('/accepted') || rest.endsWith('/rejected')) return undefined;
  const slash = rest.indexOf('/');
  const job = rest.slice(0, slash);
  const verb = rest.slice(slash + 1);
  if (slash > 0 && verb === 'get' && (job === NEXT_JOB || isJobId(job))) return { device, operation: 'describe', job };
  if (slash > 0 && verb === 'update' && isJobId(job)) return { device, operation: 'update', job };
  return { device, operation: undefined };
}

export function jobsPrefix(device: string): string {
  return `${THINGS}${device}/jobs`;
}

/** A message for the one who asked. */
export interface JobAnswer {
  readonly topic: string;
  readonly payload: Uint8Array;
}

/** For a client with too many requests in flight. */
export function throttledJob(topic: string, payload: Uint8Array, nowMs: number): JobAnswer {
  return refusal(topic, payload, { code: 'RequestThrottled', message: 'Too many requests are in flight' }, nowMs);
}

/** Where a request could not be done. */
export function failedJob(topic: string, payload: Uint8Array, nowMs: number): JobAnswer {
  return refusal(topic, payload, { code: 'InternalError', message: 'Internal error' }, nowMs);
}

function refusal(topic: string, payload: Uint8Array, fault: JobFault, nowMs: number): JobAnswer {
  return { topic: `${topic}/rejected`, payload: encodeRejection(fault, findClientToken(payload), nowMs) };
}
