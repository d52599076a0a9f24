import type { FastifyReply } from 'fastify';
import type { ExecutionData, JobFault, JobFaultCode, JobResult } from '../../../jobs/job-answers.ts';
import { askedOf, type JobRequest } from '../../../jobs/job-request.ts';
import { isJobId, type JobTopic, NEXT_JOB } from '../../../jobs/job-topics.ts';
import type { AwsAccess, ThingNeeds } from './aws-access.ts';
import { sendErrorBody, sendJson } from './aws-answers.ts';
import { AwsError } from './aws-error.ts';
import type { AddOperation, AwsHandler, AwsRequest } from './aws-requests.ts';
import { jsonObjectOf } from './json-body.ts';

/** What a device may ask of its jobs, and whoever asks for it. */
export interface JobDesk {
  /** Never throws for what the request is at fault. */
  ask(request: JobRequest): Promise<JobResult>;
}

export interface JobOperationsDependencies {
  readonly jobs: JobDesk;
  readonly access: AwsAccess;
}

/** DescribeJobExecution, GetPendingJobExecutions, StartNextPendingJobExecution, UpdateJobExecution. */
export function addJobOperations(add: AddOperation, dependencies: JobOperationsDependencies): void {
  const { access } = dependencies;
  const serve = async (
    request: AwsRequest,
    reply: FastifyReply,
    operation: Exclude<JobTopic['operation'], undefined>,
    parameters: Readonly<Record<string, unknown>>,
  ): Promise<FastifyReply> => {
    const { thing = '', job } = request.params;
    if (job !== undefined && job !== NEXT_JOB && !isJobId(job)) throw new AwsError('InvalidRequestException', 'Invalid job id');
    const device = await access.ensureThing(request.caller, thing, needsOf(operation, thing, job ?? ''));
    const asked = askedOf(topicOf(device, operation, job ?? ''), parameters);
    if (asked.fault !== undefined) return await sendFault(reply, asked.fault);
    return await sendResult(reply, await dependencies.jobs.ask(asked.request));
  };
  add('GET', '/things/:thing/jobs', async (request, reply) => await serve(request, reply, 'pending', {}));
  add(
    'GET',
    '/things/:thing/jobs/:job',
    async (request, reply) => await serve(request, reply, 'describe', Object.fromEntries(request.query)),
  );
  const startNext: AwsHandler = async (request, reply) => {
    if (request.params['job'] !== NEXT_JOB) throw new AwsError('InvalidRequestException', 'Only $next can be started');
    return await serve(request, reply, 'start-next', jsonObjectOf(request.body));
  };
  add('PUT', '/things/:thing/jobs/:job', startNext);
  add('POST', '/things/:thing/jobs/:job', async (request, reply) => {
    if (request.params['job'] === NEXT_JOB) throw new AwsError('InvalidRequestException', '$next cannot be updated');
    return await serve(request, reply, 'update', jsonObjectOf(request.body));
  });
}

function topicOf(device: string, operation: Exclude<JobTopic['operation'], undefined>, job: string): JobTopic {
  return operation === 'describe' || operation === 'update' ? { device, operation, job } : { device, operation };
}

function needsOf(operation: string, thing: string, job: string): ThingNeeds {
  const base = `$aws/things/${thing}/jobs`;
  switch (operation) {
    case 'pending':
      return { permission: 'jobs:read', publish: `${base}/get`, receive: `${base}/get/accepted` };
    case 'describe':
      return { permission: 'jobs:read', publish: `${base}/${job}/get`, receive: `${base}/${job}/get/accepted` };
    case 'start-next':
      return { permission: 'jobs:write', publish: `${base}/start-next`, receive: `${base}/start-next/accepted` };
    default:
      return { permission: 'jobs:write', publish: `${base}/${job}/update` };
  }
}

/** Over HTTP the document is a text, and there is neither a timestamp nor a clientToken. */
async function sendResult(reply: FastifyReply, result: JobResult): Promise<FastifyReply> {
  switch (result.kind) {
    case 'pending':
      return await sendJson(reply, { inProgressJobs: result.inProgressJobs, queuedJobs: result.queuedJobs });
    case 'execution':
      return await sendJson(reply, executionOf(result.execution, result.document));
    case 'updated':
      return await sendJson(reply, {
        ...(result.state !== undefined && { executionState: result.state }),
        ...(result.document !== undefined && { jobDocument: result.document }),
      });
    case 'refused':
      return await sendFault(reply, result.fault);
  }
}

function executionOf(execution: ExecutionData | undefined, document: string | undefined): object {
  if (execution === undefined) return {};
  return { execution: { ...execution, ...(document !== undefined && { jobDocument: document }) } };
}

/**
 * The errors of iot-jobs-data by those of the topics. For a wrong version the model has no error of its own: it is told by status 409 and
 * the state of the execution, as the documentation of UpdateJobExecution says.
 */
const ERRORS: Readonly<Record<JobFaultCode, readonly [name: string, status: number]>> = {
  InvalidTopic: ['InvalidRequestException', 400],
  InvalidJson: ['InvalidRequestException', 400],
  InvalidRequest: ['InvalidRequestException', 400],
  InvalidStateTransition: ['InvalidStateTransitionException', 409],
  ResourceNotFound: ['ResourceNotFoundException', 404],
  VersionMismatch: ['VersionMismatchException', 409],
  InternalError: ['InternalServerException', 500],
  RequestThrottled: ['ThrottlingException', 429],
  TerminalStateReached: ['TerminalStateException', 410],
};

async function sendFault(reply: FastifyReply, { code, message, executionState }: JobFault): Promise<FastifyReply> {
  const [name, status] = ERRORS[code];
  const body = JSON.stringify({ code, message, ...(executionState !== undefined && { executionState }) });
  return await sendErrorBody(reply, name, status, body);
}
