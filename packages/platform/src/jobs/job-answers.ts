import type { JobFacts } from './job-facts.ts';
import { dueAtMs, type ExecutionStatus, type JobExecution, type StatusDetails } from './job-execution.ts';

/** AWS IoT Core developer guide, "Jobs device MQTT API operations", ErrorResponse. */
export type JobFaultCode =
  | 'InvalidTopic'
  | 'InvalidJson'
  | 'InvalidRequest'
  | 'InvalidStateTransition'
  | 'ResourceNotFound'
  | 'VersionMismatch'
  | 'InternalError'
  | 'RequestThrottled'
  | 'TerminalStateReached';

export interface JobFault {
  readonly code: JobFaultCode;
  readonly message: string;
  /** With VersionMismatch and InvalidStateTransition only. */
  readonly executionState?: ExecutionState;
}

/** AWS's JobExecutionState. */
export interface ExecutionState {
  readonly status: ExecutionStatus;
  readonly statusDetails: StatusDetails;
  readonly versionNumber: number;
}

/** AWS's JobExecutionSummary; times are epoch seconds. */
export interface ExecutionSummary {
  readonly jobId: string;
  readonly queuedAt: number;
  readonly startedAt?: number;
  readonly lastUpdatedAt: number;
  readonly versionNumber: number;
  readonly executionNumber: number;
}

/** AWS's JobExecution, but for the document, which stands beside it. */
export interface ExecutionData {
  readonly jobId: string;
  readonly thingName: string;
  readonly status: ExecutionStatus;
  readonly statusDetails?: StatusDetails;
  readonly queuedAt: number;
  readonly startedAt?: number;
  readonly lastUpdatedAt: number;
  readonly approximateSecondsBeforeTimedOut?: number;
  readonly versionNumber: number;
  readonly executionNumber: number;
}

/** What comes of a request: plain data. Documents are JSON texts. */
export type JobResult =
  | {
      readonly kind: 'pending';
      readonly inProgressJobs: readonly ExecutionSummary[];
      readonly queuedJobs: readonly ExecutionSummary[];
    }
  | { readonly kind: 'execution'; readonly execution: ExecutionData | undefined; readonly document: string | undefined }
  | { readonly kind: 'updated'; readonly state: ExecutionState | undefined; readonly document: string | undefined }
  | { readonly kind: 'refused'; readonly fault: JobFault };

/** AWS gives no more (developer guide, "AWS IoT Jobs limits"); what is left out comes up when others are done. */
export const MAX_LISTED = 15;

export function stateOf({ status, details, version }: JobExecution): ExecutionState {
  return { status, statusDetails: details ?? {}, versionNumber: version };
}

export function summaryOf(execution: JobExecution, facts: JobFacts): ExecutionSummary {
  return {
    jobId: facts.id,
    queuedAt: seconds(execution.queuedAtMs),
    ...(execution.startedAtMs !== undefined && { startedAt: seconds(execution.startedAtMs) }),
    lastUpdatedAt: seconds(execution.updatedAtMs),
    versionNumber: execution.version,
    executionNumber: execution.number,
  };
}

export function dataOf(execution: JobExecution, facts: JobFacts, nowMs: number): ExecutionData {
  const due = dueAtMs(execution);
  return {
    jobId: facts.id,
    thingName: execution.device,
    status: execution.status,
    ...(execution.details !== undefined && { statusDetails: execution.details }),
    queuedAt: seconds(execution.queuedAtMs),
    ...(execution.startedAtMs !== undefined && { startedAt: seconds(execution.startedAtMs) }),
    lastUpdatedAt: seconds(execution.updatedAtMs),
    ...(due !== undefined && { approximateSecondsBeforeTimedOut: Math.max(0, Math.ceil((due - nowMs) / 1000)) }),
    versionNumber: execution.version,
    executionNumber: execution.number,
  };
}

/** The answer as MQTT has it: documents are JSON in the JSON. */
export function encodeAnswer(result: JobResult, clientToken: string | undefined, nowMs: number): Uint8Array {
  const last = { timestamp: seconds(nowMs), ...(clientToken !== undefined && { clientToken }) };
  switch (result.kind) {
    case 'pending':
      return encode(JSON.stringify({ inProgressJobs: result.inProgressJobs, queuedJobs: result.queuedJobs, ...last }));
    case 'execution':
      return encode(withExecution(result.execution, result.document, last));
    case 'updated':
      return encode(withDocument({ ...(result.state && { executionState: result.state }), ...last }, result.document));
    case 'refused':
      return encodeRejection(result.fault, clientToken, nowMs);
  }
}

export function encodeRejection(fault: JobFault, clientToken: string | undefined, nowMs: number): Uint8Array {
  const { code, message, executionState } = fault;
  return encode(
    JSON.stringify({
      code,
      message,
      ...(clientToken !== undefined && { clientToken }),
      timestamp: seconds(nowMs),
      ...(executionState && { executionState }),
    }),
  );
}

/** The list of what a device has to do, as far as `MAX_LISTED`, in the order in which it is to do it. */
export function encodeNotify(
  inProgress: readonly ExecutionSummary[],
  queued: readonly ExecutionSummary[],
  nowMs: number,
): Uint8Array {
  const jobs = {
    ...(inProgress.length > 0 && { IN_PROGRESS: inProgress }),
    ...(queued.length > 0 && { QUEUED: queued }),
  };
  return encode(JSON.stringify({ timestamp: seconds(nowMs), jobs }));
}

/** @param execution undefined: nothing is left to do. */
export function encodeNotifyNext(execution: ExecutionData | undefined, document: string | undefined, nowMs: number): Uint8Array {
  return encode(withExecution(execution, document, { timestamp: seconds(nowMs) }));
}

function withExecution(execution: ExecutionData | undefined, document: string | undefined, rest: object): string {
  const tail = JSON.stringify(rest);
  if (execution === undefined) return tail;
  return `{"execution":${withDocument(execution, document)},${tail.slice(1)}`;
}

/** Documents are kept as JSON: they go out as they are. */
function withDocument(value: object, document: string | undefined): string {
  const text = JSON.stringify(value);
  return document === undefined ? text : `${text.slice(0, -1)},"jobDocument":${document}}`;
}

function seconds(ms: number): number {
  return Math.floor(ms / 1000);
}

const encoder = new TextEncoder();

/** Of its own size: it crosses threads, where a view of a larger buffer would take all of that along. */
function encode(text: string): Uint8Array {
  return encoder.encode(text);
}

/** Where a token is looked for in a payload that is not parsed. */
const SEARCHED_BYTES = 2_048;
const TOKEN = /"clientToken"\s*:\s*("(?:[^"\\]|\\.){0,256}")/;

/** That of a payload that is no JSON, or that is not parsed now: without it, the client would not know that the answer is for it. */
export function findClientToken(payload: Uint8Array): string | undefined {
  const text = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
  const searched =
    text.length <= 2 * SEARCHED_BYTES ? text : Buffer.concat([text.subarray(-SEARCHED_BYTES), text.subarray(0, SEARCHED_BYTES)]);
  const found = TOKEN.exec(searched.toString())?.[1];
  if (found === undefined) return undefined;
  try {
    return JSON.parse(found) as string;
  } catch {
    // What looked like a text is none.
    return undefined;
  }
}
