import { isUtf8 } from 'node:buffer';
import { utf8LengthExceeds } from '../../../wire/src/topics/utf8-length.ts';
import { findClientToken, type JobFault } from './job-answers.ts';
import type { ExecutionReport, ReportedStatus, StatusDetails } from './job-execution.ts';
import { NEXT_JOB, type JobTopic } from './job-topics.ts';

/** What a device asks of its jobs; plain data. */
export type JobRequest = { readonly device: string } & (
  | { readonly operation: 'pending' }
  | { readonly operation: 'start-next'; readonly details: StatusDetails | undefined; readonly stepTimeoutMs: StepTimeout }
  | {
      readonly operation: 'describe';
      /** Undefined: whatever is next. */
      readonly job: string | undefined;
      /** Undefined: the latest. */
      readonly number: number | undefined;
      readonly withDocument: boolean;
    }
  | {
      readonly operation: 'update';
      readonly job: string;
      readonly number: number | undefined;
      readonly report: ExecutionReport;
      readonly expectedVersion: number | undefined;
      readonly withState: boolean;
      readonly withDocument: boolean;
    }
);

/** Null: no step timer any more. Undefined: as it is. */
type StepTimeout = number | null | undefined;

export interface ParsedJobRequest {
  readonly clientToken: string | undefined;
  readonly asked: { readonly request: JobRequest; readonly fault?: undefined } | { readonly fault: JobFault };
}

const MAX_CLIENT_TOKEN_BYTES = 64;
/** The API reference names no number of entries; this one is ours, so that details stay small. */
const MAX_DETAILS = 50;
const MAX_DETAIL_VALUE = 1_024;
const DETAIL_NAME = /^[A-Za-z0-9:_-]{1,128}$/;
/** AWS API reference, iot-jobs-data, UpdateJobExecution: `[^\p{C}]+`. */
const DETAIL_VALUE = /^[^\p{C}]+$/u;
const MAX_STEP_TIMEOUT_MINUTES = 10_080;
const MAX_PAYLOAD_BYTES = 128 * 1024;
const MINUTE_MS = 60_000;
const REPORTED: readonly string[] = ['IN_PROGRESS', 'SUCCEEDED', 'FAILED', 'REJECTED'] satisfies readonly ReportedStatus[];

/** What a client published to a topic of jobs. An empty payload is an empty object. */
export function parseJobRequest(topic: JobTopic, payload: Uint8Array): ParsedJobRequest {
  const refused = (fault: JobFault): ParsedJobRequest => ({ clientToken: findClientToken(payload), asked: { fault } });
  if (topic.operation === undefined) return refused({ code: 'InvalidTopic', message: 'The topic belongs to no operation' });
  if (payload.length > MAX_PAYLOAD_BYTES) return refused(invalid('The payload is too large'));
  if (!isUtf8(payload)) return refused({ code: 'InvalidJson', message: 'The payload is not UTF-8' });
  let body: unknown = {};
  if (payload.length > 0) {
    try {
      body = JSON.parse(Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength).toString());
    } catch {
      return refused({ code: 'InvalidJson', message: 'The payload is not JSON' });
    }
  }
  if (!isRecord(body)) return refused(invalid('The payload must be a JSON object'));
  const { clientToken } = body;
  if (clientToken !== undefined && clientToken !== null) {
    if (typeof clientToken !== 'string' || utf8LengthExceeds(clientToken, MAX_CLIENT_TOKEN_BYTES))
      return { clientToken: undefined, asked: { fault: invalid(`clientToken must be a text of at most 64 bytes`) } };
    return { clientToken, asked: askedOf(topic, body) };
  }
  return { clientToken: undefined, asked: askedOf(topic, body) };
}

/** The same with the parameters of an HTTP request, from its query or its body. */
export function askedOf(topic: JobTopic, parameters: Readonly<Record<string, unknown>>): ParsedJobRequest['asked'] {
  try {
    return { request: requestOf(topic, parameters) };
  } catch (error) {
    if (error instanceof Refused) return { fault: invalid(error.message) };
    throw error;
  }
}

/** Thrown and caught within this file. */
class Refused extends Error {}

function requestOf(topic: JobTopic, body: Readonly<Record<string, unknown>>): JobRequest {
  const { device } = topic;
  switch (topic.operation) {
    case undefined:
      throw new Refused('The topic belongs to no operation');
    case 'pending':
      return { operation: 'pending', device };
    case 'start-next':
      return { operation: 'start-next', device, details: detailsOf(body), stepTimeoutMs: stepTimeoutOf(body) };
    case 'describe':
      return {
        operation: 'describe',
        device,
        job: topic.job === NEXT_JOB ? undefined : topic.job,
        number: integerOf(body, 'executionNumber'),
        withDocument: flagOf(body, 'includeJobDocument') ?? true,
      };
    case 'update':
      return {
        operation: 'update',
        device,
        job: topic.job,
        number: integerOf(body, 'executionNumber'),
        report: { status: statusOf(body), details: detailsOf(body), stepTimeoutMs: stepTimeoutOf(body) },
        expectedVersion: integerOf(body, 'expectedVersion'),
        withState: flagOf(body, 'includeJobExecutionState') ?? false,
        withDocument: flagOf(body, 'includeJobDocument') ?? false,
      };
  }
}

function statusOf({ status }: Readonly<Record<string, unknown>>): ReportedStatus {
  if (typeof status === 'string' && REPORTED.includes(status)) return status as ReportedStatus;
  throw new Refused('status must be IN_PROGRESS, SUCCEEDED, FAILED or REJECTED');
}

function detailsOf({ statusDetails }: Readonly<Record<string, unknown>>): StatusDetails | undefined {
  if (statusDetails === undefined || statusDetails === null) return undefined;
  if (!isRecord(statusDetails)) throw new Refused('statusDetails must be an object of texts');
  const names = Object.keys(statusDetails);
  if (names.length > MAX_DETAILS) throw new Refused(`statusDetails has more than ${MAX_DETAILS} entries`);
  for (const name of names) {
    const value = statusDetails[name];
    if (!DETAIL_NAME.test(name)) throw new Refused('A name in statusDetails must have 1 to 128 of A-Z a-z 0-9 : _ -');
    if (typeof value !== 'string' || value.length > MAX_DETAIL_VALUE || !DETAIL_VALUE.test(value))
      throw new Refused('A value in statusDetails must be a text of 1 to 1024 characters without control characters');
  }
  return statusDetails as StatusDetails;
}

function stepTimeoutOf(body: Readonly<Record<string, unknown>>): StepTimeout {
  const minutes = integerOf(body, 'stepTimeoutInMinutes', -1);
  if (minutes === undefined) return undefined;
  if (minutes === -1) return null;
  if (minutes < 1 || minutes > MAX_STEP_TIMEOUT_MINUTES)
    throw new Refused('stepTimeoutInMinutes must be 1 to 10080, or -1 to clear the timer');
  return minutes * MINUTE_MS;
}

/** Numbers as texts are taken too: AWS's device SDK for C++ and its guide send `"expectedVersion":"1"`. */
function integerOf(body: Readonly<Record<string, unknown>>, name: string, least = 0): number | undefined {
  const value = body[name];
  if (value === undefined || value === null) return undefined;
  const number = typeof value === 'string' && /^-?\d{1,15}$/.test(value) ? Number(value) : value;
  if (typeof number === 'number' && Number.isSafeInteger(number) && number >= least) return number;
  throw new Refused(`${name} must be a whole number`);
}

function flagOf(body: Readonly<Record<string, unknown>>, name: string): boolean | undefined {
  const value = body[name];
  if (value === undefined || value === null) return undefined;
  if (value === true || value === 'true') return true;
  if (value === false || value === 'false') return false;
  throw new Refused(`${name} must be true or false`);
}

function invalid(message: string): JobFault {
  return { code: 'InvalidRequest', message };
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
